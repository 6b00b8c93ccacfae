"""The Meetings page: days in the user's own zone, the same number of queries for 0 and 10,000 meetings."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from calendars.models import Meeting
from calendars.views import by_day
from integrations.models import CalendarConnection
from sally.models import User

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example",
        status="connected", last_synced_at=timezone.now(), next_sync_at=timezone.now() + timedelta(minutes=5),
    )  # fmt: skip


def meeting(connection: CalendarConnection, id: str, start: datetime, hours: float = 1, **fields: object) -> Meeting:
    return Meeting.objects.create(
        connection=connection, external_id=id, subject=id, start=start, end=start + timedelta(hours=hours), **fields
    )


def all_day(connection: CalendarConnection, id: str, first: date, days: int = 1) -> Meeting:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return meeting(
        connection, id, start, 24 * days, all_day=True, start_date=first, end_date=first + timedelta(days=days)
    )


def days(zone: str, now: datetime = NOW) -> list[tuple[str, bool, list[str]]]:
    found = Meeting.objects.all().upcoming(now, ZoneInfo(zone))
    return [
        (day.date.isoformat(), day.is_today, [entry.meeting.subject for entry in day.entries])
        for day in by_day(found, now, ZoneInfo(zone))
    ]


class TestDays:
    def test_a_meeting_stands_on_the_users_day_not_on_utcs(self, connection: CalendarConnection) -> None:
        meeting(connection, "late", datetime(2026, 11, 23, 23, 30, tzinfo=UTC))
        assert days("UTC") == [("2026-11-23", True, ["late"])]
        assert days("Europe/Berlin") == [("2026-11-24", False, ["late"])]
        assert days("America/Los_Angeles") == [("2026-11-23", True, ["late"])]

    def test_today_begins_at_the_users_midnight(self, connection: CalendarConnection) -> None:
        meeting(connection, "this morning", datetime(2026, 11, 23, 0, 0, tzinfo=UTC))
        assert days("Europe/Berlin") == [("2026-11-23", True, ["this morning"])]
        assert days("Asia/Tokyo") == []

    def test_what_is_over_before_today_is_gone(self, connection: CalendarConnection) -> None:
        meeting(connection, "yesterday", datetime(2026, 11, 22, 10, tzinfo=UTC))
        all_day(connection, "yesterday, all day", date(2026, 11, 22))
        assert days("Europe/Berlin") == []

    def test_what_began_earlier_and_still_lasts_stands_under_today(self, connection: CalendarConnection) -> None:
        meeting(connection, "night shift", datetime(2026, 11, 22, 20, tzinfo=UTC), 12)
        all_day(connection, "fair", date(2026, 11, 20), 7)
        assert days("Europe/Berlin") == [("2026-11-23", True, ["fair", "night shift"])]

    @pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu", "UTC"])
    def test_an_all_day_meeting_stands_on_its_date_in_every_zone(
        self, connection: CalendarConnection, zone: str
    ) -> None:
        all_day(connection, "holiday", date(2026, 12, 24))
        assert days(zone) == [("2026-12-24", False, ["holiday"])]

    def test_all_day_comes_before_the_hours(self, connection: CalendarConnection) -> None:
        # In Auckland (+13) the 24th begins at 11:00 UTC on the 23rd: before the all-day meeting's midnight UTC.
        meeting(connection, "early", datetime(2026, 11, 23, 23, 0, tzinfo=UTC))
        all_day(connection, "holiday", date(2026, 11, 24))
        assert days("Pacific/Auckland") == [("2026-11-24", True, ["holiday", "early"])]
        assert days("America/New_York") == [("2026-11-23", True, ["early"]), ("2026-11-24", False, ["holiday"])]

    def test_a_meeting_without_length_at_midnight_belongs_to_the_day_that_begins(
        self, connection: CalendarConnection
    ) -> None:
        meeting(connection, "reminder", datetime(2026, 11, 23, 0, 0, tzinfo=UTC), 0)
        assert days("UTC") == [("2026-11-23", True, ["reminder"])]

    def test_days_go_on_where_a_page_was_cut(self, connection: CalendarConnection) -> None:
        """All-day meetings are stored at midnight UTC, which is the evening before in Los Angeles."""
        for number in range(4):
            first = datetime(2026, 11, 24, 20, tzinfo=UTC) + timedelta(days=number)
            meeting(connection, f"lunch {number}", first)
            all_day(connection, f"fair {number}", first.date())
        zone = ZoneInfo("America/Los_Angeles")
        found = list(Meeting.objects.all().upcoming(NOW, zone))
        cut = [by_day(page, NOW, zone) for page in (found[:3], found[3:6], found[6:])]
        assert [[day.date.day for day in page] for page in cut] == [[24, 25], [25, 26], [27]]

    def test_two_meetings_in_the_repeated_hour_keep_their_order(self, connection: CalendarConnection) -> None:
        meeting(connection, "second", datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
        meeting(connection, "first", datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
        now = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
        assert days("Europe/Berlin", now) == [("2026-10-25", True, ["first", "second"])]


class TestThePage:
    @pytest.fixture(autouse=True)
    def at_noon(self) -> object:
        with time_machine.travel(datetime(2026, 11, 23, 11, 0, tzinfo=UTC), tick=False):
            yield

    def page(self, client: Client, query: str = "") -> str:
        response = client.get(f"/meetings/{query}")
        assert response.status_code == 200
        return re.sub(r"\s+", " ", response.content.decode())

    def test_without_a_calendar_it_leads_to_integrations(self, as_alice: Client) -> None:
        page = self.page(as_alice)
        assert "No calendar is connected yet" in page
        assert 'href="/settings/integrations/"' in page

    def test_with_an_empty_calendar_it_says_so(self, as_alice: Client, connection: CalendarConnection) -> None:
        assert "Nothing stands in your calendar for the next 90 days." in self.page(as_alice)

    def test_it_says_how_far_ahead_it_looks_and_in_which_zone(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        assert "next 90 days · Europe/Berlin" in self.page(as_alice)

    def test_a_meeting_shows_time_subject_organizer_place_and_join(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        meeting(
            connection, "Crane schedule", datetime(2026, 11, 23, 14, 0, tzinfo=UTC), organizer_name="Tomas Ruy",
            location="Pier room 2", join_url="https://teams.microsoft.com/l/1",
        )  # fmt: skip
        page = self.page(as_alice)
        assert "Today</span> Monday, 23 November 2026" in page
        assert '<time datetime="2026-11-23T15:00:00+01:00">15:00</time> – ' in page
        assert "Crane schedule" in page
        assert "<bdi>Tomas Ruy</bdi> · <bdi>Pier room 2</bdi>" in page
        assert 'href="https://teams.microsoft.com/l/1" target="_blank" rel="noopener noreferrer">Join' in page

    def test_where_join_leads_is_shown_when_the_service_is_unknown(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        meeting(connection, "A", NOW, join_url="https://rooms.partner.example/x")
        meeting(connection, "B", NOW, join_url="https://zoom.us/j/1", service="zoom")
        page = self.page(as_alice)
        assert '<p class="soft small">rooms.partner.example</p>' in page
        assert '<p class="soft small">zoom.us</p>' not in page

    def test_a_meeting_that_ends_at_midnight_shows_no_second_date(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        meeting(connection, "Late", datetime(2026, 11, 24, 21, 0, tzinfo=UTC), 2)
        assert ">00:00</time>" in self.page(as_alice)

    def test_a_page_beyond_the_last_leads_to_the_first(self, as_alice: Client, connection: CalendarConnection) -> None:
        assert as_alice.get("/meetings/?page=50").url == "/meetings/"  # type: ignore[attr-defined]

    def test_a_cancelled_meeting_is_struck_through_and_cannot_be_joined(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        meeting(connection, "Audit", NOW, cancelled=True, join_url="https://teams.microsoft.com/l/1")
        page = self.page(as_alice)
        assert "<s><bdi>Audit</bdi></s>" in page
        assert "Cancelled" in page
        assert "Join" not in page

    def test_all_day_meetings_are_dates(self, as_alice: Client, connection: CalendarConnection) -> None:
        all_day(connection, "Fair", date(2026, 11, 24), 3)
        page = self.page(as_alice)
        assert "Tuesday, 24 November 2026" in page
        assert 'All day until <time datetime="2026-11-26">26 November 2026</time>' in page

    def test_texts_from_outside_are_escaped(self, as_alice: Client, connection: CalendarConnection) -> None:
        meeting(connection, "<script>alert(1)</script>", NOW, location="<b>x</b>", organizer_name='"><img>')
        page = self.page(as_alice)
        assert "<script>alert" not in page
        assert "<b>x</b>" not in page
        assert "<img>" not in page

    def test_german_is_german(self, as_alice: Client, alice: User, connection: CalendarConnection) -> None:
        User.objects.update(language="de")
        meeting(connection, "Kran", datetime(2026, 11, 23, 14, 0, tzinfo=UTC))
        page = self.page(as_alice)
        assert "Heute</span> Montag, 23. November 2026" in page
        assert '<html lang="de">' in page

    def test_other_peoples_meetings_are_not_shown(
        self, as_alice: Client, connection: CalendarConnection, bob: User
    ) -> None:
        other = CalendarConnection.objects.create(owner=bob, provider="microsoft-work", account_id="b")
        meeting(other, "Bob's secret", NOW)
        assert "secret" not in self.page(as_alice)

    def test_while_the_first_sync_runs_it_fills_by_itself(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        CalendarConnection.objects.update(status="connecting", last_synced_at=None, next_sync_at=timezone.now())
        page = self.page(as_alice)
        assert "Syncing… this may take a moment." in page
        assert re.search(r'hx-get="/meetings/\?page=1&amp;seen=\w+" hx-trigger="every 2s"', page)
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page

    def test_a_calendar_that_was_never_read_is_not_called_empty(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        again = timezone.now() + timedelta(minutes=2)
        CalendarConnection.objects.update(
            status="connecting", last_synced_at=None, next_sync_at=again, failures=1, last_error="NET-1",
            last_error_kind="Unavailable",
        )  # fmt: skip
        page = self.page(as_alice)
        assert "ines@quay.example could not be read yet. Sally tries again at 23 November 2026, 12:02." in page
        assert "Nothing stands in your calendar" not in page
        assert "every 20s" in page

    def test_a_calendar_that_needs_attention_before_its_first_read_is_not_called_empty(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        CalendarConnection.objects.update(
            status="needs_attention", last_synced_at=None, last_error="GRAPH-403", last_error_kind="PermissionMissing"
        )
        page = self.page(as_alice)
        assert "Sally was not given the permission to read this calendar." in page
        assert "Nothing stands in your calendar" not in page

    def test_htmx_gets_only_what_changes_and_stops_asking_when_it_is_there(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        meeting(connection, "Crane schedule", NOW)
        response = as_alice.get("/meetings/", headers={"HX-Request": "true"})
        assert b"<html" not in response.content
        assert b"Crane schedule" in response.content
        assert b"hx-trigger" not in response.content

    def test_many_meetings_come_in_pages(self, as_alice: Client, connection: CalendarConnection) -> None:
        Meeting.objects.bulk_create(
            Meeting(connection=connection, external_id=str(n), subject=f"Number {n}.",
                    start=NOW + timedelta(hours=n), end=NOW + timedelta(hours=n + 1))
            for n in range(450)
        )  # fmt: skip
        pages = [self.page(as_alice, query) for query in ("", "?page=2", "?page=3")]
        assert [page.count("meeting-subject") for page in pages] == [200, 200, 50]
        assert "Later meetings" in pages[1]
        assert "Later meetings" not in pages[2]

    @pytest.mark.parametrize("query", ["?page=0", "?page=-1", "?page=x", "?page=99999999999999999999", "?page=²"])
    def test_a_nonsensical_page_is_the_first(
        self, as_alice: Client, connection: CalendarConnection, query: str
    ) -> None:
        meeting(connection, "Crane schedule", NOW)
        assert "Crane schedule" in self.page(as_alice, query)

    @pytest.mark.parametrize("number", [0, 1, 300])
    def test_queries_do_not_grow_with_the_meetings(
        self,
        as_alice: Client,
        connection: CalendarConnection,
        django_assert_num_queries: DjangoAssertNumQueries,
        number: int,
    ) -> None:
        Meeting.objects.bulk_create(
            Meeting(connection=connection, external_id=str(n), start=NOW, end=NOW) for n in range(number)
        )
        with django_assert_num_queries(4):  # session, user, connections, meetings; eight are allowed
            self.page(as_alice)


@pytest.mark.django_db
def test_strangers_are_asked_to_sign_in() -> None:
    assert Client().get("/meetings/").url == "/sign-in/?next=/meetings/"  # type: ignore[attr-defined]
