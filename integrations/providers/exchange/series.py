"""The dates of a series, worked out from its rule, for servers that do not list them.

The rule's elements: https://learn.microsoft.com/exchange/client-developer/exchange-web-services/recurrence-patterns-and-ews.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from dateutil import rrule

from integrations.providers.exchange.library import TNS
from integrations.providers.exchange.reading import id_of, moment_of, text_of

_DAYS = {
    "Monday": rrule.MO,
    "Tuesday": rrule.TU,
    "Wednesday": rrule.WE,
    "Thursday": rrule.TH,
    "Friday": rrule.FR,
    "Saturday": rrule.SA,
    "Sunday": rrule.SU,
}
_WEEKDAYS, _WEEKEND = tuple(list(_DAYS.values())[:5]), tuple(list(_DAYS.values())[5:])
_GROUPS = {"Day": tuple(_DAYS.values()), "Weekday": _WEEKDAYS, "WeekendDay": _WEEKEND}
_INDEXES = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
# A series that goes on for ever is not followed for ever.
MOST_DATES = 100_000
_AN_HOUR_OR_SO = timedelta(minutes=90)
_STEPS = {rrule.DAILY: timedelta(days=1), rrule.WEEKLY: timedelta(weeks=1)}


@dataclass(frozen=True)
class Changed:
    """One date of a series that was changed on its own: the id of what it became, and when that is."""

    id: str
    slot: datetime
    start: datetime
    end: datetime


def slots(master: Any, zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[datetime]:
    """The instants (UTC) at which the series' rule lets it begin, up to ``until``, but for those taken out or changed.

    Some before ``since`` may be among them, so that a series of many years costs no more than one of some days. Rules
    run on the wall clock of ``zone``. Raises ``ValueError`` for a rule that nobody knows.
    """
    first = moment_of(text_of(master, "Start"))
    recurrence = master.find(f"{{{TNS}}}Recurrence")
    if first is None or recurrence is None:
        raise ValueError("no rule")
    wall = first.astimezone(zone).replace(tzinfo=None)
    gone = sorted([*_deleted(master), *(one.slot for one in changed(master))])
    rule = _rule(recurrence, wall)
    dates = rrule.rrule(dtstart=_near(since.astimezone(zone).replace(tzinfo=None), wall, rule), **rule)
    # An hour that a clock skips or repeats is read as the zone had it before the change.
    instants = (one.replace(tzinfo=zone).astimezone(UTC) for one in _limited(dates))
    return (one for one in takewhile(lambda one: one < until, instants) if not _is_among(one, gone))


def _near(since: datetime, wall: datetime, rule: dict[str, Any]) -> datetime:
    """The latest beginning that gives the same dates from ``since`` on."""
    if "count" in rule or rule["freq"] not in _STEPS:
        return wall
    step: timedelta = _STEPS[rule["freq"]] * rule["interval"]
    # Two steps less: one for the week that is not whole, one for an hour that a clock skips.
    return wall + step * max(0, (since - wall) // step - 2)


def changed(master: Any) -> list[Changed]:
    found = []
    for one in master.iterfind(f"{{{TNS}}}ModifiedOccurrences/{{{TNS}}}Occurrence"):
        slot = moment_of(text_of(one, "OriginalStart"))
        start, end = moment_of(text_of(one, "Start")), moment_of(text_of(one, "End"))
        if slot and start and end:
            found.append(Changed(id_of(one), slot, start, max(start, end)))
    return found


def _is_among(slot: datetime, others: Sequence[datetime]) -> bool:
    """Servers without a zone for it count an hour more or less over a change of summer time; no rule is so dense."""
    next_one = bisect_left(others, slot - _AN_HOUR_OR_SO)
    return next_one < len(others) and others[next_one] <= slot + _AN_HOUR_OR_SO


def _deleted(master: Any) -> Iterator[datetime]:
    for one in master.iterfind(f"{{{TNS}}}DeletedOccurrences/{{{TNS}}}DeletedOccurrence"):
        if slot := moment_of(text_of(one, "Start")):
            yield slot


def _limited(dates: Any) -> Iterator[datetime]:
    for number, one in enumerate(dates):
        if number >= MOST_DATES:
            return
        yield one


def _rule(recurrence: Any, wall: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in recurrence:
        name = part.tag.removeprefix(f"{{{TNS}}}")
        if name in _PATTERNS:
            found |= _PATTERNS[name](part)
        elif name == "EndDateRecurrence":
            found["until"] = datetime.combine(_date(text_of(part, "EndDate")), wall.time())
        elif name == "NumberedRecurrence":
            found["count"] = _number(part, "NumberOfOccurrences")
    if "freq" not in found:
        raise ValueError("no pattern")
    return found


def _date(text: str) -> date:
    return date.fromisoformat(text[:10])  # Exchange appends the zone: 2026-11-30Z


def _number(part: Any, name: str) -> int:
    value = int(text_of(part, name) or 1)
    if not 1 <= value <= 9999:
        raise ValueError(name)
    return value


def _named_days(part: Any) -> tuple[Any, ...]:
    names = text_of(part, "DaysOfWeek").split()
    if not names:  # dateutil would look for such a day up to the year 9999
        raise ValueError("no day")
    return tuple(day for name in names for day in _GROUPS.get(name) or (_DAYS[name],))


def _month(part: Any) -> int:
    return _MONTHS.index(text_of(part, "Month")) + 1


def _in_month(part: Any) -> dict[str, Any]:
    """A day of the month; a month that is too short for it has it on its last day."""
    day = _number(part, "DayOfMonth")
    return {"bymonthday": day} if day <= 28 else {"bymonthday": tuple(range(28, min(day, 31) + 1)), "bysetpos": -1}


def _relative(part: Any) -> dict[str, Any]:
    return {"byweekday": _named_days(part), "bysetpos": _INDEXES[text_of(part, "DayOfWeekIndex")]}


def _weekly(part: Any) -> dict[str, Any]:
    first = text_of(part, "FirstDayOfWeek") or "Sunday"  # the schema's default
    return {
        "freq": rrule.WEEKLY,
        "interval": _number(part, "Interval"),
        "byweekday": _named_days(part),
        "wkst": _DAYS[first],
    }


_PATTERNS: dict[str, Any] = {
    "DailyRecurrence": lambda part: {"freq": rrule.DAILY, "interval": _number(part, "Interval")},
    "WeeklyRecurrence": _weekly,
    "AbsoluteMonthlyRecurrence": lambda part: {
        "freq": rrule.MONTHLY,
        "interval": _number(part, "Interval"),
        **_in_month(part),
    },
    "RelativeMonthlyRecurrence": lambda part: {
        "freq": rrule.MONTHLY,
        "interval": _number(part, "Interval"),
        **_relative(part),
    },
    "AbsoluteYearlyRecurrence": lambda part: {"freq": rrule.YEARLY, "bymonth": _month(part), **_in_month(part)},
    "RelativeYearlyRecurrence": lambda part: {"freq": rrule.YEARLY, "bymonth": _month(part), **_relative(part)},
}
