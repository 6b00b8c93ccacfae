"""``manage.py demo``: everything of Sally on one machine, with one command, until Ctrl-C."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from sally.models import Organization, User
from sally.supervisor import Part, PartEnded, StopAsked, Supervisor

ADMIN = "admin@sally.example"
START_SECONDS = 30.0
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
STAND_IN = "the stand-in Microsoft"


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
        os.umask(0o077)  # what is made here, the database above all, is its owner's alone
        real = bool(settings.MICROSOFT_CLIENT_ID) and bool(
            settings.MICROSOFT_CLIENT_SECRET or settings.MICROSOFT_CLIENT_CERTIFICATE
        )
        if real and calendar:
            raise CommandError("--calendar fills the stand-in mailbox; with MICROSOFT_CLIENT_ID set there is none.")
        calendars = [_existing(name) for name in calendar]
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        password = _first_admin()
        with Supervisor(settings.BASE_DIR) as parts:
            try:
                url, stand_in = self._start(parts, None if real else calendars)
                self._tell(url, password, stand_in)
                parts.watch()
            except StopAsked:
                self._say("\nStopping …")
            except PartEnded as ended:
                raise CommandError(f"{ended}; everything is stopped.") from None
            except TimeoutError:
                raise CommandError(f"No answer within {START_SECONDS:.0f} seconds; everything is stopped.") from None

    def _start(self, parts: Supervisor, calendars: list[str] | None) -> tuple[str, dict[str, str]]:
        """Start all parts, with a stand-in Microsoft if there are ``calendars``.

        Returns Sally's address, and what the stand-in says about itself (nothing where there is none).
        """
        port = _free_port(settings.PORT)
        if port != settings.PORT:
            self._say(f"Port {settings.PORT} is taken; using {port}.")
        url = f"http://localhost:{port}"
        environment = {
            "DJANGO_SETTINGS_MODULE": "sally.settings",
            "PORT": str(port),
            "PUBLIC_URL": url,
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "LOG_FORMAT": "line",
        }
        stand_in: dict[str, str] = {}
        if calendars is not None:
            stand_in = _start_sandbox(parts, port, url, calendars)
            environment |= _pointed_at(stand_in)
        gunicorn = ["gunicorn", "sally.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
        gunicorn += ["--threads", "8", "--log-level", "warning"]
        parts.start("web", [sys.executable, "-m", *gunicorn], environment)
        parts.start("worker", [sys.executable, "manage.py", "worker"], environment)
        with requests.Session() as session:
            session.trust_env = False  # a proxy knows nothing of this machine's own addresses
            session.headers["Connection"] = "close"  # a connection kept open delays the stop
            parts.wait_for(partial(_answers, session, f"{url}{reverse('sign-in')}"), START_SECONDS)
        return url, stand_in

    def _tell(self, url: str, password: str, stand_in: dict[str, str]) -> None:
        lines = ["", f"Sally is running:  {url}", f"Sign in:           {ADMIN}  {password}"]
        if stand_in:
            lines += ["Microsoft is a stand-in on this machine: connect a calendar, choose Ines Falk, accept."]
            lines += ["At the tile for personal accounts she is Ines F., ines.falk@outlook.example."]
            lines += [f"An Exchange server to try:  {stand_in['exchange_url']}"]
            lines += [f"  where she is  QUAY\\ines  with the password  {stand_in['exchange_password']}"]
            lines += [f"Change her calendar:  {stand_in['pages_url']}/outlook/  and watch Sally follow."]
        self._say("\n".join([*lines, "Ctrl-C stops everything.", ""]))

    def _say(self, text: str) -> None:
        with suppress(OSError):  # whoever read it has left, perhaps by closing the terminal
            self.stdout.write(text)
            self.stdout.flush()


def _existing(name: str) -> str:
    path = Path(name).resolve()
    if not path.is_file():
        raise CommandError(f"There is no file {name}")
    return str(path)


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
        return "(your own password; it is not DEMO_PASSWORD any more)"
    return password


def _start_sandbox(parts: Supervisor, port: int, url: str, calendars: list[str]) -> dict[str, str]:
    """Start it on the next free ports; what it says about itself."""
    https = _free_port(port + 1)
    directory = Path(os.environ.get("SANDBOX_DIRECTORY") or settings.BASE_DIR / ".sandbox").resolve()
    command = [sys.executable, "manage.py", "sandbox", "--directory", str(directory)]
    command += ["--https-port", str(https), "--http-port", str(_free_port(https + 1))]
    command += ["--redirect-uri", url + reverse("microsoft-callback")]
    for name in calendars:
        command += ["--calendar", name]
    part = parts.start(STAND_IN, command, {"DJANGO_SETTINGS_MODULE": "sandbox.settings"})
    return parts.wait_for(partial(_announcement, part, directory / "sandbox.json"), START_SECONDS)


def _pointed_at(facts: dict[str, str]) -> dict[str, str]:
    """The settings that point Sally to the sandbox."""
    return {
        "MICROSOFT_CLIENT_ID": facts["client_id"],
        "MICROSOFT_CLIENT_SECRET": facts["client_secret"],
        "MICROSOFT_CLIENT_CERTIFICATE": "",
        "MICROSOFT_CLOUD": "global",  # the only one with personal accounts, which the stand-in has
        "MICROSOFT_LOGIN_URL": facts["login_url"],
        "MICROSOFT_GRAPH_URL": facts["graph_url"],
        "MICROSOFT_PAGES_URL": facts["pages_url"],
        "CA_BUNDLE": facts["ca_bundle"],
        "EXCHANGE_SANDBOX": urlsplit(facts["exchange_url"]).netloc,
    }


def _announcement(part: Part, path: Path) -> dict[str, str] | None:
    """What the sandbox says about itself once it answers; an earlier one's words carry another process id."""
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if facts["pid"] == part.process.pid else None


def _answers(session: requests.Session, url: str) -> bool | None:
    with suppress(requests.RequestException):
        return session.get(url, timeout=2).ok or None
    return None


def _free_port(wanted: int) -> int:
    """``wanted`` or the next port of this machine that nobody listens on, by IPv4 or IPv6: localhost means both."""
    for port in range(wanted, min(wanted + 500, 65536)):
        if not any(_somebody_answers(family, host, port) for family, host in LOOPBACK) and _can_bind(port):
            return port
    raise CommandError(f"No free port was found from {wanted} on; choose another with PORT.")


def _somebody_answers(family: socket.AddressFamily, host: str, port: int) -> bool:
    with suppress(OSError), socket.socket(family) as tried:
        return tried.connect_ex((host, port)) == 0
    return False


def _can_bind(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
