"""The only entry points of django-q2. Arguments are ids: the row is the truth, a task only a wake-up."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from django.utils import timezone
from django_q.exceptions import TimeoutException
from django_q.tasks import async_task

from calendars import attendance, retention, sync
from integrations import notices, upkeep
from integrations.models import CalendarConnection
from sally import health, logs

logger = logging.getLogger(__name__)
P = ParamSpec("P")

# As many as two workers get through in about half a minute; the rest is claimed by the next dispatch.
CLAIMED_AT_ONCE = 200


class TaskFailed(Exception):
    """All that the table of failed tasks learns: the error's class, and the id by which the log has the rest."""


def entry_point(task: Callable[P, None]) -> Callable[P, None]:
    """A task with an id of its own in the log. django-q2 stores the text of what it raises, for admins to read.

    The text of a foreign exception may hold anything: addresses, tokens, a meeting's subject.
    """

    @wraps(task)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with logs.marked(logs.new_id()) as id:
            try:
                return task(*args, **kwargs)
            except (Exception, TimeoutException) as exc:
                logger.exception("task %s failed", task.__name__)
                # django-q2 replaces the worker after a timeout, which it knows by its class.
                kind = TimeoutException if isinstance(exc, TimeoutException) else TaskFailed
                failed = kind(f"{type(exc).__name__}; the log has the rest under {id}")
            # Outside the except clause, so that it has no context either.
            raise failed

    return run


@entry_point
def dispatch_due() -> None:
    """Every minute: claim the connections whose time has come, and queue one task each."""
    now = timezone.now()
    _queue(*CalendarConnection.objects.due(now).claim(now, limit=CLAIMED_AT_ONCE))
    health.beat(now)


@entry_point
def tidy() -> None:
    """Every day: forget what need not be kept, and look whether every plan is as it should be."""
    now = timezone.now()
    retention.tidy(now)
    changed = attendance.replan_all(now)
    if changed:
        logger.info("planned anew: %d meetings", changed)


@entry_point
def look_after() -> None:
    """Every minute: what concerns connections but is no sync, and the mails about it."""
    now = timezone.now()
    upkeep.look_after(now)
    notices.send_due(now)


def wake(pk: uuid.UUID) -> None:
    """Queue one connection now, unless it is not due or somebody is working on it (who then looks again)."""
    now = timezone.now()
    _queue(*CalendarConnection.objects.filter(pk=pk).due(now).claim(now, limit=1))


@entry_point
def sync_connection(pk: str, token: str) -> None:
    """Sync one claimed connection; then once more if a wish for it came meanwhile."""
    sync.run(uuid.UUID(pk), uuid.UUID(token))
    wake(uuid.UUID(pk))


def _queue(pks: list[uuid.UUID], token: uuid.UUID) -> None:
    for pk in pks:
        # The group is what a failed one is found by when its connection's owner wants everything deleted.
        async_task("calendars.tasks.sync_connection", str(pk), str(token), group=str(pk))
