"""Certificates, their trouble, and what NTLM needs to know about them; against real TLS servers on the loopback."""

import hashlib
import socket
import ssl
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import requests
import spnego
import spnego.channel_bindings
from exchangelib.protocol import BaseProtocol
from pytest_django import Settings
from requests_ntlm import HttpNtlmAuth

from integrations.http import Patience
from integrations.outbound import Cause, PinnedAdapter, PinnedSession, cause_of, is_certificate_problem
from integrations.trail import Trail
from sandbox.certificates import make_server_certificate
from tests.tls_server import Answer, Authority, TlsServer, serving
from tests.wire import failure, in_a_librarys_own_words

QUESTION = b"<Envelope><Body><GetFolder/></Body></Envelope>"

SHORT = Patience(connect=2, silence=2, answer=0.5)


@pytest.fixture
def place(settings: Settings) -> "Place":
    return Place(settings)


class Place:
    """Lets a server on the loopback be asked as ``localhost``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def url(self, port: int) -> str:
        self.settings.EXCHANGE_SANDBOX = f"localhost:{port}"
        return f"https://localhost:{port}/EWS/Exchange.asmx"


def test_the_sandboxs_certificate_is_good_for_its_name(tmp_path: Path, settings: Settings, place: Place) -> None:
    bundle, certificate = make_server_certificate(tmp_path)
    settings.CA_BUNDLE = str(bundle)
    with serving(certificate) as server, PinnedSession(Trail()) as session:
        assert session.get(place.url(server.server_port)).text == "hello"


def test_a_certificate_for_another_name_is_a_certificate_problem(authority: Authority, place: Place) -> None:
    with serving(authority.certify("mail.company.example", "127.0.0.1")) as server:
        failed = failure(place.url(server.server_port))
    assert is_certificate_problem(failed)
    assert cause_of(failed).text.startswith("the server's certificate is not trusted: Hostname mismatch")
    assert server.asked == []


def test_an_unknown_authority_is_a_certificate_problem(tmp_path: Path, authority: Authority, place: Place) -> None:
    stranger = Authority(tmp_path, "a stranger")
    with serving(stranger.certify("localhost")) as server:
        failed = failure(place.url(server.server_port))
    assert is_certificate_problem(failed)
    assert server.asked == []


def test_only_public_authorities_are_trusted_without_a_bundle(
    authority: Authority, place: Place, settings: Settings
) -> None:
    settings.CA_BUNDLE = ""
    with serving(authority.certify("localhost")) as server:
        assert is_certificate_problem(failure(place.url(server.server_port)))
    assert server.asked == []


def test_an_old_certificate_is_a_certificate_problem(authority: Authority, place: Place) -> None:
    with serving(authority.certify("localhost", days=-1)) as server:
        failed = failure(place.url(server.server_port))
    assert is_certificate_problem(failed)
    assert cause_of(failed) == Cause("the server's certificate is not trusted: certificate has expired")


def test_a_certificate_problem_is_seen_through_other_exceptions(authority: Authority, place: Place) -> None:
    with serving(authority.certify("mail.company.example")) as server:
        failed = failure(place.url(server.server_port))
    assert is_certificate_problem(in_a_librarys_own_words(failed))


@contextmanager
def saying(words: bytes) -> Iterator[int]:
    """A server that says something to everybody and hangs up; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection = listening.accept()[0]
                    connection.recv(4096)
                    connection.sendall(words)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_a_server_without_tls_is_no_certificate_problem(authority: Authority, place: Place) -> None:
    with saying(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port:
        failed = failure(place.url(port))
    assert not is_certificate_problem(failed)
    assert cause_of(failed) == Cause("TLS could not be agreed on")


def test_a_server_that_hangs_up_is_no_certificate_problem(authority: Authority, place: Place) -> None:
    with saying(b"") as port:
        assert not is_certificate_problem(failure(place.url(port)))


# --- NTLM ---------------------------------------------------------------------------------------------------------


class Ntlm(Answer):
    """Asks for NTLM as Exchange does with extended protection: bound to the certificate of this very channel."""

    bindings: spnego.channel_bindings.GssChannelBindings

    def setup(self) -> None:
        super().setup()
        self.context: spnego.ContextProxy | None = None

    def do_GET(self) -> None:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme != "NTLM":
            return self.answer(401, b"who?", WWW_Authenticate="NTLM")
        if self.context is None or self.context.complete:
            options = spnego.NegotiateOptions.use_ntlm
            self.context = spnego.server(protocol="ntlm", options=options, channel_bindings=self.bindings)
        try:
            reply = self.context.step(b64decode(token))
        except spnego.exceptions.SpnegoError:
            return self.answer(401, b"no")
        if self.context.complete:
            return self.answer(200, f"hello {self.context.client_principal}".encode())
        return self.answer(401, b"", WWW_Authenticate=f"NTLM {b64encode(reply or b'').decode()}")


@pytest.fixture
def ntlm(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[TlsServer]:
    users = tmp_path / "users"
    users.write_text("QUAY:ines:a good password\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    path = authority.certify("localhost")
    der = ssl.PEM_cert_to_DER_cert(path.read_text().partition("-----BEGIN PRIVATE KEY")[0])
    hashed = hashlib.sha256(der).digest()  # RFC 5929, section 4.1: the hash of the certificate's signature

    class Bound(Ntlm):
        bindings = spnego.channel_bindings.GssChannelBindings(application_data=b"tls-server-end-point:" + hashed)

    with serving(path, Bound) as server:
        yield server


def test_ntlm_is_bound_to_the_servers_certificate(ntlm: TlsServer, place: Place) -> None:
    url = place.url(ntlm.server_port)
    with PinnedSession(Trail()) as session:
        session.auth = HttpNtlmAuth("QUAY\\ines", "a good password", send_cbt=True)
        assert session.post(url, data=QUESTION).text.lower() == "hello quay\\ines"
        assert len(ntlm.asked) == 3
    assert len(ntlm.names) == 1  # one connection for all three: NTLM knows the connection, not the request


def test_ntlm_works_over_the_adapter_as_exchangelib_makes_it(
    ntlm: TlsServer, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BaseProtocol, "HTTP_ADAPTER_CLS", partial(PinnedAdapter, Trail()))
    with PinnedSession(Trail()) as session:
        session.mount("https://", BaseProtocol.get_adapter())  # one connection, waited for
        for _ in range(2):
            session.auth = HttpNtlmAuth("QUAY\\ines", "a good password")
            assert session.post(place.url(ntlm.server_port), data=QUESTION).status_code == 200
    assert len(ntlm.names) == 1


def test_a_server_that_insists_on_the_binding_refuses_ntlm_without(ntlm: TlsServer, place: Place) -> None:
    with PinnedSession(Trail()) as session:
        session.auth = HttpNtlmAuth("QUAY\\ines", "a good password", send_cbt=False)
        assert session.get(place.url(ntlm.server_port)).status_code == 401


def test_a_wrong_password_is_an_answer(ntlm: TlsServer, place: Place) -> None:
    with PinnedSession(Trail()) as session:
        session.auth = HttpNtlmAuth("QUAY\\ines", "a wrong password")
        response = session.get(place.url(ntlm.server_port))
        assert (response.status_code, response.text) == (401, "no")


# --- Limits -------------------------------------------------------------------------------------------------------


class Drips(Answer):
    """A byte every twentieth of a second, for ten seconds; asks for NTLM, whose handshake reads answers itself."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", "NTLM")
        self.send_header("Content-Length", "200")
        self.end_headers()
        with suppress(OSError):
            for _ in range(200):
                self.wfile.write(b"x")
                time.sleep(0.05)


class Floods(Answer):
    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", "NTLM")
        self.send_header("Content-Length", str(10**12))
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(b"x" * 65536)


@pytest.mark.parametrize("with_ntlm", [False, True])
def test_an_answer_that_drips_is_given_up(with_ntlm: bool, authority: Authority, place: Place) -> None:
    began = time.monotonic()
    with serving(authority.certify("localhost"), Drips) as server, PinnedSession(Trail(), patience=SHORT) as session:
        session.auth = HttpNtlmAuth("QUAY\\ines", "x") if with_ntlm else None
        with pytest.raises(requests.Timeout):
            session.get(place.url(server.server_port))
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("with_ntlm", [False, True])
def test_an_answer_without_end_is_given_up(
    with_ntlm: bool, authority: Authority, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.http.MOST_BYTES", 300_000)
    patience = Patience(connect=2, silence=2, answer=30)
    began = time.monotonic()
    with (
        serving(authority.certify("localhost"), Floods) as server,
        PinnedSession(Trail(), patience=patience) as session,
    ):
        session.auth = HttpNtlmAuth("QUAY\\ines", "x") if with_ntlm else None
        with pytest.raises(requests.Timeout):
            session.get(place.url(server.server_port))
        assert time.monotonic() - began < 15
