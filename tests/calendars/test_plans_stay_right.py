"""Plans after changes that are easily forgotten; each was found by the simulated month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from calendars import attendance
from calendars.models import Meeting
from calendars.planning import EVERYTHING, Group
from integrations.events import Attendee, Response
from sally.models import Organization, User
from tests.calendars.test_overrides_survive import NOW, connect, hours, online, plan, run
from tests.memory import MemoryClient

LONG_AGO = hours(-1000)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def set_default(organization: Organization, rule: str, **values: Any) -> None:
    attendance.save_organization(organization, {"rule": rule} | values, ["quay.example"], NOW)


def test_a_default_that_is_set_reaches_meetings_without_a_link(alice: User, quay: Organization) -> None:
    attendance.save_terms(alice, {"rule": ""}, LONG_AGO)
    run(connect(alice), MemoryClient(online("a", 5, online_url="")))
    set_default(quay, "all")
    assert plan("a") == ("no_link", "")


def test_a_past_meeting_that_is_moved_ahead_is_not_planned_by_terms_that_are_gone(
    alice: User, quay: Organization
) -> None:
    attendance.save_terms(alice, {"rule": ""}, LONG_AGO)
    set_default(quay, "all")
    connection, client = connect(alice), MemoryClient(online("a", -5))
    run(connection, client, NOW - 6 * HOUR)
    assert Meeting.objects.get().join_at == NOW - 5 * HOUR - timedelta(minutes=1)
    set_default(quay, "")
    client.put(online("a", 5))
    run(connection, client)
    assert (plan("a"), Meeting.objects.get().join_at) == (("", ""), None)


def test_a_lock_without_a_rule_locks_no_lead_either(alice: User, quay: Organization) -> None:
    attendance.save_terms(alice, {"rule": "all", "lead": -10}, LONG_AGO)
    run(connect(alice), MemoryClient(online("a", 5)))
    set_default(quay, "", locked=True, lead=5)
    assert Meeting.objects.get().join_at == hours(5) - timedelta(minutes=10)
    set_default(quay, "all", locked=True, lead=5)
    assert Meeting.objects.get().join_at == hours(5) + timedelta(minutes=5)


SECOND = "alice@second.quay.example"


def bob_meets_alice(bob: User) -> None:
    """By an address of hers, on the white list, that only a calendar of hers can tell."""
    attendance.save_terms(bob, {"rule": "organization"}, LONG_AGO)
    guest = Attendee("Alice", SECOND, "required", Response.NONE)
    run(connect(bob), MemoryClient(online("a", 5, is_organizer=True, attendees=(guest,))))
    assert plan("a") == ("not_a_user", SECOND)


def test_who_connects_is_known_by_that_address_at_once(alice: User, bob: User) -> None:
    """Whether the calendar holds anything or not, and before it is read."""
    bob_meets_alice(bob)
    connection = connect(alice, SECOND)
    assert plan("a") == ("organization", "")
    connection.disconnect()
    assert plan("a") == ("not_a_user", SECOND)


def test_who_connects_again_is_known_by_the_new_address(alice: User, bob: User) -> None:
    run(connect(alice, "alice@former.example"), MemoryClient())
    bob_meets_alice(bob)
    connect(alice, SECOND)
    assert plan("a") == ("organization", "")
    connect(alice, "alice@former.example")
    assert plan("a") == ("not_a_user", SECOND)


def test_a_meeting_under_way_does_not_change_places_with_one_that_is_over(alice: User, bob: User) -> None:
    """Bob's came to an end and brought her there; Alice's begun one must not become what sends her to the next."""
    for one in (alice, bob):
        attendance.save_terms(one, {"rule": "all"}, LONG_AGO)
    run(connect(bob), MemoryClient(online("bob's", -2)), NOW - 3 * HOUR)
    client = MemoryClient(online("under way", -1.5, 120), online("next", 0.25))
    connection = connect(alice)
    run(connection, client, NOW - 3 * HOUR)
    assert [plan(id)[0] for id in ("bob's", "under way", "next")] == ["all", "covered", "all"]
    client.put(online("under way", -1.5, 120, subject="Another"))
    run(connection, client)
    assert [plan(id)[0] for id in ("bob's", "under way", "next")] == ["all", "covered", "all"]


def test_somebody_who_joined_the_organization_just_now_stops_nobody(
    alice: User, charlie: User, quay: Organization
) -> None:
    """Between the reading of people and of meetings."""
    attendance.save_terms(alice, {"rule": "all"}, LONG_AGO)
    run(connect(alice), MemoryClient(online("a", 5)))
    run(connect(charlie), MemoryClient(online("b", 6)))
    group = Group.of(quay)
    User.objects.filter(pk=charlie.pk).update(organization=quay)
    assert [row.owner for row in group.rows(EVERYTHING, NOW)] == [alice.pk]
