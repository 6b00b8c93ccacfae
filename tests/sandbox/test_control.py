"""The tenant changed from behind, and what Graph then shows of it."""

from typing import Any

import pytest

from tests.sandbox.conftest import SignedIn, ask_token, authorize_url
from tests.sandbox_process import ControlRefused, Sandbox

INES = "mailboxes/ines@quay.example"
WINDOW = ("2027-05-01T00:00:00Z", "2027-06-01T00:00:00Z")
EMPTY = "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n"
WEEKLY = {
    "uid": "weekly",
    "subject": "Crane",
    "start": "2027-05-03T09:00:00+02:00",
    "end": "2027-05-03T10:00:00+02:00",
    "rrule": "FREQ=WEEKLY;COUNT=3",
}


@pytest.fixture
def empty(ines: SignedIn) -> SignedIn:
    ines.sandbox.control("PUT", INES, text=EMPTY)
    return ines


def _add(person: SignedIn, **event: Any) -> str:
    uid: str = person.sandbox.control("POST", f"{INES}/events", json=event)["uid"]
    return uid


def _change(person: SignedIn, **change: Any) -> None:
    person.sandbox.control("POST", f"{INES}/change", json=change)


def _rows(person: SignedIn) -> list[tuple[str, str, str]]:
    return [(e["start"]["dateTime"][:16], e["subject"], e["type"]) for e in person.view(*WINDOW)]


def test_a_mailbox_is_replaced_and_read_back(empty: SignedIn) -> None:
    assert empty.view(*WINDOW) == []
    assert empty.sandbox.control("GET", INES) == EMPTY


def test_an_added_event_has_what_was_asked_for(empty: SignedIn) -> None:
    _add(
        empty,
        subject="Tender, “north”; mole",
        start="2027-05-03T09:00:00+02:00",
        end="2027-05-03T10:00:00+02:00",
        location="Pier room 2",
        join_url="https://teams.microsoft.com/l/meetup-join/19%3ax/0?context=%7b%22Tid%22%3a%22a%22%2c%22b%22%7d",
        private=True,
        organizer="Tomas Ruy <tomas@quay.example>",
        attendees=["ines@quay.example"],
    )
    (event,) = empty.view(*WINDOW)

    assert event["subject"] == "Tender, “north”; mole"
    assert (event["start"]["dateTime"][:16], event["end"]["dateTime"][:16]) == ("2027-05-03T07:00", "2027-05-03T08:00")
    assert (event["location"]["displayName"], event["sensitivity"]) == ("Pier room 2", "private")
    assert event["onlineMeeting"]["joinUrl"].endswith("?context=%7b%22Tid%22%3a%22a%22%2c%22b%22%7d")
    assert event["organizer"]["emailAddress"] == {"name": "Tomas Ruy", "address": "tomas@quay.example"}
    assert event["responseStatus"]["response"] == "notResponded"


def test_dates_make_an_all_day_event(empty: SignedIn) -> None:
    _add(empty, subject="Fair", start="2027-05-08", end="2027-05-10")
    (event,) = empty.view(*WINDOW)

    assert (event["isAllDay"], event["end"]["dateTime"]) == (True, "2027-05-10T00:00:00.0000000")


def test_a_single_event_changes(empty: SignedIn) -> None:
    uid = _add(empty, subject="Crane", start="2027-05-03T07:00:00Z", end="2027-05-03T07:45:00Z")
    before = empty.view(*WINDOW)[0]
    _change(empty, uid=uid, subject="Big crane", start="2027-05-04T07:00:00Z", location="Gate 3", private=True)
    (after,) = empty.view(*WINDOW)

    said = (after["subject"], after["location"]["displayName"], after["sensitivity"])
    assert said == ("Big crane", "Gate 3", "private")
    assert (after["start"]["dateTime"][:16], after["end"]["dateTime"][:16]) == ("2027-05-04T07:00", "2027-05-04T07:45")
    assert after["id"] == before["id"]
    assert after["changeKey"] != before["changeKey"]
    assert after["lastModifiedDateTime"] >= before["lastModifiedDateTime"]


def test_an_event_is_cancelled_and_comes_back(empty: SignedIn) -> None:
    uid = _add(empty, **WEEKLY)
    _change(empty, uid=uid, cancelled=True)
    assert {(e["subject"], e["isCancelled"], e["showAs"]) for e in empty.view(*WINDOW)} == {
        ("Canceled: Crane", True, "free")
    }

    _change(empty, uid=uid, cancelled=False)
    assert {(e["subject"], e["isCancelled"]) for e in empty.view(*WINDOW)} == {("Crane", False)}


def test_one_occurrence_moves_is_renamed_and_cancelled(empty: SignedIn) -> None:
    uid = _add(empty, **WEEKLY)
    second = "2027-05-10T07:00:00Z"
    _change(empty, uid=uid, occurrence=second, start="2027-05-11T12:00:00Z")
    _change(empty, uid=uid, occurrence=second, subject="Crane, later")
    assert _rows(empty) == [
        ("2027-05-03T07:00", "Crane", "occurrence"),
        ("2027-05-11T12:00", "Crane, later", "exception"),
        ("2027-05-17T07:00", "Crane", "occurrence"),
    ]

    _change(empty, uid=uid, occurrence=second, cancelled=True)
    moved = empty.view(*WINDOW)[1]
    assert (moved["subject"], moved["isCancelled"], moved["originalStart"]) == ("Canceled: Crane, later", True, second)
    assert moved["end"]["dateTime"][:16] == "2027-05-11T13:00"


def test_changing_one_occurrence_leaves_the_change_keys_of_the_others(empty: SignedIn) -> None:
    uid = _add(empty, **WEEKLY)
    before = {e["id"]: e["changeKey"] for e in empty.view(*WINDOW)}
    _change(empty, uid=uid, occurrence="2027-05-10T07:00:00Z", location="Gate 3")
    after = {e["id"]: e["changeKey"] for e in empty.view(*WINDOW)}

    assert [id for id in before if before[id] != after[id]] == [empty.view(*WINDOW)[1]["id"]]


@pytest.mark.parametrize("changed_before", [False, True])
def test_one_occurrence_is_deleted(empty: SignedIn, changed_before: bool) -> None:
    uid = _add(empty, **WEEKLY)
    if changed_before:
        _change(empty, uid=uid, occurrence="2027-05-10T07:00:00Z", subject="Doomed")
    _change(empty, uid=uid, occurrence="2027-05-10T07:00:00Z", deleted=True)

    assert [start for start, _, _ in _rows(empty)] == ["2027-05-03T07:00", "2027-05-17T07:00"]
    with pytest.raises(ControlRefused) as refused:
        _change(empty, uid=uid, occurrence="2027-05-10T07:00:00Z", subject="Too late")
    assert refused.value.status == 404


def test_a_series_is_deleted_with_its_exceptions(empty: SignedIn) -> None:
    uid = _add(empty, **WEEKLY)
    _change(empty, uid=uid, occurrence="2027-05-10T07:00:00Z", subject="Too")
    _change(empty, uid=uid, deleted=True)

    assert empty.view(*WINDOW) == []


def test_a_series_that_moves_forgets_its_exceptions(empty: SignedIn) -> None:
    uid = _add(empty, **WEEKLY)
    _change(empty, uid=uid, occurrence="2027-05-10T07:00:00Z", start="2027-05-12T07:00:00Z")
    _change(empty, uid=uid, start="2027-05-04T08:00:00Z")

    assert _rows(empty) == [(f"2027-05-{day}T08:00", "Crane", "occurrence") for day in ("04", "11", "18")]


def test_a_series_that_is_renamed_keeps_its_exceptions(empty: SignedIn) -> None:
    uid = _add(empty, **WEEKLY)
    _change(empty, uid=uid, occurrence="2027-05-10T07:00:00Z", start="2027-05-12T07:00:00Z")
    _change(empty, uid=uid, subject="Crane!")

    assert [row[:2] for row in _rows(empty)] == [
        ("2027-05-03T07:00", "Crane!"),
        ("2027-05-12T07:00", "Crane!"),
        ("2027-05-17T07:00", "Crane!"),
    ]


def test_a_changed_series_keeps_its_clock_over_a_change_of_the_clocks(ines: SignedIn) -> None:
    _change(ines, uid="one-to-one@quay.example", subject="1:1")
    (master,) = {e["seriesMasterId"] for e in ines.view("2027-01-01", "2027-05-01") if e["subject"] == "1:1"}
    berlin = {"Prefer": 'outlook.timezone="Europe/Berlin"'}
    window = {"startDateTime": "2027-03-01", "endDateTime": "2027-05-01", "$top": "100"}

    events = ines.get(f"me/events/{master}/instances", window, headers=berlin).json()["value"]
    assert {event["start"]["dateTime"][11:16] for event in events} == {"14:00"}


def test_an_unknown_address_joins_the_tenant(sandbox: Sandbox, signed_in: Any) -> None:
    sandbox.control("PUT", "mailboxes/mia.holm@quay.example", text=EMPTY)
    mia = signed_in("mia.holm@quay.example")

    assert mia.get("me").json()["displayName"] == "Mia Holm"
    assert mia.view(*WINDOW) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no calendar",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:soon\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270101T100000Z\nDTEND:20270101T090000Z\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270101T100000Z\nDTEND;VALUE=DATE:20270102\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270101T100000Z\nRRULE:FREQ=SOMETIMES\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270101T100000Z\nDTEND:99991231T235959Z\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:00010101T000000Z\nDTEND:20270101T000000Z\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VEVENT\nUID:1\nDTSTART:20270101T100000Z\nEND:VEVENT\n",
    ],
)
def test_nonsense_is_no_mailbox_and_changes_nothing(ines: SignedIn, text: str) -> None:
    before = ines.sandbox.control("GET", INES)
    with pytest.raises(ControlRefused) as refused:
        ines.sandbox.control("PUT", INES, text=text)

    assert refused.value.status == 400
    assert ines.sandbox.control("GET", INES) == before


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{INES}/events", {"subject": "x"}, 400),
        (f"{INES}/events", {"subject": "x", "start": "2027-05-03T09:00:00", "end": "2027-05-03T10:00:00Z"}, 400),
        (f"{INES}/events", {"subject": "x", "start": "2027-05-03", "end": "2027-05-04", "rrule": "X"}, 400),
        (f"{INES}/change", {"uid": "nobody's", "subject": "x"}, 404),
        (f"{INES}/change", {"uid": "standup@quay.example", "colour": "red"}, 400),
        (f"{INES}/change", {"uid": "standup@quay.example", "occurrence": "2027-01-01T03:00:00Z", "deleted": True}, 404),
        ("mailboxes/nobody@quay.example/change", {"uid": "x"}, 404),
        ("revoke", {"email": "nobody@quay.example"}, 404),
        ("settings", {"weather": "fine"}, 400),
        ("settings", {"access_token_seconds": "60"}, 400),
        ("settings", {"one_time_refresh_tokens": 1}, 400),
        ("everything", {}, 404),
    ],
)
def test_what_cannot_be_done_is_said(sandbox: Sandbox, path: str, body: dict[str, Any], status: int) -> None:
    with pytest.raises(ControlRefused) as refused:
        sandbox.control("POST", path, json=body)
    assert refused.value.status == status


def test_a_page_of_another_site_controls_nothing(sandbox: Sandbox) -> None:
    with sandbox.session() as http:
        url = f"{sandbox.pages_url}/control/reset"
        assert http.post(url, headers={"Origin": "https://elsewhere.example"}).status_code == 403
        assert http.post(url, headers={"Origin": sandbox.pages_url}).status_code == 200
        assert http.post(url, headers={"Host": "elsewhere.example"}).status_code == 400


def test_reset_brings_everything_back(ines: SignedIn) -> None:
    sandbox = ines.sandbox
    first = sandbox.control("GET", INES)
    sandbox.control("PUT", INES, text=EMPTY)
    sandbox.control("PUT", "mailboxes/mia@quay.example", text=EMPTY)
    sandbox.control("POST", "settings", json={"client_secret": "another"})
    sandbox.control("POST", "faults", json={"path": ".", "status": 500, "times": None})
    sandbox.control("POST", "reset")

    assert sandbox.control("GET", INES) == first
    assert sandbox.log() == []
    assert ines.get("me").status_code == 401
    refresh = ask_token(sandbox, grant_type="refresh_token", refresh_token=ines.tokens["refresh_token"])
    assert refresh.json()["error_codes"] == [700082]
    with sandbox.session() as http:
        page = http.get(authorize_url(sandbox, login_hint="ines@quay.example")).text
        assert "Permissions requested" in page
        assert "mia@quay.example" not in http.get(authorize_url(sandbox)).text


def test_the_log_has_requests_but_no_secret(ines: SignedIn) -> None:
    ines.get("me/calendarView", {"startDateTime": "2027-01-01", "endDateTime": "2027-01-02", "access_token": "told"})
    entries = ines.sandbox.log()
    text = str(entries)

    assert [(e["method"], e["path"].rpartition("/")[2], e["status"]) for e in entries] == [
        ("GET", "authorize", 200),
        ("POST", "authorize", 200),
        ("POST", "authorize", 302),
        ("POST", "token", 200),
        ("GET", "calendarView", 200),
    ]
    assert ines.tokens["access_token"] not in text
    assert ines.tokens["refresh_token"] not in text
    assert ines.sandbox.client_secret not in text
    assert "told" not in text
    assert all(e["via"] == "direct" and e["time"].endswith("+00:00") for e in entries)

    ines.sandbox.control("DELETE", "log")
    assert ines.sandbox.log() == []
