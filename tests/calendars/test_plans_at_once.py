"""Two who plan at once. Only PostgreSQL has several who write; on SQLite these hold by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calendars import attendance, planning, sync
from calendars.models import Meeting
from integrations.events import RemoteEvent
from integrations.models import CalendarConnection
from sally.models import Organization, User
from tests.integrations.test_at_once import at_once, slow
from tests.memory import MemoryClient, event

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=100)
ROOM = "https://us02web.zoom.us/j/84512345678?pwd=x1"


def connect(user: User, rule: str) -> CalendarConnection:
    attendance.save_terms(user, {"rule": rule}, LONG_AGO)
    return CalendarConnection.objects.create(
        owner=user, provider="microsoft-work", account_id=f"{user.pk}.t", account_email=user.email
    )


def online(id: str, **fields: Any) -> RemoteEvent:
    return event(id, NOW + timedelta(hours=1), online_url=ROOM, **fields)


def read(connection: CalendarConnection, *events: RemoteEvent) -> None:
    run(connection, lambda *_: MemoryClient(*events))


def run(connection: CalendarConnection, open_client: Callable[..., MemoryClient]) -> None:
    _, token = CalendarConnection.objects.filter(pk=connection.pk).idle(NOW).claim(NOW, limit=1)
    assert sync.run(connection.pk, token, clock=lambda: NOW, open_client=open_client)


def first_then(reached: threading.Event, *works: Callable[[], Any]) -> None:
    """The first comes as far as ``reached``, then the second begins; neither may fail."""

    def second() -> None:
        assert reached.wait(60)
        works[1]()

    assert at_once(works[0], second) == []


def plans() -> dict[str, str]:
    return dict(Meeting.objects.values_list("external_id", "decision"))


def test_two_colleagues_who_meet_in_one_room_get_one_sally(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = connect(alice, "all"), connect(bob, "all")
    reached = slow(monkeypatch, planning, "_write")
    first_then(reached, lambda: read(one, online("alice's")), lambda: read(other, online("bob's", is_organizer=True)))
    assert plans() == {"alice's": "covered", "bob's": "all"}
    assert Meeting.objects.get(external_id="alice's").sender_id == Meeting.objects.get(external_id="bob's").pk
    assert Meeting.objects.exclude(join_at=None).count() == 1


def test_a_rule_that_changes_while_a_sync_writes_counts(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(alice, "all")
    reached = slow(monkeypatch, planning, "_write")
    first_then(
        reached,
        lambda: read(connection, online("a")),
        lambda: attendance.save_terms(alice, {"rule": "never"}, NOW),
    )
    assert plans() == {"a": "never"}


def test_a_sync_that_writes_while_a_rule_changes_plans_by_the_new_one(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(alice, "all")
    read(connection, online("a"))
    reached = slow(monkeypatch, planning, "_write")
    first_then(
        reached,
        lambda: attendance.save_terms(alice, {"rule": "never"}, NOW),
        lambda: read(connection, online("a"), online("b")),
    )
    assert plans() == {"a": "never", "b": "never"}


def test_a_decision_while_a_sync_writes_counts(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(alice, "never")
    read(connection, event("a", NOW + timedelta(hours=1)))  # without a link yet
    meeting = Meeting.objects.get()
    reached = slow(monkeypatch, planning, "_write")
    first_then(
        reached,
        lambda: read(connection, online("a")),
        lambda: attendance.decide_for(alice, meeting, choice="join", lead=None, whole_series=False, now=NOW),
    )
    assert plans() == {"a": "asked"}


def test_a_whitelist_that_changes_while_a_sync_writes_counts(
    alice: User, quay: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(alice, "internal")
    reached = slow(monkeypatch, planning, "_write")
    first_then(
        reached,
        lambda: read(connection, online("a")),
        lambda: attendance.save_organization(quay, {}, ["elsewhere.example"], NOW),
    )
    assert plans() == {"a": "not_listed"}


def move(user: User, organization: Organization) -> None:
    found = User.objects.get(pk=user.pk)
    found.organization = organization
    found.save()


def test_who_moves_to_another_organization_during_a_sync_is_planned_for_there(alice: User, charlie: User) -> None:
    connection = connect(alice, "all")
    read(connection, online("a"))
    elsewhere = charlie.organization
    assert elsewhere

    def open_client(*_: Any) -> MemoryClient:
        move(alice, elsewhere)
        return MemoryClient(online("a", subject="Another"), online("b"))

    run(connection, open_client)
    assert plans() == {"a": "all", "b": "covered"}


def test_a_rule_that_is_saved_after_a_move_counts(alice: User, charlie: User) -> None:
    connection = connect(alice, "all")
    read(connection, online("a"))
    assert charlie.organization
    move(alice, charlie.organization)
    attendance.save_terms(alice, {"rule": "never"}, NOW)
    assert plans() == {"a": "never"}
