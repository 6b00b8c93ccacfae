"""The access log: what Sally asked of providers with a person's permission, and why. Never what she got."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from integrations.endpoints import Endpoint
from integrations.problems import Words
from integrations.trail import Trail
from sally.models import User

if TYPE_CHECKING:
    from integrations.models.connections import CalendarConnection

KEPT_FOR = timedelta(days=30)
# A sync that began in an hour may end, and be written, some minutes after it.
SUMMED_AFTER = timedelta(minutes=5)
# People whose idle checks are summed, and rows deleted, in one statement.
PEOPLE_AT_ONCE, ROWS_AT_ONCE = 50, 500


class Why(models.TextChoices):
    """What made Sally ask."""

    CONNECTING = "connecting", _("connecting the calendar")
    FIRST = "first", _("first sync")
    RECONNECTED = "reconnected", _("you reconnected the calendar")
    SCHEDULE = "schedule", _("schedule")
    SYNC_NOW = "sync-now", _("“Sync now”")
    OPTIONS = "options", _("you changed the options")
    RESUMED = "resumed", _("end of a pause")
    RETRY = "retry", _("another try after a failure")
    CONTINUED = "continued", _("the rest of a long sync")
    CONFIRM = "confirm", _("second look at a suddenly empty calendar")
    COMMAND = "command", _("command of the operator")
    SCRIPT = "script", _("script of the operator")


class AccessQuerySet(models.QuerySet["AccessRecord"]):
    def keep(
        self,
        trail: Trail,
        owner: int,
        why: str,
        connection: CalendarConnection | None = None,
        *,
        account: str = "",
        idle: bool = False,
    ) -> None:
        """Write all of the trail, in one statement; part of the transaction of the work that it belongs to.

        ``owner`` is a user's id. ``idle``: it found nothing new, and is summed with its like when its hour is over.
        Who commits clears the trail.
        """
        account = connection.account_email if connection else account
        self.bulk_create(
            AccessRecord(
                owner_id=owner,
                connection=connection,
                account=account,
                at=one.at,
                last_at=one.at,
                method=one.method,
                endpoint=one.endpoint.value,
                why=why,
                status=one.status,
                items=one.items,
                idle=idle,
            )
            for one in trail.asked
        )

    def keep_apart(
        self,
        trail: Trail,
        owner: int,
        why: str,
        connection: CalendarConnection | None = None,
        *,
        account: str = "",
    ) -> None:
        """Keep where nothing holds the connection: it may be gone by now, and so may its owner."""
        if not trail.asked:
            return
        account = connection.account_email if connection else account
        with transaction.atomic():
            # Locked in the order in which they are deleted; so neither vanishes before this is committed.
            there = connection if connection and _lock(type(connection), connection.pk) else None
            if _lock(User, owner):
                self.keep(trail, owner, why, there, account=account)
        trail.clear()

    @contextmanager
    def trail_of(
        self, owner: User, why: Why, connection: CalendarConnection | None = None, account: str = ""
    ) -> Iterator[Trail]:
        """A trail for work that a person waits for; what it did not keep itself is kept at the end of it."""
        trail = Trail()
        try:
            yield trail
        finally:
            self.keep_apart(trail, owner.pk, why, connection, account=account)

    def of(self, user: User) -> AccessQuerySet:
        """A person's own, the latest first."""
        return self.filter(owner=user).order_by("-at", "-pk")

    def latest_of(self, user: User, number: int) -> list[AccessRecord]:
        return list(self.of(user)[:number])

    def outdated(self, now: datetime) -> AccessQuerySet:
        return self.filter(at__lt=now - KEPT_FOR)

    # -- idle checks ----------------------------------------------------------------------------------------------

    def sum_idle(self, now: datetime) -> None:
        """Put one row in the place of all idle checks alike of one hour (of UTC), when it has been over for a while."""
        waiting = self.filter(idle=True, at__lt=_hour_of(now - SUMMED_AFTER))
        while people := list(_owners(waiting)):
            self._sum(waiting.filter(owner__in=people))

    def _sum(self, waiting: AccessQuerySet) -> None:
        with transaction.atomic():
            # Another worker that is at it waits here, and then finds none of these rows.
            rows = sorted(waiting.order_by("pk").select_for_update(), key=_alike)
            sums = [_summed(list(group)) for _key, group in groupby(rows, key=_alike)]
            kept = {one.pk for one in sums}
            for pks in _chunks([one.pk for one in rows if one.pk not in kept]):
                self.filter(pk__in=pks).delete()
            # Written over and not created: with its keys as they are, PostgreSQL looks for neither owner nor
            # connection, whose deletion may be waiting for these rows.
            self.bulk_update(sums, ["at", "last_at", "items", "times", "idle"], batch_size=ROWS_AT_ONCE)


class AccessRecord(models.Model):
    """One request to a provider; or all idle checks alike of one hour, from ``at`` to ``last_at``.

    ``account`` is the calendar's address, which stays readable when its connection is gone. ``status`` is 0 where no
    answer came.
    """

    owner = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    connection = models.ForeignKey(
        "integrations.CalendarConnection",
        models.SET_NULL,
        verbose_name=_("connection"),
        null=True,
        blank=True,
        related_name="+",
    )
    account = models.CharField(_("account"), max_length=320, blank=True)
    at = models.DateTimeField(_("time"))
    last_at = models.DateTimeField(_("last time"))
    method = models.CharField(_("method"), max_length=10)
    endpoint = models.CharField(_("what was asked for"), max_length=40)
    why = models.CharField(_("why"), max_length=20, choices=Why.choices)
    status = models.PositiveSmallIntegerField(_("result"))
    items = models.PositiveIntegerField(_("items"), null=True, blank=True)
    times = models.PositiveIntegerField(_("times"), default=1)
    idle = models.BooleanField(_("to be summed up when its hour is over"), default=False)

    objects = AccessQuerySet.as_manager()

    class Meta:
        verbose_name = _("entry of the access log")
        verbose_name_plural = _("access log")
        indexes = [
            models.Index("owner", models.F("at").desc(), name="access_of_owner"),
            models.Index(fields=["owner", "at"], name="access_idle", condition=models.Q(idle=True)),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.endpoint}"

    @property
    def what(self) -> Words:
        """What was asked for, in words."""
        return Endpoint(self.endpoint).label if self.endpoint in Endpoint.values else self.endpoint

    @property
    def is_span(self) -> bool:
        return self.last_at > self.at

    @property
    def went_well(self) -> bool:
        return 0 < self.status < 300 or (self.status == 401 and self.endpoint == Endpoint.HANDSHAKE)

    @property
    def result(self) -> Words:
        """What became of it, in words; the number stands beside them."""
        if self.went_well:
            return _("OK") if self.status < 300 else _("answered")
        if self.status >= 500:
            return _("failed at the provider")
        return _RESULTS.get(self.status, _("not accepted"))


_RESULTS: Mapping[int, Words] = {
    0: _("no answer"),
    401: _("refused"),
    403: _("refused"),
    404: _("not found"),
    410: _("to begin anew"),
    429: _("to wait"),
}
_Alike = tuple[Any, ...]


def _alike(row: AccessRecord) -> _Alike:
    """What rows have in common that become one; those without a connection come first."""
    whose = (row.owner_id, str(row.connection_id or ""), row.account, _hour_of(row.at))
    return (*whose, row.method, row.endpoint, row.why, row.status)


def _summed(rows: Sequence[AccessRecord]) -> AccessRecord:
    """The first of them, standing for all."""
    counted = [one.items for one in rows if one.items is not None]
    first = rows[0]
    first.at, first.last_at = min(one.at for one in rows), max(one.last_at for one in rows)
    first.items, first.times = sum(counted) if counted else None, sum(one.times for one in rows)
    first.idle = False
    return first


def _owners(waiting: AccessQuerySet) -> Iterable[int]:
    """Of the first few people; each once."""
    return waiting.order_by("owner_id").values_list("owner_id", flat=True).distinct()[:PEOPLE_AT_ONCE]


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _chunks(pks: Sequence[int]) -> Iterator[Sequence[int]]:
    return (pks[start : start + ROWS_AT_ONCE] for start in range(0, len(pks), ROWS_AT_ONCE))


def _lock(model: type[models.Model], pk: object) -> bool:
    """Whether such a row exists; it stays until the transaction ends."""
    rows = model._base_manager.select_for_update(no_key=True).filter(pk=pk)
    return bool(rows.values_list("pk", flat=True).first())
