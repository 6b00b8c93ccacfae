"""A calendar item's properties that come from when it takes place, and from its place in a series."""

from datetime import datetime

from sandbox.exchange import ids, moments, series
from sandbox.exchange.soap import Element, add, t
from sandbox.exchange.words import Seen, Write, plain, truth
from sandbox.installation import switches
from sandbox.mailbox import EXCEPTION, MASTER, OCCURRENCE
from sandbox.zones import windows_name

_TYPES = {MASTER: "RecurringMaster", OCCURRENCE: "Occurrence", EXCEPTION: "Exception"}


def zone_id(seen: Seen) -> str:
    return switches().exchange_zone or windows_name(seen.item.timing.zone_name)


def _zone(seen: Seen, parent: Element, name: str) -> None:
    add(parent, t(name), Id=zone_id(seen), Name=zone_id(seen))


def _slot(seen: Seen) -> datetime | None:
    """The place in its series that an occurrence takes."""
    if seen.item.kind == MASTER or seen.item.slot is None:
        return None
    return moments.slot_of(seen.item, seen.item.slot)


def _recurrence_id(seen: Seen) -> str | None:
    slot = _slot(seen)
    if slot is None or (not switches().exchange_expand and seen.item.kind != EXCEPTION):
        return None
    return moments.write(slot)


def _original_start(seen: Seen) -> str | None:
    slot = _slot(seen)
    return moments.write(slot) if slot is not None else None


def _duration(seen: Seen) -> str:
    minutes = int((moments.end_of(seen.item) - moments.start_of(seen.item)).total_seconds()) // 60
    days, rest = divmod(minutes, 24 * 60)
    clock = f"T{rest // 60}H{rest % 60}M" if rest or not days else ""
    return f"P{f'{days}D' if days else ''}{clock}"


TIMES: dict[str, Write] = {
    "RecurrenceId": plain(_recurrence_id),
    "Start": plain(lambda seen: moments.write(moments.start_of(seen.item))),
    "End": plain(lambda seen: moments.write(moments.end_of(seen.item))),
    "ReminderDueBy": plain(lambda seen: moments.write(moments.start_of(seen.item))),
    "OriginalStart": plain(_original_start),
    "IsAllDayEvent": plain(lambda seen: truth(seen.item.timing.all_day)),
    "IsRecurring": plain(lambda seen: truth(seen.item.kind in _TYPES)),
    "CalendarItemType": plain(lambda seen: _TYPES.get(seen.item.kind, "Single")),
    "Duration": plain(_duration),
    "TimeZone": plain(zone_id),
    "StartTimeZone": _zone,
    "EndTimeZone": _zone,
    "StartTimeZoneId": plain(zone_id),
    "EndTimeZoneId": plain(zone_id),
    "Recurrence": series.write_recurrence,
    "FirstOccurrence": series.write_first,
    "LastOccurrence": series.write_last,
    "ModifiedOccurrences": series.write_modified,
    "DeletedOccurrences": series.write_deleted,
}


def write_id(seen: Seen, parent: Element, name: str) -> None:
    key = ids.change_key(seen.mailbox, seen.item.series)
    add(parent, t(name), Id=ids.item_id(seen.mailbox, seen.item), ChangeKey=key)
