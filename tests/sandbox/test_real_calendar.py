"""A real calendar of 77 series, as Graph lists it and as dateutil expands its raw rules, read here by other code."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from tests.sandbox.conftest import SignedIn

Row = tuple[str, str, str, str]


def _properties(event: str) -> list[tuple[str, str, str]]:
    """Name, TZID and value of each line."""
    found = [re.fullmatch(r"([A-Z-]+)((?:;[^:]*?(?:\"[^\"]*\")?[^:]*?)*):(.*)", line) for line in event.splitlines()]
    return [(m[1], (re.search(r"TZID=([^;:]+)", m[2]) or ["", ""])[1], m[3]) for m in found if m]


def _moment(zone: str, value: str) -> datetime:
    if len(value) == 8:  # all day: midnight to midnight, as Graph shows it in UTC
        value += "T000000"
    naive = datetime.strptime(value.rstrip("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007
    return naive.replace(tzinfo=ZoneInfo(zone) if zone else UTC)


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value)


def _rows(event: str, start: datetime, end: datetime) -> list[Row]:
    lines = _properties(event)
    (first,) = (_moment(zone, value) for name, zone, value in lines if name == "DTSTART")
    day = any(name == "DTSTART" and len(value) == 8 for name, _, value in lines)
    ends = [_moment(zone, value) for name, zone, value in lines if name == "DTEND"]
    length = ends[0] - first if ends else timedelta(days=1 if day else 0)
    words = {name: _plain(value) for name, _, value in lines}
    excluded = {_moment(zone, value).astimezone(UTC) for name, zone, value in lines if name == "EXDATE"}
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
        finish = begin + length
        if finish > start and begin < end:
            rows.append((f"{begin:%FT%T}", f"{finish:%FT%T}", words["SUMMARY"], words.get("LOCATION", "")))
    return rows


@pytest.mark.needs("real_calendars")
@pytest.mark.parametrize(
    ("first", "last", "count"),
    [("2026-10-24", "2027-11-23", 1412), ("2024-01-01", "2026-10-24", None), ("2026-11-22", "2027-02-21", None)],
)
def test_a_real_calendar_expands_exactly(ines: SignedIn, first: str, last: str, count: int | None) -> None:
    text = (Path(os.environ["SALLY_REAL_CALENDARS"]) / "rust-teams.ics").read_text()
    ines.sandbox.control("PUT", "mailboxes/ines@quay.example", text=text)
    start, end = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (first, last))
    unfolded = re.sub(r"\r?\n[ \t]", "", text)
    events = re.findall(r"BEGIN:VEVENT\r?\n(.*?)END:VEVENT", unfolded, re.DOTALL)
    expected = [row for event in events for row in _rows(event, start, end)]

    listed: list[Row] = []
    query = {"startDateTime": start.isoformat(), "endDateTime": end.isoformat(), "$top": "1000"}
    answer = ines.get("me/calendarView", query)
    while True:
        body = answer.json()
        listed += [
            (e["start"]["dateTime"][:19], e["end"]["dateTime"][:19], e["subject"], e["location"]["displayName"])
            for e in body["value"]
        ]
        if "@odata.nextLink" not in body:
            break
        answer = ines.get(body["@odata.nextLink"])

    assert len(events) == 77
    assert sorted(listed) == sorted(expected)
    assert count in (None, len(listed))
