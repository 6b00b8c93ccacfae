"""Hears what connections tell, and registers the schedules."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.db import connection, transaction
from django.db.models.signals import post_delete, post_migrate, post_save, pre_delete, pre_save
from django.utils import timezone
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

        checks.register(services_are_known)
        stored.register(*kept.KINDS)
        signals.sync_requested.connect(wake_on_commit, dispatch_uid="calendars")
        signals.options_changed.connect(delete_excluded, dispatch_uid="calendars")
        signals.addressed.connect(learn_address, dispatch_uid="calendars")
        signals.disconnecting.connect(delete_meetings, dispatch_uid="calendars")
        signals.disconnected.connect(forget_address, dispatch_uid="calendars")
        deleting.connect(forget_failures, dispatch_uid="calendars failures")
        deleting.connect(lock_before_a_person_goes, dispatch_uid="calendars locks")
        pre_delete.connect(lock_before_a_person_goes, sender="sally.User", dispatch_uid="calendars")
        post_delete.connect(plan_without_person, sender="sally.User", dispatch_uid="calendars")
        pre_save.connect(remember_person, sender="sally.User", dispatch_uid="calendars")
        post_save.connect(plan_for_person, sender="sally.User", dispatch_uid="calendars")
        post_migrate.connect(register_schedules, sender=self, dispatch_uid="calendars")


def services_are_known(**_: Any) -> list[checks.CheckMessage]:
    from calendars.services import NAMES

    unknown = [one for one in settings.JOINABLE_SERVICES if one not in NAMES]
    hint = "The keys stand in calendars/services.py."
    return [
        checks.Error(f"JOINABLE_SERVICES: {one!r} is no service.", hint=hint, id="calendars.E001") for one in unknown
    ]


def wake_on_commit(sender: object, connection: CalendarConnection, **_: Any) -> None:
    from calendars import tasks

    # robust: a queue that cannot be reached must not cost the page; the next dispatch finds the row due anyway.
    transaction.on_commit(partial(tasks.wake, connection.pk), robust=True)


def delete_excluded(sender: object, connection: CalendarConnection, **_: Any) -> int:
    from calendars import attendance
    from calendars.models import LookedAt, Meeting

    excluded = Meeting.objects.excluded_from(connection)
    LookedAt.objects.filter(connection=connection).delete()  # hashes of private ones may be among them
    LookedAt.objects.remember_meetings(connection, excluded.exclude(private=not connection.sync_private))
    with attendance.leaving(connection.owner, excluded, timezone.now()):
        return excluded.delete_all()


def delete_meetings(sender: object, connection: CalendarConnection, **_: Any) -> dict[str, int]:
    from calendars import attendance
    from calendars.models import Meeting

    found = Meeting.objects.filter(connection=connection)
    with attendance.leaving(connection.owner, found, timezone.now()):
        return {"meetings": found.delete_all()}


def forget_failures(sender: object, user: User, **_: Any) -> None:
    """A task that failed names the connection that it was for, in its group."""
    from django_q.models import Task

    from integrations.models import CalendarConnection

    connections = CalendarConnection.objects.filter(owner=user).values_list("pk", flat=True)
    Task.objects.filter(group__in=[str(pk) for pk in connections]).delete()


def learn_address(sender: object, connection: CalendarConnection, former: str, **_: Any) -> None:
    """The person is known by another address, or by one more."""
    from calendars import attendance

    attendance.addresses_changed(connection.owner, {former, connection.account_email}, timezone.now())


def forget_address(sender: object, connection: CalendarConnection, **_: Any) -> None:
    """The person is no longer known by the address of a calendar that is gone."""
    from calendars import attendance

    attendance.addresses_changed(connection.owner, {connection.account_email}, timezone.now())


def lock_before_a_person_goes(sender: object, user: User | None = None, instance: User | None = None, **_: Any) -> None:
    """Before any row of theirs is deleted: planning locks in this order (calendars/planning.py)."""
    from calendars import attendance

    person = user or instance
    if person:
        attendance.lock_all_of(person)


def remember_person(sender: object, instance: User, raw: bool, update_fields: Collection[str] | None, **_: Any) -> None:
    """What plans depend on, as it was before it is saved."""
    from calendars import attendance

    if not raw and (update_fields is None or attendance.KNOWN_BY & set(update_fields)):
        instance.known_by = attendance.known_by(instance.pk)  # type: ignore[attr-defined]


def plan_for_person(sender: object, instance: User, **_: Any) -> None:
    from calendars import attendance

    before = instance.__dict__.pop("known_by", None)
    if before is not None:  # else only other fields were saved, as with every sign-in
        attendance.person_saved(instance, before, timezone.now())


def plan_without_person(sender: object, instance: User, **_: Any) -> None:
    from calendars import attendance

    attendance.person_gone(instance, timezone.now())


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
