"""The wrong door as a person meets it: told in one sentence, and through the right one with a click."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from integrations.models import CalendarConnection
from sally.models import User
from tests.browser.conftest import Door
from tests.conftest import INES, INES_AT_HOME
from tests.sandbox_process import Sandbox

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

# The tile that is pressed, the account and its name at Microsoft, the right tile, and what is read in which language.
WRONG = [
    ("microsoft-work", INES_AT_HOME, "Ines F.", "microsoft-personal", "en", "This is a personal Microsoft account."),
    ("microsoft-personal", INES, "Ines Falk", "microsoft-work", "de", "Das ist ein Konto einer Organisation."),
]


@pytest.mark.parametrize("how", ["open", "redirect"])
@pytest.mark.parametrize(("wrong", "email", "name", "right", "language", "words"), WRONG)
def test_from_the_wrong_door_to_the_right_one_in_one_click(
    door: Door,
    alice: User,
    microsoft: Sandbox,
    how: str,
    wrong: str,
    email: str,
    name: str,
    right: str,
    language: str,
    words: str,
) -> None:
    microsoft.control("POST", "settings", json={"wrong_door": how})
    User.objects.update(language=language)
    person = door.person()
    page = person.page
    person.sign_in(alice.email)
    person.open("/settings/integrations/add/")
    person.press(wrong)
    if how == "open":
        person.choose_at_microsoft(re.escape(name))
    else:
        page.get_by_role("button", name=re.compile(re.escape(name))).click()
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.locator(f"#tile-{right}")).to_contain_text(email)
    person.check("the tiles after the wrong door")

    person.press(right)
    # Nothing to pick: Microsoft knows who comes, and asks for the permissions at once.
    page.wait_for_url(re.compile("/oauth2/v2.0/authorize"))
    expect(page.get_by_role("heading", name="Permissions requested")).to_be_visible()
    expect(page.get_by_text(email)).to_be_visible()
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url(re.compile("/meeting-assistant/start/"))
    connection = CalendarConnection.objects.get()
    assert (connection.account_email, connection.provider) == (email, right)
    assert person.complaints == []


def test_the_link_leads_to_the_right_tile_and_the_focus_with_it(door: Door, alice: User, microsoft: Sandbox) -> None:
    microsoft.control("POST", "settings", json={"wrong_door": "redirect"})
    person = door.person()
    page = person.page
    person.sign_in(alice.email)
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    page.get_by_role("button", name=re.compile("Ines F\\.")).click()
    page.get_by_role("link", name="To the right tile").click()
    expect(page.locator("#tile-microsoft-personal")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Permissions requested")).to_be_visible()


def test_microsofts_own_page_is_a_dead_end_and_the_way_back_leads_to_the_tiles(
    door: Door, alice: User, microsoft: Sandbox
) -> None:
    person = door.person()
    page = person.page
    person.sign_in(alice.email)
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    page.get_by_role("button", name=re.compile("Ines F\\.")).click()
    expect(page.get_by_text("You can't sign in here with a personal account.")).to_be_visible()
    person.open("/settings/integrations/add/")
    person.press("microsoft-personal")
    person.choose_at_microsoft("Ines F\\.")
    page.wait_for_url(re.compile("/meeting-assistant/start/"))
    assert CalendarConnection.objects.get().provider == "microsoft-personal"
