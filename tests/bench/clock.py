"""What a piece of work costs in CPU."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

_TURNS = 10


def cpu_seconds(work: Callable[[], object], turns: int = _TURNS) -> float:
    """The best of a few turns."""
    taken = []
    for _ in range(turns):
        gc.collect()
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return min(taken)
