"""Graph's calendar API, as Microsoft's reference and other people's reports describe it."""

import json
import ssl
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from tests.sandbox.conftest import SignedIn
from tests.sandbox_process import Sandbox

SPAN = ("2027-05-01T00:00:00Z", "2027-06-01T00:00:00Z")
WINDOW = {"startDateTime": SPAN[0], "endDateTime": SPAN[1]}

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:plan
DTSTAMP:20270101T080000Z
SUMMARY:Plan
DESCRIPTION:Bring <plans>\\nand tea
LOCATION:Pier room 2
DTSTART;TZID=Europe/Berlin:20270503T090000
DTEND;TZID=Europe/Berlin:20270503T100000
RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=6
ORGANIZER;CN=Tomas Ruy:mailto:tomas@quay.example
ATTENDEE;CN=Ines Falk;PARTSTAT=TENTATIVE:mailto:ines@quay.example
ATTENDEE;CN=Luc Moreau;PARTSTAT=DECLINED;ROLE=OPT-PARTICIPANT:mailto:luc@partner.example
ATTENDEE;CN=Pier room 2;CUTYPE=ROOM;PARTSTAT=ACCEPTED:mailto:pier2@quay.example
X-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.microsoft.com/l/meetup-join/19%3ameeting_plan%40thread.v2/0
CATEGORIES:Planning,Works
PRIORITY:1
END:VEVENT
BEGIN:VEVENT
UID:fair
DTSTAMP:20270101T080000Z
SUMMARY:Fair
DTSTART;VALUE=DATE:20270508
DTEND;VALUE=DATE:20270510
TRANSP:TRANSPARENT
END:VEVENT
BEGIN:VEVENT
UID:video
DTSTAMP:20270101T080000Z
SUMMARY:Video
CLASS:CONFIDENTIAL
DTSTART:20270511T120000Z
DTEND:20270511T121500Z
CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://us02web.zoom.us/j/84512345678?pwd=a,b
X-ALT-DESC;FMTTYPE=text/html:<html><body><p>Join <b>us</b></p></body></html>
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def office(ines: SignedIn) -> SignedIn:
    """Ines with the calendar above, and nothing of it in the log yet."""
    ines.sandbox.control("PUT", "mailboxes/ines@quay.example", text=CALENDAR)
    ines.sandbox.control("DELETE", "log")
    return ines


def _error(response: requests.Response) -> tuple[int, str]:
    body = response.json()["error"]
    assert set(body["innerError"]) == {"date", "request-id", "client-request-id"}
    assert body["innerError"]["request-id"] == response.headers["request-id"]
    return response.status_code, body["code"]


def test_an_occurrence_has_all_that_graph_gives(office: SignedIn) -> None:
    event = office.view(*SPAN)[1]

    assert (event["type"], event["start"]) == (
        "occurrence",
        {"dateTime": "2027-05-05T07:00:00.0000000", "timeZone": "UTC"},
    )
    assert event["originalStart"] == "2027-05-05T07:00:00Z"
    assert event["originalStartTimeZone"] == "W. Europe Standard Time"
    assert event["occurrenceId"] == f"OID.{event['seriesMasterId']}.2027-05-05"
    assert event["iCalUId"] == "plan"
    assert event["recurrence"] is None
    assert (event["isOrganizer"], event["responseStatus"]["response"]) == (False, "tentativelyAccepted")
    assert event["organizer"] == {"emailAddress": {"name": "Tomas Ruy", "address": "tomas@quay.example"}}
    assert [(a["type"], a["status"]["response"], a["emailAddress"]["name"]) for a in event["attendees"]] == [
        ("required", "tentativelyAccepted", "Ines Falk"),
        ("optional", "declined", "Luc Moreau"),
        ("resource", "accepted", "Pier room 2"),
    ]
    assert (event["isOnlineMeeting"], event["onlineMeetingProvider"]) == (True, "teamsForBusiness")
    assert event["onlineMeeting"]["joinUrl"].endswith("19%3ameeting_plan%40thread.v2/0")
    assert (event["showAs"], event["importance"], event["sensitivity"]) == ("tentative", "high", "normal")
    assert event["categories"] == ["Planning", "Works"]
    assert event["location"]["displayName"] == event["locations"][0]["displayName"] == "Pier room 2"
    assert event["body"]["contentType"] == "html"
    assert "Bring &lt;plans&gt;<br>" in event["body"]["content"]
    assert event["bodyPreview"] == "Bring <plans>\nand tea"
    assert event["@odata.etag"] == f'W/"{event["changeKey"]}"'


def test_an_all_day_event_is_midnight_to_midnight_in_any_zone(office: SignedIn) -> None:
    for zone in ("UTC", "Tokyo Standard Time", "America/New_York"):
        (event,) = [e for e in office.view(*SPAN, headers={"Prefer": f'outlook.timezone="{zone}"'}) if e["isAllDay"]]

        assert event["start"] == {"dateTime": "2027-05-08T00:00:00.0000000", "timeZone": zone}
        assert event["end"] == {"dateTime": "2027-05-10T00:00:00.0000000", "timeZone": zone}
        assert (event["showAs"], event["isOnlineMeeting"], event["onlineMeeting"]) == ("free", False, None)


def test_a_conference_of_another_service_is_an_online_meeting_too(office: SignedIn) -> None:
    event = office.view(*SPAN)[3]

    assert (event["isOnlineMeeting"], event["onlineMeetingProvider"]) == (True, "unknown")
    assert event["onlineMeeting"] == {"joinUrl": "https://us02web.zoom.us/j/84512345678?pwd=a,b"}
    assert event["body"]["content"] == "<html><body><p>Join <b>us</b></p></body></html>"
    assert event["bodyPreview"] == "Join us"
    assert event["sensitivity"] == "confidential"


@pytest.mark.parametrize(
    ("organizer", "seen"),
    [
        ("tomas@quay.example", ["ines@quay.example"]),
        ("ines@quay.example", ["ines@quay.example", "luc@partner.example"]),
    ],
)
def test_whom_the_organizer_hides_the_organizer_alone_sees(ines: SignedIn, organizer: str, seen: list[str]) -> None:
    ines.sandbox.control(
        "PUT",
        "mailboxes/ines@quay.example",
        text="BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nSUMMARY:Town hall\nDTSTART:20270511T120000Z\n"
        f"ORGANIZER:mailto:{organizer}\nATTENDEE:mailto:ines@quay.example\nATTENDEE:mailto:luc@partner.example\n"
        "X-MICROSOFT-HIDEATTENDEES:TRUE\nEND:VEVENT\nEND:VCALENDAR\n",
    )
    (event,) = ines.view(*SPAN)

    assert event["hideAttendees"] is True
    assert [one["emailAddress"]["address"] for one in event["attendees"]] == seen
    assert event["organizer"]["emailAddress"]["address"] == organizer


def test_attendees_are_seen_unless_hidden(office: SignedIn) -> None:
    assert {event["hideAttendees"] for event in office.view(*SPAN)} == {False}


def test_the_master_has_the_pattern_and_the_first_times(office: SignedIn) -> None:
    master_id = office.view(*SPAN)[0]["seriesMasterId"]
    master = office.get(f"me/events/{master_id}").json()

    assert (master["type"], master["seriesMasterId"]) == ("seriesMaster", None)
    assert master["start"]["dateTime"] == "2027-05-03T07:00:00.0000000"
    assert master["recurrence"] == {
        "pattern": {
            "type": "weekly",
            "interval": 2,
            "month": 0,
            "dayOfMonth": 0,
            "daysOfWeek": ["monday", "wednesday"],
            "firstDayOfWeek": "monday",
            "index": "first",
        },
        "range": {
            "type": "numbered",
            "startDate": "2027-05-03",
            "endDate": "0001-01-01",
            "recurrenceTimeZone": "W. Europe Standard Time",
            "numberOfOccurrences": 6,
        },
    }


def test_instances_are_those_of_one_series(office: SignedIn) -> None:
    first = office.view(*SPAN)[0]
    answer = office.get(f"me/events/{first['seriesMasterId']}/instances", WINDOW)

    assert [event["start"]["dateTime"][:10] for event in answer.json()["value"]] == [
        "2027-05-03",
        "2027-05-05",
        "2027-05-17",
        "2027-05-19",
        "2027-05-31",
    ]
    assert _error(office.get(f"me/events/{first['id']}/instances", WINDOW)) == (400, "ErrorInvalidRequest")


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("UTC", "2027-05-03T07:00:00.0000000"),
        ("W. Europe Standard Time", "2027-05-03T09:00:00.0000000"),
        ("Europe/Berlin", "2027-05-03T09:00:00.0000000"),
        ("Pacific Standard Time", "2027-05-03T00:00:00.0000000"),
    ],
)
def test_times_come_in_the_preferred_zone(office: SignedIn, zone: str, start: str) -> None:
    answer = office.get("me/calendarView", WINDOW, headers={"Prefer": f'outlook.timezone="{zone}"'})

    assert answer.json()["value"][0]["start"] == {"dateTime": start, "timeZone": zone}
    assert answer.headers["Preference-Applied"] == f'outlook.timezone="{zone}"'


def test_a_zone_does_not_move_the_window_nor_the_change_key(office: SignedIn) -> None:
    plain, tokyo = (
        office.view(*SPAN, headers=headers) for headers in (None, {"Prefer": 'outlook.timezone="Asia/Tokyo"'})
    )

    assert [(e["id"], e["changeKey"]) for e in plain] == [(e["id"], e["changeKey"]) for e in tokyo]


def test_a_body_comes_as_text_when_preferred(office: SignedIn) -> None:
    prefer = {"prefer": 'IdType="ImmutableId", outlook.body-content-type="text"'}
    event = office.view(*SPAN, headers=prefer)[0]

    assert event["body"] == {"contentType": "text", "content": "Bring <plans>\nand tea"}


def test_immutable_ids_differ_and_both_kinds_resolve(office: SignedIn) -> None:
    prefer = {"Prefer": 'IdType="ImmutableId"'}
    usual, immutable = office.view(*SPAN), office.view(*SPAN, headers=prefer)

    assert not {e["id"] for e in usual} & {e["id"] for e in immutable}
    assert not {e["seriesMasterId"] for e in usual if e["seriesMasterId"]} & {e["seriesMasterId"] for e in immutable}
    for one, other in zip(usual, immutable, strict=True):
        assert office.get(f"me/events/{other['id']}").json()["id"] == one["id"]


def test_pages_follow_each_other_without_gap_or_repetition(office: SignedIn) -> None:
    whole = [event["id"] for event in office.view(*SPAN)]
    answer = office.get("me/calendarView", WINDOW | {"$top": "3", "$orderby": "start/dateTime", "$select": "subject"})
    first_page = answer.json()
    seen = [event["id"] for event in first_page["value"]]
    links = [first_page["@odata.nextLink"]]
    while link := answer.json().get("@odata.nextLink"):
        answer = office.get(link)
        seen += [event["id"] for event in answer.json()["value"]]
        links.append(link)

    assert seen == whole
    assert [len(first_page["value"]), len(whole)] == [3, 7]
    assert all(link.startswith(f"{office.sandbox.graph_url}/v1.0/me/calendarView?") for link in links)
    assert "$select=subject" in links[0]
    assert "$skip=3" in links[0]


def test_ten_come_unless_more_are_asked_for(ines: SignedIn) -> None:
    assert len(ines.get("me/calendarView", _month_from_now()).json()["value"]) == 10


def _month_from_now() -> dict[str, str]:
    now = datetime.now(UTC)
    return {"startDateTime": now.isoformat(), "endDateTime": (now + timedelta(days=30)).isoformat()}


def test_the_order_can_be_turned(office: SignedIn) -> None:
    answer = office.get("me/calendarView", WINDOW | {"$orderby": "start/dateTime desc"})

    starts = [event["start"]["dateTime"] for event in answer.json()["value"]]
    assert starts == sorted(starts, reverse=True)


def test_only_the_selected_properties_come_with_id_and_etag(office: SignedIn) -> None:
    answer = office.get("me/calendarView", WINDOW | {"$select": "subject,isAllDay"})

    assert all(set(e) == {"@odata.etag", "id", "subject", "isAllDay"} for e in answer.json()["value"])


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("2027-05-11T12:00:00Z", "2027-05-11T12:15:00Z", True),
        ("2027-05-11T12:14:59Z", "2027-05-11T13:00:00Z", True),
        ("2027-05-11T12:15:00Z", "2027-05-11T13:00:00Z", False),
        ("2027-05-11T11:00:00Z", "2027-05-11T12:00:00Z", False),
        ("2027-05-11T14:14:59+02:00", "2027-05-11T15:00:00+02:00", True),
        ("2027-05-11T14:15:00+02:00", "2027-05-11T15:00:00+02:00", False),
        ("2027-05-11T12:00:00", "2027-05-11T12:15:00.0000000", True),
    ],
)
def test_a_window_shows_what_ends_after_its_start_and_begins_before_its_end(
    office: SignedIn, start: str, end: str, found: bool
) -> None:
    assert bool(office.view(start, end)) is found


@pytest.mark.parametrize(
    ("path", "query", "refusal"),
    [
        ("me/calendarView", {}, (400, "ErrorInvalidParameter")),
        ("me/calendarView", {"startDateTime": "2027-05-01"}, (400, "ErrorInvalidParameter")),
        ("me/calendarView", WINDOW | {"endDateTime": "soon"}, (400, "ErrorInvalidParameter")),
        ("me/calendarView", WINDOW | {"endDateTime": "2026-05-01"}, (400, "ErrorInvalidParameter")),
        ("me/calendarView", WINDOW | {"endDateTime": "2037-05-01"}, (400, "ErrorCalendarViewRangeTooBig")),
        ("me/calendarView", WINDOW | {"$top": "1001"}, (400, "ErrorInvalidUrlQueryFilter")),
        ("me/calendarView", WINDOW | {"$top": "0"}, (400, "ErrorInvalidUrlQueryFilter")),
        ("me/calendarView", WINDOW | {"$top": "many"}, (400, "BadRequest")),
        ("me/calendarView", WINDOW | {"$skip": "-1"}, (400, "BadRequest")),
        ("me/calendarView", WINDOW | {"$select": "subject,sbuject"}, (400, "RequestBroker--ParseUri")),
        ("me/calendarView", WINDOW | {"$orderby": "weather"}, (400, "ErrorInvalidProperty")),
        ("me/calendarView", WINDOW | {"$filter": "isCancelled eq false"}, (501, "NotImplemented")),
        ("me/events/AAMkADnothing=", {}, (404, "ErrorItemNotFound")),
        ("me/calendars/AAMkADnothing=/calendarView", WINDOW, (404, "ErrorItemNotFound")),
        ("me/weather", {}, (400, "BadRequest")),
        ("me", {"$select": "shoeSize"}, (400, "BadRequest")),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    office: SignedIn, path: str, query: dict[str, str], refusal: tuple[int, str]
) -> None:
    assert _error(office.get(path, query)) == refusal


def test_an_unknown_zone_is_refused(office: SignedIn) -> None:
    answer = office.get("me/calendarView", WINDOW, headers={"Prefer": 'outlook.timezone="Atlantis Standard Time"'})

    assert _error(answer) == (400, "TimeZoneNotSupportedException")


def test_parameter_names_may_be_written_in_any_case(office: SignedIn) -> None:
    assert office.get("me/calendarView", {name.lower(): value for name, value in WINDOW.items()}).ok


def test_the_person_and_the_calendar(office: SignedIn) -> None:
    me = office.get("me").json()
    (calendar,) = office.get("me/calendars").json()["value"]

    assert (me["displayName"], me["mail"], me["surname"]) == ("Ines Falk", "ines@quay.example", "Falk")
    assert set(office.get("me", {"$select": "mail,id"}).json()) == {"@odata.context", "mail", "id"}
    assert (calendar["isDefaultCalendar"], calendar["owner"]["address"]) == (True, "ines@quay.example")
    assert office.get("me/calendar").json()["id"] == calendar["id"]
    listed = office.get(f"me/calendars/{calendar['id']}/calendarView", WINDOW).json()["value"]
    assert [e["id"] for e in listed] == [e["id"] for e in office.view(*SPAN)]


def test_people_see_their_own_mailboxes(office: SignedIn, signed_in: Any) -> None:
    tomas = signed_in("tomas@quay.example")

    assert len(tomas.get("me/calendarView", _month_from_now()).json()["value"]) == 3
    assert _error(tomas.get(f"me/events/{office.view(*SPAN)[0]['id']}")) == (404, "ErrorItemNotFound")


def test_without_a_token_there_is_nothing(sandbox: Sandbox) -> None:
    with sandbox.session() as http:
        for header in ({}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic eDp5"}):
            answer = http.get(f"{sandbox.graph_url}/v1.0/me", headers=header)
            assert _error(answer) == (401, "InvalidAuthenticationToken")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_an_expired_token_is_refused(sandbox: Sandbox, signed_in: Any) -> None:
    sandbox.control("POST", "settings", json={"access_token_seconds": 0})
    answer = signed_in().get("me")

    assert _error(answer) == (401, "InvalidAuthenticationToken")
    assert "Lifetime validation failed" in answer.json()["error"]["message"]


def test_a_revoked_access_token_is_refused(ines: SignedIn) -> None:
    ines.sandbox.control("POST", "revoke", json={"email": "ines@quay.example", "access_tokens": True})

    assert _error(ines.get("me")) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("User.Read", 403),
        ("Contacts.ReadWrite.Shared", 403),
        ("Calendars.ReadBasic", 403),
        ("Calendars.Read", 200),
        ("Calendars.Read.Shared", 200),
        ("Calendars.ReadWrite", 200),
        ("Calendars.ReadWrite.Shared", 200),
    ],
)
def test_the_calendar_needs_a_calendar_scope(signed_in: Any, scope: str, status: int) -> None:
    answer = signed_in(scope=f"openid {scope}").get("me/calendarView", WINDOW)

    assert answer.status_code == status
    assert status == 200 or _error(answer) == (403, "ErrorAccessDenied")


def test_the_profile_needs_its_scope(signed_in: Any) -> None:
    assert _error(signed_in(scope="openid Calendars.Read").get("me")) == (403, "Authorization_RequestDenied")


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_nothing_can_be_written_and_the_attempt_is_logged(office: SignedIn, signed_in: Any, method: str) -> None:
    url = f"{office.sandbox.graph_url}/v1.0/me/events/x"

    assert _error(office.http.request(method, url, json={})) == (405, "ErrorInvalidRequest")
    assert _error(signed_in(scope="Calendars.Read").http.request(method, url, json={})) == (403, "ErrorAccessDenied")
    assert [e["method"] for e in office.sandbox.log() if e["path"] == "/v1.0/me/events/x"] == [method, method]


def _batch(person: SignedIn, *steps: dict[str, Any]) -> requests.Response:
    return person.http.post(f"{person.sandbox.graph_url}/v1.0/$batch", data=json.dumps({"requests": steps}))


def test_a_batch_answers_each_request_for_itself(office: SignedIn) -> None:
    id = office.view(*SPAN)[0]["id"]
    text = {"Prefer": 'outlook.body-content-type="text"'}
    answer = _batch(
        office,
        {"id": "1", "method": "GET", "url": f"/me/events/{id}?$select=body", "headers": text},
        {"id": "2", "method": "GET", "url": "me/events/gone"},
        {"id": "3", "method": "DELETE", "url": f"/me/events/{id}"},
        {"id": "4", "method": "GET", "url": "/me", "dependsOn": ["2"]},
    )

    first, second, third, fourth = answer.json()["responses"]
    assert (answer.status_code, first["status"], first["body"]["body"]["contentType"]) == (200, 200, "text")
    assert first["headers"]["Content-Type"] == "application/json"
    assert (second["status"], second["body"]["error"]["code"]) == (404, "ErrorItemNotFound")
    assert (third["status"], fourth["status"]) == (405, 424)
    logged = [(entry["method"], entry["via"], entry["status"]) for entry in office.sandbox.log()[1:]]
    assert logged == [("GET", "batch", 200), ("GET", "batch", 404), ("DELETE", "batch", 405), ("POST", "direct", 200)]


def test_a_batch_takes_ids_with_quoted_characters(office: SignedIn) -> None:
    id = office.view(*SPAN)[0]["id"]
    answer = _batch(office, {"id": "1", "method": "GET", "url": f"/me/events/{quote(id, safe='')}"})

    assert answer.json()["responses"][0]["body"]["id"] == id


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"id": "1", "method": "GET", "url": "/me"}] * 2,
        [{"id": str(number), "method": "GET", "url": "/me"} for number in range(21)],
        [{"method": "GET", "url": "/me"}],
        [{"id": "1", "url": "/me"}],
    ],
)
def test_a_malformed_batch_is_refused_whole(office: SignedIn, steps: list[dict[str, Any]]) -> None:
    assert _error(_batch(office, *steps)) == (400, "BadRequest")


def test_twenty_requests_fit_in_a_batch(office: SignedIn) -> None:
    steps = [{"id": str(number), "method": "GET", "url": "/me"} for number in range(20)]

    assert [item["status"] for item in _batch(office, *steps).json()["responses"]] == [200] * 20


def test_the_clients_request_id_comes_back(office: SignedIn) -> None:
    assert office.get("me", headers={"client-request-id": "mine"}).headers["client-request-id"] == "mine"


def test_one_connection_serves_many_requests(office: SignedIn) -> None:
    target = urlsplit(office.sandbox.graph_url)
    trust = ssl.create_default_context(cafile=office.sandbox.ca_bundle)
    connection = HTTPSConnection("localhost", target.port or 443, context=trust, timeout=10)
    connection.connect()
    first_socket = connection.sock
    for _ in range(3):
        connection.request("GET", "/v1.0/me", headers={"Authorization": office.http.headers["Authorization"]})
        assert json.loads(connection.getresponse().read())["displayName"] == "Ines Falk"
        assert connection.sock is first_socket
    connection.close()
