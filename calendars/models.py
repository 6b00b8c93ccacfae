"""Meetings: what Sally keeps of the events in a connected calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, time
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Greatest, TruncDate
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calendars.merge import Draft, Known, MergePlan
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

    def apply(self, connection: CalendarConnection, plan: MergePlan, now: datetime) -> None:
        """Write a plan in at most three statements (SQLite: more, its statements hold fewer parameters).

        Deletions first and creations last, so that an id freed by one meeting may be taken by another.
        """
        if plan.delete:
            self.filter(pk__in=[one.pk for one in plan.delete])._raw_delete(self.db)
        if plan.update:
            self.bulk_create(
                [
                    Meeting(pk=one.pk, connection=connection, updated_at=now, **_values(one.draft))
                    for one in plan.update
                ],
                update_conflicts=True,
                unique_fields=["pk"],
                update_fields=[*DRAFT_FIELDS, "updated_at"],
            )
        if plan.create:
            self.bulk_create(
                Meeting(connection=connection, created_at=now, updated_at=now, **_values(one)) for one in plan.create
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


def _draft(row: Mapping[str, Any]) -> Draft:
    return Draft(**{**row, "attendees": tuple(tuple(one) for one in row["attendees"])})


def _values(one: Draft) -> dict[str, Any]:
    return {name: getattr(one, name) for name in DRAFT_FIELDS}
