"""``manage.py worker``: django-q2's cluster, made to stop.

Its own signal handler sets a multiprocessing event, which can deadlock when the signal interrupts that very event
(https://github.com/django-q2/django-q2/issues/346); and when the sentinel dies first, as it does when a whole process
group gets SIGTERM, the main process waits for it for ever. Here the handler only sets a flag, and a dead sentinel ends
the command with exit code 1; whoever started it (systemd, the demo) then ends what is left of its process group.
"""

from __future__ import annotations

import time
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_q.cluster import Cluster


class StoppableCluster(Cluster):  # type: ignore[misc]  # django-q2 has no types
    stopping = False

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        self.stopping = True


class Command(BaseCommand):
    help = "Runs the background work: syncing connections, schedules. Stops cleanly on SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = StoppableCluster()
        cluster.start()
        while not cluster.stopping:
            if not cluster.sentinel.is_alive():
                raise CommandError("the worker's sentinel died; start the worker again")
            time.sleep(0.2)
        cluster.stop()
