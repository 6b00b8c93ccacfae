"""exchangelib, which Sally uses too, pointed at the sandbox, with all that goes over the wire kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from exchangelib import BASIC, DELEGATE, NTLM, Account, Configuration, Credentials, EWSTimeZone, Version
from exchangelib.protocol import BaseProtocol, close_connections
from exchangelib.version import Build

from tests.sandbox.ews import INES
from tests.sandbox_process import Sandbox

ACCOUNTS = [(NTLM, "QUAY\\ines"), (NTLM, INES), (BASIC, INES), (BASIC, "QUAY\\ines")]


class _Kept(requests.adapters.HTTPAdapter):
    """``exchanges`` are pairs of a request's and an answer's body."""

    exchanges: list[tuple[bytes, bytes]]

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        response = super().send(request, *args, **options)
        # A 401 is not read here: requests_ntlm takes the certificate from the answer's open connection.
        if response.status_code != 401:
            self.exchanges.append((request.body or b"", response.content))
        return response


@contextmanager
def account(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, how: tuple[str | None, str] = ACCOUNTS[0], **options: Any
) -> Iterator[tuple[Account, list[tuple[bytes, bytes]]]]:
    """Ines's account, and what is sent and received while it is open."""
    kept = type("Kept", (_Kept,), {"exchanges": []})
    monkeypatch.setattr(BaseProtocol, "HTTP_ADAPTER_CLS", kept)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", sandbox.ca_bundle)
    monkeypatch.setenv("NO_PROXY", "localhost")
    auth_type, user = how
    known: dict[str, Any] = {"auth_type": auth_type, "version": Version(build=Build(15, 2))} if auth_type else {}
    configuration = Configuration(
        service_endpoint=sandbox.exchange_url,
        credentials=Credentials(user, options.get("password", sandbox.exchange_password)),
        retry_policy=None,
        **known,
    )
    try:
        yield (
            Account(
                INES,
                config=configuration,
                autodiscover=False,
                access_type=DELEGATE,
                default_timezone=EWSTimeZone("Europe/Berlin"),
            ),
            kept.exchanges,  # type: ignore[attr-defined]
        )
    finally:
        close_connections()
