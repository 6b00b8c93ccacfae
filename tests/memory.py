"""The calendar client as a fake: events in memory, the same contract as the real ones."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from integrations.events import (
    NOTHING,
    Changed,
    Kind,
    Listing,
    Person,
    Poll,
    RemoteEvent,
    Response,
    ShowAs,
    Window,
)


def version_of(change_key: str, event: RemoteEvent) -> str:
    """As every client makes it: a digest over a change key and every listed field."""
    listed = [getattr(event, one.name) for one in dataclasses.fields(event) if one.name not in ("version", "body")]
    return hashlib.sha256(repr((change_key, listed)).encode()).hexdigest()[:32]


def event(id: str = "e1", start: datetime | None = None, minutes: int = 60, **fields: Any) -> RemoteEvent:
    """A single meeting tomorrow-like; name what matters."""
    start = start or datetime(2026, 11, 24, 9, tzinfo=UTC)
    known: dict[str, Any] = {
        "id": id,
        "calendar_id": "primary",
        "version": "",
        "kind": Kind.SINGLE,
        "series_id": "",
        "ical_uid": f"uid-{id}",
        "original_start": None,
        "subject": f"Subject of {id}",
        "start": start,
        "end": start + timedelta(minutes=minutes),
        "start_date": None,
        "end_date": None,
        "cancelled": False,
        "private": False,
        "confidential": False,
        "response": Response.NONE,
        "show_as": ShowAs.BUSY,
        "is_organizer": False,
        "organizer": Person("Tomas Ruy", "tomas@quay.example"),
        "attendees": (),
        "location": "",
        "online_url": "",
    }
    made = RemoteEvent(**(known | fields))
    return dataclasses.replace(made, version=version_of("key", made))


def all_day(id: str, first: date, days: int = 1, **fields: Any) -> RemoteEvent:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    last = first + timedelta(days=days)
    return event(id, start, days * 24 * 60, start_date=first, end_date=last, **fields)


class MemoryClient:
    """Holds events, and their bodies by id.

    ``errors`` are raised by the next listings, one each, and ``fill_errors`` by the next calls of ``fill``; ``missed``
    are left out of the next listing. ``asked`` and ``filled`` remember what was asked for.
    """

    def __init__(self, *events: RemoteEvent) -> None:
        self.held = {one.id: one for one in events}
        self.errors: list[Exception] = []
        self.fill_errors: list[Exception | None] = []
        self.filled: list[str] = []
        self.missed: set[str] = set()
        self.pages = 1
        self.unreadable = 0
        self.bodies: dict[str, str] = {}
        self.asked: list[str] = []
        self.changed = Changed.UNKNOWN
        self.cursors: list[str] = []
        self.closed = False

    def put(self, *events: RemoteEvent) -> None:
        self.held |= {one.id: one for one in events}

    def poll(self, cursor: str) -> Poll:
        return Poll(self.changed, self.cursors.pop(0) if self.cursors else cursor)

    def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
        self.asked.append("events")
        if self.errors:
            raise self.errors.pop(0)
        shown = [one for one in self.held.values() if window.contains(one.start, one.end) and one.id not in self.missed]
        self.missed = set()
        return Listing(
            sorted((one for one in shown if known.get(one.id) != one.version), key=lambda one: (one.start, one.id)),
            unchanged=(one.id for one in shown if known.get(one.id) == one.version),
            pages=self.pages,
            unreadable=self.unreadable,
        )

    def fill(self, events: Sequence[RemoteEvent]) -> list[RemoteEvent]:
        if self.fill_errors and (error := self.fill_errors.pop(0)):
            raise error
        self.filled += [one.id for one in events]
        return [
            dataclasses.replace(one, body=self.bodies.get(one.id, ""), partial=False)
            for one in events
            if one.id in self.held
        ]

    def event(self, id: str) -> RemoteEvent | None:
        held = self.held.get(id)
        return held and self.fill([held])[0]

    def find(self, ids: Sequence[str]) -> list[RemoteEvent]:
        self.asked.append("find")
        return [self.held[id] for id in ids if id in self.held]

    def close(self) -> None:
        self.closed = True
