"""Answers of a server that means no good, or is broken: each is one of ours, and nothing that it leaves out is gone."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings

from integrations.errors import ProviderError, Unavailable, UnexpectedAnswer
from integrations.http import retry_after
from integrations.providers.exchange import EXCHANGE, Typed
from integrations.providers.exchange.client import ExchangeClient
from integrations.providers.exchange.connecting import open_client
from integrations.server_address import ServerAddress
from integrations.trail import Trail
from tests.contracts import WINDOW
from tests.tls_server import Answer, Authority, serving

SERVICES = "http://schemas.microsoft.com/exchange/services/2006"
ITEM = '<m:Items><t:CalendarItem><t:ItemId Id="AAA="/></t:CalendarItem></m:Items>'


def envelope(body: str) -> bytes:
    names = f'xmlns:m="{SERVICES}/messages" xmlns:t="{SERVICES}/types" xmlns:e="{SERVICES}/errors"'
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    return f'<?xml version="1.0"?><s:Envelope xmlns:s="{soap}" {names}><s:Body>{body}</s:Body></s:Envelope>'.encode()


def answer(operation: str, *contents: str, kind: str = "Success", code: str = "NoError") -> bytes:
    messages = "".join(
        f'<m:{operation}ResponseMessage ResponseClass="{kind}"><m:ResponseCode>{code}</m:ResponseCode>{content}'
        f"</m:{operation}ResponseMessage>"
        for content in contents
    )
    body = f"<m:ResponseMessages>{messages}</m:ResponseMessages>"
    return envelope(f"<m:{operation}Response>{body}</m:{operation}Response>")


def fault(code: str, more: str = "") -> bytes:
    detail = f"<detail><e:ResponseCode>{code}</e:ResponseCode>{more}</detail>"
    return envelope(f"<s:Fault><faultcode>a</faultcode><faultstring>b</faultstring>{detail}</s:Fault>")


def listing(items: str = "", **attributes: str) -> bytes:
    written = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return answer("FindItem", f"<m:RootFolder{written}><t:Items>{items}</t:Items></m:RootFolder>")


Opened = Callable[[bytes], ExchangeClient]


@pytest.fixture
def opened(authority: Authority, settings: Settings) -> Iterator[Opened]:
    """A client of a server that always says the same."""
    said: list[bytes] = []

    class Same(Answer):
        def do_GET(self) -> None:
            self.answer(200, said[-1])

    with serving(authority.certify("localhost"), Same) as server:
        settings.EXCHANGE_SANDBOX = f"localhost:{server.server_port}"
        url = f"https://localhost:{server.server_port}/EWS/Exchange.asmx"
        stored = {"url": url, "username": "ines", "auth": "basic", "version": "Exchange2016", "chosen": "2016"}
        clients = []

        def open_one(content: bytes) -> ExchangeClient:
            said.append(content)
            clients.append(open_client(stored, "a-password", ZoneInfo("Europe/Berlin"), lambda: None, Trail()))
            return clients[-1]

        yield open_one
        for one in clients:
            one.close()


@pytest.mark.parametrize(
    "content",
    [
        answer("GetItem", "", kind="Error"),
        answer("GetItem", ITEM, kind="Warning"),
        answer("GetItem", ITEM, ITEM),
        answer("GetItem"),
        answer("GetItem", ITEM, kind="Warning", code="ErrorBatchProcessingStopped"),
        answer(
            "GetItem", ITEM.replace(' Id="AAA="', "").replace("<t:CalendarItem>", "<t:CalendarItem/><t:CalendarItem>")
        ),
    ],
    ids=["no error, but one", "a warning without one", "two for one", "none", "not come to it", "two in one"],
)
def test_what_was_asked_for_and_not_answered_is_not_gone(opened: Opened, content: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        opened(content).find(["AAA="])


def test_what_is_gone_is_left_out(opened: Opened) -> None:
    assert opened(answer("GetItem", "", kind="Error", code="ErrorItemNotFound")).find(["AAA="]) == []


def test_series_without_an_end_of_their_list_are_not_a_shorter_list(opened: Opened) -> None:
    with pytest.raises(UnexpectedAnswer):
        opened(listing(IncludesLastItemInRange="false")).events(WINDOW)


@pytest.mark.parametrize(
    "content",
    [
        listing(IncludesLastItemInRange="false", TotalItemsInView="9" * 5000),
        listing(IncludesLastItemInRange="false", TotalItemsInView="\u0663\u00b2"),
        fault("DoesNotExist"),
        fault(
            "ErrorServerBusy", f'<t:MessageXml><t:Value Name="BackOffMilliseconds">{"9" * 400}</t:Value></t:MessageXml>'
        ),
    ],
    ids=["a total of 5,000 digits", "a total in other digits", "a name of exchangelib's own", "a wait of 400 digits"],
)
def test_odd_numbers_and_names_are_an_answer_that_cannot_be_read(opened: Opened, content: bytes) -> None:
    with pytest.raises(ProviderError):
        opened(content).events(WINDOW)


def test_a_state_that_is_too_long_to_keep_is_not_kept(opened: Opened) -> None:
    state = f"<m:SyncState>{'A' * 3_000_000}</m:SyncState><m:IncludesLastItemInRange>false</m:IncludesLastItemInRange>"
    assert opened(answer("SyncFolderItems", state)).poll("").cursor == ""


@pytest.mark.parametrize("token", ["", "!!!!", "====", "A", base64.b64encode(b"NTLMSSP\0\2").decode()])
def test_a_challenge_that_is_none_is_one_of_ours(token: str, authority: Authority, settings: Settings) -> None:
    class Challenges(Answer):
        def do_GET(self) -> None:
            self.answer(401, WWW_Authenticate=f"NTLM {token}" if "Authorization" in self.headers else "NTLM")

    with serving(authority.certify("localhost"), Challenges) as server:
        settings.EXCHANGE_SANDBOX = f"localhost:{server.server_port}"
        url = f"https://localhost:{server.server_port}/EWS/Exchange.asmx"
        stored: dict[str, Any] = {
            "url": url,
            "username": "ines",
            "auth": "ntlm",
            "version": "Exchange2016",
            "chosen": "1",
        }
        client = open_client(stored, "a-password", ZoneInfo("Europe/Berlin"), lambda: None, Trail())
        with pytest.raises(ProviderError):
            client.poll("")
        client.close()


@pytest.mark.parametrize("value", ["Mon, 99999999999999999999 Jan 9999 00:00:00 +99999999999999999999", "1 1 1 1 1"])
def test_a_date_that_is_none_asks_for_no_wait(value: str) -> None:
    assert retry_after({"Retry-After": value}) == 0


def test_a_server_that_has_always_one_more_part_is_not_asked_for_ever(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred parts, each within its own time limit, are more time than a task has."""
    monkeypatch.setattr("integrations.providers.exchange.connecting.LONGEST_READ", 0)
    with pytest.raises(Unavailable) as raised:
        opened(listing(IncludesLastItemInRange="false")).events(WINDOW)
    assert raised.value.code == "NET-2"


def test_a_look_has_an_end_too(authority: Authority, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.providers.exchange.connecting.LONGEST_LOOK", 0)

    class Basic(Answer):
        def do_GET(self) -> None:
            self.answer(401, WWW_Authenticate="Basic")

    with serving(authority.certify("localhost"), Basic) as server:
        settings.EXCHANGE_SANDBOX = f"localhost:{server.server_port}"
        typed = Typed(ServerAddress("localhost", server.server_port), "ines", "a-password")
        with pytest.raises(Unavailable):
            EXCHANGE.look(typed, Trail())
        assert len(server.asked) == 1  # the question that carries no password
