"""Each thing that Sally does otherwise than exchangelib is still needed, and still takes hold.

A test that fails here after an update says: look at ``integrations/providers/exchange/library.py`` again.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import exchangelib.errors
import lxml.etree
import pytest
import requests
from exchangelib.configuration import Configuration
from exchangelib.credentials import Credentials
from exchangelib.items import CalendarItem
from exchangelib.protocol import BaseProtocol, FailFast, Protocol
from exchangelib.services.common import EWSService
from exchangelib.services.find_item import FindItem
from exchangelib.transport import BASIC
from exchangelib.version import EXCHANGE_2016, Version

from integrations.errors import PasswordRefused, Unavailable
from integrations.outbound import PinnedAdapter
from integrations.providers.exchange import failures, library
from integrations.trail import Trail
from tests.integrations.ews.items import item

URL = "https://mail.example.com/EWS/Exchange.asmx"


def channel(**changed: Any) -> library.Channel:
    known = {"username": "ines@quay.example", "password": "a-password", "auth": "basic", "versions": ["Exchange2016"]}
    return library.Channel(URL, trail=Trail(), **(known | changed))


def configuration() -> Configuration:
    return Configuration(
        service_endpoint=URL,
        credentials=Credentials("ines@quay.example", "a-password"),
        auth_type=BASIC,
        version=Version(build=EXCHANGE_2016),
    )


def answer(status: int, content: bytes = b"", **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code, made._content, made.url = status, content, URL
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    made.request = requests.Request("POST", URL, headers={"Authorization": "Basic eA=="}).prepare()
    return made


def test_the_version_that_was_read_and_measured_is_the_one_installed() -> None:
    assert importlib.metadata.version("exchangelib") == "5.6.0"


@pytest.mark.parametrize(
    ("of", "names"),
    [
        (BaseProtocol, ["create_session", "close", "get_session", "release_session", "retire_session"]),
        (FailFast, ["raise_response_errors"]),
        (
            EWSService,
            [
                "_get_elements",
                "_api_versions_to_try",
                "_update_api_version",
                "_get_soap_parts",
                "_get_elements_in_container",
            ],
        ),
    ],
)
def test_what_is_overridden_is_there(of: type, names: list[str]) -> None:
    assert [name for name in names if not callable(getattr(of, name, None))] == []


class TestARefusedPassword:
    def test_exchangelib_takes_it_for_a_busy_server_where_the_connection_closes(self) -> None:
        with pytest.raises(exchangelib.errors.ErrorServerBusy):
            FailFast().raise_response_errors(answer(401, connection="close"))

    def test_for_sally_it_is_refused(self) -> None:
        with pytest.raises(PasswordRefused):
            library.FirstAnswer().raise_response_errors(answer(401, connection="close"))


class TestAnswers:
    @pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf", b'<?xml version="1.0" encoding="utf-8"?>\r\n', b"\n "])
    @pytest.mark.parametrize("name", [b"s:Envelope", b"soap:Envelope", b"SOAP-ENV:Envelope", b"Envelope"])
    @pytest.mark.parametrize("status", [200, 500])
    def test_an_envelope_is_read_whatever_its_prefix(self, status: int, name: bytes, head: bytes) -> None:
        failures.check(answer(status, head + b"<" + name + b' xmlns="x"/>'))

    @pytest.mark.parametrize(
        "page",
        [
            b"<!DOCTYPE html><html></html>",
            b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html xmlns="http://www.w3.org/1999/xhtml"/>',
            b'<?xml version="1.0"?><html/>',
            b"",
        ],
    )
    def test_a_page_is_one_also_where_it_is_xml(self, page: bytes) -> None:
        with pytest.raises(Unavailable) as caught:
            failures.check(answer(200, page))
        assert caught.value.code == "EWS-PAGE"


class TestSessions:
    def test_exchangelib_trusts_the_environment_and_connects_anywhere(self) -> None:
        session = BaseProtocol.raw_session(URL)
        assert session.trust_env
        assert not isinstance(session.get_adapter(URL), PinnedAdapter)

    def test_sallys_do_not(self) -> None:
        session = channel().create_session()
        assert not session.trust_env
        assert {type(session.get_adapter(url)) for url in (URL, "http://other.example/", "https://x.example")} == {
            PinnedAdapter
        }

    def test_exchangelib_keeps_each_account_for_ever(self) -> None:
        try:
            first = Protocol(config=configuration())
            assert Protocol(config=configuration()) is first
        finally:
            del Protocol[configuration()]

    def test_sallys_are_their_own(self) -> None:
        one, other = channel(), channel()
        assert one.get_session() is not other.get_session()

    def test_the_password_is_in_no_repr(self) -> None:
        assert "a-password" not in repr((channel(), channel().config, channel().credentials))


class TestVersions:
    def test_exchangelib_tries_many(self) -> None:
        assert len(EWSService.supported_api_versions()) > len(library.NEWEST_FIRST) + 2

    def test_sally_tries_what_was_chosen(self) -> None:
        one = channel(versions=["Exchange2013"])
        assert list(library.FindItem(protocol=one)._api_versions_to_try()) == ["Exchange2013"]
        assert one.version == "Exchange2013"

    def test_all_that_sally_tries_are_known_to_exchangelib(self) -> None:
        assert set(library.NEWEST_FIRST) <= set(EWSService.supported_api_versions())


class _Counting(requests.Response):
    """Counts the pieces in which its content is asked for."""

    pieces = 0

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        for piece in super().iter_content(chunk_size, decode_unicode):
            self.pieces += 1
            yield piece


ENVELOPE = (
    b'<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>'
)


class TestReadingAnAnswer:
    @pytest.mark.parametrize(("service", "most"), [(FindItem, None), (library.FindItem, 1)])
    def test_exchangelib_reads_byte_by_byte_and_sally_does_not(self, service: Any, most: int | None) -> None:
        response = _Counting()
        response._content, response._content_consumed = ENVELOPE, True  # type: ignore[attr-defined]
        service._get_soap_parts(response)
        assert response.pieces <= most if most else response.pieces == len(ENVELOPE)

    def test_a_character_that_xml_forbids_does_not_stop_it(self) -> None:
        root = library.parsed(ENVELOPE.replace(b"<s:Body/>", b"<s:Body><a>x&#x1f;y</a><b>z</b></s:Body>"))
        assert [one.tag for one in root.iter()][-1] == "b"

    @pytest.mark.parametrize("content", [ENVELOPE[:-3], ENVELOPE[:-20], b"", b"<html></html>", b"Envelope>"])
    def test_what_was_cut_off_is_no_answer(self, content: bytes) -> None:
        with pytest.raises(exchangelib.errors.SOAPError):
            library.parsed(content)

    @pytest.mark.parametrize(
        "odd",
        [
            b"&#x1f;",
            b"&#0;",
            b"\x01",
            b"\0",
            b"&#xd83d;",
            b"&#55357;",
            b"&#x110000;",
            b"\xff",
            b"\xed\xa0\x80",
            b"\xe2\x82",
        ],
        ids=repr,
    )
    def test_a_character_that_xml_forbids_is_left_out_and_nothing_else(self, odd: bytes) -> None:
        """Exchange cuts a subject after 255 halves of characters: what is left of an emoji there is no character."""
        root = library.parsed(ENVELOPE.replace(b"<s:Body/>", b"<s:Body><a>x" + odd + b"y</a><b>z</b></s:Body>"))
        assert [(one.tag, one.text) for one in root[0]] == [("a", "xy"), ("b", "z")]

    @pytest.mark.parametrize("mistake", [b"<!-- ", b"<![CDATA[ ", b"<? ", b"a < b", b"a & b", b"</s:Body>", b"<b>"])
    def test_a_mistake_is_not_mended_into_a_shorter_list(self, mistake: bytes) -> None:
        body = b"<s:Body><a/>" + mistake + b"<a/></s:Body>"
        with pytest.raises(exchangelib.errors.SOAPError):
            library.parsed(ENVELOPE.replace(b"<s:Body/>", body))

    @pytest.mark.parametrize("content", [b"<a/>" * 600_000, b"<a " + b'b="" ' * 600_000 + b"/>", b"x" * 17_000_000])
    def test_what_would_fill_the_memory_is_not_taken_apart(self, content: bytes) -> None:
        with pytest.raises(exchangelib.errors.SOAPError, match="too large"):
            library.parsed(ENVELOPE.replace(b"<s:Body/>", b"<s:Body>" + content + b"</s:Body>"))

    @pytest.mark.parametrize("declared", ["utf-8", "utf-7"])
    def test_definitions_are_refused(self, declared: str) -> None:
        head = f'<?xml version="1.0" encoding="{declared}"?>'.encode()
        doctype = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'.encode(declared)
        bomb = head + doctype + ENVELOPE[21:].replace(b"<s:Body/>", b"<s:Body><a>&e;</a></s:Body>")
        with pytest.raises(exchangelib.errors.SOAPError):
            library.parsed(bomb)


class TestReadingItems:
    """Why items are read by Sally herself."""

    def test_exchangelib_stumbles_over_a_zone_of_somebodys_own(self) -> None:
        one = item('<t:StartTimeZone Id="tzone://Microsoft/Custom"/>')
        with pytest.raises(ValueError, match="tzone"):
            CalendarItem.from_xml(one, account=None)

    def test_exchangelib_loses_times_with_fractions(self) -> None:
        assert CalendarItem.from_xml(item(Start="2026-11-02T14:00:51.5Z"), account=None).start is None


def test_exchangelib_is_nowhere_else() -> None:
    """``failures`` knows its errors' names, ``operations`` their base; nothing else of it is used anywhere."""
    users = {
        path.name
        for path in _sources()
        if any(line.startswith(("import exchangelib", "from exchangelib")) for line in path.read_text().splitlines())
    }
    assert users == {"library.py", "failures.py", "operations.py"}


def _sources() -> Iterator[Any]:
    for package in ("sally", "integrations", "calendars"):
        yield from (_root() / package).rglob("*.py")


def _root() -> Path:
    return Path(inspect.getfile(library)).parents[3]


def test_pages_do_without_it() -> None:
    """It takes 50 MB, and only calendars that are opened need it."""
    asked = "import sally.wsgi, sally.urls, sys; sys.exit('exchangelib' in sys.modules)"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "sally.settings"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", asked], cwd=_root(), env=environment, check=False)
    assert done.returncode == 0


def test_lxml_is_what_parses() -> None:
    assert isinstance(library.parsed(ENVELOPE), lxml.etree._Element)
