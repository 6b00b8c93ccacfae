"""What goes over the wire, held against Microsoft's own schema: the sandbox's answers and exchangelib's requests."""

import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.sandbox import ews
from tests.sandbox.ews import INES, NAMES, SPRING, Mailbox
from tests.sandbox.exceptions import CALENDAR
from tests.sandbox.exchange_client import ACCOUNTS, account
from tests.sandbox.real_calendar import rust_teams
from tests.sandbox.test_exchange_get_item import LINKS, PATTERNS, WITH_A_LIST

pytestmark = pytest.mark.needs("ews_schema")

WINDOWS = [SPRING, ("2026-10-01T00:00:00Z", "2027-03-01T00:00:00Z"), ("2031-01-01T00:00:00Z", "2031-01-02T00:00:00Z")]
SHAPES = [
    ews.shape("IdOnly"),
    ews.shape("Default", body_type="Text"),
    ews.shape("AllProperties"),
    ews.shape(
        "AllProperties",
        "item:TextBody",
        "item:UniqueBody",
        "item:Preview",
        "calendar:JoinOnlineMeetingUrl",
        extended="".join(map(ews.public_string, LINKS)),
    ),
]
FOLDERS = [ews.CALENDAR, ews.ROOT, '<t:DistinguishedFolderId Id="msgfolderroot"/>', '<t:FolderId Id="DUMMY"/>']
SOURCES = ["built in", "by hand", pytest.param("real", marks=pytest.mark.needs("real_calendars"))]


@cache
def _schema() -> Any:
    return etree.XMLSchema(etree.parse(Path(os.environ["SALLY_EWS_SCHEMA"]) / "messages.xsd"))


def _wrong(content: bytes) -> list[str]:
    """What the schema says against the first thing in soap:Body, and against what it knows of the header."""
    root = etree.fromstring(content)
    schema = _schema()
    found = []
    for part in (*root.iterfind("s:Body/*", NAMES), *root.iterfind("s:Header/t:ServerVersionInfo", NAMES)):
        # A tree of its own: prefixes that a value uses (xsi:type) come along.
        if not schema.validate(etree.fromstring(etree.tostring(part))):
            found += [f"{part.tag}: {error.line}: {error.message}" for error in schema.error_log]
    return found


def _requests(mailbox: Mailbox) -> list[str]:
    """Every operation, every shape, all that is listed and all that is kept."""
    ids = [row["ItemId"] for row in mailbox.view(*WINDOWS[0]) + mailbox.view(*WINDOWS[1])]
    kept = [id for _, id in mailbox.ask(ews.sync()).changes]
    folder = mailbox.ask(ews.get_folder(ews.ROOT)).all(".//t:FolderId")[0].get("Id")
    return [
        *(ews.get_folder(one, base) for one in FOLDERS for base in ("IdOnly", "Default", "AllProperties")),
        *(ews.find_item(ews.view(*window), wanted) for window in WINDOWS for wanted in SHAPES),
        *(ews.find_item("", wanted) for wanted in SHAPES),
        ews.find_item(ews.view("2027-01-01T00:00:00Z", "2031-01-01T00:00:00Z")),
        ews.find_item(ews.view(most=3)),
        *(ews.get_item(*ids, *kept, "DUMMY", wanted=wanted) for wanted in SHAPES),
        *(ews.sync(wanted=wanted, most=9) for wanted in SHAPES),
        ews.sync("nonsense"),
        *(ews.convert_id(id) for id in (folder, kept[0], "DUMMY")),
        *(ews.resolve(word) for word in ("ines", "s", "walter")),
    ]


def _fill_with(mailbox: Mailbox, text: str) -> None:
    mailbox.put(text)
    for number, (rule, _, _) in enumerate(PATTERNS):
        start, end = "2027-05-03T07:00:00Z", "2027-05-03T08:00:00Z"
        mailbox.add(uid=f"pattern-{number}", subject="Pattern", start=start, end=end, rrule=rule)


@pytest.mark.parametrize("switches", [{}, {"exchange_expand": False, "exchange_fractions": True}])
@pytest.mark.parametrize(
    "source", ["built in", "by hand", pytest.param("real", marks=pytest.mark.needs("real_calendars"))]
)
def test_every_answer_is_valid(exchange: Mailbox, source: str, switches: dict[str, bool]) -> None:
    built_in = exchange.sandbox.control("GET", f"mailboxes/{INES}")
    texts = {"built in": lambda: built_in, "by hand": CALENDAR.read_text, "real": rust_teams}
    _fill_with(exchange, texts[source]())
    asked = _requests(exchange)
    exchange.turn(**switches)
    valid = 0
    for request in asked:
        assert _wrong(ews.envelope(request)) == [], "this test's own request"
        answer = exchange.ask(request)
        assert _wrong(answer.response.content) == [], request
        valid += 1

    assert valid == len(asked) > 40  # N of N valid


def test_a_distribution_list_is_valid(exchange: Mailbox) -> None:
    exchange.put(WITH_A_LIST)
    (row,) = exchange.view("2027-05-01T00:00:00Z", "2027-06-01T00:00:00Z")
    content = exchange.ask(ews.get_item(row["ItemId"], wanted=ews.shape("AllProperties"))).response.content

    assert b"PublicDL" in content
    assert _wrong(content) == []


@pytest.mark.parametrize("code", ["ErrorMailboxMoveInProgress", "ErrorPasswordExpired", "ErrorNonExistentMailbox"])
def test_every_error_is_valid(exchange: Mailbox, code: str) -> None:
    asked = _requests(exchange)
    exchange.turn(exchange_answer=code)

    assert [_wrong(exchange.ask(request).response.content) for request in asked] == [[]] * len(asked)


@pytest.mark.parametrize("how", ACCOUNTS)
def test_all_that_exchangelib_asks_and_gets_is_valid(
    exchange: Mailbox, monkeypatch: pytest.MonkeyPatch, how: tuple[str, str]
) -> None:
    with account(exchange.sandbox, monkeypatch, how) as (ines, exchanges):
        window = {
            "start": datetime(2026, 11, 1, tzinfo=UTC),
            "end": datetime(2027, 4, 1, tzinfo=UTC),
            "max_items": 1000,
        }
        list(ines.calendar.view(**window))
        list(ines.calendar.view(**window).only("subject", "body", "text_body", "recurrence", "first_occurrence"))
        list(ines.calendar.sync_items())
        list(ines.calendar.sync_items())
        ines.protocol.resolve_names(["ines"])
    requests = [sent for sent, _ in exchanges if sent]
    answers = [got for _, got in exchanges if got.startswith(b"<?xml")]

    assert [_wrong(content) for content in requests] == [[]] * len(requests)
    assert [_wrong(content) for content in answers] == [[]] * len(answers)
    assert len(answers) >= 7


def test_the_schema_finds_what_is_wrong(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    content = exchange.ask(ews.find_item(ews.view(), ews.shape("AllProperties"))).response.content

    assert _wrong(content) == []
    assert _wrong(content.replace(b"<t:CalendarItemType>Single", b"<t:CalendarItemType>Lonely")) != []
    assert _wrong(content.replace(b"t:IsRecurring>", b"t:Subject>")) != []
