"""``manage.py worker``: django-q2's cluster, made to stop.

Its own signal handler sets a multiprocessing event, which can deadlock when the signal interrupts that very event
(https://github.com/django-q2/django-q2/issues/346); and when the sentinel dies first, as it does when a whole process
group gets SIGTERM, the main process waits on the event's lock for ever. Here the handler only sets a flag, nobody
waits for that lock, a dead sentinel ends the command with exit code 1, and no process outlives the one that made it.

A child that is killed (kill -9, out of memory) may die with the lock of a queue that all others then wait for, for ever
and unseen; django-q2 only replaces the child. Here the cluster gives up then, and the command starts a new one.
"""

from __future__ import annotations

import os
import threading
import time
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_q import cluster as django_q_cluster
from django_q.cluster import Cluster, Sentinel

LOOK_EVERY = 0.2  # seconds
MOST_STARTS = 8  # in a minute
CHILD_KILLED = 70  # exit code of a sentinel that gave up


class FrankSentinel(Sentinel):  # type: ignore[misc]  # django-q2 has no types
    def reincarnate(self, process: Any) -> None:
        """Called for a child that ended. One that was recycled or timed out is replaced; one that was killed is not."""
        if process.exitcode is not None and process.exitcode < 0:
            os._exit(CHILD_KILLED)
        super().reincarnate(process)


class StoppableCluster(Cluster):  # type: ignore[misc]
    stopping = False

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        StoppableCluster.stopping = True  # for all: a signal may come between one cluster and the next

    def stop(self) -> bool:
        """Tell the sentinel to finish what was begun, and wait for its end, however it comes."""
        # In a thread: Event.set() waits for those who wait for the event, and one that was killed never answers.
        threading.Thread(target=self.stop_event.set, daemon=True).start()
        self.sentinel.join()
        return True


class Command(BaseCommand):
    help = "Runs the background work: syncing connections, schedules. Stops cleanly on SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        os.register_at_fork(after_in_child=_end_with_parent)
        django_q_cluster.Sentinel = FrankSentinel  # Cluster.start() takes it from there
        begun = [time.monotonic()]
        while self._run_cluster() == CHILD_KILLED:
            begun = [time.monotonic(), *begun[: MOST_STARTS - 1]]
            if len(begun) == MOST_STARTS and begun[0] - begun[-1] < 60:
                raise CommandError("processes of the worker are killed again and again (out of memory?)")
            self.stderr.write("A process of the worker was killed; the worker starts afresh.")
            time.sleep(2 * LOOK_EVERY)  # until the others have noticed and left

    def _run_cluster(self) -> int:
        """Run one until it was told to stop, or gave up; its sentinel's exit code."""
        cluster = StoppableCluster()
        try:
            cluster.start()
        except RuntimeError as exc:  # the sentinel ended before it was up; its own message is above
            raise CommandError("the worker could not start") from exc
        while not cluster.stopping and cluster.sentinel.is_alive():
            time.sleep(LOOK_EVERY)
        if cluster.stopping:
            cluster.stop()
        code = int(cluster.sentinel.exitcode or 0)
        if code not in (0, CHILD_KILLED):
            raise CommandError("the worker's sentinel died; start the worker again")
        return 0 if cluster.stopping else code


def _end_with_parent() -> None:
    """In each process of the cluster: leave when the parent is gone, also when it was killed and could tell nobody.

    Otherwise a cluster whose sentinel or main process died would go on working, unseen, beside the next one.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
