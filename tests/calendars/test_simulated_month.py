"""A month of people, admins and calendars: after every day or so the plan is the one that a slow oracle works out."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F
from pytest_django import Settings

from calendars.models import Meeting
from tests.calendars.happenings import drawn, person_confirms
from tests.calendars.oracle import JOINABLE, Oracle, Plan, Seen
from tests.calendars.simulation import DAYS_AHEAD, World

pytestmark = pytest.mark.django_db
BEGIN = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
STEPS = 20  # of a day and a half on average


def test_the_plan_of_a_month_is_what_an_oracle_says(settings: Settings) -> None:
    settings.SYNC_DAYS_AHEAD, settings.JOINABLE_SERVICES = DAYS_AHEAD, list(JOINABLE)
    world = World(8, BEGIN)
    world.settle(people=50, meetings=2000)
    reasons: Counter[str] = Counter()
    for number in range(STEPS):
        _step(world, number)
        reasons.update(_compare(world, number))
    assert world.now - BEGIN > timedelta(days=28)
    assert set(reasons) == EVERY_REASON  # so each of them was seen to be right


EVERY_REASON = {
    "", "cancelled", "no_times", "no_link", "service", "asked", "refused", "declined", "private", "begun", "never",
    "not_host", "not_listed", "not_a_user", "no_outsider", "hidden", "not_accepted", "confidential", "free", "all_day",
    "all", "internal", "organization", "external", "host", "covered",
}  # fmt: skip


def _step(world: World, number: int) -> None:
    """A day or two. At first most people confirm a rule; later not every calendar is read every time."""
    if number == 0:
        happenings = [*[person_confirms] * 60, *drawn(world.rng, in_calendars=60, in_settings=30)]
    else:
        happenings = drawn(world.rng, in_calendars=60, in_settings=15)
    world.step(world.rng.choice([1, 2]), happenings, read=0.4 if number else 1)


def _compare(world: World, step: int) -> list[str]:
    """The decisions about all that is not over, after a look at each whether it is the right one."""
    known = world.known()
    assert len(known) == Meeting.objects.count()
    wanted = Oracle(world.members, world.wishes).plans(known)
    rows = Meeting.objects.annotate(by=F("sender_id")).values_list("pk", "decision", "decision_about", "join_at", "by")
    found = {pk: Plan(*plan) for pk, *plan in rows}
    current = [one for one in known if one.times()[1] > world.now]
    wrong = [_told(one, wanted[one.pk], found[one.pk]) for one in current if wanted[one.pk] != found[one.pk]]
    assert not wrong, f"step {step}, {world.now}: {len(wrong)} of {len(current)}\n" + "\n".join(wrong[:3])
    return [wanted[one.pk].decision for one in current]


def _told(one: Seen, wanted: Plan, found: Plan) -> str:
    return f"{one}\n  should be {wanted}\n  and is    {found}"
