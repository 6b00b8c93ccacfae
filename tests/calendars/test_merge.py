"""Known meetings + what the calendar shows = a plan: tables, and properties that hold whatever happens."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from calendars.merge import (
    Draft,
    Happened,
    Known,
    MergePlan,
    Update,
    draft,
    happened,
    plan_merge,
    seen_version,
    vanished,
)
from integrations.events import Kind, Window
from tests.memory import event

START = datetime(2026, 11, 23, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=10))


def one(id: str, day: float = 1, **fields: Any) -> Draft:
    return draft(event(id, START + timedelta(days=day), **fields), None)


def apply(known: list[Known], plan: MergePlan, keys: count[int]) -> list[Known]:
    """What the database does with a plan."""
    gone = {found.pk for found in plan.delete}
    changed = {found.pk: Known(found.pk, found.after) for found in plan.update} | {
        found.pk: found for found in plan.seen
    }
    kept = [changed.get(found.pk, found) for found in known if found.pk not in gone]
    return kept + [Known(next(keys), new) for new in plan.create]


def test_what_is_new_is_created() -> None:
    assert plan_merge([], [one("a"), one("b")], WINDOW) == MergePlan(create=(one("a"), one("b")))


def test_what_is_the_same_is_left_alone() -> None:
    assert plan_merge([Known(1, one("a"))], [one("a")], WINDOW) == MergePlan()


def test_what_differs_is_updated_under_its_key() -> None:
    plan = plan_merge([Known(1, one("a"))], [one("a", subject="New")], WINDOW)
    assert plan == MergePlan(update=(Update(1, one("a"), one("a", subject="New")),))


def test_a_new_version_alone_writes_only_itself() -> None:
    newer = dataclasses.replace(one("a"), version="1:newer")
    plan = plan_merge([Known(1, one("a"))], [newer], WINDOW)
    assert plan == MergePlan(seen=(Known(1, newer),))
    assert plan.seen[0].draft.version == "1:newer"
    assert not plan.changes_meetings


def test_what_is_gone_is_deleted() -> None:
    assert plan_merge([Known(1, one("a"))], [], WINDOW) == MergePlan(delete=(Known(1, one("a")),))


def test_outside_the_window_nothing_is_deleted() -> None:
    known = [Known(1, one("before", -2)), Known(2, one("after", 11))]
    assert plan_merge(known, [], WINDOW) == MergePlan()


def test_a_meeting_that_moves_into_the_window_is_the_same_meeting() -> None:
    plan = plan_merge([Known(1, one("a", 20))], [one("a", 3)], WINDOW)
    assert plan == MergePlan(update=(Update(1, one("a", 20), one("a", 3)),))


def test_a_new_id_for_the_same_uid_and_slot_is_a_rename() -> None:
    plan = plan_merge([Known(1, one("old", ical_uid="uid"))], [one("new", ical_uid="uid")], WINDOW)
    assert plan == MergePlan(update=(Update(1, one("old", ical_uid="uid"), one("new", ical_uid="uid")),))


def test_occurrences_of_one_series_are_told_apart_by_their_slot() -> None:
    def occurrence(id: str, day: int, slot: int) -> Draft:
        return one(id, day, ical_uid="series", kind=Kind.OCCURRENCE, original_start=START + timedelta(days=slot))

    old1, old2, new1, new2 = (
        occurrence("o1", 1, 1), occurrence("o2", 2, 2), occurrence("n1", 1, 1), occurrence("n2", 5, 2)
    )  # fmt: skip
    plan = plan_merge([Known(1, old1), Known(2, old2)], [new2, new1], WINDOW)
    assert plan == MergePlan(update=(Update(2, old2, new2), Update(1, old1, new1)))


def test_events_without_a_uid_are_never_taken_for_each_other() -> None:
    plan = plan_merge([Known(1, one("old", ical_uid=""))], [one("new", ical_uid="")], WINDOW)
    assert plan == MergePlan(create=(one("new", ical_uid=""),), delete=(Known(1, one("old", ical_uid="")),))


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (one("a"), one("a"), []),
        (one("a"), one("a", subject="New", location="Pier"), []),
        (one("a"), one("a", 2), [Happened.MOVED]),
        (one("a"), dataclasses.replace(one("a"), end=START + 3 * DAY), [Happened.MOVED]),
        (one("a"), dataclasses.replace(one("a"), start_date=START.date(), end_date=START.date()), [Happened.MOVED]),
        (one("a"), one("a", cancelled=True), [Happened.CANCELLED]),
        (one("a", cancelled=True), one("a"), [Happened.RESTORED]),
        (one("a"), one("a", 2, cancelled=True), [Happened.MOVED, Happened.CANCELLED]),
    ],
)
def test_what_there_is_to_tell_of_an_update(before: Draft, after: Draft, told: list[Happened]) -> None:
    assert happened(before, after) == told


def test_vanished_is_what_the_window_should_show_and_does_not_under_any_id() -> None:
    known = [
        Known(pk, found)
        for pk, found in enumerate(
            [one("here"), one("gone"), one("old", ical_uid="renamed"), one("before", -2), one("after", 11)]
        )
    ]
    listing = [event("here", START + DAY), event("new", START + DAY, ical_uid="renamed")]
    assert vanished(known, listing, WINDOW) == ["gone"]


def test_without_a_uid_nothing_counts_as_renamed() -> None:
    listing = [event("new", START + DAY, ical_uid="")]
    assert vanished([Known(1, one("old", ical_uid=""))], listing, WINDOW) == ["old"]


def test_the_version_says_whether_the_event_was_looked_at_whole() -> None:
    listed = event("a")
    assert draft(listed, None, looked_at_whole=False).version == ""
    assert draft(listed, None).version == seen_version(listed)
    assert seen_version(listed) != seen_version(event("a", subject="New"))


_ids = st.sampled_from("abcdefg")
_drafts = st.lists(
    st.builds(one, _ids, st.floats(0, 9), subject=st.text(max_size=3), ical_uid=st.sampled_from(["", "u", "v"])),
    unique_by=lambda found: found.external_id,
    max_size=6,
)


@given(_drafts, _drafts)
def test_after_a_merge_all_that_is_known_is_what_the_calendar_shows(before: list[Draft], after: list[Draft]) -> None:
    keys = count(1)
    known = apply([], plan_merge([], before, WINDOW), keys)
    known = apply(known, plan_merge(known, after, WINDOW), keys)
    assert sorted(found.draft.external_id for found in known) == sorted(found.external_id for found in after)
    assert {found.draft.external_id: found.draft for found in known} == {found.external_id: found for found in after}


@given(_drafts, _drafts)
def test_reading_twice_is_reading_once(before: list[Draft], after: list[Draft]) -> None:
    keys = count(1)
    known = apply([], plan_merge([], before, WINDOW), keys)
    known = apply(known, plan_merge(known, after, WINDOW), keys)
    assert plan_merge(known, after, WINDOW) == MergePlan()


@given(_drafts, _drafts)
def test_no_key_is_used_twice_or_lost(before: list[Draft], after: list[Draft]) -> None:
    known = [Known(pk, found) for pk, found in enumerate(before)]
    plan = plan_merge(known, after, WINDOW)
    touched = [*(found.pk for found in plan.update), *(found.pk for found in (*plan.seen, *plan.delete))]
    assert len(touched) == len(set(touched))
    assert set(touched) <= {found.pk for found in known}


class Calendar(RuleBasedStateMachine):
    """Any sequence of remote changes, read at any moments, ends in the remote's state, and keys never change hands."""

    def __init__(self) -> None:
        super().__init__()
        self.remote: dict[str, Draft] = {}
        self.known: list[Known] = []
        self.keys = count(1)
        self.owners: dict[int, str] = {}

    @rule(id=_ids, day=st.floats(0, 9), subject=st.text(max_size=2))
    def write(self, id: str, day: float, subject: str) -> None:
        self.remote[id] = one(id, day, subject=subject)

    @rule(id=_ids)
    def remove(self, id: str) -> None:
        self.remote.pop(id, None)

    @rule()
    def read(self) -> None:
        self.known = apply(self.known, plan_merge(self.known, self.remote.values(), WINDOW), self.keys)
        assert {found.draft.external_id: found.draft for found in self.known} == self.remote

    @rule()
    @precondition(lambda self: self.known)
    def read_twice(self) -> None:
        self.read()
        assert plan_merge(self.known, self.remote.values(), WINDOW) == MergePlan()

    @invariant()
    def a_key_stays_with_its_meeting(self) -> None:
        for found in self.known:
            assert self.owners.setdefault(found.pk, found.draft.ical_uid) == found.draft.ical_uid


TestCalendar = Calendar.TestCase
