"""In which order it is decided whether Sally joins, and what no rule changes; what is told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from calendars.policy import Check, Choice, Decision, Facts, Override, Overrides, Reason, Rule, checks
from tests.calendars.decision_tables import (
    ADA,
    ALL,
    BEN,
    FOLLOW,
    GUEST,
    JOIN,
    JOINED,
    SKIP,
    Said,
    at,
    decision,
    meeting,
    reason,
    terms,
)

# The order of deciding: a meeting with everything against it, from which one thing after the other is taken away.

STEPS: list[tuple[dict[str, Any], Reason, str, Check]] = [
    ({}, Reason.CANCELLED, "", Check.CANCELLED),
    ({"cancelled": False}, Reason.OVER, "", Check.OVER),
    ({"start": at(13), "end": at(12, 30)}, Reason.NO_TIMES, "", Check.TIMES),
    ({"start": None}, Reason.NO_TIMES, "", Check.TIMES),
    ({"start": at(13), "end": None}, Reason.NO_TIMES, "", Check.TIMES),
    ({"start": at(12), "end": at(13)}, Reason.NO_LINK, "", Check.LINK),
    ({"join_url": "https://meet.goto.com/1"}, Reason.SERVICE, "goto", Check.LINK),
    ({"service": "teams"}, Reason.DECLINED, "", Check.ANSWER),
    ({"response": "tentative"}, Reason.PRIVATE, "", Check.PRIVATE),
    ({"private": False}, Reason.BEGUN, "", Check.BEGUN),
    ({"start": at(12, 20)}, Reason.NOT_LISTED, "guest@partner.example", Check.RULE),
    ({"attendees": (ADA,)}, Reason.HIDDEN, "", Check.RULE),
    ({"attendees_hidden": False}, Reason.NOT_ACCEPTED, "", Check.ACCEPTED),
    ({"response": "accepted"}, Reason.CONFIDENTIAL, "", Check.CONFIDENTIAL),
    ({"confidential": False}, Reason.FREE, "", Check.FREE),
    ({"show_as": "busy"}, Reason.ALL_DAY, "", Check.ALL_DAY),
    ({"all_day": False}, Reason.INTERNAL, "", Check.ALL_DAY),
]

PREREQUISITES = 7  # so many steps are about them


def steps() -> list[tuple[Facts, Reason, str, Check]]:
    against: dict[str, Any] = {"cancelled": True, "join_url": "", "service": "goto", "response": "declined"}
    against |= {"private": True, "confidential": True, "show_as": "free", "all_day": True}
    facts = meeting(organizer=BEN, attendees=(ADA, GUEST), attendees_hidden=True, **against)
    found = []
    for better, why, about, check in STEPS:
        facts = replace(facts, **better)
        found.append((facts, why, about, check))
    return found


NOON = at(12, 10)
STRICT = terms(Rule.INTERNAL, only_accepted=True, confirmed_at=at(12, 15))


@pytest.mark.parametrize(("facts", "why", "about", "check"), steps())
def test_the_first_check_that_fails_decides(facts: Facts, why: Reason, about: str, check: Check) -> None:
    made = decision(facts, STRICT, now=NOON)
    assert (made.reason, made.about, made.joins) == (why, about, why == Reason.INTERNAL)
    assert checks(made)[-1] == check


@pytest.mark.parametrize(("facts", "why", "about", "_check"), steps()[:PREREQUISITES])
@pytest.mark.parametrize("choice", [JOIN, SKIP, FOLLOW])
def test_no_override_makes_up_for_a_prerequisite(
    facts: Facts, why: Reason, about: str, _check: Check, choice: Choice
) -> None:
    for said in (Overrides(Override(choice)), Overrides(series=Override(choice))):
        assert decision(facts, STRICT, said, NOON) == Decision(False, why, about)


@pytest.mark.parametrize(("facts", "_why", "_about", "_check"), steps()[PREREQUISITES:])
def test_an_override_makes_up_for_all_the_rest(facts: Facts, _why: Reason, _about: str, _check: Check) -> None:
    assert reason(facts, STRICT, JOINED, NOON) == ("asked", "")
    assert reason(facts, STRICT, Overrides(Override(SKIP)), NOON) == ("refused", "")


# What no rule changes, and times


@pytest.mark.parametrize("rule", Rule)
def test_private_appointments_are_joined_by_no_rule(rule: Rule) -> None:
    facts = meeting(private=True, is_organizer=True)
    assert reason(facts, terms(rule, skip_confidential=False)) == ("private", "")


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (at(8, 59, day=23), ("begun", "")),
        (at(9, day=23), ALL),
        (at(9, 1, day=23), ALL),
    ],
)
def test_what_had_begun_at_the_confirmation_is_left_out(start: datetime, expected: Said) -> None:
    assert reason(meeting(start=start), terms()) == expected


def test_what_had_begun_and_was_moved_to_later_is_joined() -> None:
    begun = meeting(start=at(8, 45, day=23), end=at(9, 15, day=23))
    assert reason(begun, terms()) == ("begun", "")
    moved = replace(begun, start=at(14, day=23), end=at(14, 30, day=23))
    assert decision(moved, terms()) == Decision(True, Reason.ALL, "", at(13, 59, day=23))


@pytest.mark.parametrize(
    ("now", "expected"),
    [(at(9), ALL), (at(10, 30), ALL), (at(10, 59), ALL), (at(11), ("over", "")), (at(12), ("over", "")), (None, ALL)],
)
def test_over_is_what_has_ended(now: datetime | None, expected: Said) -> None:
    assert reason(meeting(), terms(), now=now) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (at(10), at(10), ALL),
        (at(10), at(9, 59), ("no_times", "")),
        (None, at(11), ("no_times", "")),
        (at(10), None, ("no_times", "")),
        (None, None, ("no_times", "")),
        (at(8), at(7), ("over", "")),
        (None, at(8), ("over", "")),
    ],
)
def test_times_that_are_none(start: datetime | None, end: datetime | None, expected: Said) -> None:
    assert reason(meeting(start=start, end=end), terms(), now=at(9)) == expected


# What is told of it

CHECKS = ["confirmed", "cancelled", "over", "times", "link", "override", "answer", "private", "begun", "rule"]
CHECKS += ["accepted", "confidential", "free", "all_day"]


@pytest.mark.parametrize(
    ("why", "last"),
    [
        ("unconfirmed", "confirmed"),
        ("cancelled", "cancelled"),
        ("over", "over"),
        ("no_times", "times"),
        ("no_link", "link"),
        ("service", "link"),
        ("asked", "override"),
        ("refused", "override"),
        ("declined", "answer"),
        ("private", "private"),
        ("begun", "begun"),
        ("never", "rule"),
        ("not_host", "rule"),
        ("not_listed", "rule"),
        ("not_a_user", "rule"),
        ("no_outsider", "rule"),
        ("hidden", "rule"),
        ("not_accepted", "accepted"),
        ("confidential", "confidential"),
        ("free", "free"),
        ("all_day", "all_day"),
        ("all", "all_day"),
        ("internal", "all_day"),
        ("organization", "all_day"),
        ("external", "all_day"),
        ("host", "all_day"),
    ],
)
def test_the_checks_end_with_the_one_that_decided(why: str, last: str) -> None:
    made = checks(Decision(False, Reason(why)))
    assert list(made) == CHECKS[: CHECKS.index(last) + 1]


def test_every_reason_fits_into_its_column() -> None:
    assert max(map(len, Reason)) <= 20
