"""How many SQL statements a sync costs: counted over the real flow, transaction control apart."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calendars import tasks
from calendars.models import Meeting
from integrations.models import CalendarConnection, SyncOption
from tests.conftest import INES, connect
from tests.sandbox_process import Sandbox

NOW = timezone.now().replace(microsecond=0) + timedelta(hours=1)
CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


def calendar(number: int, prefix: str = "Number") -> str:
    """Single events, one every two hours from ``NOW`` on."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//statements//EN"]
    for one in range(number):
        start = NOW + timedelta(hours=2 * one)
        lines += ["BEGIN:VEVENT", f"UID:{one}@statements", "DTSTAMP:20261001T000000Z"]
        lines += [f"DTSTART:{start:%Y%m%dT%H%M%SZ}", "DURATION:PT1H", f"SUMMARY:{prefix} {one}", "END:VEVENT"]
    return "\n".join([*lines, "END:VCALENDAR", ""])


def statements(connection: CalendarConnection) -> list[str]:
    """Those of one task. The claim before it is the dispatch's: two statements for up to 200 connections."""
    CalendarConnection.objects.update(next_sync_at=timezone.now())
    tasks.dispatch_due()
    connection.refresh_from_db()
    with CaptureQueriesContext(database) as captured:
        tasks.sync_connection(str(connection.pk), str(connection.lease_token))
    connection.refresh_from_db()
    assert connection.failures == 0, connection.last_error
    assert connection.last_synced_at is not None
    texts = [query["sql"] for query in captured.captured_queries]
    return [text for text in texts if not text.startswith(CONTROL)]


def extra(rows: int) -> int:
    """What SQLite's limit of 999 parameters a statement adds to one bulk statement of ``rows`` meetings.

    A meeting that changed has 36 parameters, so 27 fit into a statement.
    """
    return ceil(rows / 27) - 1 if database.vendor == "sqlite" else 0


@pytest.fixture
def connection(as_alice: Client, microsoft: Sandbox) -> CalendarConnection:
    microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(1000))
    return connect(as_alice, microsoft)


def test_a_first_sync_of_a_thousand_events_takes_fourteen_statements_at_most(connection: CalendarConnection) -> None:
    found = statements(connection)
    assert Meeting.objects.count() == 1000
    assert len(found) <= 14 + extra(1000), "\n".join(text[:150] for text in found)


def test_a_sync_without_changes_takes_six_at_most(connection: CalendarConnection) -> None:
    statements(connection)
    found = statements(connection)
    assert len(found) <= 6, "\n".join(text[:150] for text in found)


def test_a_sync_that_changes_all_takes_fourteen_at_most(connection: CalendarConnection, microsoft: Sandbox) -> None:
    statements(connection)
    microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(1000, "Renamed"))
    found = statements(connection)
    assert Meeting.objects.filter(subject__startswith="Renamed").count() == 1000
    assert len(found) <= 14 + extra(1000), "\n".join(text[:150] for text in found)


def test_a_sync_that_deletes_most_takes_fourteen_at_most(connection: CalendarConnection, microsoft: Sandbox) -> None:
    statements(connection)
    microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(10))
    found = statements(connection)
    assert Meeting.objects.count() == 10
    assert len(found) <= 14 + extra(1000), "\n".join(text[:150] for text in found)


def test_an_idle_sync_of_a_thousand_events_is_one_request(connection: CalendarConnection, microsoft: Sandbox) -> None:
    statements(connection)
    microsoft.control("DELETE", "log")
    statements(connection)
    assert [(entry["method"], entry["path"]) for entry in microsoft.log()] == [("GET", "/v1.0/me/calendarView")]


def test_with_only_online_meetings_a_sync_without_changes_takes_six_too(
    connection: CalendarConnection, microsoft: Sandbox
) -> None:
    """One more to know again what was left out, one less for the meetings that are not there."""
    connection.set_option(SyncOption.ONLY_ONLINE, True)
    statements(connection)
    assert (Meeting.objects.count(), CalendarConnection.objects.get().offline_left_out) == (0, 1000)
    microsoft.control("DELETE", "log")
    found = statements(connection)
    assert len(found) <= 6, "\n".join(text[:150] for text in found)
    assert len(microsoft.log()) == 1
