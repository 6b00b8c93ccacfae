"""What Sally forgets, every day: past meetings, and the traces of work that is done.

Each part deletes in batches, each of them a short transaction: on SQLite nobody else writes meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django_q.models import Task

from calendars.models import Meeting, Override
from integrations.models import AccessRecord, ApprovalRequest, CalendarConnection, SignIn, UnreachableServer
from sally import health
from sally.models import Condition, Heartbeat, Session

logger = logging.getLogger(__name__)

BATCH = 500
FAILURES_KEPT = timedelta(days=14)
# One that was stopped tells its owner for so long what to do about it.
SIGN_INS_KEPT = timedelta(days=14)
# For meetings that no calendar shows any more: a series may pause, and a calendar be connected again.
OVERRIDES_KEPT = timedelta(days=400)


def tidy(now: datetime) -> dict[str, int]:
    """Run every part, also after one that failed; how many rows each deleted, by its name."""
    counts: dict[str, int] = {}
    for name, part in PARTS.items():
        try:
            counts[name] = part(now)
        except Exception:  # whatever it is, the other parts have nothing to do with it
            logger.exception("tidying of %s failed", name)
        else:
            logger.info("tidying of %s: %d deleted", name, counts[name])
    return counts


def keep_from(now: datetime) -> datetime:
    """What ended before is forgotten; no sync reads what lies wholly before it."""
    return now - timedelta(days=settings.KEEP_DAYS)


def _meetings(now: datetime) -> int:
    """With their changes, and with the counts that their connections show."""
    past = Meeting.objects.filter(end__lt=keep_from(now)).order_by("pk")
    total = 0
    for pks in _batches(past):
        batch = Meeting.objects.filter(pk__in=pks)
        with transaction.atomic():
            # Locked first, as a sync does.
            affected = CalendarConnection.objects.filter(pk__in=batch.values("connection")).order_by("pk")
            connections = list(affected.select_for_update().values_list("pk", flat=True))
            total += batch.delete_all()
            Meeting.objects.recount(connections)
    return total


def _failed_tasks(now: datetime) -> int:
    return _delete(Task.objects.filter(success=False, stopped__lt=now - FAILURES_KEPT))


def _finished_tasks(now: datetime) -> int:
    """None are kept; some may be from a time when they were."""
    return _delete(Task.objects.filter(success=True, stopped__lt=now))


def _sign_ins(now: datetime) -> int:
    return _delete(SignIn.objects.filter(expires_at__lt=now - SIGN_INS_KEPT))


def _approval_requests(now: datetime) -> int:
    return _delete(ApprovalRequest.objects.outdated(now))


def _unreachable_servers(now: datetime) -> int:
    return _delete(UnreachableServer.objects.outdated(now))


def _access_log(now: datetime) -> int:
    return _delete(AccessRecord.objects.outdated(now))


def _overrides(now: datetime) -> int:
    return _delete(Override.objects.outdated(now - OVERRIDES_KEPT))


def _sessions(now: datetime) -> int:
    """Those of nobody by their own end; a person's as soon as nobody is let in by it."""
    over = Session.objects.filter(user=None, expire_date__lt=now)
    dead = Session.objects.exclude(user=None).exclude(pk__in=Session.objects.alive(now).values("pk"))
    return _delete(over) + _delete(dead)


def _access_attempts(now: datetime) -> int:
    """django-axes drops them itself, but only when somebody signs in."""
    return _delete(AccessAttempt.objects.filter(attempt_time__lt=now - settings.AXES_COOLOFF_TIME))


def _health(now: datetime) -> int:
    """Of checks and parts that exist no more."""
    gone = Condition.objects.exclude(name__in=health.names())
    silent = Heartbeat.objects.filter(at__lt=now - timedelta(days=1)).exclude(name=health.WORKER)
    return _delete(gone) + _delete(silent)


def _delete(rows: QuerySet[Any]) -> int:
    """Delete in batches; how many rows there were, without what hung on them."""
    total = 0
    for pks in _batches(rows.order_by("pk")):
        rows.model._base_manager.filter(pk__in=pks).delete()
        total += len(pks)
    return total


def _batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Primary keys of up to ``BATCH`` rows each. Goes on behind the last, so that the table is read once."""
    pks = list(rows.values_list("pk", flat=True)[:BATCH])
    while pks:
        yield pks
        pks = list(rows.filter(pk__gt=pks[-1]).values_list("pk", flat=True)[:BATCH]) if len(pks) == BATCH else []


# What is quick comes first: a task has a time limit, and the first run may find years of meetings.
PARTS: dict[str, Callable[[datetime], int]] = {
    "failed tasks": _failed_tasks,
    "finished tasks": _finished_tasks,
    "sign-ins": _sign_ins,
    "approval requests": _approval_requests,
    "unreachable servers": _unreachable_servers,
    "sessions": _sessions,
    "access attempts": _access_attempts,
    "health records": _health,
    "access log": _access_log,
    "overrides": _overrides,
    "meetings": _meetings,
}
