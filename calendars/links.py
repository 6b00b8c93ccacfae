"""Finds the address by which a meeting is joined. So far: the one that the calendar names in a field of its own."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from integrations.events import RemoteEvent

# Host names, or ends of them, by which a service is known.
_SERVICES = {
    "teams.microsoft.com": "teams",
    "teams.live.com": "teams",
    "meet.google.com": "meet",
    "zoom.us": "zoom",
    "webex.com": "webex",
}


@dataclass(frozen=True, slots=True)
class MeetingLink:
    """``service`` is empty for one that Sally does not know; ``complete`` says that no passcode is missing."""

    url: str
    service: str
    complete: bool = True


def find_in_field(event: RemoteEvent) -> MeetingLink | None:
    """The link in the event's own field for it. Anything but https is no link: it ends up behind a Join button."""
    try:
        parts = urlsplit(event.online_url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    if parts.scheme != "https" or not host or parts.username is not None or any(c.isspace() for c in event.online_url):
        return None
    service = next((name for end, name in _SERVICES.items() if host == end or host.endswith("." + end)), "")
    return MeetingLink(event.online_url, service)
