"""The access log's rows: kept whole, idle checks summed by the hour, and what happens when owner or connection go."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from integrations import upkeep
from integrations.endpoints import Endpoint
from integrations.models import AccessRecord, CalendarConnection, Why, access
from integrations.trail import Trail
from sally.deletion import delete_everything
from sally.models import User

TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return made(alice)


def made(owner: User, address: str = "ines@quay.example") -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=owner, provider="microsoft-work", account_id=address, account_email=address
    )


def check(connection: CalendarConnection, at: datetime, /, **other: Any) -> AccessRecord:
    """A row of a sync on schedule that found nothing new."""
    known: dict[str, Any] = {
        "owner": connection.owner, "connection": connection, "account": connection.account_email, "at": at,
        "last_at": at, "method": "GET", "endpoint": "calendarView", "why": "schedule", "status": 200, "items": 40,
        "idle": True,
    }  # fmt: skip
    return AccessRecord.objects.create(**(known | other))


def trail(*kinds: Endpoint) -> Trail:
    made = Trail(lambda: TEN)
    for kind in kinds:
        made.asks("GET", kind)
        made.answered(200, kind)
    return made


def sums() -> list[tuple[datetime, datetime, str, int, int | None]]:
    rows = AccessRecord.objects.filter(idle=False).order_by("at", "endpoint", "pk")
    return [(one.at, one.last_at, one.endpoint, one.times, one.items) for one in rows]


class TestKeeping:
    def test_a_trail_is_one_statement(self, connection: CalendarConnection) -> None:
        asked = trail(Endpoint.TOKEN, Endpoint.CALENDAR_VIEW, Endpoint.BATCH)
        with CaptureQueriesContext(database) as captured:
            AccessRecord.objects.keep(asked, connection.owner_id, Why.FIRST, connection)
        statements = [one["sql"] for one in captured if not one["sql"].startswith(("SAVEPOINT", "RELEASE"))]
        assert len(statements) == 1
        rows = AccessRecord.objects.order_by("pk").values_list("endpoint", "why", "account", "times", "idle", "at")
        assert list(rows) == [
            (one, "first", "ines@quay.example", 1, False, TEN) for one in ("token", "calendarView", "$batch")
        ]

    def test_where_nothing_was_asked_there_is_no_statement(self, connection: CalendarConnection) -> None:
        with CaptureQueriesContext(database) as captured:
            AccessRecord.objects.keep(Trail(), connection.owner_id, Why.FIRST, connection)
            AccessRecord.objects.keep_apart(Trail(), connection.owner_id, Why.FIRST, connection)
        assert len(captured) == 0

    def test_it_outlives_the_connection(self, connection: CalendarConnection) -> None:
        AccessRecord.objects.keep(trail(Endpoint.TOKEN), connection.owner_id, Why.FIRST, connection)
        connection.disconnect()
        row = AccessRecord.objects.get()
        assert (row.connection_id, row.account) == (None, "ines@quay.example")

    def test_of_a_connection_that_is_gone_it_is_kept_without(self, connection: CalendarConnection) -> None:
        seen = CalendarConnection.objects.get(pk=connection.pk)
        connection.disconnect()
        AccessRecord.objects.keep_apart(trail(Endpoint.TOKEN), seen.owner_id, Why.SCHEDULE, seen)
        row = AccessRecord.objects.get()
        assert (row.connection_id, row.account) == (None, "ines@quay.example")
        assert not CalendarConnection.objects.exists()

    def test_of_an_owner_who_is_gone_nothing_is_kept(self, connection: CalendarConnection) -> None:
        seen = CalendarConnection.objects.get(pk=connection.pk)
        User.objects.all().delete()
        AccessRecord.objects.keep_apart(trail(Endpoint.TOKEN), seen.owner_id, Why.SCHEDULE, seen)
        assert not AccessRecord.objects.exists()

    def test_with_its_owner_it_goes(self, connection: CalendarConnection) -> None:
        check(connection, TEN)
        connection.owner.delete()
        assert not AccessRecord.objects.exists()


class TestSumming:
    def test_one_row_stands_for_the_checks_of_an_hour(self, connection: CalendarConnection) -> None:
        for minute, items in ((0, 40), (5, 41), (59, 42)):
            check(connection, TEN + minute * MINUTE, items=items)
        AccessRecord.objects.sum_idle(TEN + HOUR + 5 * MINUTE)
        assert sums() == [(TEN, TEN + 59 * MINUTE, "calendarView", 3, 123)]
        row = AccessRecord.objects.get()
        assert (row.owner, row.connection, row.account) == (connection.owner, connection, "ines@quay.example")
        assert (row.method, row.why, row.status) == ("GET", "schedule", 200)

    def test_an_hour_is_summed_five_minutes_after_its_end(self, connection: CalendarConnection) -> None:
        check(connection, TEN + 30 * MINUTE)
        AccessRecord.objects.sum_idle(TEN + HOUR + 5 * MINUTE - timedelta(seconds=1))
        assert sums() == []
        AccessRecord.objects.sum_idle(TEN + HOUR + 5 * MINUTE)
        assert sums() == [(TEN + 30 * MINUTE, TEN + 30 * MINUTE, "calendarView", 1, 40)]

    def test_hours_stay_apart_at_their_border(self, connection: CalendarConnection) -> None:
        last = TEN + HOUR - timedelta(microseconds=1)
        check(connection, last)
        check(connection, TEN + HOUR)
        AccessRecord.objects.sum_idle(TEN + 5 * HOUR)
        assert [(at, times) for at, _, _, times, _ in sums()] == [(last, 1), (TEN + HOUR, 1)]

    def test_what_differs_stays_apart(self, connection: CalendarConnection, alice: User) -> None:
        other = made(alice, "tomas@quay.example")
        check(connection, TEN)
        check(other, TEN)
        check(connection, TEN, endpoint="token", method="POST", items=None)
        check(connection, TEN, endpoint="token", method="POST", items=None)
        check(connection, TEN, status=304)
        check(connection, TEN, connection=None)
        AccessRecord.objects.sum_idle(TEN + 5 * HOUR)
        assert sorted((one[2], one[3], one[4]) for one in sums() if one[2] == "token") == [("token", 2, None)]
        assert len(sums()) == 5

    def test_what_found_something_is_left_alone(self, connection: CalendarConnection) -> None:
        kept = [check(connection, TEN + one * MINUTE, idle=False).pk for one in range(2)]
        check(connection, TEN + 3 * MINUTE)
        AccessRecord.objects.sum_idle(TEN + 5 * HOUR)
        assert AccessRecord.objects.filter(pk__in=kept).count() == 2
        assert AccessRecord.objects.count() == 3

    def test_twice_is_as_once(self, connection: CalendarConnection) -> None:
        for minute in range(3):
            check(connection, TEN + minute * MINUTE)
        AccessRecord.objects.sum_idle(TEN + 5 * HOUR)
        before = list(AccessRecord.objects.values())
        AccessRecord.objects.sum_idle(TEN + 5 * HOUR)
        assert list(AccessRecord.objects.values()) == before

    def test_one_that_comes_late_is_not_lost(self, connection: CalendarConnection) -> None:
        check(connection, TEN)
        AccessRecord.objects.sum_idle(TEN + 2 * HOUR)
        check(connection, TEN + MINUTE)
        AccessRecord.objects.sum_idle(TEN + 2 * HOUR)
        assert sum(times for *_, times, _ in sums()) == 2
        assert not AccessRecord.objects.filter(idle=True).exists()

    def test_where_there_is_nothing_to_sum_it_is_one_statement(self, connection: CalendarConnection) -> None:
        check(connection, TEN)
        with CaptureQueriesContext(database) as captured:
            AccessRecord.objects.sum_idle(TEN + 30 * MINUTE)
        assert len(captured) == 1

    def test_many_people_are_no_more_statements(self, alice: User) -> None:
        def cost(people: int) -> int:
            for _ in range(people):
                owner = User.objects.create_user(f"{uuid.uuid4()}@quay.example", "x", organization=alice.organization)
                theirs = made(owner)
                for minute in range(3):
                    check(theirs, TEN + minute * MINUTE)
            with CaptureQueriesContext(database) as captured:
                AccessRecord.objects.sum_idle(TEN + 5 * HOUR)
            return len(captured)

        assert cost(2) == cost(20)

    def test_more_people_than_one_batch_takes(
        self, connection: CalendarConnection, bob: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("integrations.models.access.PEOPLE_AT_ONCE", 1)
        monkeypatch.setattr("integrations.models.access.ROWS_AT_ONCE", 2)
        for one in (connection, made(bob, "bob@quay.example")):
            for minute in range(5):
                check(one, TEN + minute * MINUTE)
        AccessRecord.objects.sum_idle(TEN + 5 * HOUR)
        assert [one[3] for one in sums()] == [5, 5]
        assert AccessRecord.objects.count() == 2

    @pytest.mark.django_db(transaction=True)
    def test_two_workers_at_once_count_nothing_twice(self, connection: CalendarConnection) -> None:
        for minute in range(60):
            check(connection, TEN + minute * MINUTE)
        barrier = threading.Barrier(2)
        failures: list[Exception] = []

        def work() -> None:
            barrier.wait()
            try:
                AccessRecord.objects.sum_idle(TEN + 5 * HOUR)
            except Exception as exc:  # noqa: BLE001 - whatever it is, it fails the test
                failures.append(exc)
            database.close()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert failures == []
        assert sums() == [(TEN, TEN + 59 * MINUTE, "calendarView", 60, 2400)]
        assert AccessRecord.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("end", [lambda one: one.disconnect(), lambda one: delete_everything(one.owner)])
    def test_what_ends_while_its_checks_are_summed_ends(
        self, connection: CalendarConnection, monkeypatch: pytest.MonkeyPatch, end: Callable[[CalendarConnection], Any]
    ) -> None:
        """Whoever ends it waits for the rows; and neither of the two may then wait for the other, or be refused."""
        for minute in range(2):
            check(connection, TEN + minute * MINUTE)
        under_way, failures = threading.Event(), list[Exception]()

        def slowly(rows: Sequence[AccessRecord]) -> AccessRecord:
            under_way.set()
            time.sleep(0.5)
            return summed(rows)

        def work() -> None:
            try:
                AccessRecord.objects.sum_idle(TEN + 5 * HOUR)
            except Exception as exc:  # noqa: BLE001 - whatever it is, it fails the test
                failures.append(exc)
            database.close()

        summed = access._summed
        monkeypatch.setattr(access, "_summed", slowly)
        thread = threading.Thread(target=work)
        thread.start()
        assert under_way.wait(10)
        end(connection)
        thread.join()
        assert failures == []
        assert not CalendarConnection.objects.exists()
        assert not AccessRecord.objects.exclude(connection=None).exists()

    def test_it_is_looked_after_every_minute(self, connection: CalendarConnection) -> None:
        for minute in range(2):
            check(connection, TEN + minute * MINUTE)
        upkeep.look_after(TEN + 2 * HOUR)
        assert [one[3] for one in sums()] == [2]


def test_the_latest_of_a_person_come_first(connection: CalendarConnection, bob: User) -> None:
    for minute in range(5):
        check(connection, TEN + minute * MINUTE)
    check(made(bob, "bob@quay.example"), TEN + HOUR)
    found = AccessRecord.objects.latest_of(connection.owner, 2)
    assert [one.at for one in found] == [TEN + 4 * MINUTE, TEN + 3 * MINUTE]


@pytest.mark.parametrize(
    ("status", "endpoint", "words"),
    [
        (200, "calendarView", "OK"),
        (401, "calendarView", "refused"),
        (401, "EWS handshake", "answered"),
        (0, "calendarView", "no answer"),
        (0, "EWS handshake", "no answer"),
        (429, "$batch", "to wait"),
        (503, "token", "failed at the provider"),
        (418, "token", "not accepted"),
    ],
)
def test_the_result_in_words(status: int, endpoint: str, words: str) -> None:
    assert str(AccessRecord(status=status, endpoint=endpoint).result) == words


def test_a_kind_of_another_version_is_shown_by_its_name() -> None:
    assert AccessRecord(endpoint="calendarView/delta").what == "calendarView/delta"
