"""A real calendar through the whole flow: what Sally lists equals the file, expanded here by other means.

The sandbox expands with recurring-ical-events; this expansion uses python-dateutil on the raw rules and a reader of
iCalendar that is written out below, so neither Sally nor the sandbox is asked what is right.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from django.core.management import call_command
from django.test import Client

from calendars import sync
from calendars.models import Meeting
from integrations.models import CalendarConnection, SyncOption
from tests.conftest import INES, INES_AT_HOME, connect, connect_exchange
from tests.connecting import PERSONAL
from tests.sandbox_process import Sandbox

Row = tuple[datetime, datetime, str, str, str]
# The file's README: its join links stand in LOCATION, on Google Meet, Jitsi or Zoom, and are all that stands there.
LINK = re.compile(r"https://(?:meet\.google\.com|meet\.jit\.si|[\w.]+\.zoom\.us/j)/\S+")


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], text).strip()


def entries(text: str) -> Iterator[dict[str, list[tuple[str, str]]]]:
    """Each VEVENT as property name -> [(parameters, value)]."""
    lines = re.sub(r"\r?\n[ \t]", "", text).splitlines()
    entry: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        if line == "BEGIN:VEVENT":
            entry = {}
        elif line == "END:VEVENT":
            yield entry
        else:
            head, _, value = line.partition(":")
            name, _, parameters = head.partition(";")
            entry.setdefault(name, []).append((parameters, value))


def moment(parameters: str, value: str) -> datetime:
    if len(value) == 8:  # a date: an all-day event, kept as midnight UTC
        return datetime.strptime(value, "%Y%m%d").replace(tzinfo=UTC)
    if value.endswith("Z"):
        return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    zone = re.search(r"TZID=([^;:]+)", parameters)
    return datetime.strptime(value, "%Y%m%dT%H%M%S").replace(tzinfo=ZoneInfo(zone[1] if zone else "UTC"))


def starts(entry: dict[str, list[tuple[str, str]]], until: datetime) -> set[datetime]:
    """All starts up to ``until``, in UTC: each rule runs on the wall clock of the entry's zone (RFC 5545, 3.3.10)."""
    first = moment(*entry["DTSTART"][0])
    zone = first.tzinfo
    found = set()
    if "RRULE" not in entry:
        found.add(first)
    for _, text in entry.get("RRULE", []):
        # dateutil wants UNTIL without a zone when the start has none: put it on the same wall clock.
        text = re.sub(
            r"UNTIL=(\d{8}T\d{6}Z)",
            lambda match: f"UNTIL={moment('', match[1]).astimezone(zone):%Y%m%dT%H%M%S}",
            text,
        )
        rule = rrulestr(text, dtstart=first.replace(tzinfo=None))
        wall = rule.between(first.replace(tzinfo=None), until.astimezone(zone).replace(tzinfo=None), inc=True)
        found |= {one.replace(tzinfo=zone) for one in wall}
    excluded = {moment(*one).astimezone(UTC) for one in entry.get("EXDATE", [])}
    return {one.astimezone(UTC) for one in found} - excluded


def expansion(text: str, begin: datetime, end: datetime) -> list[Row]:
    rows = []
    for entry in entries(text):
        length = timedelta(days=1)  # of a date without an end (RFC 5545, 3.6.1)
        if "DTEND" in entry:
            length = moment(*entry["DTEND"][0]).astimezone(UTC) - moment(*entry["DTSTART"][0]).astimezone(UTC)
        subject = unescaped(entry["SUMMARY"][0][1])
        place = unescaped(entry.get("LOCATION", [("", "")])[0][1])
        rows += [
            (start, start + length, subject, place, place if LINK.fullmatch(place) else "")
            for start in starts(entry, end)
            if start < end and start + length > begin
        ]
    return sorted(rows)


def listed() -> list[Row]:
    return sorted(Meeting.objects.values_list("start", "end", "subject", "location", "join_url"))


@pytest.fixture
def text() -> str:
    return (Path(os.environ["SALLY_REAL_CALENDARS"]) / "rust-teams.ics").read_text(encoding="utf-8")


# Each door, and a server behind the third one that leaves the dates of series to its clients.
DOORS = ["microsoft-work", "microsoft-personal", "exchange", "exchange without dates"]


@pytest.fixture(params=DOORS)
def connection(request: pytest.FixtureRequest, as_alice: Client, microsoft: Sandbox, text: str) -> CalendarConnection:
    email = INES_AT_HOME if request.param == PERSONAL else INES
    microsoft.control("PUT", f"mailboxes/{email}", text=text)
    if request.param.startswith("exchange"):
        microsoft.control("POST", "settings", json={"exchange_expand": request.param == "exchange"})
        return connect_exchange(as_alice, microsoft)
    return connect(as_alice, microsoft, email, tile=request.param)


@pytest.mark.needs("real_calendars")
def test_sallys_list_equals_the_file(connection: CalendarConnection, text: str) -> None:
    call_command("sync_calendars")
    connection.refresh_from_db()
    assert connection.last_synced_at
    window = sync.window_of(CalendarConnection(), connection.last_synced_at)
    expected = expansion(text, window.start, window.end)
    assert len(expected) > 300
    assert listed() == expected
    assert connection.meeting_count == len(expected)
    assert len({link for *_, link in expected if link}) > 10


@pytest.mark.needs("real_calendars")
def test_with_only_online_meetings_sallys_list_equals_those_of_the_file_with_a_link(
    connection: CalendarConnection, text: str
) -> None:
    connection.set_option(SyncOption.ONLY_ONLINE, True)
    call_command("sync_calendars")
    connection.refresh_from_db()
    assert connection.last_synced_at
    window = sync.window_of(CalendarConnection(), connection.last_synced_at)
    expected = expansion(text, window.start, window.end)
    online = [row for row in expected if row[4]]
    assert listed() == online
    assert (connection.meeting_count, connection.offline_left_out) == (len(online), len(expected) - len(online))


@pytest.mark.needs("real_calendars")
def test_the_file_expands_to_the_number_its_description_names(text: str) -> None:
    """1,412 occurrences between 2026-10-24 and 2027-11-23, says the file's README: a check on this test's expansion."""
    begin, end = datetime(2026, 10, 24, tzinfo=UTC), datetime(2027, 11, 23, tzinfo=UTC)
    assert abs(len(expansion(text, begin, end)) - 1412) <= 1


@pytest.mark.needs("real_calendars")
def test_reading_it_again_changes_nothing(connection: CalendarConnection) -> None:
    call_command("sync_calendars")
    before = set(Meeting.objects.values_list("pk", "updated_at"))
    CalendarConnection.objects.update(next_sync_at=datetime.now(UTC) - timedelta(minutes=1))
    call_command("sync_calendars")
    assert set(Meeting.objects.values_list("pk", "updated_at")) == before
