"""Meetings: what Sally keeps of the events in a connected calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, time
from typing import Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Greatest, TruncDate
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from calendars import merge
from calendars.merge import Draft, Happened, Known, MergePlan
from calendars.reading import HASH_SIZE, Remembered
from integrations.models import CalendarConnection
from sally.models import User

DRAFT_FIELDS = tuple(field.name for field in fields(Draft))


class MeetingQuerySet(models.QuerySet["Meeting"]):
    def owned_by(self, user: User) -> MeetingQuerySet:
        return self.filter(connection__owner=user)

    def upcoming(self, now: datetime, zone: ZoneInfo) -> MeetingQuerySet:
        """From the beginning of today in ``zone``: whatever is not over before it, in the order of the page.

        ``day`` is the date under which a meeting stands: where it begins, or today if it began earlier. All-day
        meetings go by their dates, which are the same in every zone, and come first.
        """
        today = now.astimezone(zone).date()
        midnight = datetime.combine(today, time.min, zone)
        timed = Q(all_day=False) & (Q(end__gt=midnight) | Q(start__gte=midnight))
        begins = Coalesce(F("start_date"), TruncDate("start", tzinfo=zone))
        return (
            self.filter(timed | Q(all_day=True, end_date__gt=today))
            .annotate(day=Greatest(begins, Value(today, output_field=models.DateField())))
            .order_by("day", "-all_day", "start", "pk")
        )

    def known(self, connection: CalendarConnection) -> list[Known]:
        """All of a connection's meetings as drafts, in one statement and without building models."""
        rows = self.filter(connection=connection).values_list("pk", *DRAFT_FIELDS)
        return [Known(row[0], _draft(dict(zip(DRAFT_FIELDS, row[1:], strict=True)))) for row in rows]

    def excluded_from(self, connection: CalendarConnection) -> MeetingQuerySet:
        """Meetings that the connection's options do not let be kept: what ``policy.left_out`` says, as a query."""
        excluded = Q(pk__in=[])
        if not connection.sync_private:
            excluded |= Q(private=True)
        if connection.sync_only_online:
            excluded |= Q(join_url="")
        return self.filter(excluded, connection=connection)

    def delete_all(self) -> int:
        """Delete them and what hangs on them, without loading any; how many meetings there were."""
        Change.objects.filter(meeting__in=self.values("pk"))._raw_delete(self.db)
        return self._raw_delete(self.db)

    def apply(
        self, connection: CalendarConnection, plan: MergePlan, now: datetime, *, shown_until: datetime | None
    ) -> None:
        """Write a plan in at most six statements (SQLite: more, its statements hold fewer parameters).

        Deletions first and creations last, so that an id freed by one meeting may be taken by another. A new meeting
        is told as added if it begins before ``shown_until``, where the last complete read ended; None tells of none.
        """
        if plan.delete:
            self.filter(pk__in=[one.pk for one in plan.delete]).delete_all()
        if plan.update:
            updated = [(one.pk, one.after) for one in plan.update]
            self._overwrite(connection, updated, [*DRAFT_FIELDS, "updated_at"], now)
        if plan.seen:
            self._overwrite(connection, [(one.pk, one.draft) for one in plan.seen], ["version"], now)
        created = self.bulk_create(
            Meeting(connection=connection, created_at=now, updated_at=now, **_values(one)) for one in plan.create
        )
        told = [
            Change(meeting_id=one.pk, at=now, what=what, **_place(one.before) if what is Happened.MOVED else {})
            for one in plan.update
            for what in merge.happened(one.before, one.after)
        ]
        if shown_until:
            told += [Change(meeting=one, at=now, what=Happened.ADDED) for one in created if one.start < shown_until]
        Change.objects.bulk_create(told)

    def _overwrite(
        self, connection: CalendarConnection, rows: Iterable[tuple[int, Draft]], names: Sequence[str], now: datetime
    ) -> None:
        self.bulk_create(
            [Meeting(pk=pk, connection=connection, updated_at=now, **_values(one)) for pk, one in rows],
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=names,
        )


class Meeting(models.Model):
    """One meeting. Times are UTC instants; for an all-day meeting the dates count (``end_date`` exclusive)."""

    connection = models.ForeignKey(
        CalendarConnection, models.CASCADE, verbose_name=_("connection"), related_name="+", db_index=False
    )
    calendar_id = models.CharField(max_length=512)
    external_id = models.CharField(max_length=512)
    version = models.CharField(max_length=80, blank=True)
    kind = models.CharField(max_length=10)
    series_id = models.CharField(max_length=512, blank=True)
    ical_uid = models.CharField(max_length=512, blank=True)
    original_start = models.DateTimeField(null=True, blank=True)
    subject = models.CharField(_("subject"), max_length=500, blank=True)
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    all_day = models.BooleanField(_("all day"), default=False)
    start_date = models.DateField(null=True, blank=True)
    end_date = models.DateField(null=True, blank=True)
    cancelled = models.BooleanField(_("cancelled"), default=False)
    private = models.BooleanField(default=False)
    confidential = models.BooleanField(default=False)
    response = models.CharField(max_length=10)
    show_as = models.CharField(max_length=10)
    is_organizer = models.BooleanField(default=False)
    organizer_name = models.CharField(max_length=300, blank=True)
    organizer_email = models.CharField(max_length=320, blank=True)
    attendees = models.JSONField(default=list)
    location = models.CharField(max_length=1000, blank=True)
    join_url = models.TextField(blank=True)
    service = models.CharField(max_length=20, blank=True)
    link_source = models.CharField(max_length=10, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MeetingQuerySet.as_manager()

    class Meta:
        verbose_name = _("meeting")
        verbose_name_plural = _("meetings")
        ordering = ["start", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "calendar_id", "external_id"], name="meeting_once")
        ]
        indexes = [models.Index(fields=["connection", "start"], name="meeting_agenda")]

    def __str__(self) -> str:
        return self.subject

    @property
    def join_host(self) -> str:
        """Where Join leads, for people to see when the service is none that Sally knows."""
        return urlsplit(self.join_url).hostname or ""

    @property
    def organizer(self) -> str:
        return self.organizer_name or self.organizer_email


class Change(models.Model):
    """Something that happened to a meeting, as a sync noticed it. A move keeps where the meeting stood before."""

    class What(models.TextChoices):
        ADDED = Happened.ADDED.value, _("added")
        MOVED = Happened.MOVED.value, _("moved")
        CANCELLED = Happened.CANCELLED.value, _("cancelled")
        RESTORED = Happened.RESTORED.value, _("takes place again")

    meeting = models.ForeignKey(Meeting, models.CASCADE, related_name="changes", db_index=False)
    at = models.DateTimeField()
    what = models.CharField(max_length=10, choices=What.choices)
    start = models.DateTimeField(null=True, blank=True)
    end = models.DateTimeField(null=True, blank=True)
    start_date = models.DateField(null=True, blank=True)
    end_date = models.DateField(null=True, blank=True)

    objects: ClassVar[models.Manager[Change]] = models.Manager()

    class Meta:
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["meeting", "at"], name="change_of_meeting")]

    def __str__(self) -> str:
        return f"{self.what} at {self.at:%Y-%m-%d %H:%M}"


class LookedAtQuerySet(models.QuerySet["LookedAt"]):
    def of(self, connection: CalendarConnection) -> Remembered:
        """What is remembered of a connection's events, under a key of its own: elsewhere they hash differently."""
        stored = self.filter(pk=connection.pk).values_list("hashes", flat=True).first()
        hashes = bytes(stored or b"")
        key = salted_hmac("calendars.looked-at", str(connection.pk), algorithm="sha256").digest()
        return Remembered(key, frozenset(hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)))

    def remember(self, connection: CalendarConnection, hashes: Iterable[bytes]) -> None:
        row = LookedAt(connection=connection, hashes=b"".join(sorted(hashes)))
        self.bulk_create([row], update_conflicts=True, unique_fields=["connection"], update_fields=["hashes"])


class LookedAt(models.Model):
    """Events that were looked at whole and left out for having no link: keyed hashes, one after the other."""

    connection = models.OneToOneField(CalendarConnection, models.CASCADE, primary_key=True, related_name="+")
    hashes = models.BinaryField()

    objects = LookedAtQuerySet.as_manager()

    def __str__(self) -> str:
        return f"looked at of {self.pk}"


def _place(one: Draft) -> dict[str, Any]:
    return {"start": one.start, "end": one.end, "start_date": one.start_date, "end_date": one.end_date}


def _draft(row: Mapping[str, Any]) -> Draft:
    return Draft(**{**row, "attendees": tuple(tuple(one) for one in row["attendees"])})


def _values(one: Draft) -> dict[str, Any]:
    return {name: getattr(one, name) for name in DRAFT_FIELDS}
