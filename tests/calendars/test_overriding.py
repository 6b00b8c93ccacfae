"""What a person says about one meeting or a series: kept, told, and taken back with Undo."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from calendars import attendance
from calendars.attendance import Said
from calendars.models import Meeting, Override
from integrations.models import CalendarConnection
from sally.models import User
from tests.calendars.rows import confirm, meeting

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TUESDAY = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ZOOM: dict[str, Any] = {"join_url": "https://zoom.us/j/1?pwd=x", "service": "zoom"}
LIST = "/meetings/?q=weekly"


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    connection = CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="u.t", account_email=alice.email, status="connected",
        last_synced_at=NOW, next_sync_at=NOW + timedelta(days=9),
    )  # fmt: skip
    confirm(alice, NOW)
    return connection


def planned(one: Meeting, owner: User, **terms: Any) -> Meeting:
    confirm(owner, NOW, **terms)
    return one


@pytest.fixture
def single(alice: User, connection: CalendarConnection) -> Meeting:
    return planned(meeting(connection, "Weekly", TUESDAY, **ZOOM), alice)


@pytest.fixture
def series(alice: User, connection: CalendarConnection) -> list[Meeting]:
    found = [
        meeting(
            connection, f"weekly {at}", at, subject="Weekly", kind="occurrence", ical_uid="uid",
            original_start=at, **ZOOM,
        )
        for at in (TUESDAY, TUESDAY + timedelta(days=7))
    ]  # fmt: skip
    planned(found[0], alice)
    return found


def say(client: Client, one: Meeting, next: str = "", **said: str) -> Any:
    return client.post(f"/meetings/{one.pk}/sally/", {"next": next or f"/meetings/{one.pk}/", **said}, follow=True)


def read(response: Any) -> str:
    """The page in one line, as it is read."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", response.content.decode())).split())


def undo(client: Client, response: Any) -> Any:
    """Press the button that the page shows."""
    page = response.content.decode()
    (form,) = re.findall(r'<form method="post" action="([^"]+)" class="notice[^>]*>(.*?)</form>', page, re.DOTALL)
    next, token = (re.search(rf'name="{name}" value="([^"]+)"', form[1]) for name in ("next", "undo"))
    assert next
    assert token
    return client.post(form[0], {"next": html.unescape(next[1]), "undo": token[1]}, follow=True)


def reasons() -> list[str]:
    return list(Meeting.objects.order_by("start").values_list("decision", flat=True))


def kept() -> list[tuple[str, int | None, bool]]:
    return list(Override.objects.order_by("pk").values_list("choice", "lead", "whole_series"))


class TestOneMeeting:
    def test_sally_is_kept_away_with_one_click_from_the_list(self, as_alice: Client, single: Meeting) -> None:
        page = as_alice.get(LIST).content.decode()
        button = re.search(r'<button[^>]*formaction="([^"]+)" name="choice" value="skip">Don.t send Sally', page)
        assert button
        assert page.count("csrfmiddlewaretoken") == 2  # one of them signs out
        response = as_alice.post(button[1], {"choice": "skip", "next": LIST}, follow=True)
        assert reasons() == ["refused"]
        assert response.redirect_chain[0][0].startswith(f"{LIST}&said=")
        assert response.redirect_chain[0][0].endswith(f"#meeting-{single.pk}")
        assert "Sally does not join “Weekly” on Tuesday, 24 November 2026." in read(response)
        assert "Sally does not join – you said so" in read(response)
        assert ">Send Sally<" in response.content.decode()

    def test_and_sent_again(self, as_alice: Client, single: Meeting) -> None:
        say(as_alice, single, choice="skip")
        response = say(as_alice, single, LIST, choice="join")
        assert reasons() == ["asked"]
        assert "Sally joins “Weekly” on Tuesday, 24 November 2026." in read(response)
        assert "Sally joins at 09:59 – you said so" in read(response)

    def test_a_click_in_the_list_leaves_the_time_as_it_was(self, as_alice: Client, single: Meeting) -> None:
        say(as_alice, single, choice="follow", lead="5")
        say(as_alice, single, LIST, choice="join")
        assert kept() == [("join", 5, False)]

    def test_another_time_goes_with_the_rule_as_well(self, as_alice: Client, single: Meeting) -> None:
        response = say(as_alice, single, choice="follow", lead="-10")
        assert kept() == [("", -10, False)]
        assert "Sally joins at 09:50 – your rule: Join all meetings" in read(response)

    def test_to_follow_the_rule_takes_back_what_was_said(self, as_alice: Client, single: Meeting) -> None:
        say(as_alice, single, choice="skip", lead="5")
        say(as_alice, single, choice="follow", lead="")
        assert kept() == []
        assert reasons() == ["all"]

    def test_what_was_said_is_chosen_on_the_page(self, as_alice: Client, single: Meeting) -> None:
        response = say(as_alice, single, choice="skip", lead="5")
        page = response.content.decode()
        assert re.findall(r'<input type="radio" name="(\w+)" value="(\w+)"[^>]*checked', page) == [("choice", "skip")]
        assert '<option value="5" selected>5 minutes after the start</option>' in page
        assert "as usual (1 minute before the start)" in page

    def test_before_anything_was_said_the_rule_is_chosen(self, as_alice: Client, single: Meeting) -> None:
        page = as_alice.get(f"/meetings/{single.pk}/").content.decode()
        assert re.findall(r'<input type="radio" name="(\w+)" value="(\w*)"[^>]*checked', page) == [("choice", "follow")]
        assert "The whole series" not in page

    def test_where_sally_cannot_come_the_list_offers_nothing(self, as_alice: Client, single: Meeting) -> None:
        Meeting.objects.update(join_url="", service="")
        confirm(single.connection.owner, NOW, rule="internal")
        page = as_alice.get(LIST).content.decode()
        assert "Sally does not join" in page
        assert "formaction" not in page

    def test_asking_for_her_where_she_cannot_come_is_kept_and_the_truth_told(
        self, as_alice: Client, single: Meeting
    ) -> None:
        Meeting.objects.update(join_url="", service="")
        response = say(as_alice, single, choice="join")
        assert kept() == [("join", None, False)]
        assert "Sally does not join “Weekly” on Tuesday, 24 November 2026 – no link." in read(response)
        assert "It is kept for when that changes." in read(response)

    def test_of_what_is_over_nothing_is_asked(self, as_alice: Client, single: Meeting, clock: Any) -> None:
        today = TUESDAY - timedelta(days=1)
        Meeting.objects.update(start=today, end=today + timedelta(hours=1))
        confirm(single.connection.owner, NOW, lead=-2)
        clock.move_to(today + timedelta(hours=2))
        page = read(as_alice.get(f"/meetings/{single.pk}/"))
        assert "Sally was to join at 09:58 – your rule: Join all meetings" in page
        assert "You decide" not in page


class TestASeries:
    def test_is_decided_as_a_whole(self, as_alice: Client, series: list[Meeting]) -> None:
        response = say(as_alice, series[0], choice="skip", lead="", series="series")
        assert reasons() == ["refused", "refused"]
        assert "Sally does not join the whole series “Weekly”." in read(response)
        assert "For the whole series you said: Sally does not join." in read(response)
        checked = re.findall(r'<input type="radio" name="(\w+)" value="(\w*)"[^>]*checked', response.content.decode())
        assert checked == [("choice", "skip"), ("series", "series")]

    def test_a_lead_of_ones_own_leaves_what_the_series_says(self, as_alice: Client, series: list[Meeting]) -> None:
        say(as_alice, series[0], choice="skip", lead="", series="series")
        owner = series[0].connection.owner
        attendance.decide_for(owner, series[0], choice="", lead=5, whole_series=False, now=NOW)
        page = as_alice.get(f"/meetings/{series[0].pk}/").content.decode()
        checked = re.findall(r'<input type="radio" name="(\w+)" value="(\w*)"[^>]*checked', page)
        assert checked == [("choice", "skip"), ("series", "")]
        assert '<option value="5" selected>' in page

    def test_or_one_of_it_alone(self, as_alice: Client, series: list[Meeting]) -> None:
        response = say(as_alice, series[0], choice="skip", lead="", series="")
        assert reasons() == ["refused", "all"]
        assert "Sally does not join “Weekly” on Tuesday, 24 November 2026." in read(response)
        assert "For the whole series you said" not in read(response)

    def test_one_of_it_follows_the_rule_although_the_series_does_not(
        self, as_alice: Client, series: list[Meeting]
    ) -> None:
        say(as_alice, series[0], choice="skip", lead="", series="series")
        response = say(as_alice, series[0], choice="follow", lead="", series="")
        assert kept() == [("skip", None, True), ("follow", None, False)]
        assert reasons() == ["all", "refused"]
        assert "Sally joins “Weekly” on Tuesday, 24 November 2026." in read(response)

    def test_to_follow_the_rule_takes_back_what_was_said_of_it(self, as_alice: Client, series: list[Meeting]) -> None:
        say(as_alice, series[0], choice="skip", lead="", series="series")
        response = say(as_alice, series[1], choice="follow", lead="", series="series")
        assert kept() == []
        assert reasons() == ["all", "all"]
        assert "The rule decides about the whole series “Weekly”." in read(response)

    def test_that_is_none_is_no_series(self, as_alice: Client, single: Meeting) -> None:
        say(as_alice, single, choice="skip", lead="", series="series")
        assert kept() == [("skip", None, False)]

    def test_its_time_is_told(self, as_alice: Client, series: list[Meeting]) -> None:
        say(as_alice, series[0], choice="join", lead="3", series="series")
        response = as_alice.get(f"/meetings/{series[1].pk}/")
        assert "For the whole series you said: Sally joins, 3 minutes after the start." in read(response)


class TestUndo:
    @pytest.mark.parametrize("before", [Said(), Said("join"), Said("", 5), Said("skip", -3)])
    @pytest.mark.parametrize("whole_series", [False, True])
    def test_brings_back_exactly_what_was_said(
        self, as_alice: Client, alice: User, series: list[Meeting], before: Said, whole_series: bool
    ) -> None:
        attendance.decide_for(
            alice, series[0], choice=before.choice, lead=before.lead, whole_series=whole_series, now=NOW
        )
        was = kept()
        where = "series" if whole_series else ""
        response = say(as_alice, series[0], choice="join", lead="10", series=where)
        assert kept() == [("join", 10, whole_series)]
        undo(as_alice, response)
        assert kept() == was

    def test_brings_back_that_one_follows_the_rule_on_its_own(
        self, as_alice: Client, alice: User, series: list[Meeting]
    ) -> None:
        """Also where the series says nothing any more: it is what was said."""
        attendance.decide_for(alice, series[0], choice="follow", lead=None, whole_series=False, now=NOW)
        undo(as_alice, say(as_alice, series[0], choice="skip", lead="", series=""))
        assert kept() == [("follow", None, False)]

    @pytest.mark.parametrize("path", [LIST, "/meetings/{pk}/"])
    def test_leads_back_and_says_what_counts_again(self, as_alice: Client, single: Meeting, path: str) -> None:
        back = path.format(pk=single.pk)
        response = undo(as_alice, say(as_alice, single, back, choice="skip"))
        assert response.redirect_chain[0][0].partition("#")[0] == back
        assert "Sally joins “Weekly” on Tuesday, 24 November 2026." in read(response)
        assert ">Undo<" not in response.content.decode()

    def test_is_there_after_a_reload(self, as_alice: Client, single: Meeting) -> None:
        address = say(as_alice, single, LIST, choice="skip").redirect_chain[0][0]
        undo(as_alice, as_alice.get(address))
        assert kept() == []

    def test_is_gone_from_other_pages(self, as_alice: Client, single: Meeting) -> None:
        say(as_alice, single, LIST, choice="skip")
        for path in (LIST, "/meetings/", f"/meetings/{single.pk}/"):
            assert ">Undo<" not in as_alice.get(path).content.decode()

    def test_a_second_decision_has_its_own(self, as_alice: Client, single: Meeting) -> None:
        first = say(as_alice, single, LIST, choice="skip").redirect_chain[0][0].partition("#")[0]
        response = say(as_alice, single, first, choice="join")
        assert response.redirect_chain[0][0].count("said=") == 1
        undo(as_alice, response)
        assert kept() == [("skip", None, False)]

    def test_is_too_late_after_an_hour(self, as_alice: Client, single: Meeting, clock: Any) -> None:
        response = say(as_alice, single, choice="skip")
        clock.shift(3601)
        response = undo(as_alice, response)
        assert "That is too long ago to be undone." in read(response)
        assert kept() == [("skip", None, False)]

    @pytest.mark.parametrize("token", ["", "x", "x:y:z"])
    def test_cannot_be_made_up(self, as_alice: Client, single: Meeting, token: str) -> None:
        assert "That is too long ago to be undone." in read(say(as_alice, single, undo=token))
        assert ">Undo<" not in as_alice.get(f"/meetings/?said={token}").content.decode()

    def test_of_one_meeting_is_none_of_another(
        self, as_alice: Client, connection: CalendarConnection, single: Meeting
    ) -> None:
        other = meeting(connection, "Other", TUESDAY)
        address = say(as_alice, single, choice="skip").redirect_chain[0][0]
        token = re.search("said=([^#]+)", address)
        assert token
        assert ">Undo<" not in as_alice.get(f"/meetings/{other.pk}/?said={token[1]}").content.decode()
        say(as_alice, other, undo=token[1])
        assert kept() == [("skip", None, False)]


class TestWhoMay:
    @pytest.mark.parametrize(
        "said",
        [{}, {"choice": "x"}, {"choice": ""}, {"choice": "join", "lead": "abc"}, {"choice": "join", "lead": "11"},
         {"choice": "join", "lead": "1.5"}, {"choice": "join", "series": "2"}, {"choice": "\0"}],
    )  # fmt: skip
    def test_nonsense_is_refused(self, as_alice: Client, single: Meeting, said: dict[str, str]) -> None:
        assert say(as_alice, single, **said).status_code == 400
        assert kept() == []

    def test_another_users_meeting_is_not_found(self, single: Meeting, bob: User, charlie: User) -> None:
        for user in (bob, charlie):
            client = Client()
            client.force_login(user)
            assert client.post(f"/meetings/{single.pk}/sally/", {"choice": "skip"}).status_code == 404
        assert kept() == []

    def test_only_a_post_decides(self, as_alice: Client, single: Meeting) -> None:
        assert as_alice.get(f"/meetings/{single.pk}/sally/?choice=skip").status_code == 405

    @pytest.mark.parametrize(
        "next",
        [
            "https://evil.example/",
            "//evil.example",
            "javascript:alert(1)",
            "x",
            "/\t///evil.example",
            "/\n///evil.example",
        ],
    )
    def test_it_leads_to_pages_of_sallys_only(self, as_alice: Client, single: Meeting, next: str) -> None:
        address = say(as_alice, single, next, choice="skip").redirect_chain[0][0]
        assert address.startswith(f"/meetings/{single.pk}/?said=")

    def test_a_title_from_outside_is_escaped_in_what_is_said(self, as_alice: Client, single: Meeting) -> None:
        Meeting.objects.update(subject="<img src=x>")
        assert "<img src=x>" not in say(as_alice, single, choice="skip").content.decode()
