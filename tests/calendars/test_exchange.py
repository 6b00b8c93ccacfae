"""Syncs with an Exchange server, through the whole flow: what they cost, how failures end, what never happens again.

Costs are counted in EWS operations at the sandbox, which logs every request, and every login that it had to verify.
"""

from __future__ import annotations

import gc
import logging
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from calendars import sync, tasks
from calendars.models import Meeting
from integrations import upkeep
from integrations.accounts import SignedIn
from integrations.models import CalendarConnection, SyncOption
from sally.models import User
from tests.conftest import INES, connect_exchange
from tests.sandbox_process import Sandbox

Status = CalendarConnection.Status
NOW = timezone.now().replace(microsecond=0) + timedelta(hours=1)


def calendar(number: int, *, every: timedelta, word: str = "Number") -> str:
    """Single events from ``NOW`` on."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//exchange//EN"]
    for one in range(number):
        start = NOW + every * one
        lines += ["BEGIN:VEVENT", f"UID:{one}@exchange", "DTSTAMP:20261001T000000Z"]
        lines += [f"DTSTART:{start:%Y%m%dT%H%M%SZ}", "DURATION:PT20M", f"SUMMARY:{word} {one}", "END:VEVENT"]
    return "\n".join([*lines, "END:VCALENDAR", ""])


@pytest.fixture
def connection(as_alice: Client, microsoft: Sandbox) -> CalendarConnection:
    return connect_exchange(as_alice, microsoft)


def sync_once(connection: CalendarConnection, now: datetime | None = None) -> CalendarConnection:
    """As the schedule does it."""
    now = now or timezone.now()
    CalendarConnection.objects.filter(pk=connection.pk, status__in=CalendarConnection.AT_WORK).update(next_sync_at=now)
    claimed, token = CalendarConnection.objects.filter(pk=connection.pk).due(now).claim(now, limit=1)
    for pk in claimed:
        sync.run(pk, token, clock=lambda: now)
    connection.refresh_from_db()
    return connection


class TestWhatItCosts:
    def test_a_first_sync_of_3000(self, microsoft: Sandbox, connection: CalendarConnection) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(3000, every=timedelta(minutes=40)))
        microsoft.control("DELETE", "log")
        for _ in range(20):
            sync_once(connection)
            if not Meeting.objects.filter(version="").exists() and Meeting.objects.count() == 3000:
                break
        found = microsoft.operations()
        assert Meeting.objects.count() == 3000
        assert Meeting.objects.exclude(version="").count() == 3000
        assert found.total() <= 3000 / 100 + 12, found

    def test_then_nothing_changed_of_900(self, microsoft: Sandbox, connection: CalendarConnection) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(900, every=timedelta(hours=2)))
        for _ in range(3):
            sync_once(connection)
        microsoft.control("DELETE", "log")
        later = timezone.now() + timedelta(minutes=5)
        sync_once(connection, later)
        assert (connection.status, connection.looked_at) == (Status.CONNECTED, later)
        assert microsoft.operations() == {"SyncFolderItems": 1}

    def test_ten_changed_of_900(self, microsoft: Sandbox, connection: CalendarConnection) -> None:
        text = calendar(900, every=timedelta(hours=2))
        microsoft.control("PUT", f"mailboxes/{INES}", text=text)
        for _ in range(3):
            sync_once(connection)
        for one in range(10):
            change = {"uid": f"{90 * one}@exchange", "subject": f"Changed {one}"}
            microsoft.control("POST", f"mailboxes/{INES}/change", json=change)
        microsoft.control("DELETE", "log")
        sync_once(connection)
        assert Meeting.objects.filter(subject__startswith="Changed").count() == 10
        assert microsoft.operations().total() <= 4, microsoft.operations()

    def test_the_meetings_do_not_wait_for_the_walk(self, microsoft: Sandbox, connection: CalendarConnection) -> None:
        microsoft.control("POST", "settings", json={"exchange_sync_limit": 10})
        microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(200, every=timedelta(hours=2)))
        microsoft.control("DELETE", "log")
        sync_once(connection)
        assert Meeting.objects.count() == 200
        assert microsoft.operations()["SyncFolderItems"] == 1


class TestChanges:
    def test_what_changes_in_outlook_changes_here(self, microsoft: Sandbox, connection: CalendarConnection) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(3, every=timedelta(hours=2)))
        sync_once(connection)
        sync_once(connection)
        start = (NOW + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
        end = (NOW + timedelta(days=3, hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        microsoft.control("POST", f"mailboxes/{INES}/change", json={"uid": "0@exchange", "start": start, "end": end})
        microsoft.control("POST", f"mailboxes/{INES}/change", json={"uid": "1@exchange", "deleted": True})
        microsoft.control("POST", f"mailboxes/{INES}/change", json={"uid": "2@exchange", "private": True})
        sync_once(connection)
        assert [(one.subject, one.start) for one in Meeting.objects.all()] == [("Number 0", NOW + timedelta(days=3))]
        assert connection.private_left_out == 1

    def test_a_moved_mailbox_keeps_its_meetings(self, microsoft: Sandbox, connection: CalendarConnection) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(5, every=timedelta(hours=2)))
        sync_once(connection)
        sync_once(connection)
        before = set(Meeting.objects.values_list("pk", "subject"))
        ids = set(Meeting.objects.values_list("external_id", flat=True))
        microsoft.control("POST", "settings", json={"exchange_moved": 1})
        sync_once(connection)  # the state of before is not known any more
        assert connection.last_error_kind == "CursorExpired"
        sync_once(connection)
        assert set(Meeting.objects.values_list("pk", "subject")) == before
        assert not ids & set(Meeting.objects.values_list("external_id", flat=True))


# What the server does, and what becomes of the connection: class, state, code, and whether it is tried again.
FAILURES = [
    ({"exchange_answer": "html"}, "Unavailable", Status.CONNECTED, "EWS-PAGE"),
    ({"exchange_answer": "redirect"}, "Unavailable", Status.CONNECTED, "EWS-REDIRECT"),
    ({"exchange_answer": "404"}, "Unavailable", Status.CONNECTED, "EWS-404"),
    ({"exchange_answer": "403"}, "Unavailable", Status.CONNECTED, "EWS-403"),
    ({"exchange_answer": "503"}, "RateLimited", Status.CONNECTED, "EWS-BUSY"),
    ({"exchange_answer": "busy"}, "RateLimited", Status.CONNECTED, "EWS-BUSY"),
    ({"exchange_answer": "cas"}, "Unavailable", Status.CONNECTED, "EWS-CAS"),
    ({"exchange_answer": "ErrorMailboxMoveInProgress"}, "Unavailable", Status.CONNECTED, "EWS-MOVE"),
    ({"exchange_answer": "ErrorMailboxStoreUnavailable"}, "Unavailable", Status.CONNECTED, "EWS-STORE"),
    ({"exchange_answer": "ErrorInternalServerError"}, "Unavailable", Status.CONNECTED, "EWS-STORE"),
    ({"exchange_answer": "ErrorTooManyObjectsOpened"}, "RateLimited", Status.CONNECTED, "EWS-BUSY"),
    ({"exchange_answer": "ErrorInternalServerTransientError"}, "RateLimited", Status.CONNECTED, "EWS-BUSY"),
    ({"exchange_answer": "ErrorNonExistentMailbox"}, "ReconnectNeeded", Status.NEEDS_ATTENTION, "EWS-MAILBOX"),
    ({"exchange_answer": "ErrorAccessDenied"}, "PermissionMissing", Status.NEEDS_ATTENTION, "EWS-DENIED"),
    ({"exchange_answer": "ErrorPasswordExpired"}, "PasswordRefused", Status.NEEDS_ATTENTION, "PW-EXPIRED"),
    ({"exchange_answer": "ErrorFolderNotFound"}, "Unavailable", Status.CONNECTED, "EWS-FOLDER"),
    ({"exchange_answer": "ErrorQuotaExceeded"}, "UnexpectedAnswer", Status.CONNECTED, "EWS-ErrorQuotaExceeded"),
    ({"exchange_offers": "negotiate"}, "Unavailable", Status.CONNECTED, "EWS-AUTH"),
]


@pytest.mark.parametrize(("switches", "kind", "status", "code"), FAILURES, ids=lambda value: str(value)[:40])
def test_a_failure_ends_as_its_row_says_and_loses_no_meeting(
    microsoft: Sandbox, connection: CalendarConnection, switches: dict[str, Any], kind: str, status: str, code: str
) -> None:
    microsoft.control("PUT", f"mailboxes/{INES}", text=calendar(4, every=timedelta(hours=2)))
    sync_once(connection)
    before = list(Meeting.objects.values())
    microsoft.control("POST", "settings", json=switches)
    sync_once(connection)
    assert (connection.last_error_kind, connection.status, connection.last_error) == (kind, status, code)
    assert (connection.next_sync_at is None) == (status == Status.NEEDS_ATTENTION)
    assert list(Meeting.objects.values()) == before
    microsoft.control("POST", "settings", json={"exchange_answer": "", "exchange_offers": "negotiate ntlm basic"})
    if status != Status.NEEDS_ATTENTION:
        CalendarConnection.objects.update(not_before=None)
        sync_once(connection)
        assert (connection.last_error, connection.failures) == ("", 0)


def test_a_distribution_list_is_shown_as_one(microsoft: Sandbox, connection: CalendarConnection) -> None:
    people = "ORGANIZER:mailto:tomas@quay.example\nATTENDEE;CN=The works;CUTYPE=GROUP:mailto:works@quay.example\n"
    people += "ATTENDEE;CN=Ines Falk:mailto:ines@quay.example\n"
    text = calendar(1, every=timedelta(hours=1)).replace("SUMMARY:", f"{people}SUMMARY:")
    microsoft.control("PUT", f"mailboxes/{INES}", text=text)
    sync_once(connection)
    found = [(one.name, one.address, str(one.kind.label)) for one in Meeting.objects.get().guests]
    assert found == [
        ("The works", "works@quay.example", "distribution list"),
        ("Ines Falk", "ines@quay.example", "required"),
    ]


class TestARefusedPassword:
    """Directories lock accounts: one login, and then none until the person enters a password."""

    @pytest.fixture
    def refused(self, microsoft: Sandbox, connection: CalendarConnection) -> CalendarConnection:
        sync_once(connection)
        microsoft.control("POST", f"exchange/{INES}", json={"password": "changed-meanwhile"})
        microsoft.control("DELETE", "log")
        return connection

    def test_a_sync_that_is_refused_costs_one_login_and_rests(
        self, microsoft: Sandbox, refused: CalendarConnection
    ) -> None:
        sync_once(refused)
        assert microsoft.logins() == ["refused"]
        assert (refused.status, refused.next_sync_at) == (Status.NEEDS_ATTENTION, None)
        assert (refused.last_error_kind, refused.last_error) == ("PasswordRefused", "PASSWORD")

    def test_a_task_that_is_queued_twice_costs_one(self, microsoft: Sandbox, refused: CalendarConnection) -> None:
        CalendarConnection.objects.update(next_sync_at=timezone.now())
        tasks.dispatch_due()
        refused.refresh_from_db()
        token = str(refused.lease_token)
        for _ in range(2):
            tasks.sync_connection(str(refused.pk), token)
        assert microsoft.logins() == ["refused"]

    def test_a_week_of_schedules_and_buttons_afterwards_costs_none(
        self, microsoft: Sandbox, refused: CalendarConnection, as_alice: Client, alice: User
    ) -> None:
        sync_once(refused)
        microsoft.control("DELETE", "log")
        now = timezone.now()
        for hour in range(7 * 24):
            later = now + timedelta(hours=hour)
            upkeep.look_after(later)
            claimed, token = CalendarConnection.objects.due(later).claim(later, limit=200)
            for pk in claimed:
                sync.run(pk, token, clock=lambda at=later: at)  # type: ignore[misc]
        tasks.dispatch_due()
        as_alice.post(f"/settings/integrations/{refused.pk}/sync/")
        for on in ("on", "off"):
            as_alice.post(f"/settings/integrations/{refused.pk}/options/", {SyncOption.PRIVATE: on})
        refused.refresh_from_db()
        refused.request_sync()
        refused.pause()
        refused.resume()
        call_command("sync_calendars", verbosity=0)
        with pytest.raises(CommandError):
            call_command("sync_calendars", connection=str(refused.pk), verbosity=0)
        alice.last_login = now - timedelta(days=400)
        alice.save(update_fields=["last_login"])
        CalendarConnection.objects.rest_unused(now)
        alice.last_login = now
        alice.save(update_fields=["last_login"])
        CalendarConnection.objects.wake_used(now)
        tasks.dispatch_due()
        assert microsoft.log() == []
        refused.refresh_from_db()
        assert refused.status == Status.NEEDS_ATTENTION


@pytest.mark.parametrize("answer", ["html", "redirect", "403", "404"])
def test_what_stands_before_the_server_is_sent_the_password_once_an_hour_at_most(
    microsoft: Sandbox, connection: CalendarConnection, as_alice: Client, answer: str
) -> None:
    """A gateway may refuse a password by a page of its own, and count it."""
    microsoft.control("POST", "settings", json={"exchange_answer": answer, "exchange_offers": "basic"})
    CalendarConnection.objects.update(server=connection.server | {"auth": "basic"})
    microsoft.control("DELETE", "log")
    now = timezone.now()
    for minute in range(0, 120, 10):
        later = now + timedelta(minutes=minute)
        as_alice.post(f"/settings/integrations/{connection.pk}/sync/")
        claimed, token = CalendarConnection.objects.due(later).claim(later, limit=1)
        for pk in claimed:
            sync.run(pk, token, clock=lambda at=later: at)  # type: ignore[misc]
    assert len(microsoft.log()) == 2


def test_nothing_of_a_sync_is_logged_but_names(
    microsoft: Sandbox, connection: CalendarConnection, caplog: pytest.LogCaptureFixture
) -> None:
    microsoft.control("POST", "settings", json={"exchange_answer": "ErrorQuotaExceeded"})
    with caplog.at_level(logging.INFO):
        sync_once(connection)
    assert "EWS-ErrorQuotaExceeded" in caplog.text
    assert microsoft.exchange_password not in caplog.text


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def _megabytes() -> float:
    """The memory of this process."""
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts sockets as Linux shows them")
def test_500_accounts_leave_no_socket_and_no_memory(microsoft: Sandbox, alice: User) -> None:
    """exchangelib by itself keeps one socket, and all that was read over it, for every password it has seen."""
    microsoft.control("POST", "settings", json={"exchange_offers": "basic"})
    text = calendar(2, every=timedelta(hours=2))
    after_50 = (0, 0.0)
    for number in range(500):
        email = f"person-{number}@quay.example"
        microsoft.control("PUT", f"mailboxes/{email}", text=text)
        server = {"url": microsoft.exchange_url, "username": email, "auth": "basic"}
        account = SignedIn(
            email,
            email,
            secret={"password": microsoft.exchange_password},
            server={**server, "version": "Exchange2016", "build": "", "chosen": ""},
        )
        one = sync_once(CalendarConnection.objects.connect(alice, "exchange", account))
        assert (one.status, one.meeting_count) == (Status.CONNECTED, 2)
        if number == 49:
            gc.collect()
            after_50 = (_open_files(), _megabytes())
    gc.collect()
    assert _open_files() <= after_50[0]
    assert _megabytes() - after_50[1] <= 20
