"""Compares the meetings that are known with those that the calendar shows now, and plans what to write."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from calendars.links import Found
from calendars.rooms import room_of
from integrations.events import RemoteEvent, Window

# To be raised when the same event would give another draft, as with a new service: all events are then looked at again.
EDITION = 2


Slot = tuple[str, str, datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a sync writes of a meeting, and nothing else.

    ``version`` is ``seen_version`` of the event that was looked at whole, "" while that is still to be done. It only
    says "look closer", so it is not compared.
    """

    calendar_id: str
    external_id: str
    version: str = field(compare=False)
    kind: str
    series_id: str
    ical_uid: str
    original_start: datetime | None
    subject: str
    start: datetime
    end: datetime
    all_day: bool
    start_date: date | None
    end_date: date | None
    cancelled: bool
    private: bool
    confidential: bool
    response: str
    show_as: str
    is_organizer: bool
    organizer_name: str
    organizer_email: str
    attendees: tuple[tuple[str, str, str, str], ...]
    attendees_hidden: bool
    location: str
    join_url: str
    service: str
    link_source: str
    room: str

    @property
    def slot(self) -> Slot:
        """What tells a meeting again when its id has changed, as when a mailbox was moved."""
        return self.calendar_id, self.ical_uid, self.original_start


def seen_version(event: RemoteEvent) -> str:
    """What a draft of this event keeps, so that the next sync sees at a glance that nothing changed."""
    return f"{EDITION}:{event.version}"


def version_seen(stored: str) -> str:
    """The event's version that a draft with this one was made of; "" where it is to be looked at again."""
    edition, _, version = stored.partition(":")
    return version if edition == str(EDITION) else ""


def draft(event: RemoteEvent, found: Found | None, *, looked_at_whole: bool = True) -> Draft:
    return Draft(
        calendar_id=event.calendar_id,
        external_id=event.id,
        version=seen_version(event) if looked_at_whole else "",
        kind=event.kind.value,
        series_id=event.series_id,
        ical_uid=event.ical_uid,
        original_start=event.original_start,
        subject=event.subject,
        start=event.start,
        end=event.end,
        all_day=event.all_day,
        start_date=event.start_date,
        end_date=event.end_date,
        cancelled=event.cancelled,
        private=event.private,
        confidential=event.confidential,
        response=event.response.value,
        show_as=event.show_as.value,
        is_organizer=event.is_organizer,
        organizer_name=event.organizer.name,
        organizer_email=event.organizer.address,
        attendees=tuple((one.name, one.address, one.kind, one.response.value) for one in event.attendees),
        attendees_hidden=event.attendees_hidden,
        location=event.location,
        join_url=found.link.url if found else "",
        service=found.link.service if found else "",
        link_source=found.source.value if found else "",
        room=room_of(found.link.url, found.link.service) if found else "",
    )


@dataclass(frozen=True, slots=True)
class Known:
    """A meeting that is stored, by its primary key."""

    pk: int
    draft: Draft


@dataclass(frozen=True, slots=True)
class Update:
    pk: int
    before: Draft
    after: Draft


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What to write; of ``seen`` only the version, for nothing else of them differs."""

    create: tuple[Draft, ...] = ()
    update: tuple[Update, ...] = ()
    seen: tuple[Known, ...] = ()
    delete: tuple[Known, ...] = ()

    @property
    def changes_meetings(self) -> bool:
        return bool(self.create or self.update or self.delete)

    @property
    def left(self) -> set[str]:
        """The rooms that meetings were in before."""
        return {one.before.room for one in self.update} | {one.draft.room for one in self.delete}


class Happened(enum.StrEnum):
    """What a person wants to be told of a meeting."""

    ADDED = "added"
    MOVED = "moved"
    CANCELLED = "cancelled"
    RESTORED = "restored"


def happened(before: Draft, after: Draft) -> list[Happened]:
    """What there is to tell of an update; nothing for a change of words alone."""
    told = []
    if _times(before) != _times(after):
        told.append(Happened.MOVED)
    if before.cancelled != after.cancelled:
        told.append(Happened.CANCELLED if after.cancelled else Happened.RESTORED)
    return told


def _times(one: Draft) -> tuple[object, ...]:
    return one.start, one.end, one.start_date, one.end_date


def vanished(known: Iterable[Known], listing: Iterable[RemoteEvent], window: Window) -> list[str]:
    """Ids of known meetings that should be in this listing of ``window`` and are not, under whatever id."""
    ids, slots = set(), set()
    for event in listing:
        ids.add(event.id)
        slots.add((event.calendar_id, event.ical_uid, event.original_start))
    return [
        one.draft.external_id
        for one in known
        if one.draft.external_id not in ids
        and not (one.draft.ical_uid and one.draft.slot in slots)
        and window.contains(one.draft.start, one.draft.end)
    ]


def plan_merge(known: Sequence[Known], drafts: Iterable[Draft], window: Window) -> MergePlan:
    """Make what is known inside ``window`` equal to ``drafts``, which must be complete for it.

    The same id is the same meeting. Else the same iCalendar UID and slot is the same meeting under a new id: a
    mailbox that moved renames its events, and what a person decided about them must stay. Known meetings outside
    the window are changed when they turn up, never deleted.
    """
    wanted = {one.external_id: one for one in drafts}
    remaining = {one.draft.external_id: one for one in known}
    pairs: list[tuple[Known, Draft]] = []
    strangers: list[Draft] = []
    for external_id, one in wanted.items():
        match = remaining.pop(external_id, None)
        if match:
            pairs.append((match, one))
        else:
            strangers.append(one)
    renamed = {one.draft.slot: one for one in remaining.values() if one.draft.ical_uid}
    create: list[Draft] = []
    for one in strangers:
        match = renamed.pop(one.slot, None)
        if match:
            del remaining[match.draft.external_id]
            pairs.append((match, one))
        else:
            create.append(one)
    differing = [(match, one) for match, one in pairs if match.draft is not one]
    return MergePlan(
        create=tuple(create),
        update=tuple(Update(match.pk, match.draft, one) for match, one in differing if match.draft != one),
        seen=tuple(
            Known(match.pk, one)
            for match, one in differing
            if match.draft == one and match.draft.version != one.version
        ),
        delete=tuple(one for one in remaining.values() if window.contains(one.draft.start, one.draft.end)),
    )
