"""All that is stored about a person as one JSON document, written row by row.

Times are ISO 8601 in UTC. Of what is sealed it says only whether there is something.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from sally import stored
from sally.models import User
from sally.stored import Stored

ROWS_AT_ONCE = 200


def document(user: User, now: datetime) -> Iterator[bytes]:
    """In pieces. Words are those of the language at the call: what is streamed is written when it is over."""
    head = _text({"generated_at": now, "person": _person(user)})
    kinds = [(one, _text({"kind": one.label, "title": str(one.title), "why": str(one.why)})) for one in stored.kinds()]
    return (piece.encode("utf-8", "backslashreplace") for piece in _written(user, head, kinds))


def _person(user: User) -> Mapping[str, str]:
    organization = user.organization.name if user.organization else ""
    return {"email": user.email, "name": user.name, "organization": organization}


def _written(user: User, head: str, kinds: list[tuple[Stored, str]]) -> Iterator[str]:
    yield f'{head[:-1]}, "kinds": ['
    for number, (kind, about) in enumerate(kinds):
        yield f'{"," if number else ""}\n{about[:-1]}, "rows": ['
        yield from _rows(kind, user)
        yield "]}"
    yield "\n]}\n"


def _rows(kind: Stored, user: User) -> Iterator[str]:
    fields = kind.fields
    rows = kind.of(user).order_by("pk").values_list(*(one.name for one in fields)).iterator(ROWS_AT_ONCE)
    separator = "\n"
    while some := list(islice(rows, ROWS_AT_ONCE)):
        yield separator + ",\n".join(_text(_row(fields, values)) for values in some)
        separator = ",\n"


def _row(fields: list[stored.StoredField], values: tuple[Any, ...]) -> Mapping[str, Any]:
    known = zip(fields, values, strict=True)
    return {one.name: _only_whether(value) if one.sealed else value for one, value in known}


def _only_whether(value: Any) -> Mapping[str, bool] | None:
    return {"stored": True} if value else None


def _text(value: Mapping[str, Any]) -> str:
    """Letters of all languages as they are; half of a surrogate pair is escaped when the text is encoded."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)
