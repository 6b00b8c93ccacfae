"""Sally never writes to a calendar: the sandbox's own log of a connection's whole life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from integrations.events import Window
from integrations.http import Session
from integrations.models import CalendarConnection
from integrations.providers import open_calendar
from integrations.providers.exchange import library
from integrations.providers.exchange.library import Operation
from integrations.providers.microsoft import GraphClient, GraphReader
from integrations.trail import Trail
from tests.conftest import INES, connect, connect_exchange
from tests.contracts import CALENDAR
from tests.sandbox_process import Sandbox


def test_nothing_but_get_and_batches_of_get_is_ever_sent_to_graph(as_alice: Client, microsoft: Sandbox) -> None:
    microsoft.control("POST", "settings", json={"access_token_seconds": 60})
    connection = connect(as_alice, microsoft)
    for _ in range(3):
        CalendarConnection.objects.update(next_sync_at=timezone.now())
        call_command("sync_calendars")
    as_alice.post(f"/settings/integrations/{connection.pk}/sync/")
    call_command("sync_calendars")
    client = open_calendar(CalendarConnection.objects.get(pk=connection.pk))
    now = datetime.now(UTC)
    listed = client.events(Window(now, now + timedelta(days=30)))
    client.fill(listed)
    client.find([one.id for one in listed])
    client.event(listed[0].id)
    assert connect(as_alice, microsoft).pk == connection.pk
    as_alice.post(f"/settings/integrations/{connection.pk}/disconnect/")
    sent = {
        (entry["method"], entry["via"], "$batch" in entry["path"])
        for entry in microsoft.log()
        if entry["path"].startswith("/v1.0/")
    }
    assert sent == {("GET", "direct", False), ("GET", "batch", False), ("POST", "direct", True)}


def test_nothing_but_reading_is_ever_asked_of_an_exchange_server(as_alice: Client, microsoft: Sandbox) -> None:
    microsoft.control("POST", "settings", json={"exchange_expand": False})  # which takes all that Sally can do
    connection = connect_exchange(as_alice, microsoft)
    for _ in range(3):
        CalendarConnection.objects.update(next_sync_at=timezone.now())
        call_command("sync_calendars")
    client = open_calendar(CalendarConnection.objects.get(pk=connection.pk))
    now = datetime.now(UTC)
    listed = client.events(Window(now, now + timedelta(days=30)))
    client.fill(listed)
    client.find([one.id for one in listed])
    client.event(listed[0].id)
    client.close()
    as_alice.post(f"/settings/integrations/{connection.pk}/disconnect/")
    sent = {str(entry["operation"]) for entry in microsoft.log() if "exchange" in str(entry["path"]).lower()}
    assert sent - {""} == {"ConvertId", "FindItem", "GetFolder", "GetItem", "SyncFolderItems"}


def test_no_operation_of_sallys_writes() -> None:
    """Each is a class of its own, so that none can be sent that is not here."""
    reading = {"ConvertId", "FindItem", "GetFolder", "GetItem", "ResolveNames", "SyncFolderItems"}
    found = {one.SERVICE_NAME for one in vars(library).values() if isinstance(one, type) and issubclass(one, Operation)}
    assert found - {None} == reading


def test_the_client_offers_nothing_that_writes() -> None:
    """Its public face is the seam, and what it holds can read only."""
    assert {name for name in vars(GraphClient) if not name.startswith("_")} == {
        "poll", "events", "fill", "event", "find", "close"
    }  # fmt: skip
    reader = GraphReader(Session(Trail()), lambda **_: "token")
    assert list(vars(GraphClient(reader)).values()) == [reader]
    assert {name for name in dir(reader) if not name.startswith("_")} == {"root", "get", "get_many", "found", "close"}


@pytest.mark.parametrize("gone", [True, False])
def test_the_mailbox_stays_as_it_was(microsoft: Sandbox, ines: CalendarConnection, gone: bool) -> None:
    microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
    before = microsoft.control("GET", f"mailboxes/{INES}")
    call_command("sync_calendars")
    if gone:
        ines.disconnect()
    assert microsoft.control("GET", f"mailboxes/{INES}") == before
