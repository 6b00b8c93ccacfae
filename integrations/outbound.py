"""The connection to a server whose address somebody typed: it goes where it may, to what was checked, or nowhere.

A name is resolved once; every address of the answer is judged (``integrations.networks``), and one of those very
addresses is connected to, so that an answer that changes in between changes nothing. The certificate is checked against
the name all the same. What fails is ``Blocked`` or ``Unreachable`` to the operator, and looks alike to a person: else
this would be a port scanner.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.util.ssl_match_hostname import CertificateError

from integrations import deadlines
from integrations.http import IN_THE_BACKGROUND, Adapter, Patience, Session, read_whole
from integrations.networks import Address, Verdict, judge, network_line, permits
from integrations.trail import Trail

_PORT = 443
_MOST_TRIES = 4


@dataclass(frozen=True)
class Cause:
    """For the operator: a sentence, and the line for .env that would help; "" where none does."""

    text: str
    line: str = ""


class OutboundError(requests.ConnectionError):
    def __init__(self, cause: str, network_line: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.network_line = network_line


class Blocked(OutboundError):
    """Sally does not connect there; nothing was sent."""


class Unreachable(OutboundError):
    """Allowed, but the name is unknown or nobody answers."""


class PinnedAdapter(Adapter):
    """Sends over https only, directly, and verified. Raises ``Blocked``, ``Unreachable`` or what requests raises."""

    def __init__(
        self,
        trail: Trail,
        before_each: Callable[[], None] = lambda: None,
        patience: Patience = IN_THE_BACKGROUND,
        **options: Any,
    ) -> None:
        self.patience = patience
        super().__init__(trail, before_each, **options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": partial(_Pool, self.patience)}

    def proxy_manager_for(self, proxy: Any, **_: Any) -> Any:
        raise Blocked("a proxy would connect wherever it likes")

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        check_url(request.url or "")
        try:
            return super().send(request, *args, **kwargs)
        except requests.RequestException as exc:
            failure = exc
        # urllib3 and requests wrap ours in exceptions of their own.
        raise next((one for one in chain(failure) if isinstance(one, OutboundError)), failure)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        if not verify:
            raise ValueError("certificates are always verified; CA_BUNDLE names other authorities")
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        limited = _Limited(time.monotonic() + self.patience.answer)
        limited.__dict__.update(super().build_response(req, resp).__dict__)
        return limited


class PinnedSession(Session):
    """A session that knows no other way out."""

    def adapter(self, before_each: Callable[[], None]) -> PinnedAdapter:
        return PinnedAdapter(self.trail, before_each, self.patience)


class _Limited(requests.Response):
    """NTLM reads the first answers of its handshake itself, before ``Session`` could limit their size and time."""

    _content_consumed: bool

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self.deadline = deadline

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        if not self._content_consumed:
            self._content = read_whole(self, self.deadline)
            self._content_consumed = True
        return super().iter_content(chunk_size, decode_unicode)


class _Connection(HTTPSConnection):
    """A connection to an address that was checked; also when a pool opens it again."""

    patience = IN_THE_BACKGROUND

    def getresponse(self) -> Any:
        """An answer whose headers may take as long as a silence, and its body what is granted to a body."""
        deadline = time.monotonic() + self.patience.silence + self.patience.answer
        self.response_class = partial(deadlines.answer, deadline)  # type: ignore[assignment]
        return super().getresponse()

    def connect(self) -> None:
        """Find, connect and shake hands within one time limit (a resolver in the middle of it has its own)."""
        limit = self.timeout if isinstance(self.timeout, int | float) else IN_THE_BACKGROUND.connect
        self._deadline = time.monotonic() + limit
        super().connect()

    def _new_conn(self) -> socket.socket:
        host, port = self._dns_host, int(self.port or _PORT)
        check_port(host, port)
        targets = _resolve(host, port)
        check_addresses(host, port, [address for address, _ in targets])
        return self._first_of(host, port, targets[:_MOST_TRIES])

    def _first_of(self, host: str, port: int, targets: list[tuple[Address, _Target]]) -> socket.socket:
        """A socket, connected to the first that answers; each has its fair share of the time that is left."""
        failure: OSError | None = None
        for position, (_, target) in enumerate(targets):
            seconds = (self._deadline - time.monotonic()) / (len(targets) - position)
            try:
                found = _open(target, seconds, self.socket_options or [])
            except OSError as exc:
                failure = exc
                continue
            found.settimeout(max(self._deadline - time.monotonic(), 0.001))
            return found
        raise Unreachable(f"{_clean(host)}:{port} does not answer ({type(failure).__name__})") from failure


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection

    def __init__(self, patience: Patience, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.patience = patience

    def _new_conn(self) -> Any:
        made = super()._new_conn()
        made.patience = self.patience  # type: ignore[attr-defined]
        return made


_Target = tuple[int, Any]


def check_url(url: str) -> None:
    """Raises ``Blocked`` for what Sally never asks: anything but https, and names or passwords in an address."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise Blocked(f"{_clean(parts.scheme)} is not https")
    if "@" in parts.netloc:
        raise Blocked("the address holds a user name")


def check_port(host: str, port: int) -> None:
    if port != _PORT and not _is_sandbox(host, port):
        raise Blocked(f"{_clean(host)}:{port} has another port than {_PORT}")


def check_addresses(host: str, port: int, addresses: list[Address]) -> None:
    """Raises ``Blocked`` where one of them is forbidden: an answer that mixes is no honest one."""
    networks = settings.EXCHANGE_ALLOWED_NETWORKS
    if _is_sandbox(host, port) and all(address.is_loopback for address in addresses):
        return
    for address in addresses:
        if judge(address) is Verdict.NEVER:
            raise Blocked(f"{_leads(host, address)} an address that Sally never connects to")
    missing = [address for address in addresses if not permits(networks, address)]
    if missing:
        raise Blocked(
            f"{_leads(host, missing[0])} a private address that EXCHANGE_ALLOWED_NETWORKS does not list",
            network_line(networks, missing),
        )


def _leads(host: str, address: Address) -> str:
    return f"{address} is" if host == str(address) else f"{_clean(host)} resolves to {address},"


def _is_sandbox(host: str, port: int) -> bool:
    return f"{host}:{port}" == settings.EXCHANGE_SANDBOX


def _resolve(host: str, port: int) -> list[tuple[Address, _Target]]:
    """Each address once, as the resolver orders them, with what a socket needs to connect to it."""
    try:
        answers = socket.getaddrinfo(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:  # UnicodeError: a label of more than 63 characters
        raise Unreachable(f"{_clean(host)} is not known to the DNS") from exc
    found: dict[Address, _Target] = {}
    for family, _, _, _, place in answers:
        address = ipaddress.ip_address(str(place[0]))
        if isinstance(address, ipaddress.IPv6Address) and len(place) > 3 and place[3] and not address.scope_id:
            address = ipaddress.ip_address(f"{address}%{place[3]}")
        found[address] = (family, place)
    if not found:
        raise Unreachable(f"{_clean(host)} has no address in the DNS")
    return list(found.items())


def _open(target: _Target, seconds: float, options: list[Any]) -> socket.socket:
    family, place = target
    if seconds <= 0:
        raise TimeoutError("no time left")
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            opened.setsockopt(*option)
        opened.settimeout(seconds)
        opened.connect(place)
    except BaseException:
        opened.close()
        raise
    return opened


def cause_of(exc: BaseException) -> Cause:
    """What the operator should know, wherever in the chain of exceptions it is."""
    found = list(chain(exc))
    for one in found:
        if isinstance(one, OutboundError):
            return Cause(one.cause, one.network_line)
    for one in found:
        if isinstance(one, ssl.SSLCertVerificationError):
            return Cause(f"the server's certificate is not trusted: {one.verify_message}")
    if is_certificate_problem(exc):
        return Cause("the server's certificate is for another name")
    if any(isinstance(one, ssl.SSLError) for one in found):
        return Cause("TLS could not be agreed on")
    if any(isinstance(one, TimeoutError | requests.Timeout) for one in found):
        return Cause("the server did not answer in time")
    return Cause("the connection broke")


def is_certificate_problem(exc: BaseException) -> bool:
    """Whether TLS failed for the certificate: unknown authority, expired, or for another name."""
    return any(isinstance(one, ssl.SSLCertVerificationError | CertificateError) for one in chain(exc))


def chain(exc: BaseException) -> Iterator[BaseException]:
    """The exception and all it came from; urllib3 and requests also hide one in ``args`` or ``reason``."""
    seen: set[int] = set()
    waiting: list[object] = [exc]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _clean(text: str) -> str:
    """Fit for a log: what somebody typed, without what could make a line of its own."""
    return re.sub(r"[^A-Za-z0-9.:_-]", "?", text)[:253]
