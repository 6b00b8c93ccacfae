"""A process that does one first sync after a small one to warm up, and tells by how many bytes its peak grew."""

from __future__ import annotations

import gc
import os
import resource
import sys
from pathlib import Path

import django

_STATUS = Path("/proc/self/status")


def peak() -> int:
    """The most memory (bytes) that this process ever had.

    Not from ``getrusage`` on Linux: there a process that was started by a larger one inherits that one's peak.
    """
    if _STATUS.exists():
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def main(small: str, large: str) -> None:
    # Only now, since these modules need Django ready.
    from integrations.models import CalendarConnection
    from tests.bench import stage, subject

    stage.be_quiet()
    first, second = (CalendarConnection.objects.get(pk=pk) for pk in (small, large))
    subject.run(first, subject.claim(first))
    token = subject.claim(second)
    gc.collect()
    before = peak()
    subject.run(second, token)
    sys.stdout.write(f"{peak() - before}\n")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sally.settings")
    django.setup()
    main(*sys.argv[1:])
