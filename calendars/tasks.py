"""The only entry points of django-q2. Arguments are ids: the row is the truth, a task only a wake-up."""

from __future__ import annotations

import uuid

from django.utils import timezone
from django_q.tasks import async_task

from calendars import sync
from integrations import notices
from integrations.models import CalendarConnection, OperatorTrouble

# As many as two workers get through in about half a minute; the rest is claimed by the next dispatch.
CLAIMED_AT_ONCE = 200


def dispatch_due() -> None:
    """Every minute: claim the connections whose time has come, and queue one task each."""
    now = timezone.now()
    _queue(*CalendarConnection.objects.due(now).claim(now, limit=CLAIMED_AT_ONCE))


def look_after() -> None:
    """Every minute: let connections of absent owners rest, and tell people what concerns them."""
    now = timezone.now()
    CalendarConnection.objects.rest_unused(now)
    OperatorTrouble.objects.forget(CalendarConnection.objects.troubled_codes(), now)
    notices.send_due(now)


def wake(pk: uuid.UUID) -> None:
    """Queue one connection now, unless it is not due or somebody is working on it (who then looks again)."""
    now = timezone.now()
    _queue(*CalendarConnection.objects.filter(pk=pk).due(now).claim(now, limit=1))


def sync_connection(pk: str, token: str) -> None:
    """Sync one claimed connection; then once more if a wish for it came meanwhile."""
    sync.run(uuid.UUID(pk), uuid.UUID(token))
    wake(uuid.UUID(pk))


def _queue(pks: list[uuid.UUID], token: uuid.UUID) -> None:
    for pk in pks:
        async_task("calendars.tasks.sync_connection", str(pk), str(token), group="sync")
