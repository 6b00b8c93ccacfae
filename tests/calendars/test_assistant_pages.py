"""Settings → Meeting Assistant: what is set is shown before it is saved, and nothing is planned before a first yes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection as database
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from calendars import attendance, forms
from calendars.models import Meeting, OrganizationParticipation, Participation
from integrations.models import CalendarConnection
from sally.models import Organization, User
from tests.calendars.rows import meeting
from tests.conftest import make_user

PAGE, START = "/settings/meeting-assistant/", "/settings/meeting-assistant/start/"
NOW = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
RULES = {
    "all": "Join all meetings",
    "internal": "Join only internal meetings",
    "organization": "Join only meetings with users from this organization",
    "external": "Join only external meetings",
    "host": "Join only if I am the host",
    "never": "Never join meetings automatically",
}
# As a browser sends the form where nothing was changed: a checkbox that is off is not sent.
USUAL = {"skip_confidential": "on", "skip_free": "on", "skip_all_day": "on", "lead": ""}
STORED = {
    "rule": "all", "only_accepted": False, "skip_confidential": True, "skip_free": True, "skip_all_day": True,
    "lead": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return connected(alice)


def connected(user: User, **fields: object) -> CalendarConnection:
    defaults: dict[str, object] = {"status": "connected", "last_synced_at": NOW, "next_sync_at": NOW}
    return CalendarConnection.objects.create(
        owner=user, provider="microsoft-work", account_id=f"u{user.pk}.t", account_email=user.email,
        **(defaults | fields),
    )  # fmt: skip


def online(connection: CalendarConnection, subject: str, *others: str, days: float = 1, **fields: object) -> Meeting:
    """An hour with a link that Sally can use, to which ``others`` are invited."""
    attendees = [["", address, "required", "none"] for address in others]
    made: dict[str, Any] = {"join_url": f"https://zoom.us/j/{subject}", "service": "zoom", "attendees": attendees}
    return meeting(connection, subject, NOW + timedelta(days=days), **(made | fields))


@pytest.fixture
def week(connection: CalendarConnection) -> CalendarConnection:
    """By which rules Sally would come: all 5, internal 3, organization 2, external 2, host 1, never 0."""
    online(connection, "alone", is_organizer=True, response="organizer")
    online(connection, "with-herself", "alice@quay.example")
    online(connection, "with-a-colleague-who-has-no-account", "nobody@quay.example")
    online(connection, "with-a-guest", "guest@partner.example")
    online(connection, "with-both", "nobody@quay.example", "guest@partner.example")
    online(connection, "in-ten-days", "guest@partner.example", days=10)
    online(connection, "declined", response="declined")
    online(connection, "offline", join_url="", service="")
    return connection


def confirm(user: User, **values: Any) -> None:
    attendance.save_terms(user, STORED | values, NOW)


def set_for_everybody(organization: Organization, **values: Any) -> None:
    attendance.save_organization(
        organization, STORED | {"locked": False, "lock_reason": ""} | values, organization.internal_domains, NOW
    )


def told(response: Any) -> str:
    assert response.status_code == 200, response
    return re.sub(r"\s+", " ", response.content.decode())


def page(client: Client, path: str = PAGE) -> str:
    return told(client.get(path))


def text_of(html: str, id: str) -> str:
    found = re.search(rf'<(\w+)[^>]* id="{id}"[^>]*>(.*?)</\1>', html)
    assert found, f"no element {id}"
    return found[2].strip()


def chosen(html: str) -> list[str]:
    """The values of the radio buttons and boxes that are ticked, and of the lead that is selected."""
    ticked = [tag for tag in re.findall(r"<input[^>]*>", html) if " checked" in tag]
    values = [re.search(r'value="([^"]*)"', tag) for tag in ticked if 'type="radio"' in tag]
    boxes = [re.search(r'name="([^"]*)"', tag) for tag in ticked if 'type="checkbox"' in tag]
    leads = re.findall(r'<option value="(-?\d*)" selected>', html)
    return [one[1] for one in [*values, *boxes] if one] + leads


def hidden(html: str) -> dict[str, list[str]]:
    """What the form of a preview sends."""
    found: dict[str, list[str]] = {}
    for tag in re.findall(r'<input type="hidden"[^>]*>', html):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        assert name
        if name[1] != "csrfmiddlewaretoken":
            found.setdefault(name[1], []).append(value[1] if value else "")
    return found


def joined() -> set[str]:
    return {one.subject for one in Meeting.objects.exclude(join_at=None)}


class TestTheForm:
    def test_who_chose_nothing_yet_is_led_to_the_first_choice(self, as_alice: Client, week: CalendarConnection) -> None:
        for response in (as_alice.get(PAGE), as_alice.post(PAGE, USUAL | {"rule": "all", "save": "yes"})):
            assert (response.status_code, response.headers["Location"]) == (302, START)
        assert not Participation.objects.exists()

    def test_it_has_the_products_heading_legend_and_six_rules(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        confirm(alice)
        html = page(as_alice)
        assert "<h1>Meeting Assistant</h1>" in html
        assert "<legend>Automatic meeting participation</legend>" in html
        assert re.findall(r'<label for="rule-[^"]*">([^<]*)</label>', html) == list(RULES.values())
        assert re.findall(r'type="radio"[^>]* value="([^"]*)"', html) == list(RULES)

    def test_each_rule_says_how_many_meetings_of_the_coming_week_it_means(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        confirm(alice, rule="never")
        html = page(as_alice)
        counts = {rule: text_of(html, f"count-{rule}") for rule in RULES}
        words = {
            "all": "5 meetings", "internal": "3 meetings", "organization": "2 meetings", "external": "2 meetings",
            "host": "1 meeting", "never": "0 meetings",
        }  # fmt: skip
        assert counts == {rule: f"{count} in the next 7 days" for rule, count in words.items()}
        for rule in RULES:
            assert f'aria-describedby="count-{rule} meaning-{rule}"' in html

    @pytest.mark.parametrize(
        ("domains", "words"),
        [
            (["quay.example", "harbour.example"], "whitelist: quay.example, harbour.example."),
            ([], "whitelist is still empty"),
            ([f"n{n}.example" for n in range(6)], "whitelist (6 domains)."),
        ],
    )
    def test_internal_is_explained_by_the_white_list(
        self, as_alice: Client, alice: User, week: CalendarConnection, domains: list[str], words: str
    ) -> None:
        Organization.objects.update(internal_domains=domains)
        confirm(alice)
        assert words in text_of(page(as_alice), "meaning-internal")

    def test_who_belongs_to_no_organization_reads_of_none(self, db: None) -> None:
        loner = User.objects.create_user("loner@home.example", "a password", language="en")
        connected(loner)
        confirm(loner)
        client = Client()
        client.force_login(loner)
        html = page(client)
        assert "there is no whitelist" in text_of(html, "meaning-internal")
        assert "your organization" not in html

    def test_what_is_set_is_chosen(self, as_alice: Client, alice: User, week: CalendarConnection) -> None:
        confirm(alice, rule="host", only_accepted=True, skip_free=False, lead=-10)
        assert chosen(page(as_alice)) == ["host", "only_accepted", "skip_confidential", "skip_all_day", "-10"]

    def test_the_lead_goes_from_ten_minutes_before_to_ten_after(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        confirm(alice)
        offered = re.findall(r"<option[^>]*>([^<]*)</option>", page(as_alice))
        assert (len(offered), offered[0], offered[1]) == (
            22, "Usual (1 minute before the start)", "10 minutes before the start",
        )  # fmt: skip
        assert offered[11:13] == ["at the start", "1 minute after the start"]
        assert offered[21] == "10 minutes after the start"

    def test_the_organizations_default_is_offered_first(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        set_for_everybody(alice.organization, rule="external", lead=0)  # type: ignore[arg-type]
        confirm(alice, rule="")
        html = page(as_alice)
        labels = re.findall(r'<label for="rule-[^"]*">([^<]*)</label>', html)
        assert labels == ["As my organization has set: Join only external meetings", *RULES.values()]
        assert text_of(html, "count-organization-default") == "2 meetings in the next 7 days"
        assert "As my organization has set (at the start)" in html
        assert chosen(html)[0] == ""

    def test_it_says_what_is_always_left_out(self, as_alice: Client, alice: User, week: CalendarConnection) -> None:
        confirm(alice)
        assert "meetings that you declined and private appointments are left out, unless you say so" in page(as_alice)

    def test_the_menu_has_it_between_integrations_and_privacy(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        confirm(alice)
        menu = re.findall(r'<a href="/settings/[^"]+"[^>]*>([^<]+)</a>', page(as_alice))
        assert menu[:3] == ["Integrations", "Meeting Assistant", "Privacy"]

    def test_only_admins_are_shown_the_way_to_what_counts_for_everybody(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        confirm(alice)
        assert f"{PAGE}organization/" not in page(as_alice)
        User.objects.update(role="admin")
        assert f'href="{PAGE}organization/"' in page(as_alice)


class TestThePreview:
    @pytest.fixture(autouse=True)
    def external(self, alice: User, week: CalendarConnection) -> None:
        confirm(alice, rule="external")

    def test_it_lists_what_sally_would_join_more_and_fewer_and_saves_nothing(
        self, as_alice: Client, alice: User
    ) -> None:
        html = told(as_alice.post(PAGE, USUAL | {"rule": "internal"}))
        assert text_of(html, "gained") == "Sally would join 3 more meetings"
        assert text_of(html, "lost") == "Sally would join 3 fewer meetings"
        gained, lost = html[html.index('id="gained"') : html.index('id="lost"')], html[html.index('id="lost"') :]
        subjects = r"<bdi>([^<]*)</bdi>"
        assert re.findall(subjects, gained) == ["alone", "with-herself", "with-a-colleague-who-has-no-account"]
        assert re.findall(subjects, lost) == ["with-a-guest", "with-both", "in-ten-days"]
        assert alice.participation.rule == "external"
        assert joined() == {"with-a-guest", "with-both", "in-ten-days"}

    def test_times_are_in_the_persons_zone(self, as_alice: Client) -> None:
        html = told(as_alice.post(PAGE, USUAL | {"rule": "host"}))
        assert "Tuesday, 24 Nov 2026, 12:00" in html.replace("24 November", "24 Nov")
        assert "Europe/Berlin" in html

    def test_another_lead_is_told_as_another_time(self, as_alice: Client) -> None:
        html = told(as_alice.post(PAGE, USUAL | {"rule": "external", "lead": "5"}))
        assert text_of(html, "moved") == "Sally would join 3 meetings at another time"
        assert 'id="gained"' not in html

    def test_where_nothing_changes_it_says_so_and_still_asks(self, as_alice: Client) -> None:
        html = told(as_alice.post(PAGE, USUAL | {"rule": "external"}))
        assert "For the meetings of the next 14 days nothing changes." in html
        assert 'name="save"' in html

    def test_long_lists_are_cut(self, as_alice: Client, week: CalendarConnection) -> None:
        for number in range(29):
            online(week, f"more-{number}", days=2 + number / 24)
        html = told(as_alice.post(PAGE, USUAL | {"rule": "internal"}))
        gained = html[html.index('id="gained"') : html.index('id="lost"')]
        assert text_of(html, "gained") == "Sally would join 32 more meetings"
        assert len(re.findall("<bdi>", gained)) == 20
        assert "and 12 more" in gained
        # The earliest are named.
        assert "more-16<" in gained
        assert "more-17<" not in gained

    def test_back_leads_to_the_form_with_what_was_chosen(self, as_alice: Client) -> None:
        typed = {"rule": "host", "only_accepted": "on", "skip_free": "on", "lead": "-3"}
        sent = hidden(told(as_alice.post(PAGE, typed)))
        html = told(as_alice.post(PAGE, sent | {"back": "yes"}))
        assert chosen(html) == ["host", "only_accepted", "skip_free", "-3"]
        assert "errorlist" not in html

    def test_save_does_what_the_preview_showed(self, as_alice: Client, alice: User) -> None:
        sent = hidden(told(as_alice.post(PAGE, {"rule": "internal", "only_accepted": "on", "lead": "0"})))
        response = as_alice.post(PAGE, sent | {"save": "yes"}, follow=True)
        assert response.redirect_chain == [(PAGE, 302)]
        assert "Saved. From now on Sally joins by what you chose." in told(response)
        saved = Participation.objects.values(*STORED).get(user=alice)
        assert saved == {
            "rule": "internal", "only_accepted": True, "skip_confidential": False, "skip_free": False,
            "skip_all_day": False, "lead": 0,
        }  # fmt: skip
        assert joined() == {"alone"}  # the others were not accepted
        assert Meeting.objects.get(subject="alone").join_at == NOW + timedelta(days=1)

    def test_a_change_keeps_when_it_was_first_confirmed(
        self, as_alice: Client, alice: User, clock: time_machine.Traveller
    ) -> None:
        clock.move_to(NOW + timedelta(minutes=10))
        as_alice.post(PAGE, USUAL | {"rule": "host", "save": "yes"})
        assert Participation.objects.get(user=alice).confirmed_at == NOW

    @pytest.mark.parametrize("button", ["", "save", "back"])
    @pytest.mark.parametrize(
        "nonsense",
        [{"rule": "x"}, {"rule": ""}, {"rule": "\x00"}, {"lead": "abc"}, {"lead": "11"}, {"lead": "\x00"},
         {"lead": "9" * 5000}, {"rule": "é" * 10_000}],
        ids=lambda one: ascii(one)[:30],
    )  # fmt: skip
    def test_nonsense_gets_words_and_changes_nothing(
        self, as_alice: Client, alice: User, nonsense: dict[str, str], button: str
    ) -> None:
        html = told(as_alice.post(PAGE, USUAL | {"rule": "all"} | nonsense | ({button: "yes"} if button else {})))
        assert ("Please look at the marked fields." in html) == (button != "back")
        assert Participation.objects.values(*STORED).get(user=alice) == STORED | {"rule": "external"}

    def test_a_colleague_is_not_concerned(self, as_alice: Client, bob: User) -> None:
        theirs = connected(bob)
        online(theirs, "of-bob")
        confirm(bob, rule="never")
        assert "of-bob" not in told(as_alice.post(PAGE, USUAL | {"rule": "all"}))
        as_alice.post(PAGE, USUAL | {"rule": "all", "save": "yes"})
        assert Participation.objects.get(user=bob).rule == "never"


class TestStatements:
    def count(self, client: Client, method: str, path: str, typed: dict[str, Any] | None = None) -> int:
        with CaptureQueriesContext(database) as captured:
            assert getattr(client, method)(path, typed or {}).status_code in (200, 302)
        return len(captured.captured_queries)

    def test_pages_ask_no_more_of_the_database_with_more_meetings(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        def counted() -> list[int]:
            as_alice.get(PAGE)  # shows what was said last
            return [
                self.count(as_alice, "get", PAGE),
                self.count(as_alice, "post", PAGE, USUAL | {"rule": "internal"}),
                self.count(as_alice, "post", PAGE, USUAL | {"rule": "external", "save": "yes"}),
            ]

        confirm(alice, rule="external")
        few = counted()
        for number in range(60):
            online(week, f"more-{number}", "guest@partner.example" if number % 2 else "nobody@quay.example")
        attendance.replan_all(NOW)
        assert counted() == few
        assert max(few) <= 16

    def test_the_first_choice_neither(self, as_alice: Client, week: CalendarConnection) -> None:
        few = self.count(as_alice, "get", START)
        for number in range(60):
            online(week, f"more-{number}")
        assert self.count(as_alice, "get", START) == few <= 11

    def test_nor_the_organizations_page_with_more_people(self, as_alice: Client, alice: User) -> None:
        User.objects.update(role="admin")
        connected(alice)
        path, typed = f"{PAGE}organization/", USUAL | {"rule": "all", "domains": "quay.example"}

        def counted() -> list[int]:
            return [self.count(as_alice, "get", path), self.count(as_alice, "post", path, typed)]

        few = counted()
        for number in range(20):
            user = make_user(f"n{number}@quay.example", alice.organization)  # type: ignore[arg-type]
            online(connected(user), f"of-{number}")
            confirm(user, rule="never")
        assert counted() == few
        assert max(few) <= 10


class TestTheFirstChoice:
    def test_without_a_calendar_it_leads_to_integrations(self, as_alice: Client) -> None:
        response = as_alice.get(START, follow=True)
        assert response.redirect_chain == [("/settings/integrations/", 302)]
        assert "Connect a calendar first." in told(response)

    def test_an_admin_without_a_calendar_comes_to_what_counts_for_everybody(
        self, as_alice: Client, alice: User
    ) -> None:
        User.objects.filter(pk=alice.pk).update(role=User.Role.ADMIN)
        response = as_alice.get("/settings/meeting-assistant/", follow=True)
        assert response.redirect_chain[-1][0] == "/settings/meeting-assistant/organization/"
        assert "White list for internal meetings" in response.content.decode()

    def test_join_all_is_chosen_and_nothing_is_planned_yet(self, as_alice: Client, week: CalendarConnection) -> None:
        html = page(as_alice, START)
        assert chosen(html) == ["all", "skip_confidential", "skip_free", "skip_all_day", ""]
        assert text_of(html, "count-all") == "5 meetings in the next 7 days"
        assert text_of(html, "count-external") == "2 meetings in the next 7 days"
        assert "Nothing is planned before you confirm." in html
        assert joined() == set()

    def test_the_card_for_the_meetings_page_leads_there(self) -> None:
        card = render_to_string("calendars/_start.html")
        assert "Sally joins nothing yet" in card
        assert f'href="{START}"' in card

    def test_confirm_plans_and_leads_to_the_meetings(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        response = as_alice.post(START, USUAL | {"rule": "internal", "confirm": "yes"}, follow=True)
        assert response.redirect_chain == [("/meetings/", 302)]
        assert "Confirmed. From now on Sally joins by what you chose." in told(response)
        assert (alice.participation.rule, alice.participation.confirmed_at) == ("internal", NOW)
        assert joined() == {"alone", "with-herself", "with-a-colleague-who-has-no-account"}

    def test_what_runs_already_is_left_out(self, as_alice: Client, week: CalendarConnection) -> None:
        online(week, "running", days=-1 / 48)
        as_alice.post(START, USUAL | {"rule": "host", "confirm": "yes"})
        online(week, "running too", days=-1 / 48, is_organizer=True)
        assert attendance.replan_all(NOW) == 1
        assert joined() == {"alone"}

    def test_the_organizations_default_is_chosen(self, as_alice: Client, alice: User, week: CalendarConnection) -> None:
        set_for_everybody(alice.organization, rule="external")  # type: ignore[arg-type]
        html = page(as_alice, START)
        assert chosen(html)[0] == ""
        assert "As my organization has set: Join only external meetings" in html
        as_alice.post(START, USUAL | {"rule": "", "confirm": "yes"})
        assert alice.participation.rule == ""
        assert joined() == {"with-a-guest", "with-both", "in-ten-days"}

    def test_nonsense_gets_words(self, as_alice: Client, week: CalendarConnection) -> None:
        html = told(as_alice.post(START, USUAL | {"rule": "x", "lead": "abc", "confirm": "yes"}))
        assert "Please look at the marked fields." in html
        assert "<details open>" in html
        assert not Participation.objects.exists()

    def test_newer_numbers_lose_nothing_that_was_chosen(self, as_alice: Client, week: CalendarConnection) -> None:
        """Without JavaScript: a button of the form."""
        CalendarConnection.objects.update(status="connecting", last_synced_at=None)
        assert "<noscript><button" in page(as_alice, START)
        html = told(as_alice.post(START, {"rule": "host", "only_accepted": "on", "lead": "7"}))
        assert chosen(html) == ["host", "only_accepted", "7"]
        assert not Participation.objects.exists()

    def test_while_a_calendar_is_read_only_the_numbers_follow(self, as_alice: Client, week: CalendarConnection) -> None:
        CalendarConnection.objects.update(status="connecting", last_synced_at=None)
        html = page(as_alice, START)
        assert "Your calendar is being read; the numbers grow." in html
        assert f'data-follow hx-get="{START}" hx-trigger="every 2s, seen"' in html
        online(week, "one more")
        fragment = told(as_alice.get(START, headers={"hx-request": "true"}))
        assert re.search(r'id="count-all" hx-swap-oob="true">6 meetings in the next 7 days<', fragment)
        assert "<input" not in fragment
        assert "data-follow" in fragment
        assert "role=" not in fragment  # nothing that a screen reader would read out again

    def test_once_it_is_read_it_says_so_and_rests(self, as_alice: Client, week: CalendarConnection) -> None:
        assert "data-follow" not in page(as_alice, START)
        fragment = told(as_alice.get(START, headers={"hx-request": "true"}))
        assert "data-follow" not in fragment
        assert "Your calendar was read; the numbers are complete." in fragment

    def test_who_chose_before_is_led_on(self, as_alice: Client, alice: User, week: CalendarConnection) -> None:
        confirm(alice)
        assert as_alice.get(START).headers["Location"] == PAGE
        assert as_alice.get(f"{START}?connected").headers["Location"] == "/meetings/"
        assert as_alice.post(START, USUAL | {"rule": "never", "confirm": "yes"}).headers["Location"] == PAGE
        assert alice.participation.rule == "all"

    def test_a_page_still_open_there_moves_on_as_a_whole(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        confirm(alice)
        response = as_alice.get(START, headers={"hx-request": "true"})
        assert (response.status_code, response.headers["HX-Redirect"]) == (200, PAGE)

    def test_who_follows_a_default_that_is_gone_chooses_again(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        confirm(alice, rule="")
        assert as_alice.get(PAGE).headers["Location"] == START
        assert chosen(page(as_alice, START))[0] == "all"


class TestLocked:
    @pytest.fixture(autouse=True)
    def locked(self, quay: Organization) -> None:
        set_for_everybody(quay, rule="external", only_accepted=True, locked=True, lock_reason="The works council <3")

    def test_what_counts_is_shown_with_the_reason_and_no_form_for_it(
        self, as_alice: Client, alice: User, week: CalendarConnection
    ) -> None:
        confirm(alice, rule="all")
        html = page(as_alice)
        assert "Set by your organization" in html
        assert "<strong>Join only external meetings</strong>" in html
        assert "Only meetings I accepted" in html
        assert escape("The works council <3") in html
        assert 'type="radio"' not in html
        assert 'type="checkbox"' not in html
        assert '<select name="lead"' in html

    def test_only_the_lead_is_the_members_own(self, as_alice: Client, alice: User, week: CalendarConnection) -> None:
        confirm(alice, rule="host", skip_free=False)
        as_alice.post(PAGE, {"rule": "all", "skip_free": "on", "lead": "3", "save": "yes"})
        kept = Participation.objects.values(*STORED).get(user=alice)
        assert kept == STORED | {"rule": "host", "skip_free": False, "lead": 3}

    def test_nor_even_that_where_the_organization_set_it(
        self, as_alice: Client, alice: User, quay: Organization, week: CalendarConnection
    ) -> None:
        set_for_everybody(quay, rule="external", locked=True, lock_reason="Why not", lead=2)
        confirm(alice)
        html = page(as_alice)
        assert "Sally joins 2 minutes after the start" in html
        assert '<form method="post" class="card"' not in html
        html = told(as_alice.post(PAGE, {"lead": "3", "save": "yes"}))
        assert Participation.objects.get(user=alice).lead is None

    def test_a_member_still_confirms_once(self, as_alice: Client, alice: User, week: CalendarConnection) -> None:
        Meeting.objects.update(response="accepted")
        html = page(as_alice, START)
        assert 'type="radio"' not in html
        assert escape("The works council <3") in html
        assert text_of(html, "count-organization-default") == "2 meetings in the next 7 days"
        assert joined() == set()
        as_alice.post(START, {"rule": "all", "lead": "", "confirm": "yes"})
        assert alice.participation.rule == ""
        assert joined() == {"with-a-guest", "with-both", "in-ten-days"}

    def test_while_the_calendar_is_read_its_number_follows(self, as_alice: Client, week: CalendarConnection) -> None:
        CalendarConnection.objects.update(status="connecting", last_synced_at=None)
        Meeting.objects.update(response="accepted")
        fragment = told(as_alice.get(START, headers={"hx-request": "true"}))
        assert 'id="count-organization-default" hx-swap-oob="true">2 meetings' in fragment


class TestForEverybody:
    PATH = f"{PAGE}organization/"

    @pytest.fixture
    def anna(self, quay: Organization) -> User:
        return make_user("anna@quay.example", quay, role="admin")

    @pytest.fixture
    def as_anna(self, anna: User) -> Client:
        client = Client()
        client.force_login(anna)
        return client

    def typed(self, *domains: str, **fields: str) -> dict[str, Any]:
        return USUAL | {"rule": "", "domains": list(domains)} | fields

    def shown(self, html: str) -> list[str]:
        return re.findall(r'name="domains" value="([^"]*)"', html)

    def domains(self, quay: Organization) -> list[str]:
        quay.refresh_from_db()
        return list(quay.internal_domains)

    # -- who may ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_for_members_there_is_no_such_page(self, as_alice: Client, method: str) -> None:
        assert getattr(as_alice, method)(self.PATH).status_code == 404

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_nor_for_admins_of_another_organization(
        self, as_anna: Client, charlie: User, quay: Organization, method: str
    ) -> None:
        asked = f"{self.PATH}?organization={charlie.organization_id}"
        response = as_anna.get(asked) if method == "get" else as_anna.post(asked, self.typed(save="yes"))
        assert response.status_code == 404
        assert as_anna.get(f"{self.PATH}?organization={quay.pk}").status_code == 200

    def test_a_superuser_names_the_organization(self, quay: Organization) -> None:
        client = Client()
        client.force_login(User.objects.create_superuser("root@sally.example", "a password", language="en"))
        assert client.get(self.PATH).status_code == 404
        assert "For everybody at Harbour &amp; Quay" in page(client, f"{self.PATH}?organization={quay.pk}")
        response = client.post(f"{self.PATH}?organization={quay.pk}", self.typed("new.example", save="yes"))
        assert response.headers["Location"] == f"{self.PATH}?organization={quay.pk}"
        assert self.domains(quay) == ["new.example"]

    @pytest.mark.parametrize("nonsense", ["", "x", "-1", "0", "1.0", "٣", "9" * 30, "\x00"])
    def test_nonsense_for_an_organization_is_not_found(self, db: None, nonsense: str) -> None:
        client = Client()
        client.force_login(User.objects.create_superuser("root@sally.example", "a password"))
        assert client.get(self.PATH, {"organization": nonsense}).status_code == 404

    def test_the_password_is_asked_for_again(
        self, as_anna: Client, quay: Organization, clock: time_machine.Traveller
    ) -> None:
        clock.move_to(NOW + timedelta(minutes=16))
        for response in (as_anna.get(self.PATH), as_anna.post(self.PATH, self.typed("evil.example", save="yes"))):
            assert response.headers["Location"].startswith("/confirm/?next=")
        assert self.domains(quay) == ["quay.example"]

    # -- the whitelist -----------------------------------------------------------------------------------------------

    def test_the_white_list_can_grow_and_shrink_and_nothing_typed_is_lost(
        self, as_anna: Client, quay: Organization
    ) -> None:
        html = page(as_anna, self.PATH)
        assert self.shown(html) == ["quay.example"]
        more = {"locked": "on", "lock_reason": "Because", "rule": "host", "lead": "4"}
        html = told(as_anna.post(self.PATH, self.typed("quay.example", "half typ", new="yes", **more)))
        assert self.shown(html) == ["quay.example", "half typ", ""]
        assert re.search(r'id="domain-2"[^>]* autofocus', html)
        assert "errorlist" not in html
        assert "Because</textarea>" in html
        assert '<option value="host" selected>' in html
        assert '<option value="4" selected>' in html
        html = told(as_anna.post(self.PATH, self.typed("quay.example", "half typ", "third", remove="1", **more)))
        assert self.shown(html) == ["quay.example", "third"]
        assert self.domains(quay) == ["quay.example"]

    @pytest.mark.parametrize("nonsense", ["x", "7", "-1", "", "٣", "\x00"])
    def test_what_is_not_there_cannot_be_removed(self, as_anna: Client, nonsense: str) -> None:
        assert self.shown(told(as_anna.post(self.PATH, self.typed("a.example", remove=nonsense)))) == ["a.example"]

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            (["@company.com"], ["company.com"]),
            (["Company.com", "COMPANY.COM."], ["company.com"]),
            (["münchen.example", "xn--mnchen-3ya.example"], ["münchen.example"]),
            (["Ada@Company.com"], ["company.com"]),
            (["a.example, b.example;c.example\td.example"], ["a.example", "b.example", "c.example", "d.example"]),
            (["", "  ", "b.example", "a.example"], ["b.example", "a.example"]),
            ([], []),
        ],
    )
    def test_domains_are_taken_as_people_write_them(
        self, as_anna: Client, quay: Organization, typed: list[str], kept: list[str]
    ) -> None:
        assert as_anna.post(self.PATH, self.typed(*typed, save="yes")).status_code == 302
        assert self.domains(quay) == kept

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ("com", "“com” is not a whole domain. Write it as in company.com."),
            ("@company", "“@company” is not a whole domain. Write it as in company.com."),
            ("not_a_domain!.com", "“not_a_domain!.com” is no domain."),
            ("-.com", "“-.com” is no domain."),
            ("1.2.3.4", "“1.2.3.4” is no domain."),
            ("a..com", "“a..com” is no domain."),
            ("*.company.com", "“*.company.com” is no domain."),
            ("https://company.com/", "“https://company.com/” is no domain."),
            ("com\x00pany.com", "“company.com” is no domain."),
            ("x" * 10_000 + ".com", "“" + "x" * 60 + "” is no domain."),
        ],
        ids=lambda one: ascii(one)[:20],
    )
    def test_what_is_no_domain_is_refused_at_its_field(
        self, as_anna: Client, quay: Organization, typed: str, words: str
    ) -> None:
        html = told(as_anna.post(self.PATH, self.typed("good.example", typed, save="yes")))
        assert words in text_of(html, "domain-1-error")
        assert re.search(r'id="domain-1"[^>]* aria-invalid="true" aria-describedby="domain-1-error"', html)
        assert 'id="domain-0-error"' not in html
        assert 'role="alert"' in html
        assert self.domains(quay) == ["quay.example"]

    def test_ten_thousand_domains_get_words(self, as_anna: Client, quay: Organization) -> None:
        text = " ".join(f"n{n}.example" for n in range(10_000))
        assert "Only 500 domains fit here." in told(as_anna.post(self.PATH, self.typed(text, save="yes")))
        lines = self.typed(*text.split(), save="yes")
        assert as_anna.post(self.PATH, lines).status_code == 400
        assert self.domains(quay) == ["quay.example"]

    # -- what counts for everybody ------------------------------------------------------------------------------------

    def test_too_many_domains_are_refused_without_a_look_at_each(
        self, as_anna: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Half a minute for the hundred thousands that fit into one request."""
        monkeypatch.setattr(forms, "refusal", lambda text: pytest.fail("one was looked at"))
        text = " ".join(f"ä{number}.example" for number in range(501))
        assert "Only 500 domains fit here." in told(as_anna.post(self.PATH, self.typed(text, save="yes")))

    def test_a_lock_needs_a_rule_and_a_reason(self, as_anna: Client) -> None:
        html = told(as_anna.post(self.PATH, self.typed(locked="on", lock_reason=" \n ", save="yes")))
        assert "Choose the rule that counts for everybody." in html
        assert "Say why: everybody sees it beside the rule." in html
        assert not OrganizationParticipation.objects.exists()

    @pytest.mark.parametrize(
        "nonsense",
        [{"rule": "x"}, {"lead": "abc"}, {"lead": "-11"}, {"rule": "\x00"}, {"lock_reason": "x" * 301},
         {"lock_reason": "\x00"}],
        ids=lambda one: ascii(one)[:30],
    )  # fmt: skip
    def test_nonsense_gets_words(self, as_anna: Client, nonsense: dict[str, str]) -> None:
        html = told(as_anna.post(self.PATH, self.typed(save="yes") | nonsense))
        assert "Please look at the marked fields." in html
        assert not OrganizationParticipation.objects.exists()

    def test_the_preview_has_numbers_only(self, as_anna: Client, alice: User, bob: User, quay: Organization) -> None:
        online(connected(alice), "secret of alice", "guest@partner.example")
        online(connected(bob), "secret of bob", "guest@partner.example", "nobody@quay.example")
        for one in (alice, bob):
            confirm(one, rule="internal")
        html = told(as_anna.post(self.PATH, self.typed("quay.example", "Partner.example")))
        assert "This changes 2 meetings of 2 people in the next 14 days." in html
        assert "Joined by Sally: 2 more" in html
        assert "fewer" not in html
        for word in ("secret", "alice", "bob", "partner.example</"):
            assert word not in html
        assert self.domains(quay) == ["quay.example"]
        assert joined() == set()
        response = as_anna.post(self.PATH, hidden(html) | {"save": "yes"}, follow=True)
        assert "Saved. It counts for Harbour &amp; Quay from now on." in told(response)
        assert self.domains(quay) == ["quay.example", "partner.example"]
        assert joined() == {"secret of alice", "secret of bob"}

    def test_what_changes_no_meeting_says_so(self, as_anna: Client) -> None:
        html = told(as_anna.post(self.PATH, self.typed("quay.example")))
        assert "For the meetings of the next 14 days nothing changes." in html
        assert 'name="save"' in html

    def test_back_leads_to_the_form_with_all_that_was_chosen(self, as_anna: Client) -> None:
        fields = {"rule": "host", "lead": "-2", "locked": "on", "lock_reason": "Because", "only_accepted": "on"}
        sent = hidden(told(as_anna.post(self.PATH, self.typed("a.example", "B.example", **fields))))
        html = told(as_anna.post(self.PATH, sent | {"back": "yes"}))
        assert self.shown(html) == ["a.example", "B.example"]
        boxes = ["only_accepted", "skip_confidential", "skip_free", "skip_all_day", "locked"]
        assert chosen(html) == [*boxes, "-2"]
        assert '<option value="host" selected>' in html
        assert "Because</textarea>" in html

    def test_a_lock_counts_for_everybody_at_once(self, as_anna: Client, alice: User, quay: Organization) -> None:
        online(connected(alice), "with a guest", "guest@partner.example")
        confirm(alice, rule="all")
        fields = {"rule": "internal", "locked": "on", "lock_reason": "By\r\nagreement", "save": "yes"}
        as_anna.post(self.PATH, self.typed("quay.example", **fields))
        stored = OrganizationParticipation.objects.get(organization=quay)
        assert (stored.rule, stored.locked, stored.lock_reason) == ("internal", True, "By agreement")
        assert joined() == set()
