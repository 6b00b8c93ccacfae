"""Processes that live and die together: started one by one, watched, ended with everything they have started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self, TypeVar

T = TypeVar("T")
GRACE_SECONDS = 10.0
LOOK_EVERY = 0.1  # seconds

# Leads the process group that all parts join, and kills it when the pipe from the supervisor closes. The kernel closes
# it however the supervisor ends; kill -9 included.
_JANITOR = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
sys.stdin.read()
os.killpg(0, signal.SIGKILL)
"""


class StopAsked(Exception):
    """Ctrl-C, SIGTERM, or the terminal was closed."""


class PartEnded(Exception):
    """A part ended by itself."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name} ended by itself (exit code {code})")


@dataclass(frozen=True)
class Part:
    name: str
    process: subprocess.Popen[bytes]


class Supervisor:
    """``with Supervisor(folder) as parts:`` starts processes in ``folder``; leaving the block ends them all.

    Signals only leave a note, which ``check`` and ``wait_for`` raise as ``StopAsked``: no signal can come between a
    process and the one that has to end it. The parts stay out of the terminal's own process group, so that Ctrl-C
    reaches only the supervisor.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: list[Part] = []
        self._asked = 0

    def __enter__(self) -> Self:
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._ask)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
            signal.signal(signal.SIGHUP, self._ask)
        self._janitor = subprocess.Popen(  # noqa: S603 - our own lines
            [sys.executable, "-c", _JANITOR], stdin=subprocess.PIPE, process_group=0
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """SIGTERM to each part's main process, time to finish, SIGKILL to what is left; at once when asked again."""
        for part in self._parts:
            part.process.terminate()
        asked, deadline = self._asked, time.monotonic() + GRACE_SECONDS
        while self._any_running() and self._asked == asked and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
        # The janitor has not been waited for, so the group's number cannot be somebody else's by now.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._janitor.pid, signal.SIGKILL)
        for part in self._parts:
            part.process.wait()
        self._janitor.communicate()

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> Part:
        process = subprocess.Popen(  # noqa: S603 - the caller's own commands
            command,
            cwd=self._folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            process_group=self._janitor.pid,
        )
        self._parts.append(Part(name, process))
        return self._parts[-1]

    def check(self) -> None:
        """Raises ``StopAsked`` or ``PartEnded``."""
        if self._asked:
            raise StopAsked
        for part in self._parts:
            code = part.process.poll()
            if code is not None:
                raise PartEnded(part.name, code)

    def wait_for(self, found: Callable[[], T | None], seconds: float) -> T:
        """Look until there is something. Raises ``StopAsked``, ``PartEnded``, ``TimeoutError``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            result = found()
            if result is not None:
                return result
            time.sleep(LOOK_EVERY / 2)
        raise TimeoutError

    def watch(self) -> NoReturn:
        """Until it ends: with ``StopAsked`` or ``PartEnded``."""
        while True:
            self.check()
            time.sleep(LOOK_EVERY)

    def _any_running(self) -> bool:
        return any(part.process.poll() is None for part in self._parts)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self._asked += 1
