"""What the words of a VEVENT say: who organizes it and what was answered, how it is shown, its texts and its link."""

import html
import re
from datetime import UTC, datetime
from typing import Any

from icalendar import Event

from sandbox.ics import every, stated

NEVER = "0001-01-01T00:00:00Z"
_SENSITIVITY = {"PRIVATE": "private", "CONFIDENTIAL": "confidential", "X-PERSONAL": "personal", "PERSONAL": "personal"}
_BUSY = {
    "FREE": "free",
    "TENTATIVE": "tentative",
    "BUSY": "busy",
    "OOF": "oof",
    "WORKINGELSEWHERE": "workingElsewhere",
}
_ANSWERS = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentativelyAccepted",
    "NEEDS-ACTION": "notResponded",
}


def address_of(value: Any) -> dict[str, str]:
    address = re.sub(r"(?i)^mailto:", "", str(value))
    name = getattr(value, "params", {}).get("CN", address)
    return {"name": str(name), "address": address}


def answer_of(attendee: Any) -> dict[str, str]:
    answer = _ANSWERS.get(str(attendee.params.get("PARTSTAT", "NEEDS-ACTION")).upper(), "none")
    return {"response": answer, "time": NEVER}


def part_of_owner(event: Event, owner: str) -> tuple[bool, dict[str, str]]:
    """Whether the owner organizes it, and the owner's answer; an appointment of one's own counts as organized."""
    organizer = event.get("ORGANIZER")
    if organizer is None or address_of(organizer)["address"].lower() == owner.lower():
        return True, {"response": "organizer", "time": NEVER}
    for attendee in every(event, "ATTENDEE"):
        if address_of(attendee)["address"].lower() == owner.lower():
            return False, answer_of(attendee)
    return False, {"response": "none", "time": NEVER}


def show_as(event: Event, response: str, cancelled: bool) -> str:
    named = _BUSY.get(str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper())
    if named:
        return named
    if cancelled or str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
        return "free"
    unsure = str(event.get("STATUS", "")).upper() == "TENTATIVE" or response in ("tentativelyAccepted", "notResponded")
    return "tentative" if unsure else "busy"


def join_url(event: Event) -> str:
    named = event.get("X-MICROSOFT-SKYPETEAMSMEETINGURL")
    if named:
        return str(named)
    conferences = [str(value) for value in every(event, "CONFERENCE")]
    return next((value for value in conferences if value.startswith("https://")), "")


def _plain(markup: str) -> str:
    without_breaks = re.sub(r"(?i)<br\s*/?>|</p>|</div>", "\n", re.sub(r"(?is)<(style|script).*?</\1>", "", markup))
    return html.unescape(re.sub(r"(?s)<[^>]*>", "", without_breaks)).strip()


def _unescaped(value: str) -> str:
    """A TEXT as it was meant (RFC 5545 3.3.11); icalendar leaves the values of X- properties as they stand."""
    return re.sub(r"\\([\\;,nN])", lambda found: "\n" if found[1] in "nN" else found[1], value)


def bodies(event: Event) -> tuple[str, str]:
    """The body as html and as text."""
    markup = next((_unescaped(str(value)) for value in every(event, "X-ALT-DESC")), "")
    text = str(event.get("DESCRIPTION", ""))
    if markup:
        return markup, text or _plain(markup)
    lines = "<br>\r\n".join(html.escape(line, quote=False) for line in text.split("\n"))
    return f"<html><head></head><body>\r\n<div>{lines}</div>\r\n</body></html>" if text else "", text


def importance(event: Event) -> str:
    """RFC 5545: 1 to 4 is high, 5 normal, 6 to 9 low, 0 undefined."""
    priority = int(event.get("PRIORITY", 0))
    return "high" if 1 <= priority <= 4 else "low" if priority >= 6 else "normal"


def categories(event: Event) -> list[str]:
    return [str(name) for value in every(event, "CATEGORIES") for name in getattr(value, "cats", [value])]


def sensitivity(event: Event) -> str:
    return _SENSITIVITY.get(str(event.get("CLASS", "")).upper(), "normal")


def is_cancelled(event: Event) -> bool:
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def is_room(attendee: Any) -> bool:
    return str(attendee.params.get("CUTYPE", "")).upper() in ("ROOM", "RESOURCE")


def is_list(attendee: Any) -> bool:
    return str(attendee.params.get("CUTYPE", "")).upper() == "GROUP"


def seen_attendees(event: Event, owner: str) -> list[Any]:
    """Those whom the mailbox's owner sees: themselves only, where somebody else organizes it and hides them."""
    attendees = every(event, "ATTENDEE")
    if not hides_attendees(event) or part_of_owner(event, owner)[0]:
        return attendees
    return [one for one in attendees if address_of(one)["address"].lower() == owner.lower()]


def hides_attendees(event: Event) -> bool:
    """iCalendar has no property for it: this one is the sandbox's own."""
    return str(event.get("X-MICROSOFT-HIDEATTENDEES", "")).upper() == "TRUE"


def stamp_of(event: Event, *names: str) -> datetime:
    """The first of these properties that is a time; a fixed day where none is, so that no change is seen in it."""
    for name in names:
        value = stated(event, name)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(2026, 1, 5, 8, tzinfo=UTC)
