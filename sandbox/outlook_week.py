"""What the Outlook page shows: the days of a week and a single meeting, in words, from what Graph would answer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.mailbox import EXCEPTION, MASTER, OCCURRENCE, Item, OpenMailbox
from sandbox.people import MAILBOX_ZONE
from sandbox.resource import Wishes, Writer

_ZONE = ZoneInfo(MAILBOX_ZONE)
_WISHES = Wishes(zone=_ZONE, zone_name=MAILBOX_ZONE, text_body=True)
_FIRST, _LAST = date(2000, 1, 3), date(2099, 12, 28)
_ANSWERS = {
    "accepted": "accepted",
    "tentativelyAccepted": "tentative",
    "declined": "declined",
    "notResponded": "not answered",
}
_SENSITIVITY = {"private": "private", "personal": "personal", "confidential": "confidential"}
SCOPES = {OCCURRENCE: "occurrence", EXCEPTION: "occurrence", MASTER: "series"}


@dataclass(frozen=True)
class Row:
    id: str
    subject: str
    when: str
    location: str
    marks: tuple[str, ...]
    cancelled: bool


@dataclass(frozen=True)
class Day:
    name: str
    today: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Week:
    """``earlier`` and ``later`` are the labels of the weeks around it, empty at the ends of time."""

    monday: date
    title: str
    days: tuple[Day, ...]
    earlier: str
    later: str

    @property
    def label(self) -> str:
        return label_of(self.monday)


@dataclass(frozen=True)
class Meeting:
    """One meeting's page. ``scope`` is meeting, occurrence or series: what its buttons change."""

    id: str
    scope: str
    series_id: str
    subject: str
    when: str
    organizer: str
    organizes: bool
    attendees: tuple[str, ...]
    addresses: frozenset[str]
    marks: tuple[str, ...]
    links: str
    body: str
    private: bool
    cancelled: bool
    invited: bool


def label_of(day: date) -> str:
    """The ISO week of a day: 2026-W48."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def monday_of(label: str) -> date | None:
    """The Monday of a week's label, or None for a text that names no week of this century."""
    found = re.fullmatch(r"(\d{4})-W(\d{2})", label, re.ASCII)
    if found is None:
        return None
    try:
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError:
        return None
    return monday if _FIRST <= monday <= _LAST else None


def spoken(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B}"


def days_of(item: Item) -> tuple[date, date]:
    """The first and the last day that it touches, in the mailbox's zone; all-day events have their dates anywhere."""
    zone = UTC if item.timing.all_day else _ZONE
    last_moment = max(item.start_at, item.end_at - timedelta(microseconds=1))
    return item.start_at.astimezone(zone).date(), last_moment.astimezone(zone).date()


def _when(item: Item, shown: date) -> str:
    first, last = days_of(item)
    if item.timing.all_day:
        return "All day" if first == last == shown else f"All day, {spoken(first)} to {spoken(last)}"
    start, end = item.start_at.astimezone(_ZONE), item.end_at.astimezone(_ZONE)
    before = "" if first == shown else f"{spoken(first)} "
    after = "" if end.date() == start.date() else f"{spoken(end.date())} "
    return f"{before}{start:%H:%M} – {after}{end:%H:%M}"


def _places_of_links(resource: dict[str, Any]) -> list[str]:
    found = ["in a field of its own"] if resource["onlineMeeting"] else []
    if "://" in resource["location"]["displayName"]:
        found.append("in the location")
    if "://" in resource["body"]["content"]:
        found.append("in the body")
    return found


def _marks(resource: dict[str, Any]) -> Iterator[str]:
    if resource["isCancelled"]:
        yield "cancelled"
    if resource["sensitivity"] in _SENSITIVITY:
        yield _SENSITIVITY[resource["sensitivity"]]
    if resource["type"] in (OCCURRENCE, EXCEPTION):
        yield "repeats" if resource["type"] == OCCURRENCE else "repeats, changed"
    if _places_of_links(resource):
        yield "link"
    if resource["responseStatus"]["response"] in _ANSWERS:
        yield _ANSWERS[resource["responseStatus"]["response"]]


def _row(item: Item, writer: Writer, shown: date) -> Row:
    resource = writer.write(item)
    subject = resource["subject"] or "(no subject)"
    location = resource["location"]["displayName"]
    marks = tuple(_marks(resource))
    return Row(resource["id"], subject, _when(item, shown), location, marks, resource["isCancelled"])


def week_of(mailbox: OpenMailbox, monday: date, today: date) -> Week:
    """The week from this Monday; what takes several days stands under the first of them that is in it."""
    writer = Writer(mailbox, _WISHES)
    days = [monday + timedelta(days=number) for number in range(7)]
    # A day more at each end: all-day events lie in UTC, which is not where the days of this page are.
    start = datetime.combine(monday - timedelta(days=1), time.min, UTC)
    rows: dict[date, list[Row]] = {day: [] for day in days}
    for item in mailbox.between(start, start + timedelta(days=9)):
        first, last = days_of(item)
        if first <= days[-1] and last >= monday:
            shown = max(first, monday)
            rows[shown].append(_row(item, writer, shown))
    earlier, later = monday - timedelta(days=7), monday + timedelta(days=7)
    return Week(
        monday=monday,
        title=f"{spoken(monday)} to {spoken(days[-1])} {days[-1].year}",
        days=tuple(Day(spoken(day), day == today, tuple(rows[day])) for day in days),
        earlier=label_of(earlier) if earlier >= _FIRST else "",
        later=label_of(later) if later <= _LAST else "",
    )


def _person(resource: dict[str, Any]) -> str:
    address: dict[str, str] = resource["emailAddress"]
    return address["name"] if address["name"] == address["address"] else f"{address['name']} <{address['address']}>"


def _attendee(resource: dict[str, Any]) -> str:
    answer = _ANSWERS.get(resource["status"]["response"], "")
    return f"{_person(resource)}: {answer}" if answer else _person(resource)


def meeting_of(mailbox: OpenMailbox, item: Item) -> Meeting:
    resource = Writer(mailbox, _WISHES).write(item)
    first, _ = days_of(item)
    beginning = "First on " if item.kind == MASTER else ""
    return Meeting(
        id=resource["id"],
        scope=SCOPES.get(item.kind, "meeting"),
        series_id=resource["seriesMasterId"] or "",
        subject=resource["subject"] or "(no subject)",
        when=f"{beginning}{spoken(first)} {first.year}, {_when(item, first)}",
        organizer=_person(resource["organizer"]),
        organizes=resource["isOrganizer"],
        attendees=tuple(_attendee(attendee) for attendee in resource["attendees"]),
        addresses=frozenset(attendee["emailAddress"]["address"].lower() for attendee in resource["attendees"]),
        marks=tuple(_marks(resource)),
        links=", ".join(_places_of_links(resource)),
        body=resource["body"]["content"],
        private=resource["sensitivity"] in ("private", "personal"),
        cancelled=resource["isCancelled"],
        invited=not resource["isOrganizer"] and resource["responseStatus"]["response"] in _ANSWERS,
    )
