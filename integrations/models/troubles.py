"""What keeps connections from working and only Sally's operator can mend."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import F, Max
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from integrations import problems
from integrations.errors import OperatorProblem
from integrations.models.sealed import ConnectionSecret
from integrations.problems import Words


class TroubleQuerySet(models.QuerySet["OperatorTrouble"]):
    def notice(self, error: OperatorProblem, now: datetime) -> None:
        """Keep that it happened: once per code, however often. The first time it is told to the operators by mail."""
        code = error.code[:60]
        if not self.filter(code=code).update(seen_at=now, times=F("times") + 1, setup=setup()):
            trouble = OperatorTrouble(code=code, detail=error.detail[:200], since=now, seen_at=now, setup=setup())
            self.bulk_create([trouble], ignore_conflicts=True)

    def forget(self, pk: int) -> None:
        """Nobody with this number is there any more to be told anything."""
        told = [one for one in self.select_for_update() if pk in one.mailed_to]
        for one in told:
            one.mailed_to = [number for number in one.mailed_to if number != pk]
        self.bulk_update(told, ["mailed_to"])

    def everybodys(self) -> TroubleQuerySet:
        """Those since which no provider has given any connection a token: nobody's work goes on.

        The others are of single organizations, or of single rows.
        """
        works_since = ConnectionSecret.objects.of_sign_ins().aggregate(last=Max("renewed_at"))["last"]
        return self.filter(since__gte=works_since) if works_since else self.all()


class OperatorTrouble(models.Model):
    """Told to operators in Django admin and by mail as long as it lasts, and by the readiness check if it is all's.

    ``setup`` tells whether the operator has changed something since it was last met.
    """

    code = models.CharField(_("code"), max_length=60, unique=True)
    detail = models.CharField(_("detail"), max_length=200, blank=True)
    since = models.DateTimeField(_("since"), default=timezone.now)
    seen_at = models.DateTimeField(_("last met"), default=timezone.now)
    times = models.PositiveIntegerField(_("times met"), default=1)
    setup = models.CharField(max_length=64, blank=True, editable=False)
    mailed_at = models.DateTimeField(_("mailed at"), null=True, blank=True)
    mailed_to = models.JSONField(default=list, editable=False)

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


def setup() -> str:
    """A fingerprint of what Sally shows to Microsoft and opens secrets with; it tells nothing of them."""
    certificate = settings.MICROSOFT_CLIENT_CERTIFICATE
    content = Path(certificate).read_bytes() if certificate and Path(certificate).is_file() else b""
    shown = (settings.MICROSOFT_CLIENT_ID, settings.MICROSOFT_CLIENT_SECRET, settings.MICROSOFT_LOGIN_URL, content)
    return salted_hmac("integrations.setup", repr((shown, settings.FIELD_KEYS, settings.PUBLIC_URL))).hexdigest()
