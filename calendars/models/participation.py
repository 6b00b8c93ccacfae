"""When Sally takes part: what people and their organizations set, and what people decide about single meetings."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calendars import policy
from calendars.models.meetings import Meeting
from sally.models import Organization, User

EARLIEST, LATEST, USUAL = -10, 10, -1  # minutes from the start of a meeting


class Rule(models.TextChoices):
    ALL = policy.Rule.ALL.value, _("Join all meetings")
    INTERNAL = policy.Rule.INTERNAL.value, _("Join only internal meetings")
    ORGANIZATION = policy.Rule.ORGANIZATION.value, _("Join only meetings with users from this organization")
    EXTERNAL = policy.Rule.EXTERNAL.value, _("Join only external meetings")
    HOST = policy.Rule.HOST.value, _("Join only if I am the host")
    NEVER = policy.Rule.NEVER.value, _("Never join meetings automatically")


class Choice(models.TextChoices):
    JOIN = policy.Choice.JOIN.value, _("Sally joins")
    SKIP = policy.Choice.SKIP.value, _("Sally does not join")
    FOLLOW = policy.Choice.FOLLOW.value, _("Follow the rule")


def _lead() -> models.SmallIntegerField[int | None, int | None]:
    limits = [MinValueValidator(EARLIEST), MaxValueValidator(LATEST)]
    return models.SmallIntegerField(_("When Sally joins"), null=True, blank=True, validators=limits)


class Settings(models.Model):
    """``rule`` is empty where none is set; ``lead`` in minutes from the start, before it where negative."""

    rule = models.CharField(_("Automatic meeting participation"), max_length=20, choices=Rule.choices, blank=True)
    only_accepted = models.BooleanField(_("Only meetings I accepted"), default=False)
    skip_confidential = models.BooleanField(_("Not the confidential ones"), default=True)
    skip_free = models.BooleanField(_("Not those shown as free"), default=True)
    skip_all_day = models.BooleanField(_("Not the all-day ones"), default=True)
    lead = _lead()

    class Meta:
        abstract = True


SETTINGS = ("rule", "only_accepted", "skip_confidential", "skip_free", "skip_all_day", "lead")


class Participation(Settings):
    """What a person set. Where ``rule`` is empty they follow their organization's default, its switches included."""

    user = models.OneToOneField(
        User, models.CASCADE, verbose_name=_("number of your account"), primary_key=True, related_name="participation"
    )
    confirmed_at = models.DateTimeField(_("first confirmed at"), default=timezone.now, editable=False)

    objects: ClassVar[models.Manager[Participation]] = models.Manager()

    class Meta:
        verbose_name = _("participation")
        verbose_name_plural = _("participations")

    def __str__(self) -> str:
        return f"participation of user {self.pk}"


def confirmed_by(owner: str) -> Exists:
    """In SQL, of rows with a person at ``owner``: whether a rule counts for them, by which Sally may be planned."""
    ruled = Q(rule__gt="") | Q(user__organization__participation__rule__gt="")
    return Exists(Participation.objects.filter(ruled, user=OuterRef(owner)))


class OrganizationParticipation(Settings):
    """What an organization's admins set. ``locked``: it counts for everybody, and ``lock_reason`` tells them why."""

    organization = models.OneToOneField(
        Organization, models.CASCADE, verbose_name=_("organization"), primary_key=True, related_name="participation"
    )
    locked = models.BooleanField(_("For everybody, without a choice of their own"), default=False)
    lock_reason = models.CharField(_("Reason, which everybody sees"), max_length=300, blank=True)

    objects: ClassVar[models.Manager[OrganizationParticipation]] = models.Manager()

    class Meta:
        verbose_name = _("participation of the organization")
        verbose_name_plural = _("participations of organizations")

    def __str__(self) -> str:
        return f"participation of organization {self.pk}"

    @property
    def binds(self) -> bool:
        """A lock without a rule locks nothing."""
        return self.locked and bool(self.rule)


class OverrideQuerySet(models.QuerySet["Override"]):
    def outdated(self, before: datetime) -> OverrideQuerySet:
        """Decided before then about meetings that no calendar of the person's shows any more."""
        shown = Meeting.objects.alias(uid=uid_of_meeting()).filter(connection__owner=OuterRef("user"))
        return self.filter(~Exists(shown.filter(uid=OuterRef("uid"))), decided_at__lt=before)


class Override(models.Model):
    """What a person decided about one meeting, or a whole series. No sync, move or switch touches it.

    It outlives the rows of its meetings: ``uid`` and ``original_start`` (null of a single meeting and of a series) tell
    them again when they come back, in whatever calendar of the person's.
    """

    user = models.ForeignKey(
        User, models.CASCADE, verbose_name=_("number of your account"), related_name="overrides", db_index=False
    )
    uid = models.CharField(_("UID of the meeting or series"), max_length=512)
    original_start = models.DateTimeField(_("place in the series"), null=True, blank=True)
    whole_series = models.BooleanField(_("for the whole series"), default=False)
    choice = models.CharField(_("your choice"), max_length=10, choices=Choice.choices, blank=True)
    lead = _lead()
    decided_at = models.DateTimeField(_("decided at"), default=timezone.now, editable=False)

    objects = OverrideQuerySet.as_manager()

    class Meta:
        verbose_name = _("decision about a meeting")
        verbose_name_plural = _("decisions about meetings")
        constraints = [
            models.UniqueConstraint(fields=["user", "uid", "original_start"], name="override_once"),
            models.UniqueConstraint(
                fields=["user", "uid", "whole_series"], condition=Q(original_start=None), name="override_once_whole"
            ),
        ]

    def __str__(self) -> str:
        return f"decision of user {self.user_id}"


def uid_of_meeting() -> Combinable:
    """As ``uid_of``, in SQL."""
    return Coalesce(NullIf("ical_uid", models.Value("")), NullIf("series_id", models.Value("")), "external_id")


def uid_of(meeting: Meeting) -> str:
    """What an override knows a meeting by: the iCalendar UID, the same for all of a series; else what is nearest."""
    return meeting.ical_uid or meeting.series_id or meeting.external_id
