"""What people are told by mail: owners whose calendar starts to need them, those who wait for an admin's approval, and
operators who have to act. Once each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse

from integrations.models import ApprovalRequest, CalendarConnection, OperatorTrouble
from sally import mails
from sally.models import User

# Seconds; then the rest waits for the next minute. Far below a task's time limit, also with one mail that hangs.
SEND_FOR = 40.0
MAILS_AT_ONCE = 50


@dataclass(frozen=True)
class Notice:
    """Something to tell. ``mark`` is the row's field for when it was told; ``send`` returns how many mails."""

    row: QuerySet[Any]
    mark: str
    send: Callable[[], int]


def send_due(now: datetime) -> int:
    """Send what was not told yet; how many mails. What could not be sent is tried again in the next minute."""
    deadline, sent = time.monotonic() + SEND_FOR, 0
    for notice in chain(_to_operators(), _to_owners(), _to_waiting()):
        if time.monotonic() > deadline:
            break
        try:
            sent += _once(notice, now)
        except mails.MailServerDown:
            break
    return sent


def _once(notice: Notice, now: datetime) -> int:
    """Marked before it is sent: of two workers only one sends. Not marked any more if it could not be sent, yet.

    Whatever kept it from being sent, a task's time limit included. Raises ``MailServerDown``.
    """
    if not notice.row.filter(**{notice.mark: None}).update(**{notice.mark: now}):
        return 0
    try:
        return notice.send()
    except mails.MailRefused:
        return 0
    except BaseException as exc:
        notice.row.update(**{notice.mark: None})
        if isinstance(exc, mails.MailFailed) and not isinstance(exc, mails.MailServerDown):
            return 0  # the next one may be luckier
        raise


def _to_owners() -> Iterator[Notice]:
    Status, Pause = CalendarConnection.Status, CalendarConnection.Pause
    worth_it = Q(status=Status.NEEDS_ATTENTION) | Q(status=Status.PAUSED, pause_reason=Pause.DORMANT)
    untold = CalendarConnection.objects.filter(worth_it, told_at=None)
    for one in untold.select_related("owner").order_by("last_error_at")[:MAILS_AT_ONCE]:
        row = CalendarConnection.objects.filter(worth_it, pk=one.pk)
        yield Notice(row, "told_at", partial(_tell_owner, one))


def _tell_owner(connection: CalendarConnection) -> int:
    owner = connection.owner
    if not (owner.is_active and owner.wants_mails):
        return 0
    link = settings.PUBLIC_URL + reverse("integrations")
    mails.deliver(owner, "attention", {"connection": connection, "link": link})
    return 1


def _to_waiting() -> Iterator[Notice]:
    """Those whose admin is said to have answered."""
    untold = ApprovalRequest.objects.exclude(state=ApprovalRequest.State.WAITING).filter(told_at=None)
    for one in untold.select_related("user").order_by("answered_at")[:MAILS_AT_ONCE]:
        row = ApprovalRequest.objects.filter(pk=one.pk, state=one.state)
        yield Notice(row, "told_at", partial(_tell_waiting, one))


def _tell_waiting(request: ApprovalRequest) -> int:
    user = request.user
    if not (user.is_active and user.wants_mails):
        return 0
    name = "declined" if request.state == ApprovalRequest.State.DECLINED else "approved"
    mails.deliver(user, name, {"request": request, "link": settings.PUBLIC_URL + reverse("integrations")})
    return 1


def _to_operators() -> Iterator[Notice]:
    for trouble in OperatorTrouble.objects.filter(mailed_at=None):
        row = OperatorTrouble.objects.filter(pk=trouble.pk)
        yield Notice(row, "mailed_at", partial(_tell_operators, row, trouble))


def _tell_operators(row: QuerySet[OperatorTrouble], trouble: OperatorTrouble) -> int:
    """Each once, also where the mail server gives up half-way."""
    link = settings.PUBLIC_URL + reverse("admin:integrations_operatortrouble_changelist")
    told = set(trouble.mailed_to)
    sent = 0
    for operator in _operators():
        if operator.pk in told:
            continue
        try:
            mails.deliver(operator, "operator", {"trouble": trouble, "link": link})
            sent += 1
        except mails.MailRefused:
            pass  # the others are told
        told.add(operator.pk)
        row.update(mailed_to=sorted(told))
    return sent


def _operators() -> list[User]:
    """Superusers run Sally; where there are none, the admins of its organizations."""
    active = User.objects.filter(is_active=True)
    return list(active.filter(is_superuser=True)) or list(active.filter(role=User.Role.ADMIN))
