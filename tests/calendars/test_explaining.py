"""What is explained of one meeting beside its own decision: a meeting that sends Sally into its room all the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from calendars import attendance
from calendars.models import Meeting
from integrations.models import CalendarConnection
from sally.models import User
from tests.calendars.rows import confirm, meeting
from tests.conftest import make_user

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def at_nine(owner: User, **fields: object) -> Meeting:
    connection, _created = CalendarConnection.objects.get_or_create(
        owner=owner, provider="microsoft-work", account_id=owner.email
    )
    there: dict[str, Any] = {"join_url": "https://zoom.us/j/1?pwd=x", "service": "zoom", "room": "zoom:1"}
    return meeting(connection, f"of {owner.name}", NINE, **(there | fields))


def beside(one: Meeting) -> Meeting | None:
    return attendance.explain(Meeting.objects.get(pk=one.pk), NOW).meanwhile


def test_a_colleague_who_sends_sally_into_the_room_is_found(alice: User, bob: User) -> None:
    own, theirs = at_nine(alice), at_nine(bob)
    confirm(alice, NOW, rule="never")
    confirm(bob, NOW, rule="all")
    assert beside(own) == theirs


def test_before_a_rule_is_confirmed_too(alice: User, bob: User) -> None:
    own, theirs = at_nine(alice), at_nine(bob)
    confirm(bob, NOW, rule="all")
    assert beside(own) == theirs


def test_of_several_the_first_to_send_is_found(alice: User, bob: User) -> None:
    dora = make_user("dora@quay.example", alice.organization)  # type: ignore[arg-type]
    own, later, earlier = at_nine(alice), at_nine(bob), at_nine(dora)
    Meeting.objects.filter(pk=later.pk).update(start=NINE + timedelta(minutes=30))
    Meeting.objects.filter(pk=earlier.pk).update(end=NINE + timedelta(minutes=30))
    confirm(alice, NOW, rule="never")
    confirm(bob, NOW, rule="all")
    confirm(dora, NOW, rule="all")
    assert set(Meeting.objects.exclude(join_at=None)) == {later, earlier}
    assert beside(own) == earlier


@pytest.mark.parametrize("fields", [{"room": "zoom:2"}, {"room": ""}, {"start": NINE + timedelta(hours=1)}])
def test_another_room_or_another_hour_is_no_matter(alice: User, bob: User, fields: dict[str, object]) -> None:
    own, theirs = at_nine(alice), at_nine(bob)
    Meeting.objects.filter(pk=theirs.pk).update(**({"end": NINE + timedelta(hours=2)} | fields))
    confirm(alice, NOW, rule="never")
    confirm(bob, NOW, rule="all")
    assert beside(own) is None


def test_nothing_is_found_across_organizations(alice: User, charlie: User) -> None:
    own = at_nine(alice)
    at_nine(charlie)
    confirm(alice, NOW, rule="never")
    confirm(charlie, NOW, rule="all")
    assert beside(own) is None


def test_a_meeting_that_has_sally_come_needs_no_other(alice: User, bob: User) -> None:
    own, theirs = at_nine(alice), at_nine(bob)
    for person in (alice, bob):
        confirm(person, NOW, rule="all")
    assert beside(own) is None
    assert beside(theirs) is None


def test_it_takes_four_statements(alice: User, bob: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    own = at_nine(alice)
    at_nine(bob)
    confirm(alice, NOW, rule="never")
    confirm(bob, NOW, rule="all")
    found = Meeting.objects.select_related("connection__owner").get(pk=own.pk)
    with django_assert_num_queries(4):  # organization, its people, the meetings of the room, the one that sends her
        attendance.explain(found, NOW)


@pytest.mark.parametrize(
    ("own", "default", "locked", "follows"),
    [
        ("all", "", False, False),
        ("all", "never", False, False),
        ("", "never", False, True),
        ("all", "never", True, True),
    ],
)
def test_it_is_known_whose_rule_counts(alice: User, own: str, default: str, locked: bool, follows: bool) -> None:
    assert alice.organization
    attendance.save_organization(alice.organization, {"rule": default, "locked": locked}, [], NOW)
    confirm(alice, NOW, rule=own)
    found = attendance.explain(at_nine(alice), NOW).standing
    assert found.follows_organization is follows
    assert found.terms
    assert found.terms.rule == ("never" if follows else "all")
