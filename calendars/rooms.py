"""Names the room that a link leads into: one name for all links into one room, and never one for two rooms."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import SplitResult, quote, unquote

from calendars.links import LONGEST_LINK
from calendars.services import NAMES, host_of, match
from calendars.unwrap import unwrapped

# Characters, all ASCII: what the column holds.
LONGEST_ROOM = 64
_DEEPEST_ENCODING = 3
_READABLE = re.compile(r"[\w.:@/-]+", re.ASCII)
_ESCAPE = re.compile(r"%([\da-fA-F]{2})")
# Characters that mean the same escaped and plain (https://www.rfc-editor.org/rfc/rfc3986#section-2.3).
_UNRESERVED = re.compile(r"[\w.~-]", re.ASCII)
_RESERVED = "%:/?#[]@!$&'()*+,;="

# Parameters that say where somebody came from.
_TRACKING = re.compile(r"utm_\w+|gclid|dclid|fbclid|msclkid|mc_[ce]id|mkt_tok|_hs(?:enc|mi)", re.IGNORECASE | re.ASCII)
# Parameters that say who may enter or who does, where the path alone says which room it is; and such fragments.
_KEYS = {
    "zoom": {"pwd", "tk"},
    "ringcentral": {"pw"},
    "jitsi": {"jwt"},
    "8x8": {"jwt"},
    "zhumu": {"pwd"},
}
_KEY_FRAGMENTS = {
    "proton": re.compile(r"pwd-"),
    "jitsi": re.compile(r"(?:config|interfaceConfig|userInfo)\."),
    "8x8": re.compile(r"(?:config|interfaceConfig|userInfo)\."),
}


def room_of(url: str, service: str) -> str:
    """A key of the room behind an unwrapped link: at most 64 ASCII characters without a passcode, "" without a link.

    Two links that nobody can tell to lead into one room from their addresses alone, such as the short and the long
    one of a Teams meeting, have two keys: better two Sallys than none.
    """
    if not url:
        return ""
    parts = unwrapped(url) if len(url) <= LONGEST_LINK else None
    if parts is None:
        return _hashed(service, url)
    known = match(parts)
    read = _READERS.get(known.service) if known else None
    room = read(parts, host_of(parts), known.meeting) if known and read else ""
    return _named(known.service, room) if known and room else _hashed(service, _address(parts, service))


def _named(service: str, room: str) -> str:
    key = f"{service}:{room}"
    return key if len(key) <= LONGEST_ROOM and _READABLE.fullmatch(room) else _hashed(service, room)


def _hashed(service: str, text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{service if service in NAMES else 'link'}:#{digest[:40]}"


def _zoom(parts: SplitResult, host: str, number: str) -> str:
    """Numbers are Zoom's own, whatever the host, but for the cloud of the US government; names belong to a host."""
    if number:
        return f"gov/{number}" if f".{host}".endswith(".zoomgov.com") else number
    found = _ZOOM_NAME.fullmatch(parts.path)
    return f"{host}/my/{_plain(found[1])}" if found else ""


_ZOOM_NAME = re.compile(r"/my/([^/]+)/?", re.IGNORECASE | re.ASCII)


def _teams(parts: SplitResult, host: str, number: str) -> str:
    if parts.path.lower().startswith("/light-meetings/"):
        return _teams_coordinates(parts, host)
    if number:
        return f"{_teams_cloud(host)}{number}"
    for place in (parts.path, parts.fragment):
        found = _THREAD.match(place)
        if found:
            thread, _, message = _plain(found[1]).partition("/")
            return _teams_thread(thread, _THREAD_END.split(message, maxsplit=1)[0])
    return ""


_THREAD = re.compile(r"(?:/v2)?/l/meetup-join/([^?#]+)", re.IGNORECASE | re.ASCII)
_THREAD_END = re.compile(r"[/?#&]")
_DIGITS = re.compile(r"\d+", re.ASCII)


def _teams_thread(thread: str, message: str) -> str:
    """A channel's thread holds all meetings of the channel, each under the number of its message; others have "0"."""
    thread = _THREAD_END.split(thread, maxsplit=1)[0]
    if ":" not in thread:
        return ""
    return thread if message in ("", "0") else f"{thread}/{message}"


def _teams_cloud(host: str) -> str:
    if f".{host}".endswith((".teams.microsoft.com", ".teams.cloud.microsoft")):
        return ""
    return "live/" if f".{host}".endswith(".teams.live.com") else f"{host}/"


def _teams_coordinates(parts: SplitResult, host: str) -> str:
    """What the page for guests opens stands there in base64 of JSON: a thread, or the number of a short link."""
    encoded = re.sub(r"=+$", "", unquote(_parameter(parts, "coords")))
    try:
        told = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        return ""
    told = told if isinstance(told, dict) else {}
    thread, message, code = (str(told.get(name) or "") for name in ("conversationId", "messageId", "meetingCode"))
    if thread:
        return _teams_thread(thread, message)
    return f"{_teams_cloud(host)}{code}" if _DIGITS.fullmatch(code) else ""


def _meet(parts: SplitResult, host: str, _number: str) -> str:
    """A room's code; of anything else the path. What follows it says whose account and where from."""
    found = _MEET_CODE.match(parts.path)
    return "-".join(found.groups()).lower() if found else f"{host}{_even(parts.path.rstrip('/'))}"


_MEET_CODE = re.compile(r"/(?:_meet/)?([a-z]{3})-?([a-z]{4})-?([a-z]{3})(?:/|$)", re.IGNORECASE | re.ASCII)


def _webex(parts: SplitResult, host: str, _number: str) -> str:
    """All of it belongs to a site, which is the host. "/join/" is "/meet/" as older sites write it."""
    personal = _WEBEX_NAME.match(parts.path)
    if personal:
        name = _plain(personal[1])
        return f"{host}/meet/{name.lower() if name.isascii() else name}"
    short = _WEBEX_SHORT.match(parts.path)
    if short:
        return f"{host}/m/{short[1].lower()}"
    number = _parameter(parts, "mtid")
    if number:
        return f"{host}/{_plain(number)}"
    page = _WEBEX_PAGE.match(parts.path)
    return f"{host}/{page[1]}/{page[2]}" if page else ""


_WEBEX_NAME = re.compile(r"/(?:meet|join)/([^/]+)", re.IGNORECASE | re.ASCII)
_WEBEX_SHORT = re.compile(r"/m/([\da-f-]+)(?:/|$)", re.IGNORECASE | re.ASCII)
_WEBEX_PAGE = re.compile(r"/[\w/]+/sites/([\w.-]+)/meeting/(?:download|info)/(\w+)", re.IGNORECASE | re.ASCII)

# By service: a room from an address that joins a meeting there, its host and the number that the table found in it;
# "" where the address as a whole has to do.
_READERS: dict[str, Callable[[SplitResult, str, str], str]] = {
    "teams": _teams,
    "meet": _meet,
    "zoom": _zoom,
    "webex": _webex,
}


def _address(parts: SplitResult, service: str) -> str:
    """The address as a whole, without what makes no difference; hashed, since it may hold anything."""
    scheme = "https" if parts.scheme == "http" else parts.scheme
    netloc = parts.netloc.lower() if host_of(parts) else parts.netloc
    keys = _KEYS.get(service, set())
    # Only by name: of parameters with one name the order may count.
    query = "&".join(
        f"{name}={value}"
        for name, value in sorted(_pairs(parts), key=lambda pair: pair[0])
        if name not in keys and not _TRACKING.fullmatch(name)
    )
    fragments = _KEY_FRAGMENTS.get(service)
    fragment = "" if fragments and fragments.match(parts.fragment) else _even(parts.fragment)
    return f"{scheme}://{netloc}{_even(parts.path.rstrip('/'))}?{query}#{fragment}"


def _pairs(parts: SplitResult) -> Iterator[tuple[str, str]]:
    for pair in parts.query.split("&"):
        name, _, value = pair.partition("=")
        if pair:
            yield _even(name), _even(value)


def _parameter(parts: SplitResult, wanted: str) -> str:
    return next((value for name, value in _pairs(parts) if name.lower() == wanted and value), "")


def _plain(text: str) -> str:
    """``text`` without percent-encoding, also where that was encoded again."""
    for _ in range(_DEEPEST_ENCODING):
        if "%" not in text:
            break
        text = unquote(text)
    return text


def _even(text: str) -> str:
    """One spelling of what a browser takes for the same: escapes in capitals, and only where they are needed."""
    text = _ESCAPE.sub(_spelt, text)
    return quote(text, safe=_RESERVED, errors="surrogatepass")


def _spelt(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0].upper()
