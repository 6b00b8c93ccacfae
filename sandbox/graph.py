"""Graph's calendar API, as far as reading goes, for the person whose token is shown."""

import base64
import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from sandbox import graph_query as asked
from sandbox.graph_errors import GraphError, as_json, mark, not_found
from sandbox.graph_query import Caller
from sandbox.mailbox import MASTER, Item, open_mailbox
from sandbox.models import Person
from sandbox.resource import Writer


def context(request: HttpRequest, fragment: str) -> str:
    """The value of ``@odata.context``."""
    return request.build_absolute_uri(f"/v1.0/$metadata#{fragment}")


def reading(view: Callable[..., dict[str, Any]]) -> Callable[..., JsonResponse]:
    """Turns a function that returns a resource into a view: who asks, may they, and errors as Graph writes them.

    Nothing here can be written: a caller who might write is told that the method is not known, any other that
    access is denied.
    """

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        try:
            who = asked.caller(request)
            if request.method not in ("GET", "HEAD"):
                who.needs(asked.WRITE_SCOPES)
                raise GraphError(405, "ErrorInvalidRequest", "The OData request is not supported.")
            response = mark(request, JsonResponse(view(request, who, *args, **kwargs)))
        except GraphError as exc:
            return as_json(request, exc)
        preferred = asked.applied(request)
        if preferred:
            response["Preference-Applied"] = preferred
        return response

    return answer


@reading
def me(request: HttpRequest, who: Caller) -> dict[str, Any]:
    if "User.Read" not in who.scopes:
        raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    given, _, family = who.person.name.partition(" ")
    profile: dict[str, Any] = {
        "businessPhones": [],
        "displayName": who.person.name,
        "givenName": given,
        "jobTitle": None,
        "mail": who.person.email,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": family,
        "userPrincipalName": who.person.email,
        # Of a personal account's id only what is not padding.
        "id": who.person.oid.replace("-", "")[16:] if who.person.personal else who.person.oid,
    }
    names = [name.strip() for name in request.GET.get("$select", ",".join(profile)).split(",")]
    unknown = [name for name in names if name not in profile]
    if unknown:
        message = f"Could not find a property named '{unknown[0]}' on type 'microsoft.graph.user'."
        raise GraphError(400, "BadRequest", message)
    return {"@odata.context": context(request, "users/$entity"), **{name: profile[name] for name in names}}


def _calendar_id(person: Person, *, immutable: bool) -> str:
    made = hashlib.sha384(f"calendar {immutable} {person.oid}".encode()).digest()
    return f"{'AAkALg' if immutable else 'AAMkAD'}{base64.urlsafe_b64encode(made).decode()}AAAAAAEGAAA="


def _calendar(person: Person, *, immutable: bool) -> dict[str, Any]:
    return {
        "id": _calendar_id(person, immutable=immutable),
        "name": "Calendar",
        "color": "auto",
        "hexColor": "",
        "isDefaultCalendar": True,
        "changeKey": hashlib.sha256(f"calendar of {person.oid}".encode()).hexdigest()[:28],
        "canShare": True,
        "canViewPrivateItems": True,
        "canEdit": True,
        "allowedOnlineMeetingProviders": [] if person.personal else ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "unknown" if person.personal else "teamsForBusiness",
        "isTallyingResponses": True,
        "isRemovable": False,
        "owner": {"name": person.name, "address": person.email},
    }


def check_calendar_id(who: Caller, id: str) -> None:
    """Raises ``GraphError`` unless this is the caller's own calendar."""
    if id not in (_calendar_id(who.person, immutable=False), _calendar_id(who.person, immutable=True)):
        raise not_found()


@reading
def calendar(request: HttpRequest, who: Caller, calendar_id: str = "") -> dict[str, Any]:
    who.needs(asked.READ_SCOPES)
    if calendar_id:
        check_calendar_id(who, calendar_id)
    wishes = asked.wishes(request)
    resource = _calendar(who.person, immutable=wishes.immutable_ids)
    return {"@odata.context": context(request, "users('me')/calendars/$entity"), **resource}


@reading
def calendars(request: HttpRequest, who: Caller) -> dict[str, Any]:
    who.needs(asked.READ_SCOPES)
    wishes = asked.wishes(request)
    resource = _calendar(who.person, immutable=wishes.immutable_ids)
    return {"@odata.context": context(request, "users('me')/calendars"), "value": [resource]}


def _list(request: HttpRequest, writer: Writer, items: list[Item], fragment: str) -> dict[str, Any]:
    wanted, selected = asked.page(request.GET), asked.select(request.GET)
    ordered = list(reversed(items)) if wanted.backwards else items
    shown = ordered[wanted.skip : wanted.skip + wanted.size]
    body: dict[str, Any] = {"@odata.context": context(request, fragment)}
    body["value"] = [writer.write(item, selected) for item in shown]
    if wanted.skip + wanted.size < len(ordered):
        body["@odata.nextLink"] = asked.next_link(request, wanted)
    return body


@reading
def calendar_view(request: HttpRequest, who: Caller, calendar_id: str = "") -> dict[str, Any]:
    who.needs(asked.READ_SCOPES)
    if calendar_id:
        check_calendar_id(who, calendar_id)
    start, end = asked.window(request.GET)
    mailbox = open_mailbox(who.person)
    writer = Writer(mailbox, asked.wishes(request))
    return _list(request, writer, mailbox.between(start, end), "users('me')/calendarView")


@reading
def event(request: HttpRequest, who: Caller, event_id: str) -> dict[str, Any]:
    who.needs(asked.READ_SCOPES)
    mailbox = open_mailbox(who.person)
    selected = asked.select(request.GET)
    item = mailbox.find(event_id)
    if item is None:
        raise not_found()
    resource = Writer(mailbox, asked.wishes(request)).write(item, selected)
    return {"@odata.context": context(request, "users('me')/events/$entity"), **resource}


@reading
def instances(request: HttpRequest, who: Caller, event_id: str) -> dict[str, Any]:
    who.needs(asked.READ_SCOPES)
    start, end = asked.window(request.GET)
    mailbox = open_mailbox(who.person)
    item = mailbox.find(event_id)
    if item is None:
        raise not_found()
    if item.kind != MASTER:
        raise GraphError(400, "ErrorInvalidRequest", "Your request can't be completed: this is no series master.")
    writer = Writer(mailbox, asked.wishes(request))
    return _list(request, writer, mailbox.instances(item.series, start, end), "users('me')/events/instances")


@csrf_exempt
def unknown_segment(request: HttpRequest, rest: str) -> JsonResponse:
    try:
        asked.caller(request)
    except GraphError as exc:
        return as_json(request, exc)
    segment = rest.rstrip("/").rpartition("/")[2]
    return as_json(request, GraphError(400, "BadRequest", f"Resource not found for the segment '{segment}'."))
