"""What Sally forgets, every day: past meetings, and the traces of work that is done.

Each part deletes in batches, each of them a short transaction: on SQLite nobody else writes meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django_q.models import Task

from calendars.models import Meeting
from integrations.models import CalendarConnection, SignIn
from sally import health
from sally.models import Condition, Heartbeat

logger = logging.getLogger(__name__)

BATCH = 500
FAILURES_KEPT = timedelta(days=14)
SIGN_INS_KEPT = timedelta(days=1)


def tidy(now: datetime) -> dict[str, int]:
    """Run every part, also after one that failed; how many rows each deleted, by its name."""
    counts: dict[str, int] = {}
    for name, part in PARTS.items():
        try:
            counts[name] = part(now)
        except Exception:
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
            # Locked first, as a sync does, so that neither waits for the other while that waits for it.
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


def _sessions(now: datetime) -> int:
    """By the session engine's own idea of what has expired; those that keep no rows are not counted."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    model = store.get_model_class() if hasattr(store, "get_model_class") else None
    before = model._base_manager.count() if model else 0
    store.clear_expired()
    return max(before - model._base_manager.count(), 0) if model else 0


def _access_logs(now: datetime) -> int:
    """django-axes' attempts and logs, where it is installed."""
    if not apps.is_installed("axes"):
        return 0
    models = [model for model in apps.get_app_config("axes").get_models() if _has_field(model, "attempt_time")]
    return sum(_delete(model._base_manager.filter(attempt_time__lt=keep_from(now))) for model in models)


def _has_field(model: Any, name: str) -> bool:
    return any(field.name == name for field in model._meta.get_fields())


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


PARTS: dict[str, Callable[[datetime], int]] = {
    "meetings": _meetings,
    "failed tasks": _failed_tasks,
    "finished tasks": _finished_tasks,
    "sign-ins": _sign_ins,
    "sessions": _sessions,
    "access logs": _access_logs,
    "health records": _health,
}
