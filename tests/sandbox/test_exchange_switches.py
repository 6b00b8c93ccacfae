"""Every way in which the Exchange server misbehaves on demand, or is an older or another server."""

import time
from typing import Any

import pytest
import requests

from tests.sandbox import ews
from tests.sandbox.ews import NAMES, Mailbox
from tests.sandbox.exceptions import CALENDAR
from tests.sandbox_process import ControlRefused

ASKED = ews.get_folder()
CODES = [
    "ErrorMailboxMoveInProgress",
    "ErrorNonExistentMailbox",
    "ErrorAccessDenied",
    "ErrorMailboxStoreUnavailable",
    "ErrorPasswordExpired",
]


def _version(answer: ews.Answer) -> dict[str, str]:
    told: dict[str, str] = dict(answer.root.find("s:Header/t:ServerVersionInfo", NAMES).attrib)
    return told


def test_every_answer_tells_the_servers_version(exchange: Mailbox) -> None:
    for asked in (ASKED, ews.find_item(ews.view()), ews.convert_id("DUMMY")):
        assert _version(exchange.ask(asked)) == {
            "MajorVersion": "15",
            "MinorVersion": "2",
            "MajorBuildNumber": "1748",
            "MinorBuildNumber": "10",
            "Version": "V2017_07_11",
        }


def test_the_server_may_be_an_older_one(exchange: Mailbox) -> None:
    exchange.turn(exchange_version="14.3.123.4", exchange_schema="Exchange2010_SP2")
    told = _version(exchange.ask(ASKED, "Exchange2010_SP2"))

    assert (told["MajorVersion"], told["MinorVersion"], told["Version"]) == ("14", "3", "Exchange2010_SP2")
    assert exchange.post(ASKED, "Exchange2013").fault == "ErrorInvalidServerVersion"


@pytest.mark.parametrize("version", ["Exchange2007_SP1", "Exchange2010", "Exchange2013_SP1", "Exchange2016", ""])
def test_older_requests_are_understood(exchange: Mailbox, version: str) -> None:
    assert exchange.ask(ASKED, version).codes == ["NoError"]


@pytest.mark.parametrize("version", ["Exchange2042", "exchange2013", "V2017_07_11"])
def test_a_schema_that_the_server_does_not_know_is_a_fault(exchange: Mailbox, version: str) -> None:
    answer = exchange.post(ASKED, version)

    assert (answer.response.status_code, answer.fault) == (500, "ErrorInvalidServerVersion")


@pytest.mark.parametrize(
    ("field", "since", "before"),
    [
        ("calendar:JoinOnlineMeetingUrl", "Exchange2013", "Exchange2010_SP2"),
        ("item:TextBody", "Exchange2013", "Exchange2010_SP2"),
        ("calendar:StartTimeZone", "Exchange2010", "Exchange2007_SP1"),
    ],
)
def test_a_property_is_unknown_to_an_older_schema(exchange: Mailbox, field: str, since: str, before: str) -> None:
    asked = ews.find_item(ews.view(), ews.shape("IdOnly", field))

    assert exchange.ask(asked, since).codes == ["NoError"]
    assert exchange.post(asked, before).fault == "ErrorSchemaValidation"


def test_a_server_that_does_not_expand_lists_what_it_keeps(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    exchange.turn(exchange_expand=False)
    rows = exchange.view()

    # Of the series only those whose first occurrence is in the window: not "Accounts", which began in February.
    assert {(row["Subject"], row["Start"]) for row in rows if row["CalendarItemType"] == "RecurringMaster"} == {
        ("Berth plan", "2027-03-15T09:00:00Z"),
        ("New York call", "2027-03-17T13:00:00Z"),
        ("Market day", "2027-03-18T23:00:00Z"),
        ("London desk", "2027-03-16T16:00:00Z"),
        ("Choir", "2027-03-20T19:00:00Z"),
        ("Sunday round", "2027-03-21T07:00:00Z"),
    }
    # Single items as usual, but both ends of the window belong to it.
    assert sorted(row["Subject"] for row in rows if row["CalendarItemType"] == "Single") == [
        "Begins when the window closes",
        "Just over when the window opens",
        "Night watch",
        "No zone",
        "Office closed",
        "Outlook's zone",
        "Regatta",
        "Under way when the window opens",
    ]
    assert len(rows) == 6 + 8
    assert all("RecurrenceId" not in row for row in rows)


def test_such_a_server_tells_patterns_unasked_and_knows_no_text_body(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    exchange.turn(exchange_expand=False)
    answer = exchange.ask(ews.find_item(ews.view()))
    master = next(item for item in answer.items if item.find("t:Recurrence", NAMES) is not None)
    whole = exchange.ask(ews.get_item(ews.row(master)["ItemId"], wanted=ews.shape("AllProperties", "item:TextBody")))

    assert ews.row(master)["CalendarItemType"] == "RecurringMaster"
    assert whole.all(".//t:Body") != []
    assert whole.all(".//t:TextBody") == whole.all(".//t:FirstOccurrence") == []


def test_times_may_have_fractions(exchange: Mailbox) -> None:
    usual = exchange.view()[0]
    exchange.turn(exchange_fractions=True)
    told = exchange.view()[0]

    assert told["LastModifiedTime"] == usual["LastModifiedTime"].replace("Z", ".5Z")
    assert (told["Start"], told["End"]) == (usual["Start"].replace("Z", ".0Z"), usual["End"].replace("Z", ".0Z"))


def test_answers_may_be_called_otherwise(exchange: Mailbox) -> None:
    exchange.turn(exchange_content_type="text/xml")

    assert exchange.ask(ASKED).response.headers["Content-Type"] == "text/xml"


@pytest.mark.parametrize("zone", ["tzone://Microsoft/Custom", "Customized Time Zone"])
def test_all_zones_may_have_a_name_of_their_own(exchange: Mailbox, zone: str) -> None:
    exchange.turn(exchange_zone=zone)
    answer = exchange.ask(ews.find_item(ews.view(), ews.shape("AllProperties")))
    zones = [*answer.all(".//t:StartTimeZone"), *answer.all(".//t:EndTimeZone")]

    assert {one.get("Id") for one in zones} == {zone}


@pytest.mark.parametrize("code", CODES)
def test_every_operation_may_answer_with_an_error(exchange: Mailbox, code: str) -> None:
    exchange.turn(exchange_answer=code)
    for asked in (ASKED, ews.find_item(ews.view()), ews.sync(), ews.resolve("ines"), ews.convert_id("DUMMY")):
        assert exchange.ask(asked).codes == [code]
    assert exchange.ask(ews.get_item("a", "b")).codes == [code, code]


def test_an_error_comes_as_often_as_wanted(exchange: Mailbox) -> None:
    exchange.turn(exchange_answer="ErrorMailboxMoveInProgress", exchange_answer_times=2)
    assert [exchange.ask(ASKED).codes[0][:5] for _ in range(3)] == ["Error", "Error", "NoErr"]

    exchange.turn(exchange_answer_times=1)
    assert [exchange.ask(ASKED).codes[0][:5] for _ in range(2)] == ["Error", "NoErr"]


def test_a_refused_login_uses_up_no_error(exchange: Mailbox) -> None:
    exchange.turn(exchange_answer="ErrorMailboxMoveInProgress", exchange_answer_times=1)
    assert exchange.post(ASKED, auth=("ines@quay.example", "wrong")).response.status_code == 401

    assert exchange.ask(ASKED).codes == ["ErrorMailboxMoveInProgress"]


def test_a_busy_server_says_for_how_long(exchange: Mailbox) -> None:
    exchange.turn(exchange_answer="busy", exchange_answer_times=1)
    answer = exchange.post(ASKED)

    assert (answer.response.status_code, answer.fault) == (500, "ErrorServerBusy")
    (value,) = answer.all("detail/t:MessageXml/t:Value")
    assert (value.get("Name"), value.text) == ("BackOffMilliseconds", "1500")
    assert exchange.ask(ASKED).codes == ["NoError"]


@pytest.mark.parametrize(
    ("wanted", "status", "header", "value"),
    [
        ("html", 200, "Content-Type", "text/html; charset=utf-8"),
        ("redirect", 302, "Location", "{}/owa/"),
        ("404", 404, "Server", "Microsoft-IIS/10.0"),
        ("403", 403, "Server", "Microsoft-IIS/10.0"),
        ("503", 503, "Retry-After", "10"),
    ],
)
def test_something_in_front_may_answer(exchange: Mailbox, wanted: str, status: int, header: str, value: str) -> None:
    exchange.turn(exchange_answer=wanted, exchange_answer_times=1)
    answer = exchange.post(ASKED, allow_redirects=False)

    assert answer.response.status_code == status
    assert answer.response.headers[header] == value.format(exchange.sandbox.login_url)
    assert (exchange.sandbox.log()[-1]["login"], exchange.sandbox.log()[-1]["operation"]) == ("", "")
    assert exchange.ask(ASKED).codes == ["NoError"]


def test_the_front_may_not_find_the_server_behind_it(exchange: Mailbox) -> None:
    exchange.turn(exchange_answer="cas")

    assert exchange.post(ASKED).response.headers["X-CasErrorCode"] == "ServerNotFound"


def test_an_answer_may_be_slow(exchange: Mailbox) -> None:
    exchange.turn(exchange_answer="slow", exchange_answer_times=1, exchange_slow_seconds=1)
    began = time.monotonic()

    assert exchange.ask(ASKED).codes == ["NoError"]
    assert time.monotonic() - began >= 1


def test_a_slow_answer_keeps_nobody_else_waiting(exchange: Mailbox) -> None:
    exchange.turn(exchange_answer="slow", exchange_answer_times=1)
    with pytest.raises(requests.ReadTimeout):
        exchange.http.post(exchange.sandbox.exchange_url, data=ews.envelope(ASKED), timeout=0.3)

    assert exchange.ask(ASKED).codes == ["NoError"]


def test_an_answer_may_have_no_end(exchange: Mailbox) -> None:
    exchange.turn(exchange_answer="huge")
    received = 0
    with exchange.http.post(exchange.sandbox.exchange_url, data=b"", timeout=30, stream=True) as response:
        assert (response.status_code, response.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
        for chunk in response.iter_content(1 << 20):
            received += len(chunk)
            if received > 50 << 20:
                break

    assert received > 50 << 20
    exchange.turn(exchange_answer="")
    assert exchange.ask(ASKED).codes == ["NoError"]


@pytest.mark.parametrize(
    "switches",
    [{"exchange_find_limit": "7"}, {"exchange_expand": 1}, {"exchange_weather": "fine"}, {"exchange_zone": None}],
)
def test_nonsense_is_no_switch(exchange: Mailbox, switches: dict[str, Any]) -> None:
    with pytest.raises(ControlRefused) as refused:
        exchange.turn(**switches)
    assert refused.value.status == 400


def test_a_reset_turns_every_switch_back(exchange: Mailbox) -> None:
    exchange.turn(exchange_answer="404", exchange_moved=3, exchange_offers="basic", exchange_schema="Exchange2007")
    exchange.sandbox.control("POST", "reset")

    assert exchange.ask(ASKED).codes == ["NoError"]


def test_a_fault_of_the_sandbox_reaches_exchange_too(exchange: Mailbox) -> None:
    exchange.sandbox.control("POST", "faults", json={"path": "(?i)exchange.asmx$", "status": 502})

    assert exchange.post(ASKED).response.status_code == 502
