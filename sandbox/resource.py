"""One thing of a mailbox as Graph's event resource."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from icalendar import Event

from sandbox.content import (
    address_of,
    answer_of,
    bodies,
    categories,
    hides_attendees,
    importance,
    is_cancelled,
    is_room,
    join_url,
    part_of_owner,
    seen_attendees,
    sensitivity,
    show_as,
    stamp_of,
)
from sandbox.ics import Wall, every
from sandbox.mailbox import MASTER, SINGLE, Item, OpenMailbox
from sandbox.recurrence import patterned
from sandbox.zones import windows_name

_ROLES = {"OPT-PARTICIPANT": "optional", "NON-PARTICIPANT": "optional"}
_TEAMS_HOSTS = ("teams.microsoft.com", "teams.live.com")


@dataclass(frozen=True)
class Wishes:
    """What a request's Prefer header asks of the resources in the answer."""

    zone: ZoneInfo
    zone_name: str = "UTC"
    text_body: bool = False
    immutable_ids: bool = False


def moment(value: datetime) -> str:
    """As Graph writes instants: UTC with seven digits of a second."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _when(value: Wall, at: datetime, wishes: Wishes) -> dict[str, str]:
    """All-day events are midnight to midnight in whatever zone was asked for; no zone moves them."""
    local = at.astimezone(wishes.zone) if isinstance(value, datetime) else at
    return {"dateTime": local.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0", "timeZone": wishes.zone_name}


def _attendee(value: Any) -> dict[str, Any]:
    kind = "resource" if is_room(value) else _ROLES.get(str(value.params.get("ROLE", "")).upper(), "required")
    return {"type": kind, "status": answer_of(value), "emailAddress": address_of(value)}


def _location(event: Event) -> dict[str, Any]:
    name = str(event.get("LOCATION", ""))
    if not name:
        return {
            "displayName": "",
            "locationType": "default",
            "uniqueIdType": "unknown",
            "address": {},
            "coordinates": {},
        }
    return {"displayName": name, "locationType": "default", "uniqueId": name, "uniqueIdType": "private"}


def _online(event: Event) -> dict[str, Any]:
    link = join_url(event)
    teams = bool(link) and (urlsplit(link).hostname or "").endswith(_TEAMS_HOSTS)
    return {
        "isOnlineMeeting": bool(link),
        "onlineMeetingProvider": "teamsForBusiness" if teams else "unknown",
        "onlineMeetingUrl": None,
        "onlineMeeting": {"joinUrl": link} if link else None,
    }


def _stamp(event: Event, *names: str) -> str:
    return moment(stamp_of(event, *names))


def _content(item: Item, mailbox: OpenMailbox, wishes: Wishes) -> dict[str, Any]:
    """What the words of the VEVENT say, whenever it takes place."""
    event = item.event
    organizes, response = part_of_owner(event, mailbox.email)
    cancelled = is_cancelled(event)
    markup, text = bodies(event)
    location = _location(event)
    organizer = event.get("ORGANIZER")
    owner = {"name": mailbox.name, "address": mailbox.email}
    return {
        "createdDateTime": _stamp(event, "CREATED", "DTSTAMP"),
        "lastModifiedDateTime": _stamp(event, "LAST-MODIFIED", "DTSTAMP"),
        "categories": categories(event),
        "transactionId": None,
        "originalStartTimeZone": windows_name(item.timing.zone_name),
        "originalEndTimeZone": windows_name(item.timing.zone_name),
        "iCalUId": item.series.uid,
        "reminderMinutesBeforeStart": 15,
        "isReminderOn": bool(event.walk("VALARM")),
        "hasAttachments": bool(every(event, "ATTACH")),
        "subject": str(event.get("SUMMARY", "")),
        "bodyPreview": text[:255],
        "importance": importance(event),
        "sensitivity": sensitivity(event),
        "isAllDay": item.timing.all_day,
        "isCancelled": cancelled,
        "isOrganizer": organizes,
        "responseRequested": True,
        "showAs": show_as(event, response["response"], cancelled),
        **_online(event),
        "allowNewTimeProposals": True,
        "isDraft": False,
        "hideAttendees": hides_attendees(event),
        "responseStatus": response,
        "body": {"contentType": "text", "content": text} if wishes.text_body else _html_body(markup),
        "location": location,
        "locations": [location] if location["displayName"] else [],
        "attendees": [_attendee(value) for value in seen_attendees(event, mailbox.email)],
        "organizer": {"emailAddress": address_of(organizer) if organizer is not None else owner},
    }


def _html_body(markup: str) -> dict[str, str]:
    return {"contentType": "html", "content": markup}


def _slot_day(item: Item, slot: datetime) -> date:
    return slot.date() if item.series.timing.all_day else slot.astimezone(item.series.timing.zone).date()


def _host(mailbox: OpenMailbox) -> str:
    return "outlook.live.com" if mailbox.personal else "outlook.office365.com"


def _undeclared(resource: dict[str, Any]) -> dict[str, Any]:
    """What events of personal mailboxes carry beside what Graph's reference names.

    Source: learn.microsoft.com/answers, question 712530; microsoftgraph/msgraph-metadata#827.
    """
    return {**resource, "uid": resource["iCalUId"], "IsRoomRequested": False, "AutoRoomBookingStatus": "None"}


def _place(item: Item, mailbox: OpenMailbox, wishes: Wishes) -> dict[str, Any]:
    """What belongs to this one thing: its ids, its times, its place in a series."""
    id = mailbox.id_of(item, immutable=wishes.immutable_ids)
    master_id = mailbox.master_id_of(item, immutable=wishes.immutable_ids)
    part = item.kind not in (SINGLE, MASTER) and item.slot is not None
    return {
        "id": id,
        "type": item.kind,
        "seriesMasterId": master_id,
        "originalStart": item.slot.strftime("%Y-%m-%dT%H:%M:%SZ") if part and item.slot else None,
        "occurrenceId": f"OID.{master_id}.{_slot_day(item, item.slot)}" if part and item.slot else None,
        "recurrence": patterned(item.series) if item.kind == MASTER else None,
        "webLink": f"https://{_host(mailbox)}/owa/?itemid={quote(id, safe='')}&exvsurl=1&path=/calendar/item",
        "start": _when(item.start, item.start_at, wishes),
        "end": _when(item.end, item.end_at, wishes),
    }


_UNCOUNTED = frozenset({"createdDateTime", "lastModifiedDateTime"})


def _change_key(resource: dict[str, Any]) -> str:
    counted = {name: value for name, value in resource.items() if name not in _UNCOUNTED}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:28]


class Writer:
    """Writes resources of one mailbox for one request; the words of a series are written once for all occurrences."""

    def __init__(self, mailbox: OpenMailbox, wishes: Wishes) -> None:
        self._mailbox = mailbox
        self._wishes = wishes
        self._plain_wishes = Wishes(zone=ZoneInfo("UTC"))
        self._contents: dict[int, tuple[dict[str, Any], str]] = {}

    def _shared(self, item: Item) -> tuple[dict[str, Any], str]:
        found = self._contents.get(id(item.event))
        if found is None:
            content = _content(item, self._mailbox, self._wishes)
            key = _change_key(_content(item, self._mailbox, self._plain_wishes))
            found = self._contents[id(item.event)] = (content, key)
        return found

    def write(self, item: Item, select: frozenset[str] | None = None) -> dict[str, Any]:
        """The whole resource, or the selected properties; id and etag always come along."""
        content, content_key = self._shared(item)
        place = _place(item, self._mailbox, self._wishes)
        # Not from the answer's own form: the key is the same in every zone and for either kind of id.
        times = [str(item.start_at), str(item.end_at), str(item.slot), item.kind, str(place["recurrence"])]
        change_key = _change_key({"content": content_key, "times": times})
        resource = {"@odata.etag": f'W/"{change_key}"', **place, **content, "changeKey": change_key}
        if select is None:
            return _undeclared(resource) if self._mailbox.personal else resource
        return {name: value for name, value in resource.items() if name in select or name in ("id", "@odata.etag")}


EVENT_PROPERTIES = frozenset(
    {
        "allowNewTimeProposals",
        "attendees",
        "body",
        "bodyPreview",
        "cancelledOccurrences",
        "categories",
        "changeKey",
        "createdDateTime",
        "end",
        "exceptionOccurrences",
        "hasAttachments",
        "hideAttendees",
        "iCalUId",
        "id",
        "importance",
        "isAllDay",
        "isCancelled",
        "isDraft",
        "isOnlineMeeting",
        "isOrganizer",
        "isReminderOn",
        "lastModifiedDateTime",
        "location",
        "locations",
        "occurrenceId",
        "onlineMeeting",
        "onlineMeetingProvider",
        "onlineMeetingUrl",
        "organizer",
        "originalEndTimeZone",
        "originalStart",
        "originalStartTimeZone",
        "recurrence",
        "reminderMinutesBeforeStart",
        "responseRequested",
        "responseStatus",
        "sensitivity",
        "seriesMasterId",
        "showAs",
        "start",
        "subject",
        "transactionId",
        "type",
        "webLink",
    }
)
