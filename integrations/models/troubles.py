"""What keeps connections from working and only Sally's operator can mend."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from integrations import problems
from integrations.errors import OperatorProblem
from integrations.problems import Words

# One that nobody ran into again, and no connection waits for, was somebody's single bad sign-in.
FORGOTTEN_AFTER = timedelta(days=1)


class TroubleQuerySet(models.QuerySet["OperatorTrouble"]):
    def notice(self, error: OperatorProblem, now: datetime) -> None:
        """Keep that it happened: once per code, however often. The first time it is told to the operators by mail."""
        if not self.filter(code=error.code).update(seen_at=now, times=F("times") + 1):
            self.bulk_create(
                [OperatorTrouble(code=error.code[:60], detail=error.detail[:200], since=now, seen_at=now)],
                ignore_conflicts=True,
            )

    def solved(self, still_met: Iterable[str]) -> int:
        """Something works again: what no connection meets any more is over."""
        return self.exclude(code__in=list(still_met)).delete()[0]

    def forget(self, still_met: Iterable[str], now: datetime) -> int:
        return self.exclude(code__in=list(still_met)).filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()[0]


class OperatorTrouble(models.Model):
    """Told to operators in Django admin, by mail and by the readiness check, as long as it lasts."""

    code = models.CharField(_("code"), max_length=60, unique=True)
    detail = models.CharField(_("detail"), max_length=200, blank=True)
    since = models.DateTimeField(_("since"), default=timezone.now)
    seen_at = models.DateTimeField(_("last met"), default=timezone.now)
    times = models.PositiveIntegerField(_("times met"), default=1)
    mailed_at = models.DateTimeField(_("mailed at"), null=True, blank=True)

    objects = TroubleQuerySet.as_manager()

    class Meta:
        verbose_name = _("problem for the operator")
        verbose_name_plural = _("problems for the operator")
        ordering = ["since"]

    def __str__(self) -> str:
        return self.code

    @property
    def text(self) -> Words:
        """What the operator does about it."""
        return problems.for_operator(self.code)
