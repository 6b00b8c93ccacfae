"""Who waits for an admin of their organization, and what the admin is said to have answered.

Nothing here authorises anybody. An answer comes back through a browser, without a proof: it is kept as reported, and
only tells those who wait that trying again is worth it. Whether it is true, their own sign-in shows.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import idna
from django.core import signing
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from integrations import permissions
from integrations.events import LONGEST_ADDRESS
from integrations.providers import BY_SIGN_IN
from sally.models import User

if TYPE_CHECKING:
    from integrations.accounts import SignedIn

LINK_LASTS = timedelta(days=14)
LONGEST_REASON = 500
LONGEST_DOMAIN = 253  # the most that the DNS takes
_signer = signing.Signer(salt="integrations.approvals")


class ApprovalQuerySet(models.QuerySet["ApprovalRequest"]):
    def ask(self, user: User, provider: str, address: str, now: datetime) -> ApprovalRequest:
        """What this person asks an admin for; the same as before, with the same link, while that is still good."""
        scopes = list(BY_SIGN_IN[provider].scopes)
        asked: dict[str, Any] = {"provider": provider, "address": address, "domain": domain_of(address)}
        with transaction.atomic():
            User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()  # of two clicks, one asks
            known = self.filter(user=user, scopes=scopes, **asked).first()
            if known and known.is_good(now) and known.state == ApprovalRequest.State.WAITING:
                return known
            self.filter(user=user).delete()  # and with it what older links and answers could be for
            return self.create(user=user, scopes=scopes, asked_at=now, **asked)

    def address_of(self, user: User, provider: str) -> str:
        """The work address that this person gave, "" where none was given: to be filled in at Microsoft."""
        given = self.filter(user=user, provider=provider).exclude(state=ApprovalRequest.State.CONNECTED)
        return given.values_list("address", flat=True).first() or ""

    def of_token(self, token: str) -> ApprovalRequest | None:
        """The request that a link for IT, or the state that came back from Microsoft, is of.

        Raises ``BadSignature`` for one that was not made here. None for one that was replaced, or is settled and gone.
        """
        pk = _signer.unsign(token)
        return self.select_related("user__organization").filter(pk=pk).first()

    def report(self, own: ApprovalRequest, scopes: Collection[str], tenant: str, now: datetime) -> bool:
        """An admin is said to have approved; whether that was news.

        Everybody of the domain who waits in the same organization here is told as well. Not those of others: whoever
        has a link could make this up, and should not reach strangers by it.
        """
        answer = {"state": ApprovalRequest.State.REPORTED, "answered_at": now, "told_at": None, "reason": ""}
        answer |= {"reported_scopes": sorted(scopes), "tenant": tenant}
        organization = own.user.organization_id
        alike = Q(domain=own.domain, user__organization=organization) if organization else Q()
        with transaction.atomic():
            self.filter(Q(pk=own.pk) | alike)._hold()
            locked = self.filter(pk=own.pk).first()
            if locked is None or not locked.takes(scopes):
                return False
            self.filter(pk=own.pk).update(**answer)
            if organization:
                others = self.filter(alike).exclude(pk=own.pk)
                others.filter(state__in=ApprovalRequest.UNANSWERED).update(**answer)
        return True

    def decline(self, own: ApprovalRequest, reason: str, now: datetime) -> bool:
        """An admin is said to have declined this request; whether that was news. A reason may follow later."""
        mine = self.filter(pk=own.pk)
        answer = {"state": ApprovalRequest.State.DECLINED, "answered_at": now, "told_at": None}
        if mine.filter(state=ApprovalRequest.State.WAITING).update(**answer, reason=reason):
            return True
        declined = mine.filter(state=ApprovalRequest.State.DECLINED, reason="")
        return bool(reason and declined.update(reason=reason, told_at=None))  # the mail of before did not have it

    def settle(self, user: User, provider: str, account: SignedIn, now: datetime, *, mended: bool = False) -> None:
        """Somebody connected: the one proof that a tenant approved. Its others who wait may do the same now.

        By the tenant's id too, for an organization may have several domains. Only where all was granted that is asked
        for: else the others may still be stopped. ``mended``: it was a calendar that had been connected before.
        """
        State, tenant = ApprovalRequest.State, account.account_id.rpartition(".")[2]
        here = self.filter(Q(domain=domain_of(account.email)) | Q(tenant=tenant), provider=provider)
        # A new calendar ends the person's own by whatever domain: one's sign-in need not have that of one's mail.
        own = here.filter(user=user) if mended else self.filter(user=user, provider=provider)
        (here | own)._hold()
        own.update(state=State.CONNECTED, answered_at=now, told_at=now)
        if permissions.unapproved(BY_SIGN_IN[provider].scopes, account.scopes):
            return
        others = here.exclude(user=user)
        others.filter(state=State.REPORTED).update(state=State.APPROVED)  # they were told, or will be
        others.filter(state__in=ApprovalRequest.UNANSWERED).update(
            state=State.APPROVED, answered_at=now, told_at=None, reason=""
        )

    def _hold(self) -> None:
        """Lock these in one order: of two answers at once one waits for the other, not each for the other's rows."""
        list(self.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))

    def outdated(self, now: datetime) -> ApprovalQuerySet:
        return self.filter(asked_at__lt=now - 2 * LINK_LASTS)


class ApprovalRequest(models.Model):
    """What somebody asked their organization's admin for, and the answer. One for each person."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DECLINED = "declined", _("declined, as reported")
        REPORTED = "reported", _("approved, as reported")
        APPROVED = "approved", _("approved, for somebody connected")
        CONNECTED = "connected", _("connected")

    UNANSWERED = (State.WAITING, State.DECLINED)

    id = models.UUIDField(_("id of the request"), primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(User, models.CASCADE, verbose_name=_("who asks"), related_name="+")
    provider = models.CharField(_("provider"), max_length=30)
    address = models.CharField(_("work address"), max_length=LONGEST_ADDRESS)
    domain = models.CharField(_("domain"), max_length=255)
    scopes = models.JSONField(_("permissions asked for"), default=list)
    asked_at = models.DateTimeField(_("asked at"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    answered_at = models.DateTimeField(_("answered at"), null=True)
    # As the answer had them: said by a browser, proved by nothing.
    reported_scopes = models.JSONField(_("permissions granted, as reported"), default=list)
    tenant = models.CharField(_("tenant, as reported"), max_length=36, blank=True)
    reason = models.CharField(_("what IT wrote when declining"), max_length=LONGEST_REASON, blank=True)
    told_at = models.DateTimeField(_("told by mail at"), null=True)

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["domain"], name="approval_domain")]

    def __str__(self) -> str:
        return f"approval request {self.pk}"

    @property
    def token(self) -> str:
        """Names this request in the link for IT, and in the state that Microsoft sends back.

        Asking anew makes the old ones void; opening the link does not.
        """
        return _signer.sign(self.pk.hex)

    @property
    def good_until(self) -> datetime:
        return self.asked_at + LINK_LASTS

    def is_good(self, now: datetime) -> bool:
        """Whether the link for IT still leads somewhere."""
        return now < self.good_until

    @property
    def missing(self) -> list[str]:
        """What was asked for and, as far as the answer said, not granted; until somebody's connecting proves more."""
        said = self.reported_scopes if self.state == self.State.REPORTED else []
        return permissions.unapproved(self.scopes, said) if said else []

    @property
    def takes_a_word(self) -> bool:
        """Whether IT may still decline, or say why it did."""
        return self.state == self.State.WAITING or (self.state == self.State.DECLINED and not self.reason)

    def takes(self, scopes: Collection[str]) -> bool:
        """Whether such an approval would be news: the first, or one that leaves less open of what is asked for.

        Names that nobody asked for are none: whoever has the link could make up ever new ones, and a mail with each.
        """
        if self.state == self.State.REPORTED:
            return set(permissions.unapproved(self.scopes, scopes)) < set(self.missing)
        return self.state in self.UNANSWERED


def domain_of(address: str) -> str:
    """The domain of an e-mail address as the DNS, and Entra, spell it; "" where there is none.

    A machine's own name and an IP address are none that an organization could have.
    """
    _name, at, domain = address.rpartition("@")
    domain = domain.strip().strip(".").lower() if at else ""
    try:
        # Not Python's own codec, whose older rules make strasse.de of straße.de.
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return ""
    return domain if "." in domain and domain[0] != "[" and len(domain) <= LONGEST_DOMAIN else ""
