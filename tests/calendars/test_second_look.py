"""What a second look at the engine and the agenda found: each a case that once went wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client

from calendars.agenda import Wish, page_of
from calendars.models import Change, LookedAt, Meeting
from calendars.telling import marks_of
from integrations.errors import RateLimited, Unavailable
from integrations.events import NOTHING, Attendee, Changed, Listing, Person, RemoteEvent, Response, Window
from integrations.models import CalendarConnection, SyncOption
from sally.models import User
from tests.calendars.rows import all_day, meeting
from tests.calendars.test_sync import BARE, NOW, ZOOM, hours, run, subjects
from tests.memory import MemoryClient, event

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example", next_sync_at=NOW
    )


class TestAfterAnOptionChanged:
    def test_the_window_is_read_whatever_the_provider_says_of_changes(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)), event("p", hours(2), private=True))
        client.cursors = ["one"]
        run(connection, client)
        client.changed = Changed.NO
        with time_machine.travel(NOW + timedelta(minutes=1), tick=False):
            connection.set_option(SyncOption.PRIVATE, True)
        run(connection, client, NOW + timedelta(minutes=2))
        assert subjects() == ["Subject of a", "Subject of p"]

    def test_what_comes_back_is_not_told_as_new(self, connection: CalendarConnection) -> None:
        client = MemoryClient(*(event(str(n), hours(n + 1)) for n in range(5)))
        run(connection, client)
        for minutes, on in ((1, True), (5, False)):
            with time_machine.travel(NOW + timedelta(minutes=minutes), tick=False):
                connection.set_option(SyncOption.ONLY_ONLINE, on)
            run(connection, client, NOW + timedelta(minutes=minutes + 1))
        assert (Meeting.objects.count(), Change.objects.count()) == (5, 0)

    def test_what_is_known_to_have_no_link_is_not_asked_for_again(self, connection: CalendarConnection) -> None:
        client = MemoryClient(*(event(str(n), hours(n + 1)) for n in range(5)))
        run(connection, client)
        client.filled.clear()
        connection.set_option(SyncOption.ONLY_ONLINE, True)
        run(connection, client)
        assert (client.filled, connection.offline_left_out) == ([], 5)

    def test_what_it_remembers_holds_nothing_private(self, connection: CalendarConnection) -> None:
        connection.set_option(SyncOption.PRIVATE, True)
        run(connection, MemoryClient(event("p", hours(1), private=True)))
        connection.set_option(SyncOption.ONLY_ONLINE, True)
        assert len(LookedAt.objects.of(connection).hashes) == 1
        connection.set_option(SyncOption.PRIVATE, False)
        assert LookedAt.objects.of(connection).hashes == frozenset()

    def test_the_other_option_counts_as_it_is_now(self, connection: CalendarConnection) -> None:
        """Two tabs: one turned private on after the other had loaded the connection."""
        client = MemoryClient(event("p", hours(2), private=True, online_url=ZOOM))
        stale = CalendarConnection.objects.get(pk=connection.pk)
        connection.set_option(SyncOption.PRIVATE, True)
        run(connection, client)
        assert (stale.set_option(SyncOption.ONLY_ONLINE, True), Meeting.objects.count()) == (0, 1)

    def test_a_number_that_was_wrong_breaks_nothing(self, connection: CalendarConnection) -> None:
        CalendarConnection.objects.update(sync_private=True, meeting_count=0)
        meeting(connection, "p", NOW, private=True)
        assert connection.set_option(SyncOption.PRIVATE, False) == 1
        assert connection.meeting_count == 0

    def test_a_second_click_says_nothing(self, as_alice: Client, connection: CalendarConnection) -> None:
        url = f"/settings/integrations/{connection.pk}/options/"
        assert b"was deleted" not in as_alice.post(url, {"sync_private": "off"}, follow=True).content
        assert b"were deleted" not in as_alice.post(url, {"sync_private": "off"}, follow=True).content


class TestWhatCannotBeFilled:
    def test_one_event_does_not_stop_the_others(self, connection: CalendarConnection) -> None:
        class Poisoned(MemoryClient):
            def fill(self, events: Sequence[RemoteEvent]) -> list[RemoteEvent]:
                if any(one.id == "bad" for one in events):
                    raise Unavailable("GET /me/events (batch): 500")
                return super().fill(events)

        client = Poisoned(event("bad", hours(0.5)), *(event(f"{n:03}", hours(n + 1)) for n in range(150)))
        client.bodies = {f"{n:03}": ZOOM for n in range(150)}
        run(connection, client)
        assert Meeting.objects.exclude(join_url="").count() == 150
        assert Meeting.objects.filter(external_id="bad", version="").exists()
        assert (connection.failures, connection.cursor) == (0, "")

    def test_a_provider_that_only_fails_is_not_asked_for_ever(self, connection: CalendarConnection) -> None:
        client = MemoryClient(*(event(f"{n:03}", hours(n + 1)) for n in range(150)))
        client.fill_errors = [Unavailable("x")] * 100
        run(connection, client)
        assert len(client.fill_errors) == 100 - 11
        assert (connection.failures, Meeting.objects.count()) == (1, 150)

    def test_the_passcode_that_its_body_had_is_kept(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1), location=BARE))
        client.bodies = {"a": ZOOM}
        run(connection, client)
        client.put(event("a", hours(1), location=BARE, subject="Renamed"))
        client.fill_errors = [RateLimited("x")]
        run(connection, client)
        assert Meeting.objects.get().join_url == ZOOM

    def test_a_link_that_left_the_location_is_not(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1), location=ZOOM))
        run(connection, client)
        client.put(event("a", hours(1), location="Pier"))
        client.fill_errors = [RateLimited("x")]
        run(connection, client)
        assert Meeting.objects.get().join_url == ""

    @pytest.mark.parametrize("online", [False, True])
    def test_under_a_new_id_it_keeps_its_link(self, connection: CalendarConnection, online: bool) -> None:
        connection.set_option(SyncOption.ONLY_ONLINE, online)
        client = MemoryClient(event("old", hours(1), ical_uid="u"))
        client.bodies = {"old": ZOOM}
        run(connection, client)
        pk = Meeting.objects.get().pk
        client.held = {}
        client.put(event("new", hours(1), ical_uid="u"))
        client.fill_errors = [RateLimited("x")]
        run(connection, client)
        assert list(Meeting.objects.values_list("pk", "external_id", "join_url")) == [(pk, "new", ZOOM)]

    def test_a_partial_event_keeps_its_people(self, connection: CalendarConnection) -> None:
        class Partial(MemoryClient):
            def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
                listing = super().events(window, known)
                for place, one in enumerate(listing):
                    bare = Person(one.organizer.name, "")
                    listing[place] = dataclasses.replace(one, attendees=(), organizer=bare, partial=True)
                return listing

            def fill(self, events: Sequence[RemoteEvent]) -> list[RemoteEvent]:
                return [dataclasses.replace(self.held[one.id], body="") for one in super().fill(events)]

        guest = Attendee("Mara", "mara@quay.example", "required", Response.ACCEPTED)
        client = Partial(event("a", hours(1), attendees=(guest,)))
        run(connection, client)
        client.put(event("a", hours(1), attendees=(guest,), subject="New"))
        client.fill_errors = [RateLimited("x")]
        run(connection, client)
        stored = Meeting.objects.get()
        assert (stored.subject, stored.organizer_email) == ("New", "tomas@quay.example")
        assert stored.attendees == [["Mara", "mara@quay.example", "required", "accepted"]]

    def test_a_count_does_not_fall_while_some_are_waiting(self, connection: CalendarConnection) -> None:
        CalendarConnection.objects.update(sync_only_online=True, offline_left_out=150)
        client = MemoryClient(*(event(f"{n:03}", hours(n + 1)) for n in range(150)))
        client.fill_errors = [None, RateLimited("x")]
        run(connection, client)
        assert connection.offline_left_out == 150


class TestWords:
    def change(self, one: Meeting, what: str, **place: object) -> Change:
        before = {"start": one.start, "end": one.end, "start_date": one.start_date, "end_date": one.end_date} | place
        return Change(meeting=one, what=what, at=NOW, **before)

    def test_days_that_became_more_say_until_when_it_went(self, connection: CalendarConnection) -> None:
        one = all_day(connection, "Fair", date(2026, 11, 24), 3)
        moved = self.change(one, "moved", end_date=date(2026, 11, 26))
        assert marks_of(one, {"moved": moved}, BERLIN) == ["was until 25 November 2026"]

    @pytest.mark.parametrize(
        ("order", "cancelled"), [(("cancelled", "restored"), False), (("restored", "cancelled"), True)]
    )
    def test_there_and_back_is_nothing(
        self, connection: CalendarConnection, order: tuple[str, ...], cancelled: bool
    ) -> None:
        one = meeting(connection, "a", NOW, cancelled=cancelled)
        assert marks_of(one, {what: self.change(one, what) for what in order}, BERLIN) == []

    def test_an_address_that_is_not_the_link_stays_in_the_location(self, connection: CalendarConnection) -> None:
        one = meeting(connection, "a", NOW, location="https://maps.quay.example/7", join_url=ZOOM, link_source="body")
        assert one.where == "https://maps.quay.example/7"


class TestThePages:
    @pytest.fixture(autouse=True)
    def at_noon(self, connection: CalendarConnection) -> object:
        CalendarConnection.objects.update(status="connected", last_synced_at=NOW, next_sync_at=hours(1))
        with time_machine.travel(NOW, tick=False):
            yield

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("?q=crane", "Nothing on these days matches “crane”"),
            ("?q=nothing", "No meeting matches “nothing”"),
            ("?from=2027-06-01", "No meetings from this day on"),
            ("", "Nothing stands in your calendar for the next 90 days."),
        ],
    )
    def test_empty_pages_say_only_what_is_true(
        self, as_alice: Client, connection: CalendarConnection, query: str, words: str
    ) -> None:
        meeting(connection, "Crane", NOW - timedelta(days=3))
        assert words in as_alice.get(f"/meetings/{query}").content.decode()

    def test_a_reminder_without_length_is_over_too(self, as_alice: Client, connection: CalendarConnection) -> None:
        one = meeting(connection, "Reminder", hours(-2), 0, join_url=ZOOM, service="zoom")
        for path in ("/meetings/", f"/meetings/{one.pk}/"):
            assert "</svg>Join" not in as_alice.get(path).content.decode()

    def test_a_page_that_is_cut_keeps_what_is_nearest(self, connection: CalendarConnection) -> None:
        base = datetime(2026, 11, 10, 8, tzinfo=UTC)
        Meeting.objects.bulk_create(
            Meeting(connection=connection, external_id=str(n), start=base, end=base) for n in range(700)
        )
        meeting(connection, "near", base + timedelta(days=2))
        wish = Wish(NOW.date(), before=NOW.date())
        shown = page_of([connection], wish, now=NOW, zone=BERLIN, since=NOW)
        assert "near" in [entry.meeting.subject for day in shown.days for entry in day.entries]

    def test_a_card_that_is_open_elsewhere_shows_a_turned_switch(self, connection: CalendarConnection) -> None:
        before = connection.appearance
        connection.sync_private = True
        assert connection.appearance != before
