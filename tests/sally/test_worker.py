"""``manage.py worker`` as a real process: it stops when told to, and never leaves anything behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.sally.processes import REPOSITORY, Command, needs_proc, running, wait_until

pytestmark = needs_proc

# The command, the sentinel, two workers, the pusher, the monitor.
WHOLE = 6
KEYS = {"SECRET_KEY": "a-key-for-tests", "FIELD_KEYS": "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdC0="}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database to copy."""
    path = tmp_path_factory.mktemp("migrated") / "sally.sqlite3"
    environment = os.environ | KEYS | {"DATABASE_URL": f"sqlite:///{path}"}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"], cwd=REPOSITORY, env=environment, check=True
    )
    return path


def start(stack: ExitStack, database: Path, folder: Path) -> Command:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(database, folder / "sally.sqlite3")
    return stack.enter_context(running(folder, "worker", **KEYS))


def wait_until_up(worker: Command) -> None:
    wait_until(lambda: len(worker.family()) == WHOLE, 30, worker.said)


@pytest.fixture
def worker(database: Path, tmp_path: Path) -> Iterator[Command]:
    with ExitStack() as stack:
        started = start(stack, database, tmp_path)
        wait_until_up(started)
        yield started


def sentinel_of(worker: Command) -> int:
    """The only process that the command has forked itself."""
    (pid,) = (pid for pid in worker.family() if _parent(pid) == worker.pid)
    return pid


def _parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def test_ten_idle_workers_stop_within_five_seconds(database: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        workers = [start(stack, database, tmp_path / str(number)) for number in range(10)]
        for one in workers:
            wait_until_up(one)
        for one in workers:
            one.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        codes = [one.process.wait(max(deadline - time.monotonic(), 0.01)) for one in workers]
        assert codes == [0] * 10
        assert [one.family() for one in workers] == [{}] * 10
        assert [one.said() for one in workers] == [""] * 10


def test_ctrl_c_reaches_the_whole_group_and_stops_it(worker: Command) -> None:
    os.killpg(worker.pid, signal.SIGINT)
    assert worker.process.wait(5) == 0
    assert worker.family() == {}


def test_sigterm_to_the_whole_group_ends_it(worker: Command) -> None:
    os.killpg(worker.pid, signal.SIGTERM)
    assert worker.process.wait(5) == 1
    worker.wait_until_gone(2)


def test_a_second_sigterm_does_not_disturb_the_stop(worker: Command) -> None:
    worker.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(5) == 0
    assert worker.family() == {}


def test_a_stop_during_the_start_ends_it(database: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        worker = start(stack, database, tmp_path)
        wait_until(lambda: len(worker.family()) > 1, 30, worker.said)
        assert worker.end(signal.SIGTERM, 5) == 0
        assert worker.family() == {}


def test_a_killed_sentinel_ends_the_command_and_all_that_it_made(worker: Command) -> None:
    os.kill(sentinel_of(worker), signal.SIGKILL)
    assert worker.process.wait(5) == 1
    worker.wait_until_gone(2)
    # The second where the command, on a busy machine, was still waiting for the sentinel's own sign of life.
    last = worker.said().splitlines()[-1]
    assert last in (
        "CommandError: the worker's sentinel died; start the worker again",
        "CommandError: the worker could not start",
    )


def test_a_killed_command_takes_its_processes_along(worker: Command) -> None:
    assert worker.end(signal.SIGKILL, 5) == -signal.SIGKILL
    worker.wait_until_gone(3)


def test_a_killed_child_lets_the_whole_cluster_start_afresh(worker: Command) -> None:
    sentinel = sentinel_of(worker)
    before = set(worker.family())
    os.kill(max(before - {worker.pid, sentinel}), signal.SIGKILL)
    wait_until(lambda: len(worker.family()) == WHOLE and set(worker.family()) & before == {worker.pid}, 10, worker.said)
    assert worker.end(signal.SIGTERM, 5) == 0
    assert worker.family() == {}
