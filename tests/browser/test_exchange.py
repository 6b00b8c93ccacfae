"""A calendar on an organization's own Exchange server, as a person connects it: with the sandbox's, by keyboard too."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from django.test import Client
from playwright.sync_api import Locator, Page, expect

from calendars.models import Meeting
from integrations.errors import PasswordRefused
from integrations.models import CalendarConnection, PasswordTrial
from sally.models import User
from tests.browser.conftest import Door, work_off_the_queue
from tests.conftest import INES, TOMAS, connect_exchange
from tests.sandbox_process import Sandbox

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

WRONG = "not the password"
WORDS = {
    "en": {
        "add": "+ Add calendar",
        "door": "Outlook Calendar (Exchange On-Premise)",
        "connect": "Connect",
        "refused": "The server refused the user name or the password. Nothing was connected",
        "not again": "so Sally did not send it again",
        "asked": "Sally uses this address:",
        "connected": "is connected. Sally reads it at",
        "cloud": "This address belongs to Microsoft's cloud (Exchange Online)",
        "tile": "To the right tile",
    },
    "de": {
        "add": "+ Kalender hinzufügen",
        "door": "Outlook-Kalender (Exchange On-Premise)",
        "connect": "Verbinden",
        "refused": "Der Server hat den Benutzernamen oder das Passwort abgelehnt. Es wurde nichts verbunden",
        "not again": "deshalb hat Sally es nicht noch einmal gesendet",
        "asked": "Sally verwendet diese Adresse:",
        "connected": "ist verbunden. Sally liest den Kalender unter",
        "cloud": "Diese Adresse gehört zur Cloud von Microsoft (Exchange Online)",
        "tile": "Zur richtigen Kachel",
    },
}
LOOKS = {
    "english, light, wide": ("en-GB", "light", 1200),
    "german, dark, wide": ("de-DE", "dark", 1200),
    "german, light, 360 px": ("de-DE", "light", 360),
}


@pytest.fixture
def anybody(alice: User) -> User:
    """Alice, who has not chosen a language yet: the browser's counts."""
    User.objects.update(language="")
    return alice


def place(sandbox: Sandbox) -> str:
    return urlsplit(sandbox.exchange_url).netloc


def tab_to(page: Page, target: Locator) -> None:
    for _ in range(40):
        if target.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way with the tab key to {target}")


def fill(page: Page, sandbox: Sandbox, password: str, *, username: str = "QUAY\\ines", server: str = "") -> None:
    page.fill("#id_username", username)
    page.fill("#id_password", password)
    page.fill("#id_server", server or place(sandbox))
    page.locator("main form button").click()


@pytest.mark.parametrize("language", ["en", "de"])
def test_by_keyboard_only_a_wrong_password_and_then_the_right_one(
    door: Door, anybody: User, microsoft: Sandbox, language: str
) -> None:
    words = WORDS[language]
    person = door.person(locale={"en": "en-GB", "de": "de-DE"}[language])
    page = person.page
    person.sign_in(anybody.email)
    person.open("/settings/integrations/")
    tab_to(page, page.get_by_role("link", name=words["add"]))
    page.keyboard.press("Enter")
    tile = page.get_by_role("region", name=words["door"]).get_by_role("link", name=words["connect"])
    tab_to(page, tile)
    page.keyboard.press("Enter")
    expect(page.locator("#id_username")).to_be_focused()
    page.keyboard.type("QUAY\\ines")
    page.keyboard.press("Tab")
    page.keyboard.type(WRONG)
    page.keyboard.press("Tab")
    page.keyboard.type(f"{place(microsoft)}/owa")
    microsoft.control("DELETE", "log")
    page.keyboard.press("Enter")

    expect(page.locator("#id_password")).to_be_focused()
    expect(page.locator("#id_password_error")).to_contain_text(words["refused"])
    expect(page.locator("#id_password")).to_have_value("")
    expect(page.locator("#id_username")).to_have_value("QUAY\\ines")
    expect(page.get_by_text(words["asked"])).to_contain_text(microsoft.exchange_url)
    person.check("refused")
    assert microsoft.logins() == ["refused"]

    page.keyboard.type(WRONG)
    page.keyboard.press("Enter")
    expect(page.locator("#id_password_error")).to_contain_text(words["not again"])
    assert microsoft.logins() == ["refused"]

    page.keyboard.type(microsoft.exchange_password)
    tab_to(page, page.get_by_role("button", name=words["connect"], exact=True))
    page.keyboard.press("Space")
    page.wait_for_url(re.compile("/meeting-assistant/start/"))
    expect(page.get_by_text(f"{INES} {words['connected']} {microsoft.exchange_url}")).to_be_visible()
    person.not_now()
    work_off_the_queue()
    expect(page.locator(".meeting").first).to_be_visible(timeout=10_000)
    assert Meeting.objects.exists()
    assert person.complaints == []


def test_without_javascript(door: Door, anybody: User, microsoft: Sandbox) -> None:
    person = door.person(java_script_enabled=False)
    page = person.page
    person.sign_in(anybody.email)
    person.open("/settings/integrations/add/")
    page.locator("#tile-exchange a.button").click()
    fill(page, microsoft, WRONG)
    expect(page.locator("#id_password_error")).to_contain_text("PASSWORD")
    expect(page.locator("#id_password")).to_be_focused()
    fill(page, microsoft, microsoft.exchange_password)
    page.wait_for_url(re.compile("/meeting-assistant/start/"))
    assert CalendarConnection.objects.get().account_email == INES


def test_a_double_click_is_one_login(door: Door, anybody: User, microsoft: Sandbox) -> None:
    person = door.person()
    person.sign_in(anybody.email)
    person.open("/settings/integrations/exchange/")
    page = person.page
    page.fill("#id_username", "QUAY\\ines")
    page.fill("#id_password", microsoft.exchange_password)
    page.fill("#id_server", place(microsoft))
    page.locator("main form button").dblclick()
    page.wait_for_url(re.compile("/meeting-assistant/start/"))
    expect(page.get_by_text("is connected. Sally reads it at")).to_be_visible()
    assert microsoft.logins() == ["ok"]


@pytest.mark.parametrize("look", list(LOOKS.values()), ids=list(LOOKS))
def test_every_state_of_the_page(door: Door, anybody: User, microsoft: Sandbox, look: tuple[str, str, int]) -> None:
    locale, scheme, width = look
    words = WORDS[locale[:2]]
    person = door.person(locale=locale, color_scheme=scheme, width=width)
    page = person.page
    person.sign_in(anybody.email)
    person.open("/settings/integrations/exchange/")
    person.check("new")
    fill(page, microsoft, WRONG, username=INES, server="https://outlook.office365.com/owa/")
    expect(page.locator("#id_server_error")).to_contain_text(words["cloud"])
    expect(page.locator("#id_server")).to_be_focused()
    person.check("Microsoft's cloud")
    page.get_by_role("link", name=words["tile"]).click()
    page.wait_for_url(re.compile("/add/#tile-microsoft-work"))
    expect(page.locator("#tile-microsoft-work")).to_contain_text(INES)
    person.open("/settings/integrations/exchange/")
    fill(page, microsoft, WRONG)
    person.check("refused")
    fill(page, microsoft, WRONG)
    person.check("not sent again")
    microsoft.control(
        "POST", "faults", json={"path": "/EWS/Exchange.asmx", "status": 503, "headers": {"Retry-After": "60"}}
    )
    fill(page, microsoft, microsoft.exchange_password)
    expect(page.get_by_role("alert")).to_contain_text("EWS-BUSY")
    expect(page.get_by_role("alert")).to_be_focused()
    person.check("busy")
    PasswordTrial.objects.bulk_create(
        PasswordTrial(user=anybody, account=str(n), started_at=one.started_at, ended_at=one.started_at)
        for one in PasswordTrial.objects.all()[:1]
        for n in range(10)
    )
    fill(page, microsoft, microsoft.exchange_password)
    person.check("too many", status=429)


@pytest.mark.parametrize("look", list(LOOKS.values()), ids=list(LOOKS))
def test_mending_a_connection(
    door: Door, anybody: User, microsoft: Sandbox, look: tuple[str, str, int], as_alice: Client
) -> None:
    connection = connect_exchange(as_alice, microsoft)
    CalendarConnection.objects.update(
        status="needs_attention", last_error="PASSWORD", last_error_kind=PasswordRefused.__name__, next_sync_at=None
    )
    locale, scheme, width = look
    person = door.person(locale=locale, color_scheme=scheme, width=width)
    page = person.page
    person.sign_in(anybody.email)
    person.open("/settings/integrations/")
    person.check("needs attention")
    page.locator(f"#sign-in-{connection.pk}").click()
    expect(page.locator("#id_username")).to_have_value(INES)
    expect(page.locator("#id_server")).to_have_value(microsoft.exchange_url)
    expect(page.locator("#id_password")).to_be_focused()
    person.check("to be mended")
    page.fill("#id_username", TOMAS)
    page.fill("#id_password", microsoft.exchange_password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(TOMAS)
    person.check("another mailbox")
    assert CalendarConnection.objects.get().status == "needs_attention"
    page.fill("#id_username", INES)
    page.fill("#id_password", microsoft.exchange_password)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/meeting-assistant/start/"))
    connection.refresh_from_db()
    assert (connection.status, connection.account_email) == ("connecting", INES)
    page.goto(f"{person.url}/settings/integrations/{connection.pk}/disconnect/")
    person.check("disconnect")
