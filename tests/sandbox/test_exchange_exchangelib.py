"""The sandbox's Exchange as exchangelib reads it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from exchangelib import UTC as EWS_UTC
from exchangelib.errors import (
    ErrorInvalidSyncStateData,
    ErrorMailboxMoveInProgress,
    ErrorServerBusy,
    RedirectError,
    UnauthorizedError,
)
from exchangelib.ewsdatetime import EWSDate

from tests.sandbox.ews import INES, SPRING, Mailbox
from tests.sandbox.exceptions import CALENDAR
from tests.sandbox.exchange_client import ACCOUNTS, account
from tests.sandbox.real_calendar import expand, rust_teams, vevents
from tests.sandbox.test_exchange_calendar_view import EXPECTED, TYPES

BERLIN = ZoneInfo("Europe/Berlin")


def _window(start: str, end: str) -> dict[str, Any]:
    return {"start": datetime.fromisoformat(start), "end": datetime.fromisoformat(end), "max_items": 1000}


def _row(item: Any) -> tuple[str, ...]:
    if item.is_all_day:
        # exchangelib takes the last day of an all-day event for its end.
        day_after = EWSDate.fromordinal(item.end.toordinal() + 1)
        times = (item.start.isoformat(), day_after.isoformat())
    else:
        times = (f"{item.start.astimezone(EWS_UTC):%FT%H:%M}", f"{item.end.astimezone(EWS_UTC):%FT%H:%M}")
    remark = "cancelled" if item.is_cancelled else "private" if item.sensitivity == "Private" else ""
    return (*times, item.subject, item.location or "", TYPES[item.type], remark)


def _moments(item: Any) -> tuple[str, ...]:
    start, end = item.start, item.end
    if item.is_all_day:
        start = datetime(start.year, start.month, start.day, tzinfo=BERLIN)
        end = datetime(end.year, end.month, end.day, tzinfo=BERLIN) + timedelta(days=1)
    times = (f"{datetime.fromtimestamp(one.timestamp(), UTC):%FT%T}" for one in (start, end))
    return (*times, item.subject, item.location or "")


@pytest.mark.parametrize("how", ACCOUNTS)
def test_it_reads_a_window_as_worked_out_by_hand(
    exchange: Mailbox, monkeypatch: pytest.MonkeyPatch, how: tuple[str, str]
) -> None:
    exchange.put(CALENDAR.read_text())
    with account(exchange.sandbox, monkeypatch, how) as (ines, _):
        assert sorted(map(_row, ines.calendar.view(**_window(*SPRING)))) == EXPECTED


def test_it_finds_out_by_itself_how_to_log_on(exchange: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(exchange.sandbox, monkeypatch, (None, INES)) as (ines, _):
        assert list(ines.calendar.view(**_window(*SPRING)))
        assert (ines.protocol.auth_type, str(ines.version.build)) == ("NTLM", "15.2.1748.10")


def test_it_reads_what_a_folder_keeps_and_what_happened_since(
    exchange: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.put(CALENDAR.read_text())
    with account(exchange.sandbox, monkeypatch) as (ines, _):
        calendar = ines.calendar
        kept = [(kind, item.type) for kind, item in calendar.sync_items(max_changes_returned=4)]
        exchange.change(uid="berth-plan", occurrence="2027-03-15T09:00:00Z", subject="Berths")
        exchange.change(uid="regatta", deleted=True)
        then = [(kind, getattr(thing, "uid", None)) for kind, thing in calendar.sync_items()]

    assert sorted(kept) == [("create", "RecurringMaster")] * 7 + [("create", "Single")] * 8
    assert then == [("update", "berth-plan"), ("delete", None)]


@pytest.mark.needs("real_calendars")
@pytest.mark.parametrize(("start", "end"), [("2026-10-24", "2027-03-23"), ("2024-01-01", "2024-06-01")])
def test_it_reads_a_real_calendar_as_its_rules_say(
    exchange: Mailbox, monkeypatch: pytest.MonkeyPatch, start: str, end: str
) -> None:
    text = rust_teams()
    exchange.put(text)
    window = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end)]
    expected = sorted(expand(text, window[0], window[1], day_zone=BERLIN, ended_at_start=True))
    with account(exchange.sandbox, monkeypatch) as (ines, _):
        listed = list(ines.calendar.view(start=window[0], end=window[1], max_items=1000))
        kept = list(ines.calendar.sync_items(only_fields=["subject"]))

    assert sorted(map(_moments, listed)) == expected
    assert len(kept) == len(vevents(text)) == 77


def test_it_reads_all_of_an_item(exchange: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    window = _window("2026-06-01T00:00:00+00:00", "2028-05-01T00:00:00+00:00")
    with account(exchange.sandbox, monkeypatch) as (ines, _):
        items = list(
            ines.calendar.view(**window).only("subject", "body", "text_body", "required_attendees", "organizer")
        )
    (tender,) = [one for one in items if one.subject == "Tender for the north mole"]

    assert tender.text_body == "Agenda: dredging, sheet piling, open questions."
    assert tender.body.startswith("<html>")
    assert [one.response_type for one in tender.required_attendees] == ["Accept", "Tentative", "Decline"]
    assert tender.organizer.email_address == INES


def test_it_logs_on_once_for_many_requests(exchange: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange.sandbox.control("DELETE", "log")
    with account(exchange.sandbox, monkeypatch) as (ines, _):
        for _ in range(2):
            assert list(ines.calendar.view(**_window(*SPRING)))

    assert [entry["login"] for entry in exchange.sandbox.log()].count("ok") == 1


@pytest.mark.parametrize("how", ACCOUNTS[1:3])
def test_a_wrong_password_is_tried_once(
    exchange: Mailbox, monkeypatch: pytest.MonkeyPatch, how: tuple[str, str]
) -> None:
    with (
        account(exchange.sandbox, monkeypatch, how, password="wrong") as (ines, _),
        pytest.raises(UnauthorizedError),
    ):
        list(ines.calendar.view(**_window(*SPRING)))

    assert [entry["login"] for entry in exchange.sandbox.log()].count("refused") == 1


@pytest.mark.parametrize(
    ("switches", "error", "said"),
    [
        ({"exchange_answer": "ErrorMailboxMoveInProgress"}, ErrorMailboxMoveInProgress, "moved"),
        ({"exchange_answer": "busy"}, ErrorServerBusy, "Try again later"),
        ({"exchange_answer": "503"}, ErrorServerBusy, "503"),
        ({"exchange_answer": "redirect"}, RedirectError, "/owa/"),
        ({"exchange_offers": "negotiate"}, PermissionError, "did not respond with NTLM"),
        ({"exchange_offers": "basic"}, UnauthorizedError, "Invalid credentials"),
    ],
)
def test_it_takes_trouble_for_what_it_is(
    exchange: Mailbox, monkeypatch: pytest.MonkeyPatch, switches: dict[str, Any], error: type[Exception], said: str
) -> None:
    exchange.turn(**switches)
    with account(exchange.sandbox, monkeypatch) as (ines, _), pytest.raises(error, match=said):
        list(ines.calendar.view(**_window(*SPRING)))


def test_it_takes_a_locked_account_for_one(exchange: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange.sandbox.control("POST", f"exchange/{INES}", json={"state": "locked"})
    with account(exchange.sandbox, monkeypatch) as (ines, _), pytest.raises(UnauthorizedError, match="locked out"):
        list(ines.calendar.view(**_window(*SPRING)))


def test_it_takes_a_forgotten_state_for_one(exchange: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with account(exchange.sandbox, monkeypatch) as (ines, _):
        calendar = ines.calendar
        list(calendar.sync_items())
        exchange.turn(exchange_forget_sync_states=True)
        with pytest.raises(ErrorInvalidSyncStateData):
            list(calendar.sync_items())
