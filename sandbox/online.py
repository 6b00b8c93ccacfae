"""Where the link of an online meeting stands in an event: in a field of its own, the location, the body, rewritten."""

import hashlib
import html
from collections.abc import Callable
from urllib.parse import quote

from icalendar import Event, vText, vUri

from sandbox.ics import Unreadable, put

_TEAMS_FIELD = "X-MICROSOFT-SKYPETEAMSMEETINGURL"
_MARKUP = "X-ALT-DESC"
_CONTEXT = quote('{"Tid":"7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601","Oid":"1d0c7a52-9f1e-4a4b-8a53-5f0f6f3f1a11"}')
_LETTERS = "abcdefghijklmnop"


def teams_url(name: str) -> str:
    return f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_{name}%40thread.v2/0?context={_CONTEXT}"


def teams_url_at_home(number: str) -> str:
    """As Teams for personal accounts writes it."""
    return f"https://teams.live.com/meet/{number}?p=hQv8yTq3mN5rWk2x"


def safelink(url: str) -> str:
    """As Defender for Office 365 rewrites links in a body."""
    host = "https://eur02.safelinks.protection.outlook.com"
    return f"{host}/?url={quote(url, safe='')}&data=05%7C02%7Cines%40quay.example%7C5d2a&sdata=Vb3k%2F8%3D&reserved=0"


def _room(event: Event) -> str:
    """Hexadecimal digits that no other meeting has, so that every meeting has an address of its own."""
    return hashlib.sha256(str(event.get("UID", "")).encode()).hexdigest()


def _add_lines(event: Event, *lines: str) -> None:
    text = str(event.get("DESCRIPTION", "")).strip()
    put(event, "DESCRIPTION", "\n".join([*([text, ""] if text else []), *lines]))
    event.pop(_MARKUP, None)


def _put_teams(event: Event) -> None:
    put(event, _TEAMS_FIELD, vUri(teams_url(_room(event)[:16])))


def _put_zoom(event: Event) -> None:
    room = _room(event)
    link = f"https://us02web.zoom.us/j/{80_000_000_000 + int(room[:8], 16)}?pwd={room[8:32]}.1"
    location = str(event.get("LOCATION", ""))
    put(event, "LOCATION", f"{location}; {link}" if location else link)


def _put_meet(event: Event) -> None:
    letters = "".join(_LETTERS[int(digit, 16)] for digit in _room(event)[:10])
    link = f"https://meet.google.com/{letters[:3]}-{letters[3:7]}-{letters[7:]}"
    _add_lines(event, f"Join with Google Meet: {link}")


def _put_webex(event: Event) -> None:
    link = safelink(f"https://quay.webex.com/quay/j.php?MTID=m{_room(event)[:32]}")
    before = [html.escape(line) for line in str(event.get("DESCRIPTION", "")).split("\n") if line.strip()]
    _add_lines(event, f"Join the Webex meeting <{link}>")
    paragraphs = [*before, f'<a href="{html.escape(link)}">Join the Webex meeting</a>']
    page = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    event.add(_MARKUP, vText(f"<html><body>{page}</body></html>"), parameters={"FMTTYPE": "text/html"})


_SERVICES: dict[str, Callable[[Event], None]] = {
    "teams": _put_teams,
    "zoom": _put_zoom,
    "meet": _put_meet,
    "webex": _put_webex,
}


def _take_links(event: Event) -> None:
    for name in (_TEAMS_FIELD, "CONFERENCE"):
        event.pop(name, None)
    places = [part.strip() for part in str(event.get("LOCATION", "")).split(";")]
    put(event, "LOCATION", "; ".join(part for part in places if part and "://" not in part) or None)
    text = str(event.get("DESCRIPTION", ""))
    if "://" in text or "href=" in str(event.get(_MARKUP, "")):
        lines = [line for line in text.split("\n") if "://" not in line]
        put(event, "DESCRIPTION", "\n".join(lines).strip() or None)
        event.pop(_MARKUP, None)


def put_link(event: Event, service: str) -> None:
    """The event with a link of this service where its users usually have it, and no other; ``none`` only takes away.

    Raises ``Unreadable`` for a service that there is not.
    """
    if service != "none" and service not in _SERVICES:
        raise Unreadable(f"There is no online service {service!r}; use none, {', '.join(_SERVICES)}.")
    _take_links(event)
    if service != "none":
        _SERVICES[service](event)
