"""Finds the address by which a meeting is joined: in the event's own field for it, its location, subject or body."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult

from calendars.services import host_of, match, may_hold_meetings, service_of
from calendars.unwrap import rewrites, unescaped, unwrapped
from integrations.events import RemoteEvent

# Characters; the longest real ones are Teams' in SafeLinks in SafeLinks, below 3,000.
LONGEST_LINK = 8000
_LOOK_BACK = 200

# Its first letter stands apart, for then a search skips what cannot begin a link: six times as fast in a body.
_START = re.compile(
    r"[hHzZmM](?i:(?<=h)ttps?|(?<=z)oom(?:mtg|us)|(?<=m)steams)(?i:://|%(?:25)?3a%(?:25)?2f%(?:25)?2f)",
    re.ASCII,
)
# Ends a link in any text: space, quotes, brackets of HTML, bars of tables, invisible characters, and of what is not
# ASCII all punctuation, symbols and pictures, but no letters.
_ENDS = (
    r"\s<>\"'`^\\|\x00-\x1f\x7f-\xbf\u060c\u061b\u061f\u0964\u0965\u2000-\u2bff\u3000-\u303f\ufe00-\ufe6f\ufeff"
    r"\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffff\U0001f000-\U0001faff"
)
# Quotes belong to a link inside the JSON that Teams puts into it. Possessive, so that no text costs more than a look.
_LINK = re.compile(rf"[^{_ENDS}]*+(?:(?:(?<=\{{)|(?<=%7b)|(?<=%7B))\"[^\s<>]{{0,400}}?(?:\}}|%7d|%7D)[^{_ENDS}]*+)*+")
_PLAIN = re.compile(r"https?://([\w.-]+)", re.IGNORECASE | re.ASCII)
_END = re.compile(rf"[{_ENDS}]")
_NEXT = re.compile(r"[,;]https?:/|\]", re.IGNORECASE)
_ADDRESS = re.compile(r"[@?]|\.[\w-]+(?::\d+)?/|^/|&[\w-]+=$")
_GAP = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class MeetingLink:
    """``service`` is empty for one that Sally does not know; ``complete`` says that no passcode is missing."""

    url: str
    service: str
    complete: bool = True


class Source(enum.StrEnum):
    """Where a link was found, the most trustworthy first."""

    FIELD = "field"
    LOCATION = "location"
    SUBJECT = "subject"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Found:
    link: MeetingLink
    source: Source


@dataclass(frozen=True, slots=True)
class _Candidate:
    link: MeetingLink
    rank: int
    meeting: str

    @property
    def order(self) -> tuple[int, bool]:
        return self.rank, not self.link.complete


def find(event: RemoteEvent) -> Found | None:
    """The link of an event: of its field, else its location, else its subject, else its body, as far as filled.

    Where the first one found lacks its passcode, a later source may give it: the same meeting's complete address
    replaces it. Ask twice: first with the listed event (``find_in_listing``), and where that finds nothing, or a link
    that is not ``complete``, again with the event filled.
    """
    return _search(event, tuple(Source))


def find_in_listing(event: RemoteEvent) -> Found | None:
    """As ``find``, in what every listing has; the body is not looked at even where it is there."""
    return _search(event, (Source.FIELD, Source.LOCATION, Source.SUBJECT))


def find_in_field(event: RemoteEvent) -> MeetingLink | None:
    """The link in the event's own field for it, of an unknown service too: the calendar says what it is.

    Anything but https is no link, since it ends up behind a Join button; http to a known service becomes https.
    """
    candidate = _in_field(event.online_url)
    return candidate.link if candidate else None


def find_in_text(text: str) -> MeetingLink | None:
    """The best link of a known service in plain text or HTML, free of what mail filters made of it.

    Services go by their rank in the table, then an address with its passcode goes before one without, then the first.
    An address inside another's path or query does not count, unless a mail filter or redirect put it there.
    """
    best = min(_in_text(text), key=lambda one: one.order, default=None)
    return best.link if best else None


def _search(event: RemoteEvent, sources: tuple[Source, ...]) -> Found | None:
    best: _Candidate | None = None
    where = Source.FIELD
    for source in sources:
        candidates = _candidates(event, source)
        if best is not None:
            candidates = [one for one in candidates if one.link.complete and _same_meeting(one, best)]
        if candidates:
            best, where = min(candidates, key=lambda one: one.order), source
        if best is not None and best.link.complete:
            break
    return Found(best.link, where) if best else None


def _same_meeting(one: _Candidate, other: _Candidate) -> bool:
    return (one.link.service, one.meeting) == (other.link.service, other.meeting)


def _candidates(event: RemoteEvent, source: Source) -> list[_Candidate]:
    if source is Source.FIELD:
        candidate = _in_field(event.online_url)
        return [candidate] if candidate else []
    texts = {Source.LOCATION: event.location, Source.SUBJECT: event.subject, Source.BODY: event.body}
    return list(_in_text(texts[source] or ""))


def _in_field(url: str) -> _Candidate | None:
    parts = None if _GAP.search(url) else unwrapped(url)
    if parts is None:
        return None
    known = _known(parts)
    if known or parts.scheme != "https":
        return known
    host = host_of(parts)
    return _Candidate(MeetingLink(parts.geturl(), service_of(host)), 0, "") if host else None


def _in_text(text: str) -> Iterator[_Candidate]:
    # Each once: HTML has most of them twice, as the link and as its text.
    for url in dict.fromkeys(_links(unescaped(text))):
        plain = _PLAIN.match(url)
        # Most links of a text lead to pages; they need not be taken apart.
        if plain and not (may_hold_meetings(plain[1].lower()) or rewrites(plain[1].lower())):
            continue
        parts = unwrapped(url)
        candidate = _known(parts) if parts else None
        if candidate:
            yield candidate


def _known(parts: SplitResult) -> _Candidate | None:
    if parts.scheme not in ("http", "https"):
        return None
    known = match(parts)
    if known is None:
        return None
    link = MeetingLink(parts._replace(scheme="https").geturl(), known.service, known.complete)
    return _Candidate(link, known.rank, known.meeting)


def _links(text: str) -> Iterator[str]:
    """Every address in a text, once over it from left to right; one inside another is part of that other."""
    start = _START.search(text)
    while start:
        found = _LINK.match(text, start.start())
        end = found.end() if found else start.end()
        if end - start.start() <= LONGEST_LINK and not _inside_another(text, start.start()):
            yield _trimmed(text[start.start() : end], encoded=not start[0].endswith("/"))
        start = _START.search(text, end)


def _inside_another(text: str, start: int) -> bool:
    """Whether the word up to ``start`` is itself an address, if one without a scheme: "example.com/?to=https://…"."""
    if start == 0 or text[start - 1] in "([{,;" or _END.match(text, start - 1):
        return False
    before = _END.split(text[max(0, start - _LOOK_BACK) : start])[-1]
    return _ADDRESS.search(before) is not None


def _trimmed(url: str, *, encoded: bool) -> str:
    """Without what belongs to the sentence around it."""
    url = _NEXT.split(url, maxsplit=1)[0]
    if encoded:
        url = url.partition("&")[0]
    unpaired = {")": url.count(")") - url.count("("), "}": url.count("}") - url.count("{")}
    end = len(url)
    while end and (url[end - 1] in ".,:;!?*~([{" or unpaired.get(url[end - 1], 0) > 0):
        end -= 1
        if url[end] in unpaired:
            unpaired[url[end]] -= 1
    return url[:end]
