"""Changes to a mailbox's text: an event added, a series or one occurrence moved, renamed, answered or taken out."""

import copy
import uuid
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress, vText, vUri
from icalendar.prop import vRecur

from sandbox import online
from sandbox.ics import Override, Series, Unreadable, every, instant, parse, put, read_series, series_of, stated
from sandbox.people import MAILBOX_ZONE

_CANCELED = "Canceled: "  # the prefix that Outlook puts before the subject of a cancelled meeting
_KNOWN = frozenset(
    {"subject", "start", "end", "location", "cancelled", "private", "deleted", "online", "invite", "answer"}
)
_ANSWERS = {"accepted": "ACCEPTED", "tentativelyAccepted": "TENTATIVE", "declined": "DECLINED"}


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


def _mail(value: str) -> vCalAddress:
    """``Name <address>`` or an address alone."""
    name, _, rest = value.rpartition("<")
    address = vCalAddress(f"mailto:{rest.rstrip('>').strip()}")
    if name.strip():
        address.params["CN"] = vText(name.strip())
    return address


def _bare(value: str) -> str:
    """The address alone, for comparison."""
    return value.rpartition("<")[2].rstrip(">").strip().lower().removeprefix("mailto:")


def _guests_at(event: Event, address: str) -> list[vCalAddress]:
    return [guest for guest in every(event, "ATTENDEE") if _bare(guest) == _bare(address)]


def _invite(event: Event, address: str, owner: str) -> None:
    """One more attendee; who invites somebody to an appointment of their own becomes its organizer."""
    if _guests_at(event, address):
        return
    if "ORGANIZER" not in event:
        event.add("ORGANIZER", _mail(owner))
    guest = _mail(address)
    guest.params["ROLE"] = vText("REQ-PARTICIPANT")
    guest.params["PARTSTAT"] = vText("NEEDS-ACTION")
    event.add("ATTENDEE", guest)


def _answer(event: Event, answer: str, owner: str) -> None:
    if answer not in _ANSWERS:
        raise Unreadable(f"{answer!r} is no answer; use {', '.join(_ANSWERS)}.")
    own = _guests_at(event, owner)
    if not own:
        raise Unreadable(f"{owner} is not invited to this.")
    for guest in own:
        guest.params["PARTSTAT"] = vText(_ANSWERS[answer])


def _stamp(event: Event, now: datetime) -> None:
    put(event, "LAST-MODIFIED", now)
    put(event, "SEQUENCE", int(event.get("SEQUENCE", 0)) + 1)


def _in_zone(moment: datetime | date, zone: str) -> datetime | date:
    return moment.astimezone(ZoneInfo(zone)) if isinstance(moment, datetime) and zone else moment


def add_event(text: str, wanted: dict[str, Any], owner: str, now: datetime) -> tuple[str, str]:
    """The text with one event more, and that event's UID. ``owner`` is whose mailbox it is, as ``Name <address>``.

    Times are kept in UTC, or in the ``zone`` that is wanted. Raises ``Unreadable``.
    """
    for name in ("subject", "start", "end"):
        if name not in wanted:
            raise Unreadable(f"An event needs a {name}.")
    event = Event()
    uid = str(wanted.get("uid") or uuid.uuid4())
    event.add("UID", uid)
    event.add("DTSTAMP", now)
    event.add("CREATED", now)
    event.add("SUMMARY", str(wanted["subject"]))
    zone = str(wanted.get("zone", ""))
    event.add("DTSTART", _in_zone(read_time(wanted["start"]), zone))
    event.add("DTEND", _in_zone(read_time(wanted["end"]), zone))
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
    if wanted.get("invite"):
        _invite(event, str(wanted["invite"]), owner)
    if wanted.get("online"):
        online.put_link(event, str(wanted["online"]))
    calendar = _one_calendar(text)
    calendar.add_component(event)
    return _checked(calendar), uid


def _checked(calendar: Calendar) -> str:
    text: str = calendar.to_ical().decode()
    read_series(text, MAILBOX_ZONE)
    return text


def _cancel(event: Event, cancelled: bool) -> None:
    subject = str(event.get("SUMMARY", "")).removeprefix(_CANCELED)
    put(event, "SUMMARY", f"{_CANCELED}{subject}" if cancelled else subject)
    put(event, "STATUS", "CANCELLED" if cancelled else "CONFIRMED")


def _like(event: Event, name: str, value: object) -> datetime | date:
    """A new time, in the zone of the old one where it has one, so that a series keeps its clock."""
    new = read_time(value)
    old = stated(event, name) or stated(event, "DTSTART")
    if isinstance(new, datetime):
        zone = old.tzinfo if isinstance(old, datetime) else None
        return new.astimezone(zone or ZoneInfo(MAILBOX_ZONE))
    return new


def _move(event: Event, changes: dict[str, Any]) -> None:
    start, end = changes.get("start"), changes.get("end")
    old_start, old_end = stated(event, "DTSTART"), stated(event, "DTEND")
    if start is not None:
        new = _like(event, "DTSTART", start)
        put(event, "DTSTART", new)
        # Only the start was given: as long as before. A kept DURATION does that by itself.
        if end is None and old_end is not None:
            put(event, "DTEND", new + (old_end - old_start))
    if end is not None:
        event.pop("DURATION", None)
        put(event, "DTEND", _like(event, "DTEND", end))


def _apply(event: Event, changes: dict[str, Any], owner: str, now: datetime) -> None:
    if "subject" in changes:
        put(event, "SUMMARY", str(changes["subject"]))
    if "location" in changes:
        put(event, "LOCATION", str(changes["location"]) or None)
    if "private" in changes:
        put(event, "CLASS", "PRIVATE" if changes["private"] else "PUBLIC")
    if "online" in changes:
        online.put_link(event, str(changes["online"]))
    if changes.get("invite"):
        _invite(event, str(changes["invite"]), owner)
    if "answer" in changes:
        _answer(event, str(changes["answer"]), owner)
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
    future = [override for override in series.overrides if override.and_future and override.slot_at < slot]
    # Deep: an attendee that answers for one occurrence must not answer for the series.
    event: Event = copy.deepcopy(future[-1].event if future else series.event)
    for name in ("RRULE", "RDATE", "EXDATE", "DURATION"):
        event.pop(name, None)
    place = _slot_value(series, slot)
    start, length = place, series.timing.length
    if future:
        start, length = _later_start(series, future[-1], slot), future[-1].timing.length
    for name, value in (("DTSTART", start), ("DTEND", start + length), ("RECURRENCE-ID", place)):
        put(event, name, value)
    calendar.add_component(event)
    return event


def _later_start(series: Series, latest: Override, slot: datetime) -> datetime | date:
    """Where an occurrence is after "this and all later ones" moved (RFC 5545 3.2.13)."""
    start = latest.place(slot, series.timing.wall(slot)) + latest.moved_by
    return start.replace(tzinfo=latest.timing.zone) if isinstance(start, datetime) else start


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


def _change_series(calendar: Calendar, series: Series, changes: dict[str, Any], owner: str, now: datetime) -> None:
    """A series that moves forgets its exceptions, as in Exchange; any other change reaches them too."""
    overrides = [override.event for override in series.overrides]
    if series.event is None:
        _apply(overrides[0], changes, owner, now)
        return
    _apply(series.event, changes, owner, now)
    words = {name: value for name, value in changes.items() if name not in ("start", "end")}
    if len(words) == len(changes):
        for event in overrides:
            mute = "answer" in words and not _guests_at(event, owner)
            _apply(event, {name: value for name, value in words.items() if not (mute and name == "answer")}, owner, now)
        return
    series.event.pop("EXDATE", None)
    gone = {id(event) for event in overrides}
    calendar.subcomponents = [part for part in calendar.subcomponents if id(part) not in gone]


def change_event(text: str, wanted: dict[str, Any], owner: str, now: datetime) -> str:
    """The text with one series, or one occurrence of it, changed; ``owner`` is whose mailbox it is.

    Raises ``UnknownEvent`` and ``Unreadable``.
    """
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
        _apply(_override_event(calendar, series, slot), changes, owner, now)
    else:
        _change_series(calendar, series, changes, owner, now)
    return _checked(calendar)
