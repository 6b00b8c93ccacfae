"""Two at once: what waits for what. Only PostgreSQL has several who write; on SQLite these hold by themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from integrations import permissions
from integrations.accounts import SignedIn
from integrations.endpoints import Endpoint
from integrations.models import AccessRecord, ApprovalRequest, CalendarConnection, Why, access
from integrations.trail import Trail
from sally import stored
from sally.deletion import delete_everything
from sally.models import User
from tests.integrations.test_access_records import check, made

pytestmark = pytest.mark.django_db(transaction=True)
WORK = "microsoft-work"
TENANT = "7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601"
TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)
State = ApprovalRequest.State


def slow(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, seconds: float = 0.4) -> threading.Event:
    """Make a function of a transaction's middle take its time; tells when somebody is in there."""
    real, reached = getattr(where, name), threading.Event()

    def slowly(*args: Any, **options: Any) -> Any:
        reached.set()
        time.sleep(seconds)
        return real(*args, **options)

    monkeypatch.setattr(where, name, slowly)
    return reached


def at_once(*works: Callable[[], Any]) -> list[BaseException]:
    """What they raised, each in a thread of its own."""
    failed: list[BaseException] = []

    def run(work: Callable[[], Any]) -> None:
        try:
            work()
        except BaseException as exc:  # noqa: BLE001 - a thread tells nobody else
            failed.append(exc)
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    return failed


def kept() -> list[tuple[object, int]]:
    return [(one.connection_id, one.times) for one in AccessRecord.objects.all()]


def ask(user: User) -> ApprovalRequest:
    return ApprovalRequest.objects.ask(user, WORK, user.email, timezone.now())


def settle(user: User) -> None:
    scopes = tuple(one.name for one in permissions.requested(WORK))
    with transaction.atomic():
        account = SignedIn(f"{user.pk}.{TENANT}", user.email, "", scopes)
        ApprovalRequest.objects.settle(user, WORK, account, timezone.now())


def test_two_colleagues_connect_after_the_same_mail(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (alice, bob):
        ask(one)
    slow(monkeypatch, permissions, "unapproved")
    assert at_once(lambda: settle(alice), lambda: settle(bob)) == []
    assert set(ApprovalRequest.objects.values_list("state", flat=True)) == {State.CONNECTED}


def test_two_admins_approve_at_once(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ask(alice), ask(bob)
    slow(monkeypatch, ApprovalRequest, "takes")
    report, now = ApprovalRequest.objects.report, timezone.now()
    assert at_once(lambda: report(first, (), "", now), lambda: report(second, (), "", now)) == []
    assert set(ApprovalRequest.objects.values_list("state", flat=True)) == {State.REPORTED}


def test_what_was_asked_is_kept_while_all_is_deleted(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, trail = made(alice), Trail()
    trail.asks("GET", Endpoint.CALENDAR_VIEW)
    real, reached = access._lock, threading.Event()

    def slowly(*args: Any) -> Any:
        found = real(*args)
        reached.set()
        time.sleep(0.4)
        return found

    monkeypatch.setattr(access, "_lock", slowly)

    def delete() -> None:
        assert reached.wait(10)
        assert delete_everything(alice)

    def keep() -> None:
        AccessRecord.objects.keep_apart(trail, alice.pk, Why.SCHEDULE, connection)

    assert at_once(keep, delete) == []
    assert [kind.label for kind in stored.kinds() if kind.model._base_manager.exists()] == []


@pytest.mark.parametrize("name", ["disconnect", "everything"])
def test_idle_checks_are_summed_while_their_calendar_goes(
    alice: User, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = made(alice)
    for minute in range(3):
        check(connection, TEN + timedelta(minutes=minute))
    reached = slow(monkeypatch, access, "_summed")

    def go() -> None:
        assert reached.wait(10)
        assert connection.disconnect() if name == "disconnect" else delete_everything(alice)

    assert at_once(lambda: AccessRecord.objects.sum_idle(TEN + timedelta(hours=2)), go) == []
    assert not CalendarConnection.objects.exists()
    assert kept() == ([(None, 3)] if name == "disconnect" else [])


def test_the_other_way_round_too(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = made(alice)
    for minute in range(3):
        check(connection, TEN + timedelta(minutes=minute))
    reached = threading.Event()
    real = CalendarConnection.delete

    def slowly(*args: Any, **options: Any) -> Any:
        reached.set()
        time.sleep(0.4)
        return real(*args, **options)

    monkeypatch.setattr(CalendarConnection, "delete", slowly)

    def sum_up() -> None:
        assert reached.wait(10)
        AccessRecord.objects.sum_idle(TEN + timedelta(hours=2))

    assert at_once(connection.disconnect, sum_up) == []
    assert kept() == [(None, 3)]
