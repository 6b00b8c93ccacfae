"""Calendars in Microsoft 365, read through Microsoft Graph. Nothing here can write.

Facts about Graph are from its documentation (https://learn.microsoft.com/graph/api/resources/event and
.../api/calendar-list-calendarview) unless a line names another source.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import marshal
import re
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from integrations import clouds, oauth
from integrations.accounts import SignedIn
from integrations.errors import (
    CursorExpired,
    PermissionMissing,
    ReconnectNeeded,
    Unavailable,
    UnexpectedAnswer,
    WrongDoor,
)
from integrations.events import (
    LONGEST_ADDRESS,
    LONGEST_BODY,
    LONGEST_ID,
    LONGEST_LOCATION,
    LONGEST_NAME,
    LONGEST_SUBJECT,
    LONGEST_URL,
    NOTHING,
    Attendee,
    Changed,
    Kind,
    Listing,
    Person,
    Poll,
    RemoteEvent,
    Response,
    ShowAs,
    Window,
    clean,
)
from integrations.http import Session, check, send
from integrations.problems import Words
from integrations.trail import Trail

if TYPE_CHECKING:
    from integrations.models import CalendarConnection

PAGE_SIZE = 1000  # the most that Graph gives
MOST_PAGES = 100
BATCH_SIZE = 20  # the most that $batch takes
PRIMARY = "primary"
# The tenant that all personal accounts are in (https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc).
_CONSUMERS_ID = "9188040d-6c67-4c5b-b112-36a304b66dad"

_LISTED = (
    "id,changeKey,iCalUId,type,seriesMasterId,originalStart,subject,start,end,isAllDay,isCancelled,sensitivity,"
    "responseStatus,showAs,isOrganizer,organizer,attendees,hideAttendees,location,onlineMeeting,onlineMeetingUrl"
)
_NAMES = _LISTED.split(",")
_PREFER = 'outlook.timezone="UTC", IdType="ImmutableId"'


class Microsoft:
    """One of Microsoft's two doors: the authority says which accounts may enter, the scopes what Sally asks for."""

    def __init__(
        self,
        *,
        key: str,
        name: Words,
        hint: Words,
        note: Words,
        authority: str,
        scopes: Mapping[str, Sequence[str]],
        permissions_pages: Mapping[str, str],
        taking_back: Words = "",
    ) -> None:
        self.key, self.name, self.hint, self.note, self.taking_back = key, name, hint, note, taking_back
        self.authority, self._scopes, self._permissions_pages = authority, scopes, permissions_pages
        self.needs_approval = authority != "consumers"  # a personal account is its owner's alone
        self.logo = "integrations/_microsoft_logo.html"
        self.entrance = "integrations/_microsoft_entrance.html"
        self.reopen: Words = _("Sign in with Microsoft")
        self.name_id = f"name-of-{key}"

    @property
    def offered(self) -> bool:
        return self.authority != "consumers" or clouds.has_personal_accounts()

    @property
    def scopes(self) -> Sequence[str]:
        """What people are asked for now; what was granted before to a connection stays good for it."""
        return self._scopes[settings.MICROSOFT_SCOPES]

    @property
    def permissions_page(self) -> str:
        """Where people take back what they allowed; "" in a cloud for which Microsoft documents none."""
        return self._permissions_pages.get(settings.MICROSOFT_CLOUD, "")

    def begin(
        self, trail: Trail, *, redirect_uri: str, state: str, login_hint: str = "", claims: str = ""
    ) -> dict[str, Any]:
        return oauth.begin(
            self.scopes,
            authority=self.authority,
            redirect_uri=redirect_uri,
            state=state,
            trail=trail,
            login_hint=login_hint,
            claims=claims,
        )

    def finish(self, trail: Trail, flow: Mapping[str, Any], answer: Mapping[str, str]) -> SignedIn:
        account = oauth.finish(flow, answer, authority=self.authority, trail=trail)
        self._check_kind(account)
        if not any(scope.startswith("Calendars.") for scope in account.scopes):
            raise PermissionMissing("no calendar scope was granted")
        return account

    def _check_kind(self, account: SignedIn) -> None:
        """Whatever door Microsoft let it in by: the scopes and the authority of the other would be wrong for it."""
        personal = account.account_id.endswith(f".{_CONSUMERS_ID}")
        if personal and self.authority != "consumers":
            raise WrongDoor("a personal account", code="DOOR-2", account=account.email)
        if not personal and self.authority == "consumers":
            raise WrongDoor("a work account", code="DOOR-4", account=account.email)

    def open(self, connection: CalendarConnection, before_each: Callable[[], None], trail: Trail) -> GraphClient:
        session = Session(trail, before_each)
        tokens = oauth.Tokens(
            connection.secret.payload["cache"],
            connection.granted_scopes,
            lambda cache: connection.secret.keep({"cache": cache}),
            authority=self.authority,
            session=session,
        )
        calendars = [scope for scope in connection.granted_scopes if scope.startswith("Calendars.")]
        only_shared = all(scope.endswith(".Shared") for scope in calendars)
        return GraphClient(GraphReader(session, tokens.access_token, only_shared=only_shared))


# The guide's scopes are its seven, to the letter: consent given once must not be asked for again. Reading one's own
# calendar takes no more than Calendars.Read (https://learn.microsoft.com/graph/api/user-list-calendarview).
WORK = Microsoft(
    key="microsoft-work",
    name=_("Outlook Calendar (Microsoft 365 / Exchange Online)"),
    hint=_("Work, school, or university account"),
    note=_(
        "The first account of an organization needs an admin's approval: Microsoft asks for an admin's sign-in once. "
        "After that, everybody there connects without it."
    ),
    authority="organizations",
    scopes={
        "guide": (
            "offline_access",
            "openid",
            "profile",
            "User.Read",
            "Calendars.ReadWrite.Shared",
            "Contacts.ReadWrite.Shared",
            "OnlineMeetings.ReadWrite",
        ),
        "minimal": ("offline_access", "openid", "profile", "Calendars.Read"),
    },
    permissions_pages={"global": "myapps.microsoft.com"},
    taking_back=_("What an admin approved for the whole organization, only an admin can take back."),
)

# The guide's six. Of the work account's, personal accounts cannot give those that are shared, nor online meetings, and
# Microsoft leaves them out of the answer without a word.
PERSONAL = Microsoft(
    key="microsoft-personal",
    name=_("Outlook Calendar (Personal Microsoft Account / Exchange Online)"),
    hint=_("Outlook.com, Hotmail or Live account"),
    note=_("You give the permission yourself; nobody has to approve it."),
    authority="consumers",
    scopes={
        "guide": ("email", "offline_access", "openid", "User.Read", "Calendars.ReadWrite", "Contacts.ReadWrite"),
        "minimal": ("email", "offline_access", "openid", "Calendars.Read"),
    },
    permissions_pages={"global": "account.live.com/consent/Manage"},
)


class GraphReader:
    """All that is ever sent to Graph: GET, and ``$batch`` of GETs. Whoever holds it cannot write.

    ``only_shared``: the token's permissions for calendars all name shared ones too.
    """

    def __init__(self, session: Session, token: Callable[..., str], *, only_shared: bool = False) -> None:
        self.__session, self.__token, self.__only_shared = session, token, only_shared
        self.root = f"{settings.MICROSOFT_GRAPH_URL}/v1.0"

    def get(self, url: str, parameters: Mapping[str, str] | None = None) -> requests.Response:
        headers = {"Prefer": _PREFER, "Accept": "application/json"}
        response = self.__authorized("GET", url, params=parameters, headers=headers)
        # Microsoft documents that such a permission opens one's own calendar; nobody here could try on a real tenant.
        if self.__only_shared and url.endswith("/me/calendarView") and _is_denied(response):
            raise PermissionMissing("Graph: 403 with .Shared permissions alone", code="SHARED-ONLY")
        return response

    def get_many(self, urls: Sequence[str]) -> list[dict[str, Any]]:
        """Answers to at most 20 relative addresses, each with its position as ``id``, in no order."""
        gets = [
            {"id": str(number), "method": "GET", "url": url, "headers": {"Prefer": _PREFER}}
            for number, url in enumerate(urls)
        ]
        response = self.__authorized("POST", f"{self.root}/$batch", json={"requests": gets})
        answers = _items(_content(response), "responses")
        self.found(len(answers))
        return answers

    def found(self, items: int) -> None:
        """So many items were in the last answer, for the access log."""
        self.__session.trail.found(items)

    def close(self) -> None:
        self.__session.close()

    def __authorized(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, **rest: Any
    ) -> requests.Response:
        """Ask with the token at hand; one that was withdrawn early is renewed once, with the claims that are wanted."""

        def ask(token: str) -> requests.Response:
            signed = {**(headers or {}), "Authorization": f"Bearer {token}"}
            return send(self.__session, method, url, headers=signed, **rest)

        response = ask(self.__token())
        if response.status_code == 401:
            response = ask(self.__token(renew=True, claims=_challenge(response)))
        return response


class GraphClient:
    """The default calendar of the person who signed in."""

    def __init__(self, graph: GraphReader) -> None:
        self._graph = graph

    def poll(self, cursor: str) -> Poll:
        """Graph's delta is not used yet: every sync reads the window."""
        return Poll(Changed.UNKNOWN, cursor)

    def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
        url = f"{self._graph.root}/me/calendarView"
        parameters: dict[str, str] | None = {
            "startDateTime": _graph_time(window.start),
            "endDateTime": _graph_time(window.end),
            "$select": _LISTED,
            "$top": str(PAGE_SIZE),
            "$orderby": "start/dateTime",
        }
        found: dict[str, RemoteEvent | None] = {}  # None: known as it is
        unreadable = pages = 0
        while url:
            answer = _content(self._graph.get(url, parameters))
            pages += 1
            before = len(found)
            items = _items(answer)
            self._graph.found(len(items))
            for item in items:
                id, version = item.get("id"), _version(item)
                if isinstance(id, str) and known.get(id) == version:
                    found[id] = None
                elif event := _event(item, version):
                    found[event.id] = event  # the same id twice: the later answer is the newer one
                elif not _is_master(item):
                    unreadable += 1
            url, parameters = self._next_page(answer), None
            # Graph has been seen to send the same page for ever with ever new links (msgraph-sdk-dotnet#3070).
            if url and (pages >= MOST_PAGES or (items and len(found) == before)):
                raise UnexpectedAnswer("calendarView: paging does not end", code="PAGES")
        unchanged = [id for id, event in found.items() if event is None]
        return Listing(filter(None, found.values()), unchanged=unchanged, pages=pages, unreadable=unreadable)

    def fill(self, events: Sequence[RemoteEvent]) -> list[RemoteEvent]:
        """Plain occurrences take their body from one read of their series' master."""
        sources = {event.id: event.series_id if event.kind is Kind.OCCURRENCE else event.id for event in events}
        bodies = self._read(sorted(set(sources.values())), f"{_LISTED},body")
        return [
            dataclasses.replace(event, body=_body(bodies[sources[event.id]]), partial=False)
            for event in events
            if sources[event.id] in bodies
        ]

    def event(self, id: str) -> RemoteEvent | None:
        url = f"{self._graph.root}/me/events/{quote(id, safe='')}"
        answer = _content(self._graph.get(url, {"$select": f"{_LISTED},body"}), missing={})
        event = _event(answer)
        self._graph.found(1 if event else 0)
        return dataclasses.replace(event, body=_body(answer)) if event else None

    def find(self, ids: Sequence[str]) -> list[RemoteEvent]:
        found = self._read(ids, _LISTED)
        return [event for event in map(_event, found.values()) if event]

    def close(self) -> None:
        self._graph.close()

    def _read(self, ids: Sequence[str], select: str) -> dict[str, Mapping[str, Any]]:
        """The events' raw answers by id; those that are gone are left out, and those refused while others are not."""
        found: dict[str, Mapping[str, Any]] = {}
        refused: Exception | None = None
        for chunk in _chunks(ids, BATCH_SIZE):
            asked = {str(number): id for number, id in enumerate(chunk)}
            for item in self._graph.get_many([f"/me/events/{quote(id, safe='')}?$select={select}" for id in chunk]):
                id, status, headers = asked.get(str(item.get("id"))), item.get("status"), _part(item, "headers")
                if id is None or not isinstance(status, int):
                    raise UnexpectedAnswer("$batch: an answer to nothing that was asked")
                check(status, headers, "GET /me/events (batch)")
                content = _part(item, "body")
                if status == 200:
                    found[id] = content
                elif status in (401, 410):
                    raise _refusal(status, content)
                elif not _is_missing(status, content):
                    refused = _refusal(status, content)
        if refused and not found:
            raise refused
        return found

    def _next_page(self, answer: Mapping[str, Any]) -> str:
        link = str(answer.get("@odata.nextLink") or "")
        if link and not link.startswith(f"{self._graph.root}/"):  # it will be sent the token
            raise UnexpectedAnswer("calendarView: nextLink leads elsewhere", code="LINK")
        return link


def _content(response: requests.Response, missing: Any = None) -> Any:
    """The JSON object of an answer; ``missing`` for an item that does not exist, unless that is None."""
    try:
        content: Any = response.json()
    except (ValueError, RecursionError):
        if response.status_code == 401:
            raise _refusal(401, {}, _challenge(response)) from None
        raise Unavailable(f"Graph: {response.status_code} without JSON") from None
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer("Graph: the answer is no object")
    if response.status_code == 200:
        return content
    if missing is not None and _is_missing(response.status_code, content):
        return missing
    raise _refusal(response.status_code, content, _challenge(response))


def _challenge(response: requests.Response) -> str:
    """The claims that Graph wants proved, "" where it names none.

    They stand base64-encoded in WWW-Authenticate (https://learn.microsoft.com/entra/identity-platform/claims-challenge).
    """
    found = _CLAIMS.search(response.headers.get("WWW-Authenticate", ""))
    try:
        return oauth.challenge(base64.b64decode(found[1] + "=" * (-len(found[1]) % 4)).decode()) if found else ""
    except ValueError:
        return ""


def _error_code(content: Mapping[str, Any]) -> str:
    error = content.get("error")
    return clean(error.get("code"), 60) if isinstance(error, dict) else ""


def _is_denied(response: requests.Response) -> bool:
    if response.status_code != 403:  # before anything is read: an answer with a thousand events is read once
        return False
    try:
        content = response.json()
    except (ValueError, RecursionError):
        return False
    return isinstance(content, Mapping) and _error_code(content) == "ErrorAccessDenied"


def _is_missing(status: int, content: Mapping[str, Any]) -> bool:
    return status == 404 and _error_code(content) in ("ErrorItemNotFound", "itemNotFound", "ResourceNotFound")


_CLAIMS = re.compile(r'claims="([\w+/=-]{1,6000})"', re.ASCII)
_NO_MAILBOX = {"mailboxnotenabledforrestapi", "mailboxnotsupportedforrestapi", "resourcenotfound"}


def _refusal(status: int, content: Mapping[str, Any], claims: str = "") -> Exception:
    """Graph's 4xx as one of ours."""
    code = _error_code(content)
    detail = f"Graph: {status} {code}"
    if status == 401:
        return ReconnectNeeded(detail, code="MFA" if claims else "GRAPH-401", claims=claims)
    if code.lower() in _NO_MAILBOX:
        return WrongDoor(detail, code="DOOR-1")
    if status == 403:
        return PermissionMissing(detail, code="GRAPH-403")
    if status == 410:
        return CursorExpired(detail)
    return UnexpectedAnswer(detail, code=f"GRAPH-{status}")


def _items(answer: Mapping[str, Any], name: str = "value") -> list[dict[str, Any]]:
    items = answer.get(name)
    if not isinstance(items, list):
        raise UnexpectedAnswer(f"Graph: no {name}")
    return [item if isinstance(item, dict) else {} for item in items]


def _is_master(item: Mapping[str, Any]) -> bool:
    return item.get("type") == "seriesMaster"


_DAY_IN_UID = re.compile(r"\A(040000008200E00074C5B7101A82E008)[0-9A-F]{8}", re.IGNORECASE | re.ASCII)
_KINDS = {"occurrence": Kind.OCCURRENCE, "exception": Kind.EXCEPTION}
_RESPONSES = {
    "organizer": Response.ORGANIZER,
    "accepted": Response.ACCEPTED,
    "tentativelyAccepted": Response.TENTATIVE,
    "declined": Response.DECLINED,
}
_SHOW_AS = {
    "free": ShowAs.FREE,
    "tentative": ShowAs.TENTATIVE,
    "busy": ShowAs.BUSY,
    "oof": ShowAs.OUT_OF_OFFICE,
    "workingElsewhere": ShowAs.ELSEWHERE,
}


def _version(item: Mapping[str, Any]) -> str:
    """A digest over all that is listed of an item, its change key among it.

    Made by marshal's version 2, which has no references: equal items are equal bytes, in a seventh of json.dumps' time.
    Should Python change that format, all events are looked at once more.
    """
    try:
        listed = marshal.dumps([item.get(name) for name in _NAMES], 2)
    except ValueError:
        raise UnexpectedAnswer("Graph: an event is nested too deeply") from None
    return "2:" + hashlib.blake2b(listed, digest_size=16).hexdigest()


def _event(item: Mapping[str, Any], version: str = "") -> RemoteEvent | None:
    """One item of a listing; None without an id or usable times. Everything else that is odd is mended."""
    id = item.get("id")
    times = _times(item)
    if not isinstance(id, str) or not 0 < len(id) <= LONGEST_ID or times is None or _is_master(item):
        return None
    start, end, start_date, end_date = times
    kind = _KINDS.get(str(item.get("type")), Kind.SINGLE)
    original = _instant(item.get("originalStart")) if kind is not Kind.SINGLE else None
    sensitivity = item.get("sensitivity")
    is_organizer = item.get("isOrganizer") is True
    return RemoteEvent(
        id=id,
        calendar_id=PRIMARY,
        version=version or _version(item),
        kind=kind,
        series_id=clean(item.get("seriesMasterId"), LONGEST_ID),
        ical_uid=_uid(clean(item.get("iCalUId"), LONGEST_ID)),
        original_start=original or (start if kind is not Kind.SINGLE else None),
        subject=clean(item.get("subject"), LONGEST_SUBJECT),
        start=start,
        end=end,
        start_date=start_date,
        end_date=end_date,
        cancelled=item.get("isCancelled") is True,
        private=sensitivity in ("private", "personal"),
        confidential=sensitivity == "confidential",
        response=_RESPONSES.get(str(_part(item, "responseStatus").get("response")), Response.NONE),
        show_as=_SHOW_AS.get(str(item.get("showAs")), ShowAs.UNKNOWN),
        is_organizer=is_organizer,
        organizer=_person(_part(item, "organizer")),
        attendees=tuple(_attendees(item.get("attendees"))),
        attendees_hidden=item.get("hideAttendees") is True and not is_organizer,  # who hides them sees all
        location=clean(_part(item, "location").get("displayName"), LONGEST_LOCATION),
        online_url=clean(_part(item, "onlineMeeting").get("joinUrl") or item.get("onlineMeetingUrl"), LONGEST_URL),
    )


def _part(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = item.get(name)
    return part if isinstance(part, dict) else {}


def _person(holder: Mapping[str, Any]) -> Person:
    address = _part(holder, "emailAddress")
    return Person(clean(address.get("name"), LONGEST_NAME), clean(address.get("address"), LONGEST_ADDRESS))


def _uid(text: str) -> str:
    """The same for all of a series, whether or not Graph names the occurrence's day in it.

    It is documented to differ and seen not to: https://github.com/microsoftgraph/microsoft-graph-docs/issues/17479.
    Without the day it is what Outlook calls the clean global object id, which all instances of a series share:
    https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxocal/3a11139f-52fa-4d2d-9b43-9f3007e38f08
    """
    return _DAY_IN_UID.sub(r"\g<1>00000000", text)


def _attendees(items: object) -> Iterator[Attendee]:
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            person = _person(item)
            kind = item.get("type") if item.get("type") in ("optional", "resource") else "required"
            response = _RESPONSES.get(str(_part(item, "status").get("response")), Response.NONE)
            yield Attendee(person.name, person.address, str(kind), response)


def _body(item: Mapping[str, Any]) -> str:
    return clean(_part(item, "body").get("content"), LONGEST_BODY)


def _times(item: Mapping[str, Any]) -> tuple[datetime, datetime, date | None, date | None] | None:
    if item.get("isAllDay") is True:
        # Midnight to midnight, whatever the zone asked for: dates, not instants.
        first, last = _day(item.get("start")), _day(item.get("end"))
        if first is None or last is None:
            return None
        last = max(last, first + timedelta(days=1))
        return _midnight(first), _midnight(last), first, last
    start, end = _local(item.get("start")), _local(item.get("end"))
    if start is None or end is None:
        return None
    return start, max(start, end), None, None


def _day(value: object) -> date | None:
    moment = _parsed(value.get("dateTime")) if isinstance(value, dict) else None
    return moment and moment.date()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _local(value: object) -> datetime | None:
    """Graph's dateTimeTimeZone, in UTC. A zone that nobody knows is taken as UTC, for that was asked for."""
    if not isinstance(value, dict):
        return None
    moment = _parsed(value.get("dateTime"))
    if moment is None or moment.tzinfo:
        return moment and moment.astimezone(UTC)
    try:
        zone = zoneinfo.ZoneInfo(str(value.get("timeZone") or "UTC"))
        return moment.replace(tzinfo=zone).astimezone(UTC)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return moment.replace(tzinfo=UTC)


def _instant(value: object) -> datetime | None:
    moment = _parsed(value)
    return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))


def _parsed(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    # Year 1 is Graph's "never"; and nothing near the ends of time survives a change of zone.
    return moment if 1900 <= moment.year <= 9000 else None


def _graph_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
