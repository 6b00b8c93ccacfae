"""``manage.py replan``: decide anew about every meeting, as after a change of JOINABLE_SERVICES."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from calendars import attendance


class Command(BaseCommand):
    help = "Decides anew whether and when Sally joins, for every meeting that is not over. Every night does the same."

    def handle(self, *args: Any, **options: Any) -> None:
        changed = attendance.replan_all(timezone.now())
        self.stdout.write(f"{changed} plans changed")
