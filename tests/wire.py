"""The wire as tests see it: what the DNS answers, where a socket was asked to connect to, and traps on the loopback."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Any

import pytest
import requests

from integrations.http import Patience
from integrations.outbound import PinnedSession
from integrations.trail import Trail

HOST = "mail.company.example"
URL = f"https://{HOST}/EWS/Exchange.asmx"
BRIEF = Patience(connect=2, silence=2, answer=2)
PUBLIC, OTHER_PUBLIC = "93.184.216.34", "93.184.216.35"


class Dns:
    """Answers for the names it was told, in turn when told several answers; all else goes to the real resolver."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def tell(self, name: str, *answers: list[str]) -> None:
        self.answers[name] = list(answers)

    def _look_up(self, host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        self.asked.append(host)
        if host not in self.answers:
            return self._real(host, port, *args, **kwargs)
        told = self.answers[host]
        return [_entry(text, port) for text in (told.pop(0) if len(told) > 1 else told[0])]


def _entry(text: str, port: int) -> tuple[Any, ...]:
    address, _, scope = text.partition("%")
    if ip_address(address).version == 4:
        return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
    return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 7 if scope else 0))


class Wire:
    """Notes every ``connect`` of every socket. The loopback is real; beyond it nobody is, unless ``lead`` says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.attempts: list[tuple[str, int]] = []
        self.without_delay: list[bool] = []
        self._places: dict[str, Callable[[socket.socket], None]] = {}
        self._real = socket.socket.connect
        wire = self

        def connect(sock: socket.socket, place: Any) -> None:
            wire.attempts.append((place[0], place[1]))
            wire.without_delay.append(bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            wire._connect(sock, place)

        def connect_ex(sock: socket.socket, place: Any) -> int:
            connect(sock, place)
            return 0

        monkeypatch.setattr(socket.socket, "connect", connect)
        monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)

    def lead(self, address: str, port: int) -> None:
        """Let an address of the internet be a server on this machine."""
        self._places[address] = lambda sock: self._real(sock, ("127.0.0.1", port))

    def silence(self, address: str) -> None:
        self._places[address] = _wait_in_vain

    def _connect(self, sock: socket.socket, place: Any) -> None:
        if place[0] in self._places:
            self._places[place[0]](sock)
        elif ip_address(place[0]).is_loopback or ip_address(place[0]).is_unspecified:
            self._real(sock, place)
        else:
            raise ConnectionRefusedError


def _wait_in_vain(sock: socket.socket) -> None:
    time.sleep(sock.gettimeout() or 60)
    raise TimeoutError


class Trap:
    """Sockets that listen on the loopback, and count whom they caught."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self._sockets = sockets
        self.port: int = sockets[0].getsockname()[1]

    def caught(self) -> int:
        count = 0
        for one in self._sockets:
            with suppress(BlockingIOError):
                while True:
                    one.accept()[0].close()
                    count += 1
        return count


@contextmanager
def trap() -> Iterator[Trap]:
    """Listens on 127.0.0.1, and where there is IPv6 on ::1, at one port."""
    sockets = [socket.create_server(("127.0.0.1", 0))]
    with suppress(OSError):
        sockets.append(socket.create_server(("::1", sockets[0].getsockname()[1]), family=socket.AF_INET6))
    for one in sockets:
        one.setblocking(False)
    yield Trap(sockets)
    for one in sockets:
        one.close()


def ask(url: str, patience: Patience = BRIEF) -> requests.Response:
    with PinnedSession(Trail(), patience=patience) as session:
        return session.get(url)


def failure(url: str, patience: Patience = BRIEF) -> requests.RequestException:
    with pytest.raises(requests.RequestException) as caught:
        ask(url, patience)
    return caught.value


def in_a_librarys_own_words(failed: Exception) -> Exception:
    """As exchangelib does it: another exception, raised while that one is handled."""
    try:
        try:
            raise failed
        except requests.ConnectionError:
            raise RuntimeError("it did not work")  # noqa: B904
    except RuntimeError as exc:
        return exc
