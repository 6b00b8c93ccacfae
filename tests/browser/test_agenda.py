"""The switches and the agenda in front of a real browser, with Outlook (the sandbox's page) beside it."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Locator, Page, Response, expect

from calendars.models import Change, Meeting
from integrations.models import CalendarConnection, SyncOption
from sally.models import User
from tests.browser.conftest import Door, Person, work_off_the_queue
from tests.conftest import INES, connect
from tests.sandbox_process import Sandbox

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

BERLIN = ZoneInfo("Europe/Berlin")
PRIVATE = "Sync private appointments"
ONLINE = "Sync only online meetings"


@pytest.fixture
def connected(as_alice: Client, microsoft: Sandbox) -> CalendarConnection:
    """Alice's connection to Ines' built-in calendar, read once."""
    connection = connect(as_alice, microsoft)
    work_off_the_queue()
    connection.refresh_from_db()
    assert connection.last_synced_at
    return connection


@pytest.fixture
def person(door: Door, alice: User, connected: CalendarConnection) -> Person:
    person = door.person()
    person.sign_in(alice.email)
    return person


def switch(person: Person, name: str) -> Locator:
    return person.page.get_by_role("switch", name=name, exact=True)


def synced(person: Person) -> None:
    """The worker does what is queued, and the page shows it by itself."""
    assert work_off_the_queue() == 1
    expect(person.page.get_by_text("Syncing…")).to_have_count(0, timeout=10_000)


def shown_number(person: Person) -> Locator:
    return person.page.locator("dt:has-text('Meetings') + dd")


class TestSwitches:
    @pytest.mark.parametrize("javascript", [True, False])
    def test_private_on_and_off(self, door: Door, alice: User, connected: CalendarConnection, javascript: bool) -> None:
        person = door.person(java_script_enabled=javascript)
        person.sign_in(alice.email)
        person.open("/settings/integrations/")
        number = connected.meeting_count
        expect(person.page.get_by_text("2 private appointments are not synced.")).to_be_visible()
        switch(person, PRIVATE).click()
        expect(person.page.get_by_text("Private appointments are synced from now on.")).to_be_visible()
        expect(switch(person, PRIVATE)).to_have_attribute("aria-checked", "true")
        assert work_off_the_queue() == 1
        person.open("/settings/integrations/")
        expect(shown_number(person)).to_have_text(str(number + 2))
        assert Meeting.objects.filter(private=True).count() == 2
        switch(person, PRIVATE).click()
        expect(person.page.get_by_text("2 were deleted here.")).to_be_visible()
        expect(person.page.get_by_text("2 private appointments are not synced.")).to_be_visible()
        expect(shown_number(person)).to_have_text(str(number))
        assert not Meeting.objects.filter(private=True).exists()

    def test_only_online_on_and_off(self, person: Person, connected: CalendarConnection) -> None:
        person.open("/settings/integrations/")
        online = Meeting.objects.exclude(join_url="").count()
        offline = connected.meeting_count - online
        assert online > 10
        assert offline > 10
        switch(person, ONLINE).click()
        expect(person.page.get_by_text(f"{offline} meetings without a link were deleted here.")).to_be_visible()
        expect(shown_number(person)).to_have_text(str(online))
        synced(person)
        expect(person.page.get_by_text(f"{offline} meetings without a link are not synced.")).to_be_visible()
        expect(shown_number(person)).to_have_text(str(online))
        switch(person, ONLINE).click()
        expect(person.page.get_by_text("Meetings without a link are synced too from now on.")).to_be_visible()
        synced(person)
        expect(shown_number(person)).to_have_text(str(connected.meeting_count))
        assert person.complaints == []

    def test_the_keyboard_turns_them_and_keeps_its_place(self, person: Person) -> None:
        person.open("/settings/integrations/")
        switch(person, PRIVATE).focus()
        person.page.keyboard.press("Space")
        expect(switch(person, PRIVATE)).to_have_attribute("aria-checked", "true")
        expect(switch(person, PRIVATE)).to_be_focused()
        person.page.keyboard.press("Enter")
        expect(switch(person, PRIVATE)).to_have_attribute("aria-checked", "false")
        expect(switch(person, PRIVATE)).to_be_focused()


class Outlook:
    """Somebody at Ines' own calendar, in another tab."""

    def __init__(self, page: Page, sandbox: Sandbox) -> None:
        self.page = page
        self.week = f"{sandbox.pages_url}/outlook/{INES}/"

    def add(self, subject: str, start: datetime, online: str = "none") -> None:
        self.page.goto(f"{self.week}new")
        self.page.fill("[name=subject]", subject)
        self._set_time(start)
        self.page.select_option("[name=online]", online)
        self.page.get_by_role("button", name="Add the meeting").click()
        expect(self.page.get_by_text("was added")).to_be_visible()

    def open(self, subject: str, day: datetime) -> None:
        self.page.goto(f"{self.week}?day={day:%Y-%m-%d}")
        section = self.page.locator("section", has=self.page.get_by_role("heading", name=re.compile(rf"\b{day.day}\b")))
        section.get_by_role("link", name=subject).click()

    def move(self, start: datetime) -> None:
        self._set_time(start)
        self.page.get_by_role("button", name="Save").click()
        expect(self.page.get_by_text("was changed")).to_be_visible()

    def _set_time(self, start: datetime) -> None:
        self.page.fill("[name=start_day]", f"{start:%Y-%m-%d}")
        self.page.fill("[name=start_time]", f"{start:%H:%M}")
        self.page.fill("[name=end_time]", f"{start + timedelta(hours=1):%H:%M}")


@pytest.fixture
def outlook(person: Person, microsoft: Sandbox) -> Outlook:
    return Outlook(person.page.context.new_page(), microsoft)


def in_days(number: int, clock: str) -> datetime:
    day = timezone.now().astimezone(BERLIN).date() + timedelta(days=number)
    return datetime.combine(day, time.fromisoformat(clock), BERLIN)


def sync_now(person: Person) -> None:
    person.open("/settings/integrations/")
    person.page.get_by_role("button", name="Sync now").click()
    expect(person.page.get_by_text("Syncing…")).to_be_visible()
    synced(person)


def row_of(person: Person, subject: str) -> Locator:
    return person.page.locator(".meeting", has_text=subject)


class TestOutlook:
    def test_what_changes_there_is_seen_after_sync_now(self, person: Person, outlook: Outlook) -> None:
        person.open("/meetings/")
        outlook.add("Fresh from Outlook", in_days(2, "10:00"), online="meet")
        sync_now(person)
        person.open("/meetings/")
        row = row_of(person, "Fresh from Outlook")
        expect(row.get_by_text("10:00", exact=True)).to_be_visible()
        expect(row.get_by_text("new", exact=True)).to_be_visible()
        # Google Meet's link stands in the body.
        expect(row.get_by_role("link", name="Join")).to_have_attribute(
            "href", re.compile(r"^https://meet\.google\.com/")
        )
        Change.objects.all().delete()

        outlook.open("Fresh from Outlook", in_days(2, "10:00"))
        outlook.move(in_days(2, "15:30"))
        sync_now(person)
        person.open("/meetings/")
        expect(row.get_by_text("moved from 10:00")).to_be_visible()

        outlook.open("Fresh from Outlook", in_days(2, "15:30"))
        outlook.page.get_by_role("button", name="Make private").click()
        sync_now(person)
        person.open("/meetings/")
        expect(person.page.locator(".meeting").first).to_be_visible()
        expect(row).to_have_count(0)
        assert person.complaints == []

    def test_one_moved_occurrence_of_a_series_moves_alone(self, person: Person, outlook: Outlook) -> None:
        first = Meeting.objects.filter(subject="1:1 Ines and Tomas", start__gt=timezone.now()).order_by("start")[0]
        others = Meeting.objects.filter(subject=first.subject).exclude(pk=first.pk)
        before = dict(others.values_list("pk", "start"))
        was = first.start.astimezone(BERLIN)
        outlook.open(first.subject, was)
        expect(outlook.page.get_by_text("This is one occurrence of a series")).to_be_visible()
        outlook.move(was.replace(hour=16, minute=45))
        sync_now(person)
        assert dict(others.values_list("pk", "start")) == before
        person.open(f"/meetings/{first.pk}/")
        expect(person.page.get_by_text("one of a series, changed on its own").first).to_be_visible()
        expect(person.page.locator("h1 + p")).to_contain_text("16:45 – 17:45")
        expect(person.page.locator(".history")).to_contain_text("Moved; before:")
        expect(person.page.locator(".history")).to_contain_text("14:00 – 14:30")


class TestTheAgenda:
    def test_search_finds_and_leads_back(self, person: Person) -> None:
        page = person.page
        page.get_by_label("Search").fill("MARA")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("q=MARA"))
        rows = page.locator(".meeting")
        expect(rows.first).to_be_visible()
        assert all("Mara Lindqvist" in text for text in rows.all_inner_texts())
        page.get_by_role("link", name="Back to today").click()
        expect(page.get_by_text("Today", exact=True)).to_be_visible()

    def test_earlier_and_later_days_lead_through_the_calendar(
        self, person: Person, connected: CalendarConnection
    ) -> None:
        now = timezone.now()
        Meeting.objects.bulk_create(
            Meeting(connection=connected, external_id=f"x{n}", subject=f"Number {n}", kind="single", response="none",
                    start=now + timedelta(hours=6 * n), end=now + timedelta(hours=6 * n + 1))
            for n in range(-40, 200)
        )  # fmt: skip
        person.open("/meetings/")
        first = person.page.locator(".day h2").first.inner_text()
        person.page.get_by_role("link", name="Later days").click()
        expect(person.page.locator(".day h2").first).not_to_have_text(first)
        person.page.get_by_role("link", name="Earlier days").click()
        person.open("/meetings/")
        person.page.get_by_role("link", name="Earlier days").click()
        expect(person.page.get_by_text("Number -40", exact=True)).to_be_visible()
        person.page.get_by_role("link", name="Later days").click()
        expect(person.page.get_by_text("Today", exact=True)).to_be_visible()

    def test_it_follows_while_it_is_seen_and_rests_while_it_is_hidden(
        self, person: Person, connected: CalendarConnection
    ) -> None:
        """While a first sync runs it looks every two seconds; nothing else makes waiting worth while in a test."""
        CalendarConnection.objects.update(status="connecting", next_sync_at=timezone.now(), last_synced_at=None)
        statuses: list[int] = []

        def count(response: Response) -> None:
            if response.request.headers.get("hx-request") and urlsplit(response.url).path == "/meetings/":
                statuses.append(response.status)

        person.page.on("response", count)
        person.open("/meetings/")
        person.page.locator(".meeting-subject a").nth(2).focus()
        for _ in range(60):  # a busy machine looks later, never more often
            if len(statuses) >= 2:
                break
            person.page.wait_for_timeout(250)
        assert set(statuses) == {304}
        hide = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => %s})"
        person.page.evaluate(hide % "true")
        person.page.wait_for_timeout(500)  # what was under way arrives
        before = len(statuses)
        person.page.wait_for_timeout(4500)
        assert len(statuses) == before
        connected.set_option(SyncOption.ONLY_ONLINE, True)
        person.page.evaluate(hide % "false")
        person.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(person.page.locator(".meeting", has=person.page.locator(".join")).first).to_be_visible()
        person.page.wait_for_timeout(500)
        assert statuses[before] == 200
        assert person.complaints == []
