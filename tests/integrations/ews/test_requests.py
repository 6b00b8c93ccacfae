"""Every request that Sally writes, held against Microsoft's own schema: Exchange refuses what it does not allow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree

from integrations.outbound import PinnedAdapter
from tests.conftest import INES
from tests.contracts import CALENDAR, WINDOW
from tests.integrations.ews.test_client import opened
from tests.sandbox_process import Sandbox

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    sent: list[bytes] = []
    real = PinnedAdapter.send

    def send(self: PinnedAdapter, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        assert isinstance(request.body, bytes)
        sent.append(request.body)
        return real(self, request, *args, **kwargs)

    monkeypatch.setattr(PinnedAdapter, "send", send)
    return sent


@pytest.mark.needs("ews_schema")
@pytest.mark.parametrize("schema", ["Exchange2016", "Exchange2013_SP1", "Exchange2013", "Exchange2010_SP2"])
def test_all_that_sally_asks_is_valid(microsoft: Sandbox, sent: list[bytes], schema: str) -> None:
    switches = {"exchange_offers": "basic", "exchange_expand": False, "exchange_schema": schema}
    microsoft.control("POST", "settings", json=switches)
    microsoft.control("PUT", f"mailboxes/{INES}", text=CALENDAR)
    client = opened(microsoft, username="QUAY\\ines")
    client.poll(client.poll("").cursor)
    events = client.events(WINDOW)
    client.fill(events)
    client.find([one.id for one in events])
    client._mailbox.resolve("tomas")
    client.close()
    asked = {"ConvertId", "FindItem", "GetFolder", "GetItem", "ResolveNames", "SyncFolderItems"}
    assert set(microsoft.operations()) - {""} == asked

    valid = etree.XMLSchema(etree.parse(Path(os.environ["SALLY_EWS_SCHEMA"]) / "messages.xsd"))
    for content in sent:
        root = etree.fromstring(content)
        (body,) = root.iterfind(f"{SOAP}Body/*")
        assert valid.validate(etree.fromstring(etree.tostring(body))), f"{body.tag}: {valid.error_log}"
    assert len(sent) > 10
