"""The command: starting, stopping, its files, and a second start."""

import json
import os
import socket
import ssl
import stat
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.sandbox.conftest import ask_token, sign_in
from tests.sandbox_process import Sandbox, launch

EVENT = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:{0}
SUMMARY:{0}
DTSTART:20270101T100000Z
END:VEVENT
END:VCALENDAR
"""


def test_it_announces_where_it_answers(running_sandbox: Sandbox) -> None:
    path = running_sandbox.directory / "sandbox.json"
    said = json.loads(path.read_text())

    addresses = {"login_url", "graph_url", "pages_url", "exchange_url", "ca_bundle"}
    assert set(said) == addresses | {"client_id", "client_secret", "exchange_password", "pid"}
    assert said["exchange_url"] == f"{said['login_url']}/EWS/Exchange.asmx"
    assert said["pid"] == running_sandbox.process.pid
    assert urlsplit(said["login_url"]).scheme == "https"
    assert urlsplit(said["pages_url"]).scheme == "http"


def test_its_files_are_its_owners_alone(running_sandbox: Sandbox) -> None:
    directory = running_sandbox.directory

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for name in ("sandbox.json", "ca-key.pem", "server.pem", "token-key.pem"):
        sign_in(running_sandbox)
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600


def test_it_answers_on_the_loopback_only(running_sandbox: Sandbox) -> None:
    addresses = Path(f"/proc/{running_sandbox.process.pid}/net/tcp")
    if not addresses.exists():
        pytest.skip("needs /proc to list sockets")
    ports = {urlsplit(url).port or 0 for url in (running_sandbox.login_url, running_sandbox.pages_url)}
    sockets = [line.split() for line in addresses.read_text().splitlines()[1:]]
    listening = [columns[1].split(":") for columns in sockets if columns[3] == "0A"]

    assert {address for address, port in listening if int(port, 16) in ports} == {"0100007F"}


def test_its_certificate_passes_strict_verification(running_sandbox: Sandbox) -> None:
    trust = ssl.create_default_context(cafile=running_sandbox.ca_bundle)
    trust.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN  # Python 3.13's default
    port = urlsplit(running_sandbox.login_url).port
    for name in ("localhost", "127.0.0.1"):
        with socket.create_connection(("127.0.0.1", port)) as plain, trust.wrap_socket(plain, server_hostname=name):
            pass


def test_a_client_that_says_nothing_keeps_nobody_waiting(running_sandbox: Sandbox) -> None:
    port = urlsplit(running_sandbox.login_url).port
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    began = time.monotonic()
    running_sandbox.log()

    assert time.monotonic() - began < 1
    for one in silent:
        one.close()


def test_it_stops_within_a_second_and_says_so(tmp_path: Path) -> None:
    own = Sandbox.start(tmp_path / "files")
    with own.session() as http:
        http.get(f"{own.login_url}/organizations/discovery/v2.0/keys")  # a connection that stays open
        began = time.monotonic()
        code = own.stop()

    assert (code, time.monotonic() - began < 1) == (0, True)
    assert not (tmp_path / "files" / "sandbox.json").exists()


def test_tokens_and_the_authority_survive_a_start_on_other_ports(tmp_path: Path) -> None:
    first = Sandbox.start(tmp_path / "files")
    refresh_token = sign_in(first)["refresh_token"]
    authority = Path(first.ca_bundle).read_text()
    first.control("PUT", "mailboxes/mia@quay.example", text=EVENT.format("kept"))
    first.control("PUT", "mailboxes/ines@quay.example", text=EVENT.format("made again"))
    first.stop()

    second = Sandbox.start(tmp_path / "files")
    try:
        assert second.login_url != first.login_url
        assert Path(second.ca_bundle).read_text() == authority
        assert ask_token(second, grant_type="refresh_token", refresh_token=refresh_token).ok
        assert "kept" in second.control("GET", "mailboxes/mia@quay.example")
        assert "Stand-up" in second.control("GET", "mailboxes/ines@quay.example")
    finally:
        second.stop()


def test_calendars_fill_the_first_persons_mailbox(tmp_path: Path) -> None:
    one, two = tmp_path / "one.ics", tmp_path / "two.ics"
    one.write_text(EVENT.format("one"))
    two.write_text(EVENT.format("two"))
    own = Sandbox.start(tmp_path / "files", "--calendar", str(one), "--calendar", str(two))
    try:
        text = own.control("GET", "mailboxes/ines@quay.example")
        assert ("SUMMARY:one" in text, "SUMMARY:two" in text, "Stand-up" in text) == (True, True, False)
        own.control("POST", "mailboxes/ines@quay.example/change", json={"uid": "two", "subject": "three"})
        assert "SUMMARY:three" in own.control("GET", "mailboxes/ines@quay.example")
    finally:
        own.stop()


NO_CALENDARS = [None, b"no calendar", b"\xff\xfe\x00", b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR"]


@pytest.mark.parametrize("content", NO_CALENDARS)
def test_a_calendar_that_cannot_be_read_ends_it_with_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.ics"
    if content is not None:
        path.write_bytes(content)
    process = launch(tmp_path / "files", "--calendar", str(path))
    _, said = process.communicate(timeout=20)

    assert process.returncode == 2
    assert len(said.decode().strip().splitlines()) == 1
    assert "mine.ics" in said.decode()


def test_a_taken_port_ends_it_with_a_sentence(running_sandbox: Sandbox, tmp_path: Path) -> None:
    process = launch(tmp_path / "files", "--https-port", str(urlsplit(running_sandbox.login_url).port))
    _, said = process.communicate(timeout=20)

    assert process.returncode == 2
    assert len(said.decode().strip().splitlines()) == 1


def test_it_starts_within_two_seconds_once_its_files_are_there(tmp_path: Path) -> None:
    Sandbox.start(tmp_path / "files").stop()
    began = time.monotonic()
    own = Sandbox.start(tmp_path / "files")
    took = time.monotonic() - began
    own.stop()

    # Alone it takes 0.8 s; a machine with many tests at once is given more.
    assert took < (2 if (os.getloadavg()[0] < (os.cpu_count() or 1)) else 6)
