"""The Meetings page and a meeting's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from calendars import attendance, overriding
from calendars.agenda import Page, Wish, last_planned, names_of, page_of, wish_of
from calendars.joining import Verdict, verdict_on, with_senders
from calendars.models import Meeting, confirmed_by
from calendars.overriding import Done, Notice, OverrideForm
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
    own = CalendarConnection.objects.filter(owner=user)
    beside = {"planned_at": last_planned(), "organization": F("owner__organization__name")}
    connections = list(own.annotate(**beside, is_confirmed=confirmed_by("owner")))
    wish = wish_of(request.GET, connections, now.astimezone(user.zone).date())
    visit = Visit.of(request, user, now)
    state = _state_of(user, connections, wish, visit, now)
    htmx = bool(request.htmx)  # type: ignore[attr-defined]
    if htmx and _is_current(request.headers.get("If-None-Match", ""), state, now):
        response: HttpResponse = HttpResponseNotModified()
    else:
        organization = next((getattr(one, "organization", None) for one in connections), None) or ""
        page = page_of(connections, wish, now=now, zone=user.zone, since=visit.since, organization=organization)
        unread = [one for one in connections if one.status == one.Status.CONNECTING]
        context = {
            "connections": connections,
            "calendars": names_of(connections),
            "unread": unread,
            "all_read": all(one.last_synced_at for one in connections),
            "troubled": [one for one in connections if one.problem],
            "unconfirmed": any(not getattr(one, "is_confirmed", False) for one in connections),
            "page": page,
            "notice": _notice(request, user, page),
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
        (one.pk, one.account_email, one.meetings_changed_at, getattr(one, "planned_at", None), one.problem, one.unseen)
        # Of one that was never read the page tells more.
        + ((one.appearance,) if one.status == one.Status.CONNECTING else ())
        for one in connections
    ]
    shown = (user.pk, get_language(), user.zone.key, wish, visit.since, now.astimezone(user.zone).date(), calendars)
    return hashlib.blake2b(repr(shown).encode(), digest_size=12).hexdigest()


def _notice(request: HttpRequest, user: User, page: Page) -> Notice | None:
    """What the person just decided about a meeting of this page."""
    done = Done.read(request.GET.get(overriding.PARAMETER, ""))
    entries = (entry for day in page.days for entry in day.entries)
    entry = next((one for one in entries if done and one.meeting.pk == done.meeting), None)
    return overriding.notice_of(done, entry.meeting, entry.sally, user.zone) if done and entry else None


def _is_current(validator: str, state: str, now: datetime) -> bool:
    """Whether the page that carries ``validator`` still shows this state, and no meeting began or ended since."""
    known, _, good_until = validator.strip('"').partition(".")
    return known == state and good_until.isdecimal() and now.timestamp() < int(good_until)


def _own(user: User, pk: int) -> Meeting:
    meetings = with_senders(Meeting.objects.owned_by(user))
    return get_object_or_404(meetings.select_related("connection__owner__organization"), pk=pk)


def _verdict(meeting: Meeting, now: datetime) -> Verdict | None:
    owner = meeting.connection.owner
    organization = owner.organization.name if owner.organization else ""
    return verdict_on(meeting, now=now, zone=owner.zone, organization=organization)


@require_safe
@for_person
def meeting(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """All that is stored about one meeting, whether Sally joins it and why, and its history."""
    now = timezone.now()
    found = _own(user, pk)
    start, end = found.span(user.zone)
    over = end <= now and start < now
    verdict = _verdict(found, now)
    try:
        explanation = attendance.explain(found, now)
    except Meeting.DoesNotExist:
        raise Http404 from None
    done = Done.read(request.GET.get(overriding.PARAMETER, ""))
    context = {
        "meeting": found,
        "day": start.astimezone(user.zone).date(),
        "over": over,
        "when": when(found.place, user.zone),
        "sally": overriding.card_of(found, verdict, explanation, over=over),
        "notice": overriding.notice_of(done, found, verdict, user.zone) if done and done.meeting == pk else None,
        "history": history_of(found, user.zone),
        "stored": stored_of(found),
        "zone": user.zone.key,
    }
    return render(request, "calendars/meeting.html", context)


@require_POST
@for_person
def decide(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """Keep what the person says about a meeting or its series, or with ``undo`` bring back what they said before."""
    found = _own(user, pk)
    if "undo" in request.POST:
        return _undo(request, user, found)
    form = OverrideForm(request.POST)
    if not form.is_valid():
        raise BadRequest("no decision that can be made about a meeting")
    whole_series = bool(form.cleaned_data["series"]) and found.in_series
    of_series = attendance.said_of(user, found, whole_series=True)
    before = of_series if whole_series else attendance.said_of(user, found, whole_series=False)
    choice = overriding.kept(form.cleaned_data["choice"], of_series, whole_series=whole_series)
    # The list's buttons say nothing about when.
    lead = form.cleaned_data["lead"] if "lead" in request.POST else before.lead
    now = timezone.now()
    before = attendance.decide_for(user, found, choice=choice, lead=lead, whole_series=whole_series, now=now)
    return redirect(overriding.way_back(request, pk, Done(pk, whole_series, choice, before)))


def _undo(request: HttpRequest, user: User, found: Meeting) -> HttpResponse:
    done = Done.read(request.POST["undo"])
    if done is None or done.meeting != found.pk:
        messages.error(request, _("That is too long ago to be undone. Decide anew below."))
        return redirect("meeting", pk=found.pk)
    before, now = done.before, timezone.now()
    attendance.decide_for(user, found, choice=before.choice, lead=before.lead, whole_series=done.whole_series, now=now)
    again = Done(found.pk, done.whole_series, before.choice, before)
    verdict = _verdict(_own(user, found.pk), now)
    messages.success(request, overriding.words_of(again, found, verdict, user.zone))
    return redirect(overriding.way_back(request, found.pk))
