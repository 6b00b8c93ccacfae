"""The Outlook page: a mailbox's weeks and meetings for a person to change, and to watch an application follow."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from sandbox import changes, people
from sandbox.edits import UnknownEvent
from sandbox.ics import Unreadable
from sandbox.mailbox import MASTER, Item, open_mailbox
from sandbox.models import Person
from sandbox.origin import from_elsewhere
from sandbox.outlook_form import MeetingForm, values_of
from sandbox.outlook_week import SCOPES, days_of, label_of, meeting_of, monday_of, week_of

_ZONE = ZoneInfo(people.MAILBOX_ZONE)
_BUTTONS: dict[str, dict[str, Any]] = {
    "accept": {"answer": "accepted"},
    "tentative": {"answer": "tentativelyAccepted"},
    "decline": {"answer": "declined"},
    "private": {"private": True},
    "public": {"private": False},
    "cancel": {"cancelled": True},
    "restore": {"cancelled": False},
    "delete": {"deleted": True},
}
_SCOPES = {"meeting": "meeting", "occurrence": "occurrence", "series": "series"}
_SENTENCES = {
    "add": "The {} was added.",
    "save": "The {} was changed.",
    "same": "The {} is as it was: nothing in the form was different.",
    "accept": "The {} was accepted.",
    "tentative": "The {} was accepted tentatively.",
    "decline": "The {} was declined; it stays in the calendar, marked as declined.",
    "private": "The {} is private now.",
    "public": "The {} is not private any more.",
    "cancel": "The {} was cancelled; it stays in the calendar, marked as cancelled.",
    "restore": "The {} takes place again.",
    "delete": "The {} was deleted.",
}

_View = Callable[..., HttpResponse]


class _Missing(LookupError):
    """What the address names is not there; the message is a sentence for the page."""


def _sorry(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    return render(request, "sandbox/outlook/sorry.html", {"sentence": sentence}, status=status)


def _page(*methods: str) -> Callable[[_View], _View]:
    """A view of this page: its methods, no other site's form, and what is missing in words."""

    def decorate(view: _View) -> _View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            try:
                if request.method == "POST" and from_elsewhere(request):
                    response = _sorry(request, "This form was sent by another site’s page. Nothing was changed.", 403)
                else:
                    response = view(request, *args, **kwargs)
            except (_Missing, UnknownEvent) as exc:
                response = _sorry(request, str(exc), 404)
            response["Cache-Control"] = "no-store"
            return response

        return answer

    return decorate


def _person(email: str) -> Person:
    person = people.find(email)
    if person is None:
        raise _Missing(f"There is nobody with the address {email} here.")
    return person


def _today() -> date:
    return datetime.now(_ZONE).date()


def _to_week(person: Person, label: str, done: str, scope: str) -> HttpResponse:
    query = {"week": label, "done": done, "of": scope}
    kept = urlencode({name: value for name, value in query.items() if value})
    return HttpResponseRedirect(f"{reverse('outlook-week', args=[person.email])}?{kept}")


def _said(request: HttpRequest) -> str:
    """The sentence about the change that led here; the address only names it, so that nobody's link can say more."""
    sentence, scope = _SENTENCES.get(request.GET.get("done", "")), _SCOPES.get(request.GET.get("of", ""))
    return sentence.format(scope) if sentence and scope else ""


@_page("GET", "HEAD")
def to_people(_request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(reverse("outlook"))


@_page("GET", "HEAD")
def people_list(request: HttpRequest) -> HttpResponse:
    return render(request, "sandbox/outlook/people.html", {"people": Person.objects.all()})


def _wanted_monday(request: HttpRequest) -> tuple[date, str]:
    """The Monday of the week that is asked for, and what is wrong with the question."""
    today = _today()
    named, day = request.GET.get("week", ""), request.GET.get("day", "")
    if day:
        try:
            named = label_of(date.fromisoformat(day))
        except ValueError:
            named = day
    monday = monday_of(named)
    if monday is not None:
        return monday, ""
    problem = f"“{named}” is no week that this calendar has; this is the current one." if named else ""
    return monday_of(label_of(today)) or today, problem


@_page("GET", "HEAD")
def week(request: HttpRequest, email: str) -> HttpResponse:
    person = _person(email)
    monday, problem = _wanted_monday(request)
    shown = week_of(open_mailbox(person), monday, _today())
    context = {"person": person, "week": shown, "said": _said(request), "problem": problem, "zone": people.MAILBOX_ZONE}
    return render(request, "sandbox/outlook/week.html", context)


def _show_form(request: HttpRequest, template: str, form: MeetingForm, context: dict[str, Any]) -> HttpResponse:
    status = 422 if form.is_bound else 200
    return render(request, template, {**context, "form": form, "zone": people.MAILBOX_ZONE}, status=status)


@_page("GET", "HEAD", "POST")
def new_meeting(request: HttpRequest, email: str) -> HttpResponse:
    person, today = _person(email), _today()
    monday, _ = _wanted_monday(request)
    day = today if label_of(today) == label_of(monday) else monday
    values = {"start_day": day, "start_time": time(9), "end_time": time(10), "all_day": False}
    posted = request.POST if request.method == "POST" else None
    form = MeetingForm(posted, new=True, taken=frozenset({person.email.lower()}), **values)
    if form.is_bound and form.is_valid():
        try:
            changes.add_event(person, form.wanted(), datetime.now(UTC))
            return _to_week(person, label_of(form.cleaned_data["start_day"]), "add", "meeting")
        except Unreadable as exc:
            form.add_error(None, str(exc))
    return _show_form(request, "sandbox/outlook/new.html", form, {"person": person, "week": label_of(monday)})


def _place_in_series(item: Item) -> str:
    """How ``edits`` is told which occurrence is meant; empty for what is meant as a whole."""
    if item.kind == MASTER or item.slot is None:
        return ""
    return item.slot.date().isoformat() if item.series.timing.all_day else item.slot.isoformat()


def _change(person: Person, item: Item, what: dict[str, Any]) -> None:
    wanted = {"uid": item.series.uid, "occurrence": _place_in_series(item), **what}
    changes.change_event(person, wanted, datetime.now(UTC))


def _week_after(person: Person, event_id: str, before: str) -> str:
    """Where a meeting is to be seen now; a series, or what was deleted, is looked for where the person came from."""
    item = open_mailbox(person).find(event_id)
    return before if item is None or item.kind == MASTER else label_of(days_of(item)[0])


def _taken(person: Person, item: Item) -> frozenset[str]:
    resource = meeting_of(open_mailbox(person), item)
    return frozenset({person.email.lower(), *resource.addresses})


@_page("GET", "HEAD", "POST")
def meeting(request: HttpRequest, email: str, event_id: str) -> HttpResponse:
    person = _person(email)
    item = open_mailbox(person).find(event_id)
    if item is None:
        raise _Missing("This meeting is not in the calendar any more.")
    scope = SCOPES.get(item.kind, "meeting")
    came_from = request.GET.get("week", "")
    back = came_from if monday_of(came_from) else label_of(days_of(item)[0])
    button = request.POST.get("do", "")
    if request.method == "POST" and button not in (*_BUTTONS, "save"):
        raise _Missing("This page has no such button.")
    posted = request.POST if button == "save" else None
    form = MeetingForm(posted, new=False, taken=_taken(person, item), **values_of(item))
    try:
        if button in _BUTTONS:
            _change(person, item, _BUTTONS[button])
            return _to_week(person, back, button, scope)
        if form.is_bound and form.is_valid():
            what = form.changes()
            if not what:
                return _to_week(person, back, "same", scope)
            _change(person, item, what)
            return _to_week(person, _week_after(person, event_id, back), "save", scope)
    except Unreadable as exc:
        if not form.is_bound:
            return _sorry(request, str(exc), 422)
        form.add_error(None, str(exc))
    shown = meeting_of(open_mailbox(person), item)
    context = {"person": person, "meeting": shown, "week": back}
    return _show_form(request, "sandbox/outlook/meeting.html", form, context)
