"""What a person decided about a meeting stays, whatever becomes of the meeting's row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from calendars import attendance, sync
from calendars.models import Meeting
from integrations.accounts import SignedIn
from integrations.events import Kind, RemoteEvent
from integrations.models import CalendarConnection
from integrations.models.connections import SyncOption
from sally.models import User
from tests.memory import MemoryClient, event

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ZOOM = "https://us02web.zoom.us/j/84512345678?pwd=x1"
ASKED, BY_RULE = ("asked", ""), ("never", "")
ASKED_OF_SERIES = ("asked", "series")


def hours(number: float) -> datetime:
    return NOW + timedelta(hours=number)


def online(id: str, at: float, minutes: int = 60, **fields: Any) -> RemoteEvent:
    return event(id, hours(at), minutes, **({"online_url": ZOOM} | fields))


def occurrence(number: int, *, id: str = "", moved: float = 0, **fields: Any) -> RemoteEvent:
    """The ``number``-th date of a daily series."""
    slot = 24 * number
    known: dict[str, Any] = {"kind": Kind.OCCURRENCE, "series_id": "s", "ical_uid": "uid-s"}
    known["original_start"] = hours(slot)
    return online(id or f"o{number}", slot + moved, **(known | fields))


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    """Of somebody for whom Sally joins nothing by herself, since long."""
    attendance.save_terms(alice, {"rule": "never"}, hours(-1000))
    return connect(alice)


def connect(user: User, address: str = "ines@quay.example") -> CalendarConnection:
    mailbox = SignedIn("u.t", address, secret={"cache": "a cache"})
    return CalendarConnection.objects.connect(user, "microsoft-work", mailbox)


def run(connection: CalendarConnection, client: MemoryClient, now: datetime = NOW) -> None:
    _, token = CalendarConnection.objects.filter(pk=connection.pk).idle(now).claim(now, limit=1)
    assert sync.run(connection.pk, token, clock=lambda: now, open_client=lambda *_: client)
    connection.refresh_from_db()
    assert connection.last_synced_at == now, connection.last_error


def decide(id: str, choice: str, lead: int | None = None, *, whole_series: bool = False) -> None:
    meeting = Meeting.objects.get(external_id=id)
    owner = meeting.connection.owner
    attendance.decide_for(owner, meeting, choice=choice, lead=lead, whole_series=whole_series, now=NOW)


def plan(id: str) -> tuple[str, str]:
    return Meeting.objects.values_list("decision", "decision_about").get(external_id=id)


def test_an_occurrence_that_becomes_an_exception_keeps_it(connection: CalendarConnection) -> None:
    client = MemoryClient(occurrence(1), occurrence(2))
    run(connection, client)
    decide("o2", "join", 5)
    client.put(occurrence(2, moved=3, kind=Kind.EXCEPTION, subject="Later, at the pier"))
    run(connection, client)
    assert (plan("o1"), plan("o2")) == (BY_RULE, ASKED)
    assert Meeting.objects.get(external_id="o2").join_at == hours(48 + 3) + timedelta(minutes=5)


def test_an_exception_under_an_id_of_its_own_keeps_it(connection: CalendarConnection) -> None:
    client = MemoryClient(occurrence(1), occurrence(2))
    run(connection, client)
    decide("o2", "join")
    del client.held["o2"]
    client.put(occurrence(2, id="x2", moved=3, kind=Kind.EXCEPTION))
    run(connection, client)
    assert (plan("o1"), plan("x2")) == (BY_RULE, ASKED)


def test_an_exception_is_of_its_series(connection: CalendarConnection) -> None:
    client = MemoryClient(occurrence(1), occurrence(2))
    run(connection, client)
    decide("o1", "join", whole_series=True)
    client.put(occurrence(2, moved=3, kind=Kind.EXCEPTION))
    run(connection, client)
    assert (plan("o1"), plan("o2")) == (ASKED_OF_SERIES, ASKED_OF_SERIES)


def test_a_series_that_is_retitled_keeps_it(connection: CalendarConnection) -> None:
    client = MemoryClient(occurrence(1), occurrence(2), online("other", 30))
    run(connection, client)
    decide("o1", "join", whole_series=True)
    decide("o2", "skip")
    client.put(*(occurrence(number, subject="Another title") for number in (1, 2, 3)))
    run(connection, client)
    assert [plan(id) for id in ("o1", "o2", "o3")] == [ASKED_OF_SERIES, ("refused", ""), ASKED_OF_SERIES]
    assert plan("other") == BY_RULE


def test_a_meeting_that_leaves_the_window_and_comes_back_keeps_it(connection: CalendarConnection) -> None:
    client = MemoryClient(online("a", 5), online("b", 6))
    run(connection, client)
    decide("a", "join")
    before = Meeting.objects.get(external_id="a").pk
    client.put(online("a", 24 * 120))
    run(connection, client)
    assert not Meeting.objects.filter(external_id="a").exists()
    client.put(online("a", 7))
    run(connection, client)
    assert Meeting.objects.get(external_id="a").pk != before
    assert (plan("a"), plan("b")) == (ASKED, BY_RULE)


def test_a_meeting_that_was_deleted_and_comes_back_under_another_id_keeps_it(connection: CalendarConnection) -> None:
    client = MemoryClient(online("a", 5, ical_uid="u"))
    run(connection, client)
    decide("a", "join")
    client.held = {}
    run(connection, client)
    client.put(online("z", 5, ical_uid="u"))
    run(connection, client)
    assert plan("z") == ASKED


@pytest.mark.parametrize("calendar", ["primary", "another"])
def test_a_mailbox_that_is_moved_keeps_it(connection: CalendarConnection, calendar: str) -> None:
    """Its ids change, on some servers that of the calendar too."""
    client = MemoryClient(online("a", 5), online("b", 6), *(occurrence(number) for number in (1, 2)))
    run(connection, client)
    decide("a", "join")
    decide("o2", "join")
    client.held = {}
    moved: dict[str, Any] = {"calendar_id": calendar}
    client.put(online("a2", 5, ical_uid="uid-a", **moved), online("b2", 6, ical_uid="uid-b", **moved))
    client.put(*(occurrence(number, id=f"n{number}", **moved) for number in (1, 2)))
    run(connection, client)
    assert Meeting.objects.count() == 4
    assert [plan(id) for id in ("a2", "b2", "n1", "n2")] == [ASKED, BY_RULE, BY_RULE, ASKED]


def test_who_disconnects_and_connects_again_keeps_it(connection: CalendarConnection, alice: User) -> None:
    client = MemoryClient(online("a", 5), online("b", 6), *(occurrence(number) for number in (1, 2)))
    run(connection, client)
    decide("a", "join")
    decide("o1", "join", whole_series=True)
    connection.disconnect()
    assert not Meeting.objects.exists()
    run(connect(alice), client)
    plans = [plan(id) for id in ("a", "b", "o1", "o2")]
    assert plans == [ASKED, BY_RULE, ASKED_OF_SERIES, ASKED_OF_SERIES]


def test_another_person_with_the_same_mailbox_decides_for_themselves(
    connection: CalendarConnection, alice: User, bob: User
) -> None:
    client = MemoryClient(online("a", 5))
    run(connection, client)
    decide("a", "join")
    connection.disconnect()
    attendance.save_terms(bob, {"rule": "never"}, hours(-1000))
    run(connect(bob), client)
    assert plan("a") == BY_RULE


def test_private_off_and_on_keeps_it(connection: CalendarConnection) -> None:
    connection.set_option(SyncOption.PRIVATE, True)
    client = MemoryClient(online("a", 5, private=True), online("b", 6))
    run(connection, client)
    decide("a", "join")
    connection.set_option(SyncOption.PRIVATE, False)
    run(connection, client)
    assert list(Meeting.objects.values_list("external_id", flat=True)) == ["b"]
    connection.set_option(SyncOption.PRIVATE, True)
    run(connection, client)
    assert (plan("a"), plan("b")) == (ASKED, BY_RULE)


def test_only_online_off_and_on_keeps_it(connection: CalendarConnection) -> None:
    client = MemoryClient(online("a", 5, online_url=""))
    run(connection, client)
    decide("a", "join")
    connection.set_option(SyncOption.ONLY_ONLINE, True)
    run(connection, client)
    assert not Meeting.objects.exists()
    client.put(online("a", 5))
    run(connection, client)
    assert plan("a") == ASKED


def test_what_was_taken_back_does_not_come_back(connection: CalendarConnection, alice: User) -> None:
    client = MemoryClient(online("a", 5))
    run(connection, client)
    decide("a", "join", 5)
    decide("a", "")
    assert plan("a") == BY_RULE
    connection.disconnect()
    run(connect(alice), client)
    assert plan("a") == BY_RULE


def test_without_a_uid_it_is_kept_by_the_id(connection: CalendarConnection) -> None:
    client = MemoryClient(online("a", 5, ical_uid=""), online("b", 5, ical_uid=""))
    run(connection, client)
    decide("a", "join")
    client.put(online("a", 9, ical_uid=""))
    run(connection, client)
    assert (plan("a"), plan("b")) == (ASKED, BY_RULE)
