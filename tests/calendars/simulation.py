"""A small world that uses Sally: organizations, people and their calendars, and how a day passes there.

What it holds is what is true; Sally learns of it as she does in life, by syncs and by what people and admins set.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import time_machine

from calendars import attendance, sync
from calendars.models import Meeting
from integrations.accounts import SignedIn
from integrations.events import Attendee, Person, Window
from integrations.models import CalendarConnection
from sally.models import Organization, User
from tests.calendars.oracle import BOOKS, FOREIGN, House, Member, Seen, Settings, Wishes, same_person
from tests.calendars.simulated_events import STRANGERS, Entry, Maker, Slot
from tests.memory import MemoryClient

DAYS_AHEAD = 20
RULES = ["all", "internal", "organization", "external", "host", "never"]
ZONES = ["Europe/Berlin", "UTC", "America/New_York", "Asia/Kolkata"]
LISTED = ["quay.example", BOOKS, "pilots.example", "sea.pilots.example", "partner.example", "mail.quay.example"]
HOUSES = {"Harbour & Quay": ["quay.example"], "Bücher am Kai": [BOOKS, "quay.example"], "North Sea Pilots": []}
OWN_DOMAINS = {"Harbour & Quay": "quay.example", "Bücher am Kai": BOOKS, "North Sea Pilots": "sea.pilots.example"}


@dataclasses.dataclass(kw_only=True, eq=False)
class Account:
    """A mailbox of somebody's, connected or not; ``seen`` is what its last sync found."""

    member: Member
    number: int
    address: str
    entries: dict[Slot, Entry] = dataclasses.field(default_factory=dict)
    gone: dict[Slot, Entry] = dataclasses.field(default_factory=dict)
    seen: dict[Slot, Entry] = dataclasses.field(default_factory=dict)
    connection: CalendarConnection | None = None
    private: bool = False
    only_online: bool = False

    def keeps(self, entry: Entry) -> bool:
        """Whether its options let this one be kept."""
        return (self.private or not entry.event.private) and (entry.link is not None or not self.only_online)


Happening = Callable[["World"], object]


class World:
    def __init__(self, seed: int, now: datetime) -> None:
        self.rng, self.now = random.Random(seed), now  # noqa: S311 - to be the same every time
        self.maker = Maker(self.rng, now - timedelta(days=1), 50)
        self.houses: dict[str, House] = {}
        self.organizations: dict[str, Organization] = {}
        self.members: list[Member] = []
        self.users: dict[int, User] = {}
        self.accounts: list[Account] = []
        self.wishes: Wishes = {}

    # -- how it begins -------------------------------------------------------------------------------------------

    def settle(self, people: int, meetings: int) -> None:
        """Found organizations, people in them and a few without, their mailboxes, and what stands in those."""
        for name, domains in HOUSES.items():
            self.houses[name] = House(name=name, domains=domains)
            self.organizations[name] = Organization.objects.create(name=name, internal_domains=domains)
        for number in range(people):
            self._move_in(number, None if number % 11 == 10 else list(HOUSES)[number % 3])
        while sum(len(one.entries) for one in self.accounts) < meetings:
            self._invite()
        with time_machine.travel(self.now, tick=False):
            for account in self.accounts:
                self.connect(account)

    def _move_in(self, number: int, house: str | None) -> None:
        domain = OWN_DOMAINS[house] if house else "alone.example"
        address = f"u{number}@{FOREIGN.get(domain, domain)}"
        zone = self.rng.choice(ZONES)
        organization = self.organizations[house] if house else None
        user = User.objects.create_user(address, None, organization=organization, time_zone=zone, language="en")
        member = Member(pk=user.pk, house=self.houses[house] if house else None, addresses=[address], zone=zone)
        self.members.append(member)
        self.users[user.pk] = user
        for which in range(self.rng.choice([1, 1, 2])):
            # The second mailbox has an address of its own, of no domain of the house.
            mailbox = f"U{number}@{domain}" if which == 0 else f"u{number}.second@second.example"
            self.accounts.append(Account(member=member, number=len(self.accounts), address=mailbox))

    def _invite(self) -> None:
        """Somebody invites some: the meeting, or the series, turns up in the calendars of those who use Sally."""
        rng, maker = self.rng, self.maker
        host = rng.choice(self.accounts) if rng.random() < 0.7 else None
        organizer = Person("Host", maker.spelled(host.address)) if host else Person(*rng.choice(STRANGERS))
        if host and rng.random() < 0.1:
            organizer = Person("Host", "an.alias@free.example")  # a mailbox may write under a name we do not know
        near = [one for one in self.accounts if host is None or one.member.house is host.member.house]
        guests = self.guests(near)
        calendars = [host] if host else [rng.choice(near)]
        calendars += [one for one in self.accounts if any(same_person(one.address, who.address) for who in guests)]
        link = maker.link()
        for place in maker.places():
            for account in dict.fromkeys(calendars):
                id = f"{place['ical_uid']}-{len(account.entries)}-{account.number}"
                fields = place | maker.own(host=account is host) | {"organizer": organizer, "attendees": tuple(guests)}
                entry = maker.entry(id, link, **fields)
                account.entries[entry.slot] = entry

    def guests(self, near: list[Account]) -> list[Attendee]:
        return self.maker.guests([one.address for one in near], [one.address for one in self.accounts])

    # -- what Sally should know ----------------------------------------------------------------------------------

    def known(self) -> list[Seen]:
        """What every connected calendar showed when it was last read, with the number of its row."""
        rows = Meeting.objects.values_list("connection", "external_id", "pk")
        numbers = {(connection, id): pk for connection, id, pk in rows}
        return [
            Seen(pk=numbers[account.connection.pk, one.event.id], member=account.member, event=one.event, link=one.link)
            for account in self.accounts
            for one in account.seen.values()
            if account.connection
        ]

    # -- a day or so ---------------------------------------------------------------------------------------------

    def step(self, days: int, happenings: Sequence[Happening], *, read: float) -> None:
        """Let time pass; meanwhile so many things happen in calendars and in settings, and most calendars are read."""
        midnight = self.now.replace(hour=0, minute=0) + timedelta(days=days)
        self.now = midnight + timedelta(hours=self.rng.randrange(7, 18), minutes=self.rng.choice([0, 10, 20, 40]))
        readable = [one for one in self.accounts if one.connection and one.member.active]
        work: list[Callable[[], object]] = [
            *(partial(happens, self) for happens in happenings),
            *(partial(self.read, one) for one in readable if self.rng.random() < read),
        ]
        self.rng.shuffle(work)
        with time_machine.travel(self.now, tick=False):
            for one in work:
                one()

    def read(self, account: Account) -> None:
        """One sync of one calendar, as the worker does it."""
        if not account.connection:
            return
        memory = MemoryClient(*(one.event for one in account.entries.values()))
        memory.bodies = {one.event.id: one.body() for one in account.entries.values()}
        pk = account.connection.pk
        window = Window(self._read_from(account), self.now + timedelta(days=DAYS_AHEAD))
        claimed, token = CalendarConnection.objects.filter(pk=pk).idle(self.now).claim(self.now, limit=1)
        assert claimed == [pk]
        assert sync.run(pk, token, clock=lambda: self.now, open_client=lambda *_: memory)
        account.connection.refresh_from_db()
        assert account.connection.last_synced_at == self.now, account.connection.last_error
        listed = {slot: one for slot, one in account.entries.items() if window.contains(one.event.start, one.event.end)}
        before = {
            slot: one for slot, one in account.seen.items() if not window.contains(one.event.start, one.event.end)
        }
        account.seen = before | {slot: one for slot, one in listed.items() if account.keeps(one)}

    def _read_from(self, account: Account) -> datetime:
        """A sync reads from a day ago, or from where the last one was."""
        assert account.connection
        return min(self.now - timedelta(days=1), account.connection.last_synced_at or self.now)

    def connect(self, account: Account) -> None:
        signed_in = SignedIn(f"account-{account.number}", account.address, secret={"cache": "a cache"})
        user = self.users[account.member.pk]
        account.connection = CalendarConnection.objects.connect(user, "microsoft-work", signed_in)
        account.private = account.only_online = False
        account.member.addresses.append(account.address)

    def disconnect(self, account: Account) -> None:
        assert account.connection
        account.connection.disconnect()
        account.connection, account.seen = None, {}
        account.member.addresses.remove(account.address)

    def save(self, house: House) -> None:
        values = dataclasses.asdict(house.settings) | {"locked": house.locked}
        attendance.save_organization(self.organizations[house.name], values, house.domains, self.now)

    def save_user(self, member: Member, **fields: Any) -> None:
        user = self.users[member.pk]
        for name, value in fields.items():
            setattr(user, name, value)
        user.save(update_fields=list(fields))

    def settings(self, *, no_rule: float) -> Settings:
        rng = self.rng
        return Settings(
            rule="" if rng.random() < no_rule else rng.choice(RULES),
            only_accepted=rng.random() < 0.2,
            skip_confidential=rng.random() < 0.7,
            skip_free=rng.random() < 0.7,
            skip_all_day=rng.random() < 0.6,
            lead=rng.choice([None, None, -10, -5, -1, 0, 3, 10]),
        )

    def somebody(self) -> Member:
        return self.rng.choice([one for one in self.members if one.active])

    def entry(self) -> Entry:
        """One that is coming up or was lately, from anybody's calendar."""
        while True:
            entries = list(self.rng.choice(self.accounts).entries.values())
            soon = [one for one in entries if abs(one.event.start - self.now) < timedelta(days=DAYS_AHEAD + 2)]
            if soon:
                return self.rng.choice(soon)

    def change(self, slot: Slot, change: Callable[[Entry], Entry], *, part: float = 0.9) -> None:
        """Change a meeting in most of the calendars that it stands in."""
        for account in self.accounts:
            if slot in account.entries and self.rng.random() < part:
                account.entries[slot] = change(account.entries[slot])
