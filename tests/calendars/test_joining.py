"""What is said of every decision, on Meetings and on the meeting's page: one headline and one sentence."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client

from calendars import attendance
from calendars.joining import SENTENCES, verdict_on, with_senders
from calendars.models import Meeting
from calendars.policy import Reason
from integrations.models import CalendarConnection
from sally.models import User
from tests.calendars.rows import all_day, confirm, meeting
from tests.conftest import make_user

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TEN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # in Berlin
BERLIN = ZoneInfo("Europe/Berlin")
ZOOM: dict[str, Any] = {"join_url": "https://zoom.us/j/1?pwd=x", "service": "zoom", "room": "zoom:1"}
GUEST = ["Guest", "guest@partner.example", "required", "none"]
BOB = ["Bob", "bob@quay.example", "required", "none"]


@pytest.fixture(autouse=True)
def at_nine() -> Any:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return calendar_of(alice)


def calendar_of(owner: User, number: int = 1) -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=owner, provider="microsoft-work", account_id=f"{number} of {owner.pk}", account_email=owner.email,
        status="connected", last_synced_at=NOW, next_sync_at=NOW + timedelta(days=9),
    )  # fmt: skip


def weekly(connection: CalendarConnection, **fields: Any) -> Meeting:
    """At 10:00, with a link that Sally can use; or as ``fields`` have it."""
    one = meeting(connection, "Weekly", TEN, **ZOOM)
    Meeting.objects.filter(pk=one.pk).update(**fields)
    return Meeting.objects.get(pk=one.pk)


def said_of(one: Meeting, now: datetime = NOW) -> tuple[str, str] | None:
    owner = one.connection.owner
    organization = owner.organization.name if owner.organization else ""
    found = with_senders(Meeting.objects.all()).get(pk=one.pk)
    verdict = verdict_on(found, now=now, zone=BERLIN, organization=organization)
    return (verdict.headline, verdict.sentence) if verdict else None


def text_of(page: bytes) -> str:
    """As it is read: without tags, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page.decode())).split())


@dataclass(frozen=True)
class Case:
    """A meeting at 10:00 with a link that Sally can use, and what is different about it."""

    reason: str
    joins: bool
    sentence: str
    fields: dict[str, Any] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)
    said: str = ""


INTERNAL, ORGANIZATION, EXTERNAL = {"rule": "internal"}, {"rule": "organization"}, {"rule": "external"}
CASES = [
    Case("cancelled", False, "cancelled", {"cancelled": True}),
    Case("no_times", False, "it ends before it begins", {"end": TEN - timedelta(minutes=55)}),
    Case("no_link", False, "no link", {"join_url": "", "service": "", "room": ""}),
    Case("service", False, "no link that Sally can use (GoTo)", {"service": "goto"}),
    Case("service", False, "no link that Sally can use (zoom.us)", {"service": ""}),
    Case("asked", True, "you said so", terms={"rule": "never"}, said="join"),
    Case("refused", False, "you said so", said="skip"),
    Case("declined", False, "you declined", {"response": "declined"}),
    Case("private", False, "private", {"private": True}),
    Case("begun", False, "it had begun when you confirmed", {"start": NOW - timedelta(minutes=30)}),
    Case("never", False, "your rule is: Never join meetings automatically", terms={"rule": "never"}),
    Case("not_host", False, "you are not the host", terms={"rule": "host"}),
    Case(
        "not_listed", False, "external: guest@partner.example is not on the whitelist", {"attendees": [GUEST]}, INTERNAL
    ),
    Case(
        "not_listed", False, "external: somebody without an address is not on the whitelist",
        {"attendees": [["", "", "required", "none"]]}, INTERNAL,
    ),
    Case(
        "not_a_user", False, "guest@partner.example is not a user of Harbour & Quay", {"attendees": [GUEST]},
        ORGANIZATION,
    ),
    Case("no_outsider", False, "nobody external takes part", {"attendees": [BOB]}, EXTERNAL),
    Case("hidden", False, "the attendees are hidden", {"attendees_hidden": True}, INTERNAL),
    Case("not_accepted", False, "you have not accepted", terms={"only_accepted": True}),
    Case("confidential", False, "confidential", {"confidential": True}),
    Case("free", False, "shown as free", {"show_as": "free"}),
    Case(
        "all_day", False, "all day",
        {"start": datetime(2026, 11, 24, tzinfo=UTC), "end": datetime(2026, 11, 25, tzinfo=UTC), "all_day": True,
         "start_date": date(2026, 11, 24), "end_date": date(2026, 11, 25)},
    ),
    Case("all", True, "your rule: Join all meetings"),
    Case("internal", True, "everybody is internal", {"attendees": [BOB]}, INTERNAL),
    Case("organization", True, "everybody is a user of Harbour & Quay", {"attendees": [BOB]}, ORGANIZATION),
    Case("external", True, "external: guest@partner.example", {"attendees": [GUEST]}, EXTERNAL),
    Case("host", True, "you are the host", {"is_organizer": True}, {"rule": "host"}),
]  # fmt: skip


class TestEveryReason:
    def test_has_words(self) -> None:
        assert set(SENTENCES) == set(Reason)
        assert all(str(words).strip() for words in SENTENCES.values())

    def test_is_among_the_cases(self) -> None:
        """But two that are never stored: before a rule is confirmed nothing is, and a clock decides nothing."""
        assert {case.reason for case in CASES} == set(Reason) - {"unconfirmed", "over"}

    @pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.reason}: {case.sentence}")
    def test_is_told_on_meetings_and_on_the_meetings_page(
        self, as_alice: Client, alice: User, bob: User, connection: CalendarConnection, case: Case
    ) -> None:
        one = weekly(connection, **case.fields)
        confirm(alice, NOW, **case.terms)
        if case.said:
            attendance.decide_for(alice, one, choice=case.said, lead=None, whole_series=False, now=NOW)
        assert Meeting.objects.get().decision == case.reason
        words = f"{'Sally joins at 09:59' if case.joins else 'Sally does not join'} – {case.sentence}"
        item = as_alice.get("/meetings/").content.split(b'<li class="meeting', 1)[-1]
        assert words in text_of(item)
        assert f"Does Sally join? {words}" in text_of(as_alice.get(f"/meetings/{one.pk}/").content)


class TestTheHeadline:
    @pytest.fixture
    def one(self, alice: User, connection: CalendarConnection) -> Meeting:
        one = weekly(connection)
        confirm(alice, NOW)
        return one

    @pytest.mark.parametrize(
        ("at", "headline"),
        [
            (TEN - timedelta(minutes=2), "Sally joins at 09:59"),
            (TEN - timedelta(minutes=1), "Sally joins now"),
            (TEN + timedelta(minutes=59), "Sally joins now"),
            (TEN + timedelta(hours=1), "Sally was to join at 09:59"),
        ],
    )
    def test_goes_with_the_clock(self, one: Meeting, at: datetime, headline: str) -> None:
        assert said_of(one, at) == (headline, "your rule: Join all meetings")

    def test_names_the_day_where_it_is_another_than_the_meetings(
        self, alice: User, connection: CalendarConnection
    ) -> None:
        one = all_day(connection, "Fair", date(2026, 11, 25))
        Meeting.objects.filter(pk=one.pk).update(**ZOOM)
        confirm(alice, NOW, skip_all_day=False)
        assert said_of(one) == ("Sally joins on 24 November 2026 at 23:59", "your rule: Join all meetings")

    def test_is_in_the_past_of_what_is_over(self, one: Meeting, alice: User) -> None:
        attendance.decide_for(alice, one, choice="skip", lead=None, whole_series=False, now=NOW)
        assert said_of(one, TEN + timedelta(hours=2)) == ("Sally was not to join", "you said so")

    def test_before_a_rule_is_confirmed_there_is_none(self, connection: CalendarConnection) -> None:
        assert said_of(weekly(connection)) is None

    def test_a_series_is_named_where_it_decided(self, alice: User, connection: CalendarConnection) -> None:
        one = weekly(connection, kind="occurrence", ical_uid="u", original_start=TEN)
        confirm(alice, NOW)
        attendance.decide_for(alice, one, choice="skip", lead=None, whole_series=True, now=NOW)
        assert said_of(one) == ("Sally does not join", "you said so for the whole series")


class TestWhoSendsHer:
    """Bob has the meeting first: he was asked first, joins earlier, or whatever else a test says."""

    def pair(self, alice: User, bob: User, **bobs: Any) -> Meeting:
        own = meeting(calendar_of(alice), "Alice's title", TEN, **ZOOM)
        meeting(calendar_of(bob), "Bob's secret title", TEN, **(ZOOM | bobs))
        return own

    def test_a_colleague_who_organizes_the_meeting(self, alice: User, bob: User) -> None:
        own = self.pair(alice, bob, is_organizer=True)
        confirm(alice, NOW, lead=-5)
        confirm(bob, NOW, lead=3)
        assert said_of(own) == ("Sally joins at 10:03", "sent by Bob, who organizes the meeting")

    def test_a_colleague_who_asked_for_her(self, alice: User, bob: User) -> None:
        own = self.pair(alice, bob)
        theirs = Meeting.objects.get(connection__owner=bob)
        confirm(alice, NOW, lead=-5)
        confirm(bob, NOW)
        attendance.decide_for(bob, theirs, choice="join", lead=None, whole_series=False, now=NOW)
        assert said_of(own) == ("Sally joins at 09:59", "sent by Bob, who asked for her")

    def test_a_colleague_who_has_her_first(self, alice: User, bob: User) -> None:
        own = self.pair(alice, bob)
        confirm(alice, NOW)
        confirm(bob, NOW, lead=-5)
        assert said_of(own) == ("Sally joins at 09:55", "sent by Bob, who has her first")

    def test_of_a_colleagues_private_appointment_not_even_whose_it_is(
        self, as_alice: Client, alice: User, bob: User
    ) -> None:
        own = self.pair(alice, bob, private=True)
        theirs = Meeting.objects.get(connection__owner=bob)
        confirm(alice, NOW)
        confirm(bob, NOW)
        attendance.decide_for(bob, theirs, choice="join", lead=None, whole_series=False, now=NOW)
        assert said_of(own) == ("Sally joins at 09:59", "somebody else of your organization sends her")
        confirm(alice, NOW, rule="never")
        page = text_of(as_alice.get(f"/meetings/{own.pk}/").content)
        assert "Somebody else of your organization sends her all the same." in page
        assert "Bob" not in page

    def test_one_without_a_name_by_their_address(self, alice: User, bob: User) -> None:
        User.objects.filter(pk=bob.pk).update(name="")
        own = self.pair(alice, bob)
        confirm(alice, NOW)
        confirm(bob, NOW, lead=-5)
        assert said_of(own) == ("Sally joins at 09:55", "sent by bob@quay.example, who has her first")

    def test_ones_own_other_meeting(self, alice: User) -> None:
        first = weekly(calendar_of(alice))
        second = meeting(calendar_of(alice, 2), "Weekly as well", TEN, **ZOOM)
        confirm(alice, NOW)
        assert said_of(first) == ("Sally joins at 09:59", "your rule: Join all meetings")
        assert said_of(second) == ("Sally joins at 09:59", "with your other meeting “Weekly”")

    def test_one_that_is_gone(self, alice: User, bob: User) -> None:
        own = self.pair(alice, bob)
        confirm(alice, NOW)
        confirm(bob, NOW, lead=-5)
        Meeting.objects.filter(connection__owner=bob)._raw_delete("default")
        assert said_of(own) == ("Sally joins", "somebody else of your organization sends her")

    def test_nobody_of_another_organization(self, alice: User, bob: User, charlie: User) -> None:
        """Not even where a plan was left behind by somebody who has changed to another one."""
        own = self.pair(alice, bob)
        confirm(alice, NOW)
        confirm(bob, NOW, lead=-5)
        User.objects.filter(pk=bob.pk).update(organization=charlie.organization)
        assert said_of(own) == ("Sally joins", "somebody else of your organization sends her")

    def test_nothing_else_of_a_colleagues_meeting_is_on_any_page(
        self, as_alice: Client, alice: User, bob: User
    ) -> None:
        own = self.pair(alice, bob, location="Bob's secret room")
        confirm(alice, NOW)
        confirm(bob, NOW, lead=-5)
        for path in ("/meetings/", f"/meetings/{own.pk}/"):
            page = as_alice.get(path).content.decode()
            assert "sent by Bob" in page
            assert "secret" not in page

    def test_strangers_in_one_room_see_nothing_of_each_other(
        self, as_alice: Client, alice: User, charlie: User
    ) -> None:
        own = self.pair(alice, charlie)
        confirm(charlie, NOW, lead=-5)
        confirm(alice, NOW, rule="never")
        page = text_of(as_alice.get(f"/meetings/{own.pk}/").content)
        assert "Sally does not join – your rule is: Never join meetings automatically" in page
        assert "Charlie" not in page
        confirm(alice, NOW, rule="all")
        assert said_of(own) == ("Sally joins at 09:59", "your rule: Join all meetings")


class TestAllTheSame:
    def test_a_colleague_sends_her(self, as_alice: Client, alice: User, bob: User) -> None:
        own = weekly(calendar_of(alice))
        meeting(calendar_of(bob), "Bob's secret title", TEN, **ZOOM)
        confirm(alice, NOW, rule="never")
        confirm(bob, NOW)
        page = as_alice.get(f"/meetings/{own.pk}/").content
        assert "Sally does not join – your rule is: Never join meetings automatically Bob sends her all the same." in (
            text_of(page)
        )
        assert b"secret" not in page

    def test_ones_own_other_meeting_does(self, as_alice: Client, alice: User) -> None:
        own = weekly(calendar_of(alice), private=True)
        meeting(calendar_of(alice, 2), "The same, shared", TEN, **ZOOM)
        confirm(alice, NOW)
        page = text_of(as_alice.get(f"/meetings/{own.pk}/").content)
        assert "She comes all the same, with your other meeting “The same, shared”." in page

    def test_of_what_is_over_it_is_not_said(self, as_alice: Client, alice: User, bob: User, at_nine: Any) -> None:
        own = weekly(calendar_of(alice))
        weekly(calendar_of(bob))
        confirm(alice, NOW, rule="never")
        confirm(bob, NOW)
        at_nine.move_to(TEN + timedelta(hours=2))
        page = text_of(as_alice.get(f"/meetings/{own.pk}/").content)
        assert "Sally was not to join" in page
        assert "all the same" not in page


class TestTheSteps:
    def steps(self, client: Client, one: Meeting) -> list[str]:
        page = client.get(f"/meetings/{one.pk}/").content.decode()
        return [text_of(item.encode()) for item in re.findall(r"<li.*?</li>", page.split('class="steps"', 1)[1])]

    def test_all_are_told_where_all_were_asked(self, as_alice: Client, alice: User) -> None:
        one = weekly(calendar_of(alice), attendees=[BOB])
        confirm(alice, NOW, rule="internal", skip_free=False)
        assert self.steps(as_alice, one)[:14] == [
            "You confirmed a rule on 23 November 2026.",
            "It is not cancelled.",
            "It is not over.",
            "It has a start and an end.",
            "There is a link that Sally can use: Zoom.",
            "You decided nothing for this meeting.",
            "You have not declined.",
            "It is not private.",
            "It had not begun when you confirmed a rule.",
            "Your rule is “Join only internal meetings” – everybody is internal. this decided",
            "“Only meetings I accepted” is off.",
            "It is not confidential.",
            "“Not those shown as free” is off.",
            "It does not last all day.",
        ]

    @pytest.mark.parametrize(
        ("fields", "terms", "last"),
        [
            ({"cancelled": True}, {}, "It is cancelled."),
            ({"end": TEN - timedelta(minutes=55)}, {}, "It ends before it begins."),
            ({"join_url": "", "service": ""}, {}, "There is no link."),
            ({"service": "goto"}, {}, "There is a link, but Sally cannot use it: GoTo."),
            ({"response": "declined"}, {}, "You declined."),
            (
                {"private": True}, {},
                "It is a private appointment, and those Sally joins only if you say so for one of them.",
            ),
            ({"start": NOW - timedelta(minutes=30)}, {}, "It had begun when you confirmed a rule."),
            ({}, {"rule": "never"}, "Your rule is “Never join meetings automatically”."),
            (
                {"attendees": [GUEST]}, INTERNAL,
                "Your rule is “Join only internal meetings” – external: guest@partner.example is not on the whitelist.",
            ),
            ({}, {"only_accepted": True}, "You have not accepted it, and “Only meetings I accepted” is on."),
            ({"confidential": True}, {}, "It is confidential, and “Not the confidential ones” is on."),
            ({"show_as": "free"}, {}, "It is shown as free, and “Not those shown as free” is on."),
        ],
    )  # fmt: skip
    def test_the_last_is_marked_as_the_one_that_decided(
        self, as_alice: Client, alice: User, fields: dict[str, Any], terms: dict[str, Any], last: str
    ) -> None:
        one = weekly(calendar_of(alice), **fields)
        confirm(alice, NOW, **terms)
        steps = [step for step in self.steps(as_alice, one) if "Seen by" not in step]
        decided = [step for step in steps if step.endswith("this decided")]
        assert decided == [f"{last} this decided"]
        assert "First seen by Sally" in steps[steps.index(decided[0]) + 1]

    def test_a_switch_is_asked_after_the_rule_said_yes(self, as_alice: Client, alice: User) -> None:
        one = weekly(calendar_of(alice), show_as="free")
        confirm(alice, NOW)
        assert "By your rule “Join all meetings” Sally would join." in self.steps(as_alice, one)

    @pytest.mark.parametrize(
        ("choice", "series", "words"),
        [
            ("join", False, "You said for this meeting: Sally joins. this decided"),
            ("skip", True, "You said for the whole series: Sally does not join. this decided"),
            ("follow", False, "You said for this meeting: Follow the rule."),
        ],
    )
    def test_what_one_said_is_told(self, as_alice: Client, alice: User, choice: str, series: bool, words: str) -> None:
        one = weekly(calendar_of(alice), kind="occurrence", original_start=TEN)
        confirm(alice, NOW)
        attendance.decide_for(alice, one, choice=choice, lead=None, whole_series=series, now=NOW)
        assert words in self.steps(as_alice, one)

    def test_before_a_rule_is_confirmed_that_is_the_only_one(self, as_alice: Client, alice: User) -> None:
        one = weekly(calendar_of(alice))
        assert self.steps(as_alice, one)[0] == "No rule is confirmed yet, so nothing is planned. this decided"
        page = text_of(as_alice.get(f"/meetings/{one.pk}/").content)
        assert "Nothing is planned before you have confirmed a rule for your meetings." in page

    def test_a_rule_of_the_organization_is_called_so(self, as_alice: Client, alice: User) -> None:
        one = weekly(calendar_of(alice))
        confirm(alice, NOW)
        assert alice.organization
        attendance.save_organization(alice.organization, {"rule": "host", "locked": True}, [], NOW)
        assert (
            "Your organization's rule is “Join only if I am the host” – you are not the host. this decided"
        ) in self.steps(as_alice, one)
        page = text_of(as_alice.get(f"/meetings/{one.pk}/").content)
        assert "The rule is set by your organization: Join only if I am the host." in page


def test_all_that_is_stored_of_a_plan_is_told_in_words(as_alice: Client, alice: User, bob: User) -> None:
    own = weekly(calendar_of(alice), attendees=[GUEST])
    theirs = meeting(calendar_of(bob), "Bob's secret title", TEN, **ZOOM)
    confirm(alice, NOW, rule="internal")

    def stored() -> dict[str, str]:
        page = html.unescape(as_alice.get(f"/meetings/{own.pk}/").content.decode())
        assert "secret" not in page
        return dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]*)</dd>", page))

    assert stored()["Why Sally joins or does not"] == "external: guest@partner.example is not on the whitelist"
    assert stored()["Number of the meeting that sends Sally"] == "–"
    assert stored()["Last decided"] == "23 November 2026, 09:00"
    confirm(alice, NOW, rule="all")
    assert stored()["Why Sally joins or does not"] == "your rule: Join all meetings"
    assert stored()["Sally joins at"] == "23 November 2026, 09:59"
    confirm(bob, NOW, lead=-5)
    assert stored()["Why Sally joins or does not"] == "another meeting sends her into the same room"
    assert stored()["Number of the meeting that sends Sally"] == str(theirs.pk)


def test_somebody_without_an_organization_is_told_of_none(db: None) -> None:
    solo = make_user("solo@nowhere.example", None)  # type: ignore[arg-type]
    one = weekly(calendar_of(solo), attendees=[GUEST])
    confirm(solo, NOW, rule="organization")
    assert said_of(one) == ("Sally does not join", "guest@partner.example is not a user of your organization")
