"""What a real calendar shows in a window: its raw rules expanded by dateutil, read by other code than the sandbox's."""

import os
import re
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

Row = tuple[str, str, str, str]


def _properties(event: str) -> list[tuple[str, str, str]]:
    """Name, TZID and value of each line."""
    found = [re.fullmatch(r"([A-Z-]+)((?:;[^:]*?(?:\"[^\"]*\")?[^:]*?)*):(.*)", line) for line in event.splitlines()]
    return [(m[1], (re.search(r"TZID=([^;:]+)", m[2]) or ["", ""])[1], m[3]) for m in found if m]


def _moment(zone: str, value: str, day_zone: tzinfo = UTC) -> datetime:
    if len(value) == 8:  # all day: midnight to midnight
        return datetime.strptime(value, "%Y%m%d").replace(tzinfo=day_zone)
    naive = datetime.strptime(value.rstrip("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007
    return naive.replace(tzinfo=ZoneInfo(zone) if zone else UTC)


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value)


def _rows(event: str, start: datetime, end: datetime, day_zone: tzinfo, at_start: bool) -> list[Row]:
    lines = _properties(event)
    (first,) = (_moment(zone, value, day_zone) for name, zone, value in lines if name == "DTSTART")
    day = any(name == "DTSTART" and len(value) == 8 for name, _, value in lines)
    ends = [_moment(zone, value, day_zone) for name, zone, value in lines if name == "DTEND"]
    length = ends[0] - first if ends else timedelta(days=1 if day else 0)
    words = {name: _plain(value) for name, _, value in lines}
    excluded = {_moment(zone, value, day_zone).astimezone(UTC) for name, zone, value in lines if name == "EXDATE"}
    starts = {first}
    for rule in (value for name, _, value in lines if name == "RRULE"):
        # On the wall clock, where dateutil needs no zone: UNTIL comes along, everything else is on it already.
        until = re.search(r"UNTIL=(\d+T\d+)Z", rule)
        local = _moment("", until[1]).astimezone(first.tzinfo).strftime("%Y%m%dT%H%M%S") if until else ""
        on_the_wall = re.sub(r"UNTIL=\d+T\d+Z", f"UNTIL={local}", rule)
        days = end.replace(tzinfo=None) + timedelta(days=2)
        for wall in rrulestr(on_the_wall, dtstart=first.replace(tzinfo=None)).xafter(
            first.replace(tzinfo=None), inc=True
        ):
            if wall > days:
                break
            starts.add(wall.replace(tzinfo=first.tzinfo))
    rows = []
    for begin in {moment.astimezone(UTC) for moment in starts} - excluded:
        # On the wall clock, on which a day is a day whatever the clocks do.
        finish = (begin.astimezone(first.tzinfo) + length).astimezone(UTC) if day else begin + length
        if (finish >= start if at_start else finish > start) and begin < end:
            rows.append((f"{begin:%FT%T}", f"{finish:%FT%T}", words["SUMMARY"], words.get("LOCATION", "")))
    return rows


def vevents(text: str) -> list[str]:
    """The lines of each VEVENT, unfolded."""
    unfolded = re.sub(r"\r?\n[ \t]", "", text)
    return re.findall(r"BEGIN:VEVENT\r?\n(.*?)END:VEVENT", unfolded, re.DOTALL)


def expand(
    text: str, start: datetime, end: datetime, *, day_zone: tzinfo = UTC, ended_at_start: bool = False
) -> list[Row]:
    """Start, end (UTC), subject and location of all that the window shows.

    Days are those of ``day_zone``: Graph shows them in UTC, Exchange in the mailbox's own zone. Exchange also shows
    what ended at the very start (``ended_at_start``).
    """
    return [row for event in vevents(text) for row in _rows(event, start, end, day_zone, ended_at_start)]


def rust_teams() -> str:
    """The calendar of the Rust project's teams: 77 series."""
    return (Path(os.environ["SALLY_REAL_CALENDARS"]) / "rust-teams.ics").read_text()
