"""What a series consists of: its pattern, its first and last occurrence, the changed and the deleted ones."""

from datetime import timedelta
from typing import Any

from sandbox.exchange import ids, moments, versions
from sandbox.exchange.soap import Element, add, t
from sandbox.exchange.words import Seen
from sandbox.ics import LAST_YEAR, every
from sandbox.mailbox import MASTER, Item
from sandbox.recurrence import patterned

_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_GROUPS = {_WEEK: "Day", _WEEK[:5]: "Weekday", _WEEK[5:]: "WeekendDay"}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
# How far ahead the first occurrence is looked for, one after the other: most series keep theirs.
_STEPS = (timedelta(days=60), timedelta(days=800), timedelta(days=366 * 12))
_END_OF_TIME = LAST_YEAR - 1


def _day(pattern: dict[str, Any]) -> str:
    """A monthly pattern has one day of the week, or a word for some of them."""
    named = tuple(day for day in _WEEK if day in pattern["daysOfWeek"])
    return _GROUPS.get(named, named[0].title())


def _write_pattern(parent: Element, pattern: dict[str, Any], schema: str) -> None:
    kind = pattern["type"]
    element = add(parent, t(f"{kind[0].upper()}{kind[1:]}Recurrence"))
    if not kind.endswith("Yearly"):
        add(element, t("Interval"), str(pattern["interval"]))
    if kind == "weekly":
        add(element, t("DaysOfWeek"), " ".join(day.title() for day in pattern["daysOfWeek"]))
        if versions.at_least(schema, "Exchange2010_SP1"):
            add(element, t("FirstDayOfWeek"), pattern["firstDayOfWeek"].title())
    elif kind.startswith("absolute"):
        add(element, t("DayOfMonth"), str(pattern["dayOfMonth"]))
    elif kind.startswith("relative"):
        add(element, t("DaysOfWeek"), _day(pattern))
        add(element, t("DayOfWeekIndex"), pattern["index"].title())
    if kind.endswith("Yearly"):
        add(element, t("Month"), _MONTHS[pattern["month"] - 1])


def _write_range(parent: Element, span: dict[str, Any]) -> None:
    names = {"noEnd": "NoEndRecurrence", "endDate": "EndDateRecurrence", "numbered": "NumberedRecurrence"}
    element = add(parent, t(names[span["type"]]))
    add(element, t("StartDate"), span["startDate"])
    if span["type"] == "endDate":
        add(element, t("EndDate"), span["endDate"])
    elif span["type"] == "numbered":
        add(element, t("NumberOfOccurrences"), str(span["numberOfOccurrences"]))


def write_recurrence(seen: Seen, parent: Element, name: str) -> None:
    recurrence = patterned(seen.item.series) if seen.item.kind == MASTER else None
    if recurrence is not None:
        element = add(parent, t(name))
        _write_pattern(element, recurrence["pattern"], seen.shape.schema)
        _write_range(element, recurrence["range"])


def _write_occurrence(seen: Seen, parent: Element, name: str, item: Item) -> None:
    element = add(parent, t(name))
    key = ids.change_key(seen.mailbox, item.series)
    add(element, t("ItemId"), Id=ids.item_id(seen.mailbox, item), ChangeKey=key)
    add(element, t("Start"), moments.write(moments.start_of(item)))
    add(element, t("End"), moments.write(moments.end_of(item)))
    if item.slot is not None:
        add(element, t("OriginalStart"), moments.write(moments.slot_of(item, item.slot)))


def _ends(seen: Seen) -> bool:
    rules = every(seen.item.series.event or {}, "RRULE")
    return all("COUNT" in rule or "UNTIL" in rule for rule in rules)


def _first(seen: Seen, step: timedelta) -> Item | None:
    series = seen.item.series
    day_before = series.timing.start_at - timedelta(days=1)
    slots = sorted(series.slots(day_before, day_before + step), key=lambda slot: slot.at)
    return next((item for slot in slots if (item := seen.mailbox.at(series, slot.at)) is not None), None)


def write_first(seen: Seen, parent: Element, name: str) -> None:
    if seen.item.kind == MASTER:
        found = next((item for step in _STEPS if (item := _first(seen, step)) is not None), None)
        if found is not None:
            _write_occurrence(seen, parent, name, found)


def write_last(seen: Seen, parent: Element, name: str) -> None:
    """What has no end has no last one either."""
    if seen.item.kind != MASTER or not _ends(seen):
        return
    series = seen.item.series
    start = series.timing.start_at
    slots = series.slots(start - timedelta(days=1), start.replace(year=_END_OF_TIME, month=1, day=1))
    latest = sorted(slots, key=lambda slot: slot.at, reverse=True)
    found = next((item for slot in latest if (item := seen.mailbox.at(series, slot.at)) is not None), None)
    if found is not None:
        _write_occurrence(seen, parent, name, found)


def write_modified(seen: Seen, parent: Element, name: str) -> None:
    series = seen.item.series
    overrides = series.overrides if seen.item.kind == MASTER else ()
    found = [item for one in overrides if (item := seen.mailbox.at(series, one.slot_at)) is not None]
    if found:
        group = add(parent, t(name))
        for item in found:
            _write_occurrence(seen, group, "Occurrence", item)


def write_deleted(seen: Seen, parent: Element, name: str) -> None:
    if seen.item.kind != MASTER or not seen.item.series.excluded:
        return
    group = add(parent, t(name))
    for slot in sorted(seen.item.series.excluded):
        add(add(group, t("DeletedOccurrence")), t("Start"), moments.write(moments.slot_of(seen.item, slot)))
