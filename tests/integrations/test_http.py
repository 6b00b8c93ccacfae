"""The transport: what is waited for, what is trusted, what an answer's status means."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from integrations.errors import RateLimited, Unavailable
from integrations.http import IN_THE_BACKGROUND, Patience, Session, check, retry_after, send
from integrations.models import LEASE
from integrations.trail import Trail
from tests.sandbox_process import Sandbox


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("2.128", 2.128),
        (" 3 ", 3.0),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 90.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("-5", 0.0),
        ("nan", 0.0),
        ("inf", 86400.0),
        ("1e9", 86400.0),
        ("soon", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_is_read_as_a_number_or_a_date(header: str, seconds: float) -> None:
    now = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
    assert retry_after({"Retry-After": header}, now) == seconds


def test_retry_after_is_found_in_any_letter_case_and_missed_without_harm() -> None:
    assert retry_after({"retry-after": "4"}) == 4.0
    assert retry_after({}) == 0.0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_server_errors_are_unavailable(status: int) -> None:
    with pytest.raises(Unavailable):
        check(status, {}, "test")


@pytest.mark.parametrize("status", [429, 503])
def test_a_named_pause_is_kept(status: int) -> None:
    with pytest.raises(RateLimited) as caught:
        check(status, {"Retry-After": "30"}, "test")
    assert caught.value.retry_after == 30.0


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 410])
def test_other_answers_are_the_callers_business(status: int) -> None:
    check(status, {}, "test")


def test_the_environment_cannot_change_what_is_trusted(microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """requests lets REQUESTS_CA_BUNDLE beat Session.verify, and HTTPS_PROXY send everything elsewhere."""
    import certifi

    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, certifi.where())
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    url = f"{microsoft.login_url}/organizations/v2.0/.well-known/openid-configuration"
    with Session(Trail()) as session:
        assert send(session, "GET", url).status_code == 200


def test_an_unknown_authority_is_refused(microsoft: Sandbox, settings: object) -> None:
    settings.CA_BUNDLE = ""  # type: ignore[attr-defined]
    with Session(Trail()) as session, pytest.raises(Unavailable):
        send(session, "GET", f"{microsoft.login_url}/organizations/v2.0/.well-known/openid-configuration")


def test_redirects_are_not_followed(microsoft: Sandbox) -> None:
    microsoft.control(
        "POST",
        "faults",
        json={
            "path": "openid-configuration",
            "status": 302,
            "headers": {"Location": "http://127.0.0.1:1/"},
            "body": "",
        },
    )
    with Session(Trail()) as session:
        url = f"{microsoft.login_url}/organizations/v2.0/.well-known/openid-configuration"
        assert send(session, "GET", url).status_code == 302


@pytest.mark.parametrize("method", ["get", "post"])
def test_redirects_are_not_followed_by_msal_either(microsoft: Sandbox, method: str) -> None:
    """msal calls ``get`` and ``post``, and requests' own ``get`` asks for redirects."""
    fault = {"path": "/organizations/", "status": 302, "headers": {"Location": microsoft.login_url}, "body": ""}
    microsoft.control("POST", "faults", json=fault)
    with Session(Trail()) as session:
        assert getattr(session, method)(f"{microsoft.login_url}/organizations/oauth2/v2.0/token").status_code == 302


class Endless(BaseHTTPRequestHandler):
    """Sends a byte every tenth of a second for ten seconds."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        with suppress(OSError):
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endless() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


class Compressed(Endless):
    """Answers 200 kB of JSON, compressed as Graph does, in chunks as small as the path says."""

    protocol_version = "HTTP/1.1"
    TEXT = json.dumps([{"number": number, "text": "crane " * 5} for number in range(4000)]).encode()

    def do_GET(self) -> None:
        size = int(self.path.strip("/"))
        packed = gzip.compress(self.TEXT)
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        if size:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(packed)))
        self.end_headers()
        for start in range(0, len(packed), size) if size else ():
            part = packed[start : start + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n" if size else packed)


@pytest.fixture
def compressed() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Compressed)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("chunk", [0, 1, 7, 1000, 100_000])
def test_a_compressed_answer_is_read_whole_however_it_is_cut(compressed: str, chunk: int) -> None:
    with Session(Trail()) as session:
        for _ in range(3):  # over one connection
            assert send(session, "GET", f"{compressed}{chunk}").content == Compressed.TEXT
        pools = session.get_adapter(compressed).poolmanager.pools  # type: ignore[attr-defined]
        assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118


def test_an_answer_that_drips_is_given_up(endless: str) -> None:
    began = time.monotonic()
    with Session(Trail(), patience=Patience(connect=5, silence=5, answer=0.5)) as session, pytest.raises(Unavailable):
        send(session, "GET", endless)
    assert time.monotonic() - began < 5


def test_an_answer_without_end_is_given_up(endless: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.http.MOST_BYTES", 3)
    began = time.monotonic()
    with Session(Trail()) as session, pytest.raises(Unavailable):
        send(session, "GET", endless)
    assert time.monotonic() - began < 5


def test_silence_is_given_up_sooner_where_a_person_waits(microsoft: Sandbox) -> None:
    microsoft.control("POST", "faults", json={"path": "openid-configuration", "status": None, "delay": 3})
    began = time.monotonic()
    with Session(Trail(), patience=Patience(connect=5, silence=0.5, answer=5)) as session, pytest.raises(Unavailable):
        send(session, "GET", f"{microsoft.login_url}/organizations/v2.0/.well-known/openid-configuration")
    assert time.monotonic() - began < 2.5


def test_one_request_fits_into_a_lease() -> None:
    one = IN_THE_BACKGROUND
    assert one.connect + one.silence + one.answer < LEASE.total_seconds()


@pytest.mark.parametrize("location", ["http://[::1", "/elsewhere", "https://evil.example/"])
def test_a_redirects_target_is_not_even_looked_at(microsoft: Sandbox, location: str) -> None:
    fault = {"path": "/organizations/", "status": 302, "headers": {"Location": location}, "body": "moved"}
    microsoft.control("POST", "faults", json=fault)
    with Session(Trail()) as session:
        response = send(session, "GET", f"{microsoft.login_url}/organizations/x")
        assert (response.status_code, response.text) == (302, "moved")


def test_errors_name_no_query() -> None:
    with Session(Trail()) as session, pytest.raises(Unavailable) as caught:
        send(session, "GET", "https://localhost:1/path?code=secret")
    assert "secret" not in str(caught.value)
    assert "localhost:1/path" in str(caught.value)


def test_before_each_runs_before_every_request(microsoft: Sandbox) -> None:
    count = []
    with Session(Trail(), before_each=lambda: count.append(1)) as session:
        for _ in range(3):
            send(session, "GET", f"{microsoft.login_url}/organizations/v2.0/.well-known/openid-configuration")
    assert len(count) == 3
