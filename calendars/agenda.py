"""What one page of the agenda shows: which whole days, what stands under them, and what changed since the last visit.

A page holds whole days, as many as about a hundred meetings take: of today and later, or of the days before one.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from django.db.models import Max, OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest

from calendars.joining import Verdict, joined_at, verdict_on, with_senders
from calendars.models import Change, Meeting, MeetingQuerySet, midnight_of
from calendars.telling import marks_of
from integrations.events import clean
from integrations.models import CalendarConnection

PAGE_SIZE = 100
# Of one day; whoever has more finds the rest by searching.
MOST_OF_A_DAY = 500
LONGEST_SEARCH = 100  # characters
MOST_WORDS = 5


@dataclass(frozen=True)
class Wish:
    """What a person asks to see. ``first`` is the first day of the page; or ``before``, the day after its last."""

    first: date
    before: date | None = None
    search: str = ""
    calendar: uuid.UUID | None = None

    @property
    def words(self) -> list[str]:
        return self.search.split()[:MOST_WORDS]

    @property
    def narrowed(self) -> bool:
        return bool(self.search or self.calendar)


def wish_of(query: Mapping[str, str], connections: Iterable[CalendarConnection], today: date) -> Wish:
    """From the page's address; what makes no sense there counts as not asked for."""
    calendar = next((one.pk for one in connections if str(one.pk) == query.get("calendar")), None)
    search = " ".join(clean(query.get("q"), LONGEST_SEARCH).split())
    return Wish(_day(query.get("from")) or today, _day(query.get("before")), search, calendar)


def _day(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if 1900 < day.year < 2200 else None  # nothing nearer to the ends of time survives a change of zone


@dataclass(frozen=True)
class Entry:
    """A meeting as it stands under one day.

    ``last_day`` is set where it ends on another than it begins; above what ``comes_next`` a line marks now. ``sally``:
    whether she joins, where that was decided and the meeting is not over.
    """

    meeting: Meeting
    day: date
    began_earlier: bool = False
    last_day: date | None = None
    over: bool = False
    running: bool = False
    comes_next: bool = False
    marks: Sequence[str] = ()
    account: str = ""
    sally: Verdict | None = None


@dataclass(frozen=True)
class Day:
    """``all_begun``: the line that marks now stands below all of today's meetings."""

    date: date
    is_today: bool
    entries: list[Entry] = field(default_factory=list)
    all_begun: bool = False


@dataclass(frozen=True)
class Page:
    """``cut``: a day has more meetings than are shown. ``good_until``: so long it is right if nothing changes."""

    days: list[Day]
    earlier: date | None
    later: date | None
    cut: bool
    good_until: datetime

    @property
    def is_empty(self) -> bool:
        return not any(day.entries for day in self.days)


def page_of(
    connections: Sequence[CalendarConnection],
    wish: Wish,
    *,
    now: datetime,
    zone: ZoneInfo,
    since: datetime,
    organization: str = "",
) -> Page:
    """The page of these calendars for a person in ``zone`` of an ``organization`` with this name.

    Marks tell what changed after ``since``. At most five statements, however many meetings there are.
    """
    today = now.astimezone(zone).date()
    found = Meeting.objects.of(connections).matching(wish.words)
    if wish.calendar:
        found = found.filter(connection=wish.calendar)
    first: date | None
    last: date | None
    if wish.before:
        first, last = _first_before(found, wish.before, zone), wish.before - timedelta(days=1)
        rows = found.on_days(first, last, zone)
    else:
        first, last = wish.first, _last_from(found, wish.first, zone)
        rows = found.on_days(first, last, zone, with_earlier=True)
    # Where a page is cut, what is nearest to the day asked for is kept.
    order = ("-start", "-pk") if wish.before else ("start", "pk")
    shown = list(with_senders(rows).order_by(*order)[: MOST_OF_A_DAY + PAGE_SIZE])
    marks = _marks(shown, since, zone)
    accounts = names_of(connections) if len(connections) > 1 else {}
    entries = [
        replace(
            _entry(one, first, now, zone, organization),
            marks=marks.get(one.pk, ()),
            account=accounts.get(one.connection_id, ""),
        )
        for one in shown
    ]
    entries.sort(key=lambda one: (one.day, not one.meeting.all_day, one.meeting.start, one.meeting.pk))
    days = [_day_of(day, today, now, list(group)) for day, group in groupby(entries, key=lambda entry: entry.day)]
    if connections and first == today and not wish.narrowed and not (days and days[0].is_today):
        days.insert(0, Day(today, is_today=True))
    later = last and not wish.before and found.on_days(last + timedelta(days=1), None, zone).exists()
    return Page(
        days=days,
        earlier=first if first and found.on_days(None, first - timedelta(days=1), zone).exists() else None,
        later=wish.before or (last + timedelta(days=1) if last and later else None),
        cut=len(shown) == MOST_OF_A_DAY + PAGE_SIZE,
        good_until=_good_until(shown, now, zone),
    )


def last_planned() -> Subquery:
    """Of a connection: when the plan of one of its meetings last changed, or of one that sends Sally for it."""
    latest = Max("planned_at")
    plans = Meeting.objects.filter(connection=OuterRef("pk")).order_by().values("connection")
    # Greatest is nothing on SQLite where one of two is.
    either = Greatest(latest, Coalesce(Max("sender__planned_at"), latest))
    return Subquery(plans.annotate(latest=either).values("latest"))


def names_of(connections: Sequence[CalendarConnection]) -> dict[uuid.UUID, str]:
    """What people tell their calendars by: the address, and the door where one address came through several."""
    addresses = Counter(one.account_email for one in connections)
    return {
        one.pk: one.account_email if addresses[one.account_email] == 1 else f"{one.account_email} – {one.door.name}"
        for one in connections
    }


def _last_from(found: MeetingQuerySet, first: date, zone: ZoneInfo) -> date | None:
    """The day on which the page is full; None where all that follows fits."""
    ahead = found.filter(start__gte=midnight_of(first, zone)).order_by("start").values_list("start", flat=True)
    edge = ahead[PAGE_SIZE - 1 : PAGE_SIZE].first()
    return max(first, edge.astimezone(zone).date()) if edge else None


def _first_before(found: MeetingQuerySet, day: date, zone: ZoneInfo) -> date | None:
    behind = found.filter(start__lt=midnight_of(day, zone)).order_by("-start").values_list("start", flat=True)
    edge = behind[PAGE_SIZE - 1 : PAGE_SIZE].first()
    return edge.astimezone(zone).date() if edge else None


def _entry(meeting: Meeting, first: date | None, now: datetime, zone: ZoneInfo, organization: str) -> Entry:
    begins = meeting.start_date or meeting.start.astimezone(zone).date()
    day = max(begins, first) if first else begins
    # The end date of an all-day meeting is the day after its last.
    # A timed one that ends at midnight has its last moment the day before.
    last_moment = max(meeting.end - timedelta(microseconds=1), meeting.start)
    last = meeting.end_date - timedelta(days=1) if meeting.end_date else last_moment.astimezone(zone).date()
    start, end = meeting.span(zone)
    over = end <= now and start < now
    return Entry(
        meeting,
        day,
        began_earlier=begins < day,
        last_day=last if last > begins else None,
        over=over,
        running=not meeting.all_day and start <= now < end,
        sally=None if over else verdict_on(meeting, now=now, zone=zone, organization=organization),
    )


def _day_of(day: date, today: date, now: datetime, entries: list[Entry]) -> Day:
    if day != today:
        return Day(day, is_today=False, entries=entries)
    for position, entry in enumerate(entries):
        if not entry.meeting.all_day and entry.meeting.start > now:
            marked = [*entries[:position], replace(entry, comes_next=True), *entries[position + 1 :]]
            return Day(day, is_today=True, entries=marked)
    return Day(day, is_today=True, entries=entries, all_begun=True)


def _good_until(shown: Iterable[Meeting], now: datetime, zone: ZoneInfo) -> datetime:
    """When the next of these meetings begins, ends or is joined, and midnight at the latest."""
    moments = [midnight_of(now.astimezone(zone).date() + timedelta(days=1), zone)]
    for one in shown:
        moments += [*one.span(zone), *joined_at(one)]
    return min(moment for moment in moments if moment > now)


def _marks(shown: Sequence[Meeting], since: datetime, zone: ZoneInfo) -> dict[int, list[str]]:
    """What to say softly of meetings that changed since the last visit, compared with how they were then."""
    if not shown:
        return {}
    meetings = {one.pk: one for one in shown}
    found: dict[int, dict[str, Change]] = {}
    for change in Change.objects.filter(meeting__in=meetings, at__gt=since).order_by("at", "pk"):
        found.setdefault(change.meeting_id, {}).setdefault(change.what, change)  # the first of each kind
    return {pk: marks_of(meetings[pk], changes, zone) for pk, changes in found.items()}
