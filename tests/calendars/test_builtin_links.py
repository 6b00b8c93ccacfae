"""Where links hide in the sandbox's built-in calendar, through real msal and requests: each meeting, written out."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.utils import timezone

from calendars.models import Meeting
from integrations.models import CalendarConnection
from tests.sandbox_process import Sandbox

# subject, service, where the link was found
LINKS = [
    ("Stand-up, quay works", "teams", "field"),
    ("1:1 Ines and Tomas", "teams", "field"),
    ("Crane schedule", "zoom", "location"),
    ("Safety walk", "", ""),
    ("Stocktaking, store 7", "", ""),
    ("Tender for the north mole", "teams", "field"),
    ("Survey results", "meet", "location"),
    ("Diving inspection, berth 4", "zoom", "body"),  # rewritten by SafeLinks
    ("Insurance renewal", "webex", "location"),
    ("Mooring lines: offers", "meet", "body"),
    ("Ferry terminal: opening hours", "", ""),
    ("First aid course", "", ""),
    ("Canceled: Audit, first meeting", "zoom", "location"),
    ("Harbour fair", "", ""),
    ("Hand over the keys", "", ""),
    ('<b>Q4</b> & "plans"', "teams", "field"),
]


@pytest.fixture
def read(ines: CalendarConnection, microsoft: Sandbox) -> CalendarConnection:
    call_command("sync_calendars")
    ines.refresh_from_db()
    assert ines.failures == 0
    return ines


def test_every_link_is_found_where_it_is(read: CalendarConnection) -> None:
    found = set(Meeting.objects.values_list("subject", "service", "link_source"))
    assert set(LINKS) <= found
    assert {one for one in found if one[0] in {row[0] for row in LINKS}} == set(LINKS)
    diving = Meeting.objects.get(subject="Diving inspection, berth 4")
    assert diving.join_url == "https://us02web.zoom.us/j/84512345678?pwd=aGFyYm91ci1hbmQtcXVheQ.1"


def test_bodies_are_asked_for_once_and_a_series_by_one(read: CalendarConnection, microsoft: Sandbox) -> None:
    """Only of what shows no link. "Safety walk" has several occurrences in the window: its master is asked for."""
    assert Meeting.objects.filter(subject="Safety walk").count() > 1
    asked = [entry["path"] for entry in microsoft.log() if entry["via"] == "batch"]
    without = Meeting.objects.exclude(link_source__in=("field", "location"))
    sources = {one.series_id if one.kind == "occurrence" else one.external_id for one in without}
    assert len(asked) == len(set(asked)) == len(sources)
    microsoft.control("DELETE", "log")
    CalendarConnection.objects.update(next_sync_at=timezone.now())
    call_command("sync_calendars")
    assert [entry["via"] for entry in microsoft.log() if entry["path"].startswith("/v1.0/")] == ["direct"]
