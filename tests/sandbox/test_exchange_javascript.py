"""The sandbox's Exchange as the EWS Managed API's port to JavaScript reads it, a client nobody here wrote."""

import json
import os
import subprocess
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.needs import EWS_JAVASCRIPT
from tests.sandbox.ews import INES, SPRING, Mailbox
from tests.sandbox.exceptions import CALENDAR
from tests.sandbox.real_calendar import expand, rust_teams, vevents
from tests.sandbox.test_exchange_calendar_view import EXPECTED, TYPES

pytestmark = pytest.mark.needs("ews_javascript")
BERLIN = ZoneInfo("Europe/Berlin")


def _read(mailbox: Mailbox, start: str, end: str) -> Any:
    sandbox = mailbox.sandbox
    command = ["node", "read.js", sandbox.exchange_url, INES, sandbox.exchange_password, start, end]
    environment = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": sandbox.ca_bundle, "TZ": "UTC"}
    done = subprocess.run(command, cwd=EWS_JAVASCRIPT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    start, end = (datetime.fromisoformat(item[name]) for name in ("start", "end"))
    if item["allDay"]:
        times = (f"{start.astimezone(BERLIN):%F}", f"{end.astimezone(BERLIN):%F}")
    else:
        times = (f"{start:%FT%H:%M}", f"{end:%FT%H:%M}")
    remark = "cancelled" if item["cancelled"] else "private" if item["private"] else ""
    return (*times, item["subject"], item["location"], TYPES[item["type"]], remark)


def test_it_reads_a_window_as_worked_out_by_hand(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    read = _read(exchange, *SPRING)

    assert sorted(map(_row, read["window"])) == EXPECTED
    assert (read["total"], read["more"]) == (len(EXPECTED), False)


def test_it_reads_whole_items_and_what_a_folder_keeps(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    read = _read(exchange, *SPRING)
    types = [change["type"] for change in read["changes"]]

    assert [one["subject"] for one in read["whole"]] == [one["subject"] for one in read["window"][:20]]
    assert {change["kind"] for change in read["changes"]} == {"Create"}
    assert (types.count("RecurringMaster"), types.count("Single"), len(types)) == (7, 8, 15)
    assert (read["moreChanges"], read["again"]) == (False, 0)


@pytest.mark.needs("real_calendars")
def test_it_reads_a_real_calendar_as_its_rules_say(exchange: Mailbox) -> None:
    text = rust_teams()
    exchange.put(text)
    start, end = "2026-11-22T00:00:00Z", "2027-02-21T00:00:00Z"
    read = _read(exchange, start, end)
    moments = (datetime.fromisoformat(value).astimezone(UTC) for value in (start, end))

    assert sorted((one["start"][:19], one["end"][:19], one["subject"], one["location"]) for one in read["window"]) == (
        sorted(expand(text, *moments, day_zone=BERLIN, ended_at_start=True))
    )
    assert len(read["changes"]) == len(vevents(text))
