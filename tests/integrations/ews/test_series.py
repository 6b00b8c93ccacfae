"""Dates worked out from a series' rule; the expected ones were read off a calendar by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from integrations.providers.exchange import series
from tests.integrations.ews.items import item

BERLIN = ZoneInfo("Europe/Berlin")
LONG_AGO, FAR = datetime(1990, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


def master(pattern: str, bounds: str = "<t:NoEndRecurrence><t:StartDate>2026-10-01Z</t:StartDate></t:NoEndRecurrence>",
           more: str = "", **fields: str) -> Any:  # fmt: skip
    return item(f"<t:Recurrence>{pattern}{bounds}</t:Recurrence>{more}", kind="RecurringMaster", **fields)


def days(found: Any, count: int) -> list[str]:
    """The first dates as they are on the wall in Berlin."""
    return [
        f"{one.astimezone(BERLIN):%Y-%m-%d %H:%M}" for one in islice(series.slots(found, BERLIN, LONG_AGO, FAR), count)
    ]


# 14:00 UTC on Monday, 2 November 2026 is 15:00 in Berlin.
PATTERNS: list[tuple[str, list[str]]] = [
    (
        "<t:DailyRecurrence><t:Interval>3</t:Interval></t:DailyRecurrence>",
        ["2026-11-02 15:00", "2026-11-05 15:00", "2026-11-08 15:00"],
    ),
    (
        "<t:WeeklyRecurrence><t:Interval>2</t:Interval><t:DaysOfWeek>Monday Thursday</t:DaysOfWeek>"
        "<t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>",
        ["2026-11-02 15:00", "2026-11-05 15:00", "2026-11-16 15:00", "2026-11-19 15:00"],
    ),
    (
        "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek></t:WeeklyRecurrence>",
        [
            "2026-11-02 15:00",
            "2026-11-03 15:00",
            "2026-11-04 15:00",
            "2026-11-05 15:00",
            "2026-11-06 15:00",
            "2026-11-09 15:00",
        ],
    ),
    (
        "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>2</t:DayOfMonth>"
        "</t:AbsoluteMonthlyRecurrence>",
        ["2026-11-02 15:00", "2026-12-02 15:00", "2027-01-02 15:00"],
    ),
    (  # a month that is too short has it on its last day
        "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>31</t:DayOfMonth>"
        "</t:AbsoluteMonthlyRecurrence>",
        ["2026-11-30 15:00", "2026-12-31 15:00", "2027-01-31 15:00", "2027-02-28 15:00", "2027-03-31 15:00"],
    ),
    (
        "<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Tuesday</t:DaysOfWeek>"
        "<t:DayOfWeekIndex>Second</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>",
        ["2026-11-10 15:00", "2026-12-08 15:00", "2027-01-12 15:00"],
    ),
    (
        "<t:RelativeMonthlyRecurrence><t:Interval>3</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek>"
        "<t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>",
        ["2026-11-30 15:00", "2027-02-26 15:00", "2027-05-31 15:00"],
    ),
    (
        "<t:AbsoluteYearlyRecurrence><t:DayOfMonth>2</t:DayOfMonth><t:Month>November</t:Month>"
        "</t:AbsoluteYearlyRecurrence>",
        ["2026-11-02 15:00", "2027-11-02 15:00", "2028-11-02 15:00"],
    ),
    (
        "<t:RelativeYearlyRecurrence><t:DaysOfWeek>Thursday</t:DaysOfWeek><t:DayOfWeekIndex>Fourth</t:DayOfWeekIndex>"
        "<t:Month>November</t:Month></t:RelativeYearlyRecurrence>",
        ["2026-11-26 15:00", "2027-11-25 15:00", "2028-11-23 15:00"],
    ),
]


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_every_pattern(pattern: str, expected: list[str]) -> None:
    assert days(master(pattern), len(expected)) == expected


DAILY = "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"


def test_the_hour_on_the_wall_stays_when_summer_time_ends() -> None:
    found = master(DAILY, Start="2026-10-24T07:30:00Z", End="2026-10-24T08:00:00Z")
    assert days(found, 3) == ["2026-10-24 09:30", "2026-10-25 09:30", "2026-10-26 09:30"]
    instants = [f"{one:%H:%M}" for one in islice(series.slots(found, BERLIN, LONG_AGO, FAR), 3)]
    assert instants == ["07:30", "08:30", "08:30"]


def test_the_last_date_is_included() -> None:
    bounds = "<t:EndDateRecurrence><t:StartDate>2026-11-02Z</t:StartDate><t:EndDate>2026-11-04Z</t:EndDate>"
    found = master(DAILY, bounds + "</t:EndDateRecurrence>")
    assert days(found, 9) == ["2026-11-02 15:00", "2026-11-03 15:00", "2026-11-04 15:00"]


def test_a_number_of_dates() -> None:
    bounds = "<t:NumberedRecurrence><t:StartDate>2026-11-02Z</t:StartDate><t:NumberOfOccurrences>2"
    found = master(DAILY, bounds + "</t:NumberOfOccurrences></t:NumberedRecurrence>")
    assert days(found, 9) == ["2026-11-02 15:00", "2026-11-03 15:00"]


def test_dates_that_were_taken_out_are_left_out() -> None:
    gone = (
        "<t:DeletedOccurrences><t:DeletedOccurrence><t:Start>2026-11-03T14:00:00Z</t:Start></t:DeletedOccurrence>"
        "</t:DeletedOccurrences>"
    )
    assert days(master(DAILY, more=gone), 2) == ["2026-11-02 15:00", "2026-11-04 15:00"]


@pytest.mark.parametrize(("written", "left"), [("13:00", False), ("15:00", False), ("20:00", True)])
def test_an_hour_more_or_less_is_the_same_date(written: str, left: bool) -> None:
    """As grommunio writes it, which knows one offset for a whole series, also over a change of summer time."""
    gone = (
        f"<t:DeletedOccurrences><t:DeletedOccurrence><t:Start>2026-11-03T{written}:00Z</t:Start></t:DeletedOccurrence>"
        "</t:DeletedOccurrences>"
    )
    assert ("2026-11-03 15:00" in days(master(DAILY, more=gone), 3)) is left


def test_dates_that_were_changed_are_told_and_left_out() -> None:
    moved = (
        '<t:ModifiedOccurrences><t:Occurrence><t:ItemId Id="CCC="/><t:Start>2026-11-04T09:00:00Z</t:Start>'
        "<t:End>2026-11-04T10:00:00Z</t:End><t:OriginalStart>2026-11-03T14:00:00Z</t:OriginalStart></t:Occurrence>"
        "</t:ModifiedOccurrences>"
    )
    (one,) = series.changed(master(DAILY, more=moved))
    assert days(master(DAILY, more=moved), 2) == ["2026-11-02 15:00", "2026-11-04 15:00"]
    assert (one.id, one.slot.isoformat()) == ("CCC=", "2026-11-03T14:00:00+00:00")
    assert (one.start.isoformat(), one.end.isoformat()) == ("2026-11-04T09:00:00+00:00", "2026-11-04T10:00:00+00:00")


def test_only_up_to_the_end_of_the_window() -> None:
    until = datetime(2026, 11, 4, 14, tzinfo=UTC)
    assert len(list(series.slots(master(DAILY), BERLIN, LONG_AGO, until))) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: item(kind="RecurringMaster"),
        lambda: master("<t:HourlyRecurrence><t:Interval>1</t:Interval></t:HourlyRecurrence>"),
        lambda: master("<t:DailyRecurrence><t:Interval>0</t:Interval></t:DailyRecurrence>"),
        lambda: master("<t:DailyRecurrence><t:Interval>soon</t:Interval></t:DailyRecurrence>"),
        lambda: master("<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek/></t:WeeklyRecurrence>"),
        lambda: master(
            "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Someday</t:DaysOfWeek></t:WeeklyRecurrence>"
        ),
    ],
)
def test_a_rule_that_nobody_knows_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        list(series.slots(make(), BERLIN, LONG_AGO, FAR))


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in PATTERNS])
def test_the_dates_are_the_same_from_wherever_they_are_looked_at(pattern: str) -> None:
    found, since = master(pattern), datetime(2037, 3, 29, tzinfo=UTC)
    late = [one for one in series.slots(found, BERLIN, since, FAR) if one >= since]
    assert late == [one for one in series.slots(found, BERLIN, LONG_AGO, FAR) if one >= since]


def test_a_series_of_a_century_costs_no_more_than_one_of_some_days() -> None:
    found = master(DAILY, Start="1900-01-01T09:00:00Z", End="1900-01-01T10:00:00Z")
    assert len(list(series.slots(found, BERLIN, FAR - timedelta(days=10), FAR))) < 15


def test_many_dates_that_were_taken_out_cost_little() -> None:
    gone = "".join(
        f"<t:DeletedOccurrence><t:Start>{datetime(1900, 1, 1, tzinfo=UTC) + timedelta(days=n):%Y-%m-%dT%H:%M:%SZ}"
        "</t:Start></t:DeletedOccurrence>"
        for n in range(20_000)
    )
    counted = "<t:NumberedRecurrence><t:NumberOfOccurrences>9999</t:NumberOfOccurrences></t:NumberedRecurrence>"
    found = master(DAILY, counted, f"<t:DeletedOccurrences>{gone}</t:DeletedOccurrences>", Start="1990-01-01T09:00:00Z")
    began = time.process_time()
    assert len(list(series.slots(found, BERLIN, LONG_AGO, FAR))) == 9999
    assert time.process_time() - began < 5
