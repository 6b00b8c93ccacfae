"""What a bench is played on: a throw-away database, and a calendar in the sandbox that Sally is connected to."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.test import Client, override_settings
from django.test.utils import setup_databases, teardown_databases

from integrations.models import CalendarConnection
from sally.models import Organization, User
from tests.bench import dataset
from tests.connecting import UNCOLLECTED, connect, settings_for
from tests.sandbox_process import Sandbox

# The sandbox reads some 400 events a second.
_FILL_SECONDS = 300


@dataclass(frozen=True)
class Calendar:
    """A calendar of so many ``events`` in the sandbox, connected and not yet synced."""

    sandbox: Sandbox
    events: int
    connection: CalendarConnection


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    """A sandbox of this run's own, stopped at the end, however that comes."""
    with TemporaryDirectory(prefix="sally-bench-") as folder:
        sandbox = Sandbox.start(Path(folder), "--https-port", "0", "--http-port", "0")
        try:
            yield sandbox
        finally:
            sandbox.stop()


@contextmanager
def sally(sandbox: Sandbox) -> Iterator[None]:
    """Sally with an empty database of her own, pointed at the sandbox."""
    be_quiet()
    changes = settings_for(sandbox) | {"STORAGES": settings.STORAGES | UNCOLLECTED}
    with override_settings(**changes):
        databases = setup_databases(verbosity=0, interactive=False, serialized_aliases=[])
        try:
            yield
        finally:
            teardown_databases(databases, verbosity=0)


def be_quiet() -> None:
    """No line for every sync, only for what goes wrong."""
    logging.getLogger().setLevel(logging.WARNING)


def fill(sandbox: Sandbox, events: int) -> str:
    """Put the data set of so many events into a mailbox of its own; its address."""
    email = dataset.owner(events)
    text = dataset.calendar(events, datetime.now(UTC))
    sandbox.control("PUT", f"mailboxes/{email}", text=text, seconds=_FILL_SECONDS)
    return email


def connected(sandbox: Sandbox, email: str) -> CalendarConnection:
    """A connection of a person of its own, made as a person makes it."""
    organization, _ = Organization.objects.get_or_create(name="Bench")
    person = User.objects.filter(email=email).first() or User.objects.create_user(email, organization=organization)
    client = Client()
    client.force_login(person)
    return connect(client, sandbox, email)
