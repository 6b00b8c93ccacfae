"""Settings → Integrations → Permissions: what Sally asks for at each door, and what she was given for each calendar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from integrations import providers
from integrations.models import CalendarConnection
from integrations.permissions import NEVER, WHOLE_MAILBOX, Permission, is_needed, missing, requested
from integrations.providers import BY_SIGN_IN, Provider, SignInProvider
from integrations.rows import Words
from sally.access import for_person
from sally.models import User

_UNUSED = _("not needed; Sally works without it")
_ENOUGH = _("not needed; what was granted lets Sally read your calendar")
_CALENDAR = _("without it Sally cannot read your calendar: sign in again and accept all permissions")
_ACCESS = _("without it Sally cannot keep the connection: sign in again and accept all permissions")


@dataclass(frozen=True)
class Door:
    """What is asked for at a tile, and ``signs_in`` where it leads to the provider's own page."""

    provider: Provider
    asked: Sequence[Permission]
    signs_in: SignInProvider | None


@dataclass(frozen=True)
class Missing:
    """A permission that is asked for and was not granted, and what that means."""

    name: str
    meaning: Words


@dataclass(frozen=True)
class Account:
    """What was really granted for a calendar. ``extra``: of that, what Sally does not ask for (any more)."""

    connection: CalendarConnection
    asked: Sequence[str]
    granted: Sequence[str]
    missing: Sequence[Missing]
    extra: Sequence[str]


@require_safe
@for_person
def permissions(request: HttpRequest, user: User) -> HttpResponse:
    # The secrets only to know whether there is one: what they hold is not read.
    with_secrets = CalendarConnection.objects.select_related("secret").defer("secret__payload")
    own = list(with_secrets.filter(owner=user))
    context = {
        "doors": [_door(provider) for provider in providers.offered()],
        "accounts": [_account(connection) for connection in own],
        "never": NEVER,
        "whole_mailbox": WHOLE_MAILBOX,
        "minutes": settings.SYNC_EVERY,
        "days": settings.DORMANT_DAYS,
        # The banner's, which would ask the database for them once more.
        "needing_attention": [one for one in own if one.status == one.Status.NEEDS_ATTENTION],
    }
    return render(request, "integrations/permissions.html", context)


def _door(provider: Provider) -> Door:
    return Door(provider, requested(provider.key), BY_SIGN_IN.get(provider.key))


def _account(connection: CalendarConnection) -> Account:
    asked = [one.name for one in requested(connection.provider)]
    given = _granted(connection) if asked else set()
    granted = [name for name in asked if name in given] + sorted(given - set(asked))
    lacking = [Missing(name, _meaning(name, given)) for name in missing(asked, given)]
    return Account(connection, asked, granted, lacking, sorted(given - set(asked)))


def _granted(connection: CalendarConnection) -> set[str]:
    """Where offline_access was not counted yet, as no answer of Microsoft's names it, a stored secret is the sign."""
    return {*connection.granted_scopes, *(["offline_access"] if hasattr(connection, "secret") else [])}


def _meaning(name: str, granted: Iterable[str]) -> Words:
    is_calendar = name.startswith("Calendars.")
    if is_needed(name, granted):
        return _CALENDAR if is_calendar else _ACCESS
    return _ENOUGH if is_calendar else _UNUSED
