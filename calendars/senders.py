"""One Sally per room and time: of several meetings that would send her into one room, which one does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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


def covered(candidates: Iterable[Candidate]) -> dict[int, int]:
    """Which meeting sends Sally instead, by the meetings that need not."""
    senders: dict[str, list[Candidate]] = {}
    found: dict[int, int] = {}
    for one in sorted(candidates, key=lambda candidate: candidate.rank):
        chosen = senders.setdefault(one.room, [])
        sender = next((other for other in chosen if one.overlaps(other)), None)
        if sender:
            found[one.pk] = sender.pk
        else:
            chosen.append(one)
    return found
