"""A calendar item's properties that come from the words of its VEVENT."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from icalendar import Event

from sandbox import content
from sandbox.exchange import moments
from sandbox.exchange.shape import Shape
from sandbox.exchange.soap import Element, add, t
from sandbox.ics import every
from sandbox.mailbox import EXCEPTION, OCCURRENCE, Item, OpenMailbox

_BUSY = {"free": "Free", "tentative": "Tentative", "busy": "Busy", "oof": "OOF", "workingElsewhere": "WorkingElsewhere"}
_RESPONSES = {
    "organizer": "Organizer",
    "accepted": "Accept",
    "declined": "Decline",
    "tentativelyAccepted": "Tentative",
    "notResponded": "NoResponseReceived",
}
_CLASSES = {
    OCCURRENCE: "IPM.Appointment.Occurrence",
    EXCEPTION: "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}",
}
_MEETING, _RECEIVED, _CANCELLED = 1, 2, 4  # bits of AppointmentState (MS-OXOCAL 2.2.1.10)
TEAMS_FIELDS = ("SkypeTeamsMeetingUrl", "OnlineMeetingExternalLink", "OnlineMeetingConfLink")


@dataclass(frozen=True)
class Seen:
    """One item as one request sees it."""

    item: Item
    mailbox: OpenMailbox
    shape: Shape

    @property
    def event(self) -> Event:
        return self.item.event

    @property
    def response(self) -> str:
        return content.part_of_owner(self.event, self.mailbox.email)[1]["response"]

    @property
    def organizes(self) -> bool:
        return content.part_of_owner(self.event, self.mailbox.email)[0]

    @property
    def is_meeting(self) -> bool:
        return "ORGANIZER" in self.event or "ATTENDEE" in self.event


Write = Callable[[Seen, Element, str], None]


def truth(value: bool) -> str:
    return "true" if value else "false"


def plain(read: Callable[[Seen], str | None]) -> Write:
    """A property that is one text, left out where there is none."""

    def write(seen: Seen, parent: Element, name: str) -> None:
        text = read(seen)
        if text is not None:
            add(parent, t(name), seen.shape.cut(text))

    return write


def _mailbox(
    parent: Element, person: dict[str, str], *, name_only: bool = False, mailbox_type: str = "Mailbox"
) -> None:
    element = add(parent, t("Mailbox"))
    add(element, t("Name"), person["name"])
    if name_only or not person["address"]:
        return
    add(element, t("EmailAddress"), person["address"])
    add(element, t("RoutingType"), "SMTP")
    add(element, t("MailboxType"), mailbox_type)


def _organizer(seen: Seen, parent: Element, name: str) -> None:
    """A folder's table has the display name alone."""
    told = seen.event.get("ORGANIZER")
    owner = {"name": seen.mailbox.name, "address": seen.mailbox.email}
    person = content.address_of(told) if told is not None else owner
    _mailbox(add(parent, t(name)), person, name_only=seen.shape.listing)


def _kind(attendee: Any) -> str:
    if content.is_room(attendee):
        return "Resources"
    role = str(attendee.params.get("ROLE", "")).upper()
    return "OptionalAttendees" if role in ("OPT-PARTICIPANT", "NON-PARTICIPANT") else "RequiredAttendees"


def _attendees(seen: Seen, parent: Element, name: str) -> None:
    invited = [one for one in every(seen.event, "ATTENDEE") if _kind(one) == name]
    if not invited:
        return
    group = add(parent, t(name))
    for one in invited:
        attendee = add(group, t("Attendee"))
        mailbox_type = "PublicDL" if content.is_list(one) else "Mailbox"
        _mailbox(attendee, content.address_of(one), mailbox_type=mailbox_type)
        add(attendee, t("ResponseType"), _RESPONSES.get(content.answer_of(one)["response"], "Unknown"))


def _body(seen: Seen, parent: Element, name: str) -> None:
    markup, text = content.bodies(seen.event)
    as_text = seen.shape.text_body or name == "TextBody"
    add(parent, t(name), text if as_text else markup, BodyType="Text" if as_text else "HTML", IsTruncated="false")


def _categories(seen: Seen, parent: Element, name: str) -> None:
    named = content.categories(seen.event)
    if named:
        group = add(parent, t(name))
        for one in named:
            add(group, t("String"), one)


def write_rights(_owned: object, parent: Element, name: str) -> None:
    """An owner's: all that there is to do with a folder or an item."""
    rights = add(parent, t(name))
    for one in ("CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify", "Read"):
        add(rights, t(one), "true")
    add(rights, t("ViewPrivateItems"), "true")


def _state(seen: Seen) -> str:
    bits = _MEETING if seen.is_meeting else 0
    bits |= _RECEIVED if seen.is_meeting and not seen.organizes else 0
    return str(bits | (_CANCELLED if content.is_cancelled(seen.event) else 0))


def _invited(seen: Seen, *kinds: str) -> str:
    names = [content.address_of(one)["name"] for one in every(seen.event, "ATTENDEE") if _kind(one) in kinds]
    return "; ".join(names)


def _show_as(seen: Seen) -> str:
    return _BUSY[content.show_as(seen.event, seen.response, content.is_cancelled(seen.event))]


def public_string(seen: Seen, name: str) -> str:
    """Where online meetings leave their links; a Teams link is in the Teams field alone, any other in the others."""
    link = content.join_url(seen.event)
    teams = "X-MICROSOFT-SKYPETEAMSMEETINGURL" in seen.event
    if name == "UCMeetingSetting":
        return str(seen.event.get("X-MICROSOFT-UCMEETINGSETTING", ""))
    if name in TEAMS_FIELDS and link:
        return link if teams is (name == "SkypeTeamsMeetingUrl") else ""
    return ""


def _created(seen: Seen) -> str:
    return moments.write_stamp(content.stamp_of(seen.event, "CREATED", "DTSTAMP"))


def _modified(seen: Seen) -> str:
    return moments.write_stamp(content.stamp_of(seen.event, "LAST-MODIFIED", "DTSTAMP"))


WORDS: dict[str, Write] = {
    "ItemClass": plain(lambda seen: _CLASSES.get(seen.item.kind, "IPM.Appointment")),
    "Subject": plain(lambda seen: str(seen.event.get("SUMMARY", ""))),
    "Sensitivity": plain(lambda seen: content.sensitivity(seen.event).title()),
    "Body": _body,
    "UniqueBody": _body,
    "NormalizedBody": _body,
    "TextBody": _body,
    "DateTimeReceived": plain(_created),
    "Size": plain(lambda seen: str(len(seen.event.to_ical()))),
    "Categories": _categories,
    "Importance": plain(lambda seen: content.importance(seen.event).title()),
    "IsSubmitted": plain(lambda seen: "false"),
    "IsDraft": plain(lambda seen: "false"),
    "IsFromMe": plain(lambda seen: "false"),
    "IsResend": plain(lambda seen: "false"),
    "IsUnmodified": plain(lambda seen: "true"),
    "DateTimeSent": plain(_created),
    "DateTimeCreated": plain(_created),
    "ReminderIsSet": plain(lambda seen: truth(bool(seen.event.walk("VALARM")))),
    "ReminderMinutesBeforeStart": plain(lambda seen: "15"),
    "DisplayCc": plain(lambda seen: _invited(seen, "OptionalAttendees")),
    "DisplayTo": plain(lambda seen: _invited(seen, "RequiredAttendees", "Resources")),
    "HasAttachments": plain(lambda seen: truth(bool(every(seen.event, "ATTACH")))),
    "Culture": plain(lambda seen: "en-US"),
    "EffectiveRights": write_rights,
    "LastModifiedName": plain(lambda seen: seen.mailbox.name),
    "LastModifiedTime": plain(_modified),
    "IsAssociated": plain(lambda seen: "false"),
    "Preview": plain(lambda seen: content.bodies(seen.event)[1][:255]),
    "UID": plain(lambda seen: seen.item.series.uid),
    "DateTimeStamp": plain(_modified),
    "LegacyFreeBusyStatus": plain(_show_as),
    "Location": plain(lambda seen: str(seen.event.get("LOCATION", "")) or None),
    "IsMeeting": plain(lambda seen: truth(seen.is_meeting)),
    "IsCancelled": plain(lambda seen: truth(content.is_cancelled(seen.event))),
    "MeetingRequestWasSent": plain(lambda seen: truth(seen.is_meeting and seen.organizes)),
    "IsResponseRequested": plain(lambda seen: "true"),
    "MyResponseType": plain(lambda seen: _RESPONSES.get(seen.response, "Unknown")),
    "Organizer": _organizer,
    "RequiredAttendees": _attendees,
    "OptionalAttendees": _attendees,
    "Resources": _attendees,
    "AppointmentSequenceNumber": plain(lambda seen: str(int(seen.event.get("SEQUENCE", 0)))),
    "AppointmentState": plain(_state),
    "ConferenceType": plain(lambda seen: "0"),
    "AllowNewTimeProposal": plain(lambda seen: "true"),
    "IsOnlineMeeting": plain(lambda seen: truth(bool(content.join_url(seen.event)))),
    "IntendedFreeBusyStatus": plain(_show_as),
    "JoinOnlineMeetingUrl": plain(lambda seen: content.join_url(seen.event) or None),
    "IsOrganizer": plain(lambda seen: truth(seen.organizes)),
}
