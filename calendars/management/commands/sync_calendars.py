"""``manage.py sync_calendars``: what the worker does, here and now, without a queue."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from calendars import sync
from integrations.models import CalendarConnection, Why

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Syncs all due connections, or with --connection one of them, due or not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--connection", type=uuid.UUID, metavar="UUID")

    def handle(self, *args: Any, connection: uuid.UUID | None = None, **options: Any) -> None:
        done: list[uuid.UUID] = []
        while True:  # one at a time: a lease is short
            now = timezone.now()
            rows = CalendarConnection.objects.exclude(pk__in=done)
            wanted = rows.filter(pk=connection).idle(now) if connection else rows.due(now)
            claimed, token = wanted.claim(now, limit=1)
            if not claimed:
                break
            done += claimed
            try:
                # Those that are due have a reason of their own.
                sync.run(claimed[0], token, why=Why.COMMAND if connection else None)
            except Exception:
                # Recorded on the row; the others must not wait for it.
                logger.exception("sync of %s: a bug", claimed[0])
        if connection and not done:
            raise CommandError(f"{connection} does not exist, is being synced, or rests; its page says why")
        failed = 0
        for row in CalendarConnection.objects.filter(pk__in=done):
            failed += bool(row.failures)
            what = f"failed ({row.last_error})" if row.failures else f"{row.meeting_count} meetings"
            self.stdout.write(f"{row.pk} {row.account_email}: {what}")
        self.stdout.write(f"{len(done)} synced, {failed} failed")
        if failed:
            raise CommandError("some connections could not be synced; the lines above say which")
