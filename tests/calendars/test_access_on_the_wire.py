"""The access log against what really left: at the sockets of TLS, and in the log of the server that was asked.

The sockets are the last place of Sally's own process that sees a request: below msal, requests, urllib3 and
http.client, and below whatever could send past the transport that writes the log.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from calendars import tasks
from integrations.models import AccessRecord, CalendarConnection, PasswordTrial
from tests import sandbox_process
from tests.conftest import INES, INES_AT_HOME, PERSONAL, address_of, connect, connect_exchange
from tests.contracts import CALENDAR
from tests.sandbox_process import Sandbox

DOORS = ["work", "personal", "exchange by NTLM", "exchange by Basic"]
NEW_PASSWORD = "another password"
# What a request is, by the place that it goes to: the servers' own paths, written down by hand.
KINDS = {
    r"/\w+/v2\.0/\.well-known/openid-configuration": "discovery",
    r"/\w+/oauth2/v2\.0/token": "token",
    r"/v1\.0/me/calendarView": "calendarView",
    r"/v1\.0/me/events/[^/]+": "events/{id}",
    r"/v1\.0/\$batch": "$batch",
}
EWS = "/EWS/Exchange.asmx"


def kind_of(path: str) -> str:
    return next(kind for pattern, kind in KINDS.items() if re.fullmatch(pattern, path))


@dataclass(frozen=True)
class Line:
    """The first line of a request, and what EWS was asked in it."""

    method: str
    path: str
    operation: str = ""

    @property
    def kind(self) -> str:
        return f"EWS {self.operation}" if self.path == EWS else kind_of(self.path)


class Sockets:
    """Takes what is written to every socket, with TLS or without, apart into requests.

    A test's own requests to the sandbox carry a mark, and are left out.
    """

    MARK = "X-Tester"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[Line] = []
        self._streams: dict[int, bytes] = {}
        # With TLS ``sendall`` is made of ``send``; without, each is the system's own.
        for kind, name in ((ssl.SSLSocket, "send"), (socket.socket, "send"), (socket.socket, "sendall")):
            monkeypatch.setattr(kind, name, self._heard(getattr(kind, name)))
        made = sandbox_process.session

        def marked(ca_bundle: str) -> Any:
            session = made(ca_bundle)
            session.headers[self.MARK] = "yes"
            return session

        monkeypatch.setattr(sandbox_process, "session", marked)

    def _heard(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def send(sock: socket.socket, data: Any, *flags: int) -> Any:
            sent = real(sock, data, *flags)
            self.note(id(sock), bytes(data)[:sent])  # ``sendall`` says nothing, for it sends all
            return sent

        return send

    def note(self, stream: int, data: bytes) -> None:
        """Requests follow each other in a stream: a head, and a body as long as the head says."""
        waiting = self._streams.get(stream, b"") + data
        while waiting:
            head, ended, rest = waiting.partition(b"\r\n\r\n")
            length = int((re.search(rb"\r\nContent-Length: (\d+)", head, re.IGNORECASE) or [b"", b"0"])[1])
            if not ended or len(rest) < length:
                break
            self._take(head.decode("latin-1"), rest[:length])
            waiting = rest[length:]
        self._streams[stream] = waiting

    def _take(self, head: str, body: bytes) -> None:
        if f"\r\n{self.MARK}: yes" not in head:
            method, path, _ = head.split(" ", 2)
            operation = re.search(rb"<s:Body><m:(\w+)", body)
            self.lines.append(Line(method, path.partition("?")[0], operation[1].decode() if operation else ""))

    @property
    def unfinished(self) -> list[bytes]:
        return [rest for rest in self._streams.values() if rest]


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch, microsoft: Sandbox) -> Iterator[Sockets]:
    sockets = Sockets(monkeypatch)
    yield sockets
    assert sockets.unfinished == []


@dataclass
class Life:
    """A connection from its first click to its last, through all that happens to one, as people and time do it."""

    client: Client
    sandbox: Sandbox
    door: str

    @property
    def is_exchange(self) -> bool:
        return self.door.startswith("exchange")

    @property
    def mailbox(self) -> str:
        return INES_AT_HOME if self.door == "personal" else INES

    @property
    def place(self) -> str:
        """Where meetings are listed, as the sandbox's faults name it."""
        return "/EWS/" if self.is_exchange else "/calendarView"

    def live(self) -> None:
        self.sandbox.control("PUT", f"mailboxes/{self.mailbox}", text=CALENDAR)
        self.sandbox.control("POST", "settings", json={"access_token_seconds": 60})
        if self.is_exchange:
            offers = "ntlm" if self.door.endswith("NTLM") else "basic"
            self.sandbox.control("POST", "settings", json={"exchange_offers": offers})
        self.sandbox.control("DELETE", "log")
        connection = self.connect()
        self.sync()
        self.sync()
        self.invite()
        self.sync()
        base = f"/settings/integrations/{connection.pk}"
        self.client.post(f"{base}/sync/")
        self.work()
        for state in ("on", "off"):
            self.client.post(f"{base}/options/", {"sync_only_online": state})
            self.work()
        for status in (503, 429, 404):
            self.sandbox.control("POST", "faults", json={"path": self.place, "status": status, "body": "{}"})
            self.sync()
        self.sandbox.control("POST", "faults", json={"path": self.place, "status": 500, "body": ""})
        CalendarConnection.objects.update(not_before=None)
        with pytest.raises(CommandError):
            call_command("sync_calendars", connection=connection.pk)
        self.sync()
        self.lose_access()
        self.sync()
        self.reconnect(connection)
        self.work()
        assert CalendarConnection.objects.get().status == "connected"
        self.client.post(f"{base}/disconnect/")
        assert not CalendarConnection.objects.exists()

    def connect(self) -> CalendarConnection:
        if self.is_exchange:
            return connect_exchange(self.client, self.sandbox, "QUAY\\ines")
        tile = PERSONAL if self.door == "personal" else "microsoft-work"
        return connect(self.client, self.sandbox, self.mailbox, tile=tile)

    def sync(self) -> None:
        CalendarConnection.objects.filter(status__in=CalendarConnection.AT_WORK).update(
            next_sync_at=timezone.now(), not_before=None
        )
        self.work()

    def work(self) -> None:
        """What the worker does for a due connection."""
        tasks.dispatch_due()
        for one in CalendarConnection.objects.exclude(lease_token=None):
            tasks.sync_connection(str(one.pk), str(one.lease_token))

    def invite(self) -> None:
        for number in range(25):  # more than fit into one batch
            start = timezone.now() + timedelta(hours=number + 1)
            event = {"subject": "Changed", "start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
            self.sandbox.control("POST", f"mailboxes/{self.mailbox}/events", json=event)

    def lose_access(self) -> None:
        if self.is_exchange:
            self.sandbox.control("POST", f"exchange/{INES}", json={"password": NEW_PASSWORD})
        else:
            self.sandbox.control("POST", "revoke", json={"email": self.mailbox})

    def reconnect(self, connection: CalendarConnection) -> None:
        if self.is_exchange:
            typed = {"username": "QUAY\\ines", "server": self.sandbox.exchange_url, "version": ""}
            address = f"/settings/integrations/exchange/?connection={connection.pk}"
            for password in ("wrong", NEW_PASSWORD):
                response = self.client.post(address, typed | {"password": password})
            assert response.status_code == 302
            return
        address = f"/settings/integrations/connect/{connection.provider}/"
        for accept in (False, True):
            page = self.client.post(address, {"connection": str(connection.pk)}, follow=True).content.decode()
            back = self.sandbox.sign_in(address_of(page).replace("login_hint", "ignored"), self.mailbox, accept)
            self.client.get(f"/{back.split('/', 3)[3]}")


@pytest.fixture(params=DOORS)
def life(request: pytest.FixtureRequest, as_alice: Client, microsoft: Sandbox) -> Life:
    return Life(as_alice, microsoft, request.param)


def rows() -> list[AccessRecord]:
    return list(AccessRecord.objects.order_by("pk"))


def told_by(entry: dict[str, Any]) -> str:
    """The kind of a request by what the sandbox understood of it."""
    if str(entry["path"]) != EWS:
        return kind_of(str(entry["path"]))
    if entry["status"] == 401 and not entry["login"]:
        return "EWS handshake"
    return f"EWS {entry['operation']}".strip()


def is_same(entry: dict[str, Any], row: AccessRecord) -> bool:
    kind = told_by(entry)
    # To those whom it does not let in, or has a fault for, the sandbox does not listen.
    unheard = kind == "EWS" and row.endpoint.startswith("EWS ") and row.endpoint != "EWS handshake"
    return (entry["method"], entry["status"]) == (row.method, row.status) and (unheard or kind == row.endpoint)


def test_all_of_a_whole_life_is_in_it(sockets: Sockets, life: Life) -> None:
    """Lived once at each door, for it takes its time."""
    life.live()
    found = rows()
    every_request_that_left_is_a_row_and_every_row_left(sockets, found)
    it_equals_the_servers_own_log_request_by_request(life, found)
    no_method_that_writes_appears(sockets, found)
    disconnecting_left_the_rows_and_their_account(life, found)
    nothing_of_what_was_sent_or_found_is_in_it(life)
    if not life.is_exchange:
        the_items_of_a_batch_are_those_that_the_server_saw_in_it(life, found)


def every_request_that_left_is_a_row_and_every_row_left(sockets: Sockets, found: list[AccessRecord]) -> None:
    assert len(found) == len(sockets.lines) > 12
    for line, row in zip(sockets.lines, found, strict=True):
        as_handshake = row.endpoint == "EWS handshake" and line.path == EWS
        assert row.method == line.method
        assert as_handshake or row.endpoint == line.kind


def it_equals_the_servers_own_log_request_by_request(life: Life, found: list[AccessRecord]) -> None:
    seen = [one for one in life.sandbox.log() if not str(one["path"]).endswith("/authorize")]
    direct = [one for one in seen if one["via"] == "direct"]
    assert len(found) == len(direct)
    for entry, row in zip(direct, found, strict=True):
        assert is_same(entry, row), (entry, row.method, row.endpoint, row.status)


def the_items_of_a_batch_are_those_that_the_server_saw_in_it(life: Life, found: list[AccessRecord]) -> None:
    inside: list[int] = []
    count = 0
    for entry in life.sandbox.log():
        if entry["via"] == "batch":
            count += 1
        elif str(entry["path"]).endswith("$batch"):
            inside.append(count)
            count = 0
    assert [row.items for row in found if row.endpoint == "$batch"] == inside
    assert max(inside) == 20


def no_method_that_writes_appears(sockets: Sockets, found: list[AccessRecord]) -> None:
    read_by_post = {
        "token", "$batch", "EWS handshake", "EWS GetFolder", "EWS FindItem", "EWS GetItem", "EWS SyncFolderItems",
        "EWS ConvertId", "EWS ResolveNames",
    }  # fmt: skip
    read_by_get = {"discovery", "calendarView", "events/{id}"}
    for row in found:
        assert row.endpoint in {"GET": read_by_get, "POST": read_by_post}[row.method]
    assert {line.method for line in sockets.lines} <= {"GET", "POST"}


def disconnecting_left_the_rows_and_their_account(life: Life, found: list[AccessRecord]) -> None:
    assert {row.connection for row in found} == {None}
    assert life.mailbox in {row.account for row in found}


def nothing_of_what_was_sent_or_found_is_in_it(life: Life) -> None:
    """But for the calendar's own address. (tests/test_canary.py looks for tokens and passwords in every table.)"""
    texts = " ".join(repr(values) for values in AccessRecord.objects.values())
    secrets = ("Changed", "QUAY", NEW_PASSWORD, life.sandbox.exchange_password)
    assert [one for one in secrets if one in texts] == []
    assert not re.search(r"eyJ|AAMk|https?:|localhost", texts)
    assert set(re.findall(r"[\w.]+@[\w.]+", texts)) == {life.mailbox}


def test_a_password_that_was_not_tried_leaves_nothing(as_alice: Client, microsoft: Sandbox) -> None:
    typed = {"username": INES, "password": "wrong", "server": microsoft.exchange_url, "version": ""}
    as_alice.post("/settings/integrations/exchange/", typed)
    before = AccessRecord.objects.count()
    assert before > 0
    as_alice.post("/settings/integrations/exchange/", typed)  # refused a moment ago: it is not sent again
    assert PasswordTrial.objects.count() == 1
    assert AccessRecord.objects.count() == before
