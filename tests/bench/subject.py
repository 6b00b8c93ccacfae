"""What is measured: Sally's own sync, by the queue's entry point, checked to have done all of its work."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

from django.utils import timezone

from calendars import sync, tasks
from calendars.models import LookedAt, Meeting
from integrations.models import CalendarConnection


class Incomplete(Exception):
    """A sync left something undone, so that its figures would mean nothing."""


def claim(connection: CalendarConnection) -> str:
    """As the dispatch does, for up to 200 connections at once; the claim's token."""
    now = timezone.now()
    claimed, token = CalendarConnection.objects.filter(pk=connection.pk).claim(now, limit=1)
    if not claimed:
        raise Incomplete("nobody could claim the connection")
    return str(token)


def run(connection: CalendarConnection, token: str) -> None:
    # One sync asks for bodies for 20 seconds at most and leaves the rest to the next; here one has to do it all.
    with mock.patch.object(sync, "FILL_FOR", timedelta(hours=1)):
        tasks.sync_connection(str(connection.pk), token)


def check(connection: CalendarConnection, events: int) -> None:
    """Raises ``Incomplete`` unless the last sync found so many meetings and has nothing left to do."""
    connection.refresh_from_db()
    stored = Meeting.objects.filter(connection=connection).count()
    if connection.failures or connection.last_error:
        raise Incomplete(f"the sync failed: {connection.last_error_kind} {connection.last_error}")
    if stored != events:
        raise Incomplete(f"the sync wrote {stored} meetings of {events}")
    if connection.next_sync_at is None or connection.next_sync_at <= timezone.now():
        raise Incomplete("the sync left something to the next one")


def forget(connection: CalendarConnection) -> None:
    """Back to a connection that was never synced."""
    Meeting.objects.filter(connection=connection).delete_all()
    LookedAt.objects.filter(connection=connection).delete()
    CalendarConnection.objects.filter(pk=connection.pk).update(
        last_synced_at=None, cursor="", status=CalendarConnection.Status.CONNECTING
    )
