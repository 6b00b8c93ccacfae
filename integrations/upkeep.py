"""What is looked after every minute: absent owners, offers and trials that are too late, idle checks, old troubles."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max

from integrations import errors, problems
from integrations.models import (
    AccessRecord,
    CalendarConnection,
    ConnectionSecret,
    OperatorTrouble,
    PasswordTrial,
    SignIn,
)
from integrations.models.sign_ins import CONNECTED
from integrations.models.troubles import setup

# One that nobody ran into again, and no connection waits for, was somebody's single bad sign-in.
FORGOTTEN_AFTER = timedelta(days=1)


def look_after(now: datetime) -> None:
    connections = CalendarConnection.objects
    connections.rest_unused(now)
    # Whoever was deactivated has to sign in; whoever was away may just have done so.
    connections.filter(pause_reason=CalendarConnection.Pause.DORMANT).wake_used(now)
    SignIn.objects.drop_offers(now)
    PasswordTrial.objects.forget(now)
    AccessRecord.objects.sum_idle(now)
    settle(now)


def settle(now: datetime) -> None:
    """End the troubles that are over, and let those who waited for it try again at once.

    Over is what no connection waits for, once something has worked since; and what was met before the operator changed
    the setup: if it is still there, the next try meets it anew.
    """
    troubles = list(OperatorTrouble.objects.all())
    if not troubles:
        return
    known, connected = _last_known(), _last_connected()
    codes, current = CalendarConnection.objects.troubled_codes(), setup()
    for trouble in troubles:
        works = connected if problems.is_met_at_sign_ins(trouble.code) else known
        changed, has_worked = trouble.setup != current, works is not None and works > trouble.seen_at
        forgotten = now - trouble.seen_at > FORGOTTEN_AFTER
        if changed or (trouble.code not in codes and (has_worked or forgotten)):
            trouble.delete()
        if changed or (has_worked and not problems.may_be_only_here(trouble.code)):
            waiting = CalendarConnection.objects.waiting_for_operator().filter(last_error=trouble.code)
            waiting.filter(next_sync_at__gt=now, not_before=None).update(next_sync_at=now)


def _last_connected() -> datetime | None:
    """When a sign-in last led to a connection."""
    last: datetime | None = SignIn.objects.filter(outcome=CONNECTED).aggregate(last=Max("used_at"))["last"]
    return last


def _last_known() -> datetime | None:
    """When the sign-in service last knew Sally: it gave a token, or refused one for a reason of the person's."""
    renewed: datetime | None = ConnectionSecret.objects.of_sign_ins().aggregate(last=Max("renewed_at"))["last"]
    kinds = [name for name, kind in errors.kinds().items() if issubclass(kind, errors.ReconnectNeeded)]
    refused = CalendarConnection.objects.filter(last_error_kind__in=kinds, last_error__startswith="AADSTS")
    own = errors.OnlyHere.__name__
    last: datetime | None = refused.exclude(last_error_kind=own).aggregate(last=Max("last_error_at"))["last"]
    return max((one for one in (renewed, last) if one), default=None)
