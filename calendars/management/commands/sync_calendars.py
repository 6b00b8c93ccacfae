"""``manage.py sync_calendars``: what the worker does, here and now, without a queue."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from calendars import sync
from integrations.models import CalendarConnection


class Command(BaseCommand):
    help = "Syncs all due connections, or with --connection one of them, due or not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--connection", type=uuid.UUID, metavar="UUID")

    def handle(self, *args: Any, connection: uuid.UUID | None = None, **options: Any) -> None:
        now = timezone.now()
        rows = CalendarConnection.objects
        wanted = rows.filter(pk=connection).idle(now) if connection else rows.due(now)
        claimed, token = wanted.claim(now, limit=10_000)
        if connection and not claimed:
            raise CommandError(
                f"{connection} does not exist, is being synced, is paused or needs its owner's attention"
            )
        for pk in claimed:
            sync.run(pk, token)
        failed = 0
        for row in rows.filter(pk__in=claimed):
            failed += bool(row.failures)
            what = f"failed ({row.last_error})" if row.failures else f"{row.meeting_count} meetings"
            self.stdout.write(f"{row.pk} {row.account_email}: {what}")
        self.stdout.write(f"{len(claimed)} synced, {failed} failed")
        if failed:
            raise CommandError("some connections could not be synced; the lines above say which")
