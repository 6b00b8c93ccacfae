"""One sync, told as a story: take the lease, poll, list the window, decide, apply, record."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from calendars import attendance, merge
from calendars.merge import Known, MergePlan
from calendars.models import LookedAt, Meeting
from calendars.planning import lock_home_of
from calendars.policy import LeftOut, SyncOptions
from calendars.reading import Reader, Reading, Remembered
from calendars.retention import keep_from
from integrations.errors import InternalError, OperatorProblem, ProviderError, UnexpectedAnswer
from integrations.events import CalendarClient, Changed, Listing, RemoteEvent, Window
from integrations.models import AccessRecord, CalendarConnection, LeaseLost, Why
from integrations.providers import open_calendar
from integrations.trail import Trail

logger = logging.getLogger(__name__)

RENEW_EVERY = timedelta(seconds=20)
LOOK_AGAIN = timedelta(minutes=5)
# Even where the provider says that nothing changed: a window moves on, and a signal may be lost.
READ_AT_LEAST_EVERY = timedelta(hours=1)
# So many known future meetings do not all vanish at once; fewer may.
SUSPICIOUS = 5
# How long one sync asks for bodies: a first one may need thousands, and the meetings must not wait for them all.
FILL_FOR = timedelta(seconds=20)


class Lease:
    """A worker's right to one connection, renewed while it works: before requests, at most every 20 seconds."""

    def __init__(self, connection: CalendarConnection, clock: Callable[[], datetime]) -> None:
        assert connection.lease_token  # noqa: S101 - it was begun just now
        self.connection, self.token, self._clock = connection, connection.lease_token, clock
        self._renewed = clock()

    def renew(self) -> None:
        now = self._clock()
        if now - self._renewed >= RENEW_EVERY:
            self.connection.renew_lease(self.token, now)
            self._renewed = now


class Work:
    """One sync under way: by which lease, why, and what it has asked of the provider so far."""

    def __init__(self, connection: CalendarConnection, clock: Callable[[], datetime], why: Why | None) -> None:
        self.connection, self.clock = connection, clock
        self.lease, self.trail = Lease(connection, clock), Trail(clock)
        self.why = why or Why(connection.next_sync_why)

    @contextmanager
    def writing(self, *, changes: bool = True) -> Iterator[None]:
        """The transaction that writes what came of it, and with that what was asked.

        One on schedule that ``changes`` nothing was an idle check.
        """
        with transaction.atomic():
            yield
            self._keep_trail(idle=self.why is Why.SCHEDULE and not changes)
        self.trail.clear()

    def fail(self, error: ProviderError) -> None:
        """Raises ``LeaseLost``, when what counts even then is written."""
        lost: LeaseLost | None = None
        with transaction.atomic():
            try:
                self.connection.record_failure(self.lease.token, error, self.clock())
                self._keep_trail()
            except LeaseLost as exc:
                lost = exc
        if lost:
            raise lost
        self.trail.clear()

    def _keep_trail(self, *, idle: bool = False) -> None:
        AccessRecord.objects.keep(self.trail, self.connection.owner_id, self.why, self.connection, idle=idle)

    def end(self) -> None:
        """Keep what was asked without anything coming of it."""
        AccessRecord.objects.keep_apart(self.trail, self.connection.owner_id, self.why, self.connection)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one sync found out, and is about to be written."""

    started: datetime
    now: datetime
    cursor: str
    unreadable: int
    plan: MergePlan
    read: Reading

    @property
    def left_out(self) -> dict[str, int]:
        return {
            "private_left_out": self.read.left_out[LeftOut.PRIVATE],
            "unreadable_count": self.unreadable,
            # What was not looked at yet may have no link either.
            **({} if self.read.unfinished else {"offline_left_out": self.read.left_out[LeftOut.OFFLINE]}),
        }


def run(
    pk: uuid.UUID,
    token: uuid.UUID,
    *,
    clock: Callable[[], datetime] = timezone.now,
    open_client: Callable[..., CalendarClient] = open_calendar,
    why: Why | None = None,
) -> bool:
    """Sync one claimed connection; whether it worked on it. A stale claim does nothing.

    ``why`` is given where it is not what made the connection due. An error is recorded on the row. Only bugs are
    raised, after they were recorded.
    """
    connection = CalendarConnection.objects.begin(pk, token, clock(), **LookedAt.objects.beside())
    if connection is None:
        return False
    work = Work(connection, clock, why)
    try:
        _sync(work, open_client)
    except LeaseLost:
        logger.info("sync of %s: somebody else has it now", pk)
    finally:
        work.end()
    return True


def _sync(work: Work, open_client: Callable[..., CalendarClient]) -> None:
    connection = work.connection
    try:
        with closing(open_client(connection, work.lease.renew, work.trail)) as client:
            _read(work, client)
    except ProviderError as error:
        # In brackets: what stands behind "password…:" is masked, and would hide the code of a refused one.
        logger.log(_level(error), "sync of %s: %s (%s)", connection.pk, type(error).__name__, error)
        work.fail(error)
    except LeaseLost:
        raise
    except Exception as exc:
        work.fail(InternalError(type(exc).__name__))
        raise


def _read(work: Work, client: CalendarClient) -> None:
    connection, lease, clock = work.connection, work.lease, work.clock
    started = clock()
    poll = client.poll(connection.cursor)
    if poll.changed is Changed.NO and connection.cursor and _read_recently(connection, started):
        with work.writing(changes=False):
            connection.record_unchanged(lease.token, started=started, now=clock(), cursor=poll.cursor)
        return
    window = window_of(connection, started)
    versions = Meeting.objects.versions(connection, window)
    listing = client.events(window, versions)
    if listing.unreadable and listing.is_empty:
        raise UnexpectedAnswer("none of the events could be read", code="UNREADABLE")
    options = SyncOptions(private=connection.sync_private, only_online=connection.sync_only_online)
    remembered = LookedAt.objects.of(connection) if options.only_online else Remembered()
    reader = Reader(options, remembered)
    rest = reader.drop(listing)
    known = _known(connection, rest, listing, versions)
    if listing.pages > 1 or listing.unreadable:
        missed = _missed(client, listing, known, window)
        listing.extend(missed)
        rest += reader.drop(missed)
    if listing.is_empty and _suspicious(connection, known, started):
        with work.writing():
            connection.record_emptied(lease.token, started, clock() + LOOK_AGAIN)
        return
    deadline = clock() + FILL_FOR
    read = reader.read(rest, known, now=started, fill=client.fill, time_is_left=lambda: clock() < deadline)
    plan = merge.plan_merge(known, read.drafts, window)
    outcome = Outcome(started, clock(), poll.cursor, listing.unreadable, plan, read)
    _apply(work, remembered, outcome)


def _read_recently(connection: CalendarConnection, now: datetime) -> bool:
    return connection.last_synced_at is not None and now - connection.last_synced_at < READ_AT_LEAST_EVERY


def _known(
    connection: CalendarConnection, rest: Sequence[RemoteEvent], listing: Listing, versions: Mapping[str, str]
) -> list[Known]:
    """The stored meetings that may have to change: what is listed, under whatever id, and what is listed no more."""
    ids = {event.id for event in rest} | (versions.keys() - listing.unchanged)
    strangers = {event.ical_uid for event in rest if event.id not in versions and event.ical_uid}
    found = Meeting.objects.known(connection, ids, strangers)
    # Occurrences of one series share their UID: those that are as they were must not seem gone.
    return [one for one in found if one.draft.external_id not in listing.unchanged]


def _missed(client: CalendarClient, listing: Listing, known: list[Known], window: Window) -> list[RemoteEvent]:
    """Events that slipped through between two pages, or were garbled: what seems gone is asked for once more."""
    ids = merge.vanished(known, listing, window)
    return [event for event in client.find(ids) if window.contains(event.start, event.end)] if ids else []


def window_of(connection: CalendarConnection, now: datetime) -> Window:
    """From a day ago, or from the last complete read where that is longer ago, to as far as Sally looks ahead.

    Never from before what is kept: it would fetch again what was deleted for its age.
    """
    start = now - timedelta(days=settings.SYNC_DAYS_BACK)
    if connection.last_synced_at:
        start = min(start, max(connection.last_synced_at, keep_from(now)))
    return Window(start, now + timedelta(days=settings.SYNC_DAYS_AHEAD))


def _suspicious(connection: CalendarConnection, known: list[Known], now: datetime) -> bool:
    """Whether a suddenly empty calendar is not to be believed yet: a broken answer looks just like that."""
    upcoming = sum(one.draft.start > now for one in known)
    confirmed = connection.emptied_at is not None and now - connection.emptied_at >= LOOK_AGAIN
    return upcoming >= SUSPICIOUS and not confirmed


def _apply(work: Work, remembered: Remembered, outcome: Outcome) -> None:
    connection, read, plan, now = work.connection, outcome.read, outcome.plan, outcome.now
    with work.writing(changes=plan.changes_meetings):
        # First, because it locks the row and fails when the lease is lost.
        connection.record_success(
            work.lease.token,
            started=outcome.started,
            now=now,
            # What is left open must be read again, whatever the provider says of changes.
            cursor="" if read.left_open else outcome.cursor,
            counts=outcome.left_out,
            meetings_changed=plan.changes_meetings,
            despite=read.interrupted,
            look_again=read.unfinished and read.progressed,
        )
        # Before any meeting is written: whoever plans for the same people has them locked the same way.
        home = lock_home_of(connection.owner) if plan.changes_meetings else None
        created = Meeting.objects.apply(connection, plan, now, shown_until=_shown_until(connection))
        if home:
            Meeting.objects.recount([connection.pk])
            attendance.meetings_changed(connection.owner, home, plan, created, now)
        if read.without_link != remembered.hashes:
            LookedAt.objects.remember(connection, read.without_link)
    if plan.changes_meetings or outcome.unreadable:
        logger.info(
            "sync of %s: %d new, %d changed, %d gone, %d unreadable",
            connection.pk,
            len(plan.create),
            len(plan.update),
            len(plan.delete),
            outcome.unreadable,
        )
    if read.interrupted:
        logger.warning("sync of %s: bodies: %s", connection.pk, read.interrupted)


def _shown_until(connection: CalendarConnection) -> datetime | None:
    """The end of the window last read: what turns up behind it is not new, the window has moved on.

    None when nothing that turns up is new: at the first read, and after a change of the options.
    """
    changed, last = connection.meetings_changed_at, connection.last_synced_at
    if last is None or (changed and changed > last):
        return None
    return last + timedelta(days=settings.SYNC_DAYS_AHEAD)


def _level(error: ProviderError) -> int:
    return logging.ERROR if isinstance(error, UnexpectedAnswer | OperatorProblem) else logging.WARNING
