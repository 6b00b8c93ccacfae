"""What Sally should plan, found out the slow way: from what people see and set, with nothing of what she computes with.

It is written from the issue and not from the code: no module of the policy is imported here, every sentence that could
decide is worked out for every meeting, and one Sally per room is found by comparing each meeting with each other.
It knows only what a simulation can hold: addresses in ASCII with one foreign domain, and rooms that it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from integrations.events import Kind, RemoteEvent

JOINABLE = ("teams", "meet", "zoom", "webex")
BOOKS = "bücher-kai.example"
# As the registry of domains writes it.
FOREIGN = {BOOKS: "xn--bcher-kai-q9a.example"}


class Link(NamedTuple):
    """A link as somebody put it into an event; ``room`` is where it leads, whatever its spelling."""

    url: str
    service: str
    room: str


@dataclass(kw_only=True)
class Settings:
    """What somebody set for themselves, or an admin for all; an empty rule and no lead are not set."""

    rule: str = ""
    only_accepted: bool = False
    skip_confidential: bool = True
    skip_free: bool = True
    skip_all_day: bool = True
    lead: int | None = None


@dataclass(kw_only=True)
class House:
    """An organization: its whitelist, and what its admins set."""

    name: str
    domains: list[str]
    settings: Settings = field(default_factory=Settings)
    locked: bool = False


@dataclass(kw_only=True)
class Member:
    """Somebody who uses Sally, with every address by which a calendar may know them; first what they sign in with."""

    pk: int
    house: House | None
    addresses: list[str]
    zone: str
    active: bool = True
    settings: Settings = field(default_factory=Settings)
    confirmed_at: datetime | None = None


@dataclass(kw_only=True)
class Wish:
    """What somebody said of one meeting, or of its whole series."""

    choice: str = ""
    lead: int | None = None


# By the member's number, the UID, and the place in the series; None is the whole series.
Wishes = dict[tuple[int, str, datetime | str | None], Wish]
SERIES = "series"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A meeting of ``member`` as their calendar showed it when it was last read; ``pk`` is its row's number."""

    pk: int
    member: Member
    event: RemoteEvent
    link: Link | None

    def times(self) -> tuple[datetime, datetime]:
        first, last = self.event.start_date, self.event.end_date
        if first and last:
            zone = ZoneInfo(self.member.zone)
            return datetime.combine(first, time(0), zone), datetime.combine(last, time(0), zone)
        return self.event.start, self.event.end


class Plan(NamedTuple):
    decision: str
    about: str = ""
    join_at: datetime | None = None
    sender: int | None = None


def same_person(one: str, other: str) -> bool:
    return bool(_plain(one)) and _plain(one) == _plain(other)


def _plain(address: str) -> str:
    """An address without what does not count in it; "" for what no mail reaches."""
    if address.count("@") != 1 or address.startswith("/"):
        return ""
    name, domain = address.lower().split("@")
    name = name.split("+")[0]
    return f"{name}@{FOREIGN.get(domain, domain)}" if name else ""


def _is_below(address: str, domains: Sequence[str]) -> bool:
    host = _plain(address).rpartition("@")[2]
    for one in domains:
        wanted = one.strip().lower().removeprefix("@")
        wanted = FOREIGN.get(wanted, wanted)
        if host and f".{host}".endswith(f".{wanted}"):
            return True
    return False


def _vouched_for(who: Member, domains: Sequence[str]) -> list[str]:
    """By which others take them for a user: of a calendar's address nobody knows whose it really is."""
    return who.addresses[:1] + [one for one in who.addresses[1:] if _is_below(one, domains)]


@dataclass(frozen=True)
class _Company:
    """Those whom a meeting brings together with its owner, as written, by what they are to them."""

    strangers: list[str]  # neither of a listed domain nor a user
    unlisted: list[str]
    no_users: list[str]


class Oracle:
    """Works out the plan of all meetings that Sally knows of."""

    def __init__(self, members: Sequence[Member], wishes: Wishes) -> None:
        self.members, self.wishes = members, wishes

    def plans(self, meetings: Sequence[Seen]) -> dict[int, Plan]:
        """By the number of their rows. Of a room that was left not long ago, the past ones are needed too."""
        alone = {one.pk: self._alone(one) for one in meetings}
        return alone | self._together([one for one in meetings if alone[one.pk].join_at], alone)

    # -- one meeting ---------------------------------------------------------------------------------------------

    def _alone(self, one: Seen) -> Plan:
        """As if there were no other."""
        member, event = one.member, one.event
        settings = self._settings(member)
        start, end = one.times()
        choice, of_series, lead = self._wished(one)
        who = self._company(one)
        hidden = event.attendees_hidden and not event.is_organizer
        service = one.link.service if one.link else ""
        answered_yes = event.is_organizer or event.response.value in ("accepted", "organizer")

        def first(addresses: Sequence[str]) -> str:
            return addresses[0] if addresses else ""

        rule_says: dict[str, list[tuple[bool, str, str]]] = {
            "": [],
            "all": [],
            "never": [(True, "never", "")],
            "host": [(not event.is_organizer, "not_host", "")],
            "internal": [(bool(who.unlisted), "not_listed", first(who.unlisted)), (hidden, "hidden", "")],
            "organization": [(bool(who.no_users), "not_a_user", first(who.no_users)), (hidden, "hidden", "")],
            "external": [
                (hidden and not who.strangers, "hidden", ""),
                (not who.strangers, "no_outsider", ""),
            ],
        }
        sentences: list[tuple[bool, str, str]] = [
            (settings is None, "", ""),  # nothing was ever decided
            (event.cancelled, "cancelled", ""),
            (end < start, "no_times", ""),
            (one.link is None, "no_link", ""),
            (service not in JOINABLE, "service", service),
            (choice == "join", "asked", "series" if of_series else ""),
            (choice == "skip", "refused", "series" if of_series else ""),
            (event.response.value == "declined", "declined", ""),
            (event.private, "private", ""),
            (member.confirmed_at is not None and start < member.confirmed_at, "begun", ""),
            *rule_says[settings.rule if settings else ""],
            (bool(settings and settings.only_accepted) and not answered_yes, "not_accepted", ""),
            (bool(settings and settings.skip_confidential) and event.confidential, "confidential", ""),
            (bool(settings and settings.skip_free) and event.show_as.value == "free", "free", ""),
            (bool(settings and settings.skip_all_day) and event.start_date is not None, "all_day", ""),
        ]
        said = [(reason, about) for holds, reason, about in sentences if holds]
        if settings is None or (said and said[0][0] != "asked"):
            return Plan(*said[0])
        by_rule = settings.rule, first(who.strangers) if settings.rule == "external" else ""
        reason, about = said[0] if said else by_rule
        minutes = lead if lead is not None else settings.lead
        assert minutes is not None
        wanted = start + timedelta(minutes=minutes)
        return Plan(reason, about, wanted if wanted < end else start)

    def _settings(self, member: Member) -> Settings | None:
        """What counts for somebody; None while they have confirmed nothing, or may not use Sally any more."""
        if member.confirmed_at is None or not member.active:
            return None
        own, theirs = member.settings, member.house.settings if member.house else Settings()
        is_locked = bool(member.house and member.house.locked and theirs.rule)
        counts = theirs if is_locked or not own.rule else own
        leads = [theirs.lead, own.lead] if is_locked else [own.lead, theirs.lead]
        lead = next((one for one in leads if one is not None), -1)
        return replace(counts, lead=lead) if counts.rule else None

    def _wished(self, one: Seen) -> tuple[str, bool, int | None]:
        """The choice that counts ("" is none, or to follow the rule), whether it is the series', and the lead."""
        own = self.wishes.get((one.member.pk, one.event.ical_uid, one.event.original_start), Wish())
        series = self.wishes.get((one.member.pk, one.event.ical_uid, SERIES), Wish())
        if one.event.kind is Kind.SINGLE:
            series = Wish()
        lead = own.lead if own.lead is not None else series.lead
        choice = own.choice or series.choice
        return "" if choice == "follow" else choice, not own.choice, lead

    def _company(self, one: Seen) -> _Company:
        member, event = one.member, one.event
        people = [] if event.is_organizer else [(event.organizer.name, event.organizer.address)]
        people += [(who.name, who.address) for who in event.attendees if who.kind not in ("resource", "list")]
        own = member.addresses + ([event.organizer.address] if event.is_organizer else [])
        domains = member.house.domains if member.house else []
        colleagues = [
            who
            for who in self.members
            if who.active and who.house and member.house and who.house.name == member.house.name
        ]
        strangers, unlisted, no_users = [], [], []
        for name, address in people:
            if any(same_person(address, one) for one in own):
                continue
            is_listed = _is_below(address, domains)
            is_user = any(same_person(address, their) for who in colleagues for their in _vouched_for(who, domains))
            told = address or name
            strangers += [] if is_listed or is_user else [told]
            unlisted += [] if is_listed else [told]
            no_users += [] if is_user else [told]
        return _Company(strangers, unlisted, no_users)

    # -- those that meet in one room -----------------------------------------------------------------------------

    def _together(self, joining: Sequence[Seen], alone: dict[int, Plan]) -> dict[int, Plan]:
        """Of those that join: the plans of those for which somebody else's meeting sends Sally."""

        def order(one: Seen) -> tuple[bool, bool, datetime, int, int]:
            plan = alone[one.pk]
            assert plan.join_at
            return not one.event.is_organizer, plan.decision != "asked", plan.join_at, one.member.pk, one.pk

        senders: list[Seen] = []
        covered: dict[int, Plan] = {}
        for one in sorted(joining, key=order):
            first = next((sender for sender in senders if _meet(one, sender)), None)
            if first:
                covered[one.pk] = Plan("covered", "", None, first.pk)
            else:
                senders.append(one)
        return covered


def _meet(one: Seen, other: Seen) -> bool:
    """Whether one Sally serves both: in one room at one time, and nobody learns of another organization's."""
    ours, theirs = one.member, other.member
    together = ours.house.name == theirs.house.name if ours.house and theirs.house else ours.pk == theirs.pk
    if not together or not one.link or not other.link or one.link.room != other.link.room:
        return False
    (start, end), (their_start, their_end) = one.times(), other.times()
    return start == their_start or (start < their_end and their_start < end)
