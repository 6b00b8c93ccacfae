"""What Sally forgets after a while, in small steps, and what it keeps."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from axes.models import AccessAttempt
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Task
from pytest_django import Settings

from calendars import retention, sync
from calendars.models import Change, Meeting
from integrations.models import AccessRecord, ApprovalRequest, CalendarConnection, SignIn
from sally.models import Condition, Heartbeat, Session, User
from tests.calendars.rows import meeting

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return CalendarConnection.objects.create(owner=alice, provider="microsoft-work", account_id="1")


def many(connection: CalendarConnection, number: int, start: datetime) -> None:
    rows = [
        Meeting(connection=connection, external_id=str(one), start=start, end=start + DAY / 24, kind="single")
        for one in range(number)
    ]
    made = Meeting.objects.bulk_create(rows)
    Change.objects.bulk_create(Change(meeting=one, at=start, what="added", start=start, end=start) for one in made)
    CalendarConnection.objects.filter(pk=connection.pk).update(meeting_count=number)


def task(name: str, success: bool, stopped: datetime) -> None:
    Task.objects.create(id=name, name=name, func="f", started=stopped, stopped=stopped, success=success)


class TestMeetings:
    def test_one_that_ended_more_than_thirty_days_ago_goes_with_its_history(
        self, connection: CalendarConnection
    ) -> None:
        old = meeting(connection, "old", NOW - 31 * DAY)
        Change.objects.create(meeting=old, at=NOW, what="moved", start=NOW, end=NOW)
        meeting(connection, "recent", NOW - 29 * DAY)
        assert retention.tidy(NOW)["meetings"] == 1
        assert [one.subject for one in Meeting.objects.all()] == ["recent"]
        assert not Change.objects.exists()

    def test_its_end_counts_not_its_start(self, connection: CalendarConnection) -> None:
        meeting(connection, "a long journey", NOW - 60 * DAY, hours=24 * 40)
        retention.tidy(NOW)
        assert Meeting.objects.count() == 1

    def test_how_long_is_a_setting(self, connection: CalendarConnection, settings: Settings) -> None:
        settings.KEEP_DAYS = 90
        meeting(connection, "kept", NOW - 80 * DAY)
        meeting(connection, "gone", NOW - 91 * DAY)
        retention.tidy(NOW)
        assert [one.subject for one in Meeting.objects.all()] == ["kept"]

    def test_each_connection_shows_the_number_that_is_left(self, connection: CalendarConnection, bob: User) -> None:
        other = CalendarConnection.objects.create(owner=bob, provider="microsoft-work", account_id="2", meeting_count=2)
        many(connection, 3, NOW - 40 * DAY)
        meeting(other, "old", NOW - 40 * DAY)
        meeting(other, "new", NOW)
        retention.tidy(NOW)
        counts = dict(CalendarConnection.objects.values_list("account_id", "meeting_count"))
        assert counts == {"1": 0, "2": 1}

    def test_no_sync_reads_what_was_forgotten(self, connection: CalendarConnection, settings: Settings) -> None:
        """The window of the next read begins where the kept ends, however long ago the last read was."""
        connection.last_synced_at = NOW - 400 * DAY
        for days in (1, 30, 90):
            settings.KEEP_DAYS = days
            assert sync.window_of(connection, NOW).start >= retention.keep_from(NOW)

    def test_ten_and_ten_thousand_cost_the_same_in_each_batch(self, connection: CalendarConnection) -> None:
        def statements(number: int) -> int:
            many(connection, number, NOW - 40 * DAY)
            with CaptureQueriesContext(database) as captured:
                retention._meetings(NOW)
            assert not Meeting.objects.exists()
            control = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
            return sum(not query["sql"].startswith(control) for query in captured.captured_queries)

        # To find the batch, lock, delete changes, delete meetings, count; and a last look that finds no more.
        assert statements(10) == 5
        assert statements(10_000) == 5 * (10_000 // retention.BATCH) + 1

    @pytest.mark.django_db(transaction=True)
    def test_no_transaction_is_longer_than_a_batch(
        self, connection: CalendarConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A failure in the third batch leaves the first two done."""
        monkeypatch.setattr(retention, "BATCH", 10)
        many(connection, 30, NOW - 40 * DAY)
        left = iter([True, True, False])
        recount = type(Meeting.objects.all()).recount

        def fail(self: object, pks: list[object]) -> None:
            if not next(left):
                raise RuntimeError
            recount(self, pks)  # type: ignore[arg-type]

        monkeypatch.setattr("calendars.models.MeetingQuerySet.recount", fail)
        monkeypatch.setattr(type(Meeting.objects), "recount", fail)
        assert "meetings" not in retention.tidy(NOW)
        assert Meeting.objects.count() == CalendarConnection.objects.get().meeting_count == 10


class TestTheRest:
    @pytest.mark.django_db
    def test_failed_tasks_are_kept_for_two_weeks_and_finished_ones_not(self) -> None:
        task("old failure", False, NOW - 15 * DAY)
        task("failure", False, NOW - 13 * DAY)
        task("success", True, NOW - DAY)
        retention.tidy(NOW)
        assert [one.name for one in Task.objects.all()] == ["failure"]

    def test_sign_ins_go_two_weeks_after_they_expired(self, alice: User) -> None:
        """So long a stopped one tells its owner what to do."""
        for hours in (-14 * 24 - 1, -14 * 24 + 1, 1):
            SignIn.objects.create(user=alice, state_digest=str(hours), flow={}, expires_at=NOW + timedelta(hours=hours))
        retention.tidy(NOW)
        assert set(SignIn.objects.values_list("state_digest", flat=True)) == {"-335", "1"}

    def test_approval_requests_go_two_weeks_after_their_link(self, alice: User, bob: User) -> None:
        for user, days in ((alice, 29), (bob, 27)):
            ApprovalRequest.objects.ask(user, "microsoft-work", user.email, NOW - timedelta(days=days))
        assert retention.tidy(NOW)["approval requests"] == 1
        assert [one.user for one in ApprovalRequest.objects.all()] == [bob]

    @pytest.mark.django_db
    def test_sessions_go_when_nobody_is_let_in_by_them_any_more(self, alice: User) -> None:
        now = timezone.now()

        def session(key: str, user: User | None, signed_in: timedelta, used: timedelta, expires: timedelta) -> None:
            Session.objects.create(
                session_key=key, session_data="", expire_date=now + expires, user=user,
                signed_in_at=now - signed_in, used_at=now - used,
            )  # fmt: skip

        session("in use", alice, 6 * DAY, timedelta(hours=7), DAY)
        session("idle", alice, DAY, timedelta(hours=9), DAY)
        session("old", alice, 8 * DAY, timedelta(0), DAY)
        session("nobody's", None, DAY, DAY, DAY)
        session("nobody's, expired", None, DAY, DAY, -DAY)
        assert retention.tidy(now)["sessions"] == 3
        assert set(Session.objects.values_list("session_key", flat=True)) == {"in use", "nobody's"}

    @pytest.mark.django_db
    def test_what_is_known_of_checks_that_exist_no_more_goes(self) -> None:
        for name in ("database", "of yesterday"):
            Condition.objects.create(name=name, ok=True, since=NOW)
        for name, days in (("worker", 3), ("of yesterday", 3), ("new", 0)):
            Heartbeat.objects.create(name=name, at=NOW - days * DAY)
        retention.tidy(NOW)
        assert [one.name for one in Condition.objects.all()] == ["database"]
        assert set(Heartbeat.objects.values_list("name", flat=True)) == {"worker", "new"}

    @pytest.mark.django_db
    def test_counts_of_wrong_passwords_go_when_they_count_no_more(self) -> None:
        for minutes in (16, 14):
            row = AccessAttempt.objects.create(username=str(minutes), ip_address="127.0.0.1", failures_since_start=1)
            AccessAttempt.objects.filter(pk=row.pk).update(attempt_time=NOW - timedelta(minutes=minutes))
        assert retention.tidy(NOW)["access attempts"] == 1
        assert AccessAttempt.objects.get().username == "14"

    @pytest.mark.django_db
    def test_one_parts_failure_does_not_stop_the_others(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_: datetime) -> int:
            raise RuntimeError("broken")

        monkeypatch.setitem(retention.PARTS, "meetings", fail)
        task("old failure", False, NOW - 15 * DAY)
        with caplog.at_level(logging.INFO):
            counts = retention.tidy(NOW)
        assert counts["failed tasks"] == 1
        assert "meetings" not in counts
        lines = [record.message for record in caplog.records if record.name == "calendars.retention"]
        assert "tidying of meetings failed" in lines
        assert "tidying of failed tasks: 1 deleted" in lines
        assert len(lines) == len(retention.PARTS)

    @pytest.mark.django_db
    def test_batches_end_where_the_rows_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "BATCH", 3)
        for number in range(7):
            task(f"old {number}", False, NOW - 15 * DAY)
        assert retention.tidy(NOW)["failed tasks"] == 7
        assert not Task.objects.exists()


def test_the_access_log_is_kept_for_thirty_days(alice: User) -> None:
    for name, at in (("old", NOW - 30 * DAY - DAY / 24), ("recent", NOW - 30 * DAY + DAY / 24)):
        AccessRecord.objects.create(
            owner=alice, account=name, at=at, last_at=at, method="GET", endpoint="token", why="first", status=200
        )
    assert retention.tidy(NOW)["access log"] == 1
    assert [one.account for one in AccessRecord.objects.all()] == ["recent"]
