"""Whether Sally joins: every class of meeting with its one reason, written out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from calendars.people import Circle, Invited
from calendars.policy import Choice, Decision, Facts, Override, Overrides, Reason, Rule, decide
from tests.calendars.decision_tables import (
    ADA,
    ALL,
    BEN,
    FOLLOW,
    GUEST,
    HIDDEN_ATTENDEES,
    JOIN,
    JOINABLE,
    JOINED,
    MEMBERSHIP,
    NEVER,
    NOTHING_SAID,
    ORGANIZED,
    SKIP,
    Row,
    Said,
    at,
    decision,
    meeting,
    reason,
    terms,
)

# For each rule a meeting that it joins.
FOR_ITS_RULE = [
    (Rule.ALL, meeting()),
    (Rule.INTERNAL, meeting()),
    (Rule.ORGANIZATION, meeting()),
    (Rule.EXTERNAL, meeting(attendees=(GUEST,))),
    (Rule.HOST, meeting(is_organizer=True, organizer=ADA, attendees=(BEN,))),
]


# Rules and people


@pytest.mark.parametrize("row", MEMBERSHIP, ids=lambda row: row.name)
def test_who_takes_part(row: Row) -> None:
    facts = meeting(organizer=row.organizer, attendees=row.attendees)
    assert says(facts) == (row.internal, row.organization, row.external)
    assert others(facts) == (("all", ""), ("not_host", ""), ("never", ""))


@pytest.mark.parametrize("row", HIDDEN_ATTENDEES, ids=lambda row: row.name)
def test_hidden_attendees_may_be_anybody(row: Row) -> None:
    facts = meeting(organizer=row.organizer, attendees=row.attendees, attendees_hidden=True)
    assert says(facts) == (row.internal, row.organization, row.external)
    assert others(facts) == (("all", ""), ("not_host", ""), ("never", ""))


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("row", ORGANIZED, ids=lambda row: row.name)
def test_the_organizer_is_the_owner_and_sees_everybody(row: Row, hidden: bool) -> None:
    facts = meeting(organizer=row.organizer, attendees=row.attendees, attendees_hidden=hidden, is_organizer=True)
    assert says(facts) == (row.internal, row.organization, row.external)
    assert others(facts) == (("all", ""), ("host", ""), ("never", ""))


def says(facts: Facts) -> tuple[Said, ...]:
    return tuple(reason(facts, terms(rule)) for rule in (Rule.INTERNAL, Rule.ORGANIZATION, Rule.EXTERNAL))


def others(facts: Facts) -> tuple[Said, ...]:
    return tuple(reason(facts, terms(rule)) for rule in (Rule.ALL, Rule.HOST, Rule.NEVER))


@pytest.mark.parametrize(
    ("rule", "facts", "expected"),
    [
        (Rule.ALL, meeting(), Decision(True, Reason.ALL, "", at(9, 59))),
        (Rule.INTERNAL, meeting(), Decision(True, Reason.INTERNAL, "", at(9, 59))),
        (Rule.ORGANIZATION, meeting(), Decision(True, Reason.ORGANIZATION, "", at(9, 59))),
        (
            Rule.EXTERNAL,
            meeting(attendees=(GUEST,)),
            Decision(True, Reason.EXTERNAL, "guest@partner.example", at(9, 59)),
        ),
        (Rule.HOST, meeting(is_organizer=True), Decision(True, Reason.HOST, "", at(9, 59))),
        (Rule.INTERNAL, meeting(attendees=(GUEST,)), Decision(False, Reason.NOT_LISTED, "guest@partner.example")),
        (Rule.ORGANIZATION, meeting(attendees=(GUEST,)), Decision(False, Reason.NOT_A_USER, "guest@partner.example")),
        (Rule.EXTERNAL, meeting(), Decision(False, Reason.NO_OUTSIDER)),
        (Rule.HOST, meeting(), Decision(False, Reason.NOT_HOST)),
        (Rule.NEVER, meeting(), Decision(False, Reason.NEVER)),
    ],
)
def test_she_joins_a_minute_early_by_a_rule_that_says_yes(rule: Rule, facts: Facts, expected: Decision) -> None:
    assert decision(facts, terms(rule)) == expected


def test_without_whitelist_and_users_everybody_else_is_an_outsider() -> None:
    alone = Circle(own=frozenset({"ada@company.com"}))
    made = decide(meeting(), terms(Rule.EXTERNAL), alone, NOTHING_SAID, JOINABLE, None)
    assert made == Decision(True, Reason.EXTERNAL, "ben@company.com", at(9, 59))


def test_nobody_passes_for_a_user_or_the_owner_whose_address_is_unusable() -> None:
    """Nor where one of theirs, or a domain, is unusable itself."""
    broken = Circle(frozenset({""}), frozenset({""}), frozenset({""}))
    facts = meeting(organizer=Invited("Zoe", ""), attendees=())
    for rule, expected in [
        (Rule.INTERNAL, Decision(False, Reason.NOT_LISTED, "Zoe")),
        (Rule.ORGANIZATION, Decision(False, Reason.NOT_A_USER, "Zoe")),
        (Rule.EXTERNAL, Decision(True, Reason.EXTERNAL, "Zoe", at(9, 59))),
    ]:
        assert decide(facts, terms(rule), broken, NOTHING_SAID, JOINABLE, None) == expected


# Rules and answers


@pytest.mark.parametrize(("rule", "facts"), FOR_ITS_RULE)
@pytest.mark.parametrize("response", ["none", "organizer", "accepted", "tentative", "", "something new"])
def test_any_answer_but_no_is_good_enough(rule: Rule, facts: Facts, response: str) -> None:
    assert decision(replace(facts, response=response), terms(rule)).joins


@pytest.mark.parametrize("rule", Rule)
def test_declined_means_no_under_every_rule(rule: Rule) -> None:
    assert reason(meeting(response="declined", is_organizer=True), terms(rule)) == ("declined", "")


@pytest.mark.parametrize(("rule", "facts"), FOR_ITS_RULE[:4])
@pytest.mark.parametrize(
    ("response", "joins"),
    [("none", False), ("tentative", False), ("", False), ("accepted", True), ("organizer", True)],
)
def test_only_what_was_accepted_where_one_wants_it(rule: Rule, facts: Facts, response: str, joins: bool) -> None:
    made = decision(replace(facts, response=response), terms(rule, only_accepted=True))
    assert made.joins is joins
    assert joins or (made.reason, made.about) == (Reason.NOT_ACCEPTED, "")


def test_who_organizes_a_meeting_need_not_accept_it() -> None:
    facts = meeting(is_organizer=True, response="none")
    assert reason(facts, terms(Rule.HOST, only_accepted=True)) == ("host", "")


# Rules and links


@pytest.mark.parametrize(("rule", "facts"), FOR_ITS_RULE)
@pytest.mark.parametrize(
    ("link", "service", "expected"),
    [
        ("", "", ("no_link", "")),
        ("", "zoom", ("no_link", "")),
        ("https://meet.goto.com/1", "goto", ("service", "goto")),
        ("https://conference.company.example/room", "", ("service", "")),
        ("https://zoom.us/j/1", "ZOOM", ("service", "ZOOM")),
    ],
)
def test_no_rule_and_no_wish_joins_without_a_usable_link(
    rule: Rule, facts: Facts, link: str, service: str, expected: Said
) -> None:
    without = replace(facts, join_url=link, service=service)
    assert reason(without, terms(rule)) == expected
    assert reason(without, terms(rule), JOINED) == expected


@pytest.mark.parametrize("service", ["teams", "meet", "zoom", "webex"])
def test_every_service_that_sally_joins_is_good(service: str) -> None:
    assert decision(meeting(service=service), terms()).joins


# Overrides


@pytest.mark.parametrize(
    ("this", "series", "by_all", "by_never"),
    [
        (None, None, ALL, NEVER),
        (FOLLOW, None, ALL, NEVER),
        (None, FOLLOW, ALL, NEVER),
        (FOLLOW, FOLLOW, ALL, NEVER),
        (JOIN, None, ("asked", ""), ("asked", "")),
        (None, JOIN, ("asked", "series"), ("asked", "series")),
        (JOIN, JOIN, ("asked", ""), ("asked", "")),
        (JOIN, SKIP, ("asked", ""), ("asked", "")),
        (JOIN, FOLLOW, ("asked", ""), ("asked", "")),
        (SKIP, None, ("refused", ""), ("refused", "")),
        (None, SKIP, ("refused", "series"), ("refused", "series")),
        (SKIP, SKIP, ("refused", ""), ("refused", "")),
        (SKIP, JOIN, ("refused", ""), ("refused", "")),
        (SKIP, FOLLOW, ("refused", ""), ("refused", "")),
        (FOLLOW, JOIN, ALL, NEVER),
        (FOLLOW, SKIP, ALL, NEVER),
    ],
)
def test_what_was_said_of_this_one_goes_before_the_series_and_both_before_the_rule(
    this: Choice | None, series: Choice | None, by_all: Said, by_never: Said
) -> None:
    said = Overrides(Override(this), Override(series))
    assert reason(meeting(), terms(Rule.ALL), said) == by_all
    assert reason(meeting(), terms(Rule.NEVER), said) == by_never


@pytest.mark.parametrize(
    "fields",
    [
        {"response": "declined"},
        {"private": True},
        {"start": at(8, 30, day=23), "end": at(9, 30, day=23)},
        {"confidential": True},
        {"show_as": "free"},
        {"all_day": True},
        {"response": "none"},
        {"attendees": (GUEST,), "attendees_hidden": True},
    ],
    ids=lambda fields: "-".join(fields),
)
@pytest.mark.parametrize("rule", Rule)
def test_who_asked_for_her_gets_her(rule: Rule, fields: dict[str, Any]) -> None:
    assert reason(meeting(**fields), terms(rule, only_accepted=True), JOINED) == ("asked", "")
    assert reason(meeting(**fields), terms(rule), Overrides(Override(SKIP))) == ("refused", "")


@pytest.mark.parametrize("said", [JOINED, Overrides(series=Override(JOIN)), Overrides(Override(SKIP)), NOTHING_SAID])
def test_nothing_is_planned_before_a_rule_was_confirmed(said: Overrides) -> None:
    assert decision(meeting(), None, said) == Decision(False, Reason.UNCONFIRMED)
    assert decision(meeting(cancelled=True, join_url=""), None, said) == Decision(False, Reason.UNCONFIRMED)


# When


@pytest.mark.parametrize(
    ("lead", "this", "series", "join_at"),
    [
        (-1, None, None, at(9, 59)),
        (-10, None, None, at(9, 50)),
        (0, None, None, at(10)),
        (10, None, None, at(10, 10)),
        (-1, -5, None, at(9, 55)),
        (-1, None, 3, at(10, 3)),
        (-1, -5, 3, at(9, 55)),
        (-1, 0, 3, at(10)),
        (-1, None, 0, at(10)),
    ],
)
@pytest.mark.parametrize("choice", [None, JOIN, FOLLOW])
def test_the_lead_of_this_one_goes_before_the_series_and_both_before_the_terms(
    choice: Choice | None, lead: int, this: int | None, series: int | None, join_at: datetime
) -> None:
    said = Overrides(Override(choice, this), Override(None, series))
    assert decision(meeting(), terms(lead=lead), said).join_at == join_at


@pytest.mark.parametrize(
    ("end", "lead", "join_at"),
    [
        (at(10, 11), 10, at(10, 10)),
        (at(10, 10), 10, at(10)),
        (at(10, 5), 10, at(10)),
        (at(10), 10, at(10)),
        (at(10), 0, at(10)),
        (at(10), -1, at(9, 59)),
    ],
)
def test_a_lead_that_would_miss_the_end_is_none(end: datetime, lead: int, join_at: datetime) -> None:
    assert decision(meeting(end=end), terms(lead=lead)).join_at == join_at


def test_the_first_and_last_moments_that_there_are_have_no_lead() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    facts = meeting(start=first, end=last)
    assert decision(facts, terms(lead=-10), JOINED).join_at == first
    assert decision(replace(facts, start=last), terms(lead=10)).join_at == last


# Switches


@pytest.mark.parametrize(("rule", "facts"), FOR_ITS_RULE)
@pytest.mark.parametrize(
    ("fields", "switch", "why"),
    [
        ({"confidential": True}, "skip_confidential", Reason.CONFIDENTIAL),
        ({"show_as": "free"}, "skip_free", Reason.FREE),
        ({"all_day": True}, "skip_all_day", Reason.ALL_DAY),
    ],
)
def test_a_switch_says_no_until_it_is_off(
    rule: Rule, facts: Facts, fields: dict[str, Any], switch: str, why: Reason
) -> None:
    such = replace(facts, **fields)
    assert decision(such, terms(rule)) == Decision(False, why)
    assert decision(such, terms(rule, **{switch: True})) == Decision(False, why)
    assert decision(such, terms(rule, **{switch: False})).joins


@pytest.mark.parametrize("show_as", ["tentative", "busy", "oof", "elsewhere", "unknown", ""])
def test_only_free_is_shown_as_free(show_as: str) -> None:
    assert decision(meeting(show_as=show_as), terms()).joins


def test_a_switch_never_hides_that_the_rule_says_no() -> None:
    facts = meeting(confidential=True, show_as="free", all_day=True, response="none")
    assert reason(facts, terms(Rule.HOST, only_accepted=True)) == ("not_host", "")
