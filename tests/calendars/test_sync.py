"""One sync, with the calendar in memory: what is written, what is not, and what an error leaves behind."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django import Settings

from calendars import merge, sync
from calendars.models import Change, LookedAt, Meeting
from integrations.accounts import SignedIn
from integrations.errors import (
    ApprovalNeeded,
    CursorExpired,
    OperatorProblem,
    PermissionMissing,
    ProviderError,
    RateLimited,
    ReconnectNeeded,
    Unavailable,
    UnexpectedAnswer,
    WrongDoor,
)
from integrations.events import NOTHING, Changed, Kind, Listing, Poll, RemoteEvent, Window
from integrations.models import CalendarConnection
from sally.models import User
from tests.memory import MemoryClient, all_day, event

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ZOOM = "https://us02web.zoom.us/j/84512345678?pwd=x1"
BARE = "https://us02web.zoom.us/j/84512345678"
Status = CalendarConnection.Status


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example", next_sync_at=NOW
    )


def hours(number: float) -> datetime:
    return NOW + timedelta(hours=number)


def run(connection: CalendarConnection, client: MemoryClient, now: datetime = NOW) -> None:
    """Claim and sync, due or not, as of ``now``."""
    claimed, token = CalendarConnection.objects.filter(pk=connection.pk).idle(now).claim(now, limit=1)
    assert claimed, "nobody could claim the connection"
    sync.run(connection.pk, token, clock=lambda: now, open_client=lambda *_: client)
    connection.refresh_from_db()


def subjects() -> list[str]:
    return sorted(Meeting.objects.values_list("subject", flat=True))


class TestWhatIsWritten:
    def test_events_become_meetings(self, connection: CalendarConnection) -> None:
        run(connection, MemoryClient(event("a", hours(1), subject="A"), event("b", hours(2), subject="B")))
        assert subjects() == ["A", "B"]
        assert (connection.status, connection.meeting_count) == (Status.CONNECTED, 2)
        assert connection.last_synced_at == NOW

    def test_every_field_arrives(self, connection: CalendarConnection) -> None:
        remote = event(
            "a", hours(1), location="Pier", online_url="https://us02web.zoom.us/j/1", cancelled=True, confidential=True
        )
        run(connection, MemoryClient(remote))
        meeting = Meeting.objects.get()
        assert meeting.start == hours(1)
        assert meeting.end == hours(2)
        assert (meeting.location, meeting.join_url, meeting.service) == ("Pier", "https://us02web.zoom.us/j/1", "zoom")
        assert (meeting.cancelled, meeting.confidential) == (True, True)
        assert (meeting.organizer_name, meeting.organizer_email) == ("Tomas Ruy", "tomas@quay.example")
        assert (meeting.ical_uid, meeting.external_id) == ("uid-a", "a")

    def test_that_others_are_hidden_is_kept_with_those_who_are_seen(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1), attendees_hidden=True), event("b", hours(2)))
        run(connection, client)
        assert dict(Meeting.objects.values_list("external_id", "attendees_hidden")) == {"a": True, "b": False}
        client.put(event("a", hours(1)))
        run(connection, client)
        assert Meeting.objects.get(external_id="a").attendees_hidden is False

    def test_the_room_behind_a_link_comes_and_goes_with_it(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1), location=ZOOM), event("b", hours(2), location=BARE))
        run(connection, client)
        assert set(Meeting.objects.values_list("room", flat=True)) == {"zoom:84512345678"}
        client.put(event("a", hours(1)), event("b", hours(2), location="https://meet.google.com/hbrquaywrk"))
        run(connection, client)
        assert dict(Meeting.objects.values_list("external_id", "room")) == {"a": "", "b": "meet:hbr-quay-wrk"}

    def test_all_day_meetings_are_dates(self, connection: CalendarConnection) -> None:
        run(connection, MemoryClient(all_day("a", hours(24).date(), 2)))
        meeting = Meeting.objects.get()
        assert meeting.all_day
        assert meeting.start_date is not None
        assert meeting.end_date is not None
        assert (meeting.start_date.isoformat(), meeting.end_date.isoformat()) == ("2026-11-24", "2026-11-26")

    def test_changes_reach_the_same_row(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        run(connection, client)
        before = Meeting.objects.get()
        client.put(event("a", hours(5), subject="Moved"))
        run(connection, client)
        after = Meeting.objects.get()
        assert (after.pk, after.subject, after.start) == (before.pk, "Moved", hours(5))
        assert after.created_at == before.created_at

    def test_what_is_gone_is_deleted(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)), event("b", hours(2)))
        run(connection, client)
        del client.held["a"]
        run(connection, client)
        assert subjects() == ["Subject of b"]
        assert connection.meeting_count == 1

    def test_ids_that_change_places_keep_their_meetings(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1), ical_uid="one"), event("b", hours(2), ical_uid="two"))
        run(connection, client)
        del client.held["a"]
        client.put(event("b", hours(1), ical_uid="one"))
        run(connection, client)
        assert [(one.external_id, one.ical_uid) for one in Meeting.objects.all()] == [("b", "one")]

    def test_a_mailbox_that_moved_renames_its_meetings(self, connection: CalendarConnection) -> None:
        client = MemoryClient(*(event(f"old{n}", hours(n), ical_uid=f"u{n}") for n in range(1, 9)))
        run(connection, client)
        before = dict(Meeting.objects.values_list("ical_uid", "pk"))
        client.held = {}
        client.put(*(event(f"new{n}", hours(n), ical_uid=f"u{n}") for n in range(1, 9)))
        run(connection, client)
        assert dict(Meeting.objects.values_list("ical_uid", "pk")) == before
        assert set(Meeting.objects.values_list("external_id", flat=True)) == {f"new{n}" for n in range(1, 9)}

    def test_reading_again_writes_nothing(self, connection: CalendarConnection) -> None:
        client = MemoryClient(*(event(str(n), hours(n)) for n in range(50)))
        run(connection, client)
        updated = set(Meeting.objects.values_list("pk", "updated_at"))
        run(connection, client, NOW + timedelta(minutes=5))
        assert set(Meeting.objects.values_list("pk", "updated_at")) == updated

    def test_a_series_that_gains_one_occurrence_keeps_the_others(self, connection: CalendarConnection) -> None:
        """All occurrences have one UID: what is looked for under it must not be taken for gone."""

        def occurrence(id: str, at: float) -> RemoteEvent:
            return event(id, hours(at), kind=Kind.OCCURRENCE, series_id="s", original_start=hours(at), ical_uid="s")

        client = MemoryClient(*(occurrence(f"o{n}", n) for n in range(1, 6)))
        run(connection, client)
        before = set(Meeting.objects.values_list("pk", flat=True))
        client.put(occurrence("o6", 6))
        run(connection, client)
        assert set(Meeting.objects.values_list("external_id", flat=True)) == {f"o{n}" for n in range(1, 7)}
        assert before < set(Meeting.objects.values_list("pk", flat=True))

    def test_the_number_of_meetings_is_right_whatever_was_stored_before(self, connection: CalendarConnection) -> None:
        client = MemoryClient(*(event(str(n), hours(n)) for n in range(5)))
        run(connection, client)
        CalendarConnection.objects.update(meeting_count=99)
        client.put(event("x", hours(1)))
        del client.held["0"]
        run(connection, client)
        assert (connection.meeting_count, Meeting.objects.count()) == (5, 5)

    def test_a_past_meeting_outside_the_window_that_was_renamed_and_moved_ahead_is_the_same(
        self, connection: CalendarConnection
    ) -> None:
        run(connection, MemoryClient(event("old", hours(-20), ical_uid="u")))
        pk = Meeting.objects.get().pk
        later = NOW + timedelta(days=3)
        CalendarConnection.objects.update(last_synced_at=later)
        connection.refresh_from_db()
        run(connection, MemoryClient(event("new", later + timedelta(hours=4), ical_uid="u")), later)
        assert (Meeting.objects.get().pk, Meeting.objects.get().external_id) == (pk, "new")

    def test_an_older_edition_has_everything_looked_at_once_more(
        self, connection: CalendarConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = MemoryClient(event("a", hours(1)))
        run(connection, client)
        monkeypatch.setattr("calendars.merge.EDITION", merge.EDITION + 1)
        client.bodies = {"a": ZOOM}
        for _ in range(2):
            run(connection, client)
        assert Meeting.objects.get().join_url == ZOOM
        assert client.filled == ["a", "a"]

    def test_two_people_may_have_the_same_mailbox(self, connection: CalendarConnection, bob: User) -> None:
        other = CalendarConnection.objects.create(
            owner=bob, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example"
        )
        client = MemoryClient(event("a", hours(1)))
        run(connection, client)
        run(other, client)
        assert Meeting.objects.filter(connection=connection).count() == 1
        assert Meeting.objects.filter(connection=other).count() == 1


class TestTheWindow:
    def test_it_reaches_from_yesterday_to_90_days_ahead(self, connection: CalendarConnection) -> None:
        assert sync.window_of(connection, NOW) == Window(NOW - timedelta(days=1), NOW + timedelta(days=90))

    def test_after_an_outage_it_reaches_back_to_the_last_complete_read(self, connection: CalendarConnection) -> None:
        connection.last_synced_at = NOW - timedelta(days=12)
        assert sync.window_of(connection, NOW).start == NOW - timedelta(days=12)

    def test_it_reaches_back_no_further_than_meetings_are_kept(
        self, connection: CalendarConnection, settings: Settings
    ) -> None:
        settings.KEEP_DAYS = 40
        connection.last_synced_at = NOW - timedelta(days=900)
        assert sync.window_of(connection, NOW).start == NOW - timedelta(days=40)

    def test_an_hour_without_reading_changes_nothing(self, connection: CalendarConnection) -> None:
        connection.last_synced_at = NOW - timedelta(hours=1)
        assert sync.window_of(connection, NOW).start == NOW - timedelta(days=1)

    def test_what_lies_before_it_is_kept(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(-20)), event("b", hours(2)))
        run(connection, client)
        later = NOW + timedelta(days=2)
        del client.held["a"]
        connection.last_synced_at = later
        connection.save()
        run(connection, client, later)
        assert subjects() == ["Subject of a", "Subject of b"]

    def test_a_past_meeting_that_is_moved_to_the_future_is_the_same_row(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(-20)))
        run(connection, client)
        pk = Meeting.objects.get().pk
        later = NOW + timedelta(days=3)
        client.put(event("a", later + timedelta(hours=4)))
        CalendarConnection.objects.update(last_synced_at=later)
        run(connection, client, later)
        assert Meeting.objects.get().pk == pk


class TestTheCursor:
    def test_it_is_kept_as_taken_before_the_read(self, connection: CalendarConnection) -> None:
        client = MemoryClient()
        client.cursors = ["one", "two"]
        run(connection, client)
        assert connection.cursor == "one"
        run(connection, client)
        assert connection.cursor == "two"

    def test_nothing_changed_since_a_recent_read_so_nothing_is_read(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        client.cursors = ["one"]
        run(connection, client)
        client.changed = Changed.NO
        client.asked.clear()
        run(connection, client, NOW + timedelta(minutes=6))
        assert client.asked == []
        assert (connection.status, connection.last_synced_at) == (Status.CONNECTED, NOW)
        assert connection.next_sync_at
        assert connection.next_sync_at >= NOW + timedelta(minutes=10)

    def test_once_an_hour_it_is_read_all_the_same(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        client.cursors = ["one"]
        run(connection, client)
        client.changed = Changed.NO
        client.asked.clear()
        run(connection, client, NOW + timedelta(minutes=60))
        assert client.asked == ["events"]

    def test_before_the_first_read_no_signal_counts(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        client.changed = Changed.NO
        run(connection, client)
        assert client.asked == ["events"]


class TestTheOptions:
    def test_private_appointments_leave_a_number_and_nothing_else(
        self, connection: CalendarConnection, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        run(
            connection,
            MemoryClient(event("a", hours(1)), event("p", hours(2), subject="canary-oncologist", private=True)),
        )
        assert subjects() == ["Subject of a"]
        assert connection.private_left_out == 1
        assert "canary" not in caplog.text

    def test_an_event_that_becomes_private_is_deleted(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        run(connection, client)
        client.put(event("a", hours(1), private=True))
        run(connection, client)
        assert subjects() == []
        assert (connection.private_left_out, connection.meeting_count) == (1, 0)

    def test_with_the_option_private_appointments_are_kept(self, connection: CalendarConnection) -> None:
        connection.sync_private = True
        connection.save()
        run(connection, MemoryClient(event("p", hours(2), private=True)))
        assert Meeting.objects.get().private

    def test_only_online_leaves_out_what_has_no_link(self, connection: CalendarConnection) -> None:
        connection.sync_only_online = True
        connection.save()
        run(
            connection,
            MemoryClient(event("a", hours(1)), event("b", hours(2), online_url="https://meet.google.com/abc")),
        )
        assert subjects() == ["Subject of b"]
        assert connection.offline_left_out == 1


def only_online(connection: CalendarConnection) -> None:
    CalendarConnection.objects.filter(pk=connection.pk).update(sync_only_online=True)
    connection.refresh_from_db()


class TestBodies:
    def link(self) -> tuple[str, str, str]:
        meeting = Meeting.objects.get()
        return meeting.join_url, meeting.service, meeting.link_source

    def test_a_link_in_the_body_is_found(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        client.bodies = {"a": f"<p>Join: <a href='{ZOOM}'>here</a></p>"}
        run(connection, client)
        assert self.link() == (ZOOM, "zoom", "body")

    def test_a_complete_link_in_the_listing_needs_no_body(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1), location=ZOOM))
        run(connection, client)
        assert client.filled == []
        assert self.link() == (ZOOM, "zoom", "location")

    def test_a_link_without_its_passcode_asks_for_the_body(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1), location=BARE))
        client.bodies = {"a": ZOOM}
        run(connection, client)
        assert self.link() == (ZOOM, "zoom", "body")

    def test_a_link_without_its_passcode_is_better_than_none(self, connection: CalendarConnection) -> None:
        run(connection, MemoryClient(event("a", hours(1), location=BARE)))
        assert self.link() == (BARE, "zoom", "location")

    def test_no_body_is_asked_for_twice(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)), event("b", hours(2), location=BARE), event("c", hours(3)))
        client.bodies = {"c": ZOOM}
        run(connection, client)
        assert sorted(client.filled) == ["a", "b", "c"]
        client.filled.clear()
        run(connection, client, NOW + timedelta(minutes=5))
        assert client.filled == []
        assert Meeting.objects.exclude(join_url="").count() == 2

    def test_a_changed_event_is_looked_at_again(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        client.bodies = {"a": ZOOM}
        run(connection, client)
        client.put(event("a", hours(1), subject="Renamed"))
        client.bodies = {}
        run(connection, client)
        assert client.filled == ["a", "a"]
        assert self.link() == ("", "", "")

    def test_a_change_that_no_meeting_shows_is_looked_at_once(self, connection: CalendarConnection) -> None:
        """As when all occurrences of a series get a new change key because one of them was changed."""
        before = event("a", hours(1))
        client = MemoryClient(before)
        run(connection, client)
        updated = Meeting.objects.get().updated_at
        client.put(dataclasses.replace(before, version="another"))
        for minutes in (5, 10):
            run(connection, client, NOW + timedelta(minutes=minutes))
        assert client.filled == ["a", "a"]
        assert Meeting.objects.get().updated_at == updated
        assert connection.meetings_changed_at == NOW

    def test_private_appointments_are_not_asked_for(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("p", hours(1), private=True))
        run(connection, client)
        assert client.filled == []

    def test_what_vanished_meanwhile_is_kept_as_listed_until_the_next_listing(
        self, connection: CalendarConnection
    ) -> None:
        class Vanishing(MemoryClient):
            def fill(self, events: Sequence[RemoteEvent]) -> list[RemoteEvent]:
                return super().fill([one for one in events if one.id != "a"])

        client = Vanishing(event("a", hours(1)), event("b", hours(2)))
        client.bodies = {"b": ZOOM}
        run(connection, client)
        assert dict(Meeting.objects.values_list("external_id", "join_url")) == {"a": "", "b": ZOOM}
        assert connection.next_sync_at
        assert connection.next_sync_at > NOW + timedelta(minutes=4)
        del client.held["a"]
        run(connection, client)
        assert subjects() == ["Subject of b"]

    def test_what_is_nearest_is_asked_for_first_and_a_series_stays_together(
        self, connection: CalendarConnection
    ) -> None:
        def occurrence(id: str, at: float) -> RemoteEvent:
            return event(id, hours(at), kind=Kind.OCCURRENCE, series_id="s", original_start=hours(at), ical_uid="s")

        client = MemoryClient(
            event("past", hours(-5)), event("far", hours(90)), occurrence("s2", 200), occurrence("s1", 2),
            event("near", hours(1)),
        )  # fmt: skip
        run(connection, client)
        assert client.filled == ["near", "s1", "s2", "far", "past"]


class TestWhatCannotBeFinished:
    """A first sync of thousands: what is known is shown, and the rest follows."""

    def client(self, number: int = 250) -> MemoryClient:
        client = MemoryClient(*(event(f"{n:03}", hours(n + 1)) for n in range(number)))
        client.bodies = {f"{n:03}": ZOOM for n in range(number)}
        return client

    def run_slowly(self, connection: CalendarConnection, client: MemoryClient) -> None:
        """Every call of ``fill`` takes twelve seconds."""
        moment = [NOW]
        fill = client.fill

        def slow(events: Sequence[RemoteEvent]) -> list[RemoteEvent]:
            moment[0] += timedelta(seconds=12)
            return fill(events)

        client.fill = slow  # type: ignore[method-assign]
        _, token = CalendarConnection.objects.filter(pk=connection.pk).claim(NOW, limit=1)
        sync.run(connection.pk, token, clock=lambda: moment[0], open_client=lambda *_: client)
        client.fill = fill  # type: ignore[method-assign]
        connection.refresh_from_db()

    def test_after_twenty_seconds_the_meetings_are_shown_and_the_rest_follows_at_once(
        self, connection: CalendarConnection
    ) -> None:
        client = self.client()
        client.cursors = ["a cursor"]
        self.run_slowly(connection, client)
        assert Meeting.objects.count() == 250
        assert Meeting.objects.exclude(join_url="").count() == 200  # two calls of a hundred
        assert connection.next_sync_at == NOW + timedelta(seconds=24)
        assert connection.cursor == ""
        client.filled.clear()
        run(connection, client, NOW + timedelta(seconds=30))
        assert client.filled == [f"{n:03}" for n in range(200, 250)]
        assert Meeting.objects.exclude(join_url="").count() == 250
        assert connection.next_sync_at > NOW + timedelta(minutes=4)

    def test_an_error_in_between_keeps_what_was_found_and_is_recorded(self, connection: CalendarConnection) -> None:
        client = self.client()
        client.fill_errors = [None, RateLimited("x", retry_after=600)]
        run(connection, client)
        assert Meeting.objects.count() == 250
        assert Meeting.objects.exclude(join_url="").count() == 100
        assert (connection.status, connection.failures, connection.last_error) == (Status.CONNECTED, 1, "RATE")
        assert connection.next_sync_at == connection.not_before == NOW + timedelta(seconds=600)
        client.filled.clear()
        run(connection, client, NOW + timedelta(seconds=600))
        assert len(client.filled) == 150
        assert (connection.failures, connection.last_error) == (0, "")

    def test_any_other_error_is_the_whole_syncs(self, connection: CalendarConnection) -> None:
        client = self.client()
        client.fill_errors = [ReconnectNeeded("x")]
        run(connection, client)
        assert (connection.status, Meeting.objects.count()) == (Status.NEEDS_ATTENTION, 0)

    def test_a_known_link_is_kept_until_it_was_looked_at(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        client.bodies = {"a": ZOOM}
        run(connection, client)
        client.put(event("a", hours(2), subject="Renamed"))
        client.fill_errors = [Unavailable("x")]
        run(connection, client)
        meeting = Meeting.objects.get()
        assert (meeting.subject, meeting.join_url, meeting.link_source) == ("Renamed", ZOOM, "body")
        client.bodies = {}
        run(connection, client)
        assert Meeting.objects.get().join_url == ""

    def test_where_a_link_is_demanded_what_was_not_looked_at_is_neither_kept_nor_counted(
        self, connection: CalendarConnection
    ) -> None:
        only_online(connection)
        client = self.client(3)
        client.fill_errors = [RateLimited("x")]
        run(connection, client)
        assert (Meeting.objects.count(), connection.offline_left_out) == (0, 0)
        run(connection, client)
        assert Meeting.objects.count() == 3


class TestOnlyOnline:
    @pytest.fixture(autouse=True)
    def switched_on(self, connection: CalendarConnection) -> None:
        only_online(connection)

    def test_what_was_left_out_is_not_asked_for_again(self, connection: CalendarConnection) -> None:
        client = MemoryClient(*(event(str(n), hours(n + 1)) for n in range(5)))
        run(connection, client)
        assert (len(client.filled), connection.offline_left_out) == (5, 5)
        client.filled.clear()
        run(connection, client, NOW + timedelta(minutes=5))
        assert (client.filled, connection.offline_left_out) == ([], 5)

    def test_nothing_of_it_is_stored_but_a_hash_under_a_key_of_the_connections_own(
        self, connection: CalendarConnection, bob: User
    ) -> None:
        other = CalendarConnection.objects.create(
            owner=bob, provider="microsoft-work", account_id="o", sync_only_online=True
        )
        client = MemoryClient(event("canary", hours(1)))
        run(connection, client)
        run(other, client)
        stored = [bytes(one) for one in LookedAt.objects.values_list("hashes", flat=True)]
        assert [len(one) for one in stored] == [8, 8]
        assert stored[0] != stored[1]
        assert not any(b"canary" in one for one in stored)

    def test_an_event_that_gains_a_link_comes_and_one_that_loses_it_goes(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)), event("b", hours(2)))
        client.bodies = {"b": ZOOM}
        run(connection, client)
        assert (subjects(), connection.offline_left_out) == (["Subject of b"], 1)
        client.put(event("a", hours(1), location=ZOOM), dataclasses.replace(client.held["b"], version="changed"))
        client.bodies = {}
        run(connection, client)
        assert (subjects(), connection.offline_left_out) == (["Subject of a"], 1)
        assert connection.meeting_count == 1

    def test_what_becomes_private_is_forgotten_altogether(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        run(connection, client)
        client.put(event("a", hours(1), private=True))
        run(connection, client)
        assert [bytes(one) for one in LookedAt.objects.values_list("hashes", flat=True)] == [b""]
        assert (connection.private_left_out, connection.offline_left_out) == (1, 0)


class TestChanges:
    def told(self) -> list[tuple[str, str]]:
        return list(Change.objects.values_list("meeting__external_id", "what"))

    def test_the_first_read_tells_of_nothing(self, connection: CalendarConnection) -> None:
        run(connection, MemoryClient(event("a", hours(1))))
        assert self.told() == []

    def test_a_move_remembers_where_the_meeting_was(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        run(connection, client)
        client.put(event("a", hours(5), 30))
        run(connection, client, NOW + timedelta(minutes=5))
        change = Change.objects.get()
        assert (change.what, change.at) == ("moved", NOW + timedelta(minutes=5))
        assert (change.start, change.end, change.start_date) == (hours(1), hours(2), None)

    def test_all_that_can_happen_is_told_once(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        run(connection, client)
        client.put(event("b", hours(2)))
        run(connection, client)
        client.put(event("b", hours(3), cancelled=True))
        run(connection, client)
        client.put(event("b", hours(3), subject="Words only"))
        for _ in range(2):
            run(connection, client)
        assert self.told() == [("b", "added"), ("b", "moved"), ("b", "cancelled"), ("b", "restored")]

    def test_what_the_moving_window_brings_is_not_new(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", NOW + timedelta(days=90, hours=1)))
        run(connection, client)
        run(connection, client, NOW + timedelta(hours=2))
        assert (Meeting.objects.count(), self.told()) == (1, [])

    def test_they_go_with_their_meeting(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)), event("b", hours(1)))
        run(connection, client)
        client.put(event("a", hours(5)), event("b", hours(5)))
        run(connection, client)
        client.put(event("a", hours(5), private=True))
        run(connection, client)
        assert self.told() == [("b", "moved")]


class TestASuddenlyEmptyCalendar:
    @pytest.fixture
    def client(self, connection: CalendarConnection) -> MemoryClient:
        client = MemoryClient(*(event(str(n), hours(n)) for n in range(1, 11)))
        run(connection, client)
        client.held = {}
        return client

    def test_is_not_believed_at_once(self, connection: CalendarConnection, client: MemoryClient) -> None:
        run(connection, client, NOW + timedelta(minutes=5))
        assert Meeting.objects.count() == 10
        assert connection.status == Status.CONNECTED
        assert connection.next_sync_at == NOW + timedelta(minutes=10)

    def test_is_not_believed_by_asking_again_at_once(
        self, connection: CalendarConnection, client: MemoryClient
    ) -> None:
        for minutes in (5, 6, 7):
            run(connection, client, NOW + timedelta(minutes=minutes))
        assert Meeting.objects.count() == 10
        run(connection, client, NOW + timedelta(minutes=10))
        assert Meeting.objects.count() == 0  # five minutes after the first look, whatever was asked between

    def test_is_believed_five_minutes_later(self, connection: CalendarConnection, client: MemoryClient) -> None:
        run(connection, client, NOW + timedelta(minutes=5))
        run(connection, client, NOW + timedelta(minutes=10))
        assert Meeting.objects.count() == 0
        assert connection.meeting_count == 0

    def test_is_forgotten_when_the_meetings_are_back(
        self, connection: CalendarConnection, client: MemoryClient
    ) -> None:
        held = {str(n): event(str(n), hours(n)) for n in range(1, 11)}
        run(connection, client, NOW + timedelta(minutes=5))
        client.held = held
        run(connection, client, NOW + timedelta(minutes=8))
        client.held = {}
        run(connection, client, NOW + timedelta(minutes=11))
        assert Meeting.objects.count() == 10

    @pytest.mark.parametrize(("ahead", "kept"), [(4, 0), (5, 5)])
    def test_four_meetings_ahead_may_vanish_at_once_five_may_not(
        self, connection: CalendarConnection, ahead: int, kept: int
    ) -> None:
        client = MemoryClient(*(event(str(n), hours(n)) for n in range(1, ahead + 1)))
        run(connection, client)
        client.held = {}
        run(connection, client)
        assert Meeting.objects.count() == kept

    def test_meetings_of_this_morning_do_not_count(self, connection: CalendarConnection) -> None:
        client = MemoryClient(*(event(str(n), hours(-n - 1)) for n in range(1, 9)))
        run(connection, client)
        client.held = {}
        run(connection, client)
        assert Meeting.objects.count() == 0

    def test_a_calendar_of_which_the_options_leave_nothing_is_not_empty(self, connection: CalendarConnection) -> None:
        client = MemoryClient(*(event(str(n), hours(n)) for n in range(1, 9)))
        run(connection, client)
        client.put(*(event(str(n), hours(n), private=True) for n in range(1, 9)))
        run(connection, client)
        assert (Meeting.objects.count(), connection.private_left_out) == (0, 8)

    def test_a_calendar_of_which_nothing_can_be_read_is_never_believed(self, connection: CalendarConnection) -> None:
        client = MemoryClient(*(event(str(n), hours(n)) for n in range(1, 11)))
        run(connection, client)
        client.held, client.unreadable = {}, 10
        for minutes in (5, 11, 30):
            run(connection, client, NOW + timedelta(minutes=minutes))
        assert Meeting.objects.count() == 10
        assert (connection.failures, connection.last_error) == (3, "UNREADABLE")


class TestMoreThanOnePage:
    @pytest.fixture
    def client(self, connection: CalendarConnection) -> MemoryClient:
        client = MemoryClient(*(event(str(n), hours(n)) for n in range(1, 11)))
        client.pages = 2
        run(connection, client)
        return client

    def test_an_event_that_slipped_between_pages_is_asked_for_and_kept(
        self, connection: CalendarConnection, client: MemoryClient
    ) -> None:
        client.missed = {"3"}
        run(connection, client)
        assert Meeting.objects.filter(external_id="3").exists()
        assert connection.meeting_count == 10

    def test_one_that_is_gone_is_deleted(self, connection: CalendarConnection, client: MemoryClient) -> None:
        del client.held["3"]
        run(connection, client)
        assert not Meeting.objects.filter(external_id="3").exists()

    def test_one_that_moved_out_of_the_window_is_deleted(
        self, connection: CalendarConnection, client: MemoryClient
    ) -> None:
        client.put(event("3", NOW + timedelta(days=200)))
        run(connection, client)
        assert not Meeting.objects.filter(external_id="3").exists()

    def test_one_that_became_private_is_counted_once_and_not_asked_for(
        self, connection: CalendarConnection, client: MemoryClient
    ) -> None:
        client.put(event("3", hours(3), private=True))
        client.asked.clear()
        run(connection, client)
        assert connection.private_left_out == 1
        assert not Meeting.objects.filter(external_id="3").exists()
        assert client.asked == ["events"]

    def test_within_one_page_nothing_more_is_asked(self, connection: CalendarConnection, client: MemoryClient) -> None:
        client.pages = 1
        del client.held["3"]
        client.asked.clear()
        run(connection, client)
        assert client.asked == ["events"]


ERRORS: list[tuple[ProviderError, str, float | None, float | None]] = [
    # error, state afterwards, next try in minutes: at least, at most (None: never by itself)
    (Unavailable("x"), "connected", 0.8, 1.2),
    (RateLimited("x", retry_after=600), "connected", 10, 10),
    (RateLimited("x", retry_after=1), "connected", 0.8, 1.2),
    (UnexpectedAnswer("x"), "connected", 0.8, 1.2),
    (CursorExpired("x"), "connected", 0, 0),
    (OperatorProblem("x"), "connected", 15, 15),
    (ReconnectNeeded("x"), "needs_attention", None, None),
    (PermissionMissing("x"), "needs_attention", None, None),
    (ApprovalNeeded("x"), "needs_attention", None, None),
    (WrongDoor("x"), "needs_attention", None, None),
]


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "state", "at_least", "at_most"), ERRORS, ids=[type(row[0]).__name__ for row in ERRORS]
    )
    def test_the_class_decides_state_and_next_try_and_the_meetings_stay(
        self,
        connection: CalendarConnection,
        error: ProviderError,
        state: str,
        at_least: float | None,
        at_most: float | None,
    ) -> None:
        client = MemoryClient(event("a", hours(1)))
        run(connection, client)
        client.errors = [error]
        run(connection, client)
        assert connection.status == state
        assert (connection.failures, connection.last_error, connection.last_error_kind) == (
            1,
            error.code,
            type(error).__name__,
        )
        assert (connection.lease_until, connection.lease_token, connection.attempts) == (None, None, 0)
        assert subjects() == ["Subject of a"]
        if at_least is None or at_most is None:
            assert connection.next_sync_at is None
        else:
            assert connection.next_sync_at is not None
            assert timedelta(minutes=at_least) <= connection.next_sync_at - NOW <= timedelta(minutes=at_most)

    def test_the_provider_is_not_asked_before_the_time_it_named(self, connection: CalendarConnection) -> None:
        client = MemoryClient()
        client.errors = [RateLimited("x", retry_after=600)]
        run(connection, client)
        assert connection.not_before == NOW + timedelta(seconds=600)
        connection.request_sync(NOW)
        assert connection.next_sync_at == NOW + timedelta(seconds=600)
        run(connection, client, NOW + timedelta(seconds=600))
        assert connection.not_before is None

    def test_pauses_grow_to_an_hour_at_most(self, connection: CalendarConnection) -> None:
        client = MemoryClient()
        pauses = []
        for _ in range(10):
            client.errors = [Unavailable("x")]
            run(connection, client)
            assert connection.next_sync_at
            pauses.append((connection.next_sync_at - NOW).total_seconds() / 60)
        for pause, doubled in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60], strict=True):
            assert doubled * 0.8 <= pause <= doubled * 1.2

    @time_machine.travel(NOW, tick=False)
    def test_success_forgets_the_errors(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        client.errors = [Unavailable("x"), Unavailable("x")]
        for _ in range(3):
            run(connection, client)
        assert (connection.failures, connection.last_error, connection.problem) == (0, "", None)

    @time_machine.travel(NOW, tick=False)
    def test_the_user_reads_nothing_of_the_first_two_hiccups(self, connection: CalendarConnection) -> None:
        client = MemoryClient()
        for shown in (False, False, True):
            client.errors = [Unavailable("x")]
            run(connection, client)
            assert bool(connection.problem) is shown

    def test_a_dead_cursor_is_cleared_and_tried_again_once(self, connection: CalendarConnection) -> None:
        connection.cursor = "old"
        connection.save()
        client = MemoryClient()
        client.errors = [CursorExpired("x"), CursorExpired("x")]
        run(connection, client)
        assert (connection.cursor, connection.next_sync_at) == ("", NOW)
        run(connection, client)
        assert connection.next_sync_at
        assert connection.next_sync_at > NOW

    def test_a_cursor_that_died_while_nobody_answered_is_cleared_too(self, connection: CalendarConnection) -> None:
        connection.cursor = "old"
        connection.save()
        client = MemoryClient()
        client.errors = [Unavailable("x"), CursorExpired("x")]
        run(connection, client)
        run(connection, client)
        assert (connection.cursor, connection.next_sync_at) == ("", NOW)

    def test_a_cursor_that_the_provider_trips_over_is_given_up(self, connection: CalendarConnection) -> None:
        class Tripping(MemoryClient):
            def poll(self, cursor: str) -> Poll:
                if cursor == "old":
                    raise UnexpectedAnswer("x")
                return super().poll(cursor)

        connection.cursor = "old"
        connection.save()
        client = Tripping(event("a", hours(1)))
        for _ in range(4):
            run(connection, client)
        assert (connection.last_error, connection.meeting_count) == ("", 1)

    def test_a_bug_is_recorded_and_raised(self, connection: CalendarConnection) -> None:
        client = MemoryClient()
        client.errors = [ZeroDivisionError("canary")]
        _, token = CalendarConnection.objects.filter(pk=connection.pk).claim(NOW, limit=1)
        with pytest.raises(ZeroDivisionError):
            sync.run(connection.pk, token, clock=lambda: NOW, open_client=lambda *_: client)
        connection.refresh_from_db()
        assert (connection.last_error, connection.last_error_kind) == ("INTERNAL", "InternalError")
        assert connection.lease_until is None

    def test_unreadable_events_are_counted_and_do_not_stop_the_others(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        client.unreadable = 3
        run(connection, client)
        assert (connection.unreadable_count, connection.meeting_count) == (3, 1)


class TestTheLease:
    def test_a_stale_claim_does_nothing(self, connection: CalendarConnection) -> None:
        client = MemoryClient(event("a", hours(1)))
        sync.run(connection.pk, uuid.uuid4(), clock=lambda: NOW, open_client=lambda *_: client)
        assert client.asked == []

    def test_a_connection_that_is_gone_is_no_error(self, connection: CalendarConnection) -> None:
        _, token = CalendarConnection.objects.claim(NOW, limit=1)
        pk = connection.pk
        connection.disconnect()
        sync.run(pk, token, clock=lambda: NOW, open_client=lambda *_: MemoryClient())

    def test_who_lost_the_lease_meanwhile_writes_nothing(self, connection: CalendarConnection) -> None:
        class Slow(MemoryClient):
            def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
                CalendarConnection.objects.update(lease_token=uuid.uuid4())
                return super().events(window, known)

        _, token = CalendarConnection.objects.claim(NOW, limit=1)
        sync.run(connection.pk, token, clock=lambda: NOW, open_client=lambda *_: Slow(event("a", hours(1))))
        assert Meeting.objects.count() == 0
        connection.refresh_from_db()
        assert connection.last_synced_at is None

    def test_a_disconnect_during_the_sync_leaves_nothing(self, connection: CalendarConnection) -> None:
        class Slow(MemoryClient):
            def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
                CalendarConnection.objects.get(pk=connection.pk).disconnect()
                return super().events(window, known)

        _, token = CalendarConnection.objects.claim(NOW, limit=1)
        sync.run(connection.pk, token, clock=lambda: NOW, open_client=lambda *_: Slow(event("a", hours(1))))
        assert Meeting.objects.count() == 0
        assert CalendarConnection.objects.count() == 0

    def test_a_connection_paused_during_the_sync_stays_paused(self, connection: CalendarConnection) -> None:
        class Slow(MemoryClient):
            def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
                CalendarConnection.objects.get(pk=connection.pk).pause()
                return super().events(window, known)

        _, token = CalendarConnection.objects.claim(NOW, limit=1)
        sync.run(connection.pk, token, clock=lambda: NOW, open_client=lambda *_: Slow(event("a", hours(1))))
        connection.refresh_from_db()
        assert (connection.status, connection.next_sync_at) == (Status.PAUSED, None)
        assert Meeting.objects.count() == 0

    def test_a_reconnect_during_the_sync_keeps_it_from_writing(self, connection: CalendarConnection) -> None:
        account = SignedIn("u.t", "ines@quay.example", "Ines Falk", ("Calendars.ReadWrite.Shared",), {"cache": "newer"})

        class Slow(MemoryClient):
            def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
                CalendarConnection.objects.connect(connection.owner, "microsoft-work", account)
                return super().events(window, known)

        _, token = CalendarConnection.objects.claim(NOW, limit=1)
        sync.run(connection.pk, token, clock=lambda: NOW, open_client=lambda *_: Slow(event("a", hours(1))))
        assert Meeting.objects.count() == 0

    def test_it_is_renewed_while_the_sync_works_but_not_at_every_request(self, connection: CalendarConnection) -> None:
        _, token = CalendarConnection.objects.claim(NOW, limit=1)
        begun = CalendarConnection.objects.begin(connection.pk, token, NOW)
        assert begun is not None
        times = iter([NOW, NOW + timedelta(seconds=5), NOW + timedelta(seconds=25), NOW + timedelta(seconds=30)])
        lease = sync.Lease(begun, lambda: next(times))
        ends = []
        for _ in range(3):
            lease.renew()
            connection.refresh_from_db()
            ends.append(connection.lease_until)
        assert ends == [NOW + timedelta(seconds=60), NOW + timedelta(seconds=85), NOW + timedelta(seconds=85)]

    def test_a_wish_that_came_during_the_sync_is_still_open_after_it(self, connection: CalendarConnection) -> None:
        wish, moment = NOW + timedelta(seconds=2), [NOW]

        class Slow(MemoryClient):
            def events(self, window: Window, known: Mapping[str, str] = NOTHING) -> Listing:
                CalendarConnection.objects.update(next_sync_at=wish)
                moment[0] = NOW + timedelta(seconds=10)
                return super().events(window, known)

        _, token = CalendarConnection.objects.claim(NOW, limit=1)
        sync.run(connection.pk, token, clock=lambda: moment[0], open_client=lambda *_: Slow())
        connection.refresh_from_db()
        assert connection.next_sync_at == wish

    def test_an_old_pause_is_no_wish(self, connection: CalendarConnection) -> None:
        CalendarConnection.objects.update(next_sync_at=NOW + timedelta(hours=1), failures=5)
        run(connection, MemoryClient())
        assert connection.next_sync_at
        assert connection.next_sync_at <= NOW + timedelta(minutes=6)

    def test_the_next_sync_is_in_about_five_minutes(self, connection: CalendarConnection) -> None:
        run(connection, MemoryClient())
        assert connection.next_sync_at
        assert timedelta(minutes=4.5) <= connection.next_sync_at - NOW <= timedelta(minutes=5.5)


def test_fields_of_a_draft_are_fields_of_a_meeting() -> None:
    from calendars.merge import Draft

    names = {field.name for field in Meeting._meta.get_fields()}
    assert {field.name for field in dataclasses.fields(Draft)} <= names


@pytest.mark.django_db
def test_the_clock_is_an_argument_everywhere_in_a_sync(connection: CalendarConnection) -> None:
    """With the machine's clock a year off, a sync as of NOW writes only times near NOW."""
    with time_machine.travel(NOW + timedelta(days=365), tick=False):
        run(connection, MemoryClient(event("a", hours(1))))
    assert Meeting.objects.get().created_at == NOW
    assert connection.last_synced_at == NOW
