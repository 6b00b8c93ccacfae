"""A refused password is sent once and never again by itself, whatever runs, restarts, or is clicked."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from calendars import sync, tasks
from integrations import upkeep
from integrations.errors import PasswordRefused
from integrations.models import CalendarConnection, LeaseLost, SyncOption
from integrations.providers.exchange import EXCHANGE
from integrations.trail import Trail
from sally.models import User
from tests.conftest import make_user
from tests.integrations.looking import connected
from tests.memory import MemoryClient

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Server:
    """Counts logins; refuses them while ``right`` is not the password. ``meanwhile`` happens before it answers."""

    def __init__(self) -> None:
        self.logins: list[str] = []
        self.right = "right"
        self.meanwhile: Callable[[], object] = lambda: None

    def open(self, connection: CalendarConnection, _before_each: Callable[[], None], _trail: Trail) -> MemoryClient:
        server, password = self, str(connection.secret.payload["password"])

        class Opened(MemoryClient):
            def poll(self, cursor: str):  # type: ignore[no-untyped-def]
                server.logins.append(password)
                server.meanwhile()
                if password != server.right:
                    raise PasswordRefused
                return super().poll(cursor)

        return Opened()


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(type(EXCHANGE), "open", lambda self, *opened: server.open(*opened))
    return server


@pytest.fixture
def connection(clock: time_machine.Traveller, alice: User) -> CalendarConnection:
    OrmQ.objects.all().delete()
    return connected(alice)


def a_minute_of_the_worker() -> None:
    tasks.look_after()
    tasks.dispatch_due()
    for one in OrmQ.objects.all():
        if one.task["func"] == "calendars.tasks.sync_connection":
            tasks.sync_connection(*one.task["args"])
        one.delete()


def claimed(connection: CalendarConnection) -> uuid.UUID:
    pks, token = CalendarConnection.objects.filter(pk=connection.pk).idle(timezone.now()).claim(timezone.now(), limit=1)
    assert pks
    return token


def click_all(person: Client, admin: Client, connection: CalendarConnection) -> None:
    """Every button that could lead to a sync."""
    base = f"/settings/integrations/{connection.pk}"
    changes = "/admin/integrations/calendarconnection/"
    person.post(f"{base}/sync/")
    for option in ("sync_private", "sync_only_online"):
        for state in ("on", "off"):
            person.post(f"{base}/options/", {option: state})
    for action in ("sync_now", "pause", "sync_now", "resume", "resume", "sync_now"):
        admin.post(changes, {"action": action, "_selected_action": str(connection.pk)})
    with suppress(CommandError):
        call_command("sync_calendars", connection=connection.pk)
    with suppress(CommandError):
        call_command("sync_calendars")
    for path in (
        "/meetings/",
        "/settings/integrations/",
        f"{base}/",
        f"/settings/integrations/exchange/?connection={connection.pk}",
    ):
        person.get(path)


@pytest.mark.django_db(transaction=True)
def test_a_week_of_schedules_and_every_button_cause_one_login(
    connection: CalendarConnection,
    alice: User,
    server: Server,
    clock: time_machine.Traveller,
    capsys: pytest.CaptureFixture[str],
    settings: Settings,
) -> None:
    anna = make_user("anna@quay.example", alice.organization, role="admin")  # type: ignore[arg-type]
    server.right = "changed in the directory"
    steps = 0
    for day in range(7):
        for minutes in (0, 1, 2, 6, 15, 60, 61, 12 * 60, 23 * 60):
            clock.move_to(NOON + day * DAY + minutes * MINUTE)
            a_minute_of_the_worker()
            steps += 1
        person, admin = Client(), Client()
        person.force_login(alice)  # which wakes what rested
        admin.force_login(anna)
        click_all(person, admin, connection)
        upkeep.look_after(timezone.now())
        CalendarConnection.objects.filter(owner=alice).wake_used(timezone.now())
        a_minute_of_the_worker()
    assert steps == 63
    assert len(server.logins) == 1
    connection.refresh_from_db()
    assert (connection.status, connection.last_error, connection.next_sync_at) == ("needs_attention", "PASSWORD", None)


@pytest.mark.django_db(transaction=True)
def test_the_same_clicks_do_sync_a_connection_that_works(
    connection: CalendarConnection, alice: User, server: Server, clock: time_machine.Traveller,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Otherwise the test above would prove nothing."""
    anna = make_user("anna@quay.example", alice.organization, role="admin")  # type: ignore[arg-type]
    server.right = "canary~pass+word/that%must&never=show"
    a_minute_of_the_worker()
    assert len(server.logins) == 1
    person, admin = Client(), Client()
    person.force_login(alice)
    admin.force_login(anna)
    click_all(person, admin, connection)
    a_minute_of_the_worker()
    assert len(server.logins) > 1
    clock.move_to(NOON + 10 * MINUTE)
    before = len(server.logins)
    a_minute_of_the_worker()
    assert len(server.logins) > before


def test_who_comes_back_after_a_long_absence_does_not_send_it_again(
    connection: CalendarConnection, alice: User, server: Server, clock: time_machine.Traveller
) -> None:
    server.right = "changed in the directory"
    a_minute_of_the_worker()
    clock.move_to(NOON + 200 * DAY)
    a_minute_of_the_worker()
    Client().force_login(alice)
    User.objects.update(is_active=False)
    a_minute_of_the_worker()
    User.objects.update(is_active=True)
    Client().force_login(alice)
    a_minute_of_the_worker()
    assert len(server.logins) == 1


class TestWhileTheServerAnswers:
    """Whoever takes the lease away meanwhile must not cause a second login with what is refused just now."""

    @pytest.mark.parametrize(
        "click",
        [
            lambda one: one.set_option(SyncOption.PRIVATE, on=True),
            lambda one: one.request_sync(),
            lambda one: CalendarConnection.objects.update(lease_until=None, lease_token=uuid.uuid4()),
        ],
        ids=["a switch", "sync now", "another worker after a lost lease"],
    )
    def test_the_refusal_is_kept(
        self, connection: CalendarConnection, server: Server, click: Callable[[CalendarConnection], object]
    ) -> None:
        server.meanwhile = lambda: click(CalendarConnection.objects.get())
        server.right = "changed in the directory"
        sync.run(connection.pk, claimed(connection))
        server.meanwhile = lambda: None
        a_minute_of_the_worker()
        assert len(server.logins) == 1
        connection.refresh_from_db()
        assert (connection.status, connection.last_error) == ("needs_attention", "PASSWORD")

    def test_an_admins_pause_keeps_it_too_and_its_end_sends_nothing(
        self, connection: CalendarConnection, server: Server
    ) -> None:
        server.meanwhile = lambda: CalendarConnection.objects.get().pause()
        server.right = "changed in the directory"
        sync.run(connection.pk, claimed(connection))
        connection.refresh_from_db()
        assert (connection.status, connection.last_error) == ("paused", "PASSWORD")
        connection.resume()
        a_minute_of_the_worker()
        connection.refresh_from_db()
        assert (connection.status, len(server.logins)) == ("needs_attention", 1)

    def test_a_new_password_is_not_blamed_for_the_old_one(
        self, connection: CalendarConnection, alice: User, server: Server
    ) -> None:
        server.meanwhile = lambda: connected(alice)
        server.right = "changed in the directory"
        sync.run(connection.pk, claimed(connection))
        connection.refresh_from_db()
        assert (connection.status, connection.last_error) == ("connecting", "")
        server.meanwhile = lambda: None
        a_minute_of_the_worker()
        assert len(server.logins) == 2

    def test_whoever_lost_the_lease_is_told(self, connection: CalendarConnection) -> None:
        begun = CalendarConnection.objects.begin(connection.pk, claimed(connection), timezone.now())
        assert begun
        assert begun.lease_token
        CalendarConnection.objects.update(lease_token=uuid.uuid4())
        with pytest.raises(LeaseLost):
            begun.record_failure(begun.lease_token, PasswordRefused(), timezone.now())
