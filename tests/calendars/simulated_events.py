"""Meetings as a simulation makes them up: who invites whom, where to and when; each in the calendars of its people."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from integrations.events import Attendee, Kind, RemoteEvent, Response, ShowAs
from tests.calendars.oracle import BOOKS, FOREIGN, Link
from tests.memory import event, version_of

Slot = tuple[str, datetime | None]

STRANGERS = [
    ("Gwen Ost", "gwen@partner.example"),
    ("Otto Bay", "otto@mail.partner.example"),
    ("Not Quay", "fake@notquay.example"),
    ("Quay Elsewhere", "fake@quay.example.evil.example"),
    ("Without an address", ""),
    ("", "/O=QUAY/OU=PIER/CN=OLD"),
    ("Rita", "rita@free.example"),
]
INSIDERS = [
    ("All of Quay", "everybody@quay.example"),
    ("Dock", "dock@mail.quay.example"),
    ("Books", f"books@{BOOKS}"),
    ("Books below", f"cellar@post.{FOREIGN[BOOKS]}"),
    ("Pilots' office", "office@pilots.example"),
]
THINGS = [
    ("Room 1", "room1@free.example", "resource"),
    ("Projector", "", "resource"),
    ("Old list", "list@free.example", "list"),
]
WEEKDAY_HOURS = range(6, 18)


class Entry(NamedTuple):
    """An event in a calendar, and the link that was put into it."""

    event: RemoteEvent
    link: Link | None
    in_body: bool = False

    @property
    def slot(self) -> Slot:
        return self.event.ical_uid, self.event.original_start

    def body(self) -> str:
        return f"<p>Join here: {self.link.url}</p>" if self.link and self.in_body else "<p>No link here.</p>"

    def changed(self, **fields: Any) -> Entry:
        return _versioned(dataclasses.replace(self.event, **fields), self.link, self.in_body)

    def linked(self, link: Link | None, place: str) -> Entry:
        return _linked(self.event, link, place)


def _versioned(made: RemoteEvent, link: Link | None, in_body: bool) -> Entry:
    key = repr(link) if in_body else ""
    return Entry(dataclasses.replace(made, version=version_of(key, made)), link, in_body)


def _linked(made: RemoteEvent, link: Link | None, place: str) -> Entry:
    """``place``: field, location or body; a link of no known service is one in the field only."""
    place = "field" if link and not link.service else place
    fields: dict[str, Any] = {
        "online_url": link.url if link and place == "field" else "",
        "location": f"Pier 7; {link.url}" if link and place == "location" else "Pier 7",
    }
    return _versioned(dataclasses.replace(made, **fields), link, bool(link) and place == "body")


def room(number: int) -> list[Link]:
    """One room, in all the spellings of its link that go around."""
    letters = "".join(chr(97 + number // 26**at % 26) for at in range(10))
    code = f"{letters[:3]}-{letters[3:7]}-{letters[7:]}"
    zoom, digits = 80_000_000_000 + number, 4_000_000_000_000 + number
    thread = f"meeting_{letters.upper()}"
    kinds: list[tuple[str, list[str]]] = [
        ("zoom", [f"https://{host}zoom.us/j/{zoom}?pwd={code}" for host in ("", "us02web.", "quay.")]),
        ("zoom", [f"https://zoom.us/{way}/{zoom}?pwd=a{number}" for way in ("j", "wc/join", "s")]),
        ("teams", [f"https://teams.microsoft.com/meet/{digits}?p={word}" for word in ("Abc1", "Abc2")]),
        (
            "teams",
            [
                f"https://teams.microsoft.com/l/meetup-join/19{mark}{thread}%40thread.v2/0?context=%7b%22Tid%22%3a%22t%22%7d"
                for mark in ("%3a", "%3A", ":")
            ],
        ),
        ("meet", [f"https://meet.google.com/{code}", f"https://meet.google.com/{code}?authuser=1"]),
        ("webex", [f"https://quay.webex.com/meet/pier{number}"]),
        ("zoom", [f"https://us02web.zoom.us/j/{zoom}?pwd=b{word}" for word in (1, 2)]),
        ("teams", [f"https://teams.microsoft.com/meet/{digits}?p={word}&anon=true" for word in "AB"]),
        ("meet", [f"https://meet.google.com/{code}?hs=122", f"https://meet.google.com/{code}"]),
        ("zoom", [f"https://zoom.us/j/{zoom}?pwd={word}" for word in "cd"]),
        ("goto", [f"https://meet.goto.com/{100_000_000 + number}"]),
        ("", [f"https://talk.quay.example/room/{number}"]),
        ("jitsi", [f"https://meet.jit.si/Harbour{number}"]),
    ]
    service, urls = kinds[number % len(kinds)]
    return [Link(url, service, f"room {number}") for url in urls]


class Maker:
    """Makes up meetings; everything is drawn from one seeded source."""

    def __init__(self, rng: random.Random, start: datetime, days: int) -> None:
        self.rng, self.start, self.days = rng, start, days
        self.rooms = [room(number) for number in range(700)]
        # A few rooms that many meet in, also people of several organizations.
        self.standing = self.rooms[:24]
        self.made = 0

    def link(self) -> list[Link]:
        """The spellings of a room; none for no link."""
        drawn = self.rng.random()
        if drawn < 0.07:
            return []
        if drawn < 0.35:
            return self.rng.choice(self.standing)
        return self.rng.choice(self.rooms)

    def spelled(self, address: str) -> str:
        """The same address as somebody else writes it."""
        rng = self.rng
        name, at, domain = address.partition("@")
        if not at or address.startswith("/"):
            return address
        if rng.random() < 0.15:
            name = f"{name}+{rng.choice(['sally', 'Work', 'a+b'])}"
        if domain in (BOOKS, FOREIGN[BOOKS]):
            domain = rng.choice([BOOKS, BOOKS.upper(), FOREIGN[BOOKS]])
        whole = f"{name}@{domain}"
        return rng.choice([whole, whole, whole, whole.title(), whole.upper(), whole.lower()])

    def moment(self, *, near: datetime | None = None) -> datetime:
        """A beginning in working hours, on the half hour: meetings are to collide."""
        first = near or self.start
        span = 6 if near else self.days
        day = first.replace(hour=0, minute=0) + timedelta(days=self.rng.randrange(span))
        return day + timedelta(hours=self.rng.choice(WEEKDAY_HOURS), minutes=self.rng.choice([0, 0, 30, 45]))

    def length(self) -> timedelta:
        return timedelta(minutes=self.rng.choice([0, 5, 15, 30, 30, 60, 60, 60, 90, 240, 1500]))

    def guests(self, colleagues: Sequence[str], users: Sequence[str]) -> list[Attendee]:
        """Internal ones, users, outsiders, rooms and lists, in any order."""
        rng = self.rng
        kind = rng.random()
        people = [(one.split("@")[0].title(), one) for one in rng.sample(list(colleagues), rng.randrange(4))]
        if kind < 0.45:
            people += rng.sample(STRANGERS, rng.choice([1, 1, 2]))
        if kind < 0.15:
            people += [("User", one) for one in rng.sample(list(users), 2)]
        if 0.3 < kind < 0.6:
            people += rng.sample(INSIDERS, rng.choice([1, 2]))
        drawn = [
            Attendee(name, self.spelled(address), rng.choice(["required", "required", "optional"]), Response.NONE)
            for name, address in people
        ]
        if rng.random() < 0.3:
            drawn += [Attendee(name, address, what, Response.NONE) for name, address, what in rng.sample(THINGS, 1)]
        rng.shuffle(drawn)
        return drawn

    def times(self, start: datetime) -> dict[str, Any]:
        """When it takes place; now and then all day long, or ending before it begins."""
        drawn = self.rng.random()
        if drawn < 0.06:
            return self.all_day(start.date(), self.rng.choice([1, 1, 2]))
        length = timedelta(minutes=-30) if drawn < 0.07 else self.length()
        return {"start": start, "end": start + length, "start_date": None, "end_date": None}

    def all_day(self, first: date, days: int) -> dict[str, Any]:
        last = first + timedelta(days=days)
        return {"start": _midnight(first), "end": _midnight(last), "start_date": first, "end_date": last}

    def own(self, *, host: bool) -> dict[str, Any]:
        """What the owner of one calendar says and sees of a meeting."""
        rng = self.rng
        answers = [Response.ACCEPTED] * 5 + [Response.NONE, Response.NONE, Response.TENTATIVE, Response.DECLINED]
        sensitivity = rng.random()
        return {
            "is_organizer": host,
            "response": Response.ORGANIZER if host else rng.choice(answers),
            "show_as": rng.choice([ShowAs.BUSY] * 7 + [ShowAs.TENTATIVE, ShowAs.OUT_OF_OFFICE, ShowAs.FREE]),
            "private": sensitivity < 0.06,
            "confidential": 0.06 <= sensitivity < 0.14,
            "cancelled": rng.random() < 0.04,
            "attendees_hidden": rng.random() < 0.12,
        }

    def places(self) -> Iterator[dict[str, Any]]:
        """One single meeting, or some of a series: its UID, kind and times."""
        rng, self.made = self.rng, self.made + 1
        uid, start = f"uid-{self.made}", self.moment()
        if rng.random() < 0.75:
            yield {"ical_uid": uid} | self.times(start)
            return
        every = timedelta(days=rng.choice([1, 7, 7]))
        length = self.length()
        for number in range(rng.randrange(3, 8)):
            slot = start + number * every
            is_moved = rng.random() < 0.15
            begins = slot + timedelta(hours=rng.choice([1, 2, 26])) if is_moved else slot
            yield {
                "ical_uid": uid,
                "series_id": f"series-{uid}",
                "original_start": slot,
                "kind": Kind.EXCEPTION if is_moved else Kind.OCCURRENCE,
                "start": begins,
                "end": begins + length,
            }

    def entry(self, id: str, link: Sequence[Link], **fields: Any) -> Entry:
        made = event(id, **fields)
        place = self.rng.choice(["field", "field", "field", "location", "body"])
        return _linked(made, self.rng.choice(link) if link else None, place)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
