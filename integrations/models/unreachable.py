"""Servers of organizations that Sally could not reach, with the true cause, for whoever runs her."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from integrations.errors import NotReached

KEPT_FOR = timedelta(days=30)
MOST_ROWS = 200


class UnreachableQuerySet(models.QuerySet["UnreachableServer"]):
    def notice(self, error: NotReached, now: datetime) -> None:
        """Keep that it happened: one row for each host. People type hosts, so there is an end to how many."""
        host = error.host.lower()[:253]
        if not host:
            return
        known = {"cause": error.detail[:300], "remedy": error.remedy[:300], "seen_at": now}
        if not self.filter(host=host).update(times=F("times") + 1, **known):
            self.bulk_create([UnreachableServer(host=host, since=now, **known)], ignore_conflicts=True)
            latest = self.order_by("-seen_at", "-pk").values_list("pk", flat=True)
            self.filter(pk__in=list(latest[MOST_ROWS : MOST_ROWS + 50])).delete()

    def reached(self, host: str) -> None:
        self.filter(host=host.lower()).delete()

    def outdated(self, now: datetime) -> UnreachableQuerySet:
        return self.filter(seen_at__lt=now - KEPT_FOR)


class UnreachableServer(models.Model):
    """``remedy``: the line for the settings that would help; "" where none does."""

    host = models.CharField(_("server"), max_length=253, unique=True)
    cause = models.CharField(_("cause"), max_length=300, blank=True)
    remedy = models.CharField(_("what to do"), max_length=300, blank=True)
    since = models.DateTimeField(_("since"))
    seen_at = models.DateTimeField(_("last met"))
    times = models.PositiveIntegerField(_("times met"), default=1)

    objects = UnreachableQuerySet.as_manager()

    class Meta:
        verbose_name = _("server that could not be reached")
        verbose_name_plural = _("servers that could not be reached")
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.host
