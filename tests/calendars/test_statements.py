"""How many SQL statements a sync costs: counted over the real flow, transaction control apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from calendars import sync
from calendars.models import DRAFT_FIELDS, Meeting
from integrations.models import CalendarConnection
from tests.conftest import INES, connect
from tests.sandbox_process import Sandbox

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
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
    """Those of one sync, from the claim on."""
    with CaptureQueriesContext(database) as captured:
        claimed, token = CalendarConnection.objects.filter(pk=connection.pk).idle(NOW).claim(NOW, limit=1)
        sync.run(connection.pk, token, clock=lambda: NOW)
    assert claimed
    connection.refresh_from_db()
    assert connection.failures == 0, connection.last_error
    texts = [query["sql"] for query in captured.captured_queries]
    return [text for text in texts if not text.startswith(CONTROL)]


def extra(rows: int) -> int:
    """What SQLite's limit of 999 parameters a statement adds to one bulk statement of ``rows`` meetings."""
    if database.vendor != "sqlite":
        return 0
    columns = len(DRAFT_FIELDS) + 4  # key, connection, created_at, updated_at
    return ceil(rows / (999 // columns)) - 1


@pytest.fixture
def connection(as_alice: Client, microsoft: Sandbox) -> CalendarConnection:
    microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(1000))
    return connect(as_alice, microsoft)


def test_a_first_sync_of_a_thousand_events_takes_twelve_statements_at_most(connection: CalendarConnection) -> None:
    found = statements(connection)
    assert Meeting.objects.count() == 1000
    assert len(found) <= 12 + extra(1000), "\n".join(text[:150] for text in found)


def test_a_sync_without_changes_takes_six_at_most(connection: CalendarConnection) -> None:
    statements(connection)
    found = statements(connection)
    assert len(found) <= 6, "\n".join(text[:150] for text in found)


def test_a_sync_that_changes_all_takes_twelve_at_most(connection: CalendarConnection, microsoft: Sandbox) -> None:
    statements(connection)
    microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(1000, "Renamed"))
    found = statements(connection)
    assert Meeting.objects.filter(subject__startswith="Renamed").count() == 1000
    assert len(found) <= 12 + extra(1000), "\n".join(text[:150] for text in found)


def test_a_sync_that_deletes_most_takes_twelve_at_most(connection: CalendarConnection, microsoft: Sandbox) -> None:
    statements(connection)
    microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(10))
    found = statements(connection)
    assert Meeting.objects.count() == 10
    assert len(found) <= 12 + extra(1000), "\n".join(text[:150] for text in found)


def test_an_idle_sync_of_a_thousand_events_is_one_request(connection: CalendarConnection, microsoft: Sandbox) -> None:
    statements(connection)
    microsoft.control("DELETE", "log")
    statements(connection)
    assert [(entry["method"], entry["path"]) for entry in microsoft.log()] == [("GET", "/v1.0/me/calendarView")]
