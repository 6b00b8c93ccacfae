"""The Meetings page: days in the user's own zone, search, marks, following by itself; and a meeting's own page."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from calendars.attendance import Said
from calendars.models import Change, Meeting
from calendars.overriding import Done
from integrations.models import CalendarConnection
from sally.models import User
from tests.calendars.rows import all_day, confirm, meeting

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example",
        status="connected", last_synced_at=timezone.now(), next_sync_at=timezone.now() + timedelta(minutes=5),
    )  # fmt: skip


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
        assert f'href="/meetings/{Meeting.objects.get().pk}/"' in page
        assert '<time datetime="2026-11-23T15:00:00+01:00">15:00</time> – ' in page
        assert "Crane schedule" in page
        assert "<bdi>Tomas Ruy</bdi> · <bdi>Pier room 2</bdi>" in page
        assert 'href="https://teams.microsoft.com/l/1" target="_blank" rel="noopener noreferrer">' in page
        assert "</svg>Join" in page

    def test_the_service_is_shown_or_where_join_leads(self, as_alice: Client, connection: CalendarConnection) -> None:
        meeting(connection, "A", NOW, join_url="https://rooms.partner.example/x")
        meeting(connection, "B", NOW, join_url="https://zoom.us/j/1", service="zoom")
        page = self.page(as_alice)
        assert '<p class="soft small">rooms.partner.example</p>' in page
        assert '<p class="soft small">Zoom</p>' in page
        assert 'class="service service-zoom"' in page

    def test_a_meeting_that_ends_at_midnight_shows_no_second_date(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        meeting(connection, "Late", datetime(2026, 11, 24, 21, 0, tzinfo=UTC), 2)
        assert ">00:00</time>" in self.page(as_alice)

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

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"response": "accepted"}, "You accepted<"),
            ({"response": "tentative"}, "You accepted tentatively<"),
            ({"response": "declined"}, "You declined<"),
            ({"response": "none"}, "You have not answered<"),
            ({"private": True}, ">Private</span>"),
            ({"confidential": True}, ">Confidential</span>"),
            ({"kind": "occurrence"}, "↻ Series"),
            ({"kind": "exception"}, "↻ Series"),
        ],
    )
    def test_answer_and_kind_are_marked(
        self, as_alice: Client, connection: CalendarConnection, fields: dict[str, Any], words: str
    ) -> None:
        meeting(connection, "a", NOW, **fields)
        assert words in self.page(as_alice)

    def test_ones_own_meeting_has_no_answer(self, as_alice: Client, connection: CalendarConnection) -> None:
        meeting(connection, "a", NOW, is_organizer=True, response="organizer")
        assert not re.search("answered|organizer</span>|↻", self.page(as_alice))

    def test_a_link_in_the_location_is_shown_as_join_only(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        url = "https://us02web.zoom.us/j/84512345678?pwd=x1"
        meeting(
            connection,
            "a",
            NOW,
            location=f"Pier room 2 (north); {url}",
            join_url=url,
            organizer_name="Tomas",
            link_source="location",
        )
        meeting(connection, "b", NOW, location="https://wiki.quay.example/room", organizer_name="Mara")
        page = self.page(as_alice)
        assert "<bdi>Tomas</bdi> · <bdi>Pier room 2 (north)</bdi>" in page
        assert "<bdi>Mara</bdi> · <bdi>https://wiki.quay.example/room</bdi>" in page

    def test_what_is_over_cannot_be_joined_any_more(self, as_alice: Client, connection: CalendarConnection) -> None:
        over = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
        meeting(connection, "a", over, join_url="https://teams.microsoft.com/l/1")
        page = self.page(as_alice)
        assert "meeting-over" in page
        assert "Join" not in page

    def test_a_search_without_a_match_says_what_was_looked_for(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        page = self.page(as_alice, "?q=<b>crane</b>")
        assert "No meeting matches “&lt;b&gt;crane&lt;/b&gt;”" in page
        assert "Back to today" in page

    def test_several_calendars_can_be_told_apart_and_filtered(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        assert "find-calendar" not in self.page(as_alice)
        other = CalendarConnection.objects.create(
            owner=connection.owner, provider="microsoft-work", account_id="o", account_email="other@quay.example",
            status="connected", last_synced_at=timezone.now(),
        )  # fmt: skip
        meeting(connection, "Mine", NOW)
        meeting(other, "Other", NOW)
        page = self.page(as_alice, f"?calendar={other.pk}")
        assert f'<option value="{other.pk}" selected>other@quay.example</option>' in page
        assert "<bdi>Other</bdi>" in page
        assert "<bdi>Mine</bdi>" not in page

    def test_a_calendar_of_somebody_else_is_none(
        self, as_alice: Client, connection: CalendarConnection, bob: User
    ) -> None:
        other = CalendarConnection.objects.create(owner=bob, provider="microsoft-work", account_id="b")
        meeting(other, "Bob's secret", NOW)
        meeting(connection, "Mine", NOW)
        page = self.page(as_alice, f"?calendar={other.pk}")
        assert "secret" not in page
        assert "Mine" in page

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
        assert re.search(r'hx-get="/meetings/" hx-headers=\S+ "\w+\.\d+"}\S+ hx-trigger="every 2s, seen"', page)
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

    def test_htmx_gets_only_the_part_that_changes(self, as_alice: Client, connection: CalendarConnection) -> None:
        meeting(connection, "Crane schedule", NOW)
        response = as_alice.get("/meetings/", headers={"HX-Request": "true"})
        assert b"<html" not in response.content
        assert b"Crane schedule" in response.content

    def test_many_meetings_come_in_pages_of_whole_days(self, as_alice: Client, connection: CalendarConnection) -> None:
        Meeting.objects.bulk_create(
            Meeting(connection=connection, external_id=str(n), subject=f"Number {n}.",
                    start=NOW + timedelta(hours=n), end=NOW + timedelta(hours=n + 1))
            for n in range(450)
        )  # fmt: skip
        page = self.page(as_alice)
        assert 'href="?from=2026-11-29" rel="next">Later days</a>' in page
        page = self.page(as_alice, "?from=2026-11-28&q=number")
        assert 'href="?q=number&amp;before=2026-11-28" rel="prev">Earlier days</a>' in page

    @pytest.mark.parametrize("query", ["?from=0", "?from=x", "?before=99999-99-99", "?calendar=²", "?q=%00", "?page=7"])
    def test_nonsense_in_the_address_is_today(
        self, as_alice: Client, connection: CalendarConnection, query: str
    ) -> None:
        meeting(connection, "Crane schedule", NOW)
        assert "Crane schedule" in self.page(as_alice, query)

    @pytest.mark.parametrize("number", [0, 1, 300])
    def test_queries_do_not_grow_with_the_meetings(
        self,
        as_alice: Client,
        connection: CalendarConnection,
        django_assert_max_num_queries: DjangoAssertNumQueries,
        number: int,
    ) -> None:
        Meeting.objects.bulk_create(
            Meeting(
                connection=connection, external_id=str(n), start=NOW, end=NOW + timedelta(hours=1),
                join_url="https://zoom.us/j/1?pwd=x", service="zoom", room="zoom:1",
            )
            for n in range(number)
        )  # fmt: skip
        # One sends Sally, the others are covered by it; what was just decided can be undone.
        confirm(connection.owner, NOW)
        done = Done(getattr(Meeting.objects.first(), "pk", 0), False, "join", Said())
        as_alice.cookies["visit"] = f"{connection.owner_id}.1.1"
        # Session, user, connections; where the page ends, its meetings, their changes, what comes before and after.
        with django_assert_max_num_queries(8):
            page = self.page(as_alice, f"?said={done.token}")
        assert page.count("with your other meeting") == max(number - 1, 0)
        assert (">Undo</button>" in page) == (number > 0)


class TestFollowing:
    """The open page asks again and again; only what changed it costs more than a look at the connections."""

    NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)

    @pytest.fixture(autouse=True)
    def clock(self) -> Any:
        with time_machine.travel(self.NOON, tick=False) as clock:
            self.travel = clock
            yield

    @pytest.fixture
    def connection(self, alice: User) -> CalendarConnection:
        return CalendarConnection.objects.create(
            owner=alice, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example",
            status="connected", last_synced_at=self.NOON, next_sync_at=self.NOON + timedelta(days=9),
        )  # fmt: skip

    def ask(self, client: Client, validator: str = "", query: str = "") -> tuple[int, str]:
        """The status, and the validator for the next time."""
        headers = {"HX-Request": "true", "If-None-Match": validator}
        response = client.get(f"/meetings/{query}", headers=headers)
        found = re.search(r'"If-None-Match": "([\w.]+)"', response.content.decode())
        return response.status_code, found[1] if found else validator

    def test_while_nothing_changes_it_gets_304_for_three_statements(
        self,
        as_alice: Client,
        connection: CalendarConnection,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        meeting(connection, "later", self.NOON + timedelta(hours=1))
        status, validator = self.ask(as_alice)
        assert status == 200
        with django_assert_max_num_queries(3):
            assert self.ask(as_alice, validator)[0] == 304

    def test_a_plan_that_changed_is_a_change(self, as_alice: Client, connection: CalendarConnection) -> None:
        meeting(connection, "later", self.NOON + timedelta(hours=1))
        _, validator = self.ask(as_alice)
        confirm(connection.owner, self.NOON)
        assert self.ask(as_alice, validator)[0] == 200
        _, validator = self.ask(as_alice)
        confirm(connection.owner, self.NOON + timedelta(seconds=1), lead=-5)
        assert self.ask(as_alice, validator)[0] == 304  # no link, so nothing to join at another time

    def test_a_plan_of_a_colleague_who_sends_sally_is_a_change(
        self, as_alice: Client, connection: CalendarConnection, bob: User
    ) -> None:
        there = {"join_url": "https://zoom.us/j/1?pwd=x", "service": "zoom", "room": "zoom:1"}
        theirs = CalendarConnection.objects.create(owner=bob, provider="microsoft-work", account_id="b")
        for one in (connection, theirs):
            meeting(one, "later", self.NOON + timedelta(hours=1), **there)  # type: ignore[arg-type]
        confirm(connection.owner, self.NOON, lead=5)
        confirm(bob, self.NOON, lead=-5)
        _, validator = self.ask(as_alice)
        assert b"Sally joins at 12:55" in as_alice.get("/meetings/").content
        self.travel.shift(1)
        confirm(bob, self.NOON + timedelta(seconds=1), lead=-6)
        assert b"Sally joins at 12:54" in as_alice.get("/meetings/").content
        assert self.ask(as_alice, validator)[0] == 200

    def test_the_moment_in_which_sally_joins_is_a_change(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        there = {"join_url": "https://zoom.us/j/1?pwd=x", "service": "zoom"}
        meeting(connection, "soon", self.NOON + timedelta(minutes=10), **there)  # type: ignore[arg-type]
        confirm(connection.owner, self.NOON, lead=-3)
        self.travel.move_to(self.NOON + timedelta(minutes=6))
        _, validator = self.ask(as_alice)
        assert self.ask(as_alice, validator)[0] == 304
        self.travel.move_to(self.NOON + timedelta(minutes=7))
        assert self.ask(as_alice, validator)[0] == 200

    def test_what_can_be_focused_is_found_again_when_the_page_changes(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        there = {"join_url": "https://zoom.us/j/1?pwd=x", "service": "zoom"}
        one = meeting(connection, "later", self.NOON + timedelta(hours=1), **there)  # type: ignore[arg-type]
        confirm(connection.owner, self.NOON)
        page = as_alice.get("/meetings/", headers={"HX-Request": "true"}).content.decode()
        for id in (f"meeting-{one.pk}", f"send-{one.pk}", f"join-{one.pk}"):
            assert page.count(f'id="{id}"') == 1

    def test_a_sync_that_changed_nothing_is_no_change(self, as_alice: Client, connection: CalendarConnection) -> None:
        _, validator = self.ask(as_alice)
        CalendarConnection.objects.update(
            last_synced_at=self.NOON + timedelta(minutes=5), next_sync_at=self.NOON + timedelta(days=8)
        )
        assert self.ask(as_alice, validator)[0] == 304

    @pytest.mark.parametrize(
        "changes",
        [
            {"meetings_changed_at": NOON},
            {"status": "needs_attention", "last_error": "AADSTS50173", "last_error_kind": "ReconnectNeeded"},
            {"status": "paused"},
        ],
    )
    def test_what_the_page_shows_of_a_calendar_is_a_change(
        self, as_alice: Client, connection: CalendarConnection, changes: dict[str, object]
    ) -> None:
        _, validator = self.ask(as_alice)
        CalendarConnection.objects.update(**changes)
        assert self.ask(as_alice, validator)[0] == 200

    @pytest.mark.parametrize("minutes", [10, 70])
    def test_a_meeting_that_begins_or_ends_is_a_change(
        self, as_alice: Client, connection: CalendarConnection, minutes: int
    ) -> None:
        meeting(connection, "soon", self.NOON + timedelta(minutes=10))
        self.travel.move_to(self.NOON + timedelta(minutes=minutes - 1))
        _, validator = self.ask(as_alice)
        assert self.ask(as_alice, validator)[0] == 304
        self.travel.move_to(self.NOON + timedelta(minutes=minutes))
        assert self.ask(as_alice, validator)[0] == 200

    def test_midnight_is_a_change(self, as_alice: Client, connection: CalendarConnection) -> None:
        _, validator = self.ask(as_alice)
        self.travel.move_to(self.NOON + timedelta(hours=12))
        assert self.ask(as_alice, validator)[0] == 200

    def test_another_page_language_or_person_is_another_state(
        self, as_alice: Client, connection: CalendarConnection, bob: User
    ) -> None:
        _, validator = self.ask(as_alice)
        assert self.ask(as_alice, validator, "?q=crane")[0] == 200
        as_bob = Client()
        as_bob.force_login(bob)
        assert self.ask(as_bob, validator)[0] == 200
        User.objects.update(language="de")
        assert self.ask(as_alice, validator)[0] == 200

    @pytest.mark.parametrize("validator", ["", "x", "x.y", "x.99999999999999999999", '"', "*", "x.²"])
    def test_a_nonsensical_validator_gets_the_page(
        self, as_alice: Client, connection: CalendarConnection, validator: str
    ) -> None:
        assert self.ask(as_alice, validator)[0] == 200

    def test_the_page_itself_is_always_sent_whole(self, as_alice: Client, connection: CalendarConnection) -> None:
        _, validator = self.ask(as_alice)
        assert as_alice.get("/meetings/", headers={"If-None-Match": validator}).status_code == 200

    def test_nothing_is_written_by_looking(self, as_alice: Client, connection: CalendarConnection) -> None:
        meeting(connection, "later", self.NOON)
        before = [*Meeting.objects.values(), *CalendarConnection.objects.values(), *User.objects.values()]
        self.ask(as_alice)
        as_alice.get("/meetings/")
        after = [*Meeting.objects.values(), *CalendarConnection.objects.values(), *User.objects.values()]
        assert before == after

    def test_marks_tell_what_happened_since_the_last_visit(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        one = meeting(connection, "Crane schedule", self.NOON + timedelta(hours=5))
        self.ask(as_alice)
        Change.objects.create(
            meeting=one, what="moved", at=self.NOON + timedelta(hours=2), start=self.NOON + timedelta(hours=3),
            end=self.NOON + timedelta(hours=4),
        )  # fmt: skip
        self.travel.move_to(self.NOON + timedelta(hours=3))
        for minutes in (0, 20, 40):  # the visit goes on while somebody looks
            self.travel.move_to(self.NOON + timedelta(hours=3, minutes=minutes))
            assert b"moved from 15:00" in as_alice.get("/meetings/").content
        self.travel.move_to(self.NOON + timedelta(hours=4, minutes=30))
        assert b"moved from" not in as_alice.get("/meetings/").content

    def test_somebody_elses_visit_in_the_same_browser_does_not_count(
        self, as_alice: Client, alice: User, connection: CalendarConnection
    ) -> None:
        one = meeting(connection, "Crane schedule", self.NOON + timedelta(hours=5))
        Change.objects.create(meeting=one, what="added", at=self.NOON, start=one.start, end=one.end)
        as_alice.cookies["visit"] = f"{alice.pk + 1}.1.1"
        assert b">new<" not in as_alice.get("/meetings/").content

    @pytest.mark.parametrize(
        "cookie", ["{pk}", "{pk}.", "{pk}.x.y", "{pk}.-1.²", "{pk}.999999999999999999999.1", "..."]
    )
    def test_a_tampered_cookie_is_harmless(
        self, as_alice: Client, alice: User, connection: CalendarConnection, cookie: str
    ) -> None:
        as_alice.cookies["visit"] = cookie.format(pk=alice.pk)
        assert as_alice.get("/meetings/").status_code == 200


class TestAMeeting:
    @pytest.fixture(autouse=True)
    def the_evening_before(self) -> Any:
        with time_machine.travel(NOW, tick=False):
            yield

    @pytest.fixture
    def one(self, connection: CalendarConnection) -> Meeting:
        return meeting(
            connection, "Crane schedule", datetime(2026, 11, 24, 9, 0, tzinfo=UTC), calendar_id="calendar-9",
            version="1:1:abc", kind="exception", series_id="series-9", ical_uid="uid-9",
            original_start=datetime(2026, 11, 24, 8, 0, tzinfo=UTC), private=True, confidential=True,
            response="tentative", show_as="oof", organizer_name="Tomas Ruy", organizer_email="tomas@quay.example",
            attendees=[["Mara Lind", "mara@quay.example", "optional", "accepted"],
                       ["", "pier2@quay.example", "resource", "none"]],
            location="Pier room 2", join_url="https://us02web.zoom.us/j/84512345678?pwd=x1", service="zoom",
            room="zoom:84512345678",
            link_source="body",
        )  # fmt: skip

    def page(self, client: Client, one: Meeting) -> str:
        response = client.get(f"/meetings/{one.pk}/")
        assert response.status_code == 200
        return re.sub(r"\s+", " ", response.content.decode())

    def test_it_says_when_where_and_with_whom(self, as_alice: Client, one: Meeting) -> None:
        page = self.page(as_alice, one)
        for words in (
            "<bdi>Crane schedule</bdi>", "Tuesday, 24 November 2026, 10:00 – 11:00", "Europe/Berlin", "Tomas Ruy",
            "Pier room 2", "You accepted tentatively", "out of office", "Mara Lind", "accepted", "optional",
            "pier2@quay.example",
            "room or resource", "ines@quay.example", "one of a series, changed on its own", ">Private<",
            ">Confidential<",
        ):  # fmt: skip
            assert words in page, words

    def test_it_says_where_its_link_was_found(self, as_alice: Client, one: Meeting) -> None:
        page = self.page(as_alice, one)
        assert 'href="https://us02web.zoom.us/j/84512345678?pwd=x1" target="_blank" rel="noopener noreferrer">' in page
        assert "Found in: the text of the invitation" in page

    @pytest.mark.parametrize(
        ("version", "words"),
        [("1:1:abc", "No link was found: not in"), ("", "No link was found yet.")],
    )
    def test_without_a_link_it_says_where_sally_looked(
        self, as_alice: Client, one: Meeting, version: str, words: str
    ) -> None:
        Meeting.objects.update(join_url="", service="", link_source="", version=version)
        assert words in self.page(as_alice, one)

    def test_its_history_tells_its_moves(self, as_alice: Client, one: Meeting) -> None:
        start = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
        for hour, what in enumerate(["added", "moved", "cancelled", "restored"]):
            Change.objects.create(
                meeting=one, what=what, at=start + timedelta(hours=hour), start=start, end=start + timedelta(hours=1)
            )
        page = self.page(as_alice, one)
        found = re.findall(r'<li><time class="soft small" datetime="([^"]+)">[^<]+</time><span>([^<]+)</span>', page)
        assert found[0][1] == "First seen by Sally"
        assert found[1:] == [
            ("2026-11-20T11:00:00+01:00", "Moved; before: Friday, 20 November 2026, 10:00 – 11:00"),
            ("2026-11-20T12:00:00+01:00", "Cancelled"),
            ("2026-11-20T13:00:00+01:00", "Takes place again"),
        ]

    def test_all_that_is_stored_is_shown(self, as_alice: Client, one: Meeting) -> None:
        """Every column: a new one without its place on the page fails here."""
        page = self.page(as_alice, one)
        shown = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]*)</dd>", page.split("<details", 1)[1]))
        assert len(shown) == len(Meeting._meta.concrete_fields)
        assert shown["Calendar"] == "calendar-9"
        assert shown["Id of the series"] == "series-9"
        assert shown["UID (iCalendar)"] == "uid-9"
        assert shown["Place in the series"] == "24 November 2026, 09:00"
        assert shown["Service"] == "Zoom"
        assert shown["Room"] == "zoom:84512345678"
        assert shown["Private"] == "yes"
        assert shown["Cancelled"] == "no"
        assert shown["Attendees hidden by the organizer"] == "no"
        assert shown["First day"] == "–"
        assert shown["Attendees"] == (
            "Mara Lind, mara@quay.example, optional, accepted; pier2@quay.example, room or resource, not answered"
        )

    def test_an_all_day_meeting_shows_its_days(self, as_alice: Client, connection: CalendarConnection) -> None:
        one = all_day(connection, "Fair", date(2026, 11, 24))
        assert "Tuesday, 24 November 2026, all day" in self.page(as_alice, one)
        two = all_day(connection, "Long fair", date(2026, 11, 24), 3)
        assert "Tuesday, 24 November 2026 – Thursday, 26 November 2026" in self.page(as_alice, two)

    def test_texts_from_outside_are_escaped(self, as_alice: Client, connection: CalendarConnection) -> None:
        one = meeting(
            connection, "<script>alert(1)</script>", NOW, location="<b>x</b>", organizer_name='"><img>',
            attendees=[["<i>x</i>", "<u>x</u>", "required", "none"]],
        )  # fmt: skip
        page = self.page(as_alice, one)
        assert not re.search("<script>alert|<b>x|<img>|<i>x|<u>x", page)

    def test_another_users_meeting_is_not_found(self, one: Meeting, bob: User, charlie: User) -> None:
        for user in (bob, charlie):
            client = Client()
            client.force_login(user)
            assert client.get(f"/meetings/{one.pk}/").status_code == 404

    @pytest.mark.parametrize("colleague", [False, True])
    def test_it_takes_nine_statements(
        self,
        as_alice: Client,
        one: Meeting,
        bob: User,
        django_assert_num_queries: DjangoAssertNumQueries,
        colleague: bool,
    ) -> None:
        """Session, user, meeting; organization, its people, the meetings of the room; history, banner.

        And of a colleague who sends Sally into that room, who they are.
        """
        Meeting.objects.update(room="zoom:84512345678")
        confirm(one.connection.owner, NOW, rule="never")
        if colleague:
            theirs = CalendarConnection.objects.create(owner=bob, provider="microsoft-work", account_id="b")
            there = {"join_url": one.join_url, "service": "zoom", "room": "zoom:84512345678"}
            Meeting.objects.bulk_create(
                Meeting(connection=theirs, external_id=str(n), start=one.start, end=one.end, **there) for n in range(9)
            )
            confirm(bob, NOW)
        with django_assert_num_queries(9 if colleague else 8):
            self.page(as_alice, one)

    @pytest.mark.parametrize("pk", ["0", "99999999999999999999999", "x"])
    def test_one_that_does_not_exist_is_not_found(self, as_alice: Client, pk: str) -> None:
        assert as_alice.get(f"/meetings/{pk}/").status_code == 404


@pytest.mark.django_db
def test_strangers_are_asked_to_sign_in() -> None:
    assert Client().get("/meetings/").url == "/sign-in/?next=/meetings/"  # type: ignore[attr-defined]
