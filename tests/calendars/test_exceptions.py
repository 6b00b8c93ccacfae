"""A calendar of exceptions (exceptions.ics) through the whole flow: 30 rows, written out by hand from the file.

And the same through changes that somebody makes in Outlook, one sync later.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client

from calendars import sync
from calendars.models import Meeting
from integrations.models import CalendarConnection
from tests.conftest import INES, connect
from tests.sandbox_process import Sandbox

NOW = datetime(2027, 3, 1, 6, 0, tzinfo=UTC)  # the window: 2027-02-28 06:00 to 2027-05-30 06:00 UTC
FILE = Path(__file__).with_name("exceptions.ics")

# start, end (UTC, or dates with an exclusive end), subject, location, kind, cancelled
ROWS = [
    ("2027-03-01", "2027-03-02", "Inventory", "", "occurrence", False),
    ("2027-03-02 08:00", "2027-03-02 08:30", "Weekly", "Room 1", "occurrence", False),
    ("2027-03-05", "2027-03-06", "Home office", "", "occurrence", False),
    ("2027-03-08 15:00", "2027-03-08 15:15", "Daily", "", "occurrence", False),
    ("2027-03-09 15:00", "2027-03-09 15:15", "Daily", "", "occurrence", False),
    ("2027-03-10 11:00", "2027-03-10 12:00", "Every other Wednesday", "", "occurrence", False),
    ("2027-03-10 13:00", "2027-03-10 14:00", "Weekly, moved", "Room 9", "exception", False),
    ("2027-03-11 15:00", "2027-03-11 15:15", "Daily", "", "occurrence", False),
    ("2027-03-12 15:00", "2027-03-12 15:15", "Daily", "", "occurrence", False),
    # Summer time in New York from 14 March 2027.
    ("2027-03-15 14:00", "2027-03-15 14:15", "Daily", "", "occurrence", False),
    ("2027-03-16 08:00", "2027-03-16 08:30", "Canceled: Weekly", "Room 1", "exception", True),
    ("2027-03-16 14:00", "2027-03-16 14:15", "Daily", "", "occurrence", False),
    ("2027-03-17 12:30", "2027-03-17 12:45", "Daily", "", "exception", False),
    ("2027-03-18 14:00", "2027-03-18 14:15", "Daily", "Room 2", "exception", False),
    ("2027-03-19", "2027-03-20", "Home office", "", "exception", True),
    ("2027-03-19 14:00", "2027-03-19 14:15", "Daily", "", "occurrence", False),
    ("2027-03-24", "2027-03-27", "Fair", "Hamburg", "single", False),
    ("2027-03-24 11:00", "2027-03-24 12:00", "Every other Wednesday", "", "occurrence", False),
    ("2027-03-26", "2027-03-27", "Home office", "", "occurrence", False),
    # Summer time in Berlin from 28 March 2027.
    ("2027-03-30 07:00", "2027-03-30 07:30", "Weekly", "Room 1", "occurrence", False),
    ("2027-04-01 10:00", "2027-04-01 11:00", "Audit", "", "single", True),
    ("2027-04-06", "2027-04-08", "Inventory, two days", "", "exception", False),
    ("2027-04-06 07:00", "2027-04-06 07:30", "Weekly", "Room 1", "occurrence", False),
    ("2027-04-10 20:00", "2027-04-11 00:00", "Night shift", "", "single", False),
    ("2027-04-12 03:15", "2027-04-12 04:15", "Kathmandu", "", "single", False),
    ("2027-04-19 22:30", "2027-04-19 23:30", "Lord Howe", "", "single", False),
    ("2027-05-03", "2027-05-04", "Inventory", "", "occurrence", False),
    ("2027-05-05 11:00", "2027-05-05 12:00", "Every other Wednesday", "", "occurrence", False),
    ("2027-05-06 16:00", "2027-05-06 17:00", "Moved into the window", "", "exception", False),
    ("2027-05-19 11:00", "2027-05-19 12:00", "Every other Wednesday", "", "occurrence", False),
]


@pytest.fixture
def connection(as_alice: Client, microsoft: Sandbox) -> CalendarConnection:
    microsoft.control("PUT", f"mailboxes/{INES}", text=FILE.read_text(encoding="utf-8"))
    connection = connect(as_alice, microsoft)
    run(connection)
    return connection


def run(connection: CalendarConnection) -> None:
    _, token = CalendarConnection.objects.idle(NOW).claim(NOW, limit=1)
    sync.run(connection.pk, token, clock=lambda: NOW)
    connection.refresh_from_db()
    assert connection.failures == 0, connection.last_error


def listed() -> list[tuple[str, str, str, str, str, bool]]:
    def shown(meeting: Meeting) -> tuple[str, str]:
        if meeting.start_date and meeting.end_date:
            return meeting.start_date.isoformat(), meeting.end_date.isoformat()
        return f"{meeting.start:%Y-%m-%d %H:%M}", f"{meeting.end:%Y-%m-%d %H:%M}"

    return sorted((*shown(one), one.subject, one.location, one.kind, one.cancelled) for one in Meeting.objects.all())


def change(sandbox: Sandbox, uid: str, occurrence: str | None = None, **fields: object) -> None:
    sandbox.control("POST", f"mailboxes/{INES}/change", json={"uid": uid, "occurrence": occurrence, **fields})


def test_the_list_equals_the_thirty_rows(connection: CalendarConnection) -> None:
    assert len(ROWS) == 30
    assert listed() == sorted(ROWS)


def test_an_occurrence_moved_in_outlook_is_the_same_meeting_after_the_next_sync(
    connection: CalendarConnection, microsoft: Sandbox
) -> None:
    before = Meeting.objects.get(original_start=datetime(2027, 3, 30, 7, 0, tzinfo=UTC)).pk
    change(microsoft, "weekly@exceptions", "2027-03-30T09:00:00+02:00",
           start="2027-03-31T16:00:00+02:00", end="2027-03-31T16:30:00+02:00")  # fmt: skip
    run(connection)
    moved = Meeting.objects.get(original_start=datetime(2027, 3, 30, 7, 0, tzinfo=UTC))
    assert (moved.pk, moved.start, moved.kind) == (before, datetime(2027, 3, 31, 14, 0, tzinfo=UTC), "exception")
    assert len(listed()) == 30


def test_a_deleted_occurrence_is_gone_and_the_others_stay(connection: CalendarConnection, microsoft: Sandbox) -> None:
    change(microsoft, "daily@exceptions", "2027-03-15T10:00:00-04:00", deleted=True)
    run(connection)
    assert listed() == sorted(row for row in ROWS if row[:1] != ("2027-03-15 14:00",))


def test_a_cancelled_event_stays_and_says_so(connection: CalendarConnection, microsoft: Sandbox) -> None:
    change(microsoft, "night@exceptions", cancelled=True)
    run(connection)
    assert Meeting.objects.get(ical_uid__contains="night").cancelled


def test_a_deleted_series_takes_all_its_occurrences_with_it(connection: CalendarConnection, microsoft: Sandbox) -> None:
    change(microsoft, "daily@exceptions", deleted=True)
    run(connection)
    assert listed() == sorted(row for row in ROWS if row[2] != "Daily")


def test_a_moved_single_event_is_the_same_meeting(connection: CalendarConnection, microsoft: Sandbox) -> None:
    before = Meeting.objects.get(subject="Kathmandu").pk
    change(microsoft, "kathmandu@exceptions", start="2027-04-13T09:00:00+05:45", end="2027-04-13T10:00:00+05:45")
    run(connection)
    moved = Meeting.objects.get(subject="Kathmandu")
    assert (moved.pk, moved.start) == (before, datetime(2027, 4, 13, 3, 15, tzinfo=UTC))


def test_an_event_moved_out_of_the_window_is_gone(connection: CalendarConnection, microsoft: Sandbox) -> None:
    change(microsoft, "night@exceptions", start="2027-09-10T22:00:00+02:00", end="2027-09-11T02:00:00+02:00")
    run(connection)
    assert not Meeting.objects.filter(subject="Night shift").exists()


def test_a_new_event_appears(connection: CalendarConnection, microsoft: Sandbox) -> None:
    microsoft.control(
        "POST", f"mailboxes/{INES}/events",
        json={"subject": "New", "start": "2027-03-03T10:00:00+01:00", "end": "2027-03-03T11:00:00+01:00",
              "join_url": "https://teams.microsoft.com/l/meetup-join/new"},
    )  # fmt: skip
    run(connection)
    new = Meeting.objects.get(subject="New")
    assert (new.start, new.join_url, new.service) == (
        datetime(2027, 3, 3, 9, 0, tzinfo=UTC),
        "https://teams.microsoft.com/l/meetup-join/new",
        "teams",
    )
    assert new.end - new.start == timedelta(hours=1)


def test_an_event_that_becomes_private_leaves(connection: CalendarConnection, microsoft: Sandbox) -> None:
    change(microsoft, "kathmandu@exceptions", private=True)
    run(connection)
    assert not Meeting.objects.filter(subject="Kathmandu").exists()
    assert connection.private_left_out == 1
