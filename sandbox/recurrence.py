"""An RRULE as Graph's ``patternedRecurrence``; of several rules it shows the first, since Exchange has room for one."""

from datetime import date, datetime
from typing import Any

from sandbox.ics import Series, every
from sandbox.zones import windows_name

_DAYS = {
    "MO": "monday",
    "TU": "tuesday",
    "WE": "wednesday",
    "TH": "thursday",
    "FR": "friday",
    "SA": "saturday",
    "SU": "sunday",
}
_INDEXES = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "last", -1: "last"}


def _days(rule: Any, start: date) -> list[str]:
    named = [_DAYS[str(day)[-2:]] for day in rule.get("BYDAY", [])]
    return named or [list(_DAYS.values())[start.weekday()]]


def _index(rule: Any) -> str | None:
    days = [str(day) for day in rule.get("BYDAY", [])]
    number = days[0][:-2] if days else ""
    if number.lstrip("+-").isdigit():
        return _INDEXES.get(int(number))
    positions = rule.get("BYSETPOS", [])
    return _INDEXES.get(int(positions[0])) if positions and days else None


def _kind(rule: Any) -> str:
    frequency = str(rule.get("FREQ", ["DAILY"])[0]).upper()
    if frequency in ("MONTHLY", "YEARLY"):
        return ("relative" if _index(rule) else "absolute") + frequency.title()
    return "weekly" if frequency == "WEEKLY" else "daily"


def _pattern(rule: Any, start: date) -> dict[str, Any]:
    kind = _kind(rule)
    month_days = rule.get("BYMONTHDAY", [])
    months = rule.get("BYMONTH", [])
    monthly = kind.startswith("absolute")
    return {
        "type": kind,
        "interval": int(rule.get("INTERVAL", [1])[0]),
        "month": (int(months[0]) if months else start.month) if kind.endswith("Yearly") else 0,
        "dayOfMonth": (int(month_days[0]) if month_days else start.day) if monthly else 0,
        "daysOfWeek": _days(rule, start) if kind == "weekly" or kind.startswith("relative") else [],
        "firstDayOfWeek": _DAYS[str(rule.get("WKST", ["MO"])[0])],
        "index": _index(rule) or "first",
    }


def _range(rule: Any, series: Series, start: date) -> dict[str, Any]:
    count, until = rule.get("COUNT"), rule.get("UNTIL")
    last = until[0] if until else None
    return {
        "type": "numbered" if count else "endDate" if until else "noEnd",
        "startDate": start.isoformat(),
        "endDate": (last.date() if isinstance(last, datetime) else last).isoformat() if last else "0001-01-01",
        "recurrenceTimeZone": windows_name(series.timing.zone_name),
        "numberOfOccurrences": int(count[0]) if count else 0,
    }


def patterned(series: Series) -> dict[str, Any] | None:
    rules = every(series.event or {}, "RRULE")
    if not rules:
        return None
    start = series.timing.start
    day = start.date() if isinstance(start, datetime) else start
    return {"pattern": _pattern(rules[0], day), "range": _range(rules[0], series, day)}
