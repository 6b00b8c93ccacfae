"""The EWS operations that Sally uses: what they ask for, and their answers as elements. None of them writes.

https://learn.microsoft.com/exchange/client-developer/web-service-reference/ews-operations-in-exchange
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exchangelib.errors import ErrorBatchProcessingStopped, EWSError
from lxml.builder import ElementMaker

from integrations.errors import UnexpectedAnswer
from integrations.events import Window
from integrations.providers.exchange import failures, library
from integrations.providers.exchange.library import MNS, TNS, Channel

# The most that a listing asks for at once: Exchange's own default limit (EWSFindCountLimit).
MOST_LISTED = 1000
# The most changes in one answer of SyncFolderItems.
MOST_CHANGES = 512
# Characters; of a calendar with 10,000 items it is some hundred thousand.
LONGEST_STATE = 2_000_000
_NUMBER = re.compile("[0-9]{1,9}")
PLACEHOLDER = "nobody@placeholder.invalid"

# FindItem gives all of them, though exchangelib asks item by item for some: only bodies and people are missing there
# (https://learn.microsoft.com/exchange/client-developer/web-service-reference/finditem-operation).
LISTED = (
    "item:Subject",
    "item:Sensitivity",
    "calendar:Start",
    "calendar:End",
    "calendar:StartTimeZone",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
    "calendar:Location",
    "calendar:IsCancelled",
    "calendar:CalendarItemType",
    "calendar:MyResponseType",
    "calendar:Organizer",
    "calendar:AppointmentState",
    "calendar:UID",
    "calendar:RecurrenceId",
)
_PEOPLE = ("calendar:RequiredAttendees", "calendar:OptionalAttendees", "calendar:Resources")
_LINKS = ("calendar:MeetingWorkspaceUrl", "calendar:NetShowUrl")
_LINKS_SINCE_2013 = ("calendar:JoinOnlineMeetingUrl",)
# Where Teams' and Skype's add-ins for Outlook keep the link, as named properties.
LINK_PROPERTIES = ("SkypeTeamsMeetingUrl", "OnlineMeetingExternalLink", "OnlineMeetingConfLink")
_RULE = ("calendar:Recurrence", "calendar:ModifiedOccurrences", "calendar:DeletedOccurrences")

_M = ElementMaker(namespace=MNS, nsmap={"m": MNS, "t": TNS})
_T = ElementMaker(namespace=TNS, nsmap={"m": MNS, "t": TNS})


@dataclass(frozen=True)
class Found:
    """A page of a listing. ``complete``: it is the last; ``total``: how many there are, as far as the server says."""

    items: Sequence[Any]
    complete: bool
    total: int


@dataclass(frozen=True)
class Changes:
    """What changed in the calendar's own items since a state. ``complete``: there is no more for now."""

    count: int
    state: str
    complete: bool


class Mailbox:
    """What can be asked of one mailbox, over one channel. Raises ``integrations.errors``."""

    def __init__(self, channel: Channel, host: str) -> None:
        self.channel, self._host = channel, host

    def close(self) -> None:
        self.channel.close()

    def _send(self, operation: type[library.Operation], payload: Any) -> list[Any]:
        with failures.translated(self._host):
            return operation(protocol=self.channel).send(payload)

    # -- the calendar ---------------------------------------------------------------------------------------------

    def view(self, window: Window, most: int = MOST_LISTED) -> Found:
        """What a calendar shows in ``window``, at most so many: occurrences expanded, if the server does that."""
        span = {"MaxEntriesReturned": str(most), "StartDate": _written(window.start), "EndDate": _written(window.end)}
        return self._find(_M.CalendarView(**span), LISTED)

    def page(self, offset: int) -> Found:
        """The calendar's own items, without occurrences, from this position on: ids and types."""
        view = {"MaxEntriesReturned": str(MOST_LISTED), "Offset": str(offset), "BasePoint": "Beginning"}
        return self._find(_M.IndexedPageItemView(**view), ("calendar:CalendarItemType",))

    def _find(self, view: Any, names: Sequence[str]) -> Found:
        payload = _M.FindItem(_item_shape(names), view, _M.ParentFolderIds(_distinguished("calendar")))
        payload.set("Traversal", "Shallow")
        (root,) = self._one(library.FindItem, payload)
        items = root.find(f"{{{TNS}}}Items")
        complete = root.get("IncludesLastItemInRange", "true").lower() in ("true", "1")
        total = root.get("TotalItemsInView", "0")
        listed = list(items) if items is not None else []
        self.channel.trail.found(len(listed))
        return Found(listed, complete, int(total) if _NUMBER.fullmatch(total) else 0)

    def items(self, ids: Iterable[str]) -> list[Any]:
        """These items as listed; those that are gone are left out."""
        return self._get(ids, LISTED)

    def whole_items(self, ids: Iterable[str]) -> list[Any]:
        """These with body, people and links; those that are gone are left out."""
        since_2013 = () if self.channel.version.startswith("Exchange2010") else _LINKS_SINCE_2013
        names = (*LISTED, "item:Body", *_PEOPLE, *_LINKS, *since_2013)
        return self._get(ids, names, _T.BodyType("HTML"), LINK_PROPERTIES)

    def series(self, ids: Iterable[str]) -> list[Any]:
        """These with the rule by which they recur."""
        return self._get(ids, (*LISTED, *_RULE))

    def _get(
        self, ids: Iterable[str], names: Sequence[str], body: Any = None, properties: Sequence[str] = ()
    ) -> list[Any]:
        wanted = [_T.ItemId(Id=id) for id in ids]
        if not wanted:
            return []
        payload = _M.GetItem(_item_shape(names, body, properties), _M.ItemIds(*wanted))
        found = self._send(library.GetItem, payload)
        # One answer for each: what is not answered is not gone, and must not be taken for it.
        if len(found) != len(wanted) or any(isinstance(one, bool | ErrorBatchProcessingStopped) for one in found):
            raise UnexpectedAnswer("GetItem: not an answer for each", code="EWS-ANSWER")
        read = [one for one in found if not isinstance(one, Exception)]
        self.channel.trail.found(len(read))
        return read

    def changes(self, state: str) -> Changes:
        """What changed since ``state``; "" begins with all there is. Only ids are asked for."""
        shape = _M.ItemShape(_T.BaseShape("IdOnly"))
        sync_state = [_M.SyncState(state)] if state else []
        most = _M.MaxChangesReturned(str(MOST_CHANGES))
        payload = _M.SyncFolderItems(shape, _M.SyncFolderId(_distinguished("calendar")), *sync_state, most)
        (answer,) = self._one(library.SyncFolderItems, payload)
        changes = answer.find(f"{{{MNS}}}Changes")
        last = (answer.findtext(f"{{{MNS}}}IncludesLastItemInRange") or "true").strip().lower()
        new_state = (answer.findtext(f"{{{MNS}}}SyncState") or "").strip()
        if len(new_state) > LONGEST_STATE:
            new_state = ""  # which is as good as none: everything is read, and nothing kept
        count = len(changes) if changes is not None else 0
        self.channel.trail.found(count)
        return Changes(count, new_state, last in ("true", "1"))

    # -- whose it is ----------------------------------------------------------------------------------------------

    def address(self) -> str:
        """The mailbox's primary address, "" where the server does not tell.

        The root folder's id names its mailbox when it is converted: so DavMail finds it, for any kind of user name.
        """
        payload = _M.GetFolder(_M.FolderShape(_T.BaseShape("IdOnly")), _M.FolderIds(_distinguished("root")))
        (folder,) = self._one(library.GetFolder, payload)
        found = folder.find(f"{{{TNS}}}FolderId")
        id = found.get("Id", "") if found is not None else ""
        source = _T.AlternateId(Format="EwsId", Id=id, Mailbox=PLACEHOLDER)
        convert = _M.ConvertId(_M.SourceIds(source), DestinationFormat="EwsId")
        (answer,) = self._one(library.ConvertId, convert)
        converted = answer.find(f"{{{MNS}}}AlternateId")
        address = converted.get("Mailbox", "") if converted is not None else ""
        return "" if address.lower() == PLACEHOLDER else address

    def resolve(self, name: str) -> str:
        """The one address in the server's address book that belongs to a user's name.

        Exchange answers none or several of them with an error, which makes ``UnexpectedAnswer``.
        """
        with failures.translated(self._host):  # a name with characters that XML forbids is nobody's
            payload = _M.ResolveNames(_M.UnresolvedEntry(name), ReturnFullContactData="false")
        (answer,) = self._one(library.ResolveNames, payload)
        found = [one.text or "" for one in answer.iter(f"{{{TNS}}}EmailAddress")]
        return found[0] if len(found) == 1 else ""

    def _one(self, operation: type[library.Operation], payload: Any) -> list[Any]:
        """The one element of an answer, in a list. Raises what the server put in its place."""
        found = self._send(operation, payload)
        with failures.translated(self._host):
            for one in found:
                if isinstance(one, EWSError):
                    raise one
            if len(found) != 1 or isinstance(found[0], bool):
                raise ValueError("not one element")
        return found


def _item_shape(names: Sequence[str], body: Any = None, properties: Sequence[str] = ()) -> Any:
    fields = [_T.FieldURI(FieldURI=name) for name in names]
    named = [
        _T.ExtendedFieldURI(DistinguishedPropertySetId="PublicStrings", PropertyName=name, PropertyType="String")
        for name in properties
    ]
    formats = [body] if body is not None else []
    return _M.ItemShape(_T.BaseShape("IdOnly"), *formats, _T.AdditionalProperties(*fields, *named))


def _distinguished(name: str) -> Any:
    """A folder of whoever signed in."""
    return _T.DistinguishedFolderId(Id=name)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
