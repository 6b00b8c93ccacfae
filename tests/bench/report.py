"""What a bench says: rows in a fixed order, as a table for people or one JSON object a line for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

_HEADINGS = ("measure", "value", "unit", "floor", "ratio", "limit", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. ``limit`` is the most that the ratio to the floor may be, or the value where there is no floor."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    @property
    def over(self) -> bool:
        compared = self.value if self.ratio is None else self.ratio
        return self.limit is not None and compared > self.limit


def as_json(row: Row) -> str:
    figures = {"value": row.value, "floor": row.floor, "ratio": row.ratio, "limit": row.limit}
    rounded = {name: None if figure is None else round(figure, 4) for name, figure in figures.items()}
    return json.dumps(
        {"name": row.name, "value": rounded["value"], "unit": row.unit}
        | {name: rounded[name] for name in ("floor", "ratio", "limit")}
    )


def as_table(rows: Sequence[Row]) -> str:
    lines = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    return "\n".join(_line(cells, widths) for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    verdict = "" if row.limit is None else "OVER" if row.over else "ok"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
    limit = "" if row.limit is None else f"{row.limit:g}" + ("" if row.ratio is None else "x")
    return row.name, _figure(row.value), row.unit, _figure(row.floor), ratio, limit, verdict


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:d}" if isinstance(value, int) else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    left = (0, 2, 6)  # words; figures stand on the right
    padded = [
        cell.ljust(width) if column in left else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
