"""What the operator is told of a connection that failed, and what nobody else can tell."""

import socket
from ipaddress import ip_network

import pytest
import requests
import urllib3
from pytest_django import Settings

from integrations import outbound
from integrations.errors import ProviderError, Unavailable
from integrations.http import Patience, send
from integrations.outbound import Blocked, Cause, OutboundError, PinnedSession, Unreachable, cause_of
from integrations.trail import Trail
from tests.wire import HOST, PUBLIC, URL, Dns, Wire, failure, in_a_librarys_own_words


def test_the_operator_reads_where_the_name_leads_and_what_to_list(dns: Dns, settings: Settings) -> None:
    settings.EXCHANGE_ALLOWED_NETWORKS = [ip_network("192.168.0.0/16")]
    dns.tell(HOST, ["10.1.2.3", "192.168.7.7", "fd12::1"])
    assert cause_of(failure(URL)) == Cause(
        "mail.company.example resolves to 10.1.2.3, a private address that EXCHANGE_ALLOWED_NETWORKS does not list",
        "EXCHANGE_ALLOWED_NETWORKS=192.168.0.0/16,10.1.2.3/32,fd12::1/128",
    )


def test_the_line_that_is_given_helps(dns: Dns, wire: Wire, settings: Settings) -> None:
    dns.tell(HOST, ["10.1.2.3", "10.9.9.9"])
    line = cause_of(failure(URL)).line
    settings.EXCHANGE_ALLOWED_NETWORKS = [ip_network(text) for text in line.partition("=")[2].split(",")]
    assert isinstance(failure(URL), Unreachable)
    assert wire.attempts == [("10.1.2.3", 443), ("10.9.9.9", 443)]


def test_an_address_that_was_typed_as_a_number_is_named_once() -> None:
    text = cause_of(failure("https://10.1.2.3/")).text
    assert text == "10.1.2.3 is a private address that EXCHANGE_ALLOWED_NETWORKS does not list"


def test_the_operator_can_tell_a_dead_server_from_an_unknown_name(
    dns: Dns, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    dns.tell(HOST, [PUBLIC])
    assert cause_of(failure(URL)) == Cause("mail.company.example:443 does not answer (ConnectionRefusedError)")
    wire.silence(PUBLIC)
    silent = cause_of(failure(URL, Patience(connect=0.2, silence=1, answer=1)))
    assert silent == Cause("mail.company.example:443 does not answer (TimeoutError)")

    dns.tell(HOST, [])
    assert cause_of(failure(URL)) == Cause("mail.company.example has no address in the DNS")

    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert cause_of(failure(URL)) == Cause("mail.company.example is not known to the DNS")


def test_a_label_that_is_too_long_is_an_unknown_name(wire: Wire) -> None:
    assert isinstance(failure(f"https://{'a' * 64}.example/"), OutboundError)
    assert wire.attempts == []


def test_a_person_sees_the_same_whether_it_was_blocked_dead_or_unknown(dns: Dns, wire: Wire) -> None:
    """Whoever could tell them apart could look around in the network that Sally is in."""
    outcomes: set[tuple[type[ProviderError], str]] = set()
    for answer in ([PUBLIC], ["127.0.0.1"], ["10.1.2.3"], []):
        dns.tell(HOST, answer)
        with PinnedSession(Trail()) as session, pytest.raises(Unavailable) as caught:
            send(session, "GET", URL)
        outcomes.add((type(caught.value), caught.value.code))
    assert outcomes == {(Unavailable, "NET-1")}


def test_the_cause_is_found_however_deep_it_was_wrapped() -> None:
    blocked = Blocked("the cause", "LINE=1")
    pool = urllib3.HTTPSConnectionPool("localhost")
    wrapped = requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", blocked))
    aborted = requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", blocked))
    expected = Cause("the cause", "LINE=1")
    assert [cause_of(blocked), cause_of(wrapped), cause_of(aborted)] == [expected] * 3
    assert cause_of(in_a_librarys_own_words(wrapped)) == expected


def test_a_ring_of_exceptions_has_an_end() -> None:
    one, other = RuntimeError(), RuntimeError()
    one.__context__, other.__cause__ = other, one
    assert cause_of(one) == Cause("the connection broke")


def test_what_somebody_typed_makes_no_line_of_its_own_in_a_log() -> None:
    with pytest.raises(Blocked) as caught:
        outbound.check_port("mail\r\n2026 ERROR \x1b[31mforged" + "x" * 999, 1)
    text = cause_of(caught.value).text
    assert text.startswith("mail??2026?ERROR???31mforgedxxx")
    assert len(text) < 320
