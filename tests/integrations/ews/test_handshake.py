"""NTLM's handshake: three requests for one, each of which may be the last, and servers that break it off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from integrations.errors import NotReached, ProviderError, Unavailable
from integrations.models import LeaseLost
from integrations.providers.exchange.connecting import open_client
from integrations.providers.exchange.library import Channel
from integrations.providers.exchange.operations import Mailbox
from integrations.trail import Trail
from tests.integrations.ews.test_client import BERLIN, typed
from tests.integrations.ews.test_looking import look, switch
from tests.sandbox_process import Sandbox
from tests.tls_server import Answer, Authority, TlsServer, serving


class TestTheLease:
    """Each request may take as long as a server is waited for, so each begins with a look at the lease."""

    @pytest.fixture
    def server(self, microsoft: Sandbox) -> Sandbox:
        switch(microsoft, exchange_offers="ntlm")
        return microsoft

    def test_is_renewed_before_each_of_the_three_and_of_those_after_them(self, server: Sandbox) -> None:
        count: list[int] = []
        account = look(server)
        client = open_client(account.server, typed(server).password, BERLIN, lambda: count.append(1), Trail())
        client.poll("")
        assert len(count) == 3
        client.poll("")
        assert len(count) == 4
        client.close()

    @pytest.mark.parametrize("request_number", [1, 2, 3])
    def test_that_is_lost_ends_it_there(self, server: Sandbox, request_number: int) -> None:
        account = look(server)
        server.control("DELETE", "log")
        begun: list[int] = []

        def renew() -> None:
            begun.append(1)
            if len(begun) == request_number:
                raise LeaseLost

        client = open_client(account.server, typed(server).password, BERLIN, renew, Trail())
        with pytest.raises(LeaseLost):
            client.poll("")
        client.close()
        assert len(server.log()) == request_number - 1
        assert [one["login"] for one in server.log() if one["login"]] == []


class BreaksOff(Answer):
    """Offers NTLM, and then answers its first message as ``second`` says: the header, or nothing at all."""

    second: str | None = ""

    def do_GET(self) -> None:
        if "Authorization" not in self.headers:
            self.answer(401, WWW_Authenticate="NTLM")
        elif self.second is None:
            self.close_connection = True
        elif self.second:
            self.answer(401, WWW_Authenticate=self.second)
        else:
            self.answer(401)


@pytest.fixture
def answers() -> Iterator[type[BreaksOff]]:
    yield BreaksOff
    BreaksOff.second = ""


@pytest.fixture
def breaking(authority: Authority, answers: type[BreaksOff], settings: Settings) -> Iterator[TlsServer]:
    settings.CA_BUNDLE = str(authority.bundle)
    with serving(authority.certify("localhost"), answers) as server:
        settings.EXCHANGE_SANDBOX = f"localhost:{server.server_port}"
        yield server


def failure(server: TlsServer) -> ProviderError:
    url = f"https://localhost:{server.server_port}/EWS/Exchange.asmx"
    channel = Channel(
        url, username="QUAY\\ines", password="mine", auth="ntlm", versions=["Exchange2016"], trail=Trail()
    )
    mailbox = Mailbox(channel, "localhost")
    with pytest.raises(ProviderError) as caught:
        mailbox.changes("")
    mailbox.close()
    return caught.value


@pytest.mark.parametrize(
    "second",
    ["", "NTLM", "Basic realm=x", "NTLM bm8gbWVzc2FnZSBvZiBOVExN", "NTLM TlRMTVNTUAACAAAA"],
    ids=["no header", "no challenge", "another offer", "nonsense", "half a challenge"],
)
def test_a_handshake_that_breaks_off_is_no_refused_password(
    breaking: TlsServer, answers: type[BreaksOff], second: str
) -> None:
    answers.second = second
    error = failure(breaking)
    assert (type(error), error.code) == (Unavailable, "EWS-HANDSHAKE")
    assert len(breaking.asked) == 2  # nothing that proves a password was sent


def test_a_server_that_hangs_up_in_it_is_not_reached(breaking: TlsServer, answers: type[BreaksOff]) -> None:
    answers.second = None
    assert isinstance(failure(breaking), NotReached)
