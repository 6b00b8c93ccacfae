"""The access log's page and its export: whose, in which order, in whose zone, and at what cost."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integrations.models import AccessRecord, CalendarConnection
from sally.models import User

LOG, EXPORT = "/settings/privacy/log/", "/settings/privacy/log/export/"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def row(owner: User, at: datetime = NOON, **other: Any) -> AccessRecord:
    known: dict[str, Any] = {
        "owner": owner, "account": "ines@quay.example", "at": at, "last_at": at, "method": "GET",
        "endpoint": "calendarView", "why": "schedule", "status": 200,
    }  # fmt: skip
    return AccessRecord.objects.create(**(known | other))


def shown(client: Client, address: str = LOG) -> str:
    """The page as it reads, without its tags."""
    page = client.get(address).content.decode().partition("<main")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def earlier(client: Client, address: str = LOG) -> str:
    found = re.search(r'<a href="(\?before=[^"]+)" rel="next">', client.get(address).content.decode())
    return LOG + html.unescape(found[1]) if found else ""


def table(client: Client) -> list[list[str]]:
    response = client.get(EXPORT)
    content = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(content)))


class TestThePage:
    def test_says_what_it_is_where_there_is_nothing(self, as_alice: Client) -> None:
        page = shown(as_alice)
        assert "Every request that Sally sent to your calendars' providers" in page
        assert "the last 30 days" in page
        assert "Nothing was asked yet" in page
        assert "Download as CSV" not in page

    def test_an_entry_says_when_what_why_and_what_came_of_it(self, as_alice: Client, alice: User) -> None:
        row(alice, items=40, why="sync-now")
        page = shown(as_alice)
        assert "Tuesday, 24 November 2026" in page
        assert "list of the meetings in a span of time GET calendarView" in page
        assert "OK (200) · why: “Sync now” · 40 items · ines@quay.example" in page

    def test_a_sum_says_from_when_until_when_and_how_often(self, as_alice: Client, alice: User) -> None:
        row(alice, last_at=NOON + 55 * MINUTE, times=12, items=1)
        page = shown(as_alice)
        assert re.search(r"1:00 p\.?m\.? – 1:55 p\.?m\.?|13:00 – 13:55", page)
        assert "1 item · 12 times" in page

    @pytest.mark.parametrize(
        ("status", "words"), [(401, "refused (401)"), (0, "no answer · why"), (503, "failed at the provider (503)")]
    )
    def test_what_went_wrong_is_said_in_words_with_the_number(
        self, as_alice: Client, alice: User, status: int, words: str
    ) -> None:
        row(alice, status=status)
        assert words in shown(as_alice)

    def test_days_are_those_of_the_persons_zone(self, as_alice: Client, alice: User) -> None:
        """Alice lives in Berlin, where the 24th has begun already."""
        row(alice, datetime(2026, 11, 23, 23, 30, tzinfo=UTC))
        assert "Tuesday, 24 November 2026" in shown(as_alice)
        User.objects.filter(pk=alice.pk).update(time_zone="America/New_York")
        assert "Monday, 23 November 2026" in shown(as_alice)

    def test_the_newest_come_first(self, as_alice: Client, alice: User) -> None:
        for day in (1, 3, 2):
            row(alice, NOON - timedelta(days=day))
        assert re.findall(r"(\d+) November", shown(as_alice)) == ["23", "22", "21"]

    def test_another_user_sees_nothing_of_it(self, as_alice: Client, alice: User, bob: User) -> None:
        row(bob, account="bobs-own@quay.example")
        assert "bobs-own" not in shown(as_alice)
        assert len(table(as_alice)) == 1

    def test_what_an_account_is_called_is_no_markup(self, as_alice: Client, alice: User) -> None:
        row(alice, account="<b>x</b>@quay.example")
        assert "<b>x" not in as_alice.get(LOG).content.decode()

    @pytest.mark.parametrize("address", [LOG, EXPORT])
    def test_who_is_signed_out_is_led_to_the_sign_in(self, address: str, db: None) -> None:
        response = Client().get(address)
        assert (response.status_code, response.headers["Location"]) == (302, f"/sign-in/?next={address}")

    @pytest.mark.parametrize("address", [LOG, EXPORT])
    def test_it_only_takes_looks(self, as_alice: Client, address: str) -> None:
        assert as_alice.post(address).status_code == 405


class TestPaging:
    def test_a_hundred_to_a_page_each_once_and_none_missing(self, as_alice: Client, alice: User) -> None:
        for number in range(250):  # some at the very same time
            row(alice, NOON + number // 7 * MINUTE, account=f"number-{number}.")
        seen: list[str] = []
        address, pages = LOG, 0
        while address:
            seen += re.findall(r"number-(\d+)\.", shown(as_alice, address))
            address, pages = earlier(as_alice, address), pages + 1
        assert pages == 3
        assert seen == [str(number) for number in range(249, -1, -1)]

    def test_what_is_written_meanwhile_moves_nothing(self, as_alice: Client, alice: User) -> None:
        for number in range(101):
            row(alice, NOON + number * MINUTE, account=f"number-{number}.")
        address = earlier(as_alice)
        row(alice, NOON + 500 * MINUTE)
        assert re.findall(r"number-(\d+)\.", shown(as_alice, address)) == ["0"]

    def test_exactly_a_hundred_are_one_page(self, as_alice: Client, alice: User) -> None:
        for number in range(100):
            row(alice, NOON + number * MINUTE)
        assert earlier(as_alice) == ""

    @pytest.mark.parametrize("nonsense", ["x", "-", "1-", "9" * 18 + "-1", "1-99999999999999999999", "١-٢", "%00"])
    def test_nonsense_in_the_address_is_the_first_page(self, as_alice: Client, alice: User, nonsense: str) -> None:
        row(alice)
        assert "calendarView" in shown(as_alice, f"{LOG}?before={nonsense}")

    def test_behind_the_last_is_a_way_back(self, as_alice: Client, alice: User) -> None:
        row(alice)
        page = shown(as_alice, f"{LOG}?before=1-1")
        assert "Nothing earlier" in page
        assert "Nothing was asked yet" not in page

    def test_a_page_costs_the_same_however_much_there_is(self, as_alice: Client, alice: User) -> None:
        def cost(address: str) -> int:
            with CaptureQueriesContext(database) as captured:
                if address == EXPORT:
                    table(as_alice)
                else:
                    as_alice.get(address)
            return len(captured)

        connection = CalendarConnection.objects.create(owner=alice, provider="microsoft-work", account_id="1")
        as_alice.get(LOG)
        row(alice, connection=connection)
        few = cost(LOG), cost(EXPORT)
        for number in range(300):
            row(alice, NOON + number * MINUTE, connection=connection)
        assert (cost(LOG), cost(EXPORT)) == few
        assert few[0] <= 4  # the session, the person, the banner's connections, the rows
        assert few[1] <= 3


class TestTheExport:
    def test_has_everything_newest_first_in_utc(self, as_alice: Client, alice: User) -> None:
        row(alice, items=40)
        row(alice, NOON + MINUTE, last_at=NOON + 2 * MINUTE, endpoint="EWS FindItem", method="POST", status=0, times=2)
        assert table(as_alice) == [
            ["time", "last time", "method", "endpoint", "why", "status", "items", "times", "account"],
            ["2026-11-24T12:01:00+00:00", "2026-11-24T12:02:00+00:00", "POST", "EWS FindItem", "schedule", "no answer",
             "", "2", "ines@quay.example"],
            ["2026-11-24T12:00:00+00:00", "2026-11-24T12:00:00+00:00", "GET", "calendarView", "schedule", "200", "40",
             "1", "ines@quay.example"],
        ]  # fmt: skip

    def test_is_a_file(self, as_alice: Client, alice: User) -> None:
        response = as_alice.get(EXPORT)
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert response.headers["Content-Disposition"] == 'attachment; filename="sally-access-log.csv"'
        assert "no-store" in response.headers["Cache-Control"]

    @pytest.mark.parametrize("account", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
    def test_no_cell_is_a_formula(self, as_alice: Client, alice: User, account: str) -> None:
        row(alice, account=account)
        assert table(as_alice)[1][-1] == f"'{account}"

    def test_has_more_than_a_page(self, as_alice: Client, alice: User) -> None:
        for number in range(230):
            row(alice, NOON + number * MINUTE)
        assert len(table(as_alice)) == 231
