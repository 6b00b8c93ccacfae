"""After an outage: nothing is missing, and the person reads from when to when Sally could not see their calendar."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from calendars.models import Meeting
from integrations.errors import Unavailable
from integrations.events import Changed
from integrations.models import CalendarConnection
from tests.calendars.test_sync import NOW, connection, hours, run
from tests.memory import MemoryClient, event

__all__ = ["connection"]  # a fixture
SENTENCE = "Sally could not see your calendar ines@quay.example from {} to {}."


def outage(connection: CalendarConnection, client: MemoryClient, length: float) -> None:
    """A sync now, failures meanwhile, and one that works after ``length`` hours."""
    run(connection, client)
    client.errors = [Unavailable()]
    run(connection, client, hours(length / 2))
    CalendarConnection.objects.update(not_before=None)
    run(connection, client, hours(length))


def test_what_changed_meanwhile_is_found_however_long_it_took(
    connection: CalendarConnection, settings: Settings
) -> None:
    settings.SYNC_DAYS_BACK = 1
    client = MemoryClient(event("old", hours(2), subject="Before"))
    run(connection, client)
    client.put(event("old", hours(5), subject="Moved while nobody looked"))
    run(connection, client, hours(20 * 24))
    assert Meeting.objects.get().subject == "Moved while nobody looked"


@pytest.mark.parametrize("length", [1.0, 7.0, 24.0 * 20])
def test_it_is_kept_from_when_to_when(connection: CalendarConnection, length: float) -> None:
    outage(connection, MemoryClient(), length)
    assert (connection.unseen_from, connection.unseen_until) == (NOW, hours(length))


def test_a_hiccup_is_none(connection: CalendarConnection) -> None:
    outage(connection, MemoryClient(), 0.5)
    assert connection.unseen_until is None


def test_rarer_syncs_are_none_either(connection: CalendarConnection, settings: Settings) -> None:
    for minutes in (120, 720, 1440):
        settings.SYNC_EVERY = minutes
        outage(connection, MemoryClient(), minutes / 60 * 1.1 + 0.4)
        assert connection.unseen_until is None
        CalendarConnection.objects.update(last_seen_at=None)


def test_nor_is_a_calendar_that_says_it_did_not_change(connection: CalendarConnection) -> None:
    client = MemoryClient()
    client.cursors = ["1"] * 9
    run(connection, client)
    client.changed = Changed.NO
    for number in range(1, 9):
        run(connection, client, NOW + timedelta(minutes=5 * number))
    client.changed = Changed.UNKNOWN
    run(connection, client, NOW + timedelta(minutes=45))
    assert connection.unseen_until is None


def test_the_first_read_is_none(connection: CalendarConnection) -> None:
    run(connection, MemoryClient(), hours(50))
    assert connection.unseen_until is None


def test_both_pages_say_it_for_three_days(connection: CalendarConnection, as_alice: Client) -> None:
    outage(connection, MemoryClient(), 7)
    sentence = SENTENCE.format("23 November 2026, 13:00", "23 November 2026, 20:00")
    for path in ("/settings/integrations/", "/meetings/"):
        with time_machine.travel(hours(8), tick=False):
            as_alice.force_login(connection.owner)
            assert sentence in as_alice.get(path).content.decode()
        with time_machine.travel(hours(7 + 73), tick=False):
            as_alice.force_login(connection.owner)
            assert sentence not in as_alice.get(path).content.decode()


@pytest.mark.parametrize(("days", "whole"), [(29, True), (31, False)])
def test_that_all_is_here_now_is_said_only_where_it_is_so(
    connection: CalendarConnection, as_alice: Client, days: int, whole: bool
) -> None:
    """No sync looks back further than meetings are kept."""
    outage(connection, MemoryClient(), 24.0 * days)
    with time_machine.travel(hours(24 * days + 1), tick=False):
        as_alice.force_login(connection.owner)
        page = as_alice.get("/settings/integrations/").content.decode()
    assert "Sally could not see your calendar" in page
    assert ("What changed in between is here now." in page) is whole


def test_the_open_page_learns_of_it_by_itself(connection: CalendarConnection, as_alice: Client) -> None:
    run(connection, MemoryClient())
    before = connection.appearance
    with time_machine.travel(hours(8), tick=False):
        run(connection, MemoryClient(), hours(7))
        assert connection.appearance != before
