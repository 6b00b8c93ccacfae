"""``manage.py bench``: what a sync costs, each figure beside its floor of the same run where it has one.

Exit code 1 when a limit is exceeded.
"""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence

from tests.bench import dataset, exchange, memory, pages, plans, report, stage, syncs, texts
from tests.bench.report import Row
from tests.bench.stage import Calendar

# All that is measured of each calendar, in this order; a new measure is one more function of this kind.
MEASURES: tuple[Callable[[Calendar, int], Iterator[Row]], ...] = (
    syncs.measure,
    plans.measure,
    pages.measure,
    memory.measure,
    exchange.measure,
)


def main(arguments: Sequence[str]) -> int:
    asked = _asked(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the sandbox has to stop too
    rows: list[Row] = []
    if not asked.json:
        _say(f"Data set: {dataset.DESCRIPTION}")
    for row in measured(asked.events, asked.repetitions):
        rows.append(row)
        if asked.json:
            _say(report.as_json(row))
    if not asked.json:
        _say(report.as_table(rows))
    return int(any(row.over for row in rows))


def measured(sizes: Sequence[int], repetitions: int | None) -> Iterator[Row]:
    _progress("measuring the link finder")
    yield from texts.measure()
    with stage.running_sandbox() as sandbox, stage.sally(sandbox):
        for events in sizes:
            _progress(f"filling a calendar with {events} events")
            connection = stage.connected(sandbox, stage.fill(sandbox, events))
            calendar = Calendar(sandbox, events, connection)
            for measure in MEASURES:
                _progress(f"measuring {measure.__module__.rpartition('.')[2]} of {events} events")
                yield from measure(calendar, repetitions or (5 if events <= 1000 else 2))


def _asked(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="manage.py bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object a line: name value unit floor ratio limit")
    parser.add_argument("--events", type=_sizes, default=[1000, 10_000], metavar="N,N", help="sizes of the calendar")
    parser.add_argument("--repetitions", type=int, help="of which the best counts; 5, or 2 above 1,000 events")
    return parser.parse_args(arguments)


def _sizes(text: str) -> list[int]:
    sizes = [int(part) for part in text.split(",")]
    if min(sizes) < 1:
        raise ValueError
    return sizes


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _progress(line: str) -> None:
    sys.stderr.write(f"bench: {line} ...\n")
