"""A real calendar of 77 series, as Graph lists it and as dateutil expands its raw rules, read here by other code."""

from datetime import UTC, datetime

import pytest

from tests.sandbox.conftest import SignedIn
from tests.sandbox.real_calendar import Row, expand, rust_teams, vevents


@pytest.mark.needs("real_calendars")
@pytest.mark.parametrize(
    ("first", "last", "count"),
    [("2026-10-24", "2027-11-23", 1412), ("2024-01-01", "2026-10-24", None), ("2026-11-22", "2027-02-21", None)],
)
def test_a_real_calendar_expands_exactly(ines: SignedIn, first: str, last: str, count: int | None) -> None:
    text = rust_teams()
    ines.sandbox.control("PUT", "mailboxes/ines@quay.example", text=text)
    start, end = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (first, last))
    expected = expand(text, start, end)

    listed: list[Row] = []
    query = {"startDateTime": start.isoformat(), "endDateTime": end.isoformat(), "$top": "1000"}
    answer = ines.get("me/calendarView", query)
    while True:
        body = answer.json()
        listed += [
            (e["start"]["dateTime"][:19], e["end"]["dateTime"][:19], e["subject"], e["location"]["displayName"])
            for e in body["value"]
        ]
        if "@odata.nextLink" not in body:
            break
        answer = ines.get(body["@odata.nextLink"])

    assert len(vevents(text)) == 77
    assert sorted(listed) == sorted(expected)
    assert count in (None, len(listed))
