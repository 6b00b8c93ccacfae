"""What tests share: people, the sandbox as Microsoft, and the rule about what a machine may lack."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest
from django.test import Client
from django.utils import translation
from playwright.sync_api import Browser, sync_playwright
from pytest_django import Settings

from integrations import oauth
from integrations.models import CalendarConnection
from sally.models import Organization, User
from tests import needs
from tests.connecting import INES as INES
from tests.connecting import INES_AT_HOME as INES_AT_HOME
from tests.connecting import PERSONAL as PERSONAL
from tests.connecting import UNCOLLECTED, settings_for
from tests.connecting import address_of as address_of
from tests.connecting import connect as connect
from tests.connecting import connect_exchange as connect_exchange
from tests.connecting import sign_in_at_microsoft as sign_in_at_microsoft
from tests.sandbox_process import Sandbox

PASSWORD = "correct horse battery staple"
TOMAS = "tomas@quay.example"

# Machines differ in speed; what Hypothesis tries must not.
hypothesis.settings.register_profile(
    "sally", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("sally")

CHROMIUM_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Chromium refuses to sandbox itself for root, which is who tests are in a container.
if hasattr(os, "geteuid") and os.geteuid() == 0:
    CHROMIUM_ARGUMENTS.append("--no-sandbox")

_skipped: set[str] = set()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run; in CI, where all must be there, fail instead."""
    for marker in item.iter_markers("needs"):
        for hint in needs.missing(marker.args):
            if os.environ.get("SALLY_FORBID_SKIPS") == "1":
                pytest.fail(f"skips are forbidden here, and this machine lacks {hint}", pytrace=False)
            _skipped.add(hint)
            pytest.skip(hint)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``SALLY_ONLY_DATABASE=1`` only what uses the database: the rest is the same on every one."""
    if os.environ.get("SALLY_ONLY_DATABASE") != "1":
        return
    uses = {"db", "transactional_db", "live_server"}
    kept: list[pytest.Item] = []
    rest: list[pytest.Item] = []
    for one in items:
        is_kept = uses & set(getattr(one, "fixturenames", ())) or one.get_closest_marker("django_db")
        (kept if is_kept else rest).append(one)
    config.hook.pytest_deselected(items=rest)
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for hint in sorted(_skipped):
        terminalreporter.write_line(f"SKIPPED for want of {hint}", yellow=True, bold=True)


@pytest.fixture(autouse=True)
def fast_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Pages in tests need no collectstatic; the demo's and the browser's tests use the real thing.
    settings.STORAGES = settings.STORAGES | UNCOLLECTED


@pytest.fixture(autouse=True)
def no_language_of_another_test() -> None:
    """What the last page of a test was shown in stays the thread's until the next."""
    translation.deactivate()


@pytest.fixture
def quay(db: None) -> Organization:
    return Organization.objects.create(name="Harbour & Quay", internal_domains=["quay.example"])


def make_user(email: str, organization: Organization, **fields: object) -> User:
    defaults: dict[str, object] = {"language": "en", "time_zone": "Europe/Berlin"}
    return User.objects.create_user(email, PASSWORD, organization=organization, **(defaults | fields))


@pytest.fixture
def alice(quay: Organization) -> User:
    return make_user("alice@quay.example", quay, name="Alice")


@pytest.fixture
def bob(quay: Organization) -> User:
    """A colleague of Alice's."""
    return make_user("bob@quay.example", quay, name="Bob")


@pytest.fixture
def charlie(db: None) -> User:
    """Somebody of another organization."""
    return make_user("charlie@elsewhere.example", Organization.objects.create(name="Elsewhere"), name="Charlie")


@pytest.fixture
def as_alice(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox.start(tmp_path_factory.mktemp("sandbox"), "--https-port", "0", "--http-port", "0")
    yield sandbox
    sandbox.stop()


@pytest.fixture
def microsoft(sandbox_process: Sandbox, settings: Settings) -> Sandbox:
    """The sandbox, fresh, and Sally pointed at it by the same settings that point to a national cloud."""
    sandbox_process.control("POST", "reset")
    point_at(sandbox_process, settings)
    oauth._discovered.clear()
    return sandbox_process


def point_at(sandbox: Sandbox, settings: Settings) -> None:
    for name, value in settings_for(sandbox).items():
        setattr(settings, name, value)


@pytest.fixture
def ines(as_alice: Client, microsoft: Sandbox) -> CalendarConnection:
    """Alice's connection to Ines Falk's calendar, not yet synced."""
    return connect(as_alice, microsoft)


@pytest.fixture
def ines_at_home(as_alice: Client, microsoft: Sandbox) -> CalendarConnection:
    """Alice's connection to the calendar of Ines's personal account, not yet synced."""
    return connect(as_alice, microsoft, INES_AT_HOME, tile=PERSONAL)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests: Playwright's loop can be started once in a thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs.chromium_path(), args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
