"""Where Sally connects to on somebody's word, proved at the socket: what was attempted, and who was reached."""

from ipaddress import ip_network

import pytest
import requests
from pytest_django import Settings

from integrations.outbound import Blocked, Unreachable, cause_of
from tests.tls_server import Authority, serving
from tests.wire import HOST, OTHER_PUBLIC, PUBLIC, URL, Dns, Trap, Wire, ask, failure

LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0.0.1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.0x1",
    "0",
    "0.0.0.0",  # noqa: S104
    "0x0",
    "127.0.0.1.",
    "localhost",
    "LocalHost",
    "localhost.",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:0:0]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::]",
    "１２７.０.０.１",
    "127。0。0。1",
    "ⓛocalhost",
    "①②⑦.⓪.⓪.①",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_this_machine_is_reached_under_no_name(host: str, wire: Wire, trap: Trap) -> None:
    with pytest.raises(requests.RequestException):
        ask(f"https://{host}:{trap.port}/")
    assert wire.attempts == []
    assert trap.caught() == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0", "localhost"])
def test_the_trap_would_have_caught_an_ordinary_session(host: str, wire: Wire, trap: Trap) -> None:
    with requests.Session() as session, pytest.raises(requests.RequestException):
        session.get(f"https://{host}:{trap.port}/", timeout=0.2)
    assert trap.caught() == 1
    assert wire.attempts


NEVER = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",  # noqa: S104
    "169.254.169.254",
    "169.254.1.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.251",
    "255.255.255.255",
    "203.0.113.7",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fd12:3456::1%eth0",
    "2606:2800::1%eth0",
    "ff02::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.1.2.3",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::10.1.2.3",
    "2002:7f00:1::1",
    "2001:0:5db8:d822:0:0:80ff:fffe",
    "2606:2800::5efe:10.1.2.3",
]
PRIVATE = ["10.1.2.3", "172.20.1.1", "192.168.1.2", "100.64.1.1", "fd12:3456::1"]


@pytest.mark.parametrize("address", NEVER)
def test_a_name_that_leads_to_a_forbidden_address_leads_nowhere(
    address: str, dns: Dns, wire: Wire, settings: Settings
) -> None:
    settings.EXCHANGE_ALLOWED_NETWORKS = [ip_network("0.0.0.0/0"), ip_network("::/0")]  # even then
    dns.tell(HOST, [address])
    with pytest.raises(Blocked) as caught:
        ask(URL)
    assert wire.attempts == []
    assert cause_of(caught.value).line == ""


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_network_is_closed_until_it_is_listed(address: str, dns: Dns, wire: Wire) -> None:
    dns.tell(HOST, [address])
    with pytest.raises(Blocked):
        ask(URL)
    assert wire.attempts == []


@pytest.mark.parametrize("address", PRIVATE)
def test_a_listed_network_is_connected_to(address: str, dns: Dns, wire: Wire, settings: Settings) -> None:
    settings.EXCHANGE_ALLOWED_NETWORKS = [ip_network(address)]
    dns.tell(HOST, [address])
    with pytest.raises(Unreachable):
        ask(URL)
    assert wire.attempts == [(address, 443)]


@pytest.mark.parametrize(("host", "address"), [("10.1.2.3", "10.1.2.3"), ("[fd12:3456::1]", "fd12:3456::1")])
def test_a_listed_network_needs_no_names(host: str, address: str, wire: Wire, settings: Settings) -> None:
    settings.EXCHANGE_ALLOWED_NETWORKS = [ip_network("10.1.2.0/24"), ip_network("fd12:3456::/48")]
    assert isinstance(failure(f"https://{host}/"), Unreachable)
    assert wire.attempts == [(address, 443)]


@pytest.mark.parametrize("address", ["10.1.3.3", "fd12:3457::1"])
def test_the_neighbour_of_a_listed_network_stays_closed(address: str, dns: Dns, wire: Wire, settings: Settings) -> None:
    settings.EXCHANGE_ALLOWED_NETWORKS = [ip_network("10.1.2.0/24"), ip_network("fd12:3456::/48")]
    dns.tell(HOST, [address])
    with pytest.raises(Blocked):
        ask(URL)
    assert wire.attempts == []


@pytest.mark.parametrize("bad", ["127.0.0.1", "::1", "169.254.169.254", "10.1.2.3", "::ffff:127.0.0.1", "fe80::1%eth0"])
@pytest.mark.parametrize("is_first", [True, False])
def test_one_bad_address_spoils_the_whole_answer(bad: str, is_first: bool, dns: Dns, wire: Wire) -> None:
    dns.tell(HOST, [bad, PUBLIC] if is_first else [PUBLIC, OTHER_PUBLIC, bad])
    with pytest.raises(Blocked):
        ask(URL)
    assert wire.attempts == []


def test_a_private_and_a_forbidden_address_together_give_no_line(dns: Dns) -> None:
    dns.tell(HOST, ["10.1.2.3", "127.0.0.1"])
    with pytest.raises(Blocked) as caught:
        ask(URL)
    assert cause_of(caught.value).line == ""


def test_the_sandbox_is_the_one_place_on_this_machine(authority: Authority, settings: Settings, trap: Trap) -> None:
    with serving(authority.certify("localhost")) as server:
        settings.EXCHANGE_SANDBOX = f"localhost:{server.server_port}"
        assert ask(f"https://localhost:{server.server_port}/").text == "hello"
        with pytest.raises(Blocked):
            ask(f"https://127.0.0.1:{server.server_port}/")
        with pytest.raises(Blocked):
            ask(f"https://localhost:{trap.port}/")
    assert trap.caught() == 0
    assert len(server.asked) == 1


@pytest.mark.parametrize("address", ["10.1.2.3", "169.254.169.254", "93.184.216.34"])
def test_the_sandboxs_name_opens_nothing_but_the_loopback(
    address: str, dns: Dns, wire: Wire, settings: Settings
) -> None:
    settings.EXCHANGE_SANDBOX = "localhost:8443"
    dns.tell("localhost", ["127.0.0.1", address])
    with pytest.raises(Blocked):
        ask("https://localhost:8443/")
    assert wire.attempts == []
