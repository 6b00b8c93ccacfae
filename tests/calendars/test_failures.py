"""Failures injected through the sandbox, one by one: each ends as its row says, and no meeting is lost by any.

The rows are written out from Microsoft's documentation of its errors, not from the product's table.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation

from calendars import sync
from calendars.models import Meeting
from integrations import problems
from integrations.errors import SignInCancelled
from integrations.http import Session
from integrations.models import CalendarConnection
from tests.conftest import connect
from tests.sandbox_process import Sandbox

CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
IN_HEADER = "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiYzEifX19"  # the same, in base64
MINUTE, QUARTER, HOUR = 60, 15 * 60, 60 * 60


def refused(error: str, number: int = 0, suberror: str = "", claims: str = "", status: int = 400) -> dict[str, Any]:
    """The token endpoint's refusal, worded as Entra does."""
    body = {"error": error, "error_codes": [number]}
    if number:
        body["error_description"] = f"AADSTS{number}: Words that may change. Trace ID: 1 Correlation ID: 2"
    body |= {"suberror": suberror} if suberror else {}
    body |= {"claims": claims} if claims else {}
    return {"path": "/token", "status": status, "body": json.dumps(body)}


def graph(status: int | None, code: str = "", headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    body = json.dumps({"error": {"code": code}}) if code else ""
    return {"path": "/calendarView", "status": status, "body": body, "headers": headers or {}, **more}


@dataclass(frozen=True)
class Row:
    """``next_try``: seconds from now on, give or take a fifth; None for never."""

    name: str
    fault: dict[str, Any]
    kind: str
    status: str
    code: str
    next_try: float | None


def attention(name: str, fault: dict[str, Any], code: str, kind: str = "ReconnectNeeded") -> Row:
    return Row(name, fault, kind, "needs_attention", code, None)


def operator(name: str, fault: dict[str, Any], code: str) -> Row:
    return Row(name, fault, "OperatorProblem", "connected", code, QUARTER)


def passing(name: str, fault: dict[str, Any], kind: str, code: str, next_try: float = MINUTE) -> Row:
    return Row(name, fault, kind, "connected", code, next_try)


ROWS = [
    # The person signs in again.
    attention("grant revoked", refused("invalid_grant", 50173, "bad_token"), "AADSTS50173"),
    attention("refresh token expired", refused("invalid_grant", 700082, "token_expired"), "AADSTS700082"),
    attention("refresh token unused", refused("invalid_grant", 70008, "bad_token"), "AADSTS70008"),
    attention("grant of no kind", refused("invalid_grant", 70000), "AADSTS70000"),
    attention("sessions revoked", refused("invalid_grant", 50132), "AADSTS50132"),
    attention("session expired by a new password", refused("invalid_grant", 50133), "AADSTS50133"),
    attention("refresh token of a single page", refused("invalid_grant", 700084), "AADSTS700084"),
    attention("sign-in frequency, once more", refused("invalid_grant", 70044), "AADSTS70044"),
    attention("sign-in frequency", refused("invalid_grant", 70043, "bad_token"), "AADSTS70043"),
    attention("second factor", refused("invalid_grant", 50076, "basic_action", CLAIMS), "AADSTS50076"),
    attention("second factor to register", refused("invalid_grant", 50079, "basic_action"), "AADSTS50079"),
    attention("strong sign-in", refused("interaction_required", 50074, "basic_action"), "AADSTS50074"),
    attention("second factor enrolled", refused("invalid_grant", 50072, "basic_action"), "AADSTS50072"),
    attention("second factor expired", refused("interaction_required", 50078), "AADSTS50078"),
    attention("external challenge", refused("interaction_required", 50158, "basic_action"), "AADSTS50158"),
    attention("claims of an unknown number", refused("interaction_required", 123456, claims=CLAIMS), "MFA"),
    attention("a number of tomorrow", refused("invalid_grant", 987654), "AADSTS987654"),
    attention("no number at all", refused("invalid_grant"), "INVALID_GRANT"),
    # The organization's admin has to do something.
    attention("no consent", refused("invalid_grant", 65001, "consent_required"), "AADSTS65001", "ApprovalNeeded"),
    attention("consent, no number", refused("invalid_grant", 0, "consent_required"), "APPROVAL", "ApprovalNeeded"),
    attention("consent, other numbers", refused("invalid_grant", 90008), "AADSTS90008", "ApprovalNeeded"),
    attention("consent, once more", refused("invalid_grant", 90093), "AADSTS90093", "ApprovalNeeded"),
    attention("registration", refused("invalid_grant", 650056), "AADSTS650056", "ApprovalNeeded"),
    attention("consent, tenant-wide", refused("invalid_grant", 900941), "AADSTS900941", "ApprovalNeeded"),
    attention("consent asked for", refused("invalid_grant", 90095), "AADSTS90095", "ApprovalNeeded"),
    attention("admin's consent", refused("interaction_required", 90094), "AADSTS90094", "ApprovalNeeded"),
    attention("blocked", refused("invalid_grant", 53003, "message_only"), "AADSTS53003"),
    attention("device not compliant", refused("interaction_required", 53000), "AADSTS53000"),
    attention("device not managed", refused("interaction_required", 53001), "AADSTS53001"),
    attention("app not approved", refused("interaction_required", 53002), "AADSTS53002"),
    attention("risky", refused("interaction_required", 50131), "AADSTS50131"),
    attention("device unknown", refused("interaction_required", 50097), "AADSTS50097"),
    attention("security policy", refused("invalid_grant", 530032), "AADSTS530032"),
    attention("blocked, unknown number", refused("invalid_grant", 531111, "message_only"), "BLOCKED"),
    attention("not assigned", refused("invalid_grant", 50105), "AADSTS50105"),
    attention("account disabled", refused("invalid_grant", 50057), "AADSTS50057"),
    attention("account gone", refused("invalid_grant", 50034), "AADSTS50034"),
    attention("account deleted", refused("invalid_grant", 51004), "AADSTS51004"),
    # Another door.
    attention("wrong kind of account", refused("invalid_grant", 50020), "AADSTS50020", "WrongDoor"),
    attention("personal account, by domain", refused("invalid_grant", 500208), "AADSTS500208", "WrongDoor"),
    attention("personal account, not here", refused("invalid_request", 500200), "AADSTS500200", "WrongDoor"),
    attention("mailbox on-premises", graph(404, "MailboxNotEnabledForRESTAPI"), "DOOR-1", "WrongDoor"),
    # Sally's operator has to act.
    operator("wrong secret", refused("invalid_client", 7000215, status=401), "AADSTS7000215"),
    operator("expired secret", refused("invalid_client", 7000222, status=401), "AADSTS7000222"),
    operator("client not accepted", refused("invalid_client", 70002, status=401), "AADSTS70002"),
    operator("certificate not registered", refused("invalid_client", 700027, status=401), "AADSTS700027"),
    operator("no secret", refused("invalid_client", 7000218, status=401), "AADSTS7000218"),
    operator("address not registered", refused("invalid_request", 50011), "AADSTS50011"),
    operator("address not that of before", refused("invalid_client", 500112), "AADSTS500112"),
    operator("app removed", refused("unauthorized_client", 700016), "AADSTS700016"),
    operator("resource not in the tenant", refused("invalid_resource", 500011), "AADSTS500011"),
    operator("no subscription", refused("invalid_client", 650052), "AADSTS650052"),
    operator("tenant not found", refused("invalid_request", 90002), "AADSTS90002"),
    operator("not for personal accounts", refused("invalid_request", 9002332), "AADSTS9002332"),
    operator("not at the common door", refused("invalid_request", 90130), "AADSTS90130"),
    operator("only for personal accounts", refused("invalid_request", 9002331), "AADSTS9002331"),
    operator("only for personal accounts, once more", refused("invalid_request", 9002346), "AADSTS9002346"),
    operator("scope not on the resource", refused("invalid_client", 650053), "AADSTS650053"),
    # It passes.
    passing("transient", refused("temporarily_unavailable", 90033, status=503), "Unavailable", "NET-1"),
    passing("busy, said with 400", refused("temporarily_unavailable", 90006), "Unavailable", "AADSTS90006"),
    passing("a client loop", refused("invalid_grant", 50196), "Unavailable", "AADSTS50196"),
    passing("throttled sign-in", {"path": "/token", "status": 429, "body": "{}", "headers": {"Retry-After": "600"}},
            "RateLimited", "RATE", 600),
    passing("hotel page for a token", {"path": "/token", "status": 200, "body": "<html>"}, "Unavailable", "NET-1"),
    passing("an error of tomorrow", refused("something_new"), "UnexpectedAnswer", "SOMETHING_NEW"),
    # Graph.
    attention("token refused", graph(401, "InvalidAuthenticationToken", times=None), "GRAPH-401"),
    attention("claims challenge", graph(401, "x", {"WWW-Authenticate": f'Bearer claims="{IN_HEADER}"'}, times=None),
              "MFA"),
    attention("no permission", graph(403, "accessDenied"), "GRAPH-403", "PermissionMissing"),
    attention("only shared calendars", graph(403, "ErrorAccessDenied"), "SHARED-ONLY", "PermissionMissing"),
    passing("throttled", graph(429, headers={"Retry-After": "300"}), "RateLimited", "RATE", 300),
    passing("down for an hour", graph(503, headers={"Retry-After": "3600"}), "RateLimited", "RATE", HOUR),
    passing("bad gateway", graph(502), "Unavailable", "NET-1"),
    passing("cut off", {"path": "/calendarView", "status": None, "cut": 100}, "Unavailable", "NET-1"),
    passing("a list", {"path": "/calendarView", "status": 200, "body": "[]"}, "UnexpectedAnswer", "ANSWER"),
    passing("another 4xx", graph(418, "Teapot"), "UnexpectedAnswer", "GRAPH-418"),
    passing("cursor expired", graph(410, "SyncStateNotFound"), "CursorExpired", "CURSOR", 0),
]  # fmt: skip


def sync_now(connection: CalendarConnection, now: datetime | None = None) -> None:
    """A sync, due or not; ``now`` moves only the question whether it may be claimed."""
    now = now or timezone.now()
    claimed, token = CalendarConnection.objects.filter(pk=connection.pk).idle(now).claim(now, limit=1)
    assert claimed
    sync.run(connection.pk, token)
    connection.refresh_from_db()


@pytest.fixture
def connection(as_alice: Client, microsoft: Sandbox) -> CalendarConnection:
    """Synced; its access token is so short-lived that every sync asks for a new one."""
    microsoft.control("POST", "settings", json={"access_token_seconds": 60})
    made = connect(as_alice, microsoft)
    sync_now(made)
    assert made.status == "connected"
    return made


def test_there_are_enough_of_them() -> None:
    assert len(ROWS) >= 30
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_every_number_of_the_products_table_is_among_them() -> None:
    # Declining is done at Microsoft's page: tests/integrations/test_doors.py.
    known = {number for row in problems.ROWS for number in row.numbers if row.kind is not SignInCancelled}
    tried = {int(number) for row in ROWS for number in re.findall(r"AADSTS(\d+)", row.fault.get("body", ""))}
    assert known <= tried


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_failure_ends_as_its_row_says_and_loses_no_meeting(
    as_alice: Client, connection: CalendarConnection, microsoft: Sandbox, row: Row
) -> None:
    meetings = list(Meeting.objects.order_by("pk").values())
    assert meetings
    microsoft.control("POST", "faults", json=row.fault)
    before = timezone.now()
    sync_now(connection)
    kind = connection.last_error_kind
    assert (kind, connection.status, connection.last_error) == (row.kind, row.status, row.code)
    if row.next_try is None:
        assert connection.next_sync_at is None
    else:
        assert connection.next_sync_at
        pause = (connection.next_sync_at - before).total_seconds()
        assert row.next_try * 0.8 <= pause <= row.next_try * 1.2 + 5
    assert list(Meeting.objects.order_by("pk").values()) == meetings
    assert b'class="meeting-subject"' in as_alice.get("/meetings/").content

    # And it is no dead end: with the cause gone, the same connection works again, by itself or by a new sign-in.
    microsoft.control("DELETE", "faults")
    if row.status == "needs_attention":
        assert connect(as_alice, microsoft).pk == connection.pk
        connection.refresh_from_db()
    assert connection.next_sync_at
    sync_now(connection, max(connection.next_sync_at, timezone.now()))
    assert (connection.status, connection.last_error, connection.problem) == ("connected", "", None)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("row", [row for row in ROWS if row.kind != "CursorExpired"], ids=lambda row: row.name)
def test_every_row_has_words_a_next_step_and_its_code(row: Row, language: str) -> None:
    connection = CalendarConnection(
        provider="microsoft-work", status=row.status, last_error=row.code, last_error_kind=row.kind, failures=3
    )
    with translation.override(language):
        problem = connection.problem
        assert problem
        assert problem.code == row.code
        text = str(problem.text)
    steps = {
        "en": ("again", "administrator", "admin", "wait", "looking into it", "tile"),
        "de": (
            "erneut",
            "wieder",
            "Administrator",
            "Admin",
            "warten",
            "Wir gehen dem nach",
            "Kachel",
            "versucht es weiter",
        ),
    }
    assert any(step in text for step in steps[language]), text


@pytest.mark.parametrize("row", [row for row in ROWS if row.status == "needs_attention"], ids=lambda row: row.name)
def test_what_the_person_can_mend_has_one_button_and_what_they_cannot_has_none(row: Row) -> None:
    connection = CalendarConnection(status=row.status, last_error=row.code, last_error_kind=row.kind)
    assert connection.problem
    assert connection.problem.reconnect == (row.code in ("DOOR-1",) or row.kind != "WrongDoor")
    assert bool(connection.problem.tile) == (row.kind == "WrongDoor")


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind == "OperatorProblem"], ids=lambda row: row.name)
def test_nobody_is_asked_to_reconnect_for_what_only_the_operator_can_mend(row: Row) -> None:
    connection = CalendarConnection(status=row.status, last_error=row.code, last_error_kind=row.kind, failures=1)
    assert connection.problem
    assert not connection.problem.reconnect
    assert "Sally's administrator has to act" in str(connection.problem.text)


def test_what_no_row_knows_is_logged_as_an_error(
    connection: CalendarConnection, microsoft: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    microsoft.control("POST", "faults", json=refused("something_new"))
    sync_now(connection)
    (record,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert "something_new" in record.getMessage()


def test_what_is_to_be_proved_is_kept_for_the_next_sign_in(connection: CalendarConnection, microsoft: Sandbox) -> None:
    microsoft.control("POST", "faults", json=refused("invalid_grant", 50076, "basic_action", CLAIMS))
    sync_now(connection)
    assert json.loads(connection.claims) == json.loads(CLAIMS)
    connection.restart()
    assert connection.claims == ""


def test_a_claims_challenge_of_graphs_is_tried_without_the_person_first(
    connection: CalendarConnection, microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    request = Session.request

    def listen(session: Session, method: str, url: str, **kwargs: Any) -> Any:
        if url.endswith("/token"):
            asked.append(kwargs["data"].get("claims"))
        return request(session, method, url, **kwargs)

    monkeypatch.setattr(Session, "request", listen)
    microsoft.control("POST", "faults", json=graph(401, "x", {"WWW-Authenticate": f'Bearer claims="{IN_HEADER}"'}))
    sync_now(connection)
    assert (connection.status, connection.claims) == ("connected", "")
    assert [json.loads(one) if one else None for one in asked] == [None, json.loads(CLAIMS)]


@pytest.mark.parametrize("challenge", ["!!!", "bm8ganNvbg==", "W10=", "x" * 7000, "eyJhIjo="])
def test_a_challenge_that_makes_no_sense_is_not_passed_on(
    connection: CalendarConnection, microsoft: Sandbox, challenge: str
) -> None:
    header = {"WWW-Authenticate": f'Bearer claims="{challenge}"'}
    microsoft.control("POST", "faults", json=graph(401, "x", header, times=None))
    sync_now(connection)
    assert (connection.last_error, connection.claims) == ("GRAPH-401", "")


def test_the_pause_grows_while_it_fails_and_is_forgotten_when_it_works(
    connection: CalendarConnection, microsoft: Sandbox
) -> None:
    pauses = []
    for _ in range(4):
        microsoft.control("POST", "faults", json=graph(502))
        now = timezone.now()
        sync_now(connection)
        assert connection.next_sync_at
        pauses.append((connection.next_sync_at - now) / timedelta(minutes=1))
    assert [round(pause / wanted) for pause, wanted in zip(pauses, (1, 2, 4, 8), strict=True)] == [1, 1, 1, 1]
    sync_now(connection)
    assert connection.failures == 0
