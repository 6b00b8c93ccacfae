"""What people are told by mail: owners whose calendar starts to need them, operators who have to act. Once each."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from integrations.models import CalendarConnection, OperatorTrouble
from sally import mails
from sally.models import User

# As many as a minute is good for; the rest follows in the next.
MAILS_AT_ONCE = 50


def send_due(now: datetime) -> int:
    """Send what was not told yet; how many mails. What the mail server refuses is tried again in the next minute."""
    return _tell_owners(now) + _tell_operators(now)


def _tell_owners(now: datetime) -> int:
    Status, Pause = CalendarConnection.Status, CalendarConnection.Pause
    worth_it = Q(status=Status.NEEDS_ATTENTION) | Q(status=Status.PAUSED, pause_reason=Pause.DORMANT)
    untold = CalendarConnection.objects.filter(worth_it, told_at=None)
    sent = 0
    for connection in untold.select_related("owner").order_by("last_error_at")[:MAILS_AT_ONCE]:
        row = CalendarConnection.objects.filter(pk=connection.pk)
        # Marked before it is sent, one by one: of two workers only one sends, and a crash repeats none.
        if not row.filter(worth_it, told_at=None).update(told_at=now):
            continue
        owner = connection.owner
        if not (owner.is_active and owner.wants_mails):
            continue
        context = {"connection": connection, "link": settings.PUBLIC_URL + reverse("integrations")}
        if not mails.send(owner, "attention", context):
            row.filter(told_at=now).update(told_at=None)
            break
        sent += 1
    return sent


def _tell_operators(now: datetime) -> int:
    sent = 0
    for trouble in OperatorTrouble.objects.filter(mailed_at=None):
        row = OperatorTrouble.objects.filter(pk=trouble.pk)
        if not row.filter(mailed_at=None).update(mailed_at=now):
            continue
        link = settings.PUBLIC_URL + reverse("admin:integrations_operatortrouble_changelist")
        told = [mails.send(one, "operator", {"trouble": trouble, "link": link}) for one in _operators()]
        if not any(told):
            row.update(mailed_at=None)
        sent += sum(told)
    return sent


def _operators() -> list[User]:
    """Superusers run Sally; where there are none, the admins of its organizations."""
    active = User.objects.filter(is_active=True)
    return list(active.filter(is_superuser=True)) or list(active.filter(role=User.Role.ADMIN))
