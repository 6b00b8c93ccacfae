from typing import Any

from tests.sandbox.conftest import SignedIn
from tests.sandbox.exceptions import CALENDAR, ROWS, WINDOW


def _row(event: dict[str, Any]) -> tuple[str, ...]:
    length = len("2027-03-14") if event["isAllDay"] else len("2027-03-14T22:00")
    remark = "cancelled" if event["isCancelled"] else "private" if event["sensitivity"] == "private" else ""
    return (
        event["start"]["dateTime"][:length],
        event["end"]["dateTime"][:length],
        event["subject"],
        event["location"]["displayName"],
        event["type"],
        remark,
    )


def test_a_hand_written_calendar_reads_as_worked_out_by_hand(ines: SignedIn) -> None:
    ines.sandbox.control("PUT", "mailboxes/ines@quay.example", text=CALENDAR.read_text())

    assert sorted(map(_row, ines.view(*WINDOW))) == sorted(ROWS)


def test_an_exception_says_where_it_came_from(ines: SignedIn) -> None:
    ines.sandbox.control("PUT", "mailboxes/ines@quay.example", text=CALENDAR.read_text())
    moved = [event for event in ines.view(*WINDOW) if event["type"] == "exception"]

    assert {(event["subject"], event["originalStart"]) for event in moved} == {
        ("Accounts", "2027-03-10T11:00:00Z"),
        ("Canceled: New York call", "2027-03-18T13:00:00Z"),
        ("Berth plan", "2027-03-22T09:00:00Z"),
        ("London desk: reviews", "2027-03-25T16:00:00Z"),
        ("Market day", "2027-03-26T00:00:00Z"),
        ("Sunday round, later", "2027-03-28T06:00:00Z"),
        ("Sunday round, later", "2027-04-04T06:00:00Z"),
        ("London desk", "2027-04-01T15:00:00Z"),
    }


def test_each_listed_event_is_found_by_its_id(ines: SignedIn) -> None:
    ines.sandbox.control("PUT", "mailboxes/ines@quay.example", text=CALENDAR.read_text())

    for listed in ines.view(*WINDOW):
        alone = ines.get(f"me/events/{listed['id']}").json()
        alone.pop("@odata.context")
        assert alone == listed


def test_a_deleted_occurrence_is_not_found_by_its_id(ines: SignedIn) -> None:
    text = CALENDAR.read_text()
    ines.sandbox.control("PUT", "mailboxes/ines@quay.example", text=text.replace("EXDATE;VALUE=DATE:20270402\n", ""))
    before = {event["originalStart"]: event["id"] for event in ines.view(*WINDOW)}
    ines.sandbox.control("PUT", "mailboxes/ines@quay.example", text=text)

    answer = ines.get(f"me/events/{before['2027-04-02T00:00:00Z']}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ErrorItemNotFound")
