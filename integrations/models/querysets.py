"""Which connections: due, claimed, begun, waiting, resting; and how one comes to be."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q

from integrations import signals
from integrations.errors import OperatorProblem
from integrations.models.access import Why
from integrations.models.sealed import ConnectionSecret
from sally.models import User

if TYPE_CHECKING:
    from integrations.accounts import SignedIn
    from integrations.models.connections import CalendarConnection

LEASE = timedelta(seconds=60)
# A connection that was claimed this often and never came back may be killing its workers: it waits an hour.
MOST_ATTEMPTS = 5
POISONED_PAUSE = timedelta(hours=1)


class ConnectionQuerySet(models.QuerySet["CalendarConnection"]):
    def due(self, now: datetime) -> ConnectionQuerySet:
        """Connections whose time has come and that nobody is working on."""
        return self.filter(
            Q(lease_until=None)
            | Q(lease_until__lt=now, attempts__lt=MOST_ATTEMPTS)
            | Q(lease_until__lt=now - POISONED_PAUSE),
            status__in=self.model.AT_WORK,
            next_sync_at__lte=now,
            owner__is_active=True,
        )

    def claim(self, now: datetime, *, limit: int) -> tuple[list[uuid.UUID], uuid.UUID]:
        """Lease up to ``limit`` of these connections to one token, the longest waiting first."""
        token = uuid.uuid4()
        with transaction.atomic():
            free = self.select_for_update(skip_locked=True, of=("self",)).order_by("next_sync_at")
            claimed = list(free.values_list("pk", flat=True)[:limit])
            if claimed:
                self.model.objects.filter(pk__in=claimed).update(lease_until=now + LEASE, lease_token=token)
        return claimed, token

    def begin(self, pk: uuid.UUID, token: uuid.UUID, now: datetime, **beside: Any) -> CalendarConnection | None:
        """Start to work on a claim: the connection with its secret, or None when the claim is stale or was begun.

        The claim's token is exchanged for one that only this worker knows: a queue may deliver a task twice. The
        attempt is counted here, before any work, so that waiting in a long queue is none. ``beside`` are expressions
        to be read with it, under these names.
        """
        own = uuid.uuid4()
        claimed = self.filter(pk=pk, lease_token=token)
        if not claimed.update(lease_token=own, lease_until=now + LEASE, attempts=F("attempts") + 1):
            return None
        begun = self.select_related("secret", "owner").annotate(**beside)
        return begun.filter(pk=pk, lease_token=own).first()

    def idle(self, now: datetime) -> ConnectionQuerySet:
        """Connections that may be read now, due or not: nobody works on them and nothing stops them."""
        return self.filter(
            Q(lease_until=None) | Q(lease_until__lt=now),
            Q(not_before=None) | Q(not_before__lte=now),
            status__in=self.model.AT_WORK,
        )

    def connect(self, owner: User, provider: str, account: SignedIn) -> CalendarConnection:
        """Create the connection, or heal the one that exists: same row, same options, same meetings."""
        same: dict[str, Any] = {"owner": owner, "provider": provider, "account_id": account.account_id}
        with transaction.atomic():
            former = self.filter(**same).values_list("account_email", flat=True).first() or ""
            connection, created = self.update_or_create(
                **same,
                defaults={
                    "account_email": account.email,
                    "account_name": account.name,
                    "granted_scopes": list(account.scopes),
                    "server": dict(account.server),
                    # A sync that still runs with the old token loses its lease, and with it its right to write.
                    "lease_token": None,
                    "lease_until": None,
                },
            )
            ConnectionSecret.objects.replace(connection, account.secret)
            if former != account.email:
                signals.addressed.send(self.model, connection=connection, former=former)
            if connection.pause_reason != self.model.Pause.ADMIN:
                connection.restart(Why.FIRST if created else Why.RECONNECTED)
            else:  # an admin's pause is the admin's to end
                self.filter(pk=connection.pk).update(last_error="", last_error_kind="", claims="")
        return connection

    def mend(self, connection: CalendarConnection, account: SignedIn) -> CalendarConnection:
        """Heal this very row with the same mailbox, which may have moved to another server.

        Heals the other row instead where that one has the mailbox on the new server already.
        """
        with transaction.atomic():
            own = self.filter(pk=connection.pk)
            own.update(lease_token=None, lease_until=None)  # a lock on it
            taken = self.filter(owner=connection.owner, provider=connection.provider, account_id=account.account_id)
            if not taken.exists():
                own.update(account_id=account.account_id, cursor="")  # the other server knows no cursor of this one's
            return self.connect(connection.owner, connection.provider, account)

    def needing_attention(self) -> ConnectionQuerySet:
        return self.filter(status=self.model.Status.NEEDS_ATTENTION)

    def waiting_for_operator(self) -> ConnectionQuerySet:
        """Those that can do nothing until whoever runs Sally has acted."""
        return self.filter(last_error_kind=OperatorProblem.__name__, status__in=self.model.AT_WORK)

    def troubled_codes(self) -> set[str]:
        return set(self.waiting_for_operator().values_list("last_error", flat=True).distinct().order_by())

    def rest_unused(self, now: datetime) -> None:
        """Pause those whose owner is deactivated or has not signed in for ``DORMANT_DAYS``."""
        pause, at_work = self.model.Pause, self.filter(status__in=self.model.AT_WORK)
        at_work.filter(owner__is_active=False).update(**self.model.resting(pause.DEACTIVATED))
        at_work.exclude(_present(now)).update(**self.model.resting(pause.DORMANT))

    def wake_used(self, now: datetime) -> None:
        """What rested for its owner's absence goes on when they are back."""
        for connection in self.filter(_present(now), owner__is_active=True, pause_reason__in=self.model.ABSENT):
            connection.resume()


def _present(now: datetime) -> Q:
    """The owner signed in lately, or came lately and has not signed in yet."""
    long_ago = now - timedelta(days=settings.DORMANT_DAYS)
    return Q(owner__last_login__gte=long_ago) | Q(owner__last_login=None, owner__date_joined__gte=long_ago)
