"""Connections to calendars: whose, how they fare and when they are next read."""

from __future__ import annotations

import enum
import hashlib
import logging
import random
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from integrations import errors, problems, signals
from integrations.errors import (
    CursorExpired,
    InternalError,
    NotReached,
    OnlyHere,
    OperatorProblem,
    PasswordRefused,
    ProviderError,
    ReconnectNeeded,
    Temporary,
)
from integrations.models.access import AccessRecord, Why
from integrations.models.querysets import LEASE, MOST_ATTEMPTS, ConnectionQuerySet
from integrations.models.sealed import ConnectionSecret, LeaseLost
from integrations.models.troubles import OperatorTrouble
from integrations.models.unreachable import UnreachableServer
from integrations.providers import PROVIDERS, Provider
from integrations.trail import Trail
from sally.models import User

logger = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
OPERATOR_PAUSE = timedelta(minutes=15)
# A first hiccup is none of the user's business.
FAILURES_SHOWN = 3
# ... unless the next try is as far off as this.
FAR_OFF = timedelta(minutes=15)
# So long after its time a connection waits only if the background work is behind, or does not run.
LATE_AFTER = timedelta(minutes=10)
# What looks like the operator's problem for so many tries, while it works elsewhere, is this connection's own.
ALONE_AFTER = 4
ELSEWHERE_WITHIN = timedelta(hours=2)
# A calendar that was not seen for so much longer than a sync takes to come round: the person is told what was missed.
UNSEEN_AFTER = timedelta(minutes=30)
JITTER = 0.1
UNSEEN_TOLD_FOR = timedelta(days=3)


class SyncOption(enum.StrEnum):
    """What a person sets for a connection, by the name of its field."""

    PRIVATE = "sync_private"
    ONLY_ONLINE = "sync_only_online"

    @property
    def counter(self) -> str:
        """The field that counts what this option leaves out."""
        return {"sync_private": "private_left_out", "sync_only_online": "offline_left_out"}[self.value]


class CalendarConnection(models.Model):
    """One calendar account of one person, and everything about its syncing but the secret."""

    class Status(models.TextChoices):
        CONNECTING = "connecting", _("Connecting")
        CONNECTED = "connected", _("Connected")
        NEEDS_ATTENTION = "needs_attention", _("Needs attention")
        PAUSED = "paused", _("Paused")

    class Pause(models.TextChoices):
        ADMIN = "admin", _("by an admin")
        DORMANT = "dormant", _("its owner has not signed in for long")
        DEACTIVATED = "deactivated", _("its owner is deactivated")

    # The others rest until somebody acts.
    AT_WORK = (Status.CONNECTING, Status.CONNECTED)
    ABSENT = (Pause.DORMANT, Pause.DEACTIVATED)

    id = models.UUIDField(_("id of the connection"), primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, models.CASCADE, verbose_name=_("owner"), related_name="+")
    provider = models.CharField(_("provider"), max_length=30)
    account_id = models.CharField(_("id of the account at the provider"), max_length=200, editable=False)
    account_email = models.CharField(_("account"), max_length=320)
    account_name = models.CharField(_("account name"), max_length=300, blank=True)
    granted_scopes = models.JSONField(_("granted permissions"), default=list)
    # What was found out about the organization's own server when it was connected, so that no sync has to probe.
    server = models.JSONField(_("server"), default=dict, blank=True)

    sync_private = models.BooleanField(_("Sync private appointments"), default=False)
    sync_only_online = models.BooleanField(_("Sync only online meetings"), default=False)

    status = models.CharField(_("state"), max_length=20, choices=Status.choices, default=Status.CONNECTING)
    pause_reason = models.CharField(_("paused"), max_length=20, choices=Pause.choices, blank=True)
    next_sync_at = models.DateTimeField(_("next sync"), null=True, blank=True)
    # What set that time, and is the reason of the sync that begins then.
    next_sync_why = models.CharField(
        _("why the next sync comes"), max_length=20, choices=Why.choices, default=Why.SCHEDULE, editable=False
    )
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)  # the provider asked for patience
    last_synced_at = models.DateTimeField(_("last sync"), null=True, blank=True)
    last_error = models.CharField(_("last error"), max_length=60, blank=True)
    last_error_kind = models.CharField(_("kind of the last error"), max_length=40, blank=True, editable=False)
    last_error_at = models.DateTimeField(_("last error at"), null=True, blank=True)
    # What the provider wants proved at the next sign-in: a claims challenge, as JSON.
    claims = models.TextField(_("what the provider wants proved at the next sign-in"), blank=True, editable=False)
    # When the owner was told by mail of the state it is in; empty while they were not.
    told_at = models.DateTimeField(_("owner told at"), null=True, blank=True)
    # When the provider last showed the calendar, changed or not, and the last long time in which it did not.
    last_seen_at = models.DateTimeField(_("calendar last seen at"), null=True, blank=True, editable=False)
    unseen_from = models.DateTimeField(_("last long time unseen, from"), null=True, blank=True, editable=False)
    unseen_until = models.DateTimeField(_("last long time unseen, until"), null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    attempts = models.PositiveIntegerField(_("attempts since the last answer"), default=0)
    lease_until = models.DateTimeField(_("a sync runs, at most until"), null=True, blank=True, editable=False)
    lease_token = models.UUIDField(_("mark of the sync that runs"), null=True, blank=True, editable=False)
    cursor = models.TextField(_("place up to which changes were read"), blank=True, editable=False)
    emptied_at = models.DateTimeField(_("calendar suddenly empty since"), null=True, blank=True, editable=False)
    # When a sync or an option last changed its meetings: pages that show them need not be drawn again before.
    meetings_changed_at = models.DateTimeField(_("meetings last changed at"), null=True, blank=True, editable=False)

    meeting_count = models.PositiveIntegerField(_("meetings"), default=0)
    private_left_out = models.PositiveIntegerField(_("private appointments left out"), default=0)
    offline_left_out = models.PositiveIntegerField(_("meetings without a link left out"), default=0)
    unreadable_count = models.PositiveIntegerField(_("unreadable events"), default=0)
    created_at = models.DateTimeField(_("connected at"), default=timezone.now, editable=False)

    secret: ConnectionSecret  # raises ConnectionSecret.DoesNotExist where there is none

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("calendar connection")
        verbose_name_plural = _("calendar connections")
        ordering = ["created_at"]
        constraints = [models.UniqueConstraint(fields=["owner", "provider", "account_id"], name="one_per_account")]
        indexes = [models.Index(fields=["next_sync_at"], name="connection_due")]

    def __str__(self) -> str:
        return self.account_email

    @property
    def door(self) -> Provider:
        return PROVIDERS[self.provider]

    @property
    def host(self) -> str:
        """Of the organization's own server; "" where there is none."""
        return urlsplit(self.server.get("url", "")).hostname or ""

    @property
    def can_sync(self) -> bool:
        return self.status in self.AT_WORK

    @property
    def syncing(self) -> bool:
        """Whether a sync runs, or will as soon as a worker is free."""
        now = timezone.now()
        waiting = self.next_sync_at is not None and self.next_sync_at <= now
        running = self.lease_until is not None and self.lease_until > now
        return self.can_sync and (running or waiting) and self.attempts < MOST_ATTEMPTS

    @property
    def looked_at(self) -> datetime | None:
        """When a sync last succeeded, whether it found that something changed or not."""
        return max((one for one in (self.last_synced_at, self.last_seen_at) if one), default=None)

    @property
    def unsettled(self) -> bool:
        """Whether pages that show it should keep looking: it syncs, or was never read yet."""
        return self.syncing or self.status == self.Status.CONNECTING

    @property
    def appearance(self) -> str:
        """Changes when what pages show of it changes, so that they need not be drawn again otherwise."""
        shown = (self.status, self.syncing, self.problem and self.problem.code, self.looked_at, self.next_sync_at)
        counts = (self.meeting_count, self.private_left_out, self.offline_left_out, self.unreadable_count)
        own = (self.account_name, self.account_email, self.sync_private, self.sync_only_online, self.unseen)
        return hashlib.sha256(repr((*shown, *counts, *own)).encode()).hexdigest()[:16]

    @property
    def problem(self) -> problems.Problem | None:
        """What the user should read about the last error, if anything."""
        if self.status == self.Status.PAUSED:
            absent = {self.Pause.DORMANT: problems.DORMANT, self.Pause.DEACTIVATED: problems.DEACTIVATED}
            return absent.get(self.Pause(self.pause_reason), problems.PAUSED) if self.pause_reason else problems.PAUSED
        now = timezone.now()
        far_off = bool(self.failures and self.next_sync_at and self.next_sync_at - now > FAR_OFF)
        shown = self.status == self.Status.NEEDS_ATTENTION or self.failures >= FAILURES_SHOWN or far_off
        if shown or self.last_error_kind == OperatorProblem.__name__:
            return problems.of_connection(self.last_error_kind, self.last_error, self.provider)
        if self.attempts >= MOST_ATTEMPTS:
            return problems.of_connection(InternalError.__name__, InternalError.code)
        late = self.next_sync_at is not None and now - self.next_sync_at > LATE_AFTER
        return problems.LATE if late else None

    @property
    def unseen(self) -> tuple[datetime, datetime] | None:
        """The last long time in which Sally could not see the calendar, for some days after it ended."""
        if not (self.unseen_from and self.unseen_until) or timezone.now() - self.unseen_until > UNSEEN_TOLD_FOR:
            return None
        return self.unseen_from, self.unseen_until

    @property
    def is_whole_again(self) -> bool:
        """Whether all that was missed then could be read afterwards: no sync looks back further than ``KEEP_DAYS``."""
        if not (self.unseen_from and self.unseen_until):
            return True
        return self.unseen_until - self.unseen_from < timedelta(days=settings.KEEP_DAYS)

    # -- what makes it sync ---------------------------------------------------------------------------------------

    def request_sync(self, now: datetime | None = None, why: Why = Why.SYNC_NOW) -> None:
        """Make the connection due and wake the calendar; also while a sync runs, which may have read too early.

        Not before the provider's own time where it asked for patience; and nothing where it rests or is gone.
        """
        now = now or timezone.now()
        soonest = max(now, self.not_before or now)
        able = CalendarConnection.objects.filter(pk=self.pk, status__in=self.AT_WORK)
        # Somebody wants it: what may have been killing its workers gets another chance.
        if able.update(next_sync_at=soonest, next_sync_why=why, attempts=0):
            self.next_sync_at, self.next_sync_why, self.attempts = soonest, why, 0
            signals.sync_requested.send(CalendarConnection, connection=self)

    def set_option(self, option: SyncOption, on: bool) -> int | None:
        """Change a sync option: delete at once what it now excludes, then read again; how many were deleted.

        None if it was so already, as with a second click; then nothing happens.

        A sync that runs decided by the old options: it loses its lease, and with it its right to write.
        """
        with transaction.atomic():
            own = CalendarConnection.objects.filter(pk=self.pk)
            # Without a cursor the next sync reads the window, whatever the provider says of changes.
            changed: dict[str, Any] = {option: on, "lease_token": None, "lease_until": None, "cursor": ""}
            if not own.exclude(**{option: on}).update(**changed, meetings_changed_at=timezone.now()):
                return None
            self.refresh_from_db()  # the other option may have been changed meanwhile
            told = signals.options_changed.send(CalendarConnection, connection=self)
            deleted = sum(int(count or 0) for _receiver, count in told)
            own.update(**{option.counter: deleted}, meeting_count=Greatest(F("meeting_count") - deleted, 0))
            self.refresh_from_db()
        self.request_sync(why=Why.OPTIONS)
        return deleted

    def restart(self, why: Why = Why.RESUMED) -> None:
        """Back to work, with nothing held against it."""
        self.status = self.Status.CONNECTED if self.last_synced_at else self.Status.CONNECTING
        cleared: dict[str, Any] = dict.fromkeys(("last_error", "last_error_kind", "claims", "pause_reason"), "")
        cleared |= {"failures": 0, "attempts": 0, "told_at": None}
        for name, value in cleared.items():
            setattr(self, name, value)
        CalendarConnection.objects.filter(pk=self.pk).update(status=self.status, **cleared)
        self.request_sync(why=why)

    def resume(self) -> None:
        """End a pause. What needed its owner's attention before still does: a refused secret is not tried again."""
        if issubclass(errors.kinds().get(self.last_error_kind, ProviderError), ReconnectNeeded):
            own = CalendarConnection.objects.filter(pk=self.pk)
            own.update(status=self.Status.NEEDS_ATTENTION, pause_reason="")
        else:
            self.restart()

    def pause(self) -> None:
        """An admin's pause, until the admin ends it; a sync that runs loses its lease, and its right to write."""
        rest = self.resting(self.Pause.ADMIN)
        for name, value in rest.items():
            setattr(self, name, value)
        CalendarConnection.objects.filter(pk=self.pk).update(**rest)

    @classmethod
    def resting(cls, reason: Pause) -> dict[str, Any]:
        """What a pause changes. A calendar that was paused was not out of sight: no gap is told of afterwards."""
        rest = dict.fromkeys(("next_sync_at", "lease_token", "lease_until", "last_seen_at"))
        told = {} if reason == cls.Pause.ADMIN else {"told_at": None}
        return {**rest, **told, "status": cls.Status.PAUSED, "pause_reason": reason}

    def disconnect(self) -> dict[str, int]:
        """Delete the connection, its secret and all that hangs on it; returns what was deleted, by name."""
        pk = self.pk
        with transaction.atomic():
            # The lock makes a running sync wait and then find its lease gone, instead of writing orphans.
            CalendarConnection.objects.filter(pk=self.pk).update(lease_token=None)
            counts: dict[str, int] = {}
            for _receiver, deleted in signals.disconnecting.send(CalendarConnection, connection=self):
                counts |= deleted  # type: ignore[arg-type]  # receivers return counts by name
            ConnectionSecret.objects.filter(pk=self.pk).delete()
            self.delete()
            signals.disconnected.send(CalendarConnection, connection=self)
        logger.info("connection %s disconnected: %s", pk, counts)
        return counts

    def keep_trail(self, trail: Trail) -> None:
        """Keep what a script asked."""
        AccessRecord.objects.keep_apart(trail, self.owner_id, Why.SCRIPT, self)

    # -- what one sync does to it; every write demands the lease --------------------------------------------------

    def _leased(self, token: uuid.UUID) -> models.QuerySet[CalendarConnection]:
        return CalendarConnection.objects.filter(pk=self.pk, lease_token=token)

    def renew_lease(self, token: uuid.UUID, now: datetime) -> None:
        """Take or keep the lease for another minute. Raises ``LeaseLost``."""
        if not self._leased(token).update(lease_until=now + LEASE):
            raise LeaseLost

    def record_success(
        self,
        token: uuid.UUID,
        *,
        started: datetime,
        now: datetime,
        cursor: str,
        counts: Mapping[str, int],
        meetings_changed: bool = True,
        look_again: bool = False,
        despite: Temporary | None = None,
    ) -> None:
        """Part of the transaction that writes the meetings, and its first statement. Raises ``LeaseLost``.

        ``cursor`` was taken before the read that it guards, so that nothing falls between the two. ``look_again``: at
        once, for it is not finished. ``despite``: the meetings were read, but an error kept from finishing them.
        """
        changes: dict[str, Any] = {**counts, "last_synced_at": started, "cursor": cursor, "emptied_at": None}
        changes |= self._seen(started)
        if meetings_changed:
            changes["meetings_changed_at"] = started
        if despite:
            self._record(token, **changes, **{"status": self.Status.CONNECTED} | self._failure(despite, now))
            return
        then, why = (now, Why.CONTINUED) if look_again else (now + _interval(), Why.SCHEDULE)
        self._record_health(token, started, now, then, why, **changes)

    def record_unchanged(self, token: uuid.UUID, *, started: datetime, now: datetime, cursor: str) -> None:
        """The provider says that nothing changed since the last complete read. Raises ``LeaseLost``."""
        then = now + _interval()
        self._record_health(token, started, now, then, Why.SCHEDULE, cursor=cursor, **self._seen(started))

    def _seen(self, started: datetime) -> dict[str, Any]:
        """The calendar shows itself again; a long time without it is kept for the person to read."""
        seen: dict[str, Any] = {"last_seen_at": started}
        usual = timedelta(minutes=settings.SYNC_EVERY) * (1 + JITTER)
        if self.last_seen_at and started - self.last_seen_at > usual + UNSEEN_AFTER:
            seen |= {"unseen_from": self.last_seen_at, "unseen_until": started}
        return seen

    def _record_health(
        self, token: uuid.UUID, started: datetime, now: datetime, then: datetime, why: Why, **changes: Any
    ) -> None:
        # A wish for another sync that came while this one ran is still open; an old pause is none.
        wish = {"next_sync_at__gt": started, "next_sync_at__lte": now}
        health: dict[str, Any] = {
            "status": self.Status.CONNECTED,
            "next_sync_at": Case(When(**wish, then=F("next_sync_at")), default=then),
            "next_sync_why": Case(When(**wish, then=F("next_sync_why")), default=Value(why.value)),
            "not_before": None,
            "failures": 0,
            "last_error": "",
            "last_error_kind": "",
        }
        self._record(token, **health | changes)
        if self.last_error_kind == NotReached.__name__:
            UnreachableServer.objects.reached(self.host)

    def record_emptied(self, token: uuid.UUID, now: datetime, look_again: datetime) -> None:
        """The calendar looks empty all of a sudden: believe nothing yet, look again."""
        self._record(token, emptied_at=self.emptied_at or now, next_sync_at=look_again, next_sync_why=Why.CONFIRM)

    def record_failure(self, token: uuid.UUID, error: ProviderError, now: datetime) -> None:
        """Let the error's class decide the state and the next try. Raises ``LeaseLost``."""
        if isinstance(error, OperatorProblem) and self._is_alone_with(error, now):
            error = OnlyHere(error.detail, code=error.code)
        try:
            self._record(token, **self._failure(error, now))
        except LeaseLost:
            if isinstance(error, PasswordRefused):
                self._keep_refusal(error, now)
            raise
        if isinstance(error, OperatorProblem):
            OperatorTrouble.objects.notice(error, now)
        if isinstance(error, NotReached):
            UnreachableServer.objects.notice(error, now)

    def _keep_refusal(self, error: PasswordRefused, now: datetime) -> None:
        """A refused password counts without a lease too: whoever has it now would send that password once more.

        Unless it was replaced meanwhile. What is paused stays so; its resuming then leads to the owner.
        """
        changes = self._failure(error, now)
        generation = self.secret.generation
        same = CalendarConnection.objects.filter(pk=self.pk, secret__generation=generation)
        if not same.filter(status__in=self.AT_WORK).update(lease_token=None, lease_until=None, **changes):
            del changes["status"]
            same.filter(status=self.Status.PAUSED).update(**changes)

    def _is_alone_with(self, error: OperatorProblem, now: datetime) -> bool:
        """Whether others work while this one has failed for long: its organization removed Sally, its key is lost."""
        if self.failures < ALONE_AFTER or not problems.may_be_only_here(error.code):
            return False
        lately = now - ELSEWHERE_WITHIN
        if error.code == "KEYS":  # of whatever kind: a secret was opened, or the calendar would not have been seen
            return CalendarConnection.objects.exclude(pk=self.pk).filter(last_seen_at__gt=lately).exists()
        return ConnectionSecret.objects.of_sign_ins().exclude(pk=self.pk).filter(renewed_at__gt=lately).exists()

    def _failure(self, error: ProviderError, now: datetime) -> dict[str, Any]:
        changes: dict[str, Any] = {
            "failures": self.failures + 1,
            "last_error": error.code[:60],
            "last_error_kind": type(error).__name__,
            "last_error_at": now,
            "next_sync_why": Why.RETRY,
        }
        if isinstance(error, ReconnectNeeded):
            changes |= {"status": self.Status.NEEDS_ATTENTION, "next_sync_at": None, "claims": error.claims}
        elif isinstance(error, OperatorProblem):
            changes |= {"next_sync_at": now + OPERATOR_PAUSE}
        elif isinstance(error, CursorExpired):
            # At once, but only once in a row. A mailbox that was moved had failed before: it begins anew all the same.
            again = now + _pause(self.failures + 1) if self.last_error_kind == CursorExpired.__name__ else now
            changes |= {"cursor": "", "next_sync_at": again}
        else:
            changes |= {"next_sync_at": now + _pause(self.failures + 1)}
            if self.failures + 1 >= FAILURES_SHOWN:
                changes["cursor"] = ""  # it may be what the provider trips over, under whatever name
        if isinstance(error, Temporary) and error.retry_after:
            not_before = now + timedelta(seconds=error.retry_after)
            changes |= {"not_before": not_before, "next_sync_at": max(changes["next_sync_at"], not_before)}
        return changes

    def _record(self, token: uuid.UUID, **changes: Any) -> None:
        if not self._leased(token).update(lease_until=None, lease_token=None, attempts=0, **changes):
            raise LeaseLost


def _interval() -> timedelta:
    """SYNC_EVERY with some jitter, so that connections made together do not stay together."""
    return timedelta(minutes=settings.SYNC_EVERY) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - not a secret


def _pause(failures: int) -> timedelta:
    doubled = min(FIRST_PAUSE * (1 << min(failures - 1, 10)), LONGEST_PAUSE)
    return doubled * random.uniform(0.8, 1.2)  # noqa: S311 - not a secret
