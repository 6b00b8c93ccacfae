"""The queue is only a wake-up: what happens when tasks double, vanish, or their worker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from multiprocessing import Value
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.test import Client
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.exceptions import TimeoutException
from django_q.models import Failure, OrmQ, Schedule
from django_q.monitor import save_task
from django_q.tasks import async_task
from django_q.worker import worker
from pytest_django import Settings

from calendars import tasks
from calendars.apps import SCHEDULES, register_schedules
from calendars.models import Meeting
from integrations.models import LEASE, CalendarConnection
from sally.models import User
from tests.conftest import INES, connect
from tests.sandbox_process import Sandbox

ROOT = Path(__file__).resolve().parent.parent.parent


def queued() -> list[tuple[str, ...]]:
    return [one.task["args"] for one in OrmQ.objects.all()]


def make(owner: User, number: int) -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=owner, provider="microsoft-work", account_id=str(number), next_sync_at=timezone.now()
    )


class TestDispatch:
    def test_each_due_connection_gets_one_task_with_ids_only(self, alice: User) -> None:
        rows = [make(alice, number) for number in range(3)]
        tasks.dispatch_due()
        for row in rows:
            row.refresh_from_db()
        assert sorted(queued()) == sorted((str(row.pk), str(row.lease_token)) for row in rows)

    def test_what_is_claimed_is_not_queued_again(self, alice: User) -> None:
        make(alice, 1)
        tasks.dispatch_due()
        tasks.dispatch_due()
        assert len(queued()) == 1

    def test_a_lost_task_is_made_up_for_when_the_lease_ends(self, alice: User) -> None:
        row = make(alice, 1)
        tasks.dispatch_due()
        OrmQ.objects.all().delete()
        CalendarConnection.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        tasks.dispatch_due()
        row.refresh_from_db()
        assert queued() == [(str(row.pk), str(row.lease_token))]

    def test_a_doubled_task_runs_once(self, ines: CalendarConnection, microsoft: Sandbox) -> None:
        tasks.dispatch_due()
        ((pk, token),) = queued()
        microsoft.control("DELETE", "log")
        tasks.sync_connection(pk, token)
        tasks.sync_connection(pk, token)
        assert sum(entry["path"] == "/v1.0/me/calendarView" for entry in microsoft.log()) == 1

    def test_a_wish_during_a_sync_is_queued_right_after_it(
        self, ines: CalendarConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tasks.dispatch_due()
        ((pk, token),) = queued()
        OrmQ.objects.all().delete()

        def run_and_wish(*_: object) -> None:
            CalendarConnection.objects.update(lease_until=None, lease_token=None, next_sync_at=timezone.now())

        monkeypatch.setattr("calendars.sync.run", run_and_wish)
        tasks.sync_connection(pk, token)
        assert len(queued()) == 1


@pytest.mark.django_db(transaction=True)  # the worker closes its connections
class TestFailures:
    """django-q2 stores the text and traceback of what a task raises; admins read it."""

    CANARY = "a-refresh-token-that-nobody-may-see"

    def run(self, monkeypatch: pytest.MonkeyPatch, fail: Callable[..., None]) -> Failure:
        """One task through django-q2's own worker and monitor, and what they keep of it."""
        monkeypatch.setattr("calendars.sync.run", fail)
        async_task("calendars.tasks.sync_connection", str(uuid.uuid4()), str(uuid.uuid4()))
        waiting: Queue[Any] = Queue()
        done: Queue[Any] = Queue()
        waiting.put(OrmQ.objects.get().task)
        waiting.put("STOP")
        worker(waiting, done, Value("f", -1), 30)
        save_task(done.get(), get_broker())
        return Failure.objects.get()

    def fail(self, *_: object) -> None:
        local = self.CANARY
        try:
            raise ValueError(f"answer {local}")
        except ValueError as exc:
            raise RuntimeError(f"token={local}") from exc

    def test_what_is_stored_names_the_class_and_the_logs_id_only(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        failure = self.run(monkeypatch, self.fail)
        ids = {
            vars(record)["request_id"] for record in caplog.records if "task sync_connection failed" in record.message
        }
        assert len(ids) == 1
        assert str(failure.result).startswith(f"RuntimeError; the log has the rest under {ids.pop()} : ")
        assert self.CANARY not in str(failure.result)
        assert "answer" not in str(failure.result)
        assert "TaskFailed" in str(failure.result)

    def test_the_log_has_the_traceback_without_the_secret(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.run(monkeypatch, self.fail)
        (record,) = [one for one in caplog.records if "task sync_connection failed" in one.message]
        assert "RuntimeError: token=[masked]" in str(record.exc_text)
        assert "test_tasks.py" in str(record.exc_text)

    def test_a_timeout_stays_one_and_tells_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def hang(*_: object) -> None:
            try:
                raise ValueError(self.CANARY)
            except ValueError:
                raise TimeoutException("too long")  # noqa: B904 - as the alarm comes, wherever the task is

        failure = self.run(monkeypatch, hang)
        assert str(failure.result).startswith("TimeoutException; the log has the rest under ")
        assert "django_q.exceptions.TimeoutException" in str(failure.result)
        assert self.CANARY not in str(failure.result)

    def test_each_run_has_an_id_of_its_own(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(2):
            self.run(monkeypatch, self.fail)
            Failure.objects.all().delete()
            OrmQ.objects.all().delete()
        ids = [vars(one)["request_id"] for one in caplog.records if "task sync_connection failed" in one.message]
        assert len(set(ids)) == len(ids) == 2
        assert "" not in ids


class TestSchedules:
    @pytest.mark.django_db
    def test_they_are_registered_once_and_left_as_they_are(self) -> None:
        register_schedules(None)
        soon = timezone.now() + timedelta(seconds=7)
        Schedule.objects.update(next_run=soon)
        register_schedules(None)
        assert [
            (one.name, one.func, one.schedule_type, one.minutes, one.repeats, one.next_run)
            for one in Schedule.objects.order_by("name")
        ] == [
            ("dispatch due connections", "calendars.tasks.dispatch_due", Schedule.MINUTES, 1, -1, soon),
            ("look after connections", "calendars.tasks.look_after", Schedule.MINUTES, 1, -1, soon),
            ("tidy", "calendars.tasks.tidy", Schedule.MINUTES, 24 * 60, -1, soon),
        ]

    @pytest.mark.django_db
    def test_those_that_are_no_longer_ours_go(self) -> None:
        Schedule.objects.create(name="old", func="calendars.tasks.of_yesterday", schedule_type=Schedule.HOURLY)
        Schedule.objects.create(name="not ours", func="somebody.elses", schedule_type=Schedule.HOURLY)
        register_schedules(None)
        assert set(Schedule.objects.values_list("name", flat=True)) == {"not ours", *SCHEDULES}

    def test_their_functions_exist(self) -> None:
        from django.utils.module_loading import import_string

        for func, _ in SCHEDULES.values():
            assert callable(import_string(func))


class TestSyncCalendars:
    def test_it_syncs_what_is_due(self, ines: CalendarConnection, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("sync_calendars")
        ines.refresh_from_db()
        assert ines.status == "connected"
        assert f"{INES}: {ines.meeting_count} meetings" in capsys.readouterr().out

    def test_each_is_claimed_when_its_turn_comes(
        self, alice: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A lease lasts a minute; one for all at the start would have lapsed before the last."""
        rows = [make(alice, number) for number in range(3)]
        leased: list[int] = []

        def run(pk: uuid.UUID, token: uuid.UUID, **_: object) -> None:
            leased.append(CalendarConnection.objects.exclude(lease_token=None).count())
            CalendarConnection.objects.filter(pk=pk).update(lease_token=None, lease_until=None)

        monkeypatch.setattr("calendars.sync.run", run)
        call_command("sync_calendars")
        assert leased == [1] * len(rows)

    def test_one_can_be_named_due_or_not(self, ines: CalendarConnection) -> None:
        CalendarConnection.objects.update(next_sync_at=timezone.now() + timedelta(hours=1))
        call_command("sync_calendars", connection=ines.pk)
        ines.refresh_from_db()
        assert ines.last_synced_at is not None

    def test_one_that_rests_is_said_to(self, ines: CalendarConnection) -> None:
        ines.pause()
        with pytest.raises(CommandError, match="or rests; its page says why"):
            call_command("sync_calendars", connection=ines.pk)

    def test_a_failure_is_named_and_ends_with_an_error(
        self, ines: CalendarConnection, microsoft: Sandbox, capsys: pytest.CaptureFixture[str]
    ) -> None:
        microsoft.control("POST", "faults", json={"path": "/calendarView", "status": 503, "body": ""})
        with pytest.raises(CommandError):
            call_command("sync_calendars")
        assert "failed (NET-1)" in capsys.readouterr().out


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def grandchildren(pid: int) -> list[int]:
    """Those of the worker's sentinel, oldest first."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            after_name = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(after_name[1])
    sentinels = [child for child, parent in parents.items() if parent == pid]
    return sorted(child for child, parent in parents.items() if parent in sentinels)


@pytest.fixture
def worker_environment(microsoft: Sandbox) -> dict[str, str]:
    """For processes of their own that work on the test's database and the sandbox."""
    name = database.settings_dict["NAME"]
    if database.vendor == "sqlite":
        url = f"sqlite:///{Path(name).resolve()}"
    else:
        at = database.settings_dict
        url = f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST'] or 'localhost'}:{at['PORT'] or 5432}/{name}"
    return os.environ | {
        "DATABASE_URL": url,
        "MICROSOFT_LOGIN_URL": microsoft.login_url,
        "MICROSOFT_GRAPH_URL": microsoft.graph_url,
        "MICROSOFT_CLIENT_ID": microsoft.client_id,
        "MICROSOFT_CLIENT_SECRET": microsoft.client_secret,
        "CA_BUNDLE": microsoft.ca_bundle,
    }


@pytest.fixture
def start_worker(worker_environment: dict[str, str]) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(
            subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "worker"], env=worker_environment, start_new_session=True
            )
        )
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.django_db(transaction=True)
@pytest.mark.needs("proc")
class TestARealWorker:
    def test_a_worker_killed_in_the_middle_of_a_sync_is_made_up_for(
        self,
        as_alice: Client,
        microsoft: Sandbox,
        start_worker: Callable[[], subprocess.Popen[bytes]],
        settings: Settings,
    ) -> None:
        """kill -9 while Graph answers; the next dispatch after the lease finds it, and nothing is doubled."""
        register_schedules(None)
        microsoft.control("POST", "faults", json={"path": "/calendarView", "status": None, "delay": 60})
        connection = connect(as_alice, microsoft)
        first = start_worker()
        until(lambda: OrmQ.objects.count() == 1 and _working(connection), 20, "a worker has the connection")
        time.sleep(1)
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        connection.refresh_from_db()
        assert connection.last_synced_at is None
        assert connection.attempts == 1
        microsoft.control("DELETE", "faults")
        # Instead of waiting for the minute of the lease: it ends now.
        CalendarConnection.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert timedelta(seconds=60) == LEASE
        start_worker()
        tasks.dispatch_due()
        until(lambda: _synced(connection), 30, "the connection is synced")
        connection.refresh_from_db()
        assert connection.status == "connected"
        meetings = Meeting.objects.filter(connection=connection)
        assert meetings.count() == meetings.values("external_id").distinct().count() == connection.meeting_count > 50

    def test_whichever_of_its_processes_is_killed_the_worker_goes_on(
        self, as_alice: Client, microsoft: Sandbox, start_worker: Callable[[], subprocess.Popen[bytes]]
    ) -> None:
        """An idle one that is killed may die with the queue's lock; then no other would ever get a task again."""
        worker = start_worker()
        until(lambda: len(grandchildren(worker.pid)) == 4, 20, "two workers, pusher and monitor are there")
        connection = connect(as_alice, microsoft)
        for position in range(4):
            until(lambda: _synced(connection), 30, f"synced after {position} of them were killed")
            until(lambda: OrmQ.objects.count() == 0, 30, "the task is acknowledged")
            before = grandchildren(worker.pid)
            os.kill(before[position], signal.SIGKILL)
            until(lambda: len(set(grandchildren(worker.pid)) - set(before)) == 4, 20, "the worker starts afresh")  # noqa: B023
            CalendarConnection.objects.update(last_synced_at=None)
            connection.refresh_from_db()
            connection.request_sync()
        until(lambda: _synced(connection), 30, "synced after all four kinds were killed")
        assert worker.poll() is None

    def test_a_workers_own_schedule_finds_what_is_due(
        self, as_alice: Client, microsoft: Sandbox, start_worker: Callable[[], subprocess.Popen[bytes]]
    ) -> None:
        """The queued task is lost; the schedule makes up for it (django-q2 looks at schedules every 30 s)."""
        register_schedules(None)
        connection = connect(as_alice, microsoft)
        OrmQ.objects.all().delete()
        CalendarConnection.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        Schedule.objects.update(next_run=timezone.now())
        start_worker()
        until(lambda: _synced(connection), 60, "the connection is synced")

    def test_two_workers_on_one_connection_one_works(
        self, as_alice: Client, microsoft: Sandbox, start_worker: Callable[[], subprocess.Popen[bytes]]
    ) -> None:
        connection = connect(as_alice, microsoft)
        ((pk, token),) = queued()
        # The same task many times over, as an ORM broker may deliver it.
        for _ in range(5):
            async_task("calendars.tasks.sync_connection", pk, token)
        microsoft.control("DELETE", "log")
        microsoft.control("POST", "faults", json={"path": "/calendarView", "status": None, "delay": 1})
        start_worker()
        start_worker()
        until(lambda: _synced(connection), 30, "the connection is synced")
        until(lambda: OrmQ.objects.count() == 0, 30, "all tasks are done")
        assert sum(entry["path"] == "/v1.0/me/calendarView" for entry in microsoft.log()) == 1


@pytest.mark.needs("redis")
@pytest.mark.django_db(transaction=True)
def test_with_redis_as_the_queue_a_connection_is_synced_too(
    as_alice: Client, microsoft: Sandbox, worker_environment: dict[str, str]
) -> None:
    """The test's own process has the queue in the database, so it is another one that asks for the sync."""
    connection = connect(as_alice, microsoft)
    CalendarConnection.objects.update(lease_until=None, lease_token=None, next_sync_at=timezone.now())
    OrmQ.objects.all().delete()
    environment = worker_environment | {"REDIS_URL": os.environ["TEST_REDIS_URL"]}
    manage = [sys.executable, str(ROOT / "manage.py")]
    wake = f"import uuid; from calendars import tasks; tasks.wake(uuid.UUID('{connection.pk}'))"
    subprocess.run([*manage, "shell", "--no-imports", "-c", wake], env=environment, check=True, capture_output=True)
    assert OrmQ.objects.count() == 0
    worker = subprocess.Popen([*manage, "worker"], env=environment, start_new_session=True)
    try:
        until(lambda: _synced(connection), 30, "the connection is synced")
        worker.terminate()
        assert worker.wait(timeout=20) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def _working(connection: CalendarConnection) -> bool:
    connection.refresh_from_db()
    return connection.lease_until is not None and OrmQ.objects.filter(lock__gt=timezone.now()).exists()


def _synced(connection: CalendarConnection) -> bool:
    connection.refresh_from_db()
    return connection.last_synced_at is not None


def test_the_queue_never_retries_what_the_rows_retry() -> None:
    """ack_failures: a failed task is done; tries and pauses are the rows'. And successes are not kept."""
    queue = django_settings.Q_CLUSTER
    assert (queue["ack_failures"], queue["max_attempts"], queue["save_limit"]) == (True, 1, -1)
    assert queue["retry"] > queue["timeout"] * (1 + queue["queue_limit"] / queue["workers"])
