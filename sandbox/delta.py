"""What changed in a window since it was last asked about, in the groups that Graph keeps together on a page.

Graph compares no better than this either: whatever happens to one occurrence, the whole series comes again (its master
and all that is left of it in the window), and of an occurrence that was taken out nothing is said.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.ics import Series
from sandbox.mailbox import MASTER, SINGLE, Item, OpenMailbox

_KEPT_ROUNDS = 128
_ID_LENGTH = 32  # of token_urlsafe(24)


@dataclass(frozen=True)
class Known:
    """What a client was told of one series: its text's digest, and each id of its own as a pair (usual, immutable)."""

    digest: str
    ids: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Group:
    """What is never split over pages: a single event, or a series with all its occurrences; and ids that are gone."""

    items: tuple[Item, ...]
    removed: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.items) + len(self.removed)


@dataclass
class Round:
    """One answer to "what changed", read page by page; its delta token then asks for the next round."""

    person_oid: str
    window: tuple[datetime, datetime]
    known: Mapping[str, Known]
    groups: list[Group]
    begins_empty: bool
    finished: bool = False
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def page(self, first: int, size: int) -> tuple[list[Group], int]:
        """The groups from number ``first`` until there are about ``size`` things, and the number of the next one."""
        last = first
        while last < len(self.groups) and sum(map(len, self.groups[first:last])) < size:
            last += 1
        return self.groups[first:last], last

    def finish(self) -> None:
        """Nobody reads its pages any more, now that the client asked for what came after them."""
        self.finished = True
        self.groups = []


def _pair(mailbox: OpenMailbox, item: Item) -> tuple[str, str]:
    return mailbox.id_of(item, immutable=False), mailbox.id_of(item, immutable=True)


def _group(mailbox: OpenMailbox, series: Series, items: list[Item]) -> tuple[Item, ...]:
    return (mailbox.master(series), *items) if series.recurring and items else tuple(items)


def _known(mailbox: OpenMailbox, series: Series, items: tuple[Item, ...]) -> Known:
    own = [item for item in items if item.kind in (MASTER, SINGLE)]
    if not own and (whole := mailbox.whole(series)) is not None:
        own = [whole]
    return Known(series.digest, frozenset(_pair(mailbox, item) for item in own))


def _changed(uid: str, before: Mapping[str, Known], after: Mapping[str, Known], items: tuple[Item, ...]) -> Group:
    """What is removed need not have been in the window: Graph also tells of what changes outside (event-delta.md)."""
    then, now = before.get(uid), after.get(uid)
    gone = then.ids if then else frozenset()
    kept = now.ids if now else frozenset()
    return Group(items, tuple(sorted(gone - kept if items else gone | kept)))


def _look(
    mailbox: OpenMailbox, window: tuple[datetime, datetime]
) -> tuple[dict[str, Known], dict[str, tuple[Item, ...]]]:
    inside: dict[str, list[Item]] = {}
    for item in mailbox.between(*window):
        inside.setdefault(item.series.uid, []).append(item)
    items = {series.uid: _group(mailbox, series, inside.get(series.uid, [])) for series in mailbox.series}
    return {series.uid: _known(mailbox, series, items[series.uid]) for series in mailbox.series}, items


def first_round(mailbox: OpenMailbox, window: tuple[datetime, datetime]) -> Round:
    """All that is in the window; its first page has nothing but the way to the second, as is often seen."""
    known, items = _look(mailbox, window)
    groups = [Group(found) for found in items.values() if found]
    return Round(mailbox.person_oid, window, known, groups, begins_empty=True)


def next_round(mailbox: OpenMailbox, last: Round) -> Round:
    """What is different since the last round, in that round's window."""
    known, items = _look(mailbox, last.window)
    unlike = [uid for uid in {**known, **last.known} if known.get(uid) != last.known.get(uid)]
    groups = [_changed(uid, last.known, known, items.get(uid, ())) for uid in unlike]
    kept = known if groups else last.known
    return Round(mailbox.person_oid, last.window, kept, groups, begins_empty=False)


class _SyncStates:
    """The rounds that tokens still stand for; Outlook too forgets the ones not used for longest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rounds: OrderedDict[str, Round] = OrderedDict()

    def add(self, made: Round) -> None:
        with self._lock:
            self._rounds[made.id] = made
            if len(self._rounds) > _KEPT_ROUNDS:
                self._rounds.popitem(last=False)

    def find(self, token: str, person_oid: str) -> Round | None:
        """The round of a token of this person; every token begins with its round's id."""
        with self._lock:
            found = self._rounds.get(token[:_ID_LENGTH])
            if found is None or found.person_oid != person_oid:
                return None
            self._rounds.move_to_end(found.id)
            return found

    def empty(self) -> None:
        with self._lock:
            self._rounds.clear()


SYNC_STATES = _SyncStates()


def page_token(made: Round, first: int) -> str:
    return f"{made.id}{first:06x}"


def place_of(token: str) -> int | None:
    """Which group a page token begins with; None for a token that is none."""
    try:
        return int(token[_ID_LENGTH:], 16)
    except ValueError:
        return None
