"""``manage.py rotate_secrets``: bring every stored secret under the first of ``FIELD_KEYS``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import models
from django.db.models.functions import Cast

from integrations.fields import Ciphertext, SealBroken, rotated
from integrations.models import SEALED


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret with the first key of FIELD_KEYS. Put the new key first, keep the old ones "
        "behind it, run this, then remove the old ones. May be interrupted and run again at any time."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        changed = current = broken = 0
        for model, name in SEALED:
            sealed = model._default_manager.annotate(text=Cast(name, models.TextField()))
            for pk, text in sealed.order_by("pk").values_list("pk", "text").iterator(chunk_size=500):
                try:
                    fresh = rotated(text)
                except SealBroken:
                    broken += 1
                    self.stderr.write(f"{model.__name__} {pk}: no key in FIELD_KEYS opens it")
                    continue
                # Only if nobody saved a newer secret meanwhile: that one is under the first key already.
                if fresh is None:
                    current += 1
                elif model._default_manager.filter(pk=pk, **{name: Ciphertext(text)}).update(**{name: fresh}):
                    changed += 1
        self.stdout.write(f"{changed} rotated, {current} already under the first key, {broken} cannot be opened")
        if broken:
            raise CommandError("keep the old keys until every secret can be opened, or let those people reconnect")
