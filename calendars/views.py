"""The Meetings page and a meeting's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from calendars.agenda import Wish, names_of, page_of, wish_of
from calendars.models import Meeting
from calendars.telling import history_of, stored_of, when
from calendars.visits import Visit
from integrations.models import CalendarConnection
from sally.access import for_person
from sally.models import User


@require_safe
@for_person
def agenda(request: HttpRequest, user: User) -> HttpResponse:
    """Days and their meetings, today first. The open page asks for what changed and gets 304 while nothing did."""
    now = timezone.now()
    connections = list(CalendarConnection.objects.filter(owner=user))
    wish = wish_of(request.GET, connections, now.astimezone(user.zone).date())
    visit = Visit.of(request, user, now)
    state = _state_of(user, connections, wish, visit, now)
    htmx = bool(request.htmx)  # type: ignore[attr-defined]
    if htmx and _is_current(request.headers.get("If-None-Match", ""), state, now):
        response: HttpResponse = HttpResponseNotModified()
    else:
        page = page_of(connections, wish, now=now, zone=user.zone, since=visit.since)
        unread = [one for one in connections if one.status == one.Status.CONNECTING]
        context = {
            "connections": connections,
            "calendars": names_of(connections),
            "unread": unread,
            "all_read": all(one.last_synced_at for one in connections),
            "troubled": [one for one in connections if one.problem],
            "page": page,
            "wish": wish,
            "whole": wish == Wish(now.astimezone(user.zone).date()),
            "validator": f"{state}.{int(page.good_until.timestamp())}",
            "look_every": 2 if any(one.syncing for one in unread) else 20,
            "days_ahead": settings.SYNC_DAYS_AHEAD,
            "zone": user.zone.key,
        }
        response = render(request, "calendars/_agenda.html" if htmx else "calendars/agenda.html", context)
    visit.go_on(response, user, now)
    return response


def _state_of(user: User, connections: Sequence[CalendarConnection], wish: Wish, visit: Visit, now: datetime) -> str:
    """Differs whenever the page would, but for what the clock alone changes."""
    calendars = [
        (one.pk, one.account_email, one.meetings_changed_at, one.problem, one.unseen)
        # Of one that was never read the page tells more.
        + ((one.appearance,) if one.status == one.Status.CONNECTING else ())
        for one in connections
    ]
    shown = (user.pk, get_language(), user.zone.key, wish, visit.since, now.astimezone(user.zone).date(), calendars)
    return hashlib.blake2b(repr(shown).encode(), digest_size=12).hexdigest()


def _is_current(validator: str, state: str, now: datetime) -> bool:
    """Whether the page that carries ``validator`` still shows this state, and no meeting began or ended since."""
    known, _, good_until = validator.strip('"').partition(".")
    return known == state and good_until.isdecimal() and now.timestamp() < int(good_until)


@require_safe
@for_person
def meeting(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """All that is stored about one meeting, where its link was found, and its history."""
    found = get_object_or_404(Meeting.objects.owned_by(user).select_related("connection"), pk=pk)
    start, end = found.span(user.zone)
    context = {
        "meeting": found,
        "day": start.astimezone(user.zone).date(),
        "over": end <= (now := timezone.now()) and start < now,
        "when": when(found.place, user.zone),
        "history": history_of(found, user.zone),
        "stored": stored_of(found),
        "zone": user.zone.key,
    }
    return render(request, "calendars/meeting.html", context)
