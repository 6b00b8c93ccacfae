"""``manage.py worker``: django-q2's cluster, made to stop.

Its own signal handler sets a multiprocessing event, which can deadlock when the signal interrupts that very event
(https://github.com/django-q2/django-q2/issues/346); and when the sentinel dies first, as it does when a whole process
group gets SIGTERM, the main process waits on the event's lock for ever. Here the handler only sets a flag, nobody
waits for that lock, a dead sentinel ends the command with exit code 1, and no process outlives the one that made it.
"""

from __future__ import annotations

import os
import threading
import time
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_q.cluster import Cluster

LOOK_EVERY = 0.2  # seconds


class StoppableCluster(Cluster):  # type: ignore[misc]  # django-q2 has no types
    stopping = False

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        self.stopping = True

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
        cluster = StoppableCluster()
        try:
            cluster.start()
        except RuntimeError as exc:  # the sentinel ended before it was up; its own message is above
            raise CommandError("the worker could not start") from exc
        while not cluster.stopping and cluster.sentinel.is_alive():
            time.sleep(LOOK_EVERY)
        if cluster.stopping:
            cluster.stop()
        if cluster.sentinel.exitcode != 0:
            raise CommandError("the worker's sentinel died; start the worker again")


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
