"""The Exchange client, over real HTTP, TLS and NTLM, against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from integrations.errors import CursorExpired, ProviderError
from integrations.events import CalendarClient, Changed, Kind, Window
from integrations.providers.exchange import EXCHANGE, Typed
from integrations.providers.exchange.client import ExchangeClient
from integrations.providers.exchange.connecting import open_client
from integrations.server_address import read_address
from integrations.trail import Trail
from tests.conftest import INES
from tests.contracts import CALENDAR, WINDOW, ClientContract, large_calendar, utc
from tests.sandbox_process import Sandbox

BERLIN = ZoneInfo("Europe/Berlin")


def typed(sandbox: Sandbox, username: str = INES, password: str = "", version: str = "") -> Typed:
    address = read_address(sandbox.exchange_url, sandbox.exchange_url.split("/")[2])
    return Typed(address, username, password or sandbox.exchange_password, version)


def opened(sandbox: Sandbox, **changed: str) -> ExchangeClient:
    account = EXCHANGE.look(typed(sandbox, **changed), Trail())
    return open_client(account.server, account.secret["password"], BERLIN, lambda: None, Trail())


@pytest.fixture
def client(microsoft: Sandbox) -> Iterator[ExchangeClient]:
    client = opened(microsoft)
    yield client
    client.close()


class TestExchangeContract(ClientContract):
    @pytest.fixture
    def client(self, microsoft: Sandbox) -> Iterator[CalendarClient]:
        microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
        client = opened(microsoft)
        yield client
        client.close()

    @pytest.fixture
    def large(self, microsoft: Sandbox) -> Iterator[CalendarClient]:
        microsoft.control("PUT", f"mailboxes/{INES}", text=large_calendar())
        client = opened(microsoft)
        yield client
        client.close()


class TestExchangeContractWithBasic(TestExchangeContract):
    @pytest.fixture(autouse=True)
    def basic(self, microsoft: Sandbox) -> None:
        microsoft.control("POST", "settings", json={"exchange_offers": "basic"})


class TestExchangeContractWithoutExpansion(TestExchangeContract):
    """As a server that leaves the dates of a series to its clients, and writes fractions of seconds."""

    @pytest.fixture(autouse=True)
    def plain(self, microsoft: Sandbox) -> None:
        switches = {"exchange_expand": False, "exchange_fractions": True, "exchange_content_type": "text/xml"}
        microsoft.control("POST", "settings", json={**switches, "exchange_offers": "basic"})


def singles(number: int, *, every: timedelta, first: datetime = WINDOW.start) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//exchange//EN"]
    for one in range(number):
        start = first + every * one
        lines += ["BEGIN:VEVENT", f"UID:{one}@singles", "DTSTAMP:20261001T000000Z", f"DTSTART:{start:%Y%m%dT%H%M%SZ}"]
        lines += ["DURATION:PT1M", f"SUMMARY:Number {one}", "END:VEVENT"]
    return "\n".join([*lines, "END:VCALENDAR", ""])


class TestPolling:
    def test_the_first_step_of_the_walk_is_short(self, microsoft: Sandbox, client: ExchangeClient) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=singles(1200, every=timedelta(minutes=20)))
        microsoft.control("DELETE", "log")
        first = client.poll("")
        assert microsoft.operations() == {"SyncFolderItems": 1}
        assert first.changed is Changed.UNKNOWN
        second = client.poll(first.cursor)
        assert microsoft.operations() == {"SyncFolderItems": 3}
        assert second.changed is Changed.UNKNOWN
        assert client.poll(second.cursor).changed is Changed.NO

    def test_a_long_walk_takes_several_polls(self, microsoft: Sandbox, client: ExchangeClient) -> None:
        microsoft.control("POST", "settings", json={"exchange_sync_limit": 20})
        microsoft.control("PUT", f"mailboxes/{INES}", text=singles(150, every=timedelta(minutes=20)))
        cursor, answers = "", []
        for _ in range(3):
            poll = client.poll(cursor)
            cursor = poll.cursor
            answers.append(poll.changed)
        assert answers == [Changed.UNKNOWN] * 3  # 20, 100 and 150 of the ids
        assert client.poll(cursor).changed is Changed.NO

    @pytest.mark.parametrize(
        "change",
        [
            {"uid": "single@contract", "subject": "Another"},
            {"uid": "single@contract", "deleted": True},
            {"uid": "series@contract", "occurrence": "2026-11-25", "deleted": True},
        ],
    )
    def test_a_change_is_told_once(self, microsoft: Sandbox, change: dict[str, Any]) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
        client = opened(microsoft)
        cursor = client.poll("").cursor
        assert client.poll(cursor).changed is Changed.NO
        microsoft.control("POST", f"mailboxes/{INES}/change", json=change)
        poll = client.poll(cursor)
        assert poll.changed is Changed.YES
        assert client.poll(poll.cursor).changed is Changed.NO
        client.close()

    @pytest.mark.parametrize("switch", [{"exchange_moved": 1}, {"exchange_forget_sync_states": True}])
    def test_a_state_that_the_server_forgot_expires(
        self, microsoft: Sandbox, client: ExchangeClient, switch: dict[str, Any]
    ) -> None:
        cursor = client.poll("").cursor
        microsoft.control("POST", "settings", json=switch)
        with pytest.raises(CursorExpired):
            client.poll(cursor)

    @pytest.mark.parametrize("cursor", ["done:nonsense", "walk:nonsense"])
    def test_a_state_that_is_none_expires(self, client: ExchangeClient, cursor: str) -> None:
        with pytest.raises(CursorExpired):
            client.poll(cursor)

    def test_a_cursor_of_another_kind_begins_anew(self, client: ExchangeClient) -> None:
        assert client.poll("anything").changed is Changed.UNKNOWN


class TestTheWindow:
    def test_a_full_one_is_cut_and_nothing_is_listed_twice(self, microsoft: Sandbox, client: ExchangeClient) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=singles(2500, every=timedelta(minutes=15)))
        microsoft.control("DELETE", "log")
        listing = client.events(WINDOW)
        assert sorted(one.subject for one in listing) == sorted(f"Number {one}" for one in range(2500))
        # One that is cut off, three parts of it, and three pages in search of series.
        assert microsoft.operations() == {"FindItem": 7}

    def test_the_number_known_cuts_it_beforehand(self, microsoft: Sandbox, client: ExchangeClient) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=singles(2500, every=timedelta(minutes=15)))
        known = {one.id: one.version for one in client.events(WINDOW)}
        microsoft.control("DELETE", "log")
        listing = client.events(WINDOW, known)
        assert (len(listing), len(listing.unchanged)) == (0, 2500)
        assert microsoft.operations() == {"FindItem": 3 + 3}

    def test_a_server_that_refuses_a_long_list_is_asked_for_shorter_ones(
        self, microsoft: Sandbox, client: ExchangeClient
    ) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
        refusal = {"exchange_answer": "ErrorExceededFindCountLimit", "exchange_answer_times": 1}
        microsoft.control("POST", "settings", json=refusal)
        assert len(client.events(WINDOW)) == 7

    def test_events_all_in_one_hour(self, microsoft: Sandbox, client: ExchangeClient) -> None:
        first = datetime(2026, 11, 11, 11, tzinfo=UTC)
        microsoft.control("POST", "settings", json={"exchange_find_limit": 40})
        microsoft.control("PUT", f"mailboxes/{INES}", text=singles(60, every=timedelta(minutes=1), first=first))
        assert len(client.events(WINDOW)) == 60

    def test_a_server_that_always_cuts_off_does_not_keep_sally_for_ever(
        self, microsoft: Sandbox, client: ExchangeClient
    ) -> None:
        first = datetime(2026, 11, 11, 11, tzinfo=UTC)
        microsoft.control("POST", "settings", json={"exchange_find_limit": 2})
        microsoft.control("PUT", f"mailboxes/{INES}", text=singles(5, every=timedelta(0), first=first))
        microsoft.control("DELETE", "log")
        with pytest.raises(ProviderError):
            client.events(WINDOW)
        assert microsoft.operations()["FindItem"] < 60

    def test_a_window_of_more_than_two_years_is_cut(self, microsoft: Sandbox, client: ExchangeClient) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
        listing = client.events(Window(datetime(2024, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)))
        assert len(listing) == 10  # six single ones and five dates of the series, of which one was taken out

    def test_a_text_longer_than_the_listing_shows_is_whole_when_filled(
        self, microsoft: Sandbox, client: ExchangeClient
    ) -> None:
        place = "Hall " + "x" * 400
        microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR.replace("Room 7", place))
        (listed,) = [one for one in client.events(WINDOW) if one.subject == "Single"]
        assert listed.location == place[:255]
        assert client.fill([listed])[0].location == place


class TestOddServers:
    @pytest.mark.parametrize("zone", ["tzone://Microsoft/Custom", "Customized Time Zone"])
    def test_zones_that_nobody_knows(self, microsoft: Sandbox, client: ExchangeClient, zone: str) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
        usual = [(one.subject, one.start, one.start_date) for one in client.events(WINDOW)]
        microsoft.control("POST", "settings", json={"exchange_zone": zone})
        odd = client.events(WINDOW)
        assert odd.unreadable == 0
        assert [(one.subject, one.start, one.start_date) for one in odd] == usual

    def test_without_expansion_an_old_series_shows_its_next_dates(
        self, microsoft: Sandbox, client: ExchangeClient
    ) -> None:
        microsoft.control("POST", "settings", json={"exchange_expand": False})
        microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
        dates = [one for one in client.events(Window(utc(11, 3, 0), utc(12, 1, 0))) if "Series" in one.subject]
        assert sorted((one.start, one.kind) for one in dates) == [
            (utc(11, 4, 14, 30), Kind.OCCURRENCE),
            (utc(11, 19, 19), Kind.EXCEPTION),
            (utc(11, 25, 14, 30), Kind.OCCURRENCE),
        ]

    def test_with_expansion_no_series_is_looked_for(self, microsoft: Sandbox, client: ExchangeClient) -> None:
        microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
        microsoft.control("DELETE", "log")
        client.events(WINDOW)
        assert microsoft.operations() == {"FindItem": 1}
