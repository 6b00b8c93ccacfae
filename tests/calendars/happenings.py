"""What may happen to the people of a simulation, to their calendars and to what they and their admins set."""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta

from calendars import attendance
from calendars.models import Meeting
from integrations.events import Kind, Person
from integrations.models.connections import SyncOption
from tests.calendars.oracle import SERIES, Wish
from tests.calendars.simulated_events import STRANGERS
from tests.calendars.simulation import LISTED, ZONES, Happening, World


def drawn(rng: random.Random, *, in_calendars: int, in_settings: int) -> list[Happening]:
    return [
        *rng.choices(list(IN_CALENDARS), list(IN_CALENDARS.values()), k=in_calendars),
        *rng.choices(list(IN_SETTINGS), list(IN_SETTINGS.values()), k=in_settings),
    ]


# -- what happens in calendars ------------------------------------------------------------------------------------


def is_moved(world: World) -> None:
    """Somewhere else within days, now and then to where Sally does not look yet; an occurrence becomes an exception."""
    entry, rng = world.entry(), world.rng
    start = world.maker.moment(near=world.now) + timedelta(days=rng.choice([0, 0, 0, 0, 40]))
    times = world.maker.times(start)
    kind = Kind.SINGLE if entry.event.kind is Kind.SINGLE else Kind.EXCEPTION
    world.change(entry.slot, lambda one: one.changed(**times, kind=kind))


def is_retitled(world: World) -> None:
    """A whole series: its occurrences stay what they are."""
    uid = world.entry().event.ical_uid
    for account in world.accounts:
        for slot, one in account.entries.items():
            if one.event.ical_uid == uid:
                account.entries[slot] = one.changed(subject=f"Retitled {world.now:%d}")


def is_cancelled_or_restored(world: World) -> None:
    entry = world.entry()
    world.change(entry.slot, lambda one: one.changed(cancelled=not entry.event.cancelled))


def has_another_link(world: World) -> None:
    spellings = world.maker.link()
    place = world.rng.choice(["field", "field", "location", "body"])
    world.change(world.entry().slot, lambda one: one.linked(world.rng.choice(spellings) if spellings else None, place))


def meets_where_others_do(world: World) -> None:
    entry, other = world.entry(), world.entry()
    world.change(entry.slot, lambda one: one.linked(other.link, "field"))
    if world.rng.random() < 0.7:
        times = {"start": other.event.start, "end": other.event.end + timedelta(minutes=world.rng.choice([0, 30]))}
        world.change(entry.slot, lambda one: one.changed(**times, start_date=None, end_date=None))


def has_other_guests(world: World) -> None:
    guests = tuple(world.guests(world.accounts))
    world.change(world.entry().slot, lambda one: one.changed(attendees=guests))


def has_another_organizer(world: World) -> None:
    organizer = Person(*world.rng.choice([*STRANGERS, ("User", world.rng.choice(world.accounts).address)]))
    world.change(world.entry().slot, lambda one: one.changed(organizer=organizer))


def its_owner_says_something(world: World) -> None:
    """The answer, how it is shown, or its sensitivity: in one calendar, as the owner's other words are kept."""
    own = world.maker.own(host=False)
    names = world.rng.choice(
        [["response"], ["response"], ["show_as"], ["private", "confidential"], ["attendees_hidden"]]
    )
    account = world.rng.choice(world.accounts)
    slots = [slot for slot, one in account.entries.items() if one.event.end > world.now]
    if slots:
        slot = world.rng.choice(slots)
        fields = {name: own[name] for name in names}
        if names == ["response"] and account.entries[slot].event.is_organizer:
            return
        account.entries[slot] = account.entries[slot].changed(**fields)


def goes_private_or_public(world: World) -> None:
    entry = world.entry()
    world.change(entry.slot, lambda one: one.changed(private=not entry.event.private))


def vanishes(world: World) -> None:
    slot = world.entry().slot
    for account in world.accounts:
        if slot in account.entries:
            account.gone[slot] = account.entries.pop(slot)


def comes_back(world: World) -> None:
    """Under its own id, or under another."""
    slots = sorted({slot for account in world.accounts for slot in account.gone}, key=repr)
    if slots:
        slot = world.rng.choice(slots)
        new = world.rng.choice(["", f"-{world.now:%d}"])
        for account in world.accounts:
            if slot in account.gone:
                one = account.gone.pop(slot)
                account.entries[slot] = one.changed(id=one.event.id + new)


def mailbox_is_moved(world: World) -> None:
    account = world.rng.choice(world.accounts)
    account.entries = {
        slot: one.changed(id=f"{one.event.ical_uid}-{number}-{account.number}-moved-{world.now:%d%H}")
        for number, (slot, one) in enumerate(account.entries.items())
    }


# -- what people and admins set -----------------------------------------------------------------------------------


def person_confirms(world: World) -> None:
    """Or changes what they confirmed before."""
    member = world.somebody()
    member.settings = world.settings(no_rule=0.15)
    member.confirmed_at = member.confirmed_at or world.now
    attendance.save_terms(world.users[member.pk], dataclasses.asdict(member.settings), world.now)


def admin_sets_the_default(world: World) -> None:
    house = world.rng.choice(list(world.houses.values()))
    house.settings = world.settings(no_rule=0.3)
    world.save(house)


def admin_locks_or_unlocks(world: World) -> None:
    house = world.rng.choice(list(world.houses.values()))
    house.locked = not house.locked
    world.save(house)


def admin_changes_the_whitelist(world: World) -> None:
    house = world.rng.choice(list(world.houses.values()))
    one = world.rng.choice(LISTED)
    house.domains = [*house.domains, one] if one not in house.domains else [d for d in house.domains if d != one]
    world.save(house)


def person_is_deactivated_or_comes_back(world: World) -> None:
    member = next((one for one in world.members if not one.active), None)
    if member is None or world.rng.random() < 0.5:
        member = world.somebody()
    member.active = not member.active
    world.save_user(member, is_active=member.active)


def person_changes_zone(world: World) -> None:
    member = world.somebody()
    member.zone = world.rng.choice(ZONES)
    world.save_user(member, time_zone=member.zone)


def person_changes_house(world: World) -> None:
    member = world.somebody()
    name = world.rng.choice([*world.houses, None])
    member.house = world.houses[name] if name else None
    world.save_user(member, organization=world.organizations[name] if name else None)


def calendar_is_disconnected_or_connected(world: World) -> None:
    account = next((one for one in world.accounts if not one.connection), None)
    if account is None or world.rng.random() < 0.4:
        account = world.rng.choice([one for one in world.accounts if one.connection])
        world.disconnect(account)
    else:
        world.connect(account)


def option_is_switched(world: World) -> None:
    account = world.rng.choice([one for one in world.accounts if one.connection])
    assert account.connection
    if world.rng.random() < 0.7:
        account.private = not account.private
        account.connection.set_option(SyncOption.PRIVATE, account.private)
    else:
        account.only_online = not account.only_online
        account.connection.set_option(SyncOption.ONLY_ONLINE, account.only_online)
    account.seen = {slot: one for slot, one in account.seen.items() if account.keeps(one)}


def person_decides(world: World) -> None:
    """About one meeting, or a whole series; now and then all is taken back."""
    rng = world.rng
    account = rng.choice(world.accounts)
    ahead = [one for one in account.seen.values() if one.event.end > world.now]
    if not (account.connection and account.member.active and ahead):
        return
    entry = rng.choice(ahead)
    meeting = Meeting.objects.get(connection=account.connection, external_id=entry.event.id)
    whole = entry.event.kind is not Kind.SINGLE and rng.random() < 0.5
    key = (account.member.pk, entry.event.ical_uid, SERIES if whole else entry.event.original_start)
    choice, lead = rng.choice(["join", "join", "skip", "follow", ""]), rng.choice([None, None, -10, 0, 7, 10])
    if not choice and lead is None:
        world.wishes.pop(key, None)
    else:
        world.wishes[key] = Wish(choice=choice, lead=lead)
    user = world.users[account.member.pk]
    attendance.decide_for(user, meeting, choice=choice, lead=lead, whole_series=whole, now=world.now)


def person_takes_back(world: World) -> None:
    """Of something that they decided, if a calendar of theirs still shows it."""
    for account in world.accounts:
        for entry in account.seen.values():
            key = (account.member.pk, entry.event.ical_uid, entry.event.original_start)
            if account.connection and account.member.active and key in world.wishes and entry.event.end > world.now:
                meeting = Meeting.objects.get(connection=account.connection, external_id=entry.event.id)
                del world.wishes[key]
                user = world.users[account.member.pk]
                attendance.decide_for(user, meeting, choice="", lead=None, whole_series=False, now=world.now)
                return


# How often, compared with each other.
IN_CALENDARS: dict[Happening, int] = {
    is_moved: 10,
    is_retitled: 1,
    is_cancelled_or_restored: 4,
    has_another_link: 8,
    meets_where_others_do: 8,
    has_other_guests: 8,
    has_another_organizer: 2,
    its_owner_says_something: 12,
    goes_private_or_public: 4,
    vanishes: 4,
    comes_back: 4,
    mailbox_is_moved: 1,
}
IN_SETTINGS: dict[Happening, int] = {
    person_confirms: 10,
    admin_sets_the_default: 1,
    admin_locks_or_unlocks: 1,
    admin_changes_the_whitelist: 1,
    person_is_deactivated_or_comes_back: 1,
    person_changes_zone: 1,
    person_changes_house: 1,
    calendar_is_disconnected_or_connected: 2,
    option_is_switched: 3,
    person_decides: 14,
    person_takes_back: 2,
}
