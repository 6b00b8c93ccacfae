"""The two servers: TLS for programs, plain http for the pages a person sees; both on the loopback only."""

import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from socket import socket
from typing import Any

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

from sandbox import certificates

_HANDSHAKE_SECONDS = 10


class RequestHandler(WSGIRequestHandler):
    """Keeps connections alive, and lets an answer be the connection's last one."""

    # Header and body are two writes; with Nagle's algorithm the second waits for the client's delayed acknowledgement.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        # NTLM proves a connection, not a request: what was proved lives as long as this object.
        self._connection: dict[str, Any] = {}

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["sandbox.hang_up"] = self._hang_up
        environ["sandbox.connection"] = self._connection
        return environ

    def _hang_up(self) -> None:
        self.close_connection = True


class PlainServer(ThreadedWSGIServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is everyday life in tests; anything else is a bug and is printed."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class TlsServer(PlainServer):
    """Shakes hands in the connection's own thread, so that a silent client keeps nobody else waiting."""

    def __init__(self, address: tuple[str, int], certificate: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        super().__init__(address, RequestHandler)
        self.base_environ["HTTPS"] = "on"
        self.base_environ["sandbox.channel_binding"] = certificates.end_point_binding(certificate)

    def get_request(self) -> tuple[socket, Any]:
        connection, address = super().get_request()
        connection.settimeout(_HANDSHAKE_SECONDS)
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            request.do_handshake()
        except OSError:  # also ssl.SSLError and the time limit
            self.shutdown_request(request)
            return
        request.settimeout(None)
        super().process_request_thread(request, client_address)


def bind(https_port: int, http_port: int, certificate: Path) -> tuple[TlsServer, PlainServer]:
    """Both servers, bound but not yet answering. Raises ``OSError`` when a port is taken."""
    secure = TlsServer(("127.0.0.1", https_port), certificate)
    try:
        plain = PlainServer(("127.0.0.1", http_port), RequestHandler)
    except OSError:
        secure.server_close()
        raise
    application: Callable[..., Any] = get_wsgi_application()
    for server in (secure, plain):
        server.set_app(application)
    return secure, plain
