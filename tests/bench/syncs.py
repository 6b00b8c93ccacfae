"""The measures of a sync: its CPU against the floor's, its requests and its statements."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from tests.bench import subject
from tests.bench.floor import Floor, Request, recording
from tests.bench.report import Row
from tests.bench.stage import Calendar

FIRST_LIMIT, REPEAT_LIMIT = 3.0, 2.0  # times the floor's CPU
# SQLite takes 999 parameters a statement, which multiplies those that write many rows.
STATEMENTS_FOR = 1000
FIRST_STATEMENTS, REPEAT_STATEMENTS = 12, 6
_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


@dataclass(frozen=True)
class Cost:
    """What one sync sent and asked, counted in a run that is not timed."""

    requests: list[Request]
    statements: int


@dataclass
class _Times:
    """CPU seconds of this process by what took them: the server is another one."""

    taken: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, name: str, work: Callable[[], None]) -> None:
        gc.collect()
        before = time.process_time()
        work()
        self.taken.setdefault(name, []).append(time.process_time() - before)

    def best(self, name: str) -> float:
        return min(self.taken[name])


def measure(calendar: Calendar, repetitions: int) -> Iterator[Row]:
    """A first sync and one without change: the best CPU of several turns, and what they cost."""
    first, repeat = _cost(calendar), _cost(calendar)
    floor = Floor(calendar.connection, first.requests, repeat.requests)
    times = _Times()
    for _ in range(repetitions):
        _floor(calendar, floor, times)
        _subject(calendar, times)
    for name, cost, limit, statements in (
        ("first sync", first, FIRST_LIMIT, FIRST_STATEMENTS),
        ("repeat", repeat, REPEAT_LIMIT, REPEAT_STATEMENTS),
    ):
        title = f"{name} of {calendar.events}"
        limited = database.vendor == "postgresql" and calendar.events == STATEMENTS_FOR
        yield Row(f"{title}: CPU", times.best(name), "s", times.best(f"floor of {name}"), limit)
        yield Row(f"{title}: HTTP requests", len(cost.requests), "requests")
        yield Row(f"{title}: SQL statements", cost.statements, "statements", limit=statements if limited else None)


def _cost(calendar: Calendar) -> Cost:
    token = subject.claim(calendar.connection)
    with recording() as sent, CaptureQueriesContext(database) as captured:
        subject.run(calendar.connection, token)
    subject.check(calendar.connection, calendar.events)
    return Cost(sent, sum(not query["sql"].startswith(_CONTROL) for query in captured.captured_queries))


def _floor(calendar: Calendar, floor: Floor, times: _Times) -> None:
    subject.forget(calendar.connection)
    meetings = floor.meetings()
    times.measure("floor of first sync", lambda: floor.first(meetings))
    times.measure("floor of repeat", floor.repeat)


def _subject(calendar: Calendar, times: _Times) -> None:
    subject.forget(calendar.connection)
    for name in ("first sync", "repeat"):
        token = subject.claim(calendar.connection)
        times.measure(name, partial(subject.run, calendar.connection, token))
        subject.check(calendar.connection, calendar.events)
