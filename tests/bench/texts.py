"""The measure of the link finder: ten times the hostile text may take little more than ten times as long."""

from __future__ import annotations

import time
from collections.abc import Iterator

from calendars.links import find_in_text
from tests.bench.report import Row
from tests.calendars.hostile import HOSTILE, of_size

LIMIT = 12.0
SMALL, LARGE = 100_000, 1_000_000
# What takes less says nothing: the clock and the caches do.
_SHORTEST = 0.004


def measure() -> Iterator[Row]:
    """The shape that grows worst, of all that take long enough to be measured."""
    rows = [row for shape in HOSTILE if (row := _best(shape))]
    yield max(rows, key=lambda row: row.ratio or 0)


def _best(shape: str) -> Row | None:
    """The truest of a few measurements: whatever else the machine does can only make the longer one longer."""
    row = _row(shape)
    for _ in range(9):
        if row is None or not row.over:
            break
        row = min(row, _row(shape) or row, key=lambda one: one.ratio or 0)
    return row


def _row(shape: str) -> Row | None:
    small, large = of_size(shape, SMALL), of_size(shape, LARGE)
    floor = min(_seconds(small) for _ in range(8))
    value = min(_seconds(large) for _ in range(2))
    if value < 10 * _SHORTEST:
        return None
    return Row(f"links in 1 MB of {shape}, against 100 kB: CPU", value, "s", floor, LIMIT)


def _seconds(text: str) -> float:
    before = time.process_time()
    find_in_text(text)
    return time.process_time() - before
