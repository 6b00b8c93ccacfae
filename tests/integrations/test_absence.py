"""People who are away: their calendars rest, and go on when they are back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from calendars import sync, tasks
from calendars.models import Meeting
from integrations.models import CalendarConnection
from sally.models import User
from tests.conftest import PASSWORD, connect, make_user
from tests.sandbox_process import Sandbox

DAYS_90 = timedelta(days=90)


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    now = timezone.now()
    return CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="a", account_email="ines@quay.example", status="connected",
        last_synced_at=now, next_sync_at=now,
    )  # fmt: skip


def away(days: float) -> None:
    User.objects.update(last_login=timezone.now() - timedelta(days=days))


def look(connection: CalendarConnection) -> tuple[str, str]:
    tasks.look_after()
    connection.refresh_from_db()
    return connection.status, connection.pause_reason


def test_who_was_here_lately_is_synced(connection: CalendarConnection) -> None:
    away(89.9)
    assert look(connection) == ("connected", "")


def test_who_has_not_signed_in_for_long_is_not(connection: CalendarConnection) -> None:
    away(90.1)
    assert look(connection) == ("paused", "dormant")
    assert connection.next_sync_at is None
    assert connection.problem
    assert connection.problem.code == "DORMANT"


def test_how_long_is_a_setting(connection: CalendarConnection, settings: Settings) -> None:
    settings.DORMANT_DAYS = 10
    away(10.1)
    assert look(connection) == ("paused", "dormant")


def test_who_never_signed_in_counts_from_the_day_they_came(connection: CalendarConnection) -> None:
    User.objects.update(last_login=None)
    assert look(connection) == ("connected", "")
    User.objects.update(date_joined=timezone.now() - timedelta(days=91))
    assert look(connection) == ("paused", "dormant")


def test_they_are_told_once_by_mail(connection: CalendarConnection) -> None:
    away(91)
    look(connection)
    look(connection)
    (sent,) = mail.outbox
    assert "Sign in, and Sally reads this calendar again." in sent.body


def test_a_deactivated_users_calendar_rests_without_a_mail(connection: CalendarConnection) -> None:
    User.objects.update(is_active=False)
    assert look(connection) == ("paused", "deactivated")
    assert mail.outbox == []


def test_a_sync_that_runs_loses_its_right_to_write(connection: CalendarConnection) -> None:
    CalendarConnection.objects.all().claim(timezone.now(), limit=1)
    away(91)
    look(connection)
    assert connection.lease_token is None


def test_what_rests_or_needs_its_owner_already_stays_as_it_is(connection: CalendarConnection) -> None:
    away(91)
    connection.pause()
    assert look(connection) == ("paused", "admin")
    CalendarConnection.objects.update(status="needs_attention", pause_reason="")
    assert look(connection) == ("needs_attention", "")


@pytest.mark.parametrize("days", [0.0, 91.0])
def test_it_goes_on_when_they_sign_in(connection: CalendarConnection, alice: User, days: float) -> None:
    User.objects.update(is_active=days > 0)
    away(days)
    look(connection)
    User.objects.update(is_active=True)
    Client().post("/sign-in/", {"username": alice.email, "password": PASSWORD})
    connection.refresh_from_db()
    assert (connection.status, connection.pause_reason) == ("connected", "")
    assert connection.next_sync_at
    assert look(connection) == ("connected", "")


def test_an_admins_pause_is_not_ended_by_a_sign_in(connection: CalendarConnection, alice: User) -> None:
    connection.pause()
    Client().post("/sign-in/", {"username": alice.email, "password": PASSWORD})
    assert look(connection) == ("paused", "admin")


def test_a_sign_in_that_the_pause_overtook_is_noticed_all_the_same(connection: CalendarConnection) -> None:
    """On PostgreSQL the pause may be written just after the sign-in that should have ended it."""
    CalendarConnection.objects.update(**CalendarConnection.resting(CalendarConnection.Pause.DORMANT))
    away(0)
    assert look(connection) == ("connected", "")


def test_who_is_activated_again_has_to_sign_in_first(connection: CalendarConnection, alice: User) -> None:
    """However lately they were here: whoever was put out did not ask for it again yet."""
    User.objects.update(is_active=False)
    look(connection)
    User.objects.update(is_active=True)
    assert look(connection) == ("paused", "deactivated")
    Client().post("/sign-in/", {"username": alice.email, "password": PASSWORD})
    assert look(connection) == ("connected", "")


def test_an_admin_may_pause_what_rests_and_then_it_stays_so(connection: CalendarConnection, as_alice: Client) -> None:
    away(91)
    look(connection)
    admin = make_user("root@quay.example", connection.owner.organization, is_superuser=True)  # type: ignore[arg-type]
    client = Client()
    client.force_login(admin)

    def act(action: str) -> tuple[str, str]:
        client.post(
            "/admin/integrations/calendarconnection/", {"action": action, "_selected_action": str(connection.pk)}
        )
        return look(connection)

    assert act("resume") == ("paused", "dormant")  # it goes on when its owner signs in
    assert act("pause") == ("paused", "admin")
    away(0)
    assert look(connection) == ("paused", "admin")
    assert act("resume") == ("connected", "")
    assert len(mail.outbox) == 1


def test_an_admins_pause_in_between_is_no_reason_for_a_second_mail(connection: CalendarConnection) -> None:
    CalendarConnection.objects.update(status="needs_attention", last_error_kind="ReconnectNeeded", last_error="X")
    look(connection)
    connection.pause()
    connection.resume()
    assert look(connection) == ("needs_attention", "")
    assert len(mail.outbox) == 1


def test_nothing_is_said_of_a_gap_after_a_pause(connection: CalendarConnection) -> None:
    CalendarConnection.objects.update(last_seen_at=timezone.now() - timedelta(days=91))
    away(91)
    look(connection)
    assert connection.last_seen_at is None


def test_somebody_elses_sign_in_wakes_nothing(connection: CalendarConnection, bob: User) -> None:
    away(91)
    look(connection)
    Client().post("/sign-in/", {"username": bob.email, "password": PASSWORD})
    connection.refresh_from_db()
    assert connection.status == "paused"


def test_where_the_token_died_meanwhile_a_reconnect_is_asked_for_and_heals(
    as_alice: Client, alice: User, microsoft: Sandbox
) -> None:
    microsoft.control("POST", "settings", json={"access_token_seconds": 60})
    connection = connect(as_alice, microsoft)
    run(connection)
    meetings = Meeting.objects.count()
    away(91)
    assert look(connection) == ("paused", "dormant")
    microsoft.control("POST", "revoke", json={"email": "ines@quay.example", "code": 700082, "access_tokens": True})
    as_alice.post("/sign-out/")
    as_alice.post("/sign-in/", {"username": alice.email, "password": PASSWORD})
    run(connection)
    assert (connection.status, connection.last_error) == ("needs_attention", "AADSTS700082")
    assert connect(as_alice, microsoft).pk == connection.pk
    run(connection)
    assert (connection.status, Meeting.objects.count()) == ("connected", meetings)


def run(connection: CalendarConnection) -> None:
    now = timezone.now()
    claimed, token = CalendarConnection.objects.filter(pk=connection.pk).idle(now).claim(now, limit=1)
    sync.run(claimed[0], token)
    connection.refresh_from_db()
