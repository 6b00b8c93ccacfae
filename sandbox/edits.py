"""Changes to a mailbox's text: an event added, a series or one occurrence moved, renamed, cancelled or taken out."""

import uuid
from datetime import UTC, date, datetime
from typing import Any

from icalendar import Calendar, Event, vCalAddress, vText, vUri
from icalendar.prop import vRecur

from sandbox.ics import Series, Unreadable, instant, parse, read_series, series_of, stated
from sandbox.people import MAILBOX_ZONE

_CANCELED = "Canceled: "  # the prefix that Outlook puts before the subject of a cancelled meeting
_KNOWN = frozenset({"subject", "start", "end", "location", "cancelled", "private", "deleted"})


class UnknownEvent(LookupError):
    """There is no such event in the mailbox; the message is a sentence."""


def read_time(value: object) -> datetime | date:
    """A date, or a time with an offset. Raises ``Unreadable``."""
    if not isinstance(value, str):
        raise Unreadable(f"{value!r} is no date and no time.")
    try:
        if len(value) == len("2026-11-23"):
            return date.fromisoformat(value)
        moment = datetime.fromisoformat(value)
    except ValueError as exc:
        raise Unreadable(f"{value!r} is no date and no time.") from exc
    if moment.tzinfo is None:
        raise Unreadable(f"The time {value} needs an offset from UTC.")
    return moment.astimezone(UTC)


def _one_calendar(text: str) -> Calendar:
    """All calendars of the text as one, so that a change has one place to go."""
    calendars = parse(text)
    first: Calendar = calendars[0]
    for other in calendars[1:]:
        for component in other.subcomponents:
            first.add_component(component)
    return first


def _put(event: Event, name: str, value: Any) -> None:
    event.pop(name, None)
    if value is not None:
        event.add(name, value)


def _mail(value: str) -> vCalAddress:
    """``Name <address>`` or an address alone."""
    name, _, rest = value.rpartition("<")
    address = vCalAddress(f"mailto:{rest.rstrip('>').strip()}")
    if name.strip():
        address.params["CN"] = vText(name.strip())
    return address


def _stamp(event: Event, now: datetime) -> None:
    _put(event, "LAST-MODIFIED", now)
    _put(event, "SEQUENCE", int(event.get("SEQUENCE", 0)) + 1)


def add_event(text: str, wanted: dict[str, Any], now: datetime) -> tuple[str, str]:
    """The text with one event more, and that event's UID. Raises ``Unreadable``."""
    for name in ("subject", "start", "end"):
        if name not in wanted:
            raise Unreadable(f"An event needs a {name}.")
    event = Event()
    uid = str(wanted.get("uid") or uuid.uuid4())
    event.add("UID", uid)
    event.add("DTSTAMP", now)
    event.add("CREATED", now)
    event.add("SUMMARY", str(wanted["subject"]))
    event.add("DTSTART", read_time(wanted["start"]))
    event.add("DTEND", read_time(wanted["end"]))
    if wanted.get("location"):
        event.add("LOCATION", str(wanted["location"]))
    if wanted.get("join_url"):
        event.add("X-MICROSOFT-SKYPETEAMSMEETINGURL", vUri(str(wanted["join_url"])))
    if wanted.get("private"):
        event.add("CLASS", "PRIVATE")
    if wanted.get("rrule"):
        event.add("RRULE", vRecur.from_ical(str(wanted["rrule"]).removeprefix("RRULE:")))
    if wanted.get("organizer"):
        event.add("ORGANIZER", _mail(str(wanted["organizer"])))
    for attendee in wanted.get("attendees") or []:
        event.add("ATTENDEE", _mail(str(attendee)))
    calendar = _one_calendar(text)
    calendar.add_component(event)
    return _checked(calendar), uid


def _checked(calendar: Calendar) -> str:
    text: str = calendar.to_ical().decode()
    read_series(text, MAILBOX_ZONE)
    return text


def _cancel(event: Event, cancelled: bool) -> None:
    subject = str(event.get("SUMMARY", "")).removeprefix(_CANCELED)
    _put(event, "SUMMARY", f"{_CANCELED}{subject}" if cancelled else subject)
    _put(event, "STATUS", "CANCELLED" if cancelled else "CONFIRMED")


def _like(event: Event, name: str, value: object) -> datetime | date:
    """A new time, in the zone of the old one where it has one, so that a series keeps its clock."""
    new = read_time(value)
    old = stated(event, name) or stated(event, "DTSTART")
    if isinstance(new, datetime) and isinstance(old, datetime) and old.tzinfo is not None:
        return new.astimezone(old.tzinfo)
    return new


def _move(event: Event, changes: dict[str, Any]) -> None:
    start, end = changes.get("start"), changes.get("end")
    old_start, old_end = stated(event, "DTSTART"), stated(event, "DTEND")
    if start is not None:
        new = _like(event, "DTSTART", start)
        _put(event, "DTSTART", new)
        # Only the start was given: as long as before. A kept DURATION does that by itself.
        if end is None and old_end is not None:
            _put(event, "DTEND", new + (old_end - old_start))
    if end is not None:
        event.pop("DURATION", None)
        _put(event, "DTEND", _like(event, "DTEND", end))


def _apply(event: Event, changes: dict[str, Any], now: datetime) -> None:
    if "subject" in changes:
        _put(event, "SUMMARY", str(changes["subject"]))
    if "location" in changes:
        _put(event, "LOCATION", str(changes["location"]) or None)
    if "private" in changes:
        _put(event, "CLASS", "PRIVATE" if changes["private"] else "PUBLIC")
    _move(event, changes)
    if "cancelled" in changes:
        _cancel(event, bool(changes["cancelled"]))
    _stamp(event, now)


def _slot(series: Series, occurrence: object) -> datetime:
    """The moment of the occurrence that began at this time. Raises ``UnknownEvent``."""
    at = instant(series.timing.wall(read_time(occurrence)), series.timing.zone)
    places = {slot.at for slot in series.slots(at, at)} | {override.slot_at for override in series.overrides}
    if at not in places or at in series.excluded:
        raise UnknownEvent(f"The series {series.uid} has no occurrence that began at {occurrence}.")
    return at


def _slot_value(series: Series, slot: datetime) -> datetime | date:
    return slot.date() if series.timing.all_day else slot.astimezone(series.timing.zone)


def _override_event(calendar: Calendar, series: Series, slot: datetime) -> Event:
    """The VEVENT that overrides this occurrence; made from the series if there is none yet."""
    for override in series.overrides:
        if override.slot_at == slot:
            return override.event
    if series.event is None:
        raise UnknownEvent(f"There is no series {series.uid}.")
    event: Event = series.event.copy()
    for name in ("RRULE", "RDATE", "EXDATE", "DURATION"):
        event.pop(name, None)
    start = _slot_value(series, slot)
    for name, value in (("DTSTART", start), ("DTEND", start + series.timing.length), ("RECURRENCE-ID", start)):
        _put(event, name, value)
    calendar.add_component(event)
    return event


def _delete(calendar: Calendar, series: Series, slot: datetime | None, now: datetime) -> None:
    doomed = [o.event for o in series.overrides if slot is None or o.slot_at == slot]
    if slot is None and series.event is not None:
        doomed.append(series.event)
    # By identity: icalendar compares components by content.
    gone = {id(event) for event in doomed}
    calendar.subcomponents = [part for part in calendar.subcomponents if id(part) not in gone]
    if slot is not None and series.event is not None:
        series.event.add("EXDATE", _slot_value(series, slot))
        _stamp(series.event, now)


def _change_series(calendar: Calendar, series: Series, changes: dict[str, Any], now: datetime) -> None:
    """A series that moves forgets its exceptions, as in Exchange; any other change reaches them too."""
    overrides = [override.event for override in series.overrides]
    if series.event is None:
        _apply(overrides[0], changes, now)
        return
    _apply(series.event, changes, now)
    words = {name: value for name, value in changes.items() if name not in ("start", "end")}
    if len(words) == len(changes):
        for event in overrides:
            _apply(event, words, now)
        return
    series.event.pop("EXDATE", None)
    gone = {id(event) for event in overrides}
    calendar.subcomponents = [part for part in calendar.subcomponents if id(part) not in gone]


def change_event(text: str, wanted: dict[str, Any], now: datetime) -> str:
    """The text with one series, or one occurrence of it, changed. Raises ``UnknownEvent`` and ``Unreadable``."""
    changes = {name: value for name, value in wanted.items() if name not in ("uid", "occurrence")}
    if unknown := set(changes) - _KNOWN:
        raise Unreadable(f"An event has no {min(unknown)} that could be changed.")
    calendar = _one_calendar(text)
    series = next((s for s in series_of(calendar, MAILBOX_ZONE) if s.uid == wanted.get("uid")), None)
    if series is None:
        raise UnknownEvent(f"There is no event with the UID {wanted.get('uid')}.")
    slot = _slot(series, wanted["occurrence"]) if wanted.get("occurrence") else None
    if changes.get("deleted"):
        _delete(calendar, series, slot, now)
    elif slot is not None:
        _apply(_override_event(calendar, series, slot), changes, now)
    else:
        _change_series(calendar, series, changes, now)
    return _checked(calendar)
