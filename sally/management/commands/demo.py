"""``manage.py demo``: everything of Sally on one machine, with one command, until Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sally.models import Organization, User

ADMIN = "admin@sally.example"
START_SECONDS = 30.0
GRACE_SECONDS = 10.0
MANAGE = str(settings.BASE_DIR / "manage.py")

# Ends the parts' process groups when the demo itself is gone, however it went: its end of the pipe closes by itself.
_JANITOR = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
groups = [int(line) for line in sys.stdin]
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


@dataclass
class Part:
    name: str
    process: subprocess.Popen[bytes]


@dataclass
class Parts:
    """The running processes. Each has a group of its own, so that Ctrl-C reaches only the demo, which ends them."""

    running: list[Part] = field(default_factory=list)
    janitor: subprocess.Popen[bytes] | None = None

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> Part:
        if self.janitor is None:
            self.janitor = subprocess.Popen(  # noqa: S603 - our own lines
                [sys.executable, "-c", _JANITOR], stdin=subprocess.PIPE, start_new_session=True
            )
        process = subprocess.Popen(command, env=os.environ | environment, start_new_session=True)  # noqa: S603 - ours
        self.running.append(Part(name, process))
        assert self.janitor.stdin  # noqa: S101 - it is a pipe
        self.janitor.stdin.write(b"%d\n" % process.pid)
        self.janitor.stdin.flush()
        return self.running[-1]

    def dead(self) -> Part | None:
        return next((part for part in self.running if part.process.poll() is not None), None)

    def stop(self) -> None:
        """SIGTERM to each part's main process, time to finish, then SIGKILL to whatever is left of its group."""
        for part in self.running:
            part.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for part in self.running:
            with suppress(subprocess.TimeoutExpired):
                part.process.wait(max(deadline - time.monotonic(), 0.1))
        if self.janitor and self.janitor.stdin:
            self.janitor.stdin.close()
            self.janitor.wait()
        for part in self.running:
            part.process.wait()


class Stop(Exception):
    """Ctrl-C or SIGTERM."""


@contextmanager
def stop_on_signals() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Stop

    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Command(BaseCommand):
    help = "Starts web, worker and the stand-in Microsoft, and prints where to sign in. Ctrl-C stops all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--calendar",
            action="append",
            default=[],
            metavar="FILE.ics",
            help="Fill the stand-in mailbox with this calendar instead of the built-in one (repeatable).",
        )

    def handle(self, *args: Any, calendar: list[str], **options: Any) -> None:
        missing = [name for name in calendar if not Path(name).is_file()]
        if missing:
            raise CommandError(f"There is no file {missing[0]}")
        real = bool(settings.MICROSOFT_CLIENT_ID and settings.MICROSOFT_CLIENT_SECRET)
        if real and calendar:
            raise CommandError("--calendar fills the stand-in mailbox; with MICROSOFT_CLIENT_ID set there is none.")
        parts = Parts()
        try:
            with stop_on_signals():
                self._run(parts, calendar, real)
        except Stop:
            self.stdout.write("\nStopping …")
        finally:
            parts.stop()

    def _run(self, parts: Parts, calendars: list[str], real: bool) -> None:
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        password = _first_admin()
        web, https, pages = self._ports()
        url = f"http://localhost:{web}"
        environment = {
            "PORT": str(web),
            "PUBLIC_URL": url,
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "DJANGO_SETTINGS_MODULE": "sally.settings",
        }
        if not real:
            environment |= self._start_sandbox(parts, https, pages, calendars, url)
        gunicorn = ["-m", "gunicorn", "sally.wsgi", "--bind", f"127.0.0.1:{web}", "--worker-class", "gthread"]
        quiet = ["--threads", "8", "--log-level", "warning", "--chdir", str(settings.BASE_DIR)]
        parts.start("web", [sys.executable, *gunicorn, *quiet], environment)
        parts.start("worker", [sys.executable, MANAGE, "worker"], environment)
        _wait_for_page(parts, f"{url}/sign-in/")
        self._tell(url, password, environment.get("SANDBOX_PAGES", ""))
        while not (dead := parts.dead()):
            time.sleep(0.3)
        raise CommandError(f"{dead.name} ended by itself (exit code {dead.process.returncode}); everything is stopped")

    def _ports(self) -> tuple[int, int, int]:
        """The wanted port or the next free one, and two more for the sandbox."""
        wanted = settings.PORT
        web = _free_port(wanted)
        if web != wanted:
            self.stdout.write(f"Port {wanted} is taken; using {web}.")
        https = _free_port(web + 1)
        return web, https, _free_port(https + 1)

    def _start_sandbox(self, parts: Parts, https: int, pages: int, calendars: list[str], url: str) -> dict[str, str]:
        directory = Path(os.environ.get("SANDBOX_DIRECTORY") or settings.BASE_DIR / ".sandbox")
        description = directory / "sandbox.json"
        description.unlink(missing_ok=True)
        command = [sys.executable, MANAGE, "sandbox", "--directory", str(directory)]
        command += ["--https-port", str(https), "--http-port", str(pages)]
        command += ["--redirect-uri", f"{url}/settings/integrations/microsoft/callback/"]
        for name in calendars:
            command += ["--calendar", str(Path(name).resolve())]
        part = parts.start("sandbox", command, {"DJANGO_SETTINGS_MODULE": "sandbox.settings"})
        deadline = time.monotonic() + START_SECONDS
        while not description.is_file():
            if part.process.poll() is not None or time.monotonic() > deadline:
                raise CommandError("the stand-in Microsoft did not start; its message is above")
            time.sleep(0.05)
        facts = json.loads(description.read_text(encoding="utf-8"))
        return {
            "MICROSOFT_CLIENT_ID": facts["client_id"],
            "MICROSOFT_CLIENT_SECRET": facts["client_secret"],
            "MICROSOFT_LOGIN_URL": facts["login_url"],
            "MICROSOFT_GRAPH_URL": facts["graph_url"],
            "CA_BUNDLE": facts["ca_bundle"],
            "SANDBOX_PAGES": facts["pages_url"],
        }

    def _tell(self, url: str, password: str, sandbox: str) -> None:
        lines = ["", f"Sally is running:  {url}", f"Sign in:           {ADMIN}  {password}"]
        if sandbox:
            lines += ["Microsoft is a stand-in on this machine: connect a calendar, choose Ines Falk, accept."]
        self.stdout.write("\n".join([*lines, "Ctrl-C stops everything.", ""]))
        self.stdout.flush()


def _first_admin() -> str:
    """One organization and one admin, made once; returns the password, which stays in ``.env``."""
    password: str = settings.DEMO_PASSWORD
    if not password:
        raise CommandError("DEMO_PASSWORD is not set, and .env has none. Add a line DEMO_PASSWORD=… to .env")
    organization = Organization.objects.first() or Organization.objects.create(name="My organization")
    admin = User.objects.filter(email=ADMIN).first()
    if admin is None:
        User.objects.create_superuser(ADMIN, password, name="Admin", organization=organization)
    elif not admin.check_password(password):
        return "(the password that you chose)"
    return password


def _free_port(wanted: int) -> int:
    """``wanted`` or the next port that nobody listens on, tried on the address the servers will use."""
    for port in range(wanted, min(wanted + 500, 65536)):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise CommandError(f"No free port was found from {wanted} on; choose another with PORT.")


def _wait_for_page(parts: Parts, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline:
            dead = parts.dead()
            if dead:
                raise CommandError(f"{dead.name} did not start; its message is above")
            try:
                if session.get(url, timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.05)
    raise CommandError("the web part did not answer in time")
