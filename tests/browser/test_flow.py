"""From the sign-in to the meetings, as a person goes, in both languages; and the ways it can end otherwise."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from calendars.models import Meeting
from integrations.models import CalendarConnection
from sally.models import User
from tests.browser.conftest import Door, Person, work_off_the_queue
from tests.conftest import INES
from tests.sandbox_process import Sandbox

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

WORDS = {
    "en": {
        "to": "To Settings → Integrations",
        "add": "+ Add calendar",
        "syncing": "Syncing… this may take a moment.",
        "today": "Today",
        "sync": "Sync now",
        "disconnect": "Disconnect",
        "gone": "is disconnected. Deleted: the access to it and",
        "declined": "You declined at Microsoft, or went back from its page.",
    },
    "de": {
        "to": "Zu Einstellungen → Integrationen",
        "add": "+ Kalender hinzufügen",
        "syncing": "Synchronisierung läuft … das kann einen Moment dauern.",
        "today": "Heute",
        "sync": "Jetzt synchronisieren",
        "disconnect": "Trennen",
        "gone": "ist getrennt. Gelöscht:",
        "declined": "Sie haben bei Microsoft abgelehnt",
    },
}


def to_the_tiles(person: Person, words: dict[str, str]) -> None:
    person.page.get_by_role("link", name=words["to"]).click()
    person.page.get_by_role("link", name=words["add"]).click()


@pytest.mark.parametrize("language", ["en", "de"])
def test_from_click_to_meetings_and_out_again(door: Door, alice: User, microsoft: Sandbox, language: str) -> None:
    words = WORDS[language]
    User.objects.update(language="")
    person = door.person(locale={"en": "en-GB", "de": "de-DE"}[language])
    person.sign_in(alice.email)
    to_the_tiles(person, words)
    person.press("microsoft-work")
    person.choose_at_microsoft("Ines Falk")
    page = person.page
    person.not_now()
    expect(page.get_by_text(words["syncing"])).to_be_visible()
    # The worker finishes; the page fills by itself.
    assert work_off_the_queue() == 1
    expect(page.locator(".meeting").first).to_be_visible(timeout=10_000)
    expect(page.get_by_text(words["syncing"])).to_have_count(0)
    assert page.locator(".meeting").count() > 50

    page.goto(f"{person.url}/settings/integrations/")
    connection = CalendarConnection.objects.get()
    expect(page.get_by_text("Ines Falk")).to_be_visible()
    expect(page.locator("dd").nth(2)).to_have_text(str(connection.meeting_count))

    # A meeting is added in Outlook; "Sync now" shows it.
    microsoft.control(
        "POST", f"mailboxes/{INES}/events",
        json={"subject": "Fresh from Outlook"} | soon(),
    )  # fmt: skip
    with page.expect_response(re.compile("/sync/$")):
        page.get_by_role("button", name=words["sync"]).click()
    assert work_off_the_queue() == 1
    expect(page.locator("dd").nth(2)).to_have_text(str(connection.meeting_count + 1), timeout=10_000)
    person.open("/meetings/")
    expect(page.get_by_text("Fresh from Outlook")).to_be_visible()

    person.open("/settings/integrations/")
    page.get_by_role("link", name=words["disconnect"]).click()
    page.get_by_role("button", name=words["disconnect"]).click()
    expect(page.get_by_text(words["gone"])).to_be_visible()
    assert (CalendarConnection.objects.count(), Meeting.objects.count()) == (0, 0)
    assert person.complaints == []


def soon() -> dict[str, str]:
    from datetime import UTC, datetime, timedelta

    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=30)
    return {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}


@pytest.mark.parametrize("language", ["en", "de"])
def test_declined_at_microsoft_nothing_is_connected(door: Door, alice: User, microsoft: Sandbox, language: str) -> None:
    User.objects.update(language=language)
    person = door.person()
    person.sign_in(alice.email)
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.choose_at_microsoft("Ines Falk", accept=False)
    expect(person.page.get_by_text(WORDS[language]["declined"])).to_be_visible()
    assert CalendarConnection.objects.count() == 0


def test_a_closed_window_leaves_nothing_and_a_second_try_works(door: Door, alice: User, microsoft: Sandbox) -> None:
    person = door.person()
    person.sign_in(alice.email)
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.page.wait_for_url(re.compile("/oauth2/v2.0/authorize"))
    person.open("/settings/integrations/")
    expect(person.page.get_by_role("heading", name="This calendar is not connected yet")).to_be_visible()
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.choose_at_microsoft("Ines Falk")
    person.not_now()
    assert CalendarConnection.objects.count() == 1


def test_it_works_without_javascript(door: Door, alice: User, microsoft: Sandbox) -> None:
    person = door.person(java_script_enabled=False)
    page = person.page
    person.sign_in(alice.email)
    to_the_tiles(person, WORDS["en"])
    person.press("microsoft-work")
    person.choose_at_microsoft("Ines Falk")
    person.not_now()
    expect(page.get_by_text("Syncing… this may take a moment.")).to_be_visible()
    work_off_the_queue()
    # The page's own refresh, every five seconds.
    expect(page.locator(".meeting").first).to_be_visible(timeout=15_000)
    person.open("/settings/integrations/")
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_text("Syncing…")).to_be_visible()
    work_off_the_queue()
    expect(page.get_by_text("Syncing…")).to_have_count(0, timeout=15_000)
    page.get_by_role("link", name="Disconnect").click()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("is disconnected.")).to_be_visible()


def test_the_keyboard_is_enough(door: Door, alice: User, microsoft: Sandbox) -> None:
    person = door.person()
    page = person.page
    person.open("/sign-in/")
    page.keyboard.type(alice.email)  # the field has the focus
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery staple")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/meetings/"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    person.open("/settings/integrations/add/")
    reach(person, "Connect")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/oauth2/v2.0/authorize"))
    page.get_by_role("button", name="Ines Falk").wait_for()
    reach(person, "Ines Falk")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Accept").wait_for()
    reach(person, "Accept")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/meeting-assistant/start/"))
    work_off_the_queue()
    person.open("/settings/integrations/")
    reach(person, "Sync now")
    page.keyboard.press("Space")
    expect(page.get_by_text("Syncing…")).to_be_visible()
    page.wait_for_timeout(2500)  # the card was swapped in the meantime
    expect(page.get_by_role("button", name="Sync now")).to_be_focused()


def reach(person: Person, name: str) -> None:
    """Press Tab until the focus is on what has this name."""
    for _ in range(30):
        person.page.keyboard.press("Tab")
        focused = person.page.evaluate("[document.activeElement.tagName, document.activeElement.textContent]")
        if focused[0] in ("A", "BUTTON") and name in focused[1]:
            return
    raise AssertionError(f"{name} cannot be reached with Tab")


def test_language_and_time_zone_come_from_the_browser_first(door: Door, alice: User) -> None:
    User.objects.update(language="", time_zone="")
    person = door.person(locale="de-AT", timezone_id="Australia/Lord_Howe")
    person.sign_in(alice.email)
    alice.refresh_from_db()
    assert (alice.language, alice.time_zone) == ("de", "Australia/Lord_Howe")
    expect(person.page.get_by_text("Australia/Lord_Howe")).to_be_visible()
