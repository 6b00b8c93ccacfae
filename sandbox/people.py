"""The tenant and the people in it: who they are, and how the sandbox gets back to its first state."""

import hashlib
import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

from sandbox import builtin
from sandbox.installation import installation
from sandbox.models import AccessToken, AuthorizationCode, Consent, Mailbox, Person, RefreshToken

TENANT_ID = "7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601"
TENANT_NAME = "Harbour & Quay"
TENANT_DOMAIN = "quay.example"
MAILBOX_ZONE = "Europe/Berlin"

_PEOPLE = (
    ("ines@quay.example", "Ines Falk", "1d0c7a52-9f1e-4a4b-8a53-5f0f6f3f1a11"),
    ("tomas@quay.example", "Tomas Ruy", "2b9e4f60-3c7d-4d1a-9b60-7c2e8d4b2b22"),
)
_OID_NAMESPACE = uuid.UUID("3f1c9a77-2f65-4d07-93a8-0a1d6a2f7c33")


def find(email: str) -> Person | None:
    return Person.objects.filter(email__iexact=email.strip()).first()


def find_or_create(email: str) -> Person:
    """The person with this address; an unknown one joins the tenant under a name made from it."""
    known = find(email)
    if known is not None:
        return known
    email = email.strip().lower()
    name = email.partition("@")[0].replace(".", " ").replace("-", " ").title()
    return Person.objects.create(email=email, name=name, oid=str(uuid.uuid5(_OID_NAMESPACE, email)))


def fill_mailbox(person: Person, text: str) -> Mailbox:
    digest = hashlib.sha256(text.encode()).hexdigest()
    mailbox, _ = Mailbox.objects.update_or_create(person=person, defaults={"text": text, "digest": digest})
    return mailbox


def seed() -> None:
    """Make the tenant's own people and fill their mailboxes afresh, since those are relative to today."""
    today = datetime.now(ZoneInfo(MAILBOX_ZONE)).date()
    for email, name, oid in _PEOPLE:
        Person.objects.update_or_create(email=email, defaults={"name": name, "oid": oid})
    ines, tomas = (Person.objects.get(email=email) for email, _, _ in _PEOPLE)
    fill_mailbox(ines, installation().first_mailbox or builtin.calendar_of_ines(today))
    fill_mailbox(tomas, builtin.calendar_of_tomas(today))


def reset() -> None:
    """Back to the first state: nobody but the tenant's own people, no consent, no token."""
    for model in (AccessToken, RefreshToken, AuthorizationCode, Consent, Mailbox):
        model._default_manager.all().delete()
    Person.objects.exclude(email__in=[email for email, _, _ in _PEOPLE]).delete()
    seed()
