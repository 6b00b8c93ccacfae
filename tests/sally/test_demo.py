"""``manage.py demo`` as a person runs it: real processes, real HTTP, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import requests
from django.core.management.base import CommandError
from pytest_django import Settings

from sally.management.commands.demo import _first_admin, _free_port
from sally.models import Organization, User
from tests.conftest import PASSWORD
from tests.sally.processes import Command, free_ports, needs_proc, running, wait_until
from tests.sandbox_process import Sandbox

pytestmark = needs_proc

START_SECONDS = 40
STOP_SECONDS = 12
ADMIN = "admin@sally.example"
SIGN_IN = re.compile(rf"^Sally is running:  (\S+)\nSign in:           {ADMIN}  (\S+)$", re.MULTILINE)
WEB, WORKER, SANDBOX = "gunicorn", "manage.py worker", "manage.py sandbox"


@dataclass(frozen=True)
class Demo:
    command: Command
    folder: Path
    url: str
    password: str
    seconds: float

    def sandbox(self) -> Sandbox:
        facts = json.loads((self.folder / "sandbox" / "sandbox.json").read_text())
        facts.pop("pid")
        return Sandbox(process=cast(Any, None), directory=self.folder / "sandbox", **facts)

    def signed_in(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        answer = post(session, f"{self.url}/sign-in/", username=ADMIN, password=self.password)
        assert urlsplit(answer.url).path == "/meetings/", answer.text
        return session


def wait_for_demo(command: Command, folder: Path) -> Demo:
    """Until it has printed where to sign in."""

    def found_or_ended() -> object:
        return SIGN_IN.search(command.said()) or command.process.poll() is not None

    wait_until(found_or_ended, START_SECONDS, command.said)
    found = SIGN_IN.search(command.said())
    assert found, command.said()
    return Demo(command, folder, found[1], found[2], time.monotonic() - command.started)


def post(session: requests.Session, url: str, **fields: str) -> requests.Response:
    """What a browser sends from a page's form."""
    page = session.get(url, timeout=10)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token, page.text
    return session.post(url, data={"csrfmiddlewaretoken": token[1], **fields}, headers={"Referer": url}, timeout=10)


def connect(
    demo: Demo, session: requests.Session, tile: str = "microsoft-work", email: str = "ines@quay.example"
) -> requests.Response:
    """From the tile through the stand-in's pages and back."""
    tiles = f"{demo.url}/settings/integrations/add/"
    page = session.get(tiles, timeout=10).text
    form = re.search(rf'action="(\S+/connect/{tile}/)">\s*<input[^>]+value="([^"]+)"', page)
    assert form, page
    leaving = session.post(
        demo.url + form[1], data={"csrfmiddlewaretoken": form[2]}, headers={"Referer": tiles}, timeout=10
    )
    address = re.search(r'content="0; url=([^"]+)"', leaving.text)
    assert address, leaving.text
    callback = demo.sandbox().sign_in(unescape(address[1]), email)
    assert callback.startswith(f"{demo.url}/settings/integrations/microsoft/callback/?")
    return session.get(callback, timeout=10)


def wait_for_meeting(demo: Demo, session: requests.Session, subject: str) -> None:
    wait_until(lambda: subject in session.get(f"{demo.url}/meetings/", timeout=10).text, 20, demo.command.said)


def calendar_file(folder: Path, subject: str) -> Path:
    soon = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 86400))
    later = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 90000))
    path = folder / f"{subject}.ics"
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Quay//Test//EN",
        "BEGIN:VEVENT",
        f"UID:{subject}@quay.example",
    ]
    lines += [
        f"DTSTAMP:{soon}",
        f"DTSTART:{soon}",
        f"DTEND:{later}",
        f"SUMMARY:{subject}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo's first start, in a folder that the others start again in; stopped by Ctrl-C."""
    folder = tmp_path_factory.mktemp("demo")
    with running(folder, "demo", PORT=str(free_ports(3))) as command:
        demo = wait_for_demo(command, folder)
        command.end(signal.SIGINT, STOP_SECONDS)
        command.wait_until_gone(2)
    return demo


@pytest.fixture(scope="module")
def second(prepared: Demo) -> Iterator[Demo]:
    """A second start, for the tests that leave it running."""
    with running(prepared.folder, "demo", PORT=str(free_ports(3))) as command:
        yield wait_for_demo(command, prepared.folder)


@pytest.fixture
def demo(prepared: Demo) -> Iterator[Demo]:
    """One more start, for a test that ends it."""
    with running(prepared.folder, "demo", PORT=str(free_ports(3))) as command:
        yield wait_for_demo(command, prepared.folder)


def test_first_start_makes_a_private_env_file_with_the_printed_password(prepared: Demo) -> None:
    env_file = prepared.folder / ".env"
    assert env_file.stat().st_mode & 0o777 == 0o600
    assert f"DEMO_PASSWORD={prepared.password}\n" in env_file.read_text()


def test_second_start_is_quick_and_prints_the_same_sign_in(prepared: Demo, second: Demo) -> None:
    assert second.password == prepared.password
    assert second.seconds < 15  # 3 s on an idle machine; the promise is 5


def test_a_person_gets_from_the_sign_in_to_meetings(demo: Demo) -> None:
    session = demo.signed_in()
    arrived = connect(demo, session)
    assert urlsplit(arrived.url).path == "/settings/meeting-assistant/start/"
    assert "ines@quay.example is connected." in arrived.text
    wait_until(
        lambda: 'class="meeting"' in session.get(f"{demo.url}/meetings/", timeout=10).text, 20, demo.command.said
    )


def test_the_tile_for_personal_accounts_works_too(demo: Demo) -> None:
    said = demo.command.said()
    email = "ines.falk@outlook.example"
    assert email in said
    session = demo.signed_in()
    assert f"{email} is connected." in connect(demo, session, "microsoft-personal", email).text
    wait_for_meeting(demo, session, "Choir")


def test_styles_are_served(demo: Demo) -> None:
    page = requests.get(f"{demo.url}/sign-in/", timeout=10).text
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    assert sheets
    assert [requests.get(demo.url + sheet, timeout=10).status_code for sheet in sheets] == [200] * len(sheets)


def test_a_taken_port_is_named_and_all_addresses_follow(prepared: Demo) -> None:
    first = free_ports(4)
    with socket.create_server(("127.0.0.1", first)), running(prepared.folder, "demo", PORT=str(first)) as command:
        demo = wait_for_demo(command, prepared.folder)
        assert f"Port {first} is taken; using {first + 1}.\n" in command.said()
        assert demo.url == f"http://localhost:{first + 1}"
        assert "is connected." in connect(demo, demo.signed_in()).text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(demo: Demo, number: signal.Signals) -> None:
    assert demo.command.end(number, STOP_SECONDS) == 0
    assert demo.command.said().endswith("\nStopping …\n")
    demo.command.wait_until_gone(2)


def test_a_second_ctrl_c_stops_at_once(demo: Demo) -> None:
    os.kill(demo.command.pid_of(WORKER), signal.SIGSTOP)  # it will not end in time by itself
    demo.command.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert demo.command.end(signal.SIGINT, 3) == 0
    demo.command.wait_until_gone(2)


@pytest.mark.parametrize("part", [WEB, WORKER, SANDBOX])
def test_a_killed_part_stops_everything(demo: Demo, part: str) -> None:
    name = {WEB: "web", WORKER: "worker", SANDBOX: "the stand-in Microsoft"}[part]
    os.kill(demo.command.pid_of(part), signal.SIGKILL)
    assert demo.command.process.wait(STOP_SECONDS) == 1
    assert f"CommandError: {name} ended by itself (exit code -9)" in demo.command.said()
    demo.command.wait_until_gone(2)


def test_a_killed_demo_leaves_nothing_running(demo: Demo) -> None:
    assert demo.command.end(signal.SIGKILL, STOP_SECONDS) == -signal.SIGKILL
    demo.command.wait_until_gone(3)


@pytest.mark.parametrize("seconds", [0.3, 1.0, 1.4])
def test_a_stop_during_the_start_leaves_nothing_running(prepared: Demo, seconds: float) -> None:
    with running(prepared.folder, "demo", PORT=str(free_ports(3))) as command:
        time.sleep(seconds)
        command.end(signal.SIGTERM if seconds < 1 else signal.SIGINT, STOP_SECONDS)
        command.wait_until_gone(2)
        assert "Traceback" not in command.said()


def test_several_calendars_fill_the_mailbox(prepared: Demo, tmp_path: Path) -> None:
    files = [calendar_file(tmp_path, subject) for subject in ("Tide-tables", "Crane-inspection")]
    arguments = [word for file in files for word in ("--calendar", str(file))]
    folder = prepared.folder
    with running(folder, "demo", *arguments, PORT=str(free_ports(3))) as command:
        demo = wait_for_demo(command, folder)
        session = demo.signed_in()
        connect(demo, session)
        wait_for_meeting(demo, session, "Tide-tables")
        wait_for_meeting(demo, session, "Crane-inspection")


def test_a_missing_calendar_ends_in_a_sentence(prepared: Demo) -> None:
    with running(prepared.folder, "demo", "--calendar", "no-such.ics", PORT=str(free_ports(3))) as command:
        assert command.process.wait(START_SECONDS) == 1
        assert command.said() == "CommandError: There is no file no-such.ics\n"
        assert command.family() == {}


def test_a_nonsense_calendar_ends_in_a_sentence(prepared: Demo, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.ics"
    nonsense.write_text("this is no calendar")
    with running(prepared.folder, "demo", "--calendar", str(nonsense), PORT=str(free_ports(3))) as command:
        assert command.process.wait(START_SECONDS) == 1
        assert f"CommandError: Cannot use the calendar {nonsense}: " in command.said()
        assert "CommandError: the stand-in Microsoft ended by itself (exit code 2)" in command.said()
        command.wait_until_gone(2)


def test_with_an_app_of_microsofts_no_sandbox_starts(prepared: Demo) -> None:
    app = {"MICROSOFT_CLIENT_ID": "11111111-2222-3333-4444-555555555555", "MICROSOFT_CLIENT_SECRET": "secret"}
    with running(prepared.folder, "demo", PORT=str(free_ports(3)), **app) as command:
        wait_for_demo(command, prepared.folder)
        assert not [line for line in command.family().values() if SANDBOX in line]
        assert "stand-in" not in command.said()


def test_with_an_app_of_microsofts_a_calendar_file_is_refused(prepared: Demo, tmp_path: Path) -> None:
    app = {"MICROSOFT_CLIENT_ID": "11111111-2222-3333-4444-555555555555", "MICROSOFT_CLIENT_SECRET": "secret"}
    file = calendar_file(tmp_path, "Tide-tables")
    with running(prepared.folder, "demo", "--calendar", str(file), **app) as command:
        assert command.process.wait(START_SECONDS) == 1
        assert command.said() == (
            "CommandError: --calendar fills the stand-in mailbox; with MICROSOFT_CLIENT_ID set there is none.\n"
        )


def test_a_chosen_password_is_used_and_kept(tmp_path: Path) -> None:
    chosen = "a-password-of-ones-own"
    with running(tmp_path, "demo", PORT=str(free_ports(3)), DEMO_PASSWORD=chosen) as command:
        demo = wait_for_demo(command, tmp_path)
        assert demo.password == chosen
        demo.signed_in()
    assert f"DEMO_PASSWORD={chosen}\n" in (tmp_path / ".env").read_text()


# --- What needs no process of its own ----------------------------------------------------------------------------


@pytest.mark.needs("ipv6")
def test_a_port_is_taken_when_somebody_listens_by_ipv6_only() -> None:
    first = free_ports(2)
    with socket.create_server(("::1", first), family=socket.AF_INET6):
        assert _free_port(first) == first + 1


def test_without_a_password_the_demo_says_what_to_add(db: None, settings: Settings) -> None:
    settings.DEMO_PASSWORD = ""
    with pytest.raises(CommandError, match=r"^DEMO_PASSWORD is not set, and "):
        _first_admin()


def test_the_admin_is_made_once(db: None, settings: Settings) -> None:
    settings.DEMO_PASSWORD = PASSWORD
    assert [_first_admin(), _first_admin()] == [PASSWORD, PASSWORD]
    assert [(user.email, user.is_superuser) for user in User.objects.all()] == [(ADMIN, True)]
    assert [one.name for one in Organization.objects.all()] == ["My organization"]


def test_a_password_changed_in_sally_is_not_printed(db: None, settings: Settings) -> None:
    settings.DEMO_PASSWORD = PASSWORD
    _first_admin()
    settings.DEMO_PASSWORD = "another"
    assert _first_admin() == "(your own password; it is not DEMO_PASSWORD any more)"
