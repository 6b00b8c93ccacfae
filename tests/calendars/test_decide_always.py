"""What holds of every decision, whatever a calendar says and whatever anybody has set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from calendars.people import Circle, Invited, canonical, canonical_domain
from calendars.policy import Check, Choice, Decision, Facts, Override, Overrides, Reason, Rule, Terms, checks, decide
from tests.calendars.decision_tables import ADA, BEN, CARL, CIRCLE, DORA, GUEST, JOINABLE, NOTHING_SAID, Said, at
from tests.calendars.test_people import LETTERS

YES = {"asked", "all", "internal", "organization", "external", "host"}

addresses = st.sampled_from([one.address for one in (ADA, BEN, CARL, DORA, GUEST)]) | st.text(max_size=30)
people = st.builds(
    Invited, st.text(max_size=5), addresses, st.sampled_from(["required", "optional", "resource", "list"])
)
moments = st.datetimes(timezones=st.just(UTC))
near = st.integers(-60, 60).map(lambda minutes: at(10) + timedelta(minutes=minutes))
facts = st.builds(
    Facts,
    start=st.none() | moments | near,
    end=st.none() | moments | near,
    all_day=st.booleans(),
    cancelled=st.booleans(),
    private=st.booleans(),
    confidential=st.booleans(),
    response=st.sampled_from(["none", "organizer", "accepted", "tentative", "declined"]) | st.text(max_size=5),
    show_as=st.sampled_from(["free", "busy"]) | st.text(max_size=5),
    is_organizer=st.booleans(),
    organizer=people,
    attendees=st.lists(people, max_size=4).map(tuple),
    attendees_hidden=st.booleans(),
    join_url=st.text(max_size=5),
    service=st.sampled_from(["zoom", "goto", ""]) | st.text(max_size=5),
)
complete = st.builds(
    lambda found, start, minutes: replace(
        found,
        cancelled=False,
        start=start,
        end=start + timedelta(minutes=minutes),
        join_url="https://x",
        service="zoom",
    ),
    facts,
    near,
    st.integers(0, 120),
)
NOW = at(8)  # before all that is complete
PREREQUISITES: list[dict[str, Any]] = [
    {"cancelled": True},
    {"start": at(7), "end": NOW},
    {"start": None},
    {"end": None},
    {"start": at(13), "end": at(12)},
    {"join_url": ""},
    {"service": "goto"},
    {"service": ""},
]
terms = st.builds(
    Terms,
    rule=st.sampled_from(Rule),
    only_accepted=st.booleans(),
    skip_confidential=st.booleans(),
    skip_free=st.booleans(),
    skip_all_day=st.booleans(),
    lead=st.integers(-10, 10),
    confirmed_at=near,
)
# What comes down to the rule and its switches.
ruled = complete.map(lambda found: replace(found, private=False, response="accepted"))
ruling = terms.map(lambda by: replace(by, confirmed_at=NOW))
leads = st.none() | st.integers(-10, 10)
override = st.builds(Override, st.none() | st.sampled_from(Choice), leads)
overrides = st.builds(Overrides, override, override)


def made(
    found: Facts, by: Terms | None, said: Overrides, now: datetime | None = NOW, circle: Circle = CIRCLE
) -> Decision:
    return decide(found, by, circle, said, JOINABLE, now)


@given(facts, st.none() | terms, overrides, st.none() | moments, st.sets(addresses).map(frozenset))
def test_any_meeting_is_decided_for_one_reason(
    found: Facts, by: Terms | None, said: Overrides, now: datetime | None, any_texts: frozenset[str]
) -> None:
    one = made(found, by, said, now, Circle(any_texts, any_texts, any_texts))
    assert one.reason in Reason
    assert one.joins is (one.reason in YES)
    assert (one.join_at is not None) is one.joins
    assert checks(one) == tuple(Check)[: len(checks(one))] != ()


@given(complete, terms, overrides, leads)
def test_what_was_asked_for_beats_every_rule_and_switch(
    found: Facts, by: Terms, said: Overrides, lead: int | None
) -> None:
    asked = replace(said, this=Override(Choice.JOIN, lead))
    assert (made(found, by, asked).joins, made(found, by, asked).reason) == (True, Reason.ASKED)
    refused = replace(said, this=Override(Choice.SKIP, lead))
    assert made(found, by, refused) == Decision(False, Reason.REFUSED)


@given(complete, st.sampled_from(PREREQUISITES), terms, overrides)
def test_nothing_beats_a_prerequisite(found: Facts, missing: dict[str, Any], by: Terms, said: Overrides) -> None:
    assert not made(replace(found, **missing), by, said).joins


@given(facts, overrides)
def test_nothing_beats_a_missing_confirmation(found: Facts, said: Overrides) -> None:
    assert made(found, None, said) == Decision(False, Reason.UNCONFIRMED)


@given(complete, terms, overrides)
def test_she_joins_within_ten_minutes_of_the_start_and_before_the_end(found: Facts, by: Terms, said: Overrides) -> None:
    one = made(found, by, said)
    assert found.start
    assert found.end
    if one.join_at:
        assert abs(one.join_at - found.start) <= timedelta(minutes=10)
        assert one.join_at < found.end or one.join_at == found.start


@given(ruled, ruling, st.randoms(use_true_random=False))
def test_the_order_of_attendees_changes_only_whom_it_is_about(found: Facts, by: Terms, random: Any) -> None:
    shuffled = list(found.attendees)
    random.shuffle(shuffled)
    other = made(replace(found, attendees=tuple(shuffled)), by, NOTHING_SAID)
    assert replace(other, about="") == replace(made(found, by, NOTHING_SAID), about="")


@given(ruled, ruling, people, st.sampled_from(["resource", "list"]), st.integers(0, 4))
def test_a_room_or_a_public_list_changes_nothing(
    found: Facts, by: Terms, one: Invited, kind: str, position: int
) -> None:
    attendees = list(found.attendees)
    attendees.insert(position, one._replace(kind=kind))
    assert made(replace(found, attendees=tuple(attendees)), by, NOTHING_SAID) == made(found, by, NOTHING_SAID)


@given(ruled, ruling, st.sampled_from(["ada@company.com", "Ada+x@COMPANY.com"]), st.integers(0, 4))
def test_the_owner_among_the_attendees_changes_nothing(found: Facts, by: Terms, own: str, position: int) -> None:
    attendees = list(found.attendees)
    attendees.insert(position, Invited("", own))
    assert made(replace(found, attendees=tuple(attendees)), by, NOTHING_SAID) == made(found, by, NOTHING_SAID)


# Letter case: of letters that round-trip (see LETTERS), for which upper and lower are each other's opposites.

names = st.text(LETTERS, min_size=1, max_size=3)
domains = st.sampled_from(["company.com", "é.example", "mail.company.com", "partner.example"])
spelled = st.builds("{}@{}".format, names, domains)


@given(
    ruled,
    ruling,
    st.lists(spelled, min_size=1, max_size=4),
    st.lists(spelled, max_size=3),
    st.lists(domains, max_size=2),
    st.sampled_from([str.upper, str.title, str.swapcase]),
    st.booleans(),
)
def test_letter_case_never_matters(
    found: Facts,
    by: Terms,
    invited: list[str],
    users: list[str],
    listed: list[str],
    spell: Callable[[str], str],
    in_the_calendar: bool,
) -> None:
    """Neither in the calendar nor in the whitelist and the addresses of users."""

    def one(in_meeting: Callable[[str], str], in_circle: Callable[[str], str]) -> Decision:
        circle = Circle(
            frozenset(canonical_domain(in_circle(domain)) for domain in listed),
            frozenset(canonical(in_circle(address)) for address in users),
            frozenset(canonical(in_circle(address)) for address in users[:1]),
        )
        organizer, *attendees = (Invited("", in_meeting(address)) for address in invited)
        return made(replace(found, organizer=organizer, attendees=tuple(attendees)), by, NOTHING_SAID, NOW, circle)

    plain = one(str.lower, str.lower)
    other = one(spell, str.lower) if in_the_calendar else one(str.lower, spell)
    assert replace(other, about=other.about.lower()) == plain


@given(ruled, ruling, st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20))
def test_below_a_listed_domain_is_internal_and_beside_it_is_not(found: Facts, by: Terms, label: str) -> None:
    def internal(address: str) -> Said:
        alone = replace(found, is_organizer=False, organizer=Invited("", address), attendees=(), attendees_hidden=False)
        welcome = replace(alone, show_as="busy", confidential=False, all_day=False)
        one = made(welcome, replace(by, rule=Rule.INTERNAL), NOTHING_SAID)
        return str(one.reason), one.about

    below, beside, above = f"x@{label}.company.com", f"x@{label}company.com", f"x@company.com.{label}.example"
    assert internal(below) == ("internal", "")
    assert internal(beside) == ("not_listed", beside)
    assert internal(above) == ("not_listed", above)
