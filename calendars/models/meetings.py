"""Meetings: what Sally keeps of the events in a connected calendar."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from calendars import merge
from calendars.links import Source
from calendars.merge import Draft, Happened, Known, MergePlan
from calendars.reading import HASH_SIZE, Remembered
from calendars.services import NAMES
from integrations import events
from integrations.events import Window
from integrations.models import CalendarConnection
from sally.models import User

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

DAY = timedelta(days=1)
SEARCHED = ("subject", "organizer_name", "organizer_email", "location")
DRAFT_FIELDS = tuple(field.name for field in fields(Draft))


_ADDRESS = re.compile(r"https?://\S+")
Place = tuple[datetime, datetime, date | None, date | None]


def midnight_of(day: date, zone: ZoneInfo) -> datetime:
    """When ``day`` begins in ``zone``, in UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


class MeetingQuerySet(models.QuerySet["Meeting"]):
    def owned_by(self, user: User) -> MeetingQuerySet:
        return self.filter(connection__owner=user)

    def of(self, connections: Iterable[CalendarConnection]) -> MeetingQuerySet:
        return self.filter(connection__in=[one.pk for one in connections])

    def on_days(
        self, first: date | None, last: date | None, zone: ZoneInfo, *, with_earlier: bool = False
    ) -> MeetingQuerySet:
        """What begins on these days of ``zone``, both included; None is no limit.

        ``with_earlier``: also what began before the first day and still lasts on it. All-day meetings go by their
        dates, which are the same in every zone.
        """
        timed, dated = Q(all_day=False), Q(all_day=True)
        if last:
            timed &= Q(start__lt=midnight_of(last + DAY, zone))
            dated &= Q(start_date__lte=last)
        if not first:
            return self.filter(timed | dated)
        midnight = midnight_of(first, zone)
        if with_earlier:
            timed &= Q(end__gt=midnight) | Q(start__gte=midnight)
            dated &= Q(end_date__gt=first)
        else:
            timed &= Q(start__gte=midnight)
            dated &= Q(start_date__gte=first)
        return self.filter(timed | dated)

    def matching(self, words: Iterable[str]) -> MeetingQuerySet:
        """Every word stands in the subject, the organizer or the location, in capital or small letters."""
        found = self
        for word in words:
            # SQLite knows the letter case of ASCII only.
            spellings = {word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize()}
            anywhere = Q()
            for name, spelling in product(SEARCHED, sorted(spellings)):
                anywhere |= Q(**{f"{name}__icontains": spelling})
            found = found.filter(anywhere)
        return found

    def to_join(self, after: datetime, until: datetime) -> MeetingQuerySet:
        """What Sally is to join later than ``after`` and not later than ``until``, the first to join first.

        One that ended before ``after`` is left out. Only what sends her itself: one Sally per room and time.
        """
        return self.filter(join_at__gt=after, join_at__lte=until, end__gt=after).order_by("join_at", "pk")

    def versions(self, connection: CalendarConnection, window: Window) -> dict[str, str]:
        """By id, the version last seen of all that a listing of ``window`` should show and the options let be kept."""
        overlaps = Q(start__lt=window.end) & (Q(end__gt=window.start) | Q(start__gte=window.start))
        rows = self.filter(overlaps, connection=connection).exclude(_excluded(connection))
        return {id: merge.version_seen(version) for id, version in rows.values_list("external_id", "version")}

    def known(self, connection: CalendarConnection, ids: Collection[str], uids: Collection[str]) -> list[Known]:
        """The meetings with these ids or UIDs as drafts, in one statement and without building models."""
        if not ids and not uids:
            return []
        wanted = Q(external_id__in=ids) | Q(ical_uid__in=uids)
        rows = self.filter(wanted, connection=connection).values_list("pk", *DRAFT_FIELDS)
        return [Known(row[0], _draft(dict(zip(DRAFT_FIELDS, row[1:], strict=True)))) for row in rows]

    def excluded_from(self, connection: CalendarConnection) -> MeetingQuerySet:
        """Meetings that the connection's options do not let be kept: what ``policy.left_out`` says, as a query."""
        return self.filter(_excluded(connection), connection=connection)

    def delete_all(self) -> int:
        """Delete them and what hangs on them, without loading any; how many meetings there were."""
        Change.objects.filter(meeting__in=self.values("pk"))._raw_delete(self.db)
        return self._raw_delete(self.db)

    def recount(self, connections: Collection[uuid.UUID]) -> None:
        """Set the number of meetings that these connections show, in one statement."""
        own = self.filter(connection=OuterRef("pk")).order_by().values("connection").annotate(count=Count("pk"))
        count = Coalesce(Subquery(own.values("count")), 0)
        CalendarConnection.objects.filter(pk__in=connections).update(meeting_count=count)

    def apply(
        self, connection: CalendarConnection, plan: MergePlan, now: datetime, *, shown_until: datetime | None
    ) -> list[int]:
        """Write a plan in at most six statements (SQLite: more, its statements hold fewer parameters).

        Returns which meetings are new.
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
            Change(meeting_id=one.pk, at=now, what=what, **_place(one.before))
            for one in plan.update
            for what in merge.happened(one.before, one.after)
        ]
        if shown_until:
            new = [one for one in created if one.start < shown_until]
            told += [Change(meeting=one, at=now, what=Happened.ADDED, **_place(one)) for one in new]
        Change.objects.bulk_create(told)
        return [one.pk for one in created]

    def _overwrite(
        self, connection: CalendarConnection, rows: Iterable[tuple[int, Draft]], names: Sequence[str], now: datetime
    ) -> None:
        self.bulk_create(
            [Meeting(pk=pk, connection=connection, updated_at=now, **_values(one)) for pk, one in rows],
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=names,
        )


class Kind(models.TextChoices):
    SINGLE = events.Kind.SINGLE.value, _("single meeting")
    OCCURRENCE = events.Kind.OCCURRENCE.value, _("one of a series")
    EXCEPTION = events.Kind.EXCEPTION.value, _("one of a series, changed on its own")


class Answer(models.TextChoices):
    NONE = events.Response.NONE.value, _("not answered")
    ORGANIZER = events.Response.ORGANIZER.value, _("organizer")
    ACCEPTED = events.Response.ACCEPTED.value, _("accepted")
    TENTATIVE = events.Response.TENTATIVE.value, _("tentative")
    DECLINED = events.Response.DECLINED.value, _("declined")


OWN_ANSWERS: Mapping[str, StrOrPromise] = {
    Answer.NONE: _("You have not answered"),
    Answer.ACCEPTED: _("You accepted"),
    Answer.TENTATIVE: _("You accepted tentatively"),
    Answer.DECLINED: _("You declined"),
}


class ShowAs(models.TextChoices):
    FREE = events.ShowAs.FREE.value, _("free")
    TENTATIVE = events.ShowAs.TENTATIVE.value, _("tentative")
    BUSY = events.ShowAs.BUSY.value, _("busy")
    OUT_OF_OFFICE = events.ShowAs.OUT_OF_OFFICE.value, _("out of office")
    ELSEWHERE = events.ShowAs.ELSEWHERE.value, _("working elsewhere")
    UNKNOWN = events.ShowAs.UNKNOWN.value, _("unknown")


class LinkSource(models.TextChoices):
    FIELD = Source.FIELD.value, _("the meeting's own field for it")
    LOCATION = Source.LOCATION.value, _("the location")
    SUBJECT = Source.SUBJECT.value, _("the subject")
    BODY = Source.BODY.value, _("the text of the invitation")


class GuestKind(models.TextChoices):
    REQUIRED = "required", _("required")
    OPTIONAL = "optional", _("optional")
    RESOURCE = "resource", _("room or resource")
    LIST = "list", _("distribution list")


@dataclass(frozen=True)
class Guest:
    """Somebody invited, for people to read."""

    name: str
    address: str
    kind: GuestKind
    answer: StrOrPromise


class Meeting(models.Model):
    """One meeting. Times are UTC instants; for an all-day meeting the dates count (``end_date`` exclusive)."""

    connection = models.ForeignKey(
        CalendarConnection, models.CASCADE, verbose_name=_("connection"), related_name="+", db_index=False
    )
    calendar_id = models.CharField(_("calendar"), max_length=512)
    external_id = models.CharField(_("id in the calendar"), max_length=512)
    version = models.CharField(_("version looked at"), max_length=80, blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    series_id = models.CharField(_("id of the series"), max_length=512, blank=True)
    ical_uid = models.CharField(_("UID (iCalendar)"), max_length=512, blank=True)
    original_start = models.DateTimeField(_("place in the series"), null=True, blank=True)
    subject = models.CharField(_("subject"), max_length=500, blank=True)
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    all_day = models.BooleanField(_("all day"), default=False)
    start_date = models.DateField(_("first day"), null=True, blank=True)
    end_date = models.DateField(_("day after the last"), null=True, blank=True)
    cancelled = models.BooleanField(_("cancelled"), default=False)
    private = models.BooleanField(_("private"), default=False)
    confidential = models.BooleanField(_("confidential"), default=False)
    response = models.CharField(_("your answer"), max_length=10, choices=Answer.choices)
    show_as = models.CharField(_("shown as"), max_length=10, choices=ShowAs.choices)
    is_organizer = models.BooleanField(_("you organize it"), default=False)
    organizer_name = models.CharField(_("organizer"), max_length=300, blank=True)
    organizer_email = models.CharField(_("organizer's address"), max_length=320, blank=True)
    attendees = models.JSONField(_("attendees"), default=list)
    attendees_hidden = models.BooleanField(_("attendees hidden by the organizer"), default=False)
    location = models.CharField(_("location"), max_length=1000, blank=True)
    join_url = models.TextField(_("link"), blank=True)
    service = models.CharField(_("service"), max_length=20, blank=True)
    link_source = models.CharField(_("link found in"), max_length=10, blank=True, choices=LinkSource.choices)
    room = models.CharField(_("room"), max_length=64, blank=True)
    # The plan, which calendars/planning.py keeps. ``decision``: a reason of ``policy``, or that another one sends her.
    join_at = models.DateTimeField(_("Sally joins at"), null=True, blank=True, editable=False)
    decision = models.CharField(_("why Sally joins or does not"), max_length=20, blank=True, editable=False)
    decision_about = models.CharField(_("because of"), max_length=320, blank=True, editable=False)
    # No constraint: who sends her is found anew in the transaction in which a meeting goes.
    sender = models.ForeignKey(
        "self",
        models.DO_NOTHING,
        verbose_name=_("number of the meeting that sends Sally"),
        related_name="+",
        null=True,
        blank=True,
        editable=False,
        db_constraint=False,
        db_index=False,
    )
    planned_at = models.DateTimeField(_("last decided"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("first seen"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("last changed"), default=timezone.now, editable=False)

    objects = MeetingQuerySet.as_manager()

    class Meta:
        verbose_name = _("meeting")
        verbose_name_plural = _("meetings")
        ordering = ["start", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "calendar_id", "external_id"], name="meeting_once")
        ]
        indexes = [
            models.Index(fields=["connection", "start"], name="meeting_agenda"),
            models.Index(fields=["room"], name="meeting_room", condition=~Q(room="")),
            models.Index(fields=["join_at"], name="meeting_to_join", condition=Q(join_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def join_host(self) -> str:
        """Where Join leads, for people to see when the service is none that Sally knows."""
        return urlsplit(self.join_url).hostname or ""

    @property
    def organizer(self) -> str:
        return self.organizer_name or self.organizer_email

    @property
    def service_name(self) -> str:
        return NAMES.get(self.service, "")

    @property
    def in_series(self) -> bool:
        return self.kind != Kind.SINGLE

    @property
    def answer(self) -> StrOrPromise:
        """The owner's answer, told to the owner; empty where there was nothing to answer."""
        return "" if self.is_organizer else OWN_ANSWERS.get(self.response, "")

    @property
    def where(self) -> str:
        """The location without the link, which has a button of its own."""
        if self.link_source != LinkSource.LOCATION:
            return self.location
        return _ADDRESS.sub("", self.location).replace("()", "").strip(" ;,<>")

    @property
    def guests(self) -> list[Guest]:
        return [
            Guest(name, address, GuestKind(kind), Answer(answer).label)
            for name, address, kind, answer in self.attendees
        ]

    @property
    def place(self) -> Place:
        return self.start, self.end, self.start_date, self.end_date

    def span(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """When it begins and ends for somebody in ``zone``; an all-day meeting from midnight to midnight there."""
        if self.start_date and self.end_date:
            return midnight_of(self.start_date, zone), midnight_of(self.end_date, zone)
        return self.start, self.end


class Change(models.Model):
    """Something that happened to a meeting, as a sync noticed it, and where in time the meeting stood before."""

    class What(models.TextChoices):
        ADDED = Happened.ADDED.value, _("added")
        MOVED = Happened.MOVED.value, _("moved")
        CANCELLED = Happened.CANCELLED.value, _("cancelled")
        RESTORED = Happened.RESTORED.value, _("takes place again")

    meeting = models.ForeignKey(
        Meeting, models.CASCADE, verbose_name=_("number of the meeting"), related_name="changes", db_index=False
    )
    at = models.DateTimeField(_("noticed at"))
    what = models.CharField(_("what happened"), max_length=10, choices=What.choices)
    start = models.DateTimeField(_("start before"))
    end = models.DateTimeField(_("end before"))
    start_date = models.DateField(_("first day before"), null=True, blank=True)
    end_date = models.DateField(_("day after the last, before"), null=True, blank=True)

    objects: ClassVar[models.Manager[Change]] = models.Manager()

    class Meta:
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["meeting", "at"], name="change_of_meeting")]

    def __str__(self) -> str:
        return f"{self.what} at {self.at:%Y-%m-%d %H:%M}"

    @property
    def place(self) -> Place:
        return self.start, self.end, self.start_date, self.end_date


class LookedAtQuerySet(models.QuerySet["LookedAt"]):
    def of(self, connection: CalendarConnection) -> Remembered:
        """What is remembered of a connection's events, under a key of its own: elsewhere they hash differently.

        Already read where the connection was, if ``beside`` was read with it.
        """
        beside = getattr(connection, "looked_at_hashes", ...)
        stored = self.filter(pk=connection.pk).values_list("hashes", flat=True).first() if beside is ... else beside
        hashes = bytes(stored or b"")
        key = salted_hmac("calendars.looked-at", str(connection.pk), algorithm="sha256").digest()
        return Remembered(key, frozenset(hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)))

    def beside(self) -> dict[str, Subquery]:
        """For a statement that reads a connection, so that no other is needed for these."""
        return {"looked_at_hashes": Subquery(self.filter(pk=OuterRef("pk")).values("hashes")[:1])}

    def remember_meetings(self, connection: CalendarConnection, meetings: MeetingQuerySet) -> None:
        """These are about to be left out for having no link: their events need not be looked at again for that."""
        seen = meetings.filter(join_url="").exclude(version="").values_list("external_id", "version")
        if connection.sync_only_online:
            nothing = self.of(connection)
            self.remember(connection, [nothing.hash_of(id, version) for id, version in seen])

    def remember(self, connection: CalendarConnection, hashes: Iterable[bytes]) -> None:
        row = LookedAt(connection=connection, hashes=b"".join(sorted(hashes)))
        self.bulk_create([row], update_conflicts=True, unique_fields=["connection"], update_fields=["hashes"])


class LookedAt(models.Model):
    """Events that were looked at whole and left out for having no link: keyed hashes, one after the other."""

    connection = models.OneToOneField(
        CalendarConnection, models.CASCADE, verbose_name=_("connection"), primary_key=True, related_name="+"
    )
    hashes = models.BinaryField(_("fingerprints of events"))

    objects = LookedAtQuerySet.as_manager()

    def __str__(self) -> str:
        return f"looked at of {self.pk}"


def _excluded(connection: CalendarConnection) -> Q:
    excluded = Q(pk__in=[])
    if not connection.sync_private:
        excluded |= Q(private=True)
    if connection.sync_only_online:
        excluded |= Q(join_url="")
    return excluded


def _place(one: Draft | Meeting) -> dict[str, Any]:
    return {"start": one.start, "end": one.end, "start_date": one.start_date, "end_date": one.end_date}


def _draft(row: Mapping[str, Any]) -> Draft:
    return Draft(**{**row, "attendees": tuple(tuple(one) for one in row["attendees"])})


def _values(one: Draft) -> dict[str, Any]:
    return {name: getattr(one, name) for name in DRAFT_FIELDS}
