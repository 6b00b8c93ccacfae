"""Which days a page shows and what stands under them; what is asked for, and what changed since the last visit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries

from calendars.agenda import PAGE_SIZE, Page, Wish, page_of, wish_of
from calendars.models import Change, Meeting
from integrations.models import CalendarConnection
from sally.models import Organization, User
from tests.calendars.rows import all_day, confirm, meeting
from tests.conftest import make_user

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return CalendarConnection.objects.create(owner=alice, provider="microsoft-work", account_id="u.t")


def page(zone: str = "Europe/Berlin", now: datetime = NOW, since: datetime = NOW, **query: str) -> Page:
    """The page at this address; ``from_`` stands for "from"."""
    connections = list(CalendarConnection.objects.all())
    asked = {name.rstrip("_"): value for name, value in query.items()}
    wish = wish_of(asked, connections, now.astimezone(ZoneInfo(zone)).date())
    return page_of(connections, wish, now=now, zone=ZoneInfo(zone), since=since)


def days(zone: str, now: datetime = NOW) -> list[tuple[str, bool, list[str]]]:
    """Days that have meetings, with the subjects in their order."""
    return [
        (day.date.isoformat(), day.is_today, [entry.meeting.subject for entry in day.entries])
        for day in page(zone, now).days
        if day.entries
    ]


def subjects(shown: Page) -> list[str]:
    return [entry.meeting.subject for day in shown.days for entry in day.entries]


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

    def test_two_meetings_in_the_repeated_hour_keep_their_order(self, connection: CalendarConnection) -> None:
        meeting(connection, "second", datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
        meeting(connection, "first", datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
        now = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
        assert days("Europe/Berlin", now) == [("2026-10-25", True, ["first", "second"])]


class TestToday:
    """23 November 2026, 12:00 in Berlin."""

    NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)

    def test_it_comes_first_even_when_nothing_is_in_it(self, connection: CalendarConnection) -> None:
        meeting(connection, "tomorrow", self.NOON + timedelta(days=1))
        found = page(now=self.NOON).days
        assert [(day.date, day.is_today, len(day.entries)) for day in found] == [
            (date(2026, 11, 23), True, 0),
            (date(2026, 11, 24), False, 1),
        ]

    def test_a_line_marks_now_between_what_has_begun_and_what_comes(self, connection: CalendarConnection) -> None:
        all_day(connection, "fair", date(2026, 11, 23))
        meeting(connection, "over", self.NOON - timedelta(hours=3))
        meeting(connection, "running", self.NOON - timedelta(minutes=30))
        meeting(connection, "next", self.NOON + timedelta(minutes=5))
        meeting(connection, "later", self.NOON + timedelta(hours=3))
        (today,) = page(now=self.NOON).days
        assert [(one.meeting.subject, one.over, one.running, one.comes_next) for one in today.entries] == [
            ("fair", False, False, False),
            ("over", True, False, False),
            ("running", False, True, False),
            ("next", False, False, True),
            ("later", False, False, False),
        ]
        assert not today.all_begun

    def test_when_all_has_begun_the_line_is_at_the_end(self, connection: CalendarConnection) -> None:
        meeting(connection, "over", self.NOON - timedelta(hours=3))
        (today,) = page(now=self.NOON).days
        assert today.all_begun

    @pytest.mark.parametrize(
        ("minutes", "expected"),
        [
            ([], datetime(2026, 11, 23, 23, tzinfo=UTC)),  # midnight in Berlin
            ([(60, 90)], NOON + timedelta(minutes=60)),
            ([(-60, 30)], NOON + timedelta(minutes=30)),
            ([(-60, -30)], datetime(2026, 11, 23, 23, tzinfo=UTC)),
            ([(-60, 30), (10, 20)], NOON + timedelta(minutes=10)),
        ],
    )
    def test_the_page_is_good_until_the_next_begins_or_ends(
        self, connection: CalendarConnection, minutes: list[tuple[int, int]], expected: datetime
    ) -> None:
        for start, end in minutes:
            meeting(connection, str(start), self.NOON + timedelta(minutes=start), (end - start) / 60)
        assert page(now=self.NOON).good_until == expected


class TestPages:
    def fill(self, connection: CalendarConnection, number: int, hours: float) -> None:
        """One meeting every so many hours, half of them before now; without length, so that none lasts into a day."""
        first = NOW - timedelta(hours=hours * (number // 2))
        Meeting.objects.bulk_create(
            Meeting(
                connection=connection, external_id=str(n), subject=f"Number {n}",
                start=first + timedelta(hours=hours * n), end=first + timedelta(hours=hours * n),
            )
            for n in range(number)
        )  # fmt: skip

    @pytest.mark.parametrize(("number", "hours"), [(0, 1), (5, 30), (300, 7), (3000, 0.25)])
    def test_going_forward_and_back_shows_every_meeting_once(
        self, connection: CalendarConnection, number: int, hours: float
    ) -> None:
        self.fill(connection, number, hours)
        seen: list[int] = []
        shown = page()
        while True:
            seen += [entry.meeting.pk for day in shown.days for entry in day.entries]
            if not shown.later:
                break
            shown = page(from_=shown.later.isoformat())
        shown = page()
        while shown.earlier:
            shown = page(before=shown.earlier.isoformat())
            seen += [entry.meeting.pk for day in shown.days for entry in day.entries]
        assert len(seen) == number
        assert set(seen) == set(Meeting.objects.values_list("pk", flat=True))

    def test_a_page_holds_whole_days(self, connection: CalendarConnection) -> None:
        self.fill(connection, 3000, 0.25)
        found = page(before="2026-11-23")
        assert sum(len(day.entries) for day in found.days) >= PAGE_SIZE
        assert {len(day.entries) for day in found.days} == {96}
        assert found.later == date(2026, 11, 23)

    def test_a_day_of_a_thousand_is_cut_and_says_so(self, connection: CalendarConnection) -> None:
        Meeting.objects.bulk_create(
            Meeting(connection=connection, external_id=str(n), start=NOW, end=NOW) for n in range(1000)
        )
        found = page()
        assert (found.cut, len(found.days[0].entries)) == (True, 600)

    @pytest.mark.parametrize("number", [0, 5, 300, 10_000])
    def test_statements_do_not_grow_with_the_meetings(
        self, connection: CalendarConnection, django_assert_max_num_queries: DjangoAssertNumQueries, number: int
    ) -> None:
        self.fill(connection, number, 0.25)
        found = [connection]
        for wish in (Wish(NOW.date()), Wish(NOW.date(), before=NOW.date())):
            with django_assert_max_num_queries(5):
                page_of(found, wish, now=NOW, zone=BERLIN, since=NOW)


class TestSearch:
    @pytest.fixture(autouse=True)
    def rows(self, connection: CalendarConnection) -> None:
        later = NOW + timedelta(hours=1)
        meeting(connection, "Crane schedule", later, location="Pier room 2", organizer_name="Tomas Ruy")
        meeting(connection, "Übergabe", later, organizer_email="mara@quay.example", location="50 % off_site")
        meeting(connection, "Yesterday's crane", NOW - timedelta(hours=27))

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("crane", ["Crane schedule"]),
            ("CRANE  pier", ["Crane schedule"]),
            ("tomas", ["Crane schedule"]),
            ("mara@quay", ["Übergabe"]),
            ("übergabe", ["Übergabe"]),
            ("ÜBERGABE", ["Übergabe"]),
            ("crane übergabe", []),
            ("%", ["Übergabe"]),
            ("_", ["Übergabe"]),
            ("' OR 1=1 --", []),
            ("\x00crane", ["Crane schedule"]),
            ("", ["Crane schedule", "Übergabe"]),
            ("x" * 5000, []),
        ],
    )
    def test_every_word_has_to_match_subject_organizer_or_location(self, search: str, found: list[str]) -> None:
        assert subjects(page(q=search)) == found

    def test_past_meetings_are_found_on_the_page_before(self) -> None:
        found = page(q="crane")
        assert found.earlier == date(2026, 11, 23)
        assert subjects(page(q="crane", before="2026-11-23")) == ["Yesterday's crane"]

    def test_without_a_match_the_page_is_empty(self) -> None:
        assert page(q="nothing like it").is_empty


class TestCalendars:
    def test_one_of_several_can_be_chosen(self, connection: CalendarConnection, alice: User) -> None:
        other = CalendarConnection.objects.create(
            owner=alice, provider="microsoft-work", account_id="o", account_email="other@quay.example"
        )
        meeting(connection, "A", NOW)
        meeting(other, "B", NOW)
        assert subjects(page()) == ["A", "B"]
        assert subjects(page(calendar=str(other.pk))) == ["B"]
        assert [entry.account for entry in page().days[0].entries] == ["", "other@quay.example"]

    def test_one_alone_is_not_named_at_every_meeting(self, connection: CalendarConnection) -> None:
        CalendarConnection.objects.update(account_email="ines@quay.example")
        meeting(connection, "A", NOW)
        assert page().days[0].entries[0].account == ""

    @pytest.mark.parametrize("nonsense", ["x", "2026-13-45", "0001-01-01", "9999-12-31", "\x00", "-1"])
    def test_nonsense_is_as_if_not_asked(self, connection: CalendarConnection, nonsense: str) -> None:
        meeting(connection, "A", NOW)
        for shown in (page(calendar=nonsense), page(from_=nonsense), page(before=nonsense)):
            assert subjects(shown) == ["A"]
        page(q=nonsense)


class TestMarks:
    """What somebody reads who was last here at noon."""

    NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)

    def marks(self, meeting: Meeting, since: datetime = NOON) -> list[str]:
        found = {entry.meeting.pk: entry for day in page(since=since).days for entry in day.entries}
        return list(found[meeting.pk].marks)

    def changed(self, meeting: Meeting, what: str, minutes: float = 5, **place: object) -> None:
        before = {"start": meeting.start, "end": meeting.end, "start_date": meeting.start_date} | place
        Change.objects.create(meeting=meeting, what=what, at=self.NOON + timedelta(minutes=minutes), **before)

    def test_a_move_says_from_when(self, connection: CalendarConnection) -> None:
        one = meeting(connection, "a", NOW)
        self.changed(one, "moved", start=NOW - timedelta(hours=4))
        assert self.marks(one) == ["moved from 19:30"]

    def test_a_move_to_another_day_says_from_which(self, connection: CalendarConnection) -> None:
        one = meeting(connection, "a", NOW)
        self.changed(one, "moved", start=NOW - timedelta(days=4))
        assert self.marks(one) == ["moved from 19 November 2026, 23:30"]

    def test_a_new_end_says_the_old_one(self, connection: CalendarConnection) -> None:
        one = meeting(connection, "a", NOW)
        self.changed(one, "moved", end=NOW + timedelta(minutes=15))
        assert self.marks(one) == ["was until 23:45"]

    def test_of_an_all_day_meeting_the_day_counts(self, connection: CalendarConnection) -> None:
        one = all_day(connection, "a", date(2026, 11, 25))
        self.changed(one, "moved", start_date=date(2026, 11, 24), end_date=date(2026, 11, 25))
        assert self.marks(one) == ["moved from 24 November 2026"]

    def test_an_hour_that_became_a_day_says_its_hour(self, connection: CalendarConnection) -> None:
        one = all_day(connection, "a", date(2026, 11, 25))
        self.changed(one, "moved", start=NOW, end=NOW, start_date=None, end_date=None)
        assert self.marks(one) == ["moved from 23 November 2026, 23:30"]

    def test_several_moves_are_one_from_where_it_was_last_seen(self, connection: CalendarConnection) -> None:
        one = meeting(connection, "a", NOW)
        self.changed(one, "moved", 5, start=NOW - timedelta(hours=4))
        self.changed(one, "moved", 6, start=NOW - timedelta(hours=2))
        assert self.marks(one) == ["moved from 19:30"]

    def test_there_and_back_is_no_move(self, connection: CalendarConnection) -> None:
        one = meeting(connection, "a", NOW)
        self.changed(one, "moved", 5)
        self.changed(one, "moved", 6, start=NOW - timedelta(hours=2))
        assert self.marks(one) == []

    def test_new_says_all(self, connection: CalendarConnection) -> None:
        one = meeting(connection, "a", NOW, cancelled=True)
        self.changed(one, "added")
        self.changed(one, "cancelled")
        assert self.marks(one) == ["new"]

    @pytest.mark.parametrize(
        ("cancelled", "what", "words"),
        [
            (True, "cancelled", ["cancelled since your last visit"]),
            (False, "cancelled", []),
            (False, "restored", ["takes place again"]),
            (True, "restored", []),
        ],
    )
    def test_cancelled_and_restored_count_as_they_are_now(
        self, connection: CalendarConnection, cancelled: bool, what: str, words: list[str]
    ) -> None:
        one = meeting(connection, "a", NOW, cancelled=cancelled)
        self.changed(one, what)
        assert self.marks(one) == words

    def test_what_was_there_at_the_last_visit_is_not_marked(self, connection: CalendarConnection) -> None:
        one = meeting(connection, "a", NOW)
        self.changed(one, "added", -5)
        assert self.marks(one) == []


_zones = st.sampled_from(["UTC", "Europe/Berlin", "America/Los_Angeles", "Pacific/Auckland", "Asia/Kathmandu"])
_spans = st.lists(st.tuples(st.integers(-60, 60), st.integers(0, 60), st.booleans()), max_size=12)


class TestAnyCalendar(TestCase):
    @given(_spans, _zones)
    def test_every_meeting_that_is_not_over_stands_under_today_or_its_own_day(
        self, spans: list[tuple[int, int, bool]], name: str
    ) -> None:
        """Computed here from each meeting alone: no query, no page."""
        owner = make_user("a@quay.example", Organization.objects.create(name="Q"))
        connection = CalendarConnection.objects.create(owner=owner, provider="microsoft-work", account_id="u.t")
        zone, expected = ZoneInfo(name), set()
        today = NOW.astimezone(zone).date()
        for number, (start, length, dated) in enumerate(spans):
            if dated:
                first, last = today + timedelta(days=start // 10), today + timedelta(days=start // 10 + length // 20)
                all_day(connection, str(number), first, (last - first).days + 1)
            else:
                begins = NOW + timedelta(hours=start)
                meeting(connection, str(number), begins, length)
                ends = begins + timedelta(hours=length)
                first = begins.astimezone(zone).date()
                last = first if not length else (ends - timedelta(seconds=1)).astimezone(zone).date()
            if last >= today:
                expected.add((max(first, today), str(number)))
        found = page_of([connection], Wish(today), now=NOW, zone=zone, since=NOW)
        assert {(day.date, entry.meeting.subject) for day in found.days for entry in day.entries} == expected


class TestSally:
    """23 November 2026, 12:00 in Berlin."""

    NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)
    ZOOM: ClassVar[dict[str, Any]] = {"join_url": "https://zoom.us/j/1?pwd=x", "service": "zoom", "room": "zoom:1"}

    def told(self, **query: Any) -> list[tuple[str, str, str] | None]:
        """Of each meeting in order: headline, sentence, and what one may say against it."""
        verdicts = [entry.sally for day in page(now=self.NOON, **query).days for entry in day.entries]
        return [(one.headline, one.sentence, one.other) if one else None for one in verdicts]

    def test_every_meeting_says_whether_she_joins(self, alice: User, connection: CalendarConnection) -> None:
        meeting(connection, "joined", self.NOON + timedelta(hours=1), **self.ZOOM)
        meeting(connection, "declined", self.NOON + timedelta(hours=2), response="declined", **self.ZOOM)
        meeting(connection, "offline", self.NOON + timedelta(hours=3))
        confirm(alice, self.NOON)
        assert self.told() == [
            ("Sally joins at 12:59", "your rule: Join all meetings", "skip"),
            ("Sally does not join", "you declined", "join"),
            ("Sally does not join", "no link", ""),
        ]

    def test_what_is_covered_offers_nothing_to_say(
        self, alice: User, bob: User, connection: CalendarConnection
    ) -> None:
        theirs = CalendarConnection.objects.create(owner=bob, provider="microsoft-work", account_id="b")
        for one in (connection, theirs):
            meeting(one, "shared", self.NOON + timedelta(hours=1), **self.ZOOM)
        confirm(alice, self.NOON)
        confirm(bob, self.NOON, lead=-9)
        assert self.told(calendar=str(connection.pk)) == [
            ("Sally joins at 12:51", "sent by Bob, who has her first", "")
        ]

    def test_what_is_over_or_undecided_says_nothing(self, alice: User, connection: CalendarConnection) -> None:
        over = meeting(connection, "over", self.NOON - timedelta(hours=3), **self.ZOOM)
        confirm(alice, over.start - timedelta(hours=1))
        Meeting.objects.filter(pk=over.pk).update(decision="all", join_at=over.start)
        meeting(connection, "undecided", self.NOON + timedelta(hours=1), **self.ZOOM)
        assert self.told() == [None, None]

    def test_the_page_is_good_until_somebody_sends_her(
        self, alice: User, bob: User, connection: CalendarConnection
    ) -> None:
        theirs = CalendarConnection.objects.create(owner=bob, provider="microsoft-work", account_id="b")
        for one in (connection, theirs):
            meeting(one, "shared", self.NOON + timedelta(hours=1), **self.ZOOM)
        confirm(alice, self.NOON)
        confirm(bob, self.NOON, lead=-9)
        assert page(now=self.NOON, calendar=str(connection.pk)).good_until == self.NOON + timedelta(minutes=51)

    def test_the_organization_is_named(self, alice: User, connection: CalendarConnection) -> None:
        guest = ["", "guest@partner.example", "required", "none"]
        meeting(connection, "with a guest", self.NOON + timedelta(hours=1), attendees=[guest], **self.ZOOM)
        confirm(alice, self.NOON, rule="organization")
        wish = Wish(date(2026, 11, 23))
        found = page_of([connection], wish, now=self.NOON, zone=BERLIN, since=self.NOON, organization="Acme")
        (told,) = [entry.sally for day in found.days for entry in day.entries]
        assert told
        assert told.sentence == "guest@partner.example is not a user of Acme"
