"""Items as Exchange sends them, read into events: every oddity is mended, or costs one event and no more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from integrations.events import (
    LONGEST_ADDRESS,
    LONGEST_BODY,
    LONGEST_ID,
    LONGEST_LOCATION,
    LONGEST_NAME,
    LONGEST_SUBJECT,
    LONGEST_URL,
    Attendee,
    Kind,
    Person,
    RemoteEvent,
    Response,
    ShowAs,
    clean,
)
from integrations.providers.exchange.library import MS_TIMEZONE_TO_IANA_MAP, TNS
from integrations.providers.exchange.operations import LINK_PROPERTIES

CALENDAR = "calendar"
MASTER = "RecurringMaster"
DATES = ("Occurrence", "Exception")
# A listing cuts texts here, an item read alone does not: for the version both count alike.
_CUT = 255
_DAY = timedelta(days=1)
_RECEIVED, _CANCELLED = 2, 4  # bits of AppointmentState

_KINDS = {"Occurrence": Kind.OCCURRENCE, "Exception": Kind.EXCEPTION}
_RESPONSES = {
    "Organizer": Response.ORGANIZER,
    "Accept": Response.ACCEPTED,
    "Tentative": Response.TENTATIVE,
    "Decline": Response.DECLINED,
}
_SHOW_AS = {
    "Free": ShowAs.FREE,
    "Tentative": ShowAs.TENTATIVE,
    "Busy": ShowAs.BUSY,
    "OOF": ShowAs.OUT_OF_OFFICE,
    "WorkingElsewhere": ShowAs.ELSEWHERE,
}
_ATTENDEES = {"RequiredAttendees": "required", "OptionalAttendees": "optional", "Resources": "resource"}
# One in the server's address book; "PrivateDL" is a group among its owner's contacts, "GroupMailbox" a team's mailbox.
_PUBLIC_LIST = "PublicDL"
_LINKS = ("JoinOnlineMeetingUrl", "MeetingWorkspaceUrl", "NetShowUrl")
_VERSIONED = (
    "Subject",
    "Sensitivity",
    "Start",
    "End",
    "IsAllDayEvent",
    "LegacyFreeBusyStatus",
    "Location",
    "IsCancelled",
    "CalendarItemType",
    "MyResponseType",
    "AppointmentState",
    "UID",
    "RecurrenceId",
)


def id_of(item: Any) -> str:
    """The item's id, which tells upper from lower case; "" where it has none."""
    found = item.find(f"{{{TNS}}}ItemId")
    return str(found.get("Id", "")) if found is not None else ""


def type_of(item: Any) -> str:
    return text_of(item, "CalendarItemType")


def text_of(item: Any, path: str) -> str:
    """The text at ``path`` (as in "Organizer/Mailbox/Name"), "" where there is none."""
    found = item.find("/".join(f"{{{TNS}}}{name}" for name in path.split("/")))
    return (found.text or "").strip() if found is not None else ""


def version_of(item: Any) -> str:
    """A digest over the change key, which a series shares with all its occurrences, and over what is listed."""
    key = item.find(f"{{{TNS}}}ItemId")
    listed = [key.get("ChangeKey", "") if key is not None else "", _organizer_name(item)]
    listed += [text_of(item, name)[:_CUT] for name in _VERSIONED]
    return "e1:" + hashlib.blake2b("\0".join(listed).encode("utf-8", "replace"), digest_size=16).hexdigest()


def event_of(item: Any, home: ZoneInfo, version: str = "") -> RemoteEvent | None:
    """One item of a listing; None without an id or usable times.

    ``home`` is the zone that counts for an all-day event whose own zone nobody knows.
    """
    id, times = id_of(item), times_of(item, home)
    if not 0 < len(id) <= LONGEST_ID or times is None:
        return None
    start, end, start_date, end_date = times
    kind = _KINDS.get(type_of(item), Kind.SINGLE)
    uid = clean(text_of(item, "UID"), LONGEST_ID)
    in_series = kind is not Kind.SINGLE
    response, is_organizer = _part_of_owner(item)
    return RemoteEvent(
        id=id,
        calendar_id=CALENDAR,
        version=version or version_of(item),
        kind=kind,
        # Of its series an occurrence names nothing but the UID.
        series_id=uid if in_series else "",
        ical_uid=uid,
        original_start=(moment_of(text_of(item, "RecurrenceId")) or start) if in_series else None,
        subject=clean(text_of(item, "Subject"), LONGEST_SUBJECT),
        start=start,
        end=end,
        start_date=start_date,
        end_date=end_date,
        cancelled=_is_true(text_of(item, "IsCancelled")) or bool(_state(item) & _CANCELLED),
        private=text_of(item, "Sensitivity") in ("Private", "Personal"),
        confidential=text_of(item, "Sensitivity") == "Confidential",
        response=response,
        show_as=_SHOW_AS.get(text_of(item, "LegacyFreeBusyStatus"), ShowAs.UNKNOWN),
        is_organizer=is_organizer,
        organizer=Person(clean(_organizer_name(item), LONGEST_NAME), _address(item, "Organizer/Mailbox/EmailAddress")),
        # Whether there are others whom the organizer hides, EWS has no property to tell (its CalendarItem:
        # https://learn.microsoft.com/exchange/client-developer/web-service-reference/calendaritem).
        attendees=tuple(_attendees(item)),
        location=clean(text_of(item, "Location"), LONGEST_LOCATION),
        online_url=_online_url(item),
        body=_body(item),
        partial=item.find(f"{{{TNS}}}Body") is None,
    )


def moment_of(text: str) -> datetime | None:
    """An instant in UTC, in whole seconds. Exchange writes a Z; what has no zone is taken to be UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1900 <= moment.year <= 9000:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(microsecond=0)


def zone_of(item: Any) -> ZoneInfo | None:
    """The zone that the item was made in; None for those that only its maker knows."""
    found = item.find(f"{{{TNS}}}StartTimeZone")
    names = (found.get("Id", ""), found.get("Name", "")) if found is not None else ()
    for name in names:
        try:
            return ZoneInfo(MS_TIMEZONE_TO_IANA_MAP.get(name) or name)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # "tzone://Microsoft/Custom"; a folder's name
            continue
    return None


def times_of(item: Any, home: ZoneInfo) -> tuple[datetime, datetime, date | None, date | None] | None:
    start, end = moment_of(text_of(item, "Start")), moment_of(text_of(item, "End"))
    if start is None or end is None:
        return None
    if not _is_true(text_of(item, "IsAllDayEvent")):
        return start, max(start, end), None, None
    zone = zone_of(item)
    first = _day_of(start, zone, home)
    last = max(_day_of(end, zone, home), first + _DAY)
    return _midnight(first), _midnight(last), first, last


def _day_of(moment: datetime, zone: ZoneInfo | None, home: ZoneInfo) -> date:
    """The day that begins at this instant, in the first zone where one does; else the nearest to it in UTC."""
    for one in (zone, home):
        local = moment.astimezone(one) if one else None
        if local and (local.hour, local.minute) == (0, 0):
            return local.date()
    return (moment + _DAY / 2).date()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1")


def _state(item: Any) -> int:
    text = text_of(item, "AppointmentState")
    return int(text) if text.isdigit() and len(text) < 6 else 0


def _part_of_owner(item: Any) -> tuple[Response, bool]:
    """The owner's answer, and whether the owner organizes it; an appointment of one's own counts as organized."""
    response = _RESPONSES.get(text_of(item, "MyResponseType"), Response.NONE)
    own = text_of(item, "AppointmentState").isdigit() and not _state(item) & _RECEIVED
    if own and response is Response.NONE:
        response = Response.ORGANIZER
    return response, response is Response.ORGANIZER


def _organizer_name(item: Any) -> str:
    return text_of(item, "Organizer/Mailbox/Name")


def _address(item: Any, path: str) -> str:
    """An SMTP address; those of the server's own directory (/o=Company/ou=…) are none."""
    text = clean(text_of(item, path), LONGEST_ADDRESS)
    return text if "@" in text else ""


def _attendees(item: Any) -> Iterator[Attendee]:
    for element, kind in _ATTENDEES.items():
        for one in item.iterfind(f"{{{TNS}}}{element}/{{{TNS}}}Attendee"):
            name = clean(text_of(one, "Mailbox/Name"), LONGEST_NAME)
            response = _RESPONSES.get(text_of(one, "ResponseType"), Response.NONE)
            is_list = text_of(one, "Mailbox/MailboxType") == _PUBLIC_LIST
            yield Attendee(name, _address(one, "Mailbox/EmailAddress"), "list" if is_list else kind, response)


def _body(item: Any) -> str | None:
    found = item.find(f"{{{TNS}}}Body")
    return clean(found.text or "", LONGEST_BODY) if found is not None else None


def _online_url(item: Any) -> str:
    candidates = [text_of(item, name) for name in _LINKS]
    named = {
        found.get("PropertyName", ""): text_of(one, "Value")
        for one in item.iterfind(f"{{{TNS}}}ExtendedProperty")
        for found in one.iterfind(f"{{{TNS}}}ExtendedFieldURI")
    }
    # The meeting's own first, then the add-ins', then what a person may have typed somewhere.
    candidates[1:1] = [named.get(name, "") for name in LINK_PROPERTIES]
    return next((clean(one, LONGEST_URL) for one in candidates if one.lower().startswith(("https://", "http://"))), "")
