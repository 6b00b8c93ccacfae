"""The Graph client, over real HTTP, against the sandbox and against answers that go wrong."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from integrations.errors import (
    CursorExpired,
    PermissionMissing,
    ProviderError,
    RateLimited,
    ReconnectNeeded,
    Unavailable,
    UnexpectedAnswer,
    WrongDoor,
)
from integrations.events import CalendarClient, Response, ShowAs
from integrations.models import CalendarConnection
from integrations.providers import microsoft as provider
from integrations.providers import open_calendar
from tests.conftest import INES, INES_AT_HOME
from tests.contracts import CALENDAR, WINDOW, ClientContract, large_calendar
from tests.sandbox_process import Sandbox


class TestMicrosoftContract(ClientContract):
    @pytest.fixture
    def client(self, microsoft: Sandbox, ines: CalendarConnection) -> CalendarClient:
        microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
        return open_calendar(ines)

    @pytest.fixture
    def large(self, microsoft: Sandbox, ines: CalendarConnection) -> CalendarClient:
        microsoft.control("PUT", f"mailboxes/{INES}", text=large_calendar())
        return open_calendar(ines)


class TestPersonalAccountContract(ClientContract):
    """The same of a personal account, whose answers have more in them than Graph declares."""

    @pytest.fixture
    def client(self, microsoft: Sandbox, ines_at_home: CalendarConnection) -> CalendarClient:
        microsoft.control("PUT", f"mailboxes/{INES_AT_HOME}", text=CALENDAR)
        return open_calendar(ines_at_home)

    @pytest.fixture
    def large(self, microsoft: Sandbox, ines_at_home: CalendarConnection) -> CalendarClient:
        microsoft.control("PUT", f"mailboxes/{INES_AT_HOME}", text=large_calendar())
        return open_calendar(ines_at_home)


def graph_requests(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [entry for entry in sandbox.log() if entry["path"].startswith("/v1.0/")]


def test_a_thousand_events_cost_one_request(microsoft: Sandbox, ines: CalendarConnection) -> None:
    microsoft.control("PUT", f"mailboxes/{INES}", text=large_calendar())
    microsoft.control("DELETE", "log")
    assert len(open_calendar(ines).events(WINDOW)) == 2100
    assert [(one["method"], one["path"]) for one in graph_requests(microsoft)] == [("GET", "/v1.0/me/calendarView")] * 3


def test_all_requests_of_a_client_share_one_connection(microsoft: Sandbox, ines: CalendarConnection) -> None:
    microsoft.control("PUT", f"mailboxes/{INES}", text=large_calendar())
    client = open_calendar(ines)
    assert isinstance(client, provider.GraphClient)
    client.fill(client.events(WINDOW)[:30])
    pools = client._graph._GraphReader__session.get_adapter(microsoft.graph_url).poolmanager.pools  # type: ignore[attr-defined]
    assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118 - urllib3's container is no dict


def test_fill_reads_a_series_once_whatever_the_number_of_its_occurrences(
    microsoft: Sandbox, ines: CalendarConnection
) -> None:
    microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
    client = open_calendar(ines)
    occurrences = [one for one in client.events(WINDOW) if one.subject == "Series"]
    assert len(occurrences) == 2
    microsoft.control("DELETE", "log")
    client.fill(occurrences)
    asked = graph_requests(microsoft)
    assert sorted((one["method"], one["via"]) for one in asked) == [("GET", "batch"), ("POST", "direct")]


def test_fill_leaves_out_what_vanished(microsoft: Sandbox, ines: CalendarConnection) -> None:
    microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
    client = open_calendar(ines)
    listed = client.events(WINDOW)
    microsoft.control("POST", f"mailboxes/{INES}/change", json={"uid": "single@contract", "deleted": True})
    assert "Single" not in [one.subject for one in client.fill(listed)]
    assert len(client.fill(listed)) == len(listed) - 1


def test_ids_are_asked_for_in_the_form_that_survives_a_move(microsoft: Sandbox, ines: CalendarConnection) -> None:
    """Rename detection rests on it: without ``IdType="ImmutableId"`` Graph's ids change with the folder."""
    client = open_calendar(ines)
    assert isinstance(client, provider.GraphClient)
    listed = {one.id for one in client.events(WINDOW)}
    window = {"startDateTime": "2026-11-01T00:00:00Z", "endDateTime": "2026-12-01T00:00:00Z", "$top": "1000"}
    token = client._graph._GraphReader__token()  # type: ignore[attr-defined]

    def ids(prefer: str) -> set[str]:
        headers = {"Authorization": f"Bearer {token}", "Prefer": prefer}
        with microsoft.session() as http:
            answer = http.get(f"{microsoft.graph_url}/v1.0/me/calendarView", params=window, headers=headers).json()
        return {one["id"] for one in answer["value"]}

    assert listed == ids('IdType="ImmutableId"')
    assert not listed & ids("")
    assert {one.id for one in client.find(sorted(listed)[:30])} <= listed


@pytest.mark.parametrize(
    "responses",
    [
        [{"id": "0", "status": "junk"}],
        [{"id": "99", "status": 200, "body": {}}],
        [{}],
        ["nonsense"],
        None,
    ],
)
def test_a_batch_answered_with_junk_is_an_unexpected_answer(
    microsoft: Sandbox, ines: CalendarConnection, responses: object
) -> None:
    fault = {"path": "/\\$batch", "status": 200, "body": json.dumps({"responses": responses})}
    microsoft.control("POST", "faults", json=fault)
    with pytest.raises(UnexpectedAnswer):
        open_calendar(ines).find(["AAMk1"])


def test_a_throttled_item_of_a_batch_throttles_the_connection(microsoft: Sandbox, ines: CalendarConnection) -> None:
    item = {"id": "0", "status": 429, "headers": {"Retry-After": "11"}, "body": {}}
    fault = {"path": "/\\$batch", "status": 200, "body": json.dumps({"responses": [item]})}
    microsoft.control("POST", "faults", json=fault)
    with pytest.raises(RateLimited) as caught:
        open_calendar(ines).find(["AAMk1"])
    assert caught.value.retry_after == 11.0


FAULTS: list[tuple[str, dict[str, Any], type[ProviderError], str]] = [
    ("502 page of a proxy", {"status": 502, "body": "<html>Bad gateway</html>"}, Unavailable, "NET-1"),
    ("503", {"status": 503, "body": "{}"}, Unavailable, "NET-1"),
    ("503 with a time", {"status": 503, "headers": {"Retry-After": "7"}, "body": "{}"}, RateLimited, "RATE"),
    ("429", {"status": 429, "headers": {"Retry-After": "2.128"}, "body": "{}"}, RateLimited, "RATE"),
    ("HTML with 200", {"status": 200, "body": "<html>Sign in to the hotel network</html>"}, Unavailable, "NET-1"),
    ("JSON cut within", {"status": 200, "body": '{"value": [{"id": "A'}, Unavailable, "NET-1"),
    ("connection cut", {"status": None, "cut": 200}, Unavailable, "NET-1"),
    ("a list", {"status": 200, "body": "[]"}, UnexpectedAnswer, "ANSWER"),
    ("no value", {"status": 200, "body": "{}"}, UnexpectedAnswer, "ANSWER"),
    ("401 of a proxy", {"status": 401, "body": "<html>", "times": None}, ReconnectNeeded, "GRAPH-401"),
    ("403", {"status": 403, "body": '{"error": {"code": "accessDenied"}}'}, PermissionMissing, "GRAPH-403"),
    ("403, with .Shared permissions alone", {"status": 403, "body": '{"error": {"code": "ErrorAccessDenied"}}'},
     PermissionMissing, "SHARED-ONLY"),
    ("no mailbox", {"status": 404, "body": '{"error": {"code": "MailboxNotEnabledForRESTAPI"}}'}, WrongDoor, "DOOR-1"),
    ("410", {"status": 410, "body": '{"error": {"code": "SyncStateNotFound"}}'}, CursorExpired, "CURSOR"),
    ("400", {"status": 400, "body": '{"error": {"code": "BadRequest"}}'}, UnexpectedAnswer, "GRAPH-400"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "error", "code"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_failing_answer_becomes_the_error_that_says_what_to_do(
    microsoft: Sandbox, ines: CalendarConnection, fault: dict[str, Any], error: type[ProviderError], code: str
) -> None:
    microsoft.control("POST", "faults", json={"path": "/calendarView", **fault})
    with pytest.raises(error) as caught:
        open_calendar(ines).events(WINDOW)
    assert (type(caught.value), caught.value.code) == (error, code)


def test_a_refused_connection_is_unavailable(ines: CalendarConnection, settings: Settings) -> None:
    settings.MICROSOFT_GRAPH_URL = "https://localhost:1"
    with pytest.raises(Unavailable):
        open_calendar(ines).events(WINDOW)


def test_the_time_to_wait_is_taken_from_the_answer(microsoft: Sandbox, ines: CalendarConnection) -> None:
    microsoft.control(
        "POST", "faults", json={"path": "/calendarView", "status": 429, "headers": {"Retry-After": "2.128"}, "body": ""}
    )
    with pytest.raises(RateLimited) as caught:
        open_calendar(ines).events(WINDOW)
    assert caught.value.retry_after == 2.128


def test_a_token_withdrawn_early_is_renewed_once_and_the_read_goes_on(
    microsoft: Sandbox, ines: CalendarConnection
) -> None:
    fault = {"path": "/calendarView", "status": 401, "body": '{"error": {"code": "InvalidAuthenticationToken"}}'}
    microsoft.control("POST", "faults", json=fault)
    assert len(open_calendar(ines).events(WINDOW)) > 0


def test_a_token_refused_twice_means_reconnect(microsoft: Sandbox, ines: CalendarConnection) -> None:
    fault = {"path": "/calendarView", "status": 401, "body": '{"error": {"code": "InvalidAuthenticationToken"}}'}
    microsoft.control("POST", "faults", json=fault | {"times": None})
    microsoft.control("DELETE", "log")
    with pytest.raises(ReconnectNeeded):
        open_calendar(ines).events(WINDOW)
    assert len(graph_requests(microsoft)) == 2


def test_a_claims_challenge_is_answered_with_a_new_token_once_and_then_goes_to_the_person(
    microsoft: Sandbox, ines: CalendarConnection
) -> None:
    claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
    challenge = base64.b64encode(claims.encode()).decode()
    fault = {
        "path": "/calendarView",
        "status": 401,
        "headers": {"WWW-Authenticate": f'Bearer error="insufficient_claims", claims="{challenge}"'},
        "body": "{}",
        "times": None,
    }
    microsoft.control("POST", "faults", json=fault)
    microsoft.control("DELETE", "log")
    with pytest.raises(ReconnectNeeded) as caught:
        open_calendar(ines).events(WINDOW)
    assert caught.value.claims == claims
    assert len(graph_requests(microsoft)) == 2


def test_a_next_page_at_another_host_is_not_followed(microsoft: Sandbox, ines: CalendarConnection) -> None:
    page = {"value": [], "@odata.nextLink": "https://graph.evil.example/v1.0/me/calendarView"}
    microsoft.control("POST", "faults", json={"path": "/calendarView", "status": 200, "body": json.dumps(page)})
    with pytest.raises(UnexpectedAnswer) as caught:
        open_calendar(ines).events(WINDOW)
    assert caught.value.code == "LINK"


def test_paging_that_brings_nothing_new_ends(microsoft: Sandbox, ines: CalendarConnection) -> None:
    item = {
        "id": "AAMk1",
        "start": {"dateTime": "2026-11-23T09:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-11-23T10:00:00.0000000", "timeZone": "UTC"},
    }
    page = {"value": [item], "@odata.nextLink": f"{microsoft.graph_url}/v1.0/me/calendarView?$skip=1"}
    fault = {"path": "/calendarView", "status": 200, "body": json.dumps(page), "times": None}
    microsoft.control("POST", "faults", json=fault)
    microsoft.control("DELETE", "log")
    with pytest.raises(UnexpectedAnswer) as caught:
        open_calendar(ines).events(WINDOW)
    assert caught.value.code == "PAGES"
    assert len(graph_requests(microsoft)) == 2


def test_an_empty_page_with_a_next_page_is_followed(microsoft: Sandbox, ines: CalendarConnection) -> None:
    link = (
        f"{microsoft.graph_url}/v1.0/me/calendarView?startDateTime=2026-11-01T00:00:00Z"
        "&endDateTime=2026-12-01T00:00:00Z&$top=1000"
    )
    page = {"value": [], "@odata.nextLink": link}
    microsoft.control("POST", "faults", json={"path": "/calendarView", "status": 200, "body": json.dumps(page)})
    listing = open_calendar(ines).events(WINDOW)
    assert len(listing) > 0
    assert listing.pages == 2


# -- one item of a listing: mended or left out ------------------------------------------------------------------------

ITEM: dict[str, Any] = {
    "id": "AAMkAGU3Sally0001",
    "changeKey": "q7Jx0dPpVEu3",
    "iCalUId": "040000008200E00074C5B7101A82E008",
    "type": "singleInstance",
    "subject": "Harbour project weekly",
    "sensitivity": "normal",
    "isAllDay": False,
    "isCancelled": False,
    "isOrganizer": False,
    "showAs": "busy",
    "responseStatus": {"response": "tentativelyAccepted", "time": "2026-09-03T05:12:40.1Z"},
    "start": {"dateTime": "2026-11-24T09:30:00.0000000", "timeZone": "UTC"},
    "end": {"dateTime": "2026-11-24T10:15:00.0000000", "timeZone": "UTC"},
    "location": {"displayName": "Pier room 2"},
    "organizer": {"emailAddress": {"name": "Tomas Ruy", "address": "tomas@quay.example"}},
    "attendees": [
        {
            "type": "required",
            "status": {"response": "accepted"},
            "emailAddress": {"name": "Ines Falk", "address": "ines@quay.example"},
        },
        {"type": "resource", "status": {}, "emailAddress": {"name": "Pier room 2", "address": "pier2@quay.example"}},
    ],
    "hideAttendees": False,
    "onlineMeeting": {"joinUrl": "https://teams.example/l/meetup-join/1"},
}


def read(**changes: Any) -> Any:
    return provider._event(ITEM | changes)


def test_an_item_is_read_field_by_field() -> None:
    found = read()
    assert found.subject == "Harbour project weekly"
    assert found.start == datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    assert found.end == datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
    assert (found.response, found.show_as) == (Response.TENTATIVE, ShowAs.BUSY)
    assert found.location == "Pier room 2"
    assert found.online_url == "https://teams.example/l/meetup-join/1"
    assert [(one.name, one.address, one.kind, one.response) for one in found.attendees] == [
        ("Ines Falk", "ines@quay.example", "required", Response.ACCEPTED),
        ("Pier room 2", "pier2@quay.example", "resource", Response.NONE),
    ]


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"subject": "a\x00b"}, "subject", "ab"),
        ({"subject": "lone \ud83d surrogate"}, "subject", "lone  surrogate"),
        ({"subject": None}, "subject", ""),
        ({"subject": 7}, "subject", ""),
        ({"subject": "x" * 9000}, "subject", "x" * 500),
        ({"location": None}, "location", ""),
        ({"location": {"displayName": "y" * 9000}}, "location", "y" * 1000),
        ({"attendees": None}, "attendees", ()),
        ({"attendees": ["nobody", 3]}, "attendees", ()),
        ({"onlineMeeting": None}, "online_url", ""),
        ({"onlineMeeting": None, "onlineMeetingUrl": "https://old.example/1"}, "online_url", "https://old.example/1"),
        ({"responseStatus": None}, "response", Response.NONE),
        ({"responseStatus": {"response": "somethingNew"}}, "response", Response.NONE),
        ({"showAs": "somethingNew"}, "show_as", ShowAs.UNKNOWN),
        ({"sensitivity": "private"}, "private", True),
        ({"sensitivity": "personal"}, "private", True),
        ({"sensitivity": "confidential"}, "private", False),
        ({"sensitivity": "confidential"}, "confidential", True),
        ({"isCancelled": True}, "cancelled", True),
        # The day of an occurrence is no part of what its series is known by.
        ({"iCalUId": "040000008200E00074C5B7101A82E00807D803195025D461E473C801"}, "ical_uid",
         "040000008200E00074C5B7101A82E008000000005025D461E473C801"),
        ({"iCalUId": "040000008200e00074c5b7101a82e00800000000aa"}, "ical_uid",
         "040000008200e00074c5b7101a82e00800000000aa"),
        ({"iCalUId": "07D80319@quay.example"}, "ical_uid", "07D80319@quay.example"),
        ({}, "attendees_hidden", False),
        ({"hideAttendees": True}, "attendees_hidden", True),
        ({"hideAttendees": True, "isOrganizer": True}, "attendees_hidden", False),
        ({"hideAttendees": "true"}, "attendees_hidden", False),
        ({"hideAttendees": None}, "attendees_hidden", False),
        # A zone that nobody knows is UTC, as was asked for; one that is known is converted.
        ({"start": {"dateTime": "2026-11-24T09:30:00", "timeZone": "tzone://Microsoft/Custom"}}, "start",
         datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ({"start": {"dateTime": "2026-11-24T09:30:00", "timeZone": "W. Europe Standard Time"}}, "start",
         datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ({"start": {"dateTime": "2026-11-24T09:30:00", "timeZone": "Asia/Kathmandu"}}, "start",
         datetime(2026, 11, 24, 3, 45, tzinfo=UTC)),
        ({"start": {"dateTime": "2026-11-24T09:30:00"}}, "start", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ({"start": {"dateTime": "2026-11-24T10:30:00+01:00"}}, "start", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        # An end before the start: the event is kept, with no length.
        ({"end": {"dateTime": "2026-11-24T08:00:00"}}, "end", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_what_is_odd_about_an_item_is_mended(changes: dict[str, Any], field: str, value: object) -> None:
    assert getattr(read(**changes), field) == value


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": ""},
        {"id": 5},
        {"id": "x" * 600},
        {"start": None},
        {"start": {}},
        {"start": {"dateTime": "soon"}},
        {"end": {"dateTime": "0001-01-01T00:00:00.0000000", "timeZone": "UTC"}},
        {"start": "2026-11-24T09:30:00"},
        {"isAllDay": True, "start": {"dateTime": ""}},
    ],
)
def test_an_item_without_an_id_or_usable_times_is_left_out(changes: dict[str, Any]) -> None:
    assert read(**changes) is None


def test_an_all_day_item_is_dates_whatever_its_zone() -> None:
    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles", "W. Europe Standard Time"):
        found = read(
            isAllDay=True,
            start={"dateTime": "2026-12-24T00:00:00.0000000", "timeZone": zone},
            end={"dateTime": "2026-12-27T00:00:00.0000000", "timeZone": zone},
        )
        assert (found.start_date, found.end_date) == (date(2026, 12, 24), date(2026, 12, 27))


def test_an_all_day_item_that_ends_as_it_begins_lasts_a_day() -> None:
    moment = {"dateTime": "2026-12-24T00:00:00.0000000", "timeZone": "UTC"}
    found = read(isAllDay=True, start=moment, end=moment)
    assert (found.start_date, found.end_date) == (date(2026, 12, 24), date(2026, 12, 25))


def test_hidden_attendees_are_asked_for_and_told(microsoft: Sandbox, ines: CalendarConnection) -> None:
    hidden = CALENDAR.replace("SUMMARY:Single\n", "SUMMARY:Single\nX-MICROSOFT-HIDEATTENDEES:TRUE\n")
    microsoft.control("PUT", f"mailboxes/{INES}", text=hidden)
    found = {one.subject: one.attendees_hidden for one in open_calendar(ines).events(WINDOW)}
    assert (found["Single"], found["Series"]) == (True, False)


def test_the_version_changes_with_the_change_key_and_with_any_listed_field() -> None:
    versions = {
        read().version,
        read(changeKey="another").version,
        read(subject="Another").version,
        read(location={"displayName": "Elsewhere"}).version,
        read(responseStatus={"response": "accepted"}).version,
        read(onlineMeeting={"joinUrl": "https://teams.example/l/meetup-join/2"}).version,
        read(hideAttendees=True).version,
    }
    assert len(versions) == 7
    assert read().version == read().version


def test_unreadable_items_are_counted_and_the_others_kept(microsoft: Sandbox, ines: CalendarConnection) -> None:
    body = json.dumps({"value": [ITEM, ITEM | {"id": None}, {"id": "only-an-id"}, "nonsense", None]})
    microsoft.control("POST", "faults", json={"path": "/calendarView", "status": 200, "body": body})
    listing = open_calendar(ines).events(WINDOW)
    assert [one.subject for one in listing] == ["Harbour project weekly"]
    assert listing.unreadable == 4


def test_the_same_id_twice_is_one_event_as_last_seen(microsoft: Sandbox, ines: CalendarConnection) -> None:
    body = json.dumps({"value": [ITEM, ITEM | {"subject": "Newer"}]})
    microsoft.control("POST", "faults", json={"path": "/calendarView", "status": 200, "body": body})
    assert [one.subject for one in open_calendar(ines).events(WINDOW)] == ["Newer"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(ITEM)), _json))
def test_no_item_whatever_its_shape_breaks_the_reading(changes: dict[str, Any]) -> None:
    found = read(**changes)
    if found is not None:
        assert found.start <= found.end
        for text in (found.subject, found.location, found.organizer.name):
            text.encode()
            assert "\x00" not in text


def test_an_event_that_nests_for_ever_is_an_answer_that_cannot_be_read() -> None:
    subject: list[object] = []
    for _ in range(3000):
        subject = [subject]
    with pytest.raises(UnexpectedAnswer):
        provider._version({"id": "a", "subject": subject})


@pytest.mark.parametrize("name", ["changeKey", "subject", "start", "attendees", "sensitivity", "onlineMeeting"])
def test_whatever_changes_in_a_listing_changes_the_version(name: str) -> None:
    before = {"id": "a", name: {"x": ["y", 1, None, True]}, "@odata.etag": "1", "body": "1"}
    assert provider._version(before) != provider._version(before | {name: {"x": ["y", 1, None, False]}})
    assert provider._version(before) == provider._version(before | {"@odata.etag": "2", "body": "2"})
