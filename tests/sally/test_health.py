"""Health: what load balancers learn, what admins read, and the worker's sign of life."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.db import connection as database
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from pytest_django import Settings

from calendars import tasks
from sally import health
from sally.models import Condition, Heartbeat, Organization, User
from tests.conftest import make_user
from tests.walking import signed_in

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def working(db: None) -> None:
    """A worker has run just now."""
    health.beat(NOW)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Registers a check for one test."""
    monkeypatch.setattr(health, "_checks", dict(health._checks))
    return health.register


def ask(path: str = "/readyz", **options: Any) -> tuple[int, str]:
    response = Client().get(path, **options)
    return response.status_code, response.content.decode()


def down(*_args: object) -> None:
    raise OperationalError("the server is at 10.0.0.1, user sally")


# --- What strangers learn ----------------------------------------------------------------------------------------


def test_all_well_is_ready(working: None) -> None:
    assert ask() == (200, "ready")


@pytest.mark.django_db
def test_a_fresh_installation_whose_worker_has_never_run_is_not_ready() -> None:
    assert ask() == (503, "not ready")


@pytest.mark.parametrize(("minutes", "answer"), [(5, (200, "ready")), (5.1, (503, "not ready"))])
def test_a_worker_is_dead_after_five_minutes(working: None, minutes: float, answer: tuple[int, str]) -> None:
    with time_machine.travel(NOW + minutes * MINUTE, tick=False):
        assert ask() == answer


def test_the_minutes_task_is_the_sign_of_life(db: None) -> None:
    tasks.dispatch_due()
    assert Heartbeat.objects.get(name="worker").at == NOW
    assert ask() == (200, "ready")


def test_a_migration_that_is_not_applied_is_not_ready(working: None) -> None:
    MigrationRecorder(database).migration_qs.filter(app="sally").delete()
    assert ask() == (503, "not ready")


@pytest.mark.parametrize(("minutes", "answer"), [(9, (200, "ready")), (11, (503, "not ready"))])
def test_a_queue_that_nobody_empties_is_not_ready(working: None, minutes: int, answer: tuple[int, str]) -> None:
    OrmQ.objects.create(key="sally", payload="", lock=NOW - minutes * MINUTE)
    assert ask() == answer


def test_a_task_at_work_does_not_wait(working: None) -> None:
    """Its lock lies ahead: the time of its next try."""
    OrmQ.objects.create(key="sally", payload="", lock=NOW + MINUTE)
    assert ask() == (200, "ready")


class FakeRedis:
    """The list that django-q2's broker keeps."""

    def __init__(self, *items: bytes) -> None:
        self.items = items

    def __enter__(self) -> FakeRedis:
        return self

    def __exit__(self, *_: object) -> None: ...

    def lindex(self, key: str, index: int) -> bytes | None:
        assert key == "django_q:sally:q"
        return self.items[index] if self.items else None


@pytest.mark.parametrize(
    ("items", "answer"),
    [
        ([], (200, "ready")),
        ([11, 1], (503, "not ready")),
        ([9, 1], (200, "ready")),
        (["of another key"], (200, "ready")),
    ],
)
def test_with_redis_the_oldest_task_counts_too(
    working: None, settings: Settings, monkeypatch: pytest.MonkeyPatch, items: list[Any], answer: tuple[int, str]
) -> None:
    settings.REDIS_URL = "redis://localhost"
    packed = [
        one.encode() if isinstance(one, str) else SignedPackage.dumps({"started": NOW - one * MINUTE}).encode()
        for one in items
    ]
    monkeypatch.setattr("sally.health.redis.Redis.from_url", lambda *_, **__: FakeRedis(*packed))
    assert ask() == answer


@pytest.mark.needs("redis")
def test_with_a_real_redis_a_task_that_waits_is_found(working: None, settings: Settings) -> None:
    import os

    import redis

    settings.REDIS_URL = os.environ["TEST_REDIS_URL"]
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        server.delete("django_q:sally:q")
        server.rpush("django_q:sally:q", SignedPackage.dumps({"started": NOW - 11 * MINUTE}))
        try:
            assert ask() == (503, "not ready")
        finally:
            server.delete("django_q:sally:q")
        assert ask() == (200, "ready")


def test_a_redis_that_does_not_answer_is_not_ready(working: None, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    assert ask() == (503, "not ready")


@pytest.mark.django_db
def test_without_a_database_it_is_not_ready_and_says_no_more(working: None) -> None:
    with database.execute_wrapper(down):
        assert ask() == (503, "not ready")
        assert ask("/healthz") == (200, "ok")


def test_without_even_a_connection_it_is_not_ready(working: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(database, "cursor", down)
        assert ask() == (503, "not ready")


def test_what_an_app_registers_counts(working: None, registered: Callable[..., None]) -> None:
    registered("provider", lambda: "")
    assert ask() == (200, "ready")
    registered("provider", lambda: "the app registration is refused")
    assert ask() == (503, "not ready")


def test_a_check_that_fails_is_a_finding_not_a_failure(working: None, registered: Callable[..., None]) -> None:
    def fail() -> str:
        raise RuntimeError("with a secret in it")

    registered("provider", fail)
    assert ask() == (503, "not ready")
    assert [one.reason for one in health.findings() if one.reason] == ["cannot be checked: RuntimeError"]


@pytest.mark.parametrize(("path", "number"), [("/healthz", 0), ("/readyz", 6)])
def test_asking_is_cheap(working: None, path: str, number: int) -> None:
    ask(path)
    with CaptureQueriesContext(database) as captured:
        ask(path)
    assert len(captured) == number


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
class TestProbes:
    def test_a_load_balancer_may_ask_by_ip_and_without_tls(self, working: None, path: str, settings: Settings) -> None:
        settings.ALLOWED_HOSTS = ["sally.example"]
        settings.SECURE_SSL_REDIRECT = True
        assert ask(path, headers={"host": "10.1.2.3:8000"})[0] == 200
        assert Client().get("/sign-in/", headers={"host": "10.1.2.3"}).status_code in (301, 400)

    def test_no_session_and_no_cookie_is_touched(self, working: None, alice: User, path: str) -> None:
        response = signed_in(alice).get(path)
        assert not response.cookies
        assert "Cookie" not in response.headers.get("Vary", "")
        assert response.headers["Cache-Control"] == "no-store, private"
        assert response.headers["Content-Type"] == "text/plain"

    def test_head_has_the_same_code_and_no_body(self, working: None, path: str) -> None:
        response = Client().head(path)
        assert (response.status_code, response.content) == (200, b"")

    @pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
    def test_nothing_else_is_answered(self, working: None, path: str, method: str) -> None:
        response = getattr(Client(), method)(path)
        assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


# --- Since when --------------------------------------------------------------------------------------------------


def test_since_when_stays_until_the_finding_changes(db: None, registered: Callable[..., None]) -> None:
    registered("provider", lambda: "")
    health.beat(NOW)
    health.beat(NOW + MINUTE)
    assert Condition.objects.get(name="provider").since == NOW
    registered("provider", lambda: "refused")
    health.beat(NOW + 2 * MINUTE)
    registered("provider", lambda: "refused for another reason")
    health.beat(NOW + 3 * MINUTE)
    row = Condition.objects.get(name="provider")
    assert (row.ok, row.since) == (False, NOW + 2 * MINUTE)


def test_a_beat_without_news_writes_one_row(working: None) -> None:
    with CaptureQueriesContext(database) as captured:
        health.beat(NOW + MINUTE)
    written = [query["sql"] for query in captured if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(written) == 1


# --- What admins read --------------------------------------------------------------------------------------------


@pytest.fixture
def root(db: None) -> Client:
    return signed_in(User.objects.create_superuser("root@sally.example", "a password", language="en"))


PAGE = "/admin/sally/condition/"


def test_the_page_is_linked_from_the_index(root: Client) -> None:
    index = root.get("/admin/").content.decode()
    assert f'href="{PAGE}"' in index
    assert "System health" in index


def test_it_tells_each_check_its_reason_and_since_when(
    root: Client, working: None, registered: Callable[..., None]
) -> None:
    registered("provider", lambda: "the app registration is <refused>", "Microsoft")
    health.beat(NOW - 2 * MINUTE)
    page = root.get(PAGE).content.decode()
    for words in ("Database", "Migrations", "Worker", "Queue", "Microsoft", "11:58", "not ready"):
        assert words in page
    assert "the app registration is &lt;refused&gt;" in page


def test_what_the_worker_has_not_noticed_came_after_its_last_sign(root: Client, working: None) -> None:
    with time_machine.travel(NOW + 8 * MINUTE, tick=False):
        page = root.get(PAGE).content.decode()
    assert "no sign of life; the last: 8\xa0minutes" in page
    assert re.search(r"after [^<]*2026[^<]*12:00", page)


def test_it_is_the_superusers_business(quay: Organization) -> None:
    anna = signed_in(make_user("anna@quay.example", quay, role="admin"))
    assert anna.get(PAGE).status_code == 403
    assert PAGE not in anna.get("/admin/").content.decode()


def test_it_has_no_rows_to_open_or_add(root: Client, working: None) -> None:
    for path in ("add/", "worker/change/", "worker/delete/", "worker/history/"):
        assert root.get(PAGE + path).status_code == 404


@pytest.mark.django_db
def test_it_is_shown_while_nobody_has_looked_yet(root: Client) -> None:
    page = root.get(PAGE).content.decode()
    assert "has never run" in page
