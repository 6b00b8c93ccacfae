"""A real browser in front of a real server: the installed Chromium, driven by Playwright."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django_q.models import OrmQ
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from calendars import tasks
from tests.conftest import PASSWORD
from tests.sandbox_process import Sandbox

# Adds up layout shifts from the first paint on (https://web.dev/articles/cls).
WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""


@dataclass
class Person:
    """Somebody in front of a browser. ``complaints`` collects what the console says."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def sign_in(self, email: str) -> None:
        self.open("/sign-in/")
        self.page.fill("input[name=username]", email)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.click("main form button")
        self.page.wait_for_url(re.compile("/meetings/"))

    def press(self, tile: str) -> None:
        """The button of the tile with this key."""
        self.page.locator(f"#tile-{tile}").get_by_role("button").click()

    def choose_at_microsoft(self, name: str, *, accept: bool = True) -> None:
        self.page.wait_for_url(re.compile("/oauth2/v2.0/authorize"))
        self.page.get_by_role("button", name=re.compile(name)).click()
        self.page.locator(f"button[value={'accept' if accept else 'cancel'}]").click()

    def not_now(self) -> None:
        """From the choice that follows a first connection on to the meetings, leaving it for later."""
        self.page.wait_for_url(re.compile("/settings/meeting-assistant/start/"))
        self.page.locator("main form a.button").click()
        self.page.wait_for_url(re.compile("/meetings/"))

    def check(self, what: str, *, status: int = 200) -> None:
        """No console message, no axe finding, no sideways scrolling, hardly any layout shift."""
        self.page.wait_for_load_state("load")
        # Chromium itself notes the status of an error page in the console.
        complaints = [one for one in self.complaints if f"the server responded with a status of {status} " not in one]
        assert complaints == [], f"{what}: the console says {complaints}"
        findings = Axe().run(self.page)
        assert findings.violations_count == 0, f"{what}: {findings.generate_report()}"
        # The document may be wider than what is seen only where something overflows.
        overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{what}: scrolls sideways by {overflow} px"
        # On a small screen a button may need two lines; on a large one its words broke for want of room in the layout.
        broken = self.page.evaluate(
            "innerWidth < 1000 ? [] : "
            "[...document.querySelectorAll('.button')].filter(one => one.offsetHeight > 56).map(one => one.textContent)"
        )
        assert broken == [], f"{what}: the words on these buttons break: {broken}"
        squeezed = self.page.evaluate(
            "[...document.querySelectorAll('h1, h2')].filter(one => one.scrollHeight > 5 * one.offsetWidth)"
            ".map(one => one.textContent)"
        )
        assert squeezed == [], f"{what}: these headings are squeezed into a column: {squeezed}"
        outside = self.page.evaluate(
            "[...document.querySelectorAll('.card .badge, .card .button, .card .notice')]"
            ".filter(one => one.getBoundingClientRect().right > one.closest('.card').getBoundingClientRect().right)"
            ".map(one => one.textContent)"
        )
        assert outside == [], f"{what}: these stick out of their card: {outside}"
        shifted = self.page.evaluate("window.shifted ?? 0")
        assert shifted < 0.02, f"{what}: layout shift {shifted}"


@dataclass
class Door:
    """Opens browsers of different kinds."""

    browser: Browser
    url: str
    contexts: list[BrowserContext] = field(default_factory=list)

    def person(self, *, width: int = 1200, **options: Any) -> Person:
        defaults: dict[str, Any] = {
            "locale": "en-GB",
            "timezone_id": "Europe/Berlin",
            "color_scheme": "light",
            "viewport": {"width": width, "height": 800},
        }
        context = self.browser.new_context(**(defaults | options))
        context.add_init_script(WATCH_SHIFTS)
        self.contexts.append(context)
        person = Person(context.new_page(), self.url)

        def listen(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                person.complaints.append(f"{message.type}: {message.text}")

        person.page.on("console", listen)
        person.page.on("pageerror", lambda error: person.complaints.append(str(error)))
        return person


@pytest.fixture
def door(browser: Browser, live_server: LiveServer, settings: Settings) -> Iterator[Door]:
    settings.PUBLIC_URL = live_server.url
    door = Door(browser, live_server.url)
    yield door
    for context in door.contexts:
        context.close()


@contextmanager
def slow_graph(sandbox: Sandbox, seconds: float) -> Iterator[None]:
    sandbox.control("POST", "faults", json={"path": "/calendarView", "status": None, "delay": seconds, "times": None})
    yield
    sandbox.control("DELETE", "faults")


def work_off_the_queue() -> int:
    """What the worker does: run the queued tasks; how many there were."""
    waiting = list(OrmQ.objects.all())
    for one in waiting:
        tasks.sync_connection(*one.task["args"])
        one.delete()
    return len(waiting)
