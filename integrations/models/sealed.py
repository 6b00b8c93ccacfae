"""What opens the accounts, sealed, in rows of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from integrations.fields import EncryptedJSONField, seal
from integrations.providers import BY_SIGN_IN

if TYPE_CHECKING:
    from integrations.models.connections import CalendarConnection


class LeaseLost(Exception):
    """Another worker has the connection now, or it is gone; whatever this one found out must not be written."""


class SecretQuerySet(models.QuerySet["ConnectionSecret"]):
    def of_sign_ins(self) -> SecretQuerySet:
        """What a sign-in service gave: a password that somebody typed says nothing about Sally's registration there."""
        return self.filter(connection__provider__in=BY_SIGN_IN)

    def replace(self, connection: CalendarConnection, payload: Mapping[str, Any]) -> None:
        """A new secret in place of any old one; whoever still holds the old one can no longer save it."""
        generation = (self.filter(pk=connection.pk).values_list("generation", flat=True).first() or 0) + 1
        self.update_or_create(
            connection=connection,
            defaults={"payload": dict(payload), "generation": generation, "renewed_at": timezone.now()},
        )


class ConnectionSecret(models.Model):
    """What opens the account: msal's token cache, or the password for an Exchange server.

    In a row of its own, so that no list of connections loads it.
    """

    connection = models.OneToOneField(
        "integrations.CalendarConnection",
        models.CASCADE,
        verbose_name=_("connection"),
        primary_key=True,
        related_name="secret",
    )
    payload = EncryptedJSONField(_("token or password"))
    generation = models.PositiveIntegerField(_("how many there have been, this one included"), default=1)
    # When it was stored, or the provider last gave a token for it: a sign that Sally's own registration works there.
    renewed_at = models.DateTimeField(_("last renewed at"), default=timezone.now)

    objects = SecretQuerySet.as_manager()

    def __str__(self) -> str:
        return f"secret of {self.pk}"

    def keep(self, payload: Mapping[str, Any]) -> None:
        """Save a rotated token, unless a reconnect has put a newer secret here. Raises ``LeaseLost``."""
        mine = ConnectionSecret.objects.filter(pk=self.pk, generation=self.generation)
        if not mine.update(payload=seal(dict(payload), self.pk), renewed_at=timezone.now()):
            raise LeaseLost
        self.payload = dict(payload)
