"""The least that any sync must do, to hold Sally's against: the same requests, the same columns, and no thought.

The first time it sends every request that Sally sent, bodies included, reads every answer as JSON, and writes the
rows in one bulk upsert. A repeat sends what lists, loads ids and versions, and compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from django.conf import settings

from calendars.models import DRAFT_FIELDS, Meeting
from integrations.http import Session
from integrations.models import CalendarConnection
from tests.sandbox_process import session

COLUMNS = (*DRAFT_FIELDS, "created_at", "updated_at")
_ONCE = ["connection", "calendar_id", "external_id"]
_SECONDS = 60


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    options: dict[str, Any]


@contextmanager
def recording() -> Iterator[list[Request]]:
    """Every request that Sally sends meanwhile, as she sends it."""
    sent: list[Request] = []
    genuine = Session.request

    def request(self: Session, method: str, url: str, **options: Any) -> Any:
        sent.append(Request(method, url, options))
        return genuine(self, method, url, **options)

    with mock.patch.object(Session, "request", request):
        yield sent


class Floor:
    """The floor of one calendar, made of what a real first sync sent and wrote."""

    def __init__(self, connection: CalendarConnection, first: list[Request], repeat: list[Request]) -> None:
        self._connection, self._first, self._repeat = connection, first, repeat
        versions = {id: version for answer in self._answers(repeat) for id, version in _versions(answer)}
        self._rows = list(Meeting.objects.filter(connection=connection).values(*COLUMNS))
        # What a plain listing can be compared with.
        for row in self._rows:
            row["version"] = versions[row["external_id"]]

    def meetings(self) -> list[Meeting]:
        """What ``first`` is given to write; making it is not measured."""
        return [Meeting(connection=self._connection, **row) for row in self._rows]

    def first(self, meetings: list[Meeting]) -> None:
        for _ in self._answers(self._first):
            pass
        Meeting.objects.bulk_create(
            meetings, update_conflicts=True, unique_fields=_ONCE, update_fields=[*DRAFT_FIELDS, "updated_at"]
        )

    def repeat(self) -> None:
        listed = {id: version for answer in self._answers(self._repeat) for id, version in _versions(answer)}
        stored = dict(Meeting.objects.filter(connection=self._connection).values_list("external_id", "version"))
        if listed != stored:
            raise AssertionError("the floor's own rows differ from the listing that they were made from")

    def _answers(self, requests: list[Request]) -> Iterator[Any]:
        with session(settings.CA_BUNDLE) as http:
            for one in requests:
                answer = http.request(one.method, one.url, **one.options, timeout=_SECONDS)
                answer.raise_for_status()
                yield answer.json()


def _versions(answer: Any) -> Iterator[tuple[str, str]]:
    for item in answer["value"]:
        yield item["id"], item["changeKey"]
