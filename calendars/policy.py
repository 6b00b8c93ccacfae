"""What is decided about a meeting, each time with its reason: whether it is kept, and whether Sally joins it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from calendars.links import MeetingLink
from calendars.people import Circle, Invited, canonical, is_listed
from integrations.events import RemoteEvent, Response, ShowAs


class LeftOut(enum.StrEnum):
    PRIVATE = "private"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class SyncOptions:
    private: bool
    only_online: bool


def left_out(event: RemoteEvent, link: MeetingLink | None, options: SyncOptions) -> LeftOut | None:
    """Why the options exclude an event, or None when it is kept. Private comes first: it leaves least behind."""
    if event.private and not options.private:
        return LeftOut.PRIVATE
    if options.only_online and link is None:
        return LeftOut.OFFLINE
    return None


class Rule(enum.StrEnum):
    ALL = "all"
    INTERNAL = "internal"
    ORGANIZATION = "organization"
    EXTERNAL = "external"
    HOST = "host"
    NEVER = "never"


class Choice(enum.StrEnum):
    """What a person wants for one meeting or a series, whatever the rule says."""

    JOIN = "join"
    SKIP = "skip"
    FOLLOW = "follow"


class Reason(enum.StrEnum):
    """Why Sally joins or does not; in the order of deciding."""

    UNCONFIRMED = "unconfirmed"
    CANCELLED = "cancelled"
    OVER = "over"
    NO_TIMES = "no_times"
    NO_LINK = "no_link"
    SERVICE = "service"
    ASKED = "asked"
    REFUSED = "refused"
    DECLINED = "declined"
    PRIVATE = "private"
    BEGUN = "begun"
    NEVER = "never"
    NOT_HOST = "not_host"
    NOT_LISTED = "not_listed"
    NOT_A_USER = "not_a_user"
    NO_OUTSIDER = "no_outsider"
    HIDDEN = "hidden"
    NOT_ACCEPTED = "not_accepted"
    CONFIDENTIAL = "confidential"
    FREE = "free"
    ALL_DAY = "all_day"
    ALL = "all"
    INTERNAL = "internal"
    ORGANIZATION = "organization"
    EXTERNAL = "external"
    HOST = "host"


class Check(enum.StrEnum):
    """The questions that are asked about a meeting, in their order."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    OVER = "over"
    TIMES = "times"
    LINK = "link"
    OVERRIDE = "override"
    ANSWER = "answer"
    PRIVATE = "private"
    BEGUN = "begun"
    RULE = "rule"
    ACCEPTED = "accepted"
    CONFIDENTIAL = "confidential"
    FREE = "free"
    ALL_DAY = "all_day"


_JOINING = frozenset({Reason.ASKED, Reason.ALL, Reason.INTERNAL, Reason.ORGANIZATION, Reason.EXTERNAL, Reason.HOST})
_ENDS_AT = {
    Reason.UNCONFIRMED: Check.CONFIRMED,
    Reason.CANCELLED: Check.CANCELLED,
    Reason.OVER: Check.OVER,
    Reason.NO_TIMES: Check.TIMES,
    Reason.NO_LINK: Check.LINK,
    Reason.SERVICE: Check.LINK,
    Reason.ASKED: Check.OVERRIDE,
    Reason.REFUSED: Check.OVERRIDE,
    Reason.DECLINED: Check.ANSWER,
    Reason.PRIVATE: Check.PRIVATE,
    Reason.BEGUN: Check.BEGUN,
    Reason.NEVER: Check.RULE,
    Reason.NOT_HOST: Check.RULE,
    Reason.NOT_LISTED: Check.RULE,
    Reason.NOT_A_USER: Check.RULE,
    Reason.NO_OUTSIDER: Check.RULE,
    Reason.HIDDEN: Check.RULE,
    Reason.NOT_ACCEPTED: Check.ACCEPTED,
    Reason.CONFIDENTIAL: Check.CONFIDENTIAL,
    Reason.FREE: Check.FREE,
}  # the others need all of them
_ANSWERED_YES = frozenset({Response.ACCEPTED, Response.ORGANIZER})
_NO_PERSON = frozenset({"resource", "list"})

_MINUTE = timedelta(minutes=1)

_Found = tuple[Reason, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What counts for one person: their own settings or their organization's.

    ``lead``: minutes from a meeting's start, -10 to 10, negative before it. ``confirmed_at``: aware; what had begun by
    then is left out.
    """

    rule: Rule
    only_accepted: bool = False
    skip_confidential: bool = True
    skip_free: bool = True
    skip_all_day: bool = True
    lead: int = -1
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class Override:
    """None: nothing was said about it."""

    choice: Choice | None = None
    lead: int | None = None


@dataclass(frozen=True, slots=True)
class Overrides:
    """What was said about ``this`` meeting goes before what was said about its ``series``."""

    this: Override = Override()
    series: Override = Override()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All of a meeting that a decision looks at.

    ``start`` and ``end`` are aware; those of an all-day meeting are the midnights in its owner's zone. ``response`` and
    ``show_as`` are values of ``integrations.events``. ``attendees_hidden``: the calendar does not show who else is
    invited.
    """

    start: datetime | None
    end: datetime | None
    all_day: bool
    cancelled: bool
    private: bool
    confidential: bool
    response: str
    show_as: str
    is_organizer: bool
    organizer: Invited
    attendees: tuple[Invited, ...]
    attendees_hidden: bool
    join_url: str
    service: str


@dataclass(frozen=True, slots=True)
class Decision:
    """``about``: whom or what the reason is about. ``join_at`` is set exactly when Sally joins."""

    joins: bool
    reason: Reason
    about: str = ""
    join_at: datetime | None = None


def decide(
    facts: Facts,
    terms: Terms | None,
    circle: Circle,
    overrides: Overrides,
    joinable: frozenset[str],
    now: datetime | None,
) -> Decision:
    """Whether Sally joins, when and why. Never raises, whatever the calendar holds.

    ``terms`` are None until a rule was confirmed. ``joinable``: keys of services. Without ``now`` (aware) nothing is
    over: what is stored must not depend on the clock.
    """
    if terms is None:
        return Decision(False, Reason.UNCONFIRMED)
    reason, about = (
        _missing(facts, joinable, now) or _said(overrides) or _out_of_rule(facts, terms) or _ruled(facts, terms, circle)
    )
    if reason not in _JOINING or facts.start is None or facts.end is None:
        return Decision(False, reason, about)
    return Decision(True, reason, about, _join_at(facts.start, facts.end, _lead(overrides, terms)))


def checks(decision: Decision) -> tuple[Check, ...]:
    """The checks that were made; the last is the one that decided."""
    made = tuple(Check)
    return made[: made.index(_ENDS_AT.get(decision.reason, Check.ALL_DAY)) + 1]


def _missing(facts: Facts, joinable: frozenset[str], now: datetime | None) -> _Found | None:
    """The prerequisite that a meeting lacks; not even an override makes up for it."""
    if facts.cancelled:
        return Reason.CANCELLED, ""
    if now is not None and facts.end is not None and facts.end <= now:
        return Reason.OVER, ""
    if facts.start is None or facts.end is None or facts.end < facts.start:
        return Reason.NO_TIMES, ""
    if not facts.join_url:
        return Reason.NO_LINK, ""
    if facts.service not in joinable:
        return Reason.SERVICE, facts.service
    return None


def _said(overrides: Overrides) -> _Found | None:
    choice = overrides.this.choice or overrides.series.choice
    if not choice or choice == Choice.FOLLOW:
        return None
    return Reason.ASKED if choice == Choice.JOIN else Reason.REFUSED, "" if overrides.this.choice else "series"


def _out_of_rule(facts: Facts, terms: Terms) -> _Found | None:
    """What no rule changes."""
    if facts.response == Response.DECLINED:
        return Reason.DECLINED, ""
    if facts.private:
        return Reason.PRIVATE, ""
    if facts.start is not None and facts.start < terms.confirmed_at:
        return Reason.BEGUN, ""
    return None


def _ruled(facts: Facts, terms: Terms, circle: Circle) -> _Found:
    found = _by_rule(facts, terms.rule, circle)
    off = _switched_off(facts, terms) if found[0] in _JOINING else None
    return (off, "") if off else found


def _by_rule(facts: Facts, rule: Rule, circle: Circle) -> _Found:
    if rule not in _BY_PEOPLE:
        return _by_itself(facts, rule), ""
    is_sought, found, nobody = _BY_PEOPLE[rule]
    for one in _people(facts, circle):
        if is_sought(one, circle):
            return found, one.address or one.name
    # The organizer sees everybody, whoever else does not.
    return Reason.HIDDEN if facts.attendees_hidden and not facts.is_organizer else nobody, ""


def _by_itself(facts: Facts, rule: Rule) -> Reason:
    if rule == Rule.ALL:
        return Reason.ALL
    if rule == Rule.HOST:
        return Reason.HOST if facts.is_organizer else Reason.NOT_HOST
    return Reason.NEVER


def _people(facts: Facts, circle: Circle) -> Iterator[Invited]:
    """Who takes part beside the owner: the organizer, then the attendees; no rooms, no public lists."""
    organizer = facts.organizer
    alias = canonical(organizer.address) if facts.is_organizer else ""
    has_other = not facts.is_organizer and (organizer.name or organizer.address)  # an appointment may have no organizer
    for one in (organizer, *facts.attendees) if has_other else facts.attendees:
        address = canonical(one.address)
        is_owner = address and (address == alias or address in circle.own)
        if not is_owner and one.kind not in _NO_PERSON:
            yield one


def _is_unlisted(one: Invited, circle: Circle) -> bool:
    return not is_listed(one.address, circle.domains)


def _is_no_user(one: Invited, circle: Circle) -> bool:
    address = canonical(one.address)
    return not address or address not in circle.users


def _is_outsider(one: Invited, circle: Circle) -> bool:
    return _is_no_user(one, circle) and _is_unlisted(one, circle)


# Whom a rule looks for; the reason where there is one, and where there is nobody.
_BY_PEOPLE: dict[Rule, tuple[Callable[[Invited, Circle], bool], Reason, Reason]] = {
    Rule.INTERNAL: (_is_unlisted, Reason.NOT_LISTED, Reason.INTERNAL),
    Rule.ORGANIZATION: (_is_no_user, Reason.NOT_A_USER, Reason.ORGANIZATION),
    Rule.EXTERNAL: (_is_outsider, Reason.EXTERNAL, Reason.NO_OUTSIDER),
}


def _switched_off(facts: Facts, terms: Terms) -> Reason | None:
    if terms.only_accepted and not facts.is_organizer and facts.response not in _ANSWERED_YES:
        return Reason.NOT_ACCEPTED
    if terms.skip_confidential and facts.confidential:
        return Reason.CONFIDENTIAL
    if terms.skip_free and facts.show_as == ShowAs.FREE:
        return Reason.FREE
    if terms.skip_all_day and facts.all_day:
        return Reason.ALL_DAY
    return None


def _lead(overrides: Overrides, terms: Terms) -> int:
    for said in (overrides.this.lead, overrides.series.lead):
        if said is not None:
            return said
    return terms.lead


def _join_at(start: datetime, end: datetime, lead: int) -> datetime:
    """Who would come late to a meeting that is over by then comes at its start."""
    try:
        join_at = start + lead * _MINUTE
    except OverflowError:  # within minutes of the first or last moment that there is
        return start
    return join_at if join_at < end else start
