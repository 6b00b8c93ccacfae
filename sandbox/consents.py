"""What was agreed to: by a person for themselves, by an admin for everybody of the tenant, and taken back again."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from sandbox.installation import installation
from sandbox.models import Consent, Person, TenantConsent
from sandbox.people import TENANT_ID
from sandbox.scopes import SENTENCES

# What comes with the first consent to an application, whatever was asked for (entra-docs, consent-types-developer.md,
# says it of offline_access and User.Read); the e-mail address is not among it.
_COMES_WITH_IT = frozenset({"openid", "profile", "offline_access", "User.Read"})


def _together(scopes: str, more: Iterable[str]) -> str:
    return " ".join(sorted({*scopes.split(), *more}))


def _without(scopes: str, fewer: Iterable[str]) -> str:
    return " ".join(sorted(set(scopes.split()) - set(fewer)))


def tenants_consent() -> TenantConsent | None:
    """What an admin granted to the one application there is."""
    return TenantConsent.objects.filter(tenant_id=TENANT_ID, client_id=installation().client_id).first()


def agreed(person: Person, client_id: str) -> frozenset[str]:
    """What the application may ask for without asking anybody: the person's own consent and the tenant's together."""
    own = Consent.objects.filter(person=person, client_id=client_id).first()
    scopes = set(own.scopes.split()) if own else set()
    tenants = None if person.personal else tenants_consent()
    if tenants and tenants.scopes:
        scopes |= {*tenants.scopes.split(), *_COMES_WITH_IT}
    return frozenset(scopes)


def remember(person: Person, client_id: str, scopes: Iterable[str]) -> None:
    """The person agreed for themselves, in addition to what they agreed to before."""
    consent, _ = Consent.objects.get_or_create(person=person, client_id=client_id)
    Consent.objects.filter(pk=consent.pk).update(scopes=_together(consent.scopes, scopes))


@transaction.atomic
def grant_to_tenant(scopes: Iterable[str], now: datetime) -> None:
    """An admin agreed for everybody, in addition to what was granted before."""
    known = tenants_consent()
    TenantConsent.objects.update_or_create(
        tenant_id=TENANT_ID,
        client_id=installation().client_id,
        defaults={"scopes": _together(known.scopes if known else "", scopes), "granted_at": now},
    )


@transaction.atomic
def withdraw(scopes: Iterable[str] = SENTENCES, *, of_people: bool) -> None:
    """An admin takes back what the tenant granted, and where ``of_people`` what its people granted themselves."""
    fewer = frozenset(scopes)
    known = tenants_consent()
    if known:
        TenantConsent.objects.filter(pk=known.pk).update(scopes=_without(known.scopes, fewer))
    TenantConsent.objects.filter(scopes="").delete()
    if not of_people:
        return
    consents = list(Consent.objects.exclude(person__kind=Person.Kind.PERSONAL))
    for consent in consents:
        consent.scopes = _without(consent.scopes, fewer)
    Consent.objects.bulk_update(consents, ["scopes"])
