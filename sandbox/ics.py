"""iCalendar text read into series: one per UID, with its rules, its overrides and what was taken out of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import recurring_ical_events
from icalendar import Calendar, Event
from icalendar.prop import vDDDTypes

_TIMING = frozenset({"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"})

Wall = datetime | date  # a naive time in the series' zone, or the date of an all-day event


# Nothing nearer to the ends of time survives a change of zone, or a window around it.
FIRST_YEAR, LAST_YEAR = 1900, 2200


class Unreadable(ValueError):
    """The text is no calendar; the message is a sentence for a person."""


def every(component: Any, name: str) -> list[Any]:
    """All values of a property that may occur several times."""
    value = component.get(name)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def stated(event: Event, name: str) -> Any:
    """The date, time or duration of a property, or None."""
    return getattr(event.get(name), "dt", None)


def put(event: Event, name: str, value: Any) -> None:
    """The property's only value from now on; None takes it out."""
    event.pop(name, None)
    if value is not None:
        event.add(name, value)


def instant(value: Wall, zone: tzinfo) -> datetime:
    """The moment of a wall time in ``zone``; a date stands for its midnight in UTC, which no zone moves."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time.min, UTC)
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def _apart(later: Wall, earlier: Wall) -> timedelta:
    """How far two wall times of one kind are apart on the clock."""
    if isinstance(later, datetime) and isinstance(earlier, datetime):
        return later - earlier
    return date(later.year, later.month, later.day) - date(earlier.year, earlier.month, earlier.day)


@dataclass(frozen=True)
class Slot:
    """One place of a series in time, as its rules give it; ``at`` is the moment that identifies it."""

    at: datetime
    start: Wall
    end: Wall


@dataclass(frozen=True)
class Timing:
    """When one VEVENT takes place. ``zone`` is the zone of its start, ``zone_name`` as the text calls it."""

    start: Wall
    end: Wall
    zone: tzinfo
    zone_name: str

    @property
    def all_day(self) -> bool:
        return not isinstance(self.start, datetime)

    @property
    def start_at(self) -> datetime:
        return instant(self.start, self.zone)

    @property
    def end_at(self) -> datetime:
        return instant(self.end, self.zone)

    @property
    def length(self) -> timedelta:
        """On the wall clock: a night shift from 22:00 to 06:00 ends at 06:00 on any night."""
        return _apart(self.end, self.start)

    def wall(self, value: Wall) -> Wall:
        """Any time as this event's own kind: a date, or a naive time in its zone."""
        if isinstance(value, datetime):
            local = value.astimezone(self.zone).replace(tzinfo=None) if value.tzinfo else value
            return local.date() if self.all_day else local
        return value if self.all_day else datetime.combine(value, self.start.time())  # type: ignore[union-attr]


def read_timing(event: Event, floating: tzinfo) -> Timing:
    """Raises ``Unreadable`` when the event has no usable start and end."""
    name = str(event.get("SUMMARY", event.get("UID", "?")))[:60]
    first = event.get("DTSTART")
    if not isinstance(first, vDDDTypes) or not isinstance(first.dt, date):
        raise Unreadable(f"The event “{name}” has no usable start (DTSTART).")
    start: Wall = first.dt
    zone = (start.tzinfo if isinstance(start, datetime) else None) or floating
    zone_name = str(first.params.get("TZID", "")) or ("" if isinstance(start, datetime) and start.tzinfo else str(zone))
    last, duration = stated(event, "DTEND"), stated(event, "DURATION")
    if last is not None:
        end: Wall = last
    elif duration is not None:
        end = start + duration
    else:
        end = start if isinstance(start, datetime) else start + timedelta(days=1)
    if isinstance(start, datetime) is not isinstance(end, datetime):
        raise Unreadable(f"The event “{name}” starts with a date and ends with a time, or the other way round.")
    if not (start.year >= FIRST_YEAR and end.year <= LAST_YEAR):
        raise Unreadable(f"The event “{name}” lies before {FIRST_YEAR} or after {LAST_YEAR}.")
    timing = Timing(start, end, zone, zone_name or "UTC")
    timing = Timing(timing.wall(start), timing.wall(end), zone, timing.zone_name)
    if timing.end_at < timing.start_at:
        raise Unreadable(f"The event “{name}” ends before it starts.")
    return timing


@dataclass(frozen=True)
class Override:
    """A VEVENT with RECURRENCE-ID: what one occurrence (or it and all later ones) has become."""

    slot_at: datetime
    slot: Wall
    event: Event
    timing: Timing
    and_future: bool

    @property
    def moved_by(self) -> timedelta:
        return _apart(self.timing.start, self.place(self.slot_at, self.slot))

    def place(self, at: datetime, wall: Wall) -> Wall:
        """A place of the series, on this event's own clock, which may be of another zone or kind."""
        return self.timing.wall(wall if self.timing.all_day else at)


@dataclass(frozen=True)
class Series:
    """All that the text says under one UID; ``event`` is None when it only has overrides."""

    uid: str
    event: Event | None
    timing: Timing
    overrides: tuple[Override, ...]

    @cached_property
    def recurring(self) -> bool:
        return self.event is not None and bool(every(self.event, "RRULE") or every(self.event, "RDATE"))

    @cached_property
    def digest(self) -> str:
        """Names all that the text says about it: another text, another digest."""
        events = [*([self.event] if self.event is not None else []), *(override.event for override in self.overrides)]
        return hashlib.sha256(b"".join(event.to_ical() for event in events)).hexdigest()

    @cached_property
    def excluded(self) -> frozenset[datetime]:
        """The moments that EXDATE names. Compared as moments, since a library that also compares wall times
        takes 15:00 in New York for 10:00 there, which is 15:00 in UTC."""
        values = [item.dt for dates in every(self.event or {}, "EXDATE") for item in dates.dts]
        return frozenset(instant(self.timing.wall(value), self.timing.zone) for value in values)

    @cached_property
    def _rules(self) -> recurring_ical_events.CalendarQuery:
        """The bare rules on the wall clock of the series' zone, where no two of its times can be confused."""
        bare = Event()
        bare.add("UID", self.uid)
        bare.add("DTSTART", self.timing.start)
        bare.add("DTEND", self.timing.end)
        for rule in every(self.event, "RRULE"):
            bare.add("RRULE", self._on_the_wall(rule))
        for dates in every(self.event, "RDATE"):
            for item in dates.dts:
                period = isinstance(item.dt, tuple)
                bare.add("RDATE", [self._period(*item.dt) if period else self.timing.wall(item.dt)])
        calendar = Calendar()
        calendar.add_component(bare)
        return recurring_ical_events.of(calendar)

    def _period(self, start: datetime, end: datetime | timedelta) -> tuple[Wall, Wall]:
        first = self.timing.wall(start)
        return first, first + end if isinstance(end, timedelta) else self.timing.wall(end)

    def _on_the_wall(self, rule: Any) -> Any:
        """The rule with its UNTIL, which is in UTC where the start has a zone, on the wall clock too."""
        copy = type(rule)(rule)
        if "UNTIL" in copy:
            until = copy["UNTIL"][0]
            if not isinstance(until, datetime) and not self.timing.all_day:
                copy["UNTIL"] = [datetime.combine(until, time(23, 59, 59))]
            else:
                copy["UNTIL"] = [self.timing.wall(until)]
        return copy

    def slots(self, start: datetime, end: datetime) -> Iterable[Slot]:
        """The places that rules and RDATEs give between two moments (UTC), roughly: up to two days more."""
        if not self.recurring:
            yield Slot(self.timing.start_at, self.timing.start, self.timing.end)
            return
        margin = timedelta(days=1)
        first = start.replace(tzinfo=None) - margin
        last = end.replace(tzinfo=None) + margin
        for found in self._rules.between(first, last):
            slot_start = self.timing.wall(stated(found, "DTSTART"))
            yield Slot(instant(slot_start, self.timing.zone), slot_start, self.timing.wall(stated(found, "DTEND")))

    def first_slot(self) -> Slot:
        return Slot(self.timing.start_at, self.timing.start, self.timing.end)


def _newest(events: list[Event]) -> Event:
    return max(events, key=lambda event: int(event.get("SEQUENCE", 0)))


def _override(event: Event, series: Timing | None, floating: tzinfo) -> Override:
    timing = read_timing(event, floating)
    named = event["RECURRENCE-ID"]
    kind = series or timing
    slot = kind.wall(stated(event, "RECURRENCE-ID"))
    and_future = str(named.params.get("RANGE", "")).upper() == "THISANDFUTURE"
    return Override(instant(slot, kind.zone), slot, event, timing, and_future)


def _series(uid: str, events: list[Event], floating: tzinfo) -> Series:
    masters = [event for event in events if "RECURRENCE-ID" not in event]
    master = _newest(masters) if masters else None
    timing = read_timing(master, floating) if master is not None else None
    newest: dict[datetime, list[Event]] = {}
    for event in events:
        if "RECURRENCE-ID" in event:
            newest.setdefault(_override(event, timing, floating).slot_at, []).append(event)
    overrides = tuple(_override(_newest(same), timing, floating) for _, same in sorted(newest.items()))
    return Series(uid, master, timing or overrides[0].timing, overrides)


def _floating_zone(calendar: Any, otherwise: str) -> tzinfo:
    """Times without a zone are in X-WR-TIMEZONE, as Google and Apple write it."""
    try:
        return ZoneInfo(str(calendar.get("X-WR-TIMEZONE", otherwise)))
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(otherwise)


def _uid(event: Event) -> str:
    """RFC 5545 requires one; an event without gets one from its content, the same at every reading."""
    return str(event.get("UID", "")) or hashlib.sha256(event.to_ical()).hexdigest()


def parse(text: str) -> list[Any]:
    """The calendars in a text. Raises ``Unreadable``."""
    try:
        calendars = Calendar.from_ical(text, multiple=True)
    except (ValueError, KeyError, IndexError, TypeError) as exc:
        raise Unreadable(f"This is not iCalendar text: {exc}.") from exc
    if not calendars or any(calendar.name != "VCALENDAR" for calendar in calendars):
        raise Unreadable("This is not iCalendar text: it has no VCALENDAR.")
    return list(calendars)


def series_of(calendar: Any, zone: str) -> list[Series]:
    """Every series of one calendar, made of its own components; ``zone`` is where times without a zone are.

    Raises ``Unreadable``.
    """
    floating = _floating_zone(calendar, zone)
    by_uid: dict[str, list[Event]] = {}
    for event in calendar.walk("VEVENT"):
        by_uid.setdefault(_uid(event), []).append(event)
    return [_checked_series(uid, events, floating) for uid, events in by_uid.items()]


def _check_timing(uid: str, event: Event) -> None:
    """icalendar goes on without a property that it cannot read; when one of these is lost, the times would be wrong."""
    broken = sorted({str(name) for name, _ in event.errors} & _TIMING)
    if any("FREQ" not in rule for rule in every(event, "RRULE")):
        broken.append("RRULE")
    if broken:
        raise Unreadable(f"The event with UID {uid} has a {broken[0]} that cannot be read.")


def _checked_series(uid: str, events: list[Event], floating: tzinfo) -> Series:
    """Rules are read when they are first used, so they are used once here: what is accepted can be listed."""
    for event in events:
        _check_timing(uid, event)
    try:
        series = _series(uid, events, floating)
        first = series.timing.start_at
        any(series.slots(first, first))
        return series
    except Unreadable:
        raise
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError) as exc:
        raise Unreadable(f"The event with UID {uid} cannot be read: {exc}.") from exc


@lru_cache(maxsize=1)  # a text is read to check it and at once again to keep it, and a large one takes long
def read_series(text: str, zone: str) -> tuple[Series, ...]:
    """Every series of all calendars in the text. Raises ``Unreadable``."""
    return tuple(series for calendar in parse(text) for series in series_of(calendar, zone))
