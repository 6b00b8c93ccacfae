"""Registers the app of configuration and people."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SallyConfig(AppConfig):
    name = "sally"
    verbose_name = _("People")
