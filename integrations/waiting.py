"""Who started to connect a calendar and was stopped: what probably happened, and what can be done about it.

Microsoft's pages that ask for an admin's approval often send nothing back, so a sign-in that was begun and not finished
is as telling as one that was refused.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from integrations import errors, permissions, problems
from integrations.models import ApprovalRequest, CalendarConnection, SignIn
from integrations.models.approvals import domain_of
from integrations.providers import BY_SIGN_IN, SignInProvider
from integrations.rows import Words
from sally.models import User


class Kind(enum.StrEnum):
    SILENT = "silent"
    REFUSED = "refused"
    REQUESTED = "requested"
    CANCELLED = "cancelled"
    PARTLY = "partly"
    ASKED = "asked"
    EXPIRED = "expired"
    DECLINED = "declined"
    REPORTED = "reported"
    IN_PART = "in_part"
    APPROVED = "approved"
    STILL = "still"


TITLES: Mapping[Kind, Words] = {
    Kind.SILENT: _("This calendar is not connected yet"),
    Kind.REFUSED: _("An admin has to approve Sally first"),
    Kind.REQUESTED: _("Your request is with your organization's admin"),
    Kind.CANCELLED: _("You came back from Microsoft without connecting"),
    Kind.PARTLY: _("Microsoft let you in, but not to the calendar"),
    Kind.ASKED: _("Waiting for your admin"),
    Kind.EXPIRED: _("The link for your IT has expired"),
    Kind.DECLINED: _("Your IT declined"),
    Kind.REPORTED: _("Approved: connect now"),
    Kind.IN_PART: _("Approved in part"),
    Kind.APPROVED: _("Approved: connect now"),
    Kind.STILL: _("Approved, but Microsoft still asks"),
}
TEXTS: Mapping[Kind, Words] = {
    Kind.SILENT: _(
        "If Microsoft's page is still open, go on there. If it said “Need admin approval” or “Approval required”, that "
        "is usual in organizations, and such a page sends nothing back to Sally: an admin approves Sally once, then "
        "everybody connects normally."
    ),
    Kind.REFUSED: problems.of_sign_in(errors.ApprovalNeeded()).text,
    Kind.REQUESTED: _(
        "Microsoft has sent it to the admins of your organization. Try again once it is approved. “My admin has to "
        "approve” makes a mail that tells them what Sally reads and why. Nothing was connected yet."
    ),
    Kind.CANCELLED: problems.of_sign_in(errors.SignInCancelled()).text,
    Kind.PARTLY: _(
        "Your organization allows Sally only in part: the permission to read the calendar is missing. Nothing was "
        "connected; an admin has to approve that one too."
    ),
    Kind.ASKED: _("Send the link to your IT. This page changes by itself as soon as the approval is reported."),
    Kind.EXPIRED: _("Nobody has answered. Make a new link if you still want to connect this calendar."),
    Kind.DECLINED: _(
        "Nothing was connected. Perhaps a word with your IT helps: the mail says what Sally reads, what for, and what "
        "she never does."
    ),
    Kind.REPORTED: _("Microsoft's page reported that an admin approved Sally. One click, and you are done."),
    Kind.IN_PART: _(
        "Microsoft's page reported that an admin approved Sally, but not all that she asks for. Connecting may be "
        "stopped again until the rest is approved too."
    ),
    Kind.APPROVED: _("Somebody of your organization has connected a calendar since. One click, and you are done."),
    Kind.STILL: _(
        "The approval was reported, and your sign-in after that was stopped all the same. Microsoft may need some "
        "minutes; or the approval was for another organization than the one you sign in to, or Sally is allowed for "
        "chosen people only. Try again, or ask your admin about it."
    ),
}
_STILL_MISSING = _(
    "The approval was reported, and your sign-in after that was stopped all the same: some of what Sally asks for is "
    "not approved yet. Your admin has to approve the rest too."
)
# Where it is known that Microsoft asks for an approval.
_ASKS = {Kind.REFUSED, Kind.REQUESTED, Kind.ASKED, Kind.STILL}
# What may be done in one click, as the way it most probably is.
_READY = {Kind.REPORTED, Kind.APPROVED}
_BADGES: Mapping[Kind, tuple[str, Words]] = {
    Kind.REPORTED: ("connected", _("approved")),
    Kind.APPROVED: ("connected", _("approved")),
    Kind.DECLINED: ("needs_attention", _("declined")),
    Kind.EXPIRED: ("needs_attention", _("expired")),
    Kind.IN_PART: ("needs_attention", _("in part")),
}
_BADGE: tuple[str, Words] = ("connecting", _("waiting"))
_STOPPED_BY: Mapping[str, Kind] = {
    errors.ApprovalNeeded.__name__: Kind.REFUSED,
    errors.SignInCancelled.__name__: Kind.CANCELLED,
    errors.PermissionMissing.__name__: Kind.PARTLY,
}
_REQUESTED = ("APPROVAL-2", "AADSTS90095")


@dataclass(frozen=True)
class Waiting:
    """``missing``: permissions that Sally asks for and, as far as is known, nobody approved.

    ``known``: a colleague's calendar is connected, so Sally was approved there before; ``missing`` is then by that.
    ``has_link``: there is a link for IT that need not be made anew.
    """

    kind: Kind
    provider: SignInProvider
    request: ApprovalRequest | None
    sign_in: SignIn | None
    missing: Sequence[str] = ()
    known: bool = False
    has_link: bool = False

    @property
    def title(self) -> Words:
        return TITLES[self.kind]

    @property
    def text(self) -> Words:
        return _STILL_MISSING if self.kind is Kind.STILL and self.missing else TEXTS[self.kind]

    @property
    def badge(self) -> tuple[str, Words]:
        """Its colour, by the state of a connection that has the same, and its words."""
        return _BADGES.get(self.kind, _BADGE)

    @property
    def ready(self) -> bool:
        return self.kind in _READY

    @property
    def code(self) -> str:
        """Of the refusal that the words are about, for support; "" where they are about something else."""
        told = self.kind is Kind.STILL or self.request is None
        return self.sign_in.outcome if self.sign_in and told else ""

    @property
    def appearance(self) -> str:
        """Changes when what the page shows of it changes."""
        when = (self.request and self.request.asked_at, self.request and self.request.answered_at)
        reason = self.request and self.request.reason
        shown = (self.kind, when, reason, self.sign_in and self.sign_in.pk, tuple(self.missing), self.known)
        return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def of(user: User, now: datetime) -> Waiting | None:
    """What this person waits for, if anything."""
    sign_in = SignIn.objects.stopped(user)
    request = ApprovalRequest.objects.filter(user=user).exclude(state=ApprovalRequest.State.CONNECTED).first()
    if request is None and sign_in is None:
        return None
    kind = _of_request(request, sign_in, now) if request else _of_sign_in(sign_in)
    provider = BY_SIGN_IN[request.provider if request else sign_in.provider]  # type: ignore[union-attr]  # one is there
    reported = request.missing if request else []
    # Of a colleague only where nobody has said it of this request.
    granted = None if kind in _READY or reported else _granted_to_colleagues(user, provider.key, request)
    missing = reported or ([] if granted is None else permissions.unapproved(provider.scopes, granted))
    return Waiting(
        kind,
        provider,
        request,
        sign_in,
        missing=missing,
        known=granted is not None and (kind in _ASKS or bool(missing)),
        has_link=request is not None and request.is_good(now),
    )


def _of_request(request: ApprovalRequest, sign_in: SignIn | None, now: datetime) -> Kind:
    State = ApprovalRequest.State
    if request.state == State.DECLINED:
        return Kind.DECLINED
    if request.state == State.WAITING:
        return Kind.ASKED if request.is_good(now) else Kind.EXPIRED
    # Microsoft's pages often send nothing back: one that is not open any more was stopped as well.
    if sign_in and request.answered_at and sign_in.created_at > request.answered_at and not sign_in.is_open:
        return Kind.STILL
    if request.state == State.APPROVED:
        return Kind.APPROVED
    return Kind.IN_PART if request.missing else Kind.REPORTED


def _of_sign_in(sign_in: SignIn | None) -> Kind:
    if sign_in is None or sign_in.used_at is None:
        return Kind.SILENT
    return Kind.REQUESTED if sign_in.outcome in _REQUESTED else _STOPPED_BY[sign_in.outcome_kind]


def _granted_to_colleagues(user: User, key: str, request: ApprovalRequest | None) -> list[str] | None:
    """What the latest calendar of the same domain and organization was granted; None where nobody has one."""
    if user.organization_id is None:
        return None
    domain = request.domain if request else domain_of(user.email)
    theirs = CalendarConnection.objects.filter(owner__organization=user.organization_id, provider=key)
    latest = theirs.exclude(owner=user).filter(account_email__iendswith=f"@{domain}").order_by("-created_at")
    return latest.values_list("granted_scopes", flat=True).first()
