"""The calendar that the bench reads: iCalendar text, the same for every run but for the day it begins on.

Of every 20 events 6 are occurrences of weekly series (12 of each, fewer of the last) and 14 are single. All begin
between one hour and 89 days after ``now``. Each event has an HTML body of 3 to 6 KB (1,024 bytes each; a series has
one) with three ordinary links, and up to 5 attendees. Of every 20 single events and of every 20 series

    8 have a Teams link in the field for it     4 have a Zoom link in the body
    3 have a Zoom link in the location          3 have a Teams link in the body, as a SafeLink
                                                2 have no link
"""

from __future__ import annotations

import enum
import html
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

DESCRIPTION = (
    "bodies of 3-6 KB, up to 5 attendees, 30 % occurrences of weekly series; links of 20: "
    "8 in the field, 3 in the location, 4 in the body, 3 in it as SafeLinks, 2 none"
)
OCCURRENCES = 12  # of one series, a week apart
SPAN = timedelta(days=89)
_SEED = 20261124
_SMALLEST, _LARGEST = 3 * 1024, 6 * 1024
_CONTEXT = quote('{"Tid":"7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601","Oid":"1d0c7a52-9f1e-4a4b-8a53-5f0f6f3f1a11"}')
# fmt: off
_WORDS = (
    "agenda", "berth", "bridge", "budget", "cargo", "chart", "crane", "crew", "customs", "deadline", "decision",
    "draft", "dredging", "figures", "fleet", "freight", "gate", "harbour", "invoice", "ledger", "lock", "minutes",
    "mooring", "notes", "offer", "pier", "pilot", "plan", "quay", "question", "review", "risk", "schedule", "ship",
    "storage", "survey", "team", "tender", "tide", "tonnage", "tug", "update", "vessel", "warehouse", "weather",
    "week",
)
# fmt: on


class Place(enum.Enum):
    """Where the link of an event stands."""

    FIELD = enum.auto()
    LOCATION = enum.auto()
    BODY = enum.auto()
    SAFELINK = enum.auto()
    NOWHERE = enum.auto()


_TWENTY = [Place.FIELD] * 8 + [Place.LOCATION] * 3 + [Place.BODY] * 4 + [Place.SAFELINK] * 3 + [Place.NOWHERE] * 2


@dataclass(frozen=True)
class _Source:
    """One VEVENT: a single event, or a series of ``times`` occurrences."""

    number: int
    start: datetime
    place: Place
    times: int = 0

    @property
    def name(self) -> str:
        return f"{'series' if self.times else 'single'}-{self.number}"

    @property
    def link(self) -> str:
        if self.place in (Place.LOCATION, Place.BODY):
            room = 2 * self.number + bool(self.times)
            return f"https://us02web.zoom.us/j/{80_000_000_000 + room}?pwd={room:032x}.1"
        return f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_{self.name}%40thread.v2/0?context={_CONTEXT}"


def owner(events: int) -> str:
    """Whose calendar it is: one person for each size, so that several sizes fit into one sandbox."""
    return f"bench-{events}@quay.example"


def calendar(events: int, now: datetime) -> str:
    """A calendar of so many events from ``now`` (UTC) on."""
    dice = random.Random(_SEED)  # noqa: S311 - not a secret
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Sally//bench//EN"]
    for source in _sources(events, now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=2), dice):
        lines += _lines(source, owner(events), dice)
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def _sources(events: int, first: datetime, dice: random.Random) -> Iterator[_Source]:
    repeated = events * 3 // 10
    single = events - repeated
    # Whole hours, since that is when people meet.
    hours = int(SPAN / timedelta(hours=1)) - 4
    places = _places(dice)
    for number in range(single):
        yield _Source(number, first + timedelta(hours=hours * number // single), next(places))
    places = _places(dice)
    hours -= (OCCURRENCES - 1) * 7 * 24
    for number, done in enumerate(range(0, repeated, OCCURRENCES)):
        start = first + timedelta(hours=hours * done // repeated)
        yield _Source(number, start, next(places), min(OCCURRENCES, repeated - done))


def _places(dice: random.Random) -> Iterator[Place]:
    while True:
        yield from dice.sample(_TWENTY, len(_TWENTY))


def _lines(source: _Source, owner: str, dice: random.Random) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{source.name}@bench.example"
    yield "DTSTAMP:20261101T080000Z"
    yield f"DTSTART:{source.start:%Y%m%dT%H%M%SZ}"
    yield f"DTEND:{source.start + timedelta(minutes=dice.choice((30, 45, 60, 90))):%Y%m%dT%H%M%SZ}"
    if source.times:
        yield f"RRULE:FREQ=WEEKLY;COUNT={source.times}"
    yield f"SUMMARY:{_sentence(dice, 5)}"
    yield from _people(owner, dice)
    location = _sentence(dice, 2)
    if source.place is Place.FIELD:
        yield f"X-MICROSOFT-SKYPETEAMSMEETINGURL:{source.link}"
    yield f"LOCATION:{_escaped(f'{location}; {source.link}' if source.place is Place.LOCATION else location)}"
    yield f"X-ALT-DESC;FMTTYPE=text/html:{_escaped(_body(source, dice))}"
    yield "END:VEVENT"


def _people(owner: str, dice: random.Random) -> Iterator[str]:
    guests = dice.sample(_WORDS, dice.randint(0, 5))
    if guests:
        yield f"ORGANIZER;CN={guests[0].title()} Bell:mailto:{guests[0]}.bell@quay.example"
        yield f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{owner}"
    for guest in guests[1:]:
        answer = dice.choice(("ACCEPTED", "TENTATIVE", "DECLINED", "NEEDS-ACTION"))
        yield f"ATTENDEE;CN={guest.title()} Bell;PARTSTAT={answer}:mailto:{guest}.bell@quay.example"


def _body(source: _Source, dice: random.Random) -> str:
    """As Outlook writes one. The link of a meeting stands at its end, where programs that make meetings put it."""
    size = dice.randint(_SMALLEST, _LARGEST)
    safe = source.place is Place.SAFELINK
    others = [f"https://intranet.quay.example/{_sentence(dice, 1)}?id={dice.randrange(10**6)}&view=1" for _ in range(3)]
    ordinary = [_anchor(_safelink(other) if safe else other) for other in others]
    invitation = _paragraph(f"Join the meeting: {_anchor(_safelink(source.link) if safe else source.link)}")
    end = (invitation if source.place in (Place.BODY, Place.SAFELINK) else "") + "</div></body></html>"
    text = (
        '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head>'
        '<meta http-equiv="Content-Type" content="text/html; charset=utf-8"><style><!--\n'
        'p.MsoNormal {margin:0cm; font-size:11.0pt; font-family:"Calibri",sans-serif;}\n'
        '--></style></head><body lang="EN-GB"><div class="WordSection1">'
    )
    text += "".join(_paragraph(f"{_sentence(dice, 12)}: {one}") for one in ordinary)
    while (room := size - len(text) - len(end)) > len(_paragraph("")):
        text += _paragraph((_sentence(dice, 20) + ". &nbsp;")[: max(room - len(_paragraph("")), 0)])
    return text + end


def _paragraph(content: str) -> str:
    return f'<p class="MsoNormal"><span lang="EN-GB">{content}<o:p></o:p></span></p>\n'


def _anchor(url: str) -> str:
    return f'<a href="{html.escape(url)}">{html.escape(url)}</a>'


def _safelink(url: str) -> str:
    """As Defender for Office 365 rewrites links in a body."""
    host = "https://eur02.safelinks.protection.outlook.com"
    return f"{host}/?url={quote(url, safe='')}&data=05%7C02%7Cines%40quay.example%7C5d2a&sdata=Vb3k%2F8%3D&reserved=0"


def _sentence(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(_WORDS, k=words))


def _escaped(text: str) -> str:
    """A TEXT of RFC 5545 3.3.11."""
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
