"""What every calendar client must do, whatever its provider: one suite, subclassed once for each client.

The calendar it is shown (``CALENDAR``) lives in America/New_York while Sally's users need not: times must come out in
UTC, all-day events as dates. The expectations are written out by hand from the text of the file.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from integrations.events import CalendarClient, Changed, Kind, RemoteEvent, Response, Window

WINDOW = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//contract//EN
BEGIN:VEVENT
UID:single@contract
DTSTAMP:20261001T000000Z
DTSTART;TZID=America/New_York:20261102T090000
DTEND;TZID=America/New_York:20261102T100000
SUMMARY:Single
LOCATION:Room 7
DESCRIPTION:The single one's text
ORGANIZER;CN=Tomas Ruy:mailto:tomas@quay.example
ATTENDEE;CN=Ines Falk;PARTSTAT=ACCEPTED:mailto:ines@quay.example
END:VEVENT
BEGIN:VEVENT
UID:series@contract
DTSTAMP:20261001T000000Z
DTSTART;TZID=America/New_York:20261028T093000
DTEND;TZID=America/New_York:20261028T100000
RRULE:FREQ=WEEKLY;COUNT=5
EXDATE;TZID=America/New_York:20261111T093000
SUMMARY:Series
DESCRIPTION:The series' text
END:VEVENT
BEGIN:VEVENT
UID:series@contract
DTSTAMP:20261001T000000Z
RECURRENCE-ID;TZID=America/New_York:20261118T093000
DTSTART;TZID=America/New_York:20261119T140000
DTEND;TZID=America/New_York:20261119T143000
SUMMARY:Series moved
DESCRIPTION:The moved one's text
END:VEVENT
BEGIN:VEVENT
UID:allday@contract
DTSTAMP:20261001T000000Z
DTSTART;VALUE=DATE:20261120
DTEND;VALUE=DATE:20261122
SUMMARY:All day
END:VEVENT
BEGIN:VEVENT
UID:private@contract
DTSTAMP:20261001T000000Z
DTSTART:20261123T100000Z
DTEND:20261123T110000Z
SUMMARY:Private
CLASS:PRIVATE
END:VEVENT
BEGIN:VEVENT
UID:cancelled@contract
DTSTAMP:20261001T000000Z
DTSTART:20261124T100000Z
DTEND:20261124T110000Z
SUMMARY:Cancelled
STATUS:CANCELLED
END:VEVENT
BEGIN:VEVENT
UID:before@contract
DTSTAMP:20261001T000000Z
DTSTART:20261031T230000Z
DTEND:20261101T000000Z
SUMMARY:Ends as the window begins
END:VEVENT
BEGIN:VEVENT
UID:after@contract
DTSTAMP:20261001T000000Z
DTSTART:20261201T000000Z
DTEND:20261201T010000Z
SUMMARY:Begins as the window ends
END:VEVENT
END:VCALENDAR
"""


def utc(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


class ClientContract:
    """Subclass with a ``client`` fixture that shows ``CALENDAR``, and one that shows 2,100 events."""

    @pytest.fixture
    def client(self) -> CalendarClient:
        raise NotImplementedError

    @pytest.fixture
    def large(self) -> CalendarClient:
        raise NotImplementedError

    @staticmethod
    def named(client: CalendarClient, subject: str) -> RemoteEvent:
        (found,) = [one for one in client.events(WINDOW) if one.subject == subject]
        return found

    def test_lists_what_overlaps_the_window_and_nothing_else(self, client: CalendarClient) -> None:
        found = sorted((one.subject, one.start, one.end) for one in client.events(WINDOW))
        # New York is at -4 until 1 November 2026, 06:00 UTC, and at -5 after.
        assert found == [
            ("All day", utc(11, 20, 0), utc(11, 22, 0)),
            ("Cancelled", utc(11, 24, 10), utc(11, 24, 11)),
            ("Private", utc(11, 23, 10), utc(11, 23, 11)),
            ("Series", utc(11, 4, 14, 30), utc(11, 4, 15)),
            ("Series", utc(11, 25, 14, 30), utc(11, 25, 15)),
            ("Series moved", utc(11, 19, 19), utc(11, 19, 19, 30)),
            ("Single", utc(11, 2, 14), utc(11, 2, 15)),
        ]

    def test_all_times_are_aware_and_in_utc(self, client: CalendarClient) -> None:
        assert {one.start.tzinfo for one in client.events(WINDOW)} == {UTC}
        assert {one.end.tzinfo for one in client.events(WINDOW)} == {UTC}

    def test_an_all_day_event_is_dates_with_an_exclusive_end(self, client: CalendarClient) -> None:
        found = self.named(client, "All day")
        assert (found.start_date, found.end_date, found.all_day) == (date(2026, 11, 20), date(2026, 11, 22), True)

    def test_a_timed_event_has_no_dates(self, client: CalendarClient) -> None:
        found = self.named(client, "Single")
        assert (found.start_date, found.end_date, found.all_day) == (None, None, False)

    def test_an_occurrence_knows_its_series_and_slot(self, client: CalendarClient) -> None:
        occurrences = [one for one in client.events(WINDOW) if one.subject == "Series"]
        assert {one.kind for one in occurrences} == {Kind.OCCURRENCE}
        assert sorted(one.original_start for one in occurrences if one.original_start) == [
            utc(11, 4, 14, 30),
            utc(11, 25, 14, 30),
        ]
        assert len({one.series_id for one in occurrences}) == 1
        assert len({one.id for one in occurrences}) == 2

    def test_a_moved_occurrence_keeps_the_slot_it_came_from(self, client: CalendarClient) -> None:
        moved = self.named(client, "Series moved")
        plain = next(one for one in client.events(WINDOW) if one.subject == "Series")
        assert moved.kind is Kind.EXCEPTION
        assert moved.original_start == utc(11, 18, 14, 30)
        assert moved.series_id == plain.series_id

    def test_private_and_cancelled_are_told(self, client: CalendarClient) -> None:
        assert {one.subject for one in client.events(WINDOW) if one.private} == {"Private"}
        assert {one.subject for one in client.events(WINDOW) if one.cancelled} == {"Cancelled"}

    def test_place_and_organizer_are_listed(self, client: CalendarClient) -> None:
        found = self.named(client, "Single")
        assert (found.location, found.organizer.name) == ("Room 7", "Tomas Ruy")
        assert found.partial or found.organizer.address == "tomas@quay.example"

    def test_people_are_known_at_the_latest_when_filled(self, client: CalendarClient) -> None:
        (found,) = client.fill([self.named(client, "Single")])
        assert (found.organizer.name, found.organizer.address) == ("Tomas Ruy", "tomas@quay.example")
        assert [(one.name, one.address, one.response) for one in found.attendees] == [
            ("Ines Falk", "ines@quay.example", Response.ACCEPTED)
        ]

    def test_reading_twice_gives_the_same(self, client: CalendarClient) -> None:
        assert client.events(WINDOW) == client.events(WINDOW)

    def test_what_is_known_as_it_is_is_told_by_its_id_only(self, client: CalendarClient) -> None:
        all_of_it = client.events(WINDOW)
        known = {one.id: one.version for one in all_of_it}
        changed = self.named(client, "Single")
        again = client.events(WINDOW, {**known, changed.id: "another version", "gone": "any"})
        assert list(again) == [changed]
        assert again.unchanged == known.keys() - {changed.id}
        assert (all_of_it.unchanged, all_of_it.is_empty, again.is_empty) == (frozenset(), False, False)

    def test_what_is_read_alone_has_the_version_of_the_listing(self, client: CalendarClient) -> None:
        listed = self.named(client, "Series moved")
        read = client.event(listed.id)
        assert read is not None
        assert read.version == listed.version
        assert [one.version for one in client.find([listed.id])] == [listed.version]

    def test_ids_are_unique_in_a_listing(self, client: CalendarClient) -> None:
        ids = [one.id for one in client.events(WINDOW)]
        assert len(ids) == len(set(ids))

    def test_a_listing_has_no_bodies_and_fill_adds_them_in_order(self, client: CalendarClient) -> None:
        listed = [self.named(client, "Series moved"), self.named(client, "Single")]
        listed.append(next(one for one in client.events(WINDOW) if one.subject == "Series"))
        assert [one.body for one in listed] == [None, None, None]
        filled = client.fill(listed)
        assert [one.id for one in filled] == [one.id for one in listed]
        assert [one.partial for one in filled] == [False, False, False]
        texts = [one.body or "" for one in filled]
        assert "The moved one's text" in texts[0].replace("&#39;", "'").replace("&#x27;", "'")
        assert "The single one's text" in texts[1].replace("&#39;", "'").replace("&#x27;", "'")
        assert "The series' text" in texts[2].replace("&#39;", "'").replace("&#x27;", "'")

    def test_fill_changes_nothing_that_was_listed(self, client: CalendarClient) -> None:
        listed = client.events(WINDOW)
        filled = client.fill(listed)
        assert [one.version for one in filled] == [one.version for one in listed]

    def test_one_event_is_read_as_it_is_now(self, client: CalendarClient) -> None:
        listed = self.named(client, "Single")
        read = client.event(listed.id)
        assert read is not None
        assert (read.start, read.subject) == (utc(11, 2, 14), "Single")
        assert read.body is not None

    def test_an_event_that_is_gone_is_none(self, client: CalendarClient) -> None:
        assert client.event("no-such-event") is None

    def test_find_returns_those_that_exist(self, client: CalendarClient) -> None:
        listed = self.named(client, "Single")
        assert [one.id for one in client.find([listed.id, "no-such-event"])] == [listed.id]
        assert client.find([]) == []

    def test_poll_never_says_no_without_knowing(self, client: CalendarClient) -> None:
        assert client.poll("").changed in (Changed.YES, Changed.UNKNOWN)

    def test_more_than_one_page_is_read_whole(self, large: CalendarClient) -> None:
        listing = large.events(WINDOW)
        assert len(listing) == 2100
        assert {one.subject for one in listing} == {f"Number {number}" for number in range(2100)}


def large_calendar() -> str:
    """2,100 single events, one every 18 minutes from 1 November 2026."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//contract//EN"]
    for number in range(2100):
        minutes = number * 18
        day, minute = divmod(minutes, 24 * 60)
        start = f"202611{day + 1:02}T{minute // 60:02}{minute % 60:02}00Z"
        lines += ["BEGIN:VEVENT", f"UID:{number}@large", "DTSTAMP:20261001T000000Z", f"DTSTART:{start}"]
        lines += ["DURATION:PT15M", f"SUMMARY:Number {number}", "END:VEVENT"]
    return "\n".join([*lines, "END:VCALENDAR", ""])
