"""Registers the app of connections, secrets and providers, and what it does when somebody signs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.core import checks
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from sally.models import User


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Integrations")

    def ready(self) -> None:
        from integrations import kept
        from integrations.checks import sandbox_is_off
        from sally import health, stored
        from sally.deletion import deleting

        checks.register(sandbox_is_off, deploy=True)
        health.register("operator", operator_problems, _("Problems for the operator"))
        stored.register(*kept.KINDS)
        deleting.connect(let_go, dispatch_uid="integrations")
        user_logged_in.connect(wake_used, dispatch_uid="integrations")


def operator_problems() -> str:
    """For the readiness check: what keeps everybody's connections from working, by its codes."""
    from integrations.models import OperatorTrouble

    return ", ".join(OperatorTrouble.objects.everybodys().values_list("code", flat=True))


def wake_used(sender: object, user: User, **_: Any) -> None:
    """What rested while its owner was away goes on when they sign in, at once."""
    from integrations.models import CalendarConnection

    CalendarConnection.objects.filter(owner=user).wake_used(timezone.now())


def let_go(sender: object, user: User, **_: Any) -> None:
    """As before a connection is disconnected: a sync that runs waits for the rows, and finds its lease gone."""
    from integrations.models import CalendarConnection, OperatorTrouble

    own = CalendarConnection.objects.filter(owner=user)
    # In the order in which others lock several (calendars/retention.py).
    list(own.order_by("pk").select_for_update().values_list("pk", flat=True))
    own.update(lease_token=None)
    OperatorTrouble.objects.forget(user.pk)
