"""One Sally per room and time: of several meetings that would send her into one room, which one does."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """A meeting that would send Sally into ``room``; times are aware. ``asked``: its owner asked for her there."""

    pk: int
    owner: int
    room: str
    start: datetime
    end: datetime
    join_at: datetime
    is_organizer: bool
    asked: bool

    @property
    def rank(self) -> tuple[object, ...]:
        """The lowest sends: the organizer, who asked, who has her first; at last any order that stays."""
        return not self.is_organizer, not self.asked, self.join_at, self.owner, self.pk

    def overlaps(self, other: Candidate) -> bool:
        return self.start == other.start or (self.start < other.end and other.start < self.end)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Who sends Sally into one room, in the order of choosing, and these numbers by time.

    No two of them overlap, so that their ends are in order as well, and those beside a meeting are found without
    asking all: a room may have thousands.
    """

    meetings: list[int] = field(default_factory=list)
    starts: list[datetime] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def first_beside(self, one: Candidate) -> int | None:
        """As ``Candidate.overlaps`` has it."""
        at, after = bisect_left(self.starts, one.start), bisect_left(self.starts, one.end)
        beside = self.numbers[bisect_right(self.ends, one.start) : after]
        if self.starts[at : at + 1] == [one.start]:
            beside.append(self.numbers[at])
        return self.meetings[min(beside)] if beside else None

    def add(self, one: Candidate) -> None:
        at = bisect_left(self.starts, one.start)
        self.starts.insert(at, one.start)
        self.ends.insert(at, one.end)
        self.numbers.insert(at, len(self.meetings))
        self.meetings.append(one.pk)


def covered(candidates: Iterable[Candidate]) -> dict[int, int]:
    """Which meeting sends Sally instead, by the meetings that need not."""
    rooms: defaultdict[str, _Chosen] = defaultdict(_Chosen)
    found: dict[int, int] = {}
    for one in sorted(candidates, key=lambda candidate: candidate.rank):
        chosen = rooms[one.room]
        sender = chosen.first_beside(one)
        if sender is None:
            chosen.add(one)
        else:
            found[one.pk] = sender
    return found
