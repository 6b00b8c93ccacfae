"""Real processes of Sally's: started in an environment of their own, and found again wherever they have gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
PROC = Path("/proc")
MARK = "SALLY_TEST_MARK"

needs_proc = pytest.mark.needs("proc")


@dataclass
class Command:
    """``manage.py …`` as a process. Whatever it starts inherits its mark, and is found by it."""

    process: subprocess.Popen[str]
    mark: str
    output: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def family(self) -> dict[int, str]:
        """All its living processes, itself included: command lines by id. Zombies have no environment and are out."""
        found = {}
        for folder in PROC.iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        return found

    def pid_of(self, words: str) -> int:
        """The first process, by age, whose command line has these words."""
        return min(pid for pid, line in self.family().items() if words in line and pid != self.pid)

    def wait_until_gone(self, seconds: float) -> None:
        wait_until(lambda: not self.family(), seconds, lambda: f"left running: {self.family()}\n{self.said()}")

    def end(self, number: signal.Signals, seconds: float) -> int:
        """Send the signal to the command itself; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)


def wait_until(done: Callable[[], object], seconds: float, words: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, words()
        time.sleep(0.05)


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Command]:
    """Start ``manage.py`` with these arguments; at the end no process of it is left, whatever the test did."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex
    output = folder / f"output-{mark[:8]}.txt"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=REPOSITORY,
            env={**_environment(folder), **environment, MARK: mark, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    command = Command(process, mark, output)
    try:
        yield command
    finally:
        for pid in command.family():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """What the command needs, with all its files in ``folder``, and nothing of the developer's or the tests'."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")}
    return kept | {
        "ENV_FILE": str(folder / ".env"),
        "DATABASE_URL": f"sqlite:///{folder / 'sally.sqlite3'}",
        "STATIC_ROOT": str(folder / "static"),
        "SANDBOX_DIRECTORY": str(folder / "sandbox"),
    }


def free_ports(count: int) -> int:
    """The first of ``count`` ports in a row that nobody listens on."""
    for _ in range(100):
        with socket.socket() as tried:
            tried.bind(("127.0.0.1", 0))
            first: int = tried.getsockname()[1]
        if first + count < 65536 and all(_is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError("no ports are free")


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
