"""The Outlook page in a real browser: usable by everybody, on a small screen, in the dark, by keyboard alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.sandbox.conftest import SignedIn

pytestmark = pytest.mark.needs("chromium")

INES = "mailboxes/ines@quay.example"
WEEK = "outlook/ines@quay.example/?week=2027-W18"
SPAN = ("2027-04-26T00:00:00Z", "2027-06-01T00:00:00Z")
EMPTY = "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n"
WEEKLY = {
    "subject": "Berth plan with everybody who ever came near the north mole",
    "start": "2027-05-03T09:00:00+02:00",
    "end": "2027-05-03T10:00:00+02:00",
    "rrule": "FREQ=WEEKLY;COUNT=3",
    "location": "https://us02web.zoom.us/j/84512345678?pwd=aGFyYm91ci1hbmQtcXVheQaGFyYm91ci1hbmQtcXVheQ.1",
    "private": True,
    "organizer": "Tomas Ruy <tomas@quay.example>",
    "attendees": ["ines@quay.example"],
}


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A phone's screen, by day and by night."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=request.param)
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    yield opened
    context.close()
    # Chromium itself reports pages with a status of 404 or 422.
    assert [text for text in said if "Failed to load resource" not in text] == []


@pytest.fixture
def office(ines: SignedIn) -> SignedIn:
    ines.sandbox.control("PUT", INES, text=EMPTY)
    ines.sandbox.control("POST", f"{INES}/events", json=WEEKLY)
    return ines


def _check(page: Page, heading: str) -> None:
    assert page.get_by_role("heading", level=1).inner_text() == heading
    assert page.get_by_text("Sandbox – not Microsoft").is_visible()
    violations: list[Any] = Axe().run(page).response["violations"]
    assert violations == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_person_adds_a_meeting_and_mends_a_mistake(page: Page, office: SignedIn) -> None:
    page.goto(f"{office.sandbox.pages_url}/outlook/")
    _check(page, "Outlook")
    page.get_by_role("link", name="Ines Falk").click()
    page.get_by_label("Week of").fill("2027-05-05")
    page.get_by_role("button", name="Show").click()
    _check(page, "Monday 3 May to Sunday 9 May 2027")

    page.get_by_role("link", name="New meeting").click()
    _check(page, "New meeting")
    page.get_by_label("Subject").fill("Crane")
    page.get_by_label("Starts on").fill("2027-05-04")
    page.get_by_label("Start time").fill("14:00")
    page.get_by_label("End time").fill("13:00")
    page.get_by_label("Online link").select_option("Google Meet, in the body")
    page.get_by_label("Invite somebody").fill("mara")
    page.get_by_role("button", name="Add the meeting").click()
    _check(page, "New meeting")
    end = page.get_by_label("End time")
    expect(end).to_have_accessible_description("It would end before it starts.")
    expect(end).to_have_value("13:00")
    expect(page.get_by_label("Online link")).to_have_value("meet")

    end.fill("15:00")
    page.get_by_label("Invite somebody").fill("mara@quay.example")
    page.get_by_role("button", name="Add the meeting").click()
    expect(page.get_by_role("status")).to_have_text("The meeting was added.")
    _check(page, "Monday 3 May to Sunday 9 May 2027")
    (crane,) = [event for event in office.view(*SPAN) if event["subject"] == "Crane"]
    assert crane["start"]["dateTime"][:16] == "2027-05-04T12:00"
    assert "https://meet.google.com/" in crane["body"]["content"]


def test_a_person_moves_one_occurrence_and_deletes_the_series(page: Page, office: SignedIn) -> None:
    page.goto(f"{office.sandbox.pages_url}/{WEEK}")
    _check(page, "Monday 3 May to Sunday 9 May 2027")
    page.get_by_role("link", name="Berth plan").click()
    _check(page, WEEKLY["subject"])  # type: ignore[arg-type]
    page.get_by_label("Starts on").fill("2027-05-06")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("The occurrence was changed.")
    assert [e["start"]["dateTime"][:10] for e in office.view(*SPAN)] == ["2027-05-06", "2027-05-10", "2027-05-17"]

    page.get_by_role("link", name="Berth plan").click()
    page.get_by_role("link", name="Open the whole series").click()
    _check(page, WEEKLY["subject"])  # type: ignore[arg-type]
    page.get_by_role("button", name="Delete the series").click()
    expect(page.get_by_role("status")).to_have_text("The series was deleted.")
    assert office.view(*SPAN) == []


def test_an_invitation_is_answered_by_keyboard_and_without_javascript(browser: Browser, office: SignedIn) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{office.sandbox.pages_url}/{WEEK}")
    # In the order of the page: other people, earlier, this week, later, the day, Show, New meeting, the meeting.
    links = page.get_by_role("link", name="Berth plan")
    for _ in range(20):
        page.keyboard.press("Tab")
        if links.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Accept").press("Enter")
    expect(page.get_by_role("status")).to_have_text("The occurrence was accepted.")
    context.close()

    assert [e["responseStatus"]["response"] for e in office.view(*SPAN)] == ["accepted", "notResponded", "notResponded"]


def test_a_page_of_another_site_cannot_press_a_button(browser: Browser, office: SignedIn) -> None:
    id = office.view(*SPAN)[0]["seriesMasterId"]
    target = f"{office.sandbox.pages_url}/outlook/ines@quay.example/meetings/{id}"
    form = f'<form method="post" action="{target}"><button name="do" value="delete">Win</button></form>'
    context = browser.new_context()
    page = context.new_page()
    page.route("http://elsewhere.example/", lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto("http://elsewhere.example/")
    page.get_by_role("button", name="Win").click()
    expect(page.get_by_text("This form was sent by another site’s page.")).to_be_visible()
    context.close()

    assert len(office.view(*SPAN)) == 3


def test_what_is_gone_can_be_read(page: Page, office: SignedIn) -> None:
    page.goto(f"{office.sandbox.pages_url}/outlook/")
    page.goto(f"{page.url}nobody@quay.example/")
    _check(page, "This did not work")
