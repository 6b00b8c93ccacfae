"""A mailbox as its owner sees it: the events of a window, and any one of them by its id."""

import base64
import binascii
import hashlib
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from icalendar import Event

from sandbox.ics import Override, Series, Slot, Timing, Wall, instant, read_series
from sandbox.models import Mailbox, Person
from sandbox.people import MAILBOX_ZONE

SINGLE, OCCURRENCE, EXCEPTION, MASTER = "singleInstance", "occurrence", "exception", "seriesMaster"

_REST_PREFIX, _IMMUTABLE_PREFIX = "AAMkAD", "AAkALg"
_WHOLE, _PART = "AAA=", "AFRAAg"  # real ids mark an occurrence's date part with AFRAAg
_DIGEST_LENGTH = 64
_KEPT_WINDOWS = 8


@dataclass(frozen=True)
class Item:
    """One thing in the calendar. ``slot`` is the moment (UTC) of the place in the series that it takes."""

    series: Series
    event: Event
    kind: str
    slot: datetime | None
    start: Wall
    end: Wall
    timing: Timing

    @property
    def start_at(self) -> datetime:
        return instant(self.start, self.timing.zone)

    @property
    def end_at(self) -> datetime:
        return instant(self.end, self.timing.zone)


def _from_override(series: Series, override: Override) -> Item:
    kind = EXCEPTION if series.recurring else SINGLE
    timing = override.timing
    return Item(series, override.event, kind, override.slot_at, timing.start, timing.end, timing)


def _from_slot(series: Series, slot: Slot, event: Event) -> Item:
    if not series.recurring:
        return Item(series, event, SINGLE, None, slot.start, slot.end, series.timing)
    future = [o for o in series.overrides if o.and_future and o.slot_at < slot.at]
    if not future:
        return Item(series, event, OCCURRENCE, slot.at, slot.start, slot.end, series.timing)
    # RFC 5545 3.2.13: later ones move by the same difference and take the changed length.
    latest = future[-1]
    start = latest.place(slot.at, slot.start) + latest.moved_by
    return Item(series, latest.event, EXCEPTION, slot.at, start, start + latest.timing.length, latest.timing)


def _reach(series: Series) -> timedelta:
    """How far outside a window the slot of something inside can lie."""
    lengths = [series.timing.length, *(o.timing.length + abs(o.moved_by) for o in series.overrides if o.and_future)]
    return max(lengths) + timedelta(days=1)


def _items(series: Series, start: datetime, end: datetime) -> Iterator[Item]:
    replaced = {override.slot_at for override in series.overrides}
    if series.event is not None:
        reach = _reach(series)
        for slot in series.slots(start - reach, end + reach):
            if slot.at not in replaced and slot.at not in series.excluded:
                yield _from_slot(series, slot, series.event)
    for override in series.overrides:
        if override.slot_at not in series.excluded:
            yield _from_override(series, override)


def _digest(oid: str, uid: str, prefix: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha384(f"{prefix} {oid} {uid}".encode()).digest()).decode()


@dataclass
class OpenMailbox:
    """One text of one person's mailbox, read once and asked often."""

    person_oid: str
    email: str
    name: str
    series: tuple[Series, ...]
    personal: bool = False
    _windows: OrderedDict[tuple[date, date], list[Item]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._by_digest = {
            _digest(self.person_oid, series.uid, prefix): series
            for series in self.series
            for prefix in (_REST_PREFIX, _IMMUTABLE_PREFIX)
        }

    def between(self, start: datetime, end: datetime) -> list[Item]:
        """What ends after ``start`` and begins before ``end``, earliest first."""
        days = (start.date(), end.date())
        with self._lock:
            found = self._windows.get(days)
            if found is None:
                found = self._expand(*days)
                self._windows[days] = found
                if len(self._windows) > _KEPT_WINDOWS:
                    self._windows.popitem(last=False)
        return [item for item in found if item.end_at > start and item.start_at < end]

    def _expand(self, first: date, last: date) -> list[Item]:
        start = datetime.combine(first, time.min, UTC)
        end = datetime.combine(last, time.min, UTC) + timedelta(days=1)
        found = [
            item
            for series in self.series
            for item in _items(series, start, end)
            if item.end_at > start and item.start_at < end
        ]
        return sorted(found, key=lambda item: (item.start_at, item.end_at, item.series.uid))

    def id_of(self, item: Item, *, immutable: bool) -> str:
        """Opaque to clients; an immutable id is a different one for the same thing, as in Exchange."""
        prefix = _IMMUTABLE_PREFIX if immutable else _REST_PREFIX
        digest = _digest(self.person_oid, item.series.uid, prefix)
        if item.kind == MASTER or item.slot is None:
            return f"{prefix}{digest}{_WHOLE}"
        seconds = struct.pack(">q", int(item.slot.timestamp()))
        return f"{prefix}{digest}{_PART}{base64.urlsafe_b64encode(seconds).decode()}"

    def master_id_of(self, item: Item, *, immutable: bool) -> str | None:
        if item.kind not in (OCCURRENCE, EXCEPTION):
            return None
        return self.id_of(self.master(item.series), immutable=immutable)

    def find(self, id: str) -> Item | None:
        """The thing with this id of either kind; an occurrence that was taken out is not found."""
        digest = id[len(_REST_PREFIX) :][:_DIGEST_LENGTH]
        rest = id[len(_REST_PREFIX) + _DIGEST_LENGTH :]
        series = self._by_digest.get(digest)
        if series is None:
            return None
        if rest == _WHOLE:
            return self.whole(series)
        if not rest.startswith(_PART):
            return None
        try:
            (seconds,) = struct.unpack(">q", base64.b64decode(rest[len(_PART) :], altchars=b"-_", validate=True))
            slot = datetime.fromtimestamp(seconds, UTC)
        except (binascii.Error, struct.error, ValueError, OverflowError, OSError):
            return None
        return self.at(series, slot)

    def at(self, series: Series, slot: datetime) -> Item | None:
        """The occurrence of this place in the series, unless it was taken out."""
        near = _items(series, slot, slot + timedelta(minutes=1))
        return next((item for item in near if item.slot == slot), None)

    def stored(self, series: Series) -> list[Item]:
        """What a mailbox keeps of it: the master of a series, or what there is once."""
        return [self.master(series)] if series.recurring else list(_items(series, *_ALL_TIME))

    def instances(self, series: Series, start: datetime, end: datetime) -> list[Item]:
        return [item for item in self.between(start, end) if item.series is series]

    def whole(self, series: Series) -> Item | None:
        """The master of a series or the single event; None where the text knows only single occurrences."""
        if series.event is None:
            return None
        if series.recurring:
            return self.master(series)
        return next((item for item in _items(series, *_ALL_TIME) if item.slot is None), None)

    def master(self, series: Series) -> Item:
        first = series.first_slot()
        event = series.event or series.overrides[0].event
        return Item(series, event, MASTER, None, first.start, first.end, series.timing)


_ALL_TIME = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
_open: OrderedDict[tuple[str, str], OpenMailbox] = OrderedDict()
_open_lock = threading.Lock()


def open_mailbox(person: Person) -> OpenMailbox:
    """The person's mailbox as it is now; a text that was read before is not read again."""
    digest = Mailbox.objects.filter(person=person).values_list("digest", flat=True).first() or ""
    key = (person.oid, digest)
    with _open_lock:
        found = _open.get(key)
        if found is None:
            text = Mailbox.objects.filter(person=person, digest=digest).values_list("text", flat=True).first()
            series = read_series(text, MAILBOX_ZONE) if text else ()
            found = OpenMailbox(person.oid, person.email, person.name, series, person.personal)
            _open[key] = found
            if len(_open) > _KEPT_WINDOWS:
                _open.popitem(last=False)
        return found
