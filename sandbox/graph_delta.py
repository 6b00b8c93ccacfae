"""``calendarView/delta`` of Graph, with the quirks that its reference leaves out and its users report."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from sandbox import graph_query as asked
from sandbox.delta import SYNC_STATES, Group, Round, first_round, next_round, page_token, place_of
from sandbox.graph import check_calendar_id, context, reading
from sandbox.graph_errors import GraphError
from sandbox.graph_query import Caller
from sandbox.mailbox import OCCURRENCE, open_mailbox
from sandbox.resource import Wishes, Writer

_UNSUPPORTED = ("$count", "$expand", "$filter", "$orderby", "$search", "$select", "$skip", "$top")
# All that an occurrence has here, since 2017: https://github.com/microsoftgraph/microsoft-graph-docs/issues/1716
_STUB = frozenset({"seriesMasterId", "type", "start", "end"})
_TYPE = {"@odata.type": "#microsoft.graph.event"}


def _gone() -> GraphError:
    message = "The sync state generation is not found; generation=149; [highest=157][157][155][156]."
    return GraphError(410, "SyncStateNotFound", message)


def _check_options(request: HttpRequest) -> None:
    if any(name.lower() in _UNSUPPORTED for name in request.GET):
        raise GraphError(
            400,
            "ErrorInvalidUrlQuery",
            "The following parameters are not supported with change tracking over the 'CalendarView' resource: "
            f"'{', '.join(_UNSUPPORTED)}'.",
        )


def _round_of(token: str, who: Caller) -> Round:
    """Raises ``GraphError`` (410) for a token that stands for nothing, or nothing of this caller's."""
    found = SYNC_STATES.find(token, who.person.oid)
    if found is None:
        raise _gone()
    return found


def _asked_round(request: HttpRequest, who: Caller) -> tuple[Round, int]:
    """The round that this request is about, and the number of the group that its page begins with.

    A token is bound to its own window; whatever else the address says beside one is ignored.
    """
    page, delta = request.GET.get("$skiptoken"), request.GET.get("$deltatoken")
    if page is not None:
        found, place = _round_of(page, who), place_of(page)
        if found.finished or place is None:
            raise _gone()
        return found, place
    if delta is not None:
        last = _round_of(delta, who)
        if delta != last.id:
            raise _gone()
        made = next_round(open_mailbox(who.person), last)
        last.finish()
    else:
        made = first_round(open_mailbox(who.person), asked.window(request.GET))
    SYNC_STATES.add(made)
    return made, 0


def _written(group: Group, writer: Writer, wishes: Wishes) -> list[dict[str, Any]]:
    events = [_TYPE | writer.write(item, _STUB if item.kind == OCCURRENCE else None) for item in group.items]
    removed = [usual if not wishes.immutable_ids else immutable for usual, immutable in group.removed]
    return [*events, *(_TYPE | {"id": id, "@removed": {"reason": "deleted"}} for id in removed)]


@reading
def _changes(request: HttpRequest, who: Caller, calendar_id: str = "") -> dict[str, Any]:
    who.needs(asked.READ_SCOPES)
    if calendar_id:
        check_calendar_id(who, calendar_id)
    _check_options(request)
    made, first = _asked_round(request, who)
    empty = made.begins_empty and "$skiptoken" not in request.GET
    groups, following = ([], 0) if empty else made.page(first, asked.page_size_hint(request))
    wishes = asked.wishes(request)
    writer = Writer(open_mailbox(who.person), wishes)
    body: dict[str, Any] = {"@odata.context": context(request, "Collection(event)")}
    body["value"] = [thing for group in groups for thing in _written(group, writer, wishes)]
    address = request.build_absolute_uri(request.path)
    if empty or following < len(made.groups):
        body["@odata.nextLink"] = f"{address}?$skiptoken={page_token(made, following)}"
    else:
        body["@odata.deltaLink"] = f"{address}?$deltatoken={made.id}"
    return body


@csrf_exempt
def changes(request: HttpRequest, calendar_id: str = "") -> JsonResponse:
    response = _changes(request, calendar_id=calendar_id)
    if response.status_code == 200:
        others = response.get("Preference-Applied")
        response["Preference-Applied"] = f"odata.track-changes, {others}" if others else "odata.track-changes"
    return response
