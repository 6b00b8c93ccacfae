"""The measure of an Exchange server: listing and filling a calendar by EWS, against reading the same answers bare."""

from __future__ import annotations

import gc
import io
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import lxml.etree
from django.conf import settings

from integrations.events import Window
from integrations.providers.exchange.client import ExchangeClient
from integrations.providers.exchange.connecting import open_client
from integrations.trail import Trail
from tests.bench import dataset
from tests.bench.floor import Request, recording
from tests.bench.report import Row
from tests.bench.stage import Calendar
from tests.sandbox_process import Sandbox, session

# Times the floor's CPU. exchangelib's own reading takes about fifteen times (measured when it was chosen).
LIMIT = 5.0
MOST_EVENTS = 1000
_SECONDS = 60
_TYPES = "{http://schemas.microsoft.com/exchange/services/2006/types}"


def measure(calendar: Calendar, repetitions: int) -> Iterator[Row]:
    """For the smaller calendars only: what a larger one costs more is the server's."""
    if calendar.events > MOST_EVENTS:
        return
    sandbox, email = calendar.sandbox, dataset.owner(calendar.events)
    sandbox.control("POST", "settings", json={"exchange_offers": "basic"})
    with recording() as sent:
        _read(sandbox, email, calendar.events)
    taken, floor = [], []
    for _ in range(repetitions):
        taken.append(_cpu(lambda: _read(sandbox, email, calendar.events)))
        floor.append(_cpu(lambda: _bare(sent, email, sandbox)))
    title = f"Exchange: listing and filling {calendar.events}"
    yield Row(f"{title}: CPU", min(taken), "s", min(floor), LIMIT)
    yield Row(f"{title}: EWS operations", len(sent), "operations")


def _cpu(work: Callable[[], object]) -> float:
    gc.collect()
    before = time.process_time()
    work()
    return time.process_time() - before


def _opened(sandbox: Sandbox, email: str) -> ExchangeClient:
    server = {"url": sandbox.exchange_url, "username": email, "auth": "basic", "version": "Exchange2016", "chosen": ""}
    return open_client(server, sandbox.exchange_password, ZoneInfo("UTC"), lambda: None, Trail())


def _read(sandbox: Sandbox, email: str, events: int) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    with closing(_opened(sandbox, email)) as client:
        listed = client.events(Window(now - timedelta(days=1), now + timedelta(days=90)))
        filled = client.fill(listed)
    if len(filled) != events:
        raise AssertionError(f"{len(filled)} events of {events} were read")


def _bare(sent: list[Request], email: str, sandbox: Sandbox) -> None:
    """The same requests, and of every item its id, subject, body and times."""
    with session(settings.CA_BUNDLE) as http:
        http.auth = (email, sandbox.exchange_password)
        for one in sent:
            headers = {"Content-Type": "text/xml; charset=utf-8"}
            answer = http.request(one.method, one.url, data=one.options["data"], headers=headers, timeout=_SECONDS)
            answer.raise_for_status()
            list(_items(answer.content))


def _items(content: bytes) -> Iterator[dict[str, Any]]:
    for _event, item in lxml.etree.iterparse(io.BytesIO(content), tag=f"{_TYPES}CalendarItem", huge_tree=True):
        found: dict[str, Any] = {one.tag.removeprefix(_TYPES): one.text for one in item}
        for name in ("Start", "End"):
            if name in found:
                found[name] = datetime.fromisoformat(found[name])
        yield found
        item.clear()
