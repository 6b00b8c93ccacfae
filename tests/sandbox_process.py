"""The sandbox as tests use it: a process of its own, asked over real HTTP, and walked through as a person would."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlencode, urljoin, urlsplit

import requests

_ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 20
_APPROVAL_PAGES = ("<h1>Need admin approval</h1>", "<h1>Approval required</h1>")


def session(ca_bundle: str) -> requests.Session:
    """A session that trusts the sandbox's authority; requests' environment variables would silently win over it."""
    made = requests.Session()
    made.trust_env = False
    made.verify = ca_bundle
    return made


@dataclass
class Form:
    """A form of a page: where it goes, what it carries, its buttons and its boxes to tick by (name, value)."""

    action: str
    fields: dict[str, str]
    buttons: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(values.get("action", ""), {}))
        elif tag == "input" and values.get("type") == "checkbox" and self.forms:
            self.forms[-1].boxes.append((values["name"], values.get("value", "on")))
        elif tag == "input" and self.forms:
            self.forms[-1].fields[values["name"]] = values.get("value", "")
        elif tag == "button" and self.forms:
            self.forms[-1].buttons.append((values.get("name", ""), values.get("value", "")))


def forms(page: str) -> list[Form]:
    parser = _Forms()
    parser.feed(page)
    return parser.forms


@dataclass
class Sandbox:
    """A running sandbox; ``stop`` ends it."""

    process: subprocess.Popen[bytes]
    directory: Path
    login_url: str
    graph_url: str
    pages_url: str
    ca_bundle: str
    client_id: str
    client_secret: str
    exchange_url: str
    exchange_password: str

    @classmethod
    def start(cls, directory: Path, *args: str) -> Self:
        """Start it with its files in ``directory``, and wait until it answers."""
        announcement = directory / "sandbox.json"
        process = launch(directory, *args)
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            # A stale announcement of an earlier run carries that run's process id.
            if announcement.exists() and (said := json.loads(announcement.read_text()))["pid"] == process.pid:
                said.pop("pid")
                for pipe in (process.stdout, process.stderr):
                    threading.Thread(target=_drain, args=(pipe,), daemon=True).start()
                return cls(process=process, directory=directory, **said)
            time.sleep(0.02)
        process.kill()
        raise RuntimeError(f"The sandbox did not start: {process.communicate()[1].decode()}")

    def stop(self) -> int:
        """End it as a supervisor would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=10)
        finally:
            self.process.kill()
            self.process.communicate()
        return code

    def session(self) -> requests.Session:
        return session(self.ca_bundle)

    def control(self, method: str, path: str, json: Any = None, text: str | None = None, *, seconds: float = 30) -> Any:
        """Ask the control API; ``path`` without its prefix. The answer: JSON, or text where it is no JSON."""
        url = f"{self.login_url}/control/{path.lstrip('/')}"
        content = None if text is None else text.encode()
        headers = {"Content-Type": "text/calendar"} if text is not None else {}
        with self.session() as http:
            response = http.request(method, url, json=json, data=content, headers=headers, timeout=seconds)
        if response.status_code >= 400:
            raise ControlRefused(response.status_code, response.text)
        return response.json() if "json" in response.headers["Content-Type"] else response.content.decode()

    def log(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.control("GET", "log")
        return entries

    def operations(self) -> Counter[str]:
        """What was asked of the Exchange server since the log was emptied, by its name."""
        return Counter(str(one["operation"]) for one in self.log() if one["operation"])

    def logins(self) -> list[str]:
        """Every POST whose credentials the Exchange server had to verify: "ok" or "refused"."""
        return [str(one["login"]) for one in self.log() if one["login"]]

    def sign_in(self, authorize_url: str, email: str = "ines@quay.example", accept: bool = True) -> str:
        """Walk the pages like a person; the address that the application is called back at (not followed).

        Raises ``Stopped`` where an admin has to approve first; not to ``accept`` takes the way back that
        "Need admin approval" offers.
        """
        with self.session() as http:
            response = http.get(authorize_url, allow_redirects=False, timeout=30)
            for _ in range(5):
                if response.is_redirect:
                    return str(response.headers["Location"])
                form = _form_of(response)
                target = urljoin(response.url, form.action) if form.action else response.url
                if urlsplit(target).path != urlsplit(response.url).path:
                    return f"{target}?{urlencode(form.fields)}"  # response_mode=form_post
                if any(heading in response.text for heading in _APPROVAL_PAGES) and (accept or not _can_return(form)):
                    raise Stopped(response.text)
                fields = form.fields | dict([_choose(form, email, accept)])
                response = http.post(target, data=fields, allow_redirects=False, timeout=30)
        raise AssertionError("The sandbox's pages do not end.")

    def consent_as_admin(
        self,
        url: str,
        decision: str = "accept",
        scopes: list[str] | None = None,
        email: str = "ada@quay.example",
    ) -> str:
        """Walk the admin consent endpoint like a person; the address that the application is called back at.

        ``decision`` is "accept", "partly" with the ``scopes`` that are ticked, by their short names, or "cancel".
        Raises ``Stopped`` where no decision is offered.
        """
        with self.session() as http:
            response = http.get(url, allow_redirects=False, timeout=30)
            for wanted in (("account", email), ("decision", decision)):
                if response.is_redirect:
                    break  # the application is told of its mistake at once
                form = _form_of(response)
                if wanted not in form.buttons:
                    raise Stopped(response.text)
                fields = [*form.fields.items(), *_ticked(form, scopes or []), wanted]
                response = http.post(response.url, data=fields, allow_redirects=False, timeout=30)
        if not response.is_redirect:
            raise Stopped(response.text)
        return str(response.headers["Location"])


class ControlRefused(Exception):
    """The control API said no; ``status`` and the sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"{status}: {sentence}")
        self.status = status


class Stopped(AssertionError):
    """Microsoft's pages ended before anything came back to the application; the heading of the last one."""

    def __init__(self, page: str) -> None:
        heading = re.search(r"<h1>([^<]*)</h1>", page)
        super().__init__(f"Stopped at the page {heading[1]!r}." if heading else f"Stopped: {page}")


def _form_of(response: requests.Response) -> Form:
    """The one form that leads on. Raises ``Stopped`` for a page that was answered well and has none."""
    found = forms(response.text)
    if not found and response.ok:
        raise Stopped(response.text)
    if len(found) != 1:
        raise AssertionError(f"A page without a way on ({response.status_code}): {response.text}")
    return found[0]


def _can_return(form: Form) -> bool:
    return ("decision", "cancel") in form.buttons


def _choose(form: Form, email: str, accept: bool) -> tuple[str, str]:
    wanted = {("account", email), ("decision", "accept" if accept else "cancel")}
    for button in form.buttons:
        if button in wanted:
            return button
    raise AssertionError(f"No button for {email} among {form.buttons}")


def _ticked(form: Form, scopes: list[str]) -> list[tuple[str, str]]:
    """The boxes of these, on the page that has any."""
    wanted = [("scope", name) for name in scopes] if form.boxes else []
    assert set(wanted) <= set(form.boxes), f"No box for each of {scopes} among {form.boxes}"
    return wanted


def _drain(pipe: IO[bytes] | None) -> None:
    """Read on: whoever writes to a pipe that is full waits, and with it all that holds a lock meanwhile."""
    with suppress(OSError, ValueError):
        while pipe and os.read(pipe.fileno(), 65536):
            pass


def launch(directory: Path, *args: str) -> subprocess.Popen[bytes]:
    """Start the command without waiting for it."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "sandbox.settings", "PYTHONPATH": str(_ROOT)}
    command = [sys.executable, "-m", "django", "sandbox", "--directory", str(directory), *args]
    return subprocess.Popen(command, env=environment, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
