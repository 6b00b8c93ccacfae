"""What a sync leaves in the access log: committed with it, with the true reason, idle or not, and never too much."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from calendars import sync
from calendars.models import Meeting
from integrations.accounts import SignedIn
from integrations.endpoints import Endpoint
from integrations.errors import CursorExpired, PasswordRefused, Unavailable
from integrations.events import NOTHING, CalendarClient, Changed, Listing, Window
from integrations.models import AccessRecord, CalendarConnection, SyncOption, Why
from integrations.providers import open_calendar
from integrations.trail import Trail
from sally.models import User
from tests.conftest import connect
from tests.memory import MemoryClient, event
from tests.sandbox_process import Sandbox

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
Meanwhile = Callable[[], object]


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example", next_sync_at=NOW,
        status="connected", last_synced_at=NOW - MINUTE, cursor="a cursor",
    )  # fmt: skip


class Calendar(MemoryClient):
    """One that is asked over a trail, as a real one is; ``meanwhile`` happens while it lists."""

    def __init__(self, *events: Any, meanwhile: Meanwhile = lambda: None) -> None:
        super().__init__(*events)
        self.meanwhile, self.trail = meanwhile, Trail()

    def open(self, _connection: object, _renew: object, trail: Trail) -> CalendarClient:
        self.trail = trail
        return self

    def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
        self.trail.asks("GET", Endpoint.CALENDAR_VIEW)
        self.meanwhile()
        found = super().events(window, known)
        self.trail.answered(200, Endpoint.CALENDAR_VIEW)
        self.trail.found(len(found))
        return found

    def poll(self, cursor: str) -> Any:
        self.trail.asks("POST", Endpoint.SYNC_FOLDER_ITEMS)
        self.trail.answered(200, Endpoint.SYNC_FOLDER_ITEMS)
        return super().poll(cursor)


def run(
    connection: CalendarConnection, calendar: Calendar, now: datetime = NOW, clock: Callable[[], datetime] | None = None
) -> None:
    claimed, token = CalendarConnection.objects.filter(pk=connection.pk).idle(now).claim(now, limit=1)
    assert claimed, "nobody could claim the connection"
    sync.run(connection.pk, token, clock=clock or (lambda: now), open_client=calendar.open)


def kept() -> list[tuple[str, str, int, bool]]:
    rows = AccessRecord.objects.order_by("pk")
    return [(one.endpoint, one.why, one.status, one.idle) for one in rows]


def whys() -> list[str]:
    """The reason of each sync so far, in order; each begins with a poll."""
    rows = AccessRecord.objects.filter(endpoint="EWS SyncFolderItems").order_by("pk")
    return list(rows.values_list("why", flat=True))


class TestWhatIsCommittedWithIt:
    def test_a_sync_that_found_something(self, connection: CalendarConnection) -> None:
        run(connection, Calendar(event("a", NOW + MINUTE)))
        assert kept() == [("EWS SyncFolderItems", "schedule", 200, False), ("calendarView", "schedule", 200, False)]
        rows = AccessRecord.objects.values_list("connection", "owner", "account", "at", "items")
        assert list(rows)[1] == (connection.pk, connection.owner_id, "ines@quay.example", NOW, 1)

    def test_one_that_found_nothing_new_was_an_idle_check(self, connection: CalendarConnection) -> None:
        run(connection, Calendar())
        assert kept() == [("EWS SyncFolderItems", "schedule", 200, True), ("calendarView", "schedule", 200, True)]

    def test_and_so_was_one_that_was_told_so(self, connection: CalendarConnection) -> None:
        calendar = Calendar()
        calendar.changed = Changed.NO
        run(connection, calendar)
        assert kept() == [("EWS SyncFolderItems", "schedule", 200, True)]

    def test_what_somebody_wished_for_is_never_summed(self, connection: CalendarConnection) -> None:
        connection.request_sync(NOW)
        run(connection, Calendar())
        assert {idle for *_, idle in kept()} == {False}

    def test_a_failure(self, connection: CalendarConnection) -> None:
        calendar = Calendar()
        calendar.errors = [Unavailable("x")]
        run(connection, calendar)
        assert kept() == [("EWS SyncFolderItems", "schedule", 200, False), ("calendarView", "schedule", 0, False)]

    def test_a_bug(self, connection: CalendarConnection) -> None:
        calendar = Calendar()
        calendar.errors = [ZeroDivisionError()]
        with pytest.raises(ZeroDivisionError):
            run(connection, calendar)
        assert len(kept()) == 2

    def test_a_bug_while_writing_is_kept_with_the_failure_alone(
        self, connection: CalendarConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("calendars.models.MeetingQuerySet.apply", broken)
        with pytest.raises(ZeroDivisionError):
            run(connection, Calendar(event("a", NOW + MINUTE)))
        connection.refresh_from_db()
        assert (connection.last_error, connection.last_synced_at) == ("INTERNAL", NOW - MINUTE)
        assert len(kept()) == 2

    def test_a_worker_that_is_stopped_in_the_middle_leaves_what_it_asked(self, connection: CalendarConnection) -> None:
        """As the queue stops one that takes too long: by an exception that is no Exception."""

        def stop() -> None:
            raise SystemExit

        with pytest.raises(SystemExit):
            run(connection, Calendar(event("a", NOW + MINUTE), meanwhile=stop))
        assert kept() == [("EWS SyncFolderItems", "schedule", 200, False), ("calendarView", "schedule", 0, False)]
        assert not Meeting.objects.exists()


class TestWhoMayNotWriteAnyMore:
    def test_keeps_what_was_asked_and_nothing_else(self, connection: CalendarConnection) -> None:
        run(
            connection,
            Calendar(
                event("a", NOW + MINUTE), meanwhile=lambda: CalendarConnection.objects.update(lease_token=uuid.uuid4())
            ),
        )
        connection.refresh_from_db()
        assert (Meeting.objects.count(), connection.last_synced_at) == (0, NOW - MINUTE)
        assert [(endpoint, idle) for endpoint, _, _, idle in kept()] == [
            ("EWS SyncFolderItems", False), ("calendarView", False)
        ]  # fmt: skip

    def test_not_even_the_connection_where_that_was_disconnected(self, connection: CalendarConnection) -> None:
        gone = CalendarConnection.objects.get(pk=connection.pk)
        run(connection, Calendar(event("a", NOW + MINUTE), meanwhile=gone.disconnect))
        assert not CalendarConnection.objects.exists()
        rows: list[tuple[object, ...]] = list(AccessRecord.objects.values_list("connection", "account", "owner"))
        assert rows == [(None, "ines@quay.example", connection.owner_id)] * 2

    def test_nothing_where_its_owner_was_deleted(self, connection: CalendarConnection) -> None:
        run(connection, Calendar(event("a", NOW + MINUTE), meanwhile=lambda: User.objects.all().delete()))
        assert not AccessRecord.objects.exists()

    @pytest.mark.parametrize("error", [Unavailable("x"), ZeroDivisionError()])
    def test_also_when_it_failed_besides(self, connection: CalendarConnection, error: Exception) -> None:
        gone = CalendarConnection.objects.get(pk=connection.pk)
        calendar = Calendar(meanwhile=gone.disconnect)
        calendar.errors = [error]
        run(connection, calendar)
        assert len(kept()) == 2

    def test_the_refusal_of_a_password_counts_all_the_same(self, alice: User) -> None:
        connection = CalendarConnection.objects.connect(
            alice, "exchange", SignedIn("mail/ines", "ines@quay.example", secret={"password": "wrong"})
        )
        CalendarConnection.objects.update(next_sync_at=NOW)
        calendar = Calendar(meanwhile=lambda: CalendarConnection.objects.update(lease_token=uuid.uuid4()))
        calendar.errors = [PasswordRefused()]
        run(connection, calendar)
        connection.refresh_from_db()
        assert (connection.status, connection.last_error) == ("needs_attention", "PASSWORD")
        assert len(kept()) == 2

    @pytest.mark.django_db(transaction=True)
    def test_no_error_of_the_database_escapes_when_it_commits(self, connection: CalendarConnection) -> None:
        gone = CalendarConnection.objects.get(pk=connection.pk)
        run(connection, Calendar(event("a", NOW + MINUTE), meanwhile=gone.disconnect))
        run_owner = User.objects.get()
        other = CalendarConnection.objects.create(
            owner=run_owner, provider="microsoft-work", account_id="2", account_email="b@quay.example",
            status="connected", next_sync_at=NOW,
        )  # fmt: skip
        run(other, Calendar(event("a", NOW + MINUTE), meanwhile=lambda: User.objects.all().delete()))
        assert not AccessRecord.objects.exists()


class TestWhy:
    def test_after_a_success_it_is_the_schedule(self, connection: CalendarConnection) -> None:
        connection.request_sync(NOW)
        run(connection, Calendar())
        run(connection, Calendar())
        assert whys() == ["sync-now", "schedule"]

    def test_a_new_connection_is_synced_first(self, alice: User) -> None:
        account = SignedIn("u.t", "ines@quay.example", secret={"cache": "x"})
        made = CalendarConnection.objects.connect(alice, "microsoft-work", account)
        run(made, Calendar())
        assert CalendarConnection.objects.connect(alice, "microsoft-work", account) == made
        run(made, Calendar())
        assert whys() == ["first", "reconnected"]

    def test_options(self, connection: CalendarConnection) -> None:
        connection.set_option(SyncOption.ONLY_ONLINE, True)
        run(connection, Calendar())
        assert whys() == ["options"]

    def test_a_pause_that_ended(self, connection: CalendarConnection) -> None:
        connection.pause()
        connection.resume()
        run(connection, Calendar())
        assert whys() == ["resumed"]

    @pytest.mark.parametrize("error", [Unavailable("x"), CursorExpired("x")])
    def test_a_failure_before(self, connection: CalendarConnection, error: Exception) -> None:
        calendar = Calendar()
        calendar.errors = [error]
        run(connection, calendar)
        run(connection, Calendar())
        run(connection, Calendar())
        assert whys() == ["schedule", "retry", "schedule"]

    def test_the_rest_of_a_long_one(self, connection: CalendarConnection) -> None:
        calendar = Calendar(*(event(f"{n:03}", NOW + n * MINUTE) for n in range(1, 250)))
        moment, fill = [NOW], calendar.fill

        def slow(events: Any) -> Any:
            moment[0] += 12 * SECOND
            return fill(events)

        calendar.fill = slow  # type: ignore[method-assign]
        run(connection, calendar, clock=lambda: moment[0])
        run(connection, Calendar())
        assert whys() == ["schedule", "continued"]

    def test_a_calendar_that_is_suddenly_empty(self, connection: CalendarConnection) -> None:
        run(connection, Calendar(*(event(str(n), NOW + n * MINUTE) for n in range(1, 8))))
        run(connection, Calendar())
        run(connection, Calendar(), NOW + 5 * MINUTE)
        assert whys() == ["schedule", "schedule", "confirm"]

    @pytest.mark.parametrize("changed", [Changed.UNKNOWN, Changed.NO])
    def test_a_wish_that_comes_while_one_runs_keeps_its_own(
        self, connection: CalendarConnection, changed: Changed
    ) -> None:
        moment = [NOW]

        def click() -> None:
            moment[0] = NOW + 2 * SECOND
            CalendarConnection.objects.get(pk=connection.pk).request_sync(moment[0])
            moment[0] = NOW + 3 * SECOND

        calendar = Calendar(meanwhile=click)
        calendar.changed = changed
        if changed is Changed.NO:
            calendar.cursors = ["one"]
            poll = calendar.poll

            def polled(cursor: str) -> Any:
                click()
                return poll(cursor)

            calendar.poll = polled  # type: ignore[method-assign]
        run(connection, calendar, clock=lambda: moment[0])
        run(connection, Calendar(), NOW + 4 * SECOND)
        assert whys() == ["schedule", "sync-now"]

    def test_a_wish_in_a_long_one_is_a_wish_and_not_the_rest(self, connection: CalendarConnection) -> None:
        calendar = Calendar(*(event(f"{n:03}", NOW + n * MINUTE) for n in range(1, 250)))
        moment, fill = [NOW], calendar.fill

        def slow(events: Any) -> Any:
            moment[0] += 12 * SECOND
            CalendarConnection.objects.get(pk=connection.pk).request_sync(moment[0])
            return fill(events)

        calendar.fill = slow  # type: ignore[method-assign]
        run(connection, calendar, clock=lambda: moment[0])
        connection.refresh_from_db()
        assert connection.next_sync_why == "sync-now"


class TestWhyOverTheRealFlow:
    def test_the_button_the_switches_and_a_reconnect(self, as_alice: Client, microsoft: Sandbox) -> None:
        connection = connect(as_alice, microsoft)
        base = f"/settings/integrations/{connection.pk}"

        def sync_due() -> None:
            call_command("sync_calendars")

        sync_due()
        as_alice.post(f"{base}/sync/")
        sync_due()
        as_alice.post(f"{base}/options/", {"sync_private": "on"})
        sync_due()
        connect(as_alice, microsoft)
        sync_due()
        CalendarConnection.objects.update(next_sync_at=timezone.now())
        sync_due()
        call_command("sync_calendars", connection=connection.pk)
        listed = AccessRecord.objects.filter(endpoint="calendarView").order_by("pk")
        assert list(listed.values_list("why", flat=True)) == [
            "first", "sync-now", "options", "reconnected", "schedule", "command"
        ]  # fmt: skip
        signing_in = AccessRecord.objects.filter(endpoint__in=["discovery", "token"]).order_by("pk")
        assert set(signing_in.values_list("why", flat=True)) == {"connecting"}

    def test_an_operators_command_that_fails_is_one_too(self, ines: CalendarConnection, microsoft: Sandbox) -> None:
        microsoft.control("POST", "faults", json={"path": "/calendarView", "status": 503})
        with pytest.raises(CommandError):
            call_command("sync_calendars", connection=ines.pk)
        row = AccessRecord.objects.get(endpoint="calendarView")
        assert (row.why, row.status, row.items) == ("command", 503, None)

    def test_a_script_keeps_its_own_when_it_closes(self, ines: CalendarConnection) -> None:
        before = AccessRecord.objects.count()
        client = open_calendar(CalendarConnection.objects.get(pk=ines.pk))
        now = timezone.now()
        client.event(client.events(Window(now, now + timedelta(days=7)))[0].id)
        assert AccessRecord.objects.count() == before
        client.close()
        client.close()
        rows = AccessRecord.objects.filter(why=Why.SCRIPT).order_by("pk")
        assert [(one.endpoint, one.account) for one in rows] == [
            ("calendarView", "ines@quay.example"), ("events/{id}", "ines@quay.example")
        ]  # fmt: skip
