"""The Meetings page: what is coming up, by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from calendars.models import Meeting
from integrations.models import CalendarConnection
from sally.models import User

PAGE_SIZE = 200


@dataclass(frozen=True)
class Entry:
    """A meeting as it stands under one day: ``last_day`` is set where it ends on another than it begins."""

    meeting: Meeting
    began_earlier: bool
    last_day: date | None


@dataclass(frozen=True)
class Day:
    date: date
    is_today: bool
    entries: list[Entry]


@require_safe
@login_required
def agenda(request: HttpRequest) -> HttpResponse:
    """From today on, in the user's time zone. htmx gets only the part that changes."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - for the type checker
    page = _page_number(request.GET.get("page", ""))
    zone = user.zone
    now = timezone.now()
    connections = list(CalendarConnection.objects.filter(owner=user))
    unread = [one for one in connections if one.status == one.Status.CONNECTING]
    appearance = "-".join(one.appearance for one in connections)
    if request.htmx and request.GET.get("seen") == appearance:  # type: ignore[attr-defined]
        return HttpResponse(status=204)  # htmx leaves the page, the focus and the screen reader alone
    first = (page - 1) * PAGE_SIZE
    meetings = list(Meeting.objects.owned_by(user).upcoming(now, zone)[first : first + PAGE_SIZE + 1])
    if page > 1 and not meetings:
        return redirect("meetings")
    context = {
        "connections": connections,
        "appearance": appearance,
        "look_every": 2 if any(one.syncing for one in unread) else 20,
        "unread": unread,
        "all_read": all(one.last_synced_at for one in connections),
        "troubled": [one for one in connections if one.problem],
        "days": by_day(meetings[:PAGE_SIZE], now, zone),
        "days_ahead": settings.SYNC_DAYS_AHEAD,
        "zone": zone.key,
        "page": page,
        "next_page": page + 1 if len(meetings) > PAGE_SIZE else None,
    }
    whole = "calendars/agenda.html"
    return render(request, "calendars/_agenda.html" if request.htmx else whole, context)  # type: ignore[attr-defined]


def by_day(meetings: Iterable[Meeting], now: datetime, zone: ZoneInfo) -> list[Day]:
    """Meetings of ``upcoming`` under their days."""
    today = now.astimezone(zone).date()
    return [
        Day(day, day == today, [_entry(one, zone, day) for one in group])
        for day, group in groupby(meetings, key=attrgetter("day"))
    ]


def _entry(meeting: Meeting, zone: ZoneInfo, day: date) -> Entry:
    first = meeting.start_date or meeting.start.astimezone(zone).date()
    # The end date of an all-day meeting is the day after its last.
    # A timed one that ends at midnight has its last moment the day before.
    last_moment = max(meeting.end - timedelta(microseconds=1), meeting.start)
    last = meeting.end_date - timedelta(days=1) if meeting.end_date else last_moment.astimezone(zone).date()
    return Entry(meeting, began_earlier=first < day, last_day=last if last > first else None)


def _page_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text) else 1
