"""The tenant, the people in it and those with personal accounts: who they are, and how all gets back to the start."""

import hashlib
import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

from sandbox import builtin
from sandbox.installation import installation
from sandbox.models import AccessToken, AuthorizationCode, Consent, Mailbox, Person, RefreshToken, TenantConsent

TENANT_ID = "7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601"
TENANT_NAME = "Harbour & Quay"
TENANT_DOMAIN = "quay.example"
# All personal accounts are in this one tenant of Microsoft's own (entra-docs, v2-protocols-oidc.md).
CONSUMERS_ID = "9188040d-6c67-4c5b-b112-36a304b66dad"
CONSUMERS_NAME = "Microsoft Services"
_PERSONAL_DOMAINS = ("outlook.example", "hotmail.example", "live.example")
MAILBOX_ZONE = "Europe/Berlin"

_PEOPLE = (
    ("ines@quay.example", "Ines Falk", Person.Kind.WORK, "1d0c7a52-9f1e-4a4b-8a53-5f0f6f3f1a11"),
    ("tomas@quay.example", "Tomas Ruy", Person.Kind.WORK, "2b9e4f60-3c7d-4d1a-9b60-7c2e8d4b2b22"),
    ("ada@quay.example", "Ada Quint", Person.Kind.WORK, "4e7a1c93-6d25-4b0f-8c14-9a3f5d6e3c33"),
    # Ines's as well, under the name that she gave herself there.
    ("ines.falk@outlook.example", "Ines F.", Person.Kind.PERSONAL, "00000000-0000-0000-3c5b-7a1f20d4e933"),
    ("luisa@hotmail.example", "Luisa Brandt", Person.Kind.PERSONAL, "00000000-0000-0000-91d2-0e6b4477c844"),
)
# Who may grant permissions for the whole tenant.
_ADMINS = frozenset({"ada@quay.example"})
_OID_NAMESPACE = uuid.UUID("3f1c9a77-2f65-4d07-93a8-0a1d6a2f7c33")


def find(email: str) -> Person | None:
    return Person.objects.filter(email__iexact=email.strip()).first()


def find_or_create(email: str, kind: str = "") -> Person:
    """The person with this address, of this kind where one is named.

    An unknown one gets a name made from it, and unless named the kind that the domain suggests.
    """
    known = find(email)
    if known is not None:
        return known
    email = email.strip().lower()
    name, _, domain = email.partition("@")
    kind = kind or (Person.Kind.PERSONAL if domain in _PERSONAL_DOMAINS else Person.Kind.WORK)
    name = name.replace(".", " ").replace("-", " ").title()
    return Person.objects.create(email=email, name=name, kind=kind, oid=_oid(email, kind))


def _oid(email: str, kind: str) -> str:
    """A personal account's id is a number of 64 bits that was made as long as the others' with zeros."""
    made = str(uuid.uuid5(_OID_NAMESPACE, email))
    return f"00000000-0000-0000-{made[-17:]}" if kind == Person.Kind.PERSONAL else made


def tenant_of(person: Person) -> str:
    return CONSUMERS_ID if person.personal else TENANT_ID


def fill_mailbox(person: Person, text: str) -> Mailbox:
    digest = hashlib.sha256(text.encode()).hexdigest()
    mailbox, _ = Mailbox.objects.update_or_create(person=person, defaults={"text": text, "digest": digest})
    return mailbox


def seed() -> None:
    """Make the people who are always there and fill their mailboxes afresh, since those are relative to today."""
    today = datetime.now(ZoneInfo(MAILBOX_ZONE)).date()
    texts = (
        installation().first_mailbox or builtin.calendar_of_ines(today),
        builtin.calendar_of_tomas(today),
        builtin.calendar_of_ada(today),
        builtin.calendar_of_ines_at_home(today),
        builtin.calendar_of_luisa(today),
    )
    for (email, name, kind, oid), text in zip(_PEOPLE, texts, strict=True):
        known = {"name": name, "kind": kind, "oid": oid, "admin": email in _ADMINS}
        person, _ = Person.objects.update_or_create(email=email, defaults=known)
        fill_mailbox(person, text)


def reset() -> None:
    """Back to the first state: nobody but the people who are always there, no consent, no token."""
    for model in (AccessToken, RefreshToken, AuthorizationCode, Consent, TenantConsent, Mailbox):
        model._default_manager.all().delete()
    Person.objects.exclude(email__in=[email for email, *_ in _PEOPLE]).delete()
    seed()
