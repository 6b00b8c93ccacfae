"""The address that was checked is the one connected to, and there is no way around that; proved at the socket."""

import time

import pytest
import requests
from pytest_django import Settings
from requests.adapters import HTTPAdapter

from integrations.http import Patience
from integrations.outbound import Blocked, Cause, PinnedAdapter, PinnedSession, Unreachable, cause_of
from integrations.trail import Trail
from tests import wire as wires
from tests.tls_server import Answer, Authority, serving
from tests.wire import HOST, OTHER_PUBLIC, PUBLIC, URL, Dns, Trap, Wire, ask, failure


def test_the_checked_address_is_connected_to_and_the_name_certified(dns: Dns, wire: Wire, authority: Authority) -> None:
    dns.tell(HOST, [PUBLIC])
    with serving(authority.certify(HOST)) as server:
        wire.lead(PUBLIC, server.server_port)
        assert ask(URL).text == "hello"
    assert wire.attempts == [(PUBLIC, 443)]
    assert server.names == [HOST]
    assert server.asked == [f"{HOST} /EWS/Exchange.asmx"]


def test_a_name_that_changes_between_check_and_connect_changes_nothing(
    dns: Dns, wire: Wire, authority: Authority, trap: Trap
) -> None:
    dns.tell(HOST, [PUBLIC], ["127.0.0.1"])
    with serving(authority.certify(HOST)) as server:
        wire.lead(PUBLIC, server.server_port)
        assert ask(f"https://{HOST}:{trap.port}/").text == "hello"
    assert dns.asked == [HOST]
    assert wire.attempts == [(PUBLIC, trap.port)]
    assert trap.caught() == 0


class HangsUp(Answer):
    def do_GET(self) -> None:
        self.answer(200, b"bye", Connection="close")


def test_a_connection_that_is_opened_again_is_checked_again(
    dns: Dns, wire: Wire, authority: Authority, trap: Trap
) -> None:
    dns.tell(HOST, [PUBLIC], ["127.0.0.1"])
    url = f"https://{HOST}:{trap.port}/"
    with serving(authority.certify(HOST), HangsUp) as server, PinnedSession(Trail()) as session:
        wire.lead(PUBLIC, server.server_port)
        assert session.get(url).text == "bye"
        with pytest.raises(Blocked):
            session.get(url)
    assert wire.attempts == [(PUBLIC, trap.port)]
    assert trap.caught() == 0


def test_a_connection_that_is_kept_is_used_again(dns: Dns, wire: Wire, authority: Authority) -> None:
    dns.tell(HOST, [PUBLIC])
    with serving(authority.certify(HOST)) as server, PinnedSession(Trail()) as session:
        wire.lead(PUBLIC, server.server_port)
        assert [session.get(URL).text for _ in range(3)] == ["hello"] * 3
    assert wire.attempts == [(PUBLIC, 443)]


def test_the_next_checked_address_is_tried_where_one_is_dead(dns: Dns, wire: Wire, authority: Authority) -> None:
    dns.tell(HOST, ["2606:2800::1", OTHER_PUBLIC, PUBLIC])
    with serving(authority.certify(HOST)) as server:
        wire.lead(PUBLIC, server.server_port)
        assert ask(URL).text == "hello"
    assert wire.attempts == [("2606:2800::1", 443), (OTHER_PUBLIC, 443), (PUBLIC, 443)]
    assert dns.asked == [HOST]


def test_a_silent_address_leaves_time_for_the_next(dns: Dns, wire: Wire, authority: Authority) -> None:
    dns.tell(HOST, [OTHER_PUBLIC, PUBLIC])
    wire.silence(OTHER_PUBLIC)
    with serving(authority.certify(HOST)) as server:
        wire.lead(PUBLIC, server.server_port)
        assert ask(URL, Patience(connect=2, silence=5, answer=5)).text == "hello"


class ShakesHandsLate(Answer):
    def handle(self) -> None:
        time.sleep(1.8)
        super().handle()


def test_who_answers_has_all_the_time_that_is_left_to_shake_hands(dns: Dns, wire: Wire, authority: Authority) -> None:
    """With another address in reserve, half the time is for connecting to the first."""
    dns.tell(HOST, [PUBLIC, OTHER_PUBLIC])
    with serving(authority.certify(HOST), ShakesHandsLate) as server:
        wire.lead(PUBLIC, server.server_port)
        assert ask(URL, Patience(connect=3, silence=5, answer=5)).text == "hello"
    assert wire.attempts == [(PUBLIC, 443)]


def test_small_requests_are_sent_at_once(dns: Dns, wire: Wire) -> None:
    """Nagle's algorithm would keep the body waiting for the server's acknowledgement of the headers."""
    dns.tell(HOST, [PUBLIC])
    failure(URL)
    assert wire.without_delay == [True]


def test_all_addresses_together_have_the_time_of_one(dns: Dns, wire: Wire) -> None:
    many = [f"93.184.216.{number}" for number in range(30)]
    dns.tell(HOST, many)
    for address in many:
        wire.silence(address)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        ask(URL, Patience(connect=1, silence=9, answer=9))
    assert 0.9 < time.monotonic() - began < 1.9
    assert len(wire.attempts) == 4


def test_a_handshake_that_nobody_answers_is_given_up(settings: Settings) -> None:
    with wires.trap() as silent:
        settings.EXCHANGE_SANDBOX = f"localhost:{silent.port}"
        began = time.monotonic()
        with pytest.raises(requests.Timeout) as caught:
            ask(f"https://localhost:{silent.port}/", Patience(connect=0.5, silence=9, answer=9))
    assert time.monotonic() - began < 3
    assert cause_of(caught.value) == Cause("the server did not answer in time")


# --- Ways around --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [1, 22, 25, 80, 444, 3389, 8443, 65535])
def test_another_port_is_not_even_looked_up(port: int, dns: Dns, wire: Wire) -> None:
    dns.tell(HOST, [PUBLIC])
    with pytest.raises(Blocked):
        ask(f"https://{HOST}:{port}/")
    assert (wire.attempts, dns.asked) == ([], [])


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/",
        f"HTTP://{HOST}:443/",
        f"https://ines:secret@{HOST}/",
        f"https://ines@{HOST}/",
        f"https://{HOST}@127.0.0.1/",
        f"ftp://{HOST}/",
        f"gopher://{HOST}:443/_x",
        f"ws://{HOST}/",
        "file:///etc/passwd",
        "data:text/plain,x",
    ],
)
def test_nothing_but_a_plain_https_address_is_asked(url: str, dns: Dns, wire: Wire) -> None:
    dns.tell(HOST, [PUBLIC])
    with pytest.raises(requests.RequestException):
        ask(url)
    assert (wire.attempts, dns.asked) == ([], [])


@pytest.mark.parametrize(
    "location",
    [
        "https://169.254.169.254/latest/meta-data/",
        "http://169.254.169.254/",
        "https://127.0.0.1:{port}/",
        "//[::1]:{port}/",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(
    location: str, status: int, dns: Dns, wire: Wire, authority: Authority, trap: Trap
) -> None:
    class Redirects(Answer):
        def do_GET(self) -> None:
            self.answer(status, b"over there", Location=location.format(port=trap.port))

    dns.tell(HOST, [PUBLIC])
    with serving(authority.certify(HOST), Redirects) as server:
        wire.lead(PUBLIC, server.server_port)
        response = ask(f"https://{HOST}:{trap.port}/")
    assert (response.status_code, response.text, response.history) == (status, "over there", [])
    assert wire.attempts == [(PUBLIC, trap.port)]
    assert trap.caught() == 0


def test_a_session_that_follows_redirects_still_gets_nowhere(
    dns: Dns, wire: Wire, authority: Authority, trap: Trap
) -> None:
    """The adapter holds by itself, should it ever be mounted elsewhere."""

    class Redirects(Answer):
        def do_GET(self) -> None:
            self.answer(302, Location=f"https://127.0.0.1:{trap.port}/")

    dns.tell(HOST, [PUBLIC])
    with serving(authority.certify(HOST), Redirects) as server, requests.Session() as session:
        wire.lead(PUBLIC, server.server_port)
        session.trust_env = False
        session.verify = str(authority.bundle)
        session.mount("https://", PinnedAdapter(Trail()))
        with pytest.raises(Blocked):
            session.get(f"https://{HOST}:{trap.port}/")
    assert wire.attempts == [(PUBLIC, trap.port)]
    assert trap.caught() == 0


def test_a_proxy_of_the_environment_is_not_used(
    dns: Dns, wire: Wire, authority: Authority, trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    dns.tell(HOST, [PUBLIC])
    with serving(authority.certify(HOST)) as server:
        wire.lead(PUBLIC, server.server_port)
        assert ask(f"https://{HOST}:{trap.port}/").text == "hello"
    assert trap.caught() == 0


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_a_proxy_that_somebody_sets_is_refused(scheme: str, dns: Dns, wire: Wire, trap: Trap) -> None:
    dns.tell(HOST, [PUBLIC])
    with PinnedSession(Trail()) as session, pytest.raises(Blocked):
        session.get(URL, proxies={"https": f"{scheme}://127.0.0.1:{trap.port}"})
    assert wire.attempts == []
    assert trap.caught() == 0


@pytest.mark.parametrize("verify", [False, "", None])
def test_certificates_cannot_go_unchecked(verify: object, dns: Dns, wire: Wire) -> None:
    dns.tell(HOST, [PUBLIC])
    request = requests.Request("GET", URL).prepare()
    with pytest.raises(ValueError, match="always verified"):
        PinnedAdapter(Trail()).send(request, verify=verify)
    assert wire.attempts == []


def test_the_session_knows_no_other_way_out() -> None:
    with PinnedSession(Trail()) as session:
        assert {type(adapter) for adapter in session.adapters.values()} == {PinnedAdapter}
        assert isinstance(session.get_adapter(URL), HTTPAdapter)
