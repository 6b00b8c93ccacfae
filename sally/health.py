"""Whether Sally works: checks by name, what load balancers may ask, and the sign of life that the worker leaves.

An app adds what it knows with ``register``. Strangers learn only "ready" or "not ready"; the reasons stand in Django
admin (sally.admin). ``/healthz`` says that the process answers, ``/readyz`` that it can be of use.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import redis
from django.conf import settings
from django.core.signing import BadSignature
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Min
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from sally.models import Condition, Heartbeat

logger = logging.getLogger(__name__)

View = Callable[[HttpRequest], HttpResponse]
WORKER = "worker"
DEAD_AFTER = timedelta(minutes=5)
# What two workers have not begun by then, they hardly will.
QUEUE_LATE = timedelta(minutes=10)
QUEUE_SECONDS = 2.0  # to wait for Redis


@dataclass(frozen=True)
class Check:
    """``look`` returns "" if all is well, else a short reason for an admin to read, in the language at work."""

    name: str
    label: object
    look: Callable[[], str]


@dataclass(frozen=True)
class Finding:
    check: Check
    reason: str

    @property
    def ok(self) -> bool:
        return not self.reason


_checks: dict[str, Check] = {}


def register(name: str, look: Callable[[], str], label: object = "") -> None:
    """Add a check, or replace the one of this name. It should cost a query or two: load balancers ask often."""
    _checks[name] = Check(name, label or name, look)


def names() -> list[str]:
    return list(_checks)


def findings() -> list[Finding]:
    """What each check says now. Without a database there is nothing more to find out."""
    found: list[Finding] = []
    for check in _checks.values():
        found.append(Finding(check, _look(check)))
        if check.name == "database" and found[-1].reason:
            break
    return found


def _look(check: Check) -> str:
    try:
        return check.look()
    except Exception as exc:  # noqa: BLE001 - a check that fails is a finding, not a failure
        logger.warning("health check %s: %s", check.name, type(exc).__name__)
        return _("cannot be checked: %(error)s") % {"error": type(exc).__name__}


def beat(now: datetime) -> None:
    """The worker's sign of life, once a minute; and since when each check is as it is."""
    Heartbeat.objects.update_or_create(name=WORKER, defaults={"at": now})
    known = dict(Condition.objects.values_list("name", "ok"))
    changed = [one for one in findings() if known.get(one.check.name) is not one.ok]
    for one in changed:
        logger.log(logging.INFO if one.ok else logging.ERROR, "health: %s: %s", one.check.name, one.reason or "well")
    Condition.objects.bulk_create(
        [Condition(name=one.check.name, ok=one.ok, since=now) for one in changed],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["ok", "since"],
    )


# --- Our own checks ----------------------------------------------------------------------------------------------


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as exc:
        return _("does not answer: %(error)s") % {"error": type(exc).__name__}
    return ""


def _migrations() -> str:
    applied = set(MigrationRecorder(connection).migration_qs.values_list("app", "name"))
    missing = sorted(f"{app}.{name}" for app, name in _latest_migrations() - applied)
    return _("not applied: %(names)s") % {"names": ", ".join(missing)} if missing else ""


@cache
def _latest_migrations() -> frozenset[tuple[str, str]]:
    """As the files say, which do not change while the process runs."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _worker() -> str:
    last = Heartbeat.objects.filter(name=WORKER).values_list("at", flat=True).first()
    if last is None:
        return _("has never run")
    if timezone.now() - last > DEAD_AFTER:
        return _("no sign of life; the last: %(time)s ago") % {"time": timesince(last)}
    return ""


def _queue() -> str:
    waiting_since = _oldest_in_redis() if settings.REDIS_URL else _oldest_in_database()
    if waiting_since and timezone.now() - waiting_since > QUEUE_LATE:
        return _("the oldest task was queued %(time)s ago") % {"time": timesince(waiting_since)}
    return ""


def _oldest_in_database() -> datetime | None:
    """A task that nobody has begun is locked until the moment it was queued; one at work until its retry."""
    oldest: datetime | None = OrmQ.objects.filter(lock__lte=timezone.now()).aggregate(oldest=Min("lock"))["oldest"]
    return oldest


def _oldest_in_redis() -> datetime | None:
    # Not django-q2's own connection, which would wait for ever.
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=QUEUE_SECONDS, socket_connect_timeout=QUEUE_SECONDS
    ) as server:
        head = server.lindex(f"django_q:{settings.Q_CLUSTER['name']}:q", 0)
    if not head:
        return None
    try:
        started: datetime = SignedPackage.loads(head.decode())["started"]
    except (BadSignature, KeyError):  # of another key: the worker drops it
        return None
    return started if started.tzinfo else started.replace(tzinfo=UTC)


register("database", _database, gettext_lazy("Database"))
register("migrations", _migrations, gettext_lazy("Migrations"))
register("worker", _worker, gettext_lazy("Worker"))
register("queue", _queue, gettext_lazy("Queue"))


# --- What strangers may ask --------------------------------------------------------------------------------------


def answer_probes(get_response: View) -> View:
    """Answer /healthz and /readyz here, before the host is checked, a session read or http redirected.

    A load balancer asks by IP address and without TLS. No address of Sally's own begins like these.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info not in ("/healthz", "/readyz"):
            return get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if request.path_info == "/healthz":
            return HttpResponse("ok", content_type="text/plain")
        ready = all(one.ok for one in findings())
        response = HttpResponse("ready" if ready else "not ready", content_type="text/plain")
        if not ready:
            response.status_code = 503
            response._has_been_logged = True  # type: ignore[attr-defined]  # every few seconds, it would be
        return response

    return middleware
