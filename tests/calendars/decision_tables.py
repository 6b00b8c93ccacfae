"""Meetings to decide about; who takes part, and what each rule that asks for people then says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from calendars.people import Circle, Invited
from calendars.policy import Choice, Decision, Facts, Override, Overrides, Rule, Terms, decide

# Ada's organization lists company.com and bücher.example. Ben and Carl use Sally too, Carl with an unlisted address.
CIRCLE = Circle(
    domains=frozenset({"company.com", "xn--bcher-kva.example"}),
    users=frozenset({"ada@company.com", "ben@company.com", "carl@elsewhere.example"}),
    own=frozenset({"ada@company.com", "countess@lovelace.example"}),
)
ADA = Invited("Ada", "ada@company.com")
BEN = Invited("Ben", "ben@company.com")
CARL = Invited("Carl", "carl@elsewhere.example")
DORA = Invited("Dora", "dora@company.com")
GUEST = Invited("Guest", "guest@partner.example")
SECOND = Invited("Second guest", "second@partner.example", "optional")
ROOM = Invited("Room 1", "room1@rooms.example", "resource")
EVERYBODY = Invited("Everybody", "everybody@lists.example", "list")
NOBODY = Invited("", "")
ADA_UNKNOWN = Invited("Ada", "ada@private.example")  # none of the addresses that are known to be hers

CONFIRMED = datetime(2026, 11, 23, 9, tzinfo=UTC)
JOINABLE = frozenset({"teams", "meet", "zoom", "webex"})
JOIN, SKIP, FOLLOW = Choice.JOIN, Choice.SKIP, Choice.FOLLOW
NOTHING_SAID = Overrides()
JOINED = Overrides(Override(JOIN))

Said = tuple[str, str]


def at(hour: int, minute: int = 0, day: int = 30) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def meeting(**fields: Any) -> Facts:
    """Ben's and Ada's, accepted, from ten to eleven, with a link to Zoom."""
    usual: dict[str, Any] = {
        "start": at(10),
        "end": at(11),
        "all_day": False,
        "cancelled": False,
        "private": False,
        "confidential": False,
        "response": "accepted",
        "show_as": "busy",
        "is_organizer": False,
        "organizer": BEN,
        "attendees": (ADA,),
        "attendees_hidden": False,
        "join_url": "https://zoom.us/j/1?pwd=x",
        "service": "zoom",
    }
    return Facts(**usual | fields)


def terms(rule: Rule = Rule.ALL, **fields: Any) -> Terms:
    usual: dict[str, Any] = {"rule": rule, "confirmed_at": CONFIRMED}
    return Terms(**usual | fields)


def decision(facts: Facts, by: Terms | None, said: Overrides = NOTHING_SAID, now: datetime | None = None) -> Decision:
    return decide(facts, by, CIRCLE, said, JOINABLE, now)


def reason(facts: Facts, by: Terms | None, said: Overrides = NOTHING_SAID, now: datetime | None = None) -> Said:
    made = decision(facts, by, said, now)
    return str(made.reason), made.about


class Row(NamedTuple):
    """Reason and what it is about, by rule."""

    name: str
    organizer: Invited
    attendees: tuple[Invited, ...]
    internal: Said
    organization: Said
    external: Said


ALL = ("all", "")
NEVER = ("never", "")
INTERNAL = ("internal", "")
ORGANIZATION = ("organization", "")
NO_OUTSIDER = ("no_outsider", "")
HIDDEN = ("hidden", "")


def unlisted(about: str) -> Said:
    return "not_listed", about


def no_user(about: str) -> Said:
    return "not_a_user", about


def outsider(about: str) -> tuple[Said, Said, Said]:
    return ("not_listed", about), ("not_a_user", about), ("external", about)


def to(address: str) -> Invited:
    return Invited("Somebody", address)


# By the calendar's word somebody else organizes it, and the calendar shows all who are invited.
MEMBERSHIP = [
    Row("nobody at all", NOBODY, (), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("only Ada", ADA, (ADA,), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("only Ada, invited by nobody", NOBODY, (ADA,), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("Ada's other address", ADA, (to("countess@lovelace.example"),), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("Ada in capitals", to("ADA@Company.COM"), (), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("Ada's plus-address", ADA, (to("ada+x@company.com"),), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("her other plus-address", ADA, (to("Countess+x@LOVELACE.example"),), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("an address of hers nobody knows", ADA_UNKNOWN, (), *outsider("ada@private.example")),
    Row("no attendees, invited by a user", BEN, (), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("no attendees, invited by a colleague", DORA, (), INTERNAL, no_user("dora@company.com"), NO_OUTSIDER),
    Row("no attendees, invited by an outsider", GUEST, (), *outsider("guest@partner.example")),
    Row("only users", BEN, (ADA, BEN), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("only colleagues", DORA, (ADA, DORA), INTERNAL, no_user("dora@company.com"), NO_OUTSIDER),
    Row("a user, unlisted", ADA, (ADA, CARL), unlisted("carl@elsewhere.example"), ORGANIZATION, NO_OUTSIDER),
    Row("a user's plus-address", ADA, (to("Ben+w@company.com"),), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("an unlisted one", ADA, (to("Carl+w@x.Elsewhere.example"),), *outsider("Carl+w@x.Elsewhere.example")),
    Row("a sub-domain", ADA, (to("x@Mail.Company.com"),), INTERNAL, no_user("x@Mail.Company.com"), NO_OUTSIDER),
    Row("an IDN", ADA, (to("x@BÜCHER.example"),), INTERNAL, no_user("x@BÜCHER.example"), NO_OUTSIDER),
    Row(
        "its A-label", ADA, (to("x@xn--bcher-kva.example"),), INTERNAL, no_user("x@xn--bcher-kva.example"), NO_OUTSIDER
    ),
    Row("an outsider", ADA, (ADA, GUEST), *outsider("guest@partner.example")),
    Row("two outsiders", ADA, (SECOND, GUEST), *outsider("second@partner.example")),
    Row("the organizer is an outsider too", GUEST, (SECOND, ADA), *outsider("guest@partner.example")),
    Row(
        "people of all kinds",
        BEN,
        (ADA, DORA, CARL, GUEST, SECOND),
        unlisted("carl@elsewhere.example"),
        no_user("dora@company.com"),
        ("external", "guest@partner.example"),
    ),
    Row(
        "a domain before a strange one",
        ADA,
        (to("x@company.com.evil.example"),),
        *outsider("x@company.com.evil.example"),
    ),
    Row("a domain that ends alike", ADA, (to("x@notcompany.com"),), *outsider("x@notcompany.com")),
    Row(
        "a user at a stranger's", ADA, (to("ben@company.com@evil.example"),), *outsider("ben@company.com@evil.example")
    ),
    Row("a name only", ADA, (Invited("Ben", ""),), *outsider("Ben")),
    Row("an organizer with a name only", Invited("Ben", ""), (ADA,), *outsider("Ben")),
    Row("an attendee without anything", ADA, (NOBODY,), *outsider("")),
    Row("a directory's address", ADA, (to("/O=ORG/OU=GROUP/CN=BEN"),), *outsider("/O=ORG/OU=GROUP/CN=BEN")),
    Row("a tag only", ADA, (to("+ben@company.com"),), *outsider("+ben@company.com")),
    Row("a room", ADA, (ROOM,), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("a public list", ADA, (EVERYBODY,), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("a room organizes", ROOM, (BEN, EVERYBODY), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("another list", ADA, (to("team@company.com"),), INTERNAL, no_user("team@company.com"), NO_OUTSIDER),
    Row("a stranger's list", ADA, (to("team@partner.example"),), *outsider("team@partner.example")),
]

# The same, where the calendar does not show all who are invited.
HIDDEN_ATTENDEES = [
    Row("nobody is visible", NOBODY, (), HIDDEN, HIDDEN, HIDDEN),
    Row("only users are visible", BEN, (ADA,), HIDDEN, HIDDEN, HIDDEN),
    Row("a colleague is visible", DORA, (ADA,), HIDDEN, no_user("dora@company.com"), HIDDEN),
    Row("an unlisted user is visible", CARL, (ADA,), unlisted("carl@elsewhere.example"), HIDDEN, HIDDEN),
    Row("an outsider is visible", GUEST, (ADA,), *outsider("guest@partner.example")),
    Row("somebody without address is visible", Invited("Ben", ""), (ADA,), *outsider("Ben")),
    Row("a room is visible", BEN, (ADA, ROOM, EVERYBODY), HIDDEN, HIDDEN, HIDDEN),
]

# The same, where by the calendar's word Ada organizes it: whatever the organizer's address is, it is hers.
ORGANIZED = [
    Row("under her address", ADA, (), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("under an unknown one", ADA_UNKNOWN, (BEN,), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("and is invited under it", ADA_UNKNOWN, (to("Ada+x@Private.example"),), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("without an address", Invited("Ada", ""), (BEN,), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("as somebody else without one", Invited("Ada", ""), (Invited("Zoe", ""),), *outsider("Zoe")),
    Row("without anything", NOBODY, (), INTERNAL, ORGANIZATION, NO_OUTSIDER),
    Row("with an outsider", ADA_UNKNOWN, (BEN, GUEST), *outsider("guest@partner.example")),
    Row("with a colleague", ADA, (DORA,), INTERNAL, no_user("dora@company.com"), NO_OUTSIDER),
]
