"""Says in words whether Sally joins a meeting, why, and who sends her.

Of a colleague's meeting it tells who has it and why that one sends her; nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db.models import Case, F, Q, When
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from calendars.models import Meeting, MeetingQuerySet, Rule
from calendars.planning import COVERED
from calendars.policy import Choice, Reason
from calendars.services import NAMES
from sally.models import User

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_RULE_SAYS = gettext_lazy("your rule: %(rule)s")
# Why Sally joins or does not, after the headline. ``%(about)s``: the decision's; ``%(organization)s``: the owner's.
SENTENCES: Mapping[Reason, StrOrPromise] = {
    Reason.UNCONFIRMED: gettext_lazy("you have not confirmed a rule yet"),
    Reason.CANCELLED: gettext_lazy("cancelled"),
    Reason.OVER: gettext_lazy("it is over"),
    Reason.NO_TIMES: gettext_lazy("it ends before it begins"),
    Reason.NO_LINK: gettext_lazy("no link"),
    Reason.SERVICE: gettext_lazy("no link that Sally can use (%(about)s)"),
    Reason.ASKED: gettext_lazy("you said so"),
    Reason.REFUSED: gettext_lazy("you said so"),
    Reason.DECLINED: gettext_lazy("you declined"),
    Reason.PRIVATE: gettext_lazy("private"),
    Reason.BEGUN: gettext_lazy("it had begun when you confirmed"),
    Reason.NEVER: gettext_lazy("your rule is: %(rule)s"),
    Reason.NOT_HOST: gettext_lazy("you are not the host"),
    Reason.NOT_LISTED: gettext_lazy("external: %(about)s is not on the whitelist"),
    Reason.NOT_A_USER: gettext_lazy("%(about)s is not a user of %(organization)s"),
    Reason.NO_OUTSIDER: gettext_lazy("nobody external takes part"),
    Reason.HIDDEN: gettext_lazy("the attendees are hidden"),
    Reason.NOT_ACCEPTED: gettext_lazy("you have not accepted"),
    Reason.CONFIDENTIAL: gettext_lazy("confidential"),
    Reason.FREE: gettext_lazy("shown as free"),
    Reason.ALL_DAY: gettext_lazy("all day"),
    Reason.ALL: _RULE_SAYS,
    Reason.INTERNAL: gettext_lazy("everybody is internal"),
    Reason.ORGANIZATION: gettext_lazy("everybody is a user of %(organization)s"),
    Reason.EXTERNAL: gettext_lazy("external: %(about)s"),
    Reason.HOST: gettext_lazy("you are the host"),
}
_FOR_THE_SERIES = gettext_lazy("you said so for the whole series")
_RULES = {Reason.ALL: Rule.ALL, Reason.NEVER: Rule.NEVER}
# What Sally lacks there, whatever anybody says.
LACKING = frozenset({Reason.CANCELLED, Reason.OVER, Reason.NO_TIMES, Reason.NO_LINK, Reason.SERVICE})


def sentence(reason: Reason, about: str, *, organization: str, host: str) -> str:
    """``organization``: the name of the owner's, "" without one; ``host``: where the meeting's link leads."""
    if reason in (Reason.ASKED, Reason.REFUSED) and about:
        return str(_FOR_THE_SERIES)
    if reason is Reason.SERVICE:
        about = NAMES.get(about, "") or host
    return str(SENTENCES[reason]) % {
        "about": about or _("somebody without an address"),
        "organization": organization or _("your organization"),
        "rule": Rule(_RULES[reason]).label if reason in _RULES else "",
    }


@dataclass(frozen=True)
class Verdict:
    """``other``: what one may say against it in one click, a ``Choice``; empty where that would change nothing."""

    joins: bool
    headline: str
    sentence: str
    other: str = ""


def verdict_on(meeting: Meeting, *, now: datetime, zone: ZoneInfo, organization: str) -> Verdict | None:
    """What was planned for a meeting read ``with_senders``, to its owner in ``zone``; None if nothing was.

    ``organization``: the name of the owner's.
    """
    if not meeting.decision:
        return None
    begin, end = meeting.span(zone)
    when = _Moment(begin, now, zone, over=end <= now and begin < now)
    if meeting.decision == COVERED:
        sender = Sender.of(meeting)
        return Verdict(True, when.joins_at(sender.join_at), sender.words)
    why = _why(meeting, organization)
    if meeting.join_at:
        return Verdict(True, when.joins_at(meeting.join_at), why, Choice.SKIP)
    return Verdict(False, when.does_not_join, why, "" if meeting.decision in LACKING else Choice.JOIN)


def why_in_words(meeting: Meeting) -> str:
    """The decision that is stored, without who sends her; empty where there is none."""
    if meeting.decision == COVERED:
        return _("another meeting sends her into the same room")
    organization = meeting.connection.owner.organization
    return meeting.decision and _why(meeting, organization.name if organization else "")


def _why(meeting: Meeting, organization: str) -> str:
    reason = Reason(meeting.decision)
    return sentence(reason, meeting.decision_about, organization=organization, host=meeting.join_host)


def joined_at(meeting: Meeting) -> list[datetime]:
    """When Sally joins, by a meeting that was read ``with_senders`` or by the one that sends her; or never."""
    return [at for at in (meeting.join_at, vars(meeting)["sent_at"]) if at]


@dataclass(frozen=True)
class _Moment:
    """When something is said of a meeting that begins at ``begin``."""

    begin: datetime
    now: datetime
    zone: ZoneInfo
    over: bool

    def joins_at(self, join_at: datetime | None) -> str:
        if join_at is None:
            return _("Sally joins")
        if join_at <= self.now and not self.over:
            return _("Sally joins now")
        at = join_at.astimezone(self.zone)
        words = {"time": date_format(at, "TIME_FORMAT")}
        same_day = at.date() == self.begin.astimezone(self.zone).date()
        if not same_day:
            words["day"] = date_format(at, "DATE_FORMAT")
        if self.over:
            text = _("Sally was to join at %(time)s") if same_day else _("Sally was to join on %(day)s at %(time)s")
        else:
            text = _("Sally joins at %(time)s") if same_day else _("Sally joins on %(day)s at %(time)s")
        return text % words

    @property
    def does_not_join(self) -> str:
        return _("Sally was not to join") if self.over else _("Sally does not join")


# -- who sends her ---------------------------------------------------------------------------------------------------

_IS_OWN = Q(sender__connection__owner=F("connection__owner"))
_IS_COLLEAGUES = Q(sender__connection__owner__organization=F("connection__owner__organization"))


def with_senders(meetings: MeetingQuerySet) -> MeetingQuerySet:
    """With what may be told of the meetings that send Sally into their rooms, for ``verdict_on``."""
    told = {
        "sent_by_organizer": "sender__is_organizer",
        "sent_because": "sender__decision",
        "sent_by_name": "sender__connection__owner__name",
        "sent_by_email": "sender__connection__owner__email",
    }
    # That a colleague has a private appointment is theirs alone, also where they asked for her.
    may_be_told = _IS_OWN | (_IS_COLLEAGUES & Q(sender__private=False))
    columns = {name: Case(When(may_be_told, then=path)) for name, path in told.items()}
    return meetings.annotate(
        sent_at=Case(When(_IS_OWN | _IS_COLLEAGUES, then="sender__join_at")),
        sent_subject=Case(When(_IS_OWN, then="sender__subject")),
        **columns,
    )


@dataclass(frozen=True)
class Sender:
    """Who sends Sally into a room. ``subject``: of one's own other meeting; None of a colleague's."""

    name: str
    join_at: datetime | None
    organizes: bool = False
    asked: bool = False
    subject: str | None = None

    @classmethod
    def of(cls, meeting: Meeting) -> Sender:
        """Of a meeting that was read ``with_senders``. One that is gone has no name."""
        told = vars(meeting)
        person = User(name=told["sent_by_name"] or "", email=told["sent_by_email"] or "")
        return cls(
            name=person.get_short_name(),
            join_at=told["sent_at"],
            organizes=bool(told["sent_by_organizer"]),
            asked=told["sent_because"] == Reason.ASKED,
            subject=told["sent_subject"],
        )

    @property
    def words(self) -> str:
        if self.subject is not None:
            return _("with your other meeting “%(subject)s”") % {"subject": self.subject or _("(no subject)")}
        if not self.name:
            return _("somebody else of your organization sends her")
        if self.organizes:
            text = _("sent by %(name)s, who organizes the meeting")
        elif self.asked:
            text = _("sent by %(name)s, who asked for her")
        else:
            text = _("sent by %(name)s, who has her first")
        return text % {"name": self.name}


def all_the_same(other: Meeting, owner: User) -> str:
    """Of a meeting that Sally joins not for ``owner``: that the ``other`` one sends her into the same room."""
    person = other.connection.owner
    if person == owner:
        subject = other.subject or _("(no subject)")
        return _("She comes all the same, with your other meeting “%(subject)s”.") % {"subject": subject}
    if other.private:
        return _("Somebody else of your organization sends her all the same.")
    return _("%(name)s sends her all the same.") % {"name": person.get_short_name()}
