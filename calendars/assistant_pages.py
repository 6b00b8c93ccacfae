"""Settings → Meeting Assistant: the rule by which Sally joins a person's meetings, and its first confirmation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from calendars import attendance
from calendars.attendance import Preview, Standing
from calendars.forms import SWITCHES, LeadForm, ParticipationForm, typed_in
from calendars.leads import lead_in_words
from calendars.models import OrganizationParticipation, Rule
from calendars.rules import FOLLOWED, count_in_words, options_of
from calendars.telling import when
from integrations.models import CalendarConnection
from sally.access import for_person
from sally.models import User

MOST_LISTED = 20  # of the meetings that a change concerns


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def assistant(request: HttpRequest, user: User) -> HttpResponse:
    """What is set, to be changed; a change is shown before it is saved, and can be taken back without losing it."""
    now, standing = timezone.now(), attendance.standing_of(user)
    if standing.terms is None:
        return redirect("assistant-start")
    form = _form_of(request, standing)
    if form is None or request.method != "POST" or not form.is_valid():
        return _show(request, user, standing, form, now)
    if "save" in request.POST:
        attendance.save_terms(user, form.values, now)
        messages.success(request, _("Saved. From now on Sally joins by what you chose."))
        return redirect("meeting-assistant")
    found = attendance.preview(user, form.values, now)
    context = {"form": form, "preview": found, "listed": _listed(found, user), "zone": user.zone.key}
    return render(request, "calendars/assistant_preview.html", context)


def _form_of(request: HttpRequest, standing: Standing) -> LeadForm | None:
    """None where the organization left nothing to choose. What comes back from the preview is shown unjudged."""
    if standing.locked and standing.default and standing.default.lead is not None:
        return None
    kind = LeadForm if standing.locked else ParticipationForm
    form = kind(request.POST if request.method == "POST" else None, standing=standing)
    return kind(standing=standing, typed=typed_in(form)) if "back" in request.POST else form


def _show(request: HttpRequest, user: User, standing: Standing, form: LeadForm | None, now: datetime) -> HttpResponse:
    context = {"form": form, "is_admin": user.is_staff and user.organization_id, **_choices(user, standing, form, now)}
    return render(request, "calendars/assistant.html", context)


def _choices(user: User, standing: Standing, form: LeadForm | None, now: datetime) -> dict[str, Any]:
    """What both pages show of rules: those to choose from, or the one that the organization set."""
    counts = attendance.counts(user, now)
    if isinstance(form, ParticipationForm):
        return {"options": list(options_of(form, user.organization, counts))}
    assert standing.default is not None  # noqa: S101 - it is locked; this tells the type checker
    return {"fixed": _fixed(standing.default), "fixed_name": FOLLOWED, "fixed_count": count_in_words(counts[""])}


def _fixed(default: OrganizationParticipation) -> dict[str, Any]:
    """What an organization set for everybody, in words."""
    labels = {field.name: field.verbose_name for field in default._meta.concrete_fields}
    switches = [labels[name] for name in SWITCHES if getattr(default, name)]
    return {
        "rule": Rule(default.rule).label,
        "switches": switches,
        "lead": "" if default.lead is None else lead_in_words(default.lead),
        "reason": default.lock_reason,
    }


def _listed(found: Preview, user: User) -> list[dict[str, Any]]:
    """The first meetings of each kind of change, and how many more there are."""
    return [
        {
            "kind": kind,
            "count": len(pks),
            "meetings": [(one, when(one.place, user.zone)) for one in found.meetings(pks[:MOST_LISTED])],
            "more": max(0, len(pks) - MOST_LISTED),
        }
        for kind, pks in (("gained", found.gained), ("lost", found.lost), ("moved", found.moved))
        if pks
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def start(request: HttpRequest, user: User) -> HttpResponse:
    """Choose a rule for the first time; nothing is planned before.

    People land here with ``connected`` in the address after they connected a calendar: who chose before goes on.
    """
    now, standing = timezone.now(), attendance.standing_of(user)
    if standing.terms:
        return _gone_on(request, "meetings" if "connected" in request.GET else "meeting-assistant")
    connections = list(CalendarConnection.objects.filter(owner=user))
    is_admin = user.is_staff and user.organization_id is not None
    if not connections:
        messages.info(request, _("Connect a calendar first. Then you choose which of its meetings Sally joins."))
        # An admin may be here for the others.
        return _gone_on(request, "assistant-organization" if is_admin else "integrations")
    form = _first_form_of(request, standing)
    if form.is_bound and form.is_valid():
        attendance.save_terms(user, form.values, now)
        messages.success(request, _("Confirmed. From now on Sally joins by what you chose."))
        return redirect("meetings")
    unread = [one for one in connections if one.status == one.Status.CONNECTING]
    context = {
        "form": form,
        "unread": unread,
        "look_every": 2 if any(one.syncing for one in unread) else 20,
        "is_admin": is_admin,
        **_choices(user, standing, form, now),
    }
    htmx = bool(request.htmx)  # type: ignore[attr-defined]
    return render(request, "calendars/_assistant_counts.html" if htmx else "calendars/assistant_start.html", context)


def _first_form_of(request: HttpRequest, standing: Standing) -> LeadForm:
    """Bound where it is to be confirmed; where only newer numbers are wanted, what is chosen is shown unjudged."""
    kind = LeadForm if standing.locked else ParticipationForm
    form = kind(request.POST if request.method == "POST" else None, standing=standing)
    return form if "confirm" in request.POST or not form.is_bound else kind(standing=standing, typed=typed_in(form))


def _gone_on(request: HttpRequest, name: str) -> HttpResponse:
    """To another page; the open one, which follows its calendars, moves there as a whole."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return HttpResponseClientRedirect(reverse(name)) if htmx else redirect(name)
