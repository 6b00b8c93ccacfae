"""One sync, told as a story: take the lease, poll, read the window, decide, apply, record."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from calendars import links, merge
from calendars.models import Meeting
from calendars.policy import LeftOut, SyncOptions, left_out
from integrations.errors import InternalError, OperatorProblem, ProviderError, UnexpectedAnswer
from integrations.events import CalendarClient, Changed, Listing, Poll, RemoteEvent, Window
from integrations.models import CalendarConnection, LeaseLost
from integrations.providers import open_calendar

logger = logging.getLogger(__name__)

RENEW_EVERY = timedelta(seconds=20)
LOOK_AGAIN = timedelta(minutes=5)
# Even where the provider says that nothing changed: a window moves on, and a signal may be lost.
READ_AT_LEAST_EVERY = timedelta(hours=1)
LONGEST_LOOK_BACK = timedelta(days=365)
# So many known future meetings do not all vanish at once; fewer may.
SUSPICIOUS = 5


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


@dataclass(frozen=True, slots=True)
class Reading:
    """What the calendar shows of a window, as drafts, and how much was left out of it."""

    drafts: tuple[merge.Draft, ...]
    left_out: Counter[LeftOut]
    unreadable: int
    empty: bool


def run(
    pk: uuid.UUID,
    token: uuid.UUID,
    *,
    clock: Callable[[], datetime] = timezone.now,
    open_client: Callable[..., CalendarClient] = open_calendar,
) -> bool:
    """Sync one claimed connection; whether it worked on it. A stale claim does nothing.

    An error is recorded on the row. Only bugs are raised, after they were recorded.
    """
    connection = CalendarConnection.objects.begin(pk, token, clock())
    if connection is None:
        return False
    lease = Lease(connection, clock)
    try:
        try:
            _sync(connection, lease, clock, open_client)
        except ProviderError as error:
            logger.log(_level(error), "sync of %s: %s: %s", pk, type(error).__name__, error)
            connection.record_failure(lease.token, error, clock())
        except LeaseLost:
            raise
        except Exception as exc:
            connection.record_failure(lease.token, InternalError(type(exc).__name__), clock())
            raise
    except LeaseLost:
        logger.info("sync of %s: somebody else has it now", pk)
    return True


def _sync(
    connection: CalendarConnection,
    lease: Lease,
    clock: Callable[[], datetime],
    open_client: Callable[..., CalendarClient],
) -> None:
    started = clock()
    client = open_client(connection, lease.renew)
    poll = client.poll(connection.cursor)
    if poll.changed is Changed.NO and _read_recently(connection, started):
        connection.record_unchanged(lease.token, started=started, now=clock(), cursor=poll.cursor)
        return
    window = window_of(connection, started)
    listing = client.events(window)
    if listing.unreadable and not listing:
        raise UnexpectedAnswer("none of the events could be read", code="UNREADABLE")
    known = Meeting.objects.known(connection)
    reading = _decide(connection, listing)
    plan = merge.plan_merge(known, reading.drafts, window)
    if listing.pages > 1 or listing.unreadable:
        missed = _missed(client, listing, plan, window)
        reading = _decide(connection, Listing([*listing, *missed], unreadable=listing.unreadable))
        plan = merge.plan_merge(known, reading.drafts, window)
    if reading.empty and _suspicious(connection, known, started):
        connection.record_emptied(lease.token, started, clock() + LOOK_AGAIN)
        return
    _apply(connection, lease, plan, reading, len(known), started, clock(), poll)


def _read_recently(connection: CalendarConnection, now: datetime) -> bool:
    return connection.last_synced_at is not None and now - connection.last_synced_at < READ_AT_LEAST_EVERY


def _missed(client: CalendarClient, listing: Listing, plan: merge.MergePlan, window: Window) -> list[RemoteEvent]:
    """Events that slipped through between two pages, or were garbled: what seems gone is asked for once more."""
    listed = {event.id for event in listing}
    ids = [one.draft.external_id for one in plan.delete if one.draft.external_id not in listed]
    return [event for event in client.find(ids) if window.contains(event.start, event.end)] if ids else []


def window_of(connection: CalendarConnection, now: datetime) -> Window:
    """From a day ago, or from the last complete read where that is longer ago, to as far as Sally looks ahead."""
    start = now - timedelta(days=settings.SYNC_DAYS_BACK)
    if connection.last_synced_at:
        start = min(start, max(connection.last_synced_at, now - LONGEST_LOOK_BACK))
    return Window(start, now + timedelta(days=settings.SYNC_DAYS_AHEAD))


def _decide(connection: CalendarConnection, listing: Listing) -> Reading:
    """Drop what the options exclude before anything else sees it."""
    options = SyncOptions(private=connection.sync_private, only_online=connection.sync_only_online)
    counts: Counter[LeftOut] = Counter()
    drafts: list[merge.Draft] = []
    for event in listing:
        found = links.find_in_listing(event)
        link = found.link if found else None
        reason = left_out(event, link, options)
        if reason:
            counts[reason] += 1
        else:
            drafts.append(merge.draft(event, link))
    return Reading(tuple(drafts), counts, listing.unreadable, empty=not listing)


def _suspicious(connection: CalendarConnection, known: list[merge.Known], now: datetime) -> bool:
    """Whether a suddenly empty calendar is not to be believed yet: a broken answer looks just like that."""
    upcoming = sum(one.draft.start > now for one in known)
    confirmed = connection.emptied_at is not None and now - connection.emptied_at >= LOOK_AGAIN
    return upcoming >= SUSPICIOUS and not confirmed


def _apply(
    connection: CalendarConnection,
    lease: Lease,
    plan: merge.MergePlan,
    reading: Reading,
    known: int,
    started: datetime,
    now: datetime,
    poll: Poll,
) -> None:
    counts = {
        "meeting_count": known + len(plan.create) - len(plan.delete),
        "private_left_out": reading.left_out[LeftOut.PRIVATE],
        "offline_left_out": reading.left_out[LeftOut.OFFLINE],
        "unreadable_count": reading.unreadable,
    }
    with transaction.atomic():
        # First, because it locks the row and fails when the lease is lost.
        connection.record_success(lease.token, started=started, now=now, cursor=poll.cursor, counts=counts)
        Meeting.objects.apply(connection, plan, now)
    if not plan.empty or reading.unreadable:
        logger.info(
            "sync of %s: %d new, %d changed, %d gone, %d unreadable",
            connection.pk,
            len(plan.create),
            len(plan.update),
            len(plan.delete),
            reading.unreadable,
        )


def _level(error: ProviderError) -> int:
    return logging.ERROR if isinstance(error, UnexpectedAnswer | OperatorProblem) else logging.WARNING
