"""The measure of plans: a change of rule against reading and writing the same rows, and what to join next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle

from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calendars import attendance
from calendars.models import Meeting
from tests.bench.clock import cpu_seconds
from tests.bench.report import Row
from tests.bench.stage import Calendar

LIMIT = 6.0  # times reading and writing without deciding
STATEMENTS = 6  # two of them store the setting
_READ = ("pk", "start", "end", "is_organizer", "attendees", "join_url", "service", "room", "join_at", "decision")


def measure(calendar: Calendar, repetitions: int) -> Iterator[Row]:
    """Of the synced calendar, whose owner has a rule from now on."""
    del repetitions
    owner, now = calendar.connection.owner, timezone.now()
    rules = cycle(("host", "all"))
    attendance.save_terms(owner, {"rule": "never"}, now)
    with CaptureQueriesContext(database) as captured:
        attendance.save_terms(owner, {"rule": next(rules)}, now)
    statements = sum(not one["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")) for one in captured)
    changing = cpu_seconds(lambda: attendance.save_terms(owner, {"rule": next(rules)}, now))
    yield Row(
        f"change of rule over {calendar.events}: CPU", changing, "s", cpu_seconds(lambda: _floor(calendar)), LIMIT
    )
    yield Row(f"change of rule over {calendar.events}: SQL statements", statements, "statements", limit=STATEMENTS)
    attendance.save_terms(owner, {"rule": "all"}, now)
    yield from _next(calendar)


def _next(calendar: Calendar) -> Iterator[Row]:
    """What to join in the 90 seconds in which the middle one of all planned meetings is joined."""
    planned = [one for one in Meeting.objects.order_by("join_at").values_list("join_at", flat=True) if one]
    at = planned[len(planned) // 2] - timedelta(seconds=45)
    found = list(Meeting.objects.to_join(at, at + timedelta(seconds=90)))
    if not found:
        raise AssertionError("nothing is planned")
    pks = [one.pk for one in found]
    asking = cpu_seconds(lambda: list(Meeting.objects.to_join(at, at + timedelta(seconds=90))))
    floor = cpu_seconds(lambda: list(Meeting.objects.filter(pk__in=pks).order_by("pk")))
    yield Row(f"what to join next, of {calendar.events}: CPU", asking, "s", floor, 3.0)


def _floor(calendar: Calendar) -> None:
    """All that a change of rule cannot do without: one reading and one writing of the rows."""
    own = Meeting.objects.filter(connection=calendar.connection)
    list(own.values_list(*_READ))
    own.update(planned_at=timezone.now())
