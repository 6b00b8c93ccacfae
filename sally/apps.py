"""Registers the app of configuration and people."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SallyConfig(AppConfig):
    name = "sally"
    verbose_name = _("People")

    def ready(self) -> None:
        from sally import access_log, kept, sessions, stored, throttling  # noqa: F401 - receivers listen from now on

        stored.register(*kept.KINDS)
