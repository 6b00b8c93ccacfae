"""One person's calendar on an Exchange server, read through EWS. Nothing here can write."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from integrations.errors import UnexpectedAnswer
from integrations.events import NOTHING, Changed, Kind, Listing, Poll, RemoteEvent, Window
from integrations.providers.exchange import reading, series
from integrations.providers.exchange.failures import TOO_MANY
from integrations.providers.exchange.operations import MOST_LISTED, Found, Mailbox

# A listing cannot be paged, so the window is cut: by as many as were there the last time, well below the limit.
WELL_BELOW = 900
# A calendar view spans two years at most (ErrorCalendarViewRangeTooBig).
LONGEST_VIEW = timedelta(days=366)
# What is still cut off in so short a time is no calendar.
SHORTEST_VIEW = timedelta(minutes=2)
MOST_VIEWS = 200
MOST_PAGES = 100
# Ids in one GetItem.
READ_AT_ONCE = 100
# A date of a series that lasts longer is no date.
LONGEST_DATE = timedelta(days=3660)
# How far one poll walks through a calendar of which no state is known yet, after a first short step.
STEPS_OF_A_WALK = 4
WALKING, DONE = "walk", "done"


class ExchangeClient:
    """``home`` is the zone that counts where an item's own is unknown: its owner's."""

    def __init__(self, mailbox: Mailbox, home: ZoneInfo) -> None:
        self._mailbox, self._home = mailbox, home

    def close(self) -> None:
        self._mailbox.close()

    def poll(self, cursor: str) -> Poll:
        """SyncFolderItems tells what changed since its state, and needs a walk through all ids to get a first one.

        The walk takes a step or some with every poll; until it is over, nothing is known and every sync reads.
        """
        stage, _, state = cursor.partition(":")
        if stage == DONE and state:
            changes = self._mailbox.changes(state)
            if changes.complete and not changes.count:
                return Poll(Changed.NO, f"{DONE}:{changes.state}")
            return Poll(Changed.YES, _cursor(changes.complete, changes.state))
        complete = False
        for _ in range(STEPS_OF_A_WALK if state else 1):
            changes = self._mailbox.changes(state)
            complete, state = changes.complete, changes.state
            if complete:
                break
        return Poll(Changed.UNKNOWN, _cursor(complete, state))

    def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
        items, pages = self._view(window, known)
        masters, more = ([], 0) if _shows_dates(items) else self._masters_beside(items)
        pages += more
        found: dict[str, RemoteEvent | None] = {}  # None: known as it is
        unreadable = 0
        for item in items:
            id, version = reading.id_of(item), reading.version_of(item)
            if id in masters or reading.type_of(item) == reading.MASTER:
                continue
            if id and known.get(id) == version:
                found[id] = None
            elif event := reading.event_of(item, self._home, version):
                if _overlaps(item, window):
                    found[event.id] = event
            else:
                unreadable += 1
        for master in self._series(masters):
            for date in self._dates_of(master, window):
                found[date.id] = None if known.get(date.id) == date.version else date
        unchanged = [id for id, event in found.items() if event is None]
        return Listing(filter(None, found.values()), unchanged=unchanged, pages=pages, unreadable=unreadable)

    def fill(self, events: Sequence[RemoteEvent]) -> list[RemoteEvent]:
        """Bodies, people and links, a hundred at a time; a date that Sally worked out has them of its series."""
        whole: dict[str, RemoteEvent] = {}
        for ids in _chunks(dict.fromkeys(_read_id(one.id) for one in events)):
            for item in self._mailbox.whole_items(ids):
                if event := reading.event_of(item, self._home):
                    whole[event.id] = event
        return [_filled(one, whole[_read_id(one.id)]) for one in events if _read_id(one.id) in whole]

    def event(self, id: str) -> RemoteEvent | None:
        return next(iter(self.fill(self.find([id]))), None)

    def find(self, ids: Sequence[str]) -> list[RemoteEvent]:
        own = [id for id in ids if _read_id(id) == id]
        found = [
            event
            for chunk in _chunks(own)
            for item in self._mailbox.items(chunk)
            if reading.type_of(item) != reading.MASTER and (event := reading.event_of(item, self._home))
        ]
        worked_out = set(ids) - set(own)
        for master in self._series(sorted({_read_id(id) for id in worked_out})):
            slots = [_slot_of(id) for id in worked_out if _read_id(id) == reading.id_of(master)]
            span = Window(min(slots), max(slots) + timedelta(seconds=1)) if slots else None
            found += [date for date in self._dates_of(master, span) if date.id in worked_out] if span else []
        return found

    # -- the window, in parts -------------------------------------------------------------------------------------

    def _view(self, window: Window, known: Mapping[str, str]) -> tuple[list[Any], int]:
        """All items of the window, each part of which was listed completely; and how many answers that took."""
        pieces = max(1, ceil(len(known) / WELL_BELOW), ceil((window.end - window.start) / LONGEST_VIEW))
        waiting, views = _cut(window, pieces), 0
        items: list[Any] = []
        while waiting:
            part = waiting.pop(0)
            found = self._listed(part)
            views += 1
            if found.complete and len(found.items) < MOST_LISTED:
                items += found.items
            elif part.end - part.start < SHORTEST_VIEW or views > MOST_VIEWS:
                raise UnexpectedAnswer("CalendarView: cut off however short the window", code="PAGES")
            else:
                # What the server says of the whole saves some halving; it need not be right.
                waiting[:0] = _cut(part, min(max(2, ceil(found.total / WELL_BELOW)), 50))
        return items, views

    def _listed(self, part: Window) -> Found:
        """Some servers refuse what others cut off."""
        try:
            return self._mailbox.view(part)
        except UnexpectedAnswer as error:
            if error.code != TOO_MANY:
                raise
            return Found([], complete=False, total=0)

    # -- a server that does not list the dates of a series ----------------------------------------------------------

    def _masters_beside(self, items: Sequence[Any]) -> tuple[list[str], int]:
        """The series of the whole calendar, if their dates are Sally's to work out; and how many answers that took.

        Some servers leave that to their clients (grommunio's: what it lists of a series is its first date, under
        whatever type). Among the calendar's own items no server has dates, so what is of a series there is the series
        itself; an item of a series that is not among them is a date, and the server lists them all.
        """
        own, pages = self._own_in_series()
        dates = {reading.id_of(item) for item in items if reading.type_of(item) in reading.DATES}
        return ([] if dates - set(own) else own), pages

    def _own_in_series(self) -> tuple[list[str], int]:
        ids: list[str] = []
        offset = pages = 0
        while True:
            found = self._mailbox.page(offset)
            pages += 1
            offset += len(found.items)
            in_series = (reading.MASTER, *reading.DATES)
            ids += [reading.id_of(item) for item in found.items if reading.type_of(item) in in_series]
            if found.complete:
                break
            if not found.items or pages == MOST_PAGES:
                raise UnexpectedAnswer("IndexedPageItemView: pages without end", code="PAGES")
        return [id for id in dict.fromkeys(ids) if id], pages

    def _series(self, ids: Sequence[str]) -> Iterator[Any]:
        for chunk in _chunks(ids):
            yield from self._mailbox.series(chunk)

    def _dates_of(self, master: Any, window: Window) -> Iterator[RemoteEvent]:
        event = reading.event_of(master, self._home)
        if event is None:
            return
        zone = reading.zone_of(master) or self._home
        elsewhere = series.changed(master)
        try:
            for slot in series.slots(master, zone, _long_before(window.start, event), window.end):
                if window.contains(slot, slot + (event.end - event.start)):
                    yield _date(event, slot, zone)
        except (ValueError, KeyError, ArithmeticError):
            # A rule that nobody knows: its first date is all that is certain.
            if window.contains(event.start, event.end):
                yield _date(event, event.start, zone)
        yield from self._exceptions(event, [one for one in elsewhere if window.contains(one.start, one.end)])

    def _exceptions(self, event: RemoteEvent, changes: Sequence[series.Changed]) -> Iterator[RemoteEvent]:
        read = {one.id: one for chunk in _chunks([one.id for one in changes if one.id]) for one in self._items(chunk)}
        for one in changes:
            own = read.get(one.id) or dataclasses.replace(
                event, id=_worked_out(event.id, one.slot), start=one.start, end=one.end
            )
            yield dataclasses.replace(
                own, kind=Kind.EXCEPTION, series_id=event.ical_uid or event.id, original_start=one.slot
            )

    def _items(self, ids: Sequence[str]) -> Iterator[RemoteEvent]:
        for item in self._mailbox.items(ids):
            if event := reading.event_of(item, self._home):
                yield event


def _shows_dates(items: Sequence[Any]) -> bool:
    """Whether the server surely lists the dates of series: only a date has a place in one."""
    return any(reading.text_of(item, "RecurrenceId") for item in items)


def _cursor(complete: bool, state: str) -> str:
    return f"{DONE if complete else WALKING}:{state}" if state else ""


def _cut(window: Window, pieces: int) -> list[Window]:
    length = (window.end - window.start) / pieces
    # In whole seconds, which is all that can be written.
    edges = [(window.start + length * number).replace(microsecond=0) for number in range(1, pieces)]
    edges = [window.start, *edges, window.end]
    return [Window(start, end) for start, end in pairwise(edges) if start < end]


def _overlaps(item: Any, window: Window) -> bool:
    """By the instants that the server has: a view also lists what ends just as it begins."""
    start, end = (reading.moment_of(reading.text_of(item, name)) for name in ("Start", "End"))
    return bool(start and end and window.contains(start, max(start, end)))


def _filled(event: RemoteEvent, whole: RemoteEvent) -> RemoteEvent:
    return dataclasses.replace(
        event,
        # A listing cuts long texts.
        subject=whole.subject,
        location=whole.location,
        organizer=whole.organizer,
        attendees=whole.attendees,
        online_url=whole.online_url,
        body=whole.body,
        partial=False,
    )


def _long_before(start: datetime, event: RemoteEvent) -> datetime:
    """What begins earlier is over by ``start``."""
    return start - min(event.end - event.start, LONGEST_DATE)


def _date(master: RemoteEvent, slot: datetime, zone: ZoneInfo) -> RemoteEvent:
    first = last = None
    start, end = slot, slot + (master.end - master.start)
    if master.start_date and master.end_date:
        first = slot.astimezone(zone).date()
        last = first + (master.end_date - master.start_date)
        start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (first, last))
    return dataclasses.replace(
        master,
        id=_worked_out(master.id, slot),
        kind=Kind.OCCURRENCE,
        series_id=master.ical_uid or master.id,
        original_start=slot,
        start=start,
        end=end,
        start_date=first,
        end_date=last,
    )


# Ids of Exchange's are base64: none has this sign.
_MARK = "#"


def _worked_out(master_id: str, slot: datetime) -> str:
    return f"{master_id}{_MARK}{slot:%Y%m%dT%H%M%SZ}"


def _read_id(id: str) -> str:
    """The id to ask for: a date that was worked out is part of its series."""
    return id.partition(_MARK)[0]


def _slot_of(id: str) -> datetime:
    try:
        return datetime.strptime(id.partition(_MARK)[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime(1900, 1, 1, tzinfo=UTC)


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(ids)
    while chunk := list(islice(iterator, READ_AT_ONCE)):
        yield chunk
