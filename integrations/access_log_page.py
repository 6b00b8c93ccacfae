"""The access log as a person reads it: newest first, by days, a hundred to a page; and all of it as a table to keep."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from integrations.models import AccessRecord
from sally.access import for_person
from sally.models import User

PAGE_SIZE = 100
READ_AT_ONCE = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLACE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)
_COLUMNS = ("time", "last time", "method", "endpoint", "why", "status", "items", "times", "account")
# With these at its beginning a cell is a formula to a spreadsheet (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Day:
    date: date
    rows: Sequence[AccessRecord]


@require_safe
@for_person
def access_log(request: HttpRequest, user: User) -> HttpResponse:
    before = _before(request.GET.get("before", ""))
    found = list(AccessRecord.objects.of(user).filter(before)[: PAGE_SIZE + 1])
    rows = found[:PAGE_SIZE]
    days = [Day(day, list(group)) for day, group in groupby(rows, lambda row: timezone.localdate(row.at))]
    context = {
        "days": days,
        "earlier": _place(rows[-1]) if len(found) > PAGE_SIZE else "",
        "is_first": not before,
        "zone": user.zone.key,
    }
    return render(request, "integrations/access_log.html", context)


def _place(row: AccessRecord) -> str:
    """Where a page ends, for the address of the next."""
    return f"{(row.at - _EPOCH) // _MICROSECOND}-{row.pk}"


def _before(place: str) -> Q:
    """What stands behind a place; everything, where the address makes no sense."""
    found = _PLACE.fullmatch(place)
    if not found:
        return Q()
    try:
        at = _EPOCH + int(found[1]) * _MICROSECOND
    except OverflowError:
        return Q()
    return Q(at__lt=at) | Q(at=at, pk__lt=int(found[2]))


@require_safe
@for_person
def export(request: HttpRequest, user: User) -> HttpResponseBase:
    """All rows, newest first, with times in UTC; sent while they are read, however many there are."""
    response = StreamingHttpResponse(_table(user), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="sally-access-log.csv"'
    return response


class _Line:
    """What ``csv`` writes to, one line at a time."""

    def write(self, text: str) -> str:
        return text


def _table(user: User) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(_COLUMNS)
    for row in AccessRecord.objects.of(user).iterator(READ_AT_ONCE):
        yield writer.writerow([_cell(value) for value in _values(row)])


def _values(row: AccessRecord) -> Sequence[object]:
    times = (row.at.astimezone(UTC).isoformat(), row.last_at.astimezone(UTC).isoformat())
    items = "" if row.items is None else row.items
    return (*times, row.method, row.endpoint, row.why, row.status or "no answer", items, row.times, row.account)


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
