"""Series with odd rules, and what a year of them shows; expected times are worked out by hand."""

from typing import Any

import pytest

from tests.sandbox.conftest import SignedIn

INES = "mailboxes/ines@quay.example"


def _calendar(*lines: str) -> str:
    return "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""])


def _event(*lines: str) -> list[str]:
    return ["BEGIN:VEVENT", "UID:odd", "DTSTAMP:20270101T080000Z", "SUMMARY:Odd", *lines, "END:VEVENT"]


def _starts(person: SignedIn, text: str, start: str = "2027-01-01", end: str = "2028-01-01") -> list[str]:
    person.sandbox.control("PUT", INES, text=text)
    return [event["start"]["dateTime"][:16] for event in person.view(start, end)]


RULES: list[Any] = [
    pytest.param(
        [
            "DTSTART;TZID=America/New_York:20270405T100000",
            "RRULE:FREQ=WEEKLY;BYHOUR=10;BYDAY=MO;COUNT=2",
            "RRULE:FREQ=WEEKLY;BYHOUR=14;BYDAY=MO;COUNT=2",
        ],
        ["2027-04-05T14:00", "2027-04-05T18:00", "2027-04-12T14:00", "2027-04-12T18:00"],
        # 14:00 in New York is the wall time that 10:00 there has in UTC: neither may hide the other.
        id="two rules whose hours look alike in another zone",
    ),
    pytest.param(
        [
            "DTSTART;TZID=America/New_York:20270405T100000",
            "RRULE:FREQ=WEEKLY;COUNT=2",
            "EXDATE;TZID=America/New_York:20270405T140000",
        ],
        ["2027-04-05T14:00", "2027-04-12T14:00"],
        id="an exdate in the wrong zone takes nothing out",
    ),
    pytest.param(
        ["DTSTART;TZID=Europe/Berlin:20270405T100000", "RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE:20270412T080000Z"],
        ["2027-04-05T08:00", "2027-04-19T08:00"],
        id="an exdate in UTC",
    ),
    pytest.param(
        ["DTSTART;TZID=Europe/Berlin:20270405T100000", "RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;VALUE=DATE:20270412"],
        ["2027-04-05T08:00", "2027-04-19T08:00"],
        id="an exdate that is a date",
    ),
    pytest.param(
        ["DTSTART;TZID=Europe/Berlin:20270405T100000", "RRULE:FREQ=WEEKLY;UNTIL=20270412"],
        ["2027-04-05T08:00", "2027-04-12T08:00"],
        id="until a date includes that day",
    ),
    pytest.param(
        ["DTSTART;TZID=Europe/Berlin:20270405T100000", "RRULE:FREQ=WEEKLY;UNTIL=20270419T080000Z"],
        ["2027-04-05T08:00", "2027-04-12T08:00", "2027-04-19T08:00"],
        id="until a moment includes that moment",
    ),
    pytest.param(
        ["DTSTART;TZID=Europe/Berlin:20270131T100000", "RRULE:FREQ=MONTHLY;COUNT=3"],
        ["2027-01-31T09:00", "2027-03-31T08:00", "2027-05-31T08:00"],
        id="the 31st skips short months",
    ),
    pytest.param(
        ["DTSTART;TZID=Europe/Berlin:20270326T170000", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=2"],
        ["2027-03-26T16:00", "2027-04-30T15:00"],
        id="the last Friday",
    ),
    pytest.param(
        ["DTSTART;TZID=Europe/Berlin:20270327T023000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3"],
        ["2027-03-27T01:30", "2027-03-28T01:30", "2027-03-29T00:30"],
        id="a time that the spring night does not have comes an hour later on the clock",
    ),
    pytest.param(
        ["DTSTART;TZID=Europe/Berlin:20270405T100000", "RRULE:FREQ=WEEKLY;COUNT=1", "RDATE:20270407T120000Z"],
        ["2027-04-05T08:00", "2027-04-07T12:00"],
        id="a date added in another zone",
    ),
    pytest.param(
        ["DTSTART:20270405T100000Z", "RDATE;VALUE=PERIOD:20270407T120000Z/PT3H"],
        ["2027-04-05T10:00", "2027-04-07T12:00"],
        id="a period added",
    ),
    pytest.param(
        ["DTSTART;VALUE=DATE:20270405", "RRULE:FREQ=WEEKLY;UNTIL=20270412T220000Z"],
        ["2027-04-05T00:00", "2027-04-12T00:00"],
        id="all-day until a moment",
    ),
]


@pytest.mark.parametrize(("lines", "starts"), RULES)
def test_rules_mean_what_the_rfc_says(ines: SignedIn, lines: list[str], starts: list[str]) -> None:
    assert _starts(ines, _calendar(*_event(*lines))) == starts


def test_an_hourly_series_has_its_exception_once(ines: SignedIn) -> None:
    """09:00 in UTC is 10:00 in Berlin's winter: the override of 10:00 is none of 09:00."""
    series = _event("DTSTART;TZID=Europe/Berlin:20270104T090000", "DURATION:PT30M", "RRULE:FREQ=HOURLY;COUNT=3")
    override = _event(
        "RECURRENCE-ID;TZID=Europe/Berlin:20270104T100000",
        "DTSTART;TZID=Europe/Berlin:20270104T153000",
        "DURATION:PT30M",
    )

    assert _starts(ines, _calendar(*series, *override)) == ["2027-01-04T08:00", "2027-01-04T10:00", "2027-01-04T14:30"]


def test_an_invitation_to_one_occurrence_stands_alone(ines: SignedIn) -> None:
    override = _event("RECURRENCE-ID:20270104T100000Z", "DTSTART:20270105T100000Z", "DTEND:20270105T110000Z")
    ines.sandbox.control("PUT", INES, text=_calendar(*override))
    (event,) = ines.view("2027-01-01", "2028-01-01")

    assert (event["type"], event["seriesMasterId"]) == ("singleInstance", None)
    assert ines.get(f"me/events/{event['id']}").json()["subject"] == "Odd"


def test_the_newest_sequence_counts(ines: SignedIn) -> None:
    old, new = (_event(f"SEQUENCE:{number}", f"DTSTART:2027010{number}T100000Z") for number in (1, 2))

    assert _starts(ines, _calendar(*new, *old)) == ["2027-01-02T10:00"]


def test_later_occurrences_follow_a_change_of_zone_and_length(ines: SignedIn) -> None:
    series = _event("DTSTART;TZID=Europe/Berlin:20270104T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4")
    later = _event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20270118T090000",
        "DTSTART;TZID=Europe/London:20270119T090000",
        "DURATION:PT15M",
    )
    assert _starts(ines, _calendar(*series, *later)) == [
        "2027-01-04T08:00",
        "2027-01-11T08:00",
        "2027-01-19T09:00",
        "2027-01-26T09:00",
    ]
    last = ines.view("2027-01-25", "2027-02-01")[0]
    assert (last["end"]["dateTime"][:16], last["originalStart"]) == ("2027-01-26T09:15", "2027-01-25T08:00:00Z")


def test_a_thousand_of_fifteen_hundred_events_come_quickly(ines: SignedIn) -> None:
    lines: list[str] = []
    for number in range(1500):
        day, hour = 1 + number % 28, number % 20
        lines += _event(f"DTSTART:202702{day:02}T{hour:02}0000Z", f"DTEND:202702{day:02}T{hour:02}3000Z")
        lines[-6] = f"UID:many-{number}"
    ines.sandbox.control("PUT", INES, text=_calendar(*lines))
    window = {
        "startDateTime": "2027-02-01",
        "endDateTime": "2027-03-01",
        "$top": "1000",
        "$orderby": "start/dateTime",
    }
    ines.get("me/calendarView", window)
    answer = ines.get("me/calendarView", window)

    assert len(answer.json()["value"]) == 1000
    assert "@odata.nextLink" in answer.json()
    assert answer.elapsed.total_seconds() < 1
