"""Makes drafts of what a calendar shows: drops what the options exclude, asks for bodies where a link may hide.

Nothing is asked for twice: what was looked at whole is known again by its version, and what was left out for having no
link by a keyed hash of its id and version, the only thing that is kept of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from calendars import links, merge
from calendars.links import Found, MeetingLink, Source
from calendars.merge import Draft, Known, Slot
from calendars.policy import LeftOut, SyncOptions, left_out
from integrations.errors import RateLimited, Temporary
from integrations.events import Kind, RemoteEvent

# Events in one call of ``fill``: what a slow provider may cost before the clock is looked at again.
FILLED_AT_ONCE = 100
# Halving a hundred down to one takes eight; a provider that is down is not asked for ever.
MOST_FAILURES = 10
HASH_SIZE = 8  # bytes

Fill = Callable[[Sequence[RemoteEvent]], list[RemoteEvent]]


@dataclass(frozen=True, slots=True)
class Remembered:
    """Events that were looked at whole and have no link, by keyed hashes."""

    key: bytes = b""
    hashes: frozenset[bytes] = frozenset()

    def hash_of(self, id: str, seen_version: str) -> bytes:
        text = f"{id}\0{seen_version}"
        return hashlib.blake2b(text.encode(), key=self.key, digest_size=HASH_SIZE).digest()


@dataclass(slots=True)
class Reading:
    """Drafts of what is kept, and counts of what is not.

    ``unfinished``: some events are still to be looked at whole, because time ran out or ``interrupted`` by an error.
    They are kept as far as they are known, unless the options demand a link that was not found yet. ``progressed``:
    some were looked at. ``left_open``: some are stored as listed, and the next read has to look at them again.
    """

    drafts: list[Draft] = field(default_factory=list)
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    without_link: set[bytes] = field(default_factory=set)
    unfinished: bool = False
    progressed: bool = False
    left_open: bool = False
    interrupted: Temporary | None = None


@dataclass(slots=True)
class Reader:
    """Decides about events, in two steps: ``drop`` what the options exclude at first sight, then ``read`` the rest."""

    options: SyncOptions
    remembered: Remembered
    result: Reading = field(default_factory=Reading)
    before: dict[str, Draft] = field(default_factory=dict)
    in_slot: dict[Slot, Draft] = field(default_factory=dict)

    def drop(self, events: Iterable[RemoteEvent]) -> list[RemoteEvent]:
        """What is left without the private ones that are not wanted, and those that are known to have no link."""
        return [event for event in events if not self._is_excluded(event)]

    def read(
        self,
        events: Iterable[RemoteEvent],
        known: Iterable[Known],
        *,
        now: datetime,
        fill: Fill,
        time_is_left: Callable[[], bool],
    ) -> Reading:
        """Decide about every event; ``fill`` is asked while ``time_is_left``, for what is nearest to ``now`` first.

        Raises what ``fill`` raises, except for a temporary error: that ends the asking, and is told in the result.
        """
        for one in known:
            self.before[one.draft.external_id] = one.draft
            self.in_slot[one.draft.slot] = one.draft
        waiting = [event for event in events if not self._settles(event)]
        for chunk in _chunks(_nearest_first(waiting, now)):
            if self.result.unfinished or not time_is_left():
                self._postpone(chunk)
                continue
            self._look_at(chunk, fill)
        return self.result

    def _look_at(self, events: Sequence[RemoteEvent], fill: Fill) -> None:
        """Ask for these; where that fails, for each half of them: one event must not stop the others.

        One that fails alone is kept as it was listed. A provider that only fails is not asked for ever.
        """
        parts, failures = [events], 0
        while parts:
            part = parts.pop()
            try:
                filled = {event.id: event for event in fill(part)}
            except Temporary as error:
                failures += 1
                if isinstance(error, RateLimited) or failures > MOST_FAILURES:
                    self.result.interrupted = error
                    self._postpone([event for left in (part, *parts) for event in left])
                    return
                if len(part) == 1:
                    self._keep_as_listed(part[0])
                else:
                    parts += [part[len(part) // 2 :], part[: len(part) // 2]]
                continue
            self.result.progressed |= bool(filled)
            for event in part:
                if event.id in filled:
                    self._conclude(filled[event.id], links.find(filled[event.id]))
                else:  # gone since it was listed, or nearly so: the next listing tells
                    self._keep_as_listed(event)

    def _is_excluded(self, event: RemoteEvent) -> bool:
        if event.private and not self.options.private:
            self.result.left_out[LeftOut.PRIVATE] += 1
            return True
        hashes = self.remembered.hashes
        if hashes and self.remembered.hash_of(event.id, merge.seen_version(event)) in hashes:
            self._conclude(event, None)
            return True
        return False

    def _settles(self, event: RemoteEvent) -> bool:
        """Whether the event could be decided about as listed."""
        known = self.before.get(event.id)
        if known and known.version == merge.seen_version(event) and (known.join_url or not self.options.only_online):
            self.result.drafts.append(known)
            return True
        found = links.find_in_listing(event)
        if found and found.link.complete and not event.partial:
            self._conclude(event, found)
            return True
        return False

    def _conclude(self, event: RemoteEvent, found: Found | None) -> None:
        """The event was looked at whole."""
        reason = left_out(event, found.link if found else None, self.options)
        if reason is None:
            self.result.drafts.append(merge.draft(event, found))
            return
        self.result.left_out[reason] += 1
        if reason is LeftOut.OFFLINE:
            self.result.without_link.add(self.remembered.hash_of(event.id, merge.seen_version(event)))

    def _postpone(self, events: Iterable[RemoteEvent]) -> None:
        self.result.unfinished = True
        for event in events:
            self._keep_as_listed(event)

    def _keep_as_listed(self, event: RemoteEvent) -> None:
        """With the link that it shows or had before, until the next sync has looked at it whole."""
        self.result.left_open = True
        found, known = links.find_in_listing(event), self._known_link(event)
        if known and (found is None or known.link.url.startswith(found.link.url)):
            found = known  # which may have the passcode that the listing lacks
        if left_out(event, found.link if found else None, self.options) is None:
            draft = merge.draft(event, found, looked_at_whole=False)
            before = self.before.get(event.id)
            if event.partial and before:
                draft = dataclasses.replace(draft, attendees=before.attendees, organizer_email=before.organizer_email)
            self.result.drafts.append(draft)

    def _known_link(self, event: RemoteEvent) -> Found | None:
        """The link that its body had; one that stood in the listing is gone when the listing does not show it."""
        known = self.before.get(event.id) or self.in_slot.get(merge.draft(event, None).slot)
        if known is None or known.link_source != Source.BODY:
            return None
        return Found(MeetingLink(known.join_url, known.service), Source(known.link_source))


def _nearest_first(events: Sequence[RemoteEvent], now: datetime) -> list[RemoteEvent]:
    """What comes next goes first; occurrences of one series stay together, since one read may serve them all."""

    def source(event: RemoteEvent) -> str:
        return event.series_id if event.kind is Kind.OCCURRENCE else event.id

    distance: dict[str, tuple[bool, float]] = {}
    for event in events:
        away = (event.end < now, abs((event.start - now).total_seconds()))
        distance[source(event)] = min(away, distance.get(source(event), away))
    return sorted(events, key=lambda event: (distance[source(event)], source(event), event.start))


def _chunks(events: Sequence[RemoteEvent]) -> Iterator[Sequence[RemoteEvent]]:
    for first in range(0, len(events), FILLED_AT_ONCE):
        yield events[first : first + FILLED_AT_ONCE]
