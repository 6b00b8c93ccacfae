"""The reading side of a connection, with an end to how long one answer may take.

http.client waits for the end of a line for as long as single bytes drip, and reads any number of "100 Continue" and
of trailers; a time limit for silences ends none of that.
"""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any, Protocol


class Files(Protocol):
    def makefile(self, mode: str) -> Any: ...


class Timely(io.RawIOBase):
    """What comes in at a socket, until ``deadline`` (one of ``time.monotonic``). Raises ``TimeoutError``."""

    def __init__(self, raw: socket.SocketIO, deadline: float) -> None:
        self.deadline = deadline
        self._raw = raw
        # Where NTLM looks for the certificate that it has to name.
        self._sock: socket.socket = raw._sock  # type: ignore[attr-defined]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer is too slow")
        silence = self._sock.gettimeout()
        self._sock.settimeout(left if silence is None else min(silence, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Socket:
    """As much of a socket as ``HTTPResponse`` uses."""

    def __init__(self, made_of: Files, deadline: float) -> None:
        self._made_of, self._deadline = made_of, deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(Timely(self._made_of.makefile(mode).detach(), self._deadline))


def answer(deadline: float, sock: Files, **options: Any) -> HTTPResponse:
    """What ``http.client`` makes of a socket, with an end to its patience."""
    return HTTPResponse(_Socket(sock, deadline), **options)  # type: ignore[arg-type]
