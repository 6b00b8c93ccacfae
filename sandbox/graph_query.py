"""What a request to Graph asks for: its window, its page, its properties, its preferences, and who is asking."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

from django.http import HttpRequest, QueryDict

from sandbox import tokens, zones
from sandbox.graph_errors import GraphError, access_denied, bad_parameter, unauthenticated
from sandbox.installation import switches
from sandbox.models import AccessToken, Person
from sandbox.resource import EVENT_PROPERTIES, Wishes

READ_SCOPES = frozenset(
    {"Calendars.Read", "Calendars.ReadWrite", "Calendars.Read.Shared", "Calendars.ReadWrite.Shared"}
)
WRITE_SCOPES = frozenset({"Calendars.ReadWrite", "Calendars.ReadWrite.Shared"})
_LONGEST_WINDOW = timedelta(days=1825)
_LARGEST_PAGE = 1000
_UNSUPPORTED = frozenset({"$filter", "$expand", "$search", "$count", "$skiptoken"})


@dataclass(frozen=True)
class Caller:
    person: Person
    scopes: frozenset[str]

    def needs(self, wanted: frozenset[str]) -> None:
        """Raises ``GraphError`` unless one of these is there; all that is answered here is the caller's own."""
        has = self.scopes
        if not switches().shared_opens_own:
            has = frozenset(name for name in has if not name.endswith(".Shared"))
        if not has & wanted:
            raise access_denied()


def caller(request: HttpRequest) -> Caller:
    """Who the bearer token belongs to. Raises ``GraphError``."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not value:
        raise unauthenticated("Access token is empty.")
    token = AccessToken.objects.select_related("person").filter(digest=tokens.digest(value.strip())).first()
    if token is None:
        raise unauthenticated("CompactToken parsing failed with error code: 80049217")
    if token.expires_at <= datetime.now(UTC):
        raise unauthenticated("Lifetime validation failed, the token is expired.")
    if token.revoked:
        raise unauthenticated("Access token validation failure. The token was revoked.")
    return Caller(token.person, frozenset(token.scopes.split()))


def preferences(request: HttpRequest) -> dict[str, str]:
    """The Prefer header's wishes by lower-case name; several headers arrive as one, separated by commas."""
    found = re.findall(r'([\w.-]+)\s*=\s*("[^"]*"|[^,;]*)', request.headers.get("Prefer", ""))
    return {name.lower(): value.strip().strip('"') for name, value in found}


def wishes(request: HttpRequest) -> Wishes:
    preferred = preferences(request)
    name = preferred.get("outlook.timezone", "UTC")
    zone = zones.load(name)
    if zone is None:
        raise GraphError(400, "TimeZoneNotSupportedException", f"A valid TimeZone value must be specified: {name}.")
    return Wishes(
        zone=zone or ZoneInfo("UTC"),
        zone_name=name,
        text_body=preferred.get("outlook.body-content-type", "html").lower() == "text",
        immutable_ids=preferred.get("idtype", "").lower() == "immutableid",
    )


def applied(request: HttpRequest) -> str:
    """The header that tells which wishes were heard."""
    spelled = {"outlook.timezone": "outlook.timezone", "outlook.body-content-type": "outlook.body-content-type"}
    spelled["idtype"] = "IdType"
    preferred = preferences(request)
    return ", ".join(f'{shown}="{preferred[name]}"' for name, shown in spelled.items() if name in preferred)


def _parameter(query: QueryDict, name: str) -> str | None:
    """Graph does not mind the case of startDateTime and endDateTime."""
    return next((value for key, value in query.items() if key.lower() == name.lower() and isinstance(value, str)), None)


def _moment(text: str) -> datetime:
    # A plus sign that nobody encoded arrives as a space.
    try:
        value = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError as exc:
        raise bad_parameter(f"The value '{text}' of a date and time parameter is invalid.") from exc
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def window(query: QueryDict) -> tuple[datetime, datetime]:
    """The asked window in UTC; a time without offset is in UTC, whatever zone the answer is preferred in."""
    start, end = _parameter(query, "startDateTime"), _parameter(query, "endDateTime")
    if not start or not end:
        raise bad_parameter(
            "This request requires a time window specified by the query string parameters StartDateTime and "
            "EndDateTime."
        )
    first, last = _moment(start), _moment(end)
    if last < first:
        raise bad_parameter("The start of the time window must lie before its end.")
    if last - first > _LONGEST_WINDOW:
        raise GraphError(
            400,
            "ErrorCalendarViewRangeTooBig",
            "The requested time duration specified for FreeBusyViewOptions.TimeWindow is not within the allowed "
            "limits.",
        )
    return first, last


def select(query: QueryDict) -> frozenset[str] | None:
    """The selected properties, or None for all."""
    if "$select" not in query:
        return None
    names = [name.strip() for name in query.get("$select", "").split(",") if name.strip()]
    by_lower_name = {name.lower(): name for name in EVENT_PROPERTIES}
    for name in names:
        if name.lower() not in by_lower_name:
            raise GraphError(
                400,
                "RequestBroker--ParseUri",
                f"Could not find a property named '{name}' on type 'Microsoft.OutlookServices.Event'.",
            )
    return frozenset(by_lower_name[name.lower()] for name in names)


def _number(query: QueryDict, name: str, otherwise: int) -> int:
    text = query.get(name, str(otherwise))
    if not text.isascii() or not text.isdigit():
        raise GraphError(400, "BadRequest", f"Invalid value '{text}' for {name} query option found.")
    return int(text)


@dataclass(frozen=True)
class Page:
    skip: int
    size: int
    backwards: bool


def page(query: QueryDict) -> Page:
    """Which part of a list is asked for; 10 things unless told, at most 1,000 (calendar-list-calendarview.md)."""
    for name in query:
        if name.lower() in _UNSUPPORTED:
            raise GraphError(501, "NotImplemented", f"This stand-in for Microsoft Graph does not know {name} here.")
    size = _number(query, "$top", 10)
    if not 1 <= size <= _LARGEST_PAGE:
        raise GraphError(
            400,
            "ErrorInvalidUrlQueryFilter",
            f"The limit of '{_LARGEST_PAGE}' for Top query has been exceeded or is not positive: '{size}'.",
        )
    order = " ".join(query.get("$orderby", "start/dateTime").split())
    if order.removesuffix(" desc").removesuffix(" asc") != "start/dateTime":
        raise GraphError(400, "ErrorInvalidProperty", f"This stand-in cannot order by '{order}'.")
    return Page(_number(query, "$skip", 0), size, order.endswith(" desc"))


def page_size_hint(request: HttpRequest) -> int:
    """What ``odata.maxpagesize`` asks for, at most 1,000; a change-tracking answer has 10 things unless told."""
    text = preferences(request).get("odata.maxpagesize", "")
    return min(int(text), _LARGEST_PAGE) if text.isascii() and text.isdigit() and int(text) else 10


def next_link(request: HttpRequest, wanted: Page) -> str:
    """The same request for the next page, as an absolute address with literal dollar signs."""
    pairs = [(key, value) for key, values in request.GET.lists() for value in values if key != "$skip"]
    pairs.append(("$skip", str(wanted.skip + wanted.size)))
    query = "&".join(f"{quote(key, safe='$')}={quote(value, safe='/:,')}" for key, value in pairs)
    return request.build_absolute_uri(f"{quote(request.path)}?{query}")
