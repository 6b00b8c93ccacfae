"""Servers that never come to the end of an answer, although they are never silent for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
import requests
from pytest_django import Settings

from integrations.http import Patience
from integrations.outbound import PinnedSession
from integrations.trail import Trail
from tests.tls_server import Authority, serving

SHORT = Patience(connect=2, silence=0.7, answer=0.7)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "a header": (b"HTTP/1.1 200 OK\r\nA: ", b"x"),
    "patience": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "the length of a chunk": (CHUNKED, b"0"),
    "trailers": (CHUNKED + b"0\r\n", b"A: b\r\n"),
}


@pytest.fixture(params=ENDLESS, ids=str)
def url(request: pytest.FixtureRequest, authority: Authority, settings: Settings) -> Iterator[str]:
    """Of a server that begins to answer, and then goes on with the same for much longer than anybody waits."""
    beginning, piece = ENDLESS[request.param]

    class Endless(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(beginning)
            for _ in range(160):
                self.wfile.write(piece)
                time.sleep(0.05)

    with serving(authority.certify("localhost"), Endless) as server:
        settings.EXCHANGE_SANDBOX = f"localhost:{server.server_port}"
        yield f"https://localhost:{server.server_port}/"


def test_it_is_given_up(url: str) -> None:
    before = time.monotonic()
    with PinnedSession(Trail(), patience=SHORT) as session, pytest.raises(requests.RequestException):
        session.get(url)
    assert time.monotonic() - before < 5
