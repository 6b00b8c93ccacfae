"""The seam between providers and the calendar: what a client gives, in words that no vendor owns.

Glossary
--------
event       something in the remote calendar; a *meeting* is what Sally keeps of it
window      the span of time that one read covers, half open: [start, end)
occurrence  one date of a recurring series that follows its rule; an *exception* was moved or changed
cursor      an opaque note of a client to itself, by which ``poll`` may tell whether anything changed
listing     all events of a window, light: what a provider gives without asking for each
version     a name for what a listing shows of one event: whatever changes there, the version does
fill        complete events of a listing with what the listing lacked (the body, above all)
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Protocol

# Characters that are kept of a text; what is longer is cut.
LONGEST_SUBJECT = 500
LONGEST_LOCATION = 1000
LONGEST_NAME = 300
LONGEST_ADDRESS = 320
LONGEST_URL = 4000
LONGEST_ID = 512
LONGEST_BODY = 1_000_000

NOTHING: Mapping[str, str] = MappingProxyType({})


class Kind(enum.StrEnum):
    SINGLE = "single"
    OCCURRENCE = "occurrence"
    EXCEPTION = "exception"


class Response(enum.StrEnum):
    """The mailbox owner's own answer to an invitation."""

    NONE = "none"
    ORGANIZER = "organizer"
    ACCEPTED = "accepted"
    TENTATIVE = "tentative"
    DECLINED = "declined"


class ShowAs(enum.StrEnum):
    FREE = "free"
    TENTATIVE = "tentative"
    BUSY = "busy"
    OUT_OF_OFFICE = "oof"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"


class Changed(enum.StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Window:
    """A span of aware UTC times; contains whatever overlaps it, as every provider's calendar view does."""

    start: datetime
    end: datetime

    def contains(self, start: datetime, end: datetime) -> bool:
        return start < self.end and (end > self.start or start >= self.start)


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody invited. ``kind`` is "required", "optional", "resource" (a room) or "list".

    A list is one of an Exchange server's public distribution lists, which stands for people whom nobody here can name.
    Where a calendar does not tell its lists from people, as Graph, they are required or optional like these.
    """

    name: str
    address: str
    kind: str
    response: Response


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteEvent:
    """One event as a provider shows it.

    ``start`` and ``end`` are aware and in UTC. For an all-day event they are midnight UTC of ``start_date`` and
    ``end_date`` (exclusive), which are what counts: all-day events are dates, not instants. ``original_start`` is
    the slot of the series that an occurrence or exception fills; all of a series share their ``ical_uid``. ``body`` is
    None until filled; ``partial`` says that attendees and addresses are missing too. ``attendees_hidden``: the
    organizer lets nobody else see who is invited, so that ``attendees`` never is all of them; false of what the
    mailbox's owner organizes.
    """

    id: str
    calendar_id: str
    version: str
    kind: Kind
    series_id: str
    ical_uid: str
    original_start: datetime | None
    subject: str
    start: datetime
    end: datetime
    start_date: date | None
    end_date: date | None
    cancelled: bool
    private: bool
    confidential: bool
    response: Response
    show_as: ShowAs
    is_organizer: bool
    organizer: Person
    attendees: tuple[Attendee, ...]
    location: str
    online_url: str
    attendees_hidden: bool = False
    body: str | None = None
    partial: bool = False

    @property
    def all_day(self) -> bool:
        return self.start_date is not None


def clean(text: object, longest: int) -> str:
    """Text as it can be stored anywhere: no NUL and no lone surrogates, at most ``longest`` characters.

    Anything but text becomes empty: one odd field must not cost the event.
    """
    if not isinstance(text, str):
        return ""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode().strip()[:longest]


class Listing(list[RemoteEvent]):
    """The events of a window, but for those that the reader knows as they are; and how they were read.

    ``unchanged`` are the ids of the others. ``pages`` is the number of answers it took: above 1 the calendar may have
    changed between them, so an event that is missing need not be gone. ``unreadable`` counts events without an id or
    usable times.
    """

    def __init__(
        self,
        events: Iterable[RemoteEvent] = (),
        *,
        unchanged: Iterable[str] = (),
        pages: int = 1,
        unreadable: int = 0,
    ) -> None:
        super().__init__(events)
        self.unchanged = frozenset(unchanged)
        self.pages = pages
        self.unreadable = unreadable

    @property
    def is_empty(self) -> bool:
        return not self and not self.unchanged


@dataclass(frozen=True, slots=True)
class Poll:
    changed: Changed
    cursor: str


class CalendarClient(Protocol):
    """One person's calendar at one provider, read only. Every method raises ``integrations.errors``."""

    def poll(self, cursor: str) -> Poll:
        """Say cheaply whether anything changed since ``cursor``; UNKNOWN is always a right answer."""

    def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
        """All that overlaps ``window``, occurrences expanded, each id once, light.

        Of what is ``known`` (versions by id) and still has that version, only the ids: to tell it again is most of what
        an idle sync would cost.
        """

    def fill(self, events: Sequence[RemoteEvent]) -> list[RemoteEvent]:
        """The same events completed, in the same order; those that vanished meanwhile are left out."""

    def event(self, id: str) -> RemoteEvent | None:
        """One event as it is now, filled; None when it is gone."""

    def find(self, ids: Sequence[str]) -> list[RemoteEvent]:
        """Those of ``ids`` that still exist, wherever they lie now; light, in few requests."""

    def close(self) -> None:
        """Let go of all connections to the provider; nothing is asked afterwards."""
