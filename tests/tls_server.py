"""A TLS server on the loopback, with certificates by an authority of its own, that counts who came."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Signs certificates; ``bundle`` is the file to trust it by."""

    def __init__(self, directory: Path, name: str = "an authority") -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(self.name, self.key, x509.BasicConstraints(ca=True, path_length=0), days=2)
        self.bundle = directory / f"{name}.pem"
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        constraints: x509.BasicConstraints,
        *others: x509.ExtensionType,
        days: int,
    ) -> x509.Certificate:
        end = datetime.now(UTC) + timedelta(days=days)
        usage = x509.KeyUsage(True, False, False, False, False, constraints.ca, constraints.ca, False, False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = x509.CertificateBuilder(self.name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(end - timedelta(days=5)).not_valid_after(end)
        for extension in (constraints, usage, issuer, own, *others):
            builder = builder.add_extension(extension, critical=extension in (constraints, usage))
        return builder.sign(self.key, hashes.SHA256())

    def certify(self, *names: str, days: int = 2) -> Path:
        """The file of a certificate, with its key, for names and IP addresses; with ``days`` below zero an old one."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._sign(
            subject, key, x509.BasicConstraints(ca=False, path_length=None), alternatives, days=days
        )
        path = self.directory / f"{certificate.serial_number}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Answer(BaseHTTPRequestHandler):
    """Says hello to every request, and keeps the connection."""

    protocol_version = "HTTP/1.1"
    server: "TlsServer"

    def do_GET(self) -> None:
        self.answer(200, b"hello")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.server.asked.append(f"{self.headers['Host']} {self.path}")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class TlsServer(ThreadingHTTPServer):
    """``asked``: host and path of every request; ``names``: what each handshake asked for."""

    daemon_threads = True

    def __init__(self, certificate: Path, answer: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), answer)
        self.asked: list[str] = []
        self.names: list[str | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.context.sni_callback = lambda _, name, __: self.names.append(name)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_: object) -> None:
        """Clients that do not trust it hang up: that is what they are here for."""


@contextmanager
def serving(certificate: Path, answer: type[BaseHTTPRequestHandler] = Answer) -> Iterator[TlsServer]:
    server = TlsServer(certificate, answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
