"""``calendarView/delta`` with the quirks that Graph's users report."""

from typing import Any

import pytest
import requests

from tests.sandbox.conftest import SignedIn

INES = "mailboxes/ines@quay.example"
MAY = {"startDateTime": "2027-05-01T00:00:00Z", "endDateTime": "2027-06-01T00:00:00Z"}
EMPTY = "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n"
WEEKLY = {
    "uid": "weekly",
    "subject": "Crane",
    "start": "2027-05-03T07:00:00Z",
    "end": "2027-05-03T08:00:00Z",
    "rrule": "FREQ=WEEKLY;COUNT=4",
}
SECOND = "2027-05-10T07:00:00Z"
ROUTES = ["delta", "delta()", "microsoft.graph.delta()"]


def _add(person: SignedIn, **event: Any) -> None:
    person.sandbox.control("POST", f"{INES}/events", json=event)


def _change(person: SignedIn, uid: str, **change: Any) -> None:
    person.sandbox.control("POST", f"{INES}/change", json={"uid": uid, **change})


@pytest.fixture
def quay(ines: SignedIn) -> SignedIn:
    """Two single events, one of them in June, and a series of four of which the second is moved."""
    ines.sandbox.control("PUT", INES, text=EMPTY)
    _add(ines, uid="tender", subject="Tender", start="2027-05-05T09:00:00Z", end="2027-05-05T10:00:00Z")
    _add(ines, uid="june", subject="June", start="2027-06-05T09:00:00Z", end="2027-06-05T10:00:00Z")
    _add(ines, **WEEKLY)
    _change(ines, "weekly", occurrence=SECOND, start="2027-05-11T12:00:00Z")
    return ines


def _pages(person: SignedIn, link: str = "", prefer: str = "") -> tuple[list[dict[str, Any]], str]:
    """All pages of one round, and its delta link."""
    headers = {"Prefer": prefer} if prefer else {}
    answer = person.get(link, headers=headers) if link else person.get("me/calendarView/delta", MAY, headers=headers)
    pages = [_body(answer)]
    while "@odata.nextLink" in pages[-1]:
        pages.append(_body(person.get(pages[-1]["@odata.nextLink"], headers=headers)))
        assert len(pages) < 50
    return pages, pages[-1]["@odata.deltaLink"]


def _body(answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert ("@odata.nextLink" in body) != ("@odata.deltaLink" in body)
    return body


def _round(person: SignedIn, link: str = "") -> tuple[list[dict[str, Any]], str]:
    pages, delta = _pages(person, link)
    return [event for page in pages for event in page["value"]], delta


def _rows(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [
        (event["type"], event["start"]["dateTime"][:16], event.get("subject", "-"))
        if "@removed" not in event
        else ("removed", event["@removed"]["reason"], "-")
        for event in events
    ]


def test_the_first_round_has_masters_bare_occurrences_and_all_else_in_full(quay: SignedIn) -> None:
    pages, delta = _pages(quay)
    events = [event for page in pages for event in page["value"]]

    assert pages[0]["value"] == []
    assert pages[0]["@odata.context"] == f"{quay.sandbox.graph_url}/v1.0/$metadata#Collection(event)"
    assert pages[0]["@odata.nextLink"].startswith(f"{quay.sandbox.graph_url}/v1.0/me/calendarView/delta?$skiptoken=")
    assert delta.startswith(f"{quay.sandbox.graph_url}/v1.0/me/calendarView/delta?$deltatoken=")
    assert _rows(events) == [
        ("singleInstance", "2027-05-05T09:00", "Tender"),
        ("seriesMaster", "2027-05-03T07:00", "Crane"),
        ("occurrence", "2027-05-03T07:00", "-"),
        ("exception", "2027-05-11T12:00", "Crane"),
        ("occurrence", "2027-05-17T07:00", "-"),
        ("occurrence", "2027-05-24T07:00", "-"),
    ]
    stub = {"@odata.type", "@odata.etag", "id", "seriesMasterId", "type", "start", "end"}
    assert [set(event) == stub for event in events] == [False, False, True, False, True, True]
    assert {event["seriesMasterId"] for event in events[2:]} == {events[1]["id"]}
    assert events[1]["recurrence"]["pattern"]["type"] == "weekly"
    listed = {event["id"]: event["@odata.etag"] for event in quay.view(MAY["startDateTime"], MAY["endDateTime"])}
    assert {e["id"]: e["@odata.etag"] for e in events if e["type"] != "seriesMaster"} == listed


def test_nothing_changed_is_an_empty_page_with_the_next_delta_link(quay: SignedIn) -> None:
    _, delta = _round(quay)
    pages, again = _pages(quay, delta)

    assert [page["value"] for page in pages] == [[]]
    assert again != delta
    assert _round(quay, again)[0] == []


def test_a_changed_single_event_comes_in_full(quay: SignedIn) -> None:
    _, delta = _round(quay)
    _change(quay, "tender", subject="Tender 2", private=True)
    events, delta = _round(quay, delta)

    assert [(e["subject"], e["sensitivity"]) for e in events] == [("Tender 2", "private")]
    assert _round(quay, delta)[0] == []


def test_a_new_event_comes(quay: SignedIn) -> None:
    _, delta = _round(quay)
    _add(quay, subject="Fair", start="2027-05-08", end="2027-05-09")

    assert _rows(_round(quay, delta)[0]) == [("singleInstance", "2027-05-08T00:00", "Fair")]


def test_of_a_deleted_occurrence_nothing_is_said_but_the_rest_comes_again(quay: SignedIn) -> None:
    before, delta = _round(quay)
    _change(quay, "weekly", occurrence="2027-05-17T07:00:00Z", deleted=True)
    events, _ = _round(quay, delta)

    assert _rows(events) == [
        ("seriesMaster", "2027-05-03T07:00", "Crane"),
        ("occurrence", "2027-05-03T07:00", "-"),
        ("exception", "2027-05-11T12:00", "Crane"),
        ("occurrence", "2027-05-24T07:00", "-"),
    ]
    assert before[4]["id"] not in {event["id"] for event in events}


def test_of_an_occurrence_moved_out_of_the_window_nothing_is_said_either(quay: SignedIn) -> None:
    _, delta = _round(quay)
    _change(quay, "weekly", occurrence="2027-05-24T07:00:00Z", start="2027-06-02T07:00:00Z")

    assert [row[:2] for row in _rows(_round(quay, delta)[0])] == [
        ("seriesMaster", "2027-05-03T07:00"),
        ("occurrence", "2027-05-03T07:00"),
        ("exception", "2027-05-11T12:00"),
        ("occurrence", "2027-05-17T07:00"),
    ]


def test_a_renamed_series_comes_with_a_new_master_and_bare_occurrences(quay: SignedIn) -> None:
    before, delta = _round(quay)
    _change(quay, "weekly", subject="Big crane")
    events, _ = _round(quay, delta)

    assert [row[2] for row in _rows(events)] == ["Big crane", "-", "Big crane", "-", "-"]
    assert [event["id"] for event in events] == [event["id"] for event in before[1:]]


@pytest.mark.parametrize("uid", ["tender", "weekly"])
@pytest.mark.parametrize("change", [{"deleted": True}, {"start": "2027-07-05T07:00:00Z"}], ids=["deleted", "moved"])
def test_what_is_deleted_or_leaves_the_window_as_a_whole_is_removed(
    quay: SignedIn, uid: str, change: dict[str, Any]
) -> None:
    before, delta = _round(quay)
    own = {"tender": before[0]["id"], "weekly": before[1]["id"]}[uid]
    _change(quay, uid, **change)
    events, delta = _round(quay, delta)

    removed = {"@odata.type": "#microsoft.graph.event", "id": own, "@removed": {"reason": "deleted"}}
    assert events == [removed]
    assert _round(quay, delta)[0] == []


def test_what_changes_outside_the_window_is_removed_too_and_can_come_in(quay: SignedIn) -> None:
    _, delta = _round(quay)
    _change(quay, "june", subject="Still June")
    events, delta = _round(quay, delta)
    assert _rows(events) == [("removed", "deleted", "-")]

    _change(quay, "june", start="2027-05-31T09:00:00Z")
    came, _ = _round(quay, delta)
    assert [(e["id"], e["subject"]) for e in came] == [(events[0]["id"], "Still June")]


def test_a_page_size_is_a_hint_and_a_series_is_never_split(quay: SignedIn) -> None:
    for number in range(3):
        start = f"2027-05-{20 + number}"
        _add(quay, uid=f"n{number}", subject=str(number), start=f"{start}T09:00:00Z", end=f"{start}T10:00:00Z")
    sizes = [len(page["value"]) for page in _pages(quay, prefer="odata.maxpagesize=2")[0]]
    usual = [len(page["value"]) for page in _pages(quay)[0]]

    assert sizes == [0, 6, 2, 1]
    assert usual == [0, 9]
    assert [len(p["value"]) for p in _pages(quay, prefer="odata.maxpagesize=0, odata.maxpagesize=x")[0]] == [0, 9]


def test_preferences_are_heard_on_each_request(quay: SignedIn) -> None:
    link = quay.get("me/calendarView/delta", MAY).json()["@odata.nextLink"]
    answer = quay.get(link, headers={"Prefer": 'outlook.timezone="Europe/Berlin", IdType="ImmutableId"'})
    plain = quay.get(link)

    assert answer.headers["Preference-Applied"] == (
        'odata.track-changes, outlook.timezone="Europe/Berlin", IdType="ImmutableId"'
    )
    assert plain.headers["Preference-Applied"] == "odata.track-changes"
    assert [e["start"]["dateTime"][:16] for e in answer.json()["value"]][:1] == ["2027-05-05T11:00"]
    assert not {e["id"] for e in answer.json()["value"]} & {e["id"] for e in plain.json()["value"]}


def test_a_removed_thing_has_the_kind_of_id_that_was_asked_for(quay: SignedIn) -> None:
    immutable = {"Prefer": 'IdType="ImmutableId"'}
    tender = next(e for e in quay.view(*MAY.values(), headers=immutable) if e["subject"] == "Tender")
    _, delta = _round(quay)
    _change(quay, "tender", deleted=True)

    assert quay.get(delta, headers=immutable).json()["value"][0]["id"] == tender["id"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("calendar", [False, True], ids=["me", "calendar"])
def test_all_its_addresses_answer_and_lead_on(quay: SignedIn, route: str, calendar: bool) -> None:
    owner = f"me/calendars/{quay.get('me/calendar').json()['id']}" if calendar else "me"
    first = quay.get(f"{owner}/calendarView/{route}", MAY).json()
    second = quay.get(first["@odata.nextLink"]).json()

    assert first["@odata.nextLink"].startswith(f"{quay.sandbox.graph_url}/v1.0/{owner}/calendarView/{route}?")
    assert len(second["value"]) == 6
    assert quay.get(second["@odata.deltaLink"]).json()["value"] == []


def _refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({}, (400, "ErrorInvalidParameter")),
        ({"startDateTime": "2027-05-01"}, (400, "ErrorInvalidParameter")),
        (MAY | {"$top": "5"}, (400, "ErrorInvalidUrlQuery")),
        (MAY | {"$select": "subject"}, (400, "ErrorInvalidUrlQuery")),
        (MAY | {"$filter": "isCancelled eq false"}, (400, "ErrorInvalidUrlQuery")),
        ({"$deltatoken": "made-up"}, (410, "SyncStateNotFound")),
        ({"$skiptoken": "made-up"}, (410, "SyncStateNotFound")),
        ({"$deltatoken": ""}, (410, "SyncStateNotFound")),
    ],
)
def test_what_delta_refuses(quay: SignedIn, query: dict[str, str], refusal: tuple[int, str]) -> None:
    assert _refusal(quay.get("me/calendarView/delta", query)) == refusal


def test_a_token_is_bound_to_its_window_and_its_person(quay: SignedIn, signed_in: Any) -> None:
    _, delta = _round(quay)
    _add(quay, uid="july", subject="July", start="2027-07-05T09:00:00Z", end="2027-07-05T10:00:00Z")
    wider = f"{delta}&startDateTime=2027-07-01&endDateTime=2027-08-01"

    assert _rows(quay.get(wider).json()["value"]) == [("removed", "deleted", "-")]
    assert _refusal(signed_in("tomas@quay.example").get(delta)) == (410, "SyncStateNotFound")


def test_a_request_can_be_repeated_until_its_round_is_over(quay: SignedIn) -> None:
    first = quay.get("me/calendarView/delta", MAY).json()["@odata.nextLink"]
    page = quay.get(first).json()
    assert quay.get(first).json() == page

    quay.get(page["@odata.deltaLink"])
    assert _refusal(quay.get(first)) == (410, "SyncStateNotFound")
    assert quay.get(page["@odata.deltaLink"]).status_code == 200


def test_a_round_shows_the_calendar_as_it_was_when_it_began(quay: SignedIn) -> None:
    first = quay.get("me/calendarView/delta", MAY).json()["@odata.nextLink"]
    _change(quay, "tender", subject="Later")
    page = quay.get(first).json()

    assert page["value"][0]["subject"] == "Tender"
    assert quay.get(page["@odata.deltaLink"]).json()["value"][0]["subject"] == "Later"


def test_the_token_not_used_for_longest_dies(quay: SignedIn) -> None:
    _, oldest = _round(quay)
    _, kept = _round(quay)
    for _ in range(127):
        quay.get("me/calendarView/delta", MAY)
        assert quay.get(kept).status_code == 200

    assert _refusal(quay.get(oldest)) == (410, "SyncStateNotFound")


def test_delta_needs_a_calendar_scope_and_is_the_callers_own(quay: SignedIn, signed_in: Any) -> None:
    assert _refusal(signed_in(scope="openid User.Read").get("me/calendarView/delta", MAY)) == (403, "ErrorAccessDenied")
    assert _refusal(quay.get("me/calendars/AAMkADnothing=/calendarView/delta", MAY)) == (404, "ErrorItemNotFound")
