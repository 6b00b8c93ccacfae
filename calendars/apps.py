"""Hears what connections tell, and registers the schedules."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.db import connection, transaction
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from integrations import signals

if TYPE_CHECKING:
    from integrations.models import CalendarConnection
    from sally.models import User

# By name: what runs, and every how many minutes.
SCHEDULES = {
    "dispatch due connections": ("calendars.tasks.dispatch_due", 1),
    "look after connections": ("calendars.tasks.look_after", 1),
    "tidy": ("calendars.tasks.tidy", 24 * 60),
}


class CalendarsConfig(AppConfig):
    name = "calendars"
    verbose_name = _("Calendars")

    def ready(self) -> None:
        from calendars import kept
        from sally import stored
        from sally.deletion import deleting

        stored.register(*kept.KINDS)
        signals.sync_requested.connect(wake_on_commit, dispatch_uid="calendars")
        signals.options_changed.connect(delete_excluded, dispatch_uid="calendars")
        signals.disconnecting.connect(delete_meetings, dispatch_uid="calendars")
        deleting.connect(forget_failures, dispatch_uid="calendars")
        post_migrate.connect(register_schedules, sender=self, dispatch_uid="calendars")


def wake_on_commit(sender: object, connection: CalendarConnection, **_: Any) -> None:
    from calendars import tasks

    # robust: a queue that cannot be reached must not cost the page; the next dispatch finds the row due anyway.
    transaction.on_commit(partial(tasks.wake, connection.pk), robust=True)


def delete_excluded(sender: object, connection: CalendarConnection, **_: Any) -> int:
    from calendars.models import LookedAt, Meeting

    excluded = Meeting.objects.excluded_from(connection)
    LookedAt.objects.filter(connection=connection).delete()  # hashes of private ones may be among them
    LookedAt.objects.remember_meetings(connection, excluded.exclude(private=not connection.sync_private))
    return excluded.delete_all()


def delete_meetings(sender: object, connection: CalendarConnection, **_: Any) -> dict[str, int]:
    from calendars.models import Meeting

    return {"meetings": Meeting.objects.filter(connection=connection).delete_all()}


def forget_failures(sender: object, user: User, **_: Any) -> None:
    """A task that failed names the connection that it was for, in its group."""
    from django_q.models import Task

    from integrations.models import CalendarConnection

    connections = CalendarConnection.objects.filter(owner=user).values_list("pk", flat=True)
    Task.objects.filter(group__in=[str(pk) for pk in connections]).delete()


def register_schedules(sender: object, **_: Any) -> None:
    """After migrate: ours are there, once each, and none that we no longer know; next runs are left alone."""
    from django_q.models import Schedule

    if Schedule._meta.db_table not in connection.introspection.table_names():
        return  # one app was migrated alone, on a new database
    Schedule.objects.filter(func__startswith="calendars.").exclude(name__in=SCHEDULES).delete()
    for name, (func, minutes) in SCHEDULES.items():
        Schedule.objects.update_or_create(
            name=name, defaults={"func": func, "schedule_type": Schedule.MINUTES, "minutes": minutes, "repeats": -1}
        )
