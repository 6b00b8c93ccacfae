"""The measure of memory: how far a first sync raises the peak of a process that does nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection as database

from tests.bench import stage, subject
from tests.bench.report import Row
from tests.bench.stage import Calendar
from tests.connecting import INES, settings_for

LIMIT_FOR, LIMIT = 10_000, 80.0  # MB
_ROOT = Path(__file__).resolve().parents[2]


def measure(calendar: Calendar, repetitions: int) -> Iterator[Row]:
    """The growth as a whole and for each event; once, for it does not vary as time does."""
    del repetitions
    subject.forget(calendar.connection)
    grown = _in_a_process_of_its_own(calendar)
    subject.check(calendar.connection, calendar.events)
    title = f"first sync of {calendar.events}: memory growth"
    yield Row(title, grown / 1e6, "MB", limit=LIMIT if calendar.events == LIMIT_FOR else None)
    yield Row(f"{title} per event", grown / calendar.events / 1e3, "KB")


def _in_a_process_of_its_own(calendar: Calendar) -> int:
    """Bytes. The process (``grow``) finds everything ready: the database, and two connections that may be synced."""
    small = stage.connected(calendar.sandbox, INES)
    command = [sys.executable, "-m", "tests.bench.grow", str(small.pk), str(calendar.connection.pk)]
    environment = {**os.environ, **settings_for(calendar.sandbox), "DATABASE_URL": _database_url()}
    return int(subprocess.run(command, check=True, cwd=_ROOT, env=environment, stdout=subprocess.PIPE).stdout)


def _database_url() -> str:
    """The address of the throw-away database itself: ``DATABASE_URL`` names what it was made beside."""
    name = str(settings.DATABASES["default"]["NAME"])
    if database.vendor == "sqlite":
        return f"sqlite:///{name}"
    return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"
