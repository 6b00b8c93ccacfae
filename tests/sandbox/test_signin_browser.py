"""The sign-in pages in a real browser: usable by everybody, on a small screen, in the dark."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.sandbox.conftest import authorize_url
from tests.sandbox_process import Sandbox

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=request.param)
    opened = context.new_page()
    yield opened
    context.close()


def _check(page: Page, heading: str) -> None:
    assert page.get_by_role("heading", level=1).inner_text() == heading
    assert page.get_by_text("Sandbox – not Microsoft").is_visible()
    violations: list[Any] = Axe().run(page).response["violations"]
    assert violations == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_person_signs_in_with_a_browser(page: Page, sandbox: Sandbox) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.route("http://localhost:8000/**", lambda route: route.fulfill(body="<title>back</title>"))
    page.goto(authorize_url(sandbox))
    _check(page, "Sign in")
    assert page.get_by_text("Work, school, or university account").is_visible()

    page.get_by_role("button", name="Ines Falk").click()
    _check(page, "Permissions requested")

    page.get_by_role("button", name="Accept").click()
    page.wait_for_url("http://localhost:8000/back?code=*")
    assert said == []


def test_a_form_post_takes_a_click(page: Page, sandbox: Sandbox) -> None:
    posted: list[str] = []

    def receive(route: Any) -> None:
        posted.append(route.request.post_data)
        route.fulfill(body="<title>back</title>")

    page.route("http://localhost:8000/**", receive)
    page.goto(authorize_url(sandbox, response_mode="form_post", login_hint="ines@quay.example"))
    page.get_by_role("button", name="Accept").click()
    _check(page, "You are signed in")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("http://localhost:8000/back")

    assert "code=" in posted[0]
    assert "state=state-1" in posted[0]


def test_a_refusal_can_be_read(page: Page, sandbox: Sandbox) -> None:
    page.goto(authorize_url(sandbox, client_id="somebody-else"))

    _check(page, "Sorry, but we’re having trouble signing you in.")
