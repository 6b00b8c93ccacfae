"""What kind of thing a request asks for, and that whatever would write is not sent at all."""

from __future__ import annotations

import json

import pytest

from integrations.endpoints import Endpoint, as_answered, kind_of, only_reads
from integrations.http import Session, WouldWrite
from integrations.outbound import PinnedSession
from integrations.trail import Trail
from tests.sandbox_process import Sandbox

GRAPH = "https://graph.example/v1.0"
EWS = "https://mail.quay.example/EWS/Exchange.asmx"


def envelope(operation: str) -> bytes:
    head = '<?xml version="1.0"?><s:Envelope xmlns:s="x"><s:Header><t:RequestServerVersion/></s:Header>'
    return f'{head}<s:Body xmlns:m="y">\n<m:{operation} a="b"/></s:Body></s:Envelope>'.encode()


def batch(*methods: str) -> bytes:
    return json.dumps({"requests": [{"id": "1", "method": one, "url": "/me/events/1"} for one in methods]}).encode()


@pytest.mark.parametrize(
    ("url", "body", "kind"),
    [
        ("https://login.example/organizations/v2.0/.well-known/openid-configuration", None, "discovery"),
        ("https://login.example/consumers/oauth2/v2.0/token", b"code=x", "token"),
        (f"{GRAPH}/me/calendarView?$top=1000", None, "calendarView"),
        (f"{GRAPH}/me/events/AAMk%2F1%3D?$select=id", None, "events/{id}"),
        (f"{GRAPH}/$batch", batch("GET", "GET"), "$batch"),
        (EWS, envelope("GetFolder"), "EWS GetFolder"),
        (EWS, envelope("FindItem"), "EWS FindItem"),
        (EWS, envelope("GetItem"), "EWS GetItem"),
        (EWS, envelope("SyncFolderItems"), "EWS SyncFolderItems"),
        (EWS, envelope("ConvertId"), "EWS ConvertId"),
        (EWS, envelope("ResolveNames"), "EWS ResolveNames"),
        (EWS.lower(), envelope("GetItem").decode(), "EWS GetItem"),
        (f"{GRAPH}/me", None, "other"),
        (f"{GRAPH}/me/messages", None, "other"),
        (f"{GRAPH}/me/events/1/accept", None, "other"),
        (f"{GRAPH}/$batch", batch("GET", "DELETE"), "other"),
        (f"{GRAPH}/$batch", b"no json", "other"),
        (EWS, envelope("CreateItem"), "other"),
        (EWS, envelope("GetItemOfTomorrow"), "other"),
        (EWS, b"GetItem", "other"),
        (EWS, None, "other"),
    ],
)
def test_the_kind_of_a_request(url: str, body: bytes | str | None, kind: str) -> None:
    assert kind_of(url, body).value == kind


def test_only_sign_ins_batches_and_known_operations_are_posted() -> None:
    posted = {one.value for one in Endpoint if only_reads("POST", one)}
    assert posted == {
        "token", "$batch", "EWS GetFolder", "EWS FindItem", "EWS GetItem", "EWS SyncFolderItems", "EWS ConvertId",
        "EWS ResolveNames",
    }  # fmt: skip


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "get", ""])
def test_no_other_method_reads(method: str) -> None:
    assert not any(only_reads(method, one) for one in Endpoint)


NTLM_1, NTLM_3 = "NTLM TlRMTVNTUAABAAAAB4IIogAAAAA=", "NTLM TlRMTVNTUAADAAAAGAAYAHwA"


@pytest.mark.parametrize(
    ("status", "authorization", "is_handshake"),
    [
        (401, "", True),
        (401, NTLM_1, True),
        (401, NTLM_3, False),
        (401, "Basic aW5lczpw", False),
        (200, "", False),
        (503, "", False),
    ],
)
def test_a_server_that_only_says_how_to_sign_in_has_read_nothing(
    status: int, authorization: str, is_handshake: bool
) -> None:
    found = as_answered(Endpoint.FIND_ITEM, status, authorization)
    assert found is (Endpoint.HANDSHAKE if is_handshake else Endpoint.FIND_ITEM)


def test_graph_knows_no_handshake() -> None:
    assert as_answered(Endpoint.CALENDAR_VIEW, 401, "") is Endpoint.CALENDAR_VIEW


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1.0/me/events", b"{}"),
        ("PATCH", "/v1.0/me/events/1", b"{}"),
        ("DELETE", "/v1.0/me/events/1", None),
        ("POST", "/v1.0/me/events/1/accept", b"{}"),
        ("POST", "/v1.0/$batch", batch("GET", "PATCH")),
        ("POST", "/EWS/Exchange.asmx", envelope("DeleteItem")),
    ],
)
@pytest.mark.parametrize("kind", [Session, PinnedSession])
def test_what_would_write_is_not_sent(
    microsoft: Sandbox, kind: type[Session], method: str, path: str, body: bytes | None
) -> None:
    trail = Trail()
    with kind(trail) as session, pytest.raises(WouldWrite):
        session.request(method, f"{microsoft.graph_url}{path}", data=body)
    assert microsoft.log() == []
    assert trail.asked == []


def test_each_kind_has_words_of_its_own_for_people() -> None:
    assert all(str(one.label) not in ("", one.value) for one in Endpoint)


class TestTheTrail:
    def test_has_each_request_with_its_status(self, microsoft: Sandbox) -> None:
        trail = Trail()
        with Session(trail) as session:
            session.get(f"{microsoft.graph_url}/v1.0/me/calendarView")
            session.get(f"{microsoft.login_url}/organizations/v2.0/.well-known/openid-configuration")
        found = [(one.method, one.endpoint, one.status, one.items) for one in trail.asked]
        assert found == [("GET", "calendarView", 401, None), ("GET", "discovery", 200, None)]

    def test_has_those_without_an_answer_too(self, microsoft: Sandbox) -> None:
        trail = Trail()
        microsoft.control("POST", "faults", json={"path": "/calendarView", "status": None, "cut": 0})
        with Session(trail) as session, pytest.raises(OSError):  # noqa: PT011 - requests' are of that kind
            session.get("https://localhost:1/v1.0/me/calendarView")
        assert [(one.endpoint, one.status) for one in trail.asked] == [("calendarView", 0)]

    def test_items_belong_to_the_last(self) -> None:
        trail = Trail()
        trail.asks("GET", Endpoint.CALENDAR_VIEW)
        trail.answered(200, Endpoint.CALENDAR_VIEW)
        trail.found(7)
        trail.asks("POST", Endpoint.BATCH)
        assert [one.items for one in trail.asked] == [7, None]

    def test_nothing_was_asked_and_so_nothing_found(self) -> None:
        trail = Trail()
        trail.found(3)
        assert trail.asked == []
