"""Logging on to Exchange: names, passwords, NTLM and what it is bound to, accounts that are barred."""

import base64
import stat
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import spnego
from requests_ntlm import HttpNtlmAuth

from tests.sandbox import ews
from tests.sandbox.ews import INES, Answer, Mailbox
from tests.sandbox_process import ControlRefused, Sandbox

NAMES = ["QUAY\\ines", "quay\\INES", "quay.example\\ines", "ines@quay.example", "Ines@Quay.Example"]
NO_NAMES = ["ines", "QUAY\\ines@quay.example", "OTHER\\ines", "QUAY\\nobody", "nobody@quay.example", "QUAY\\in"]
LOCKED = "The referenced account is currently locked out and may not be logged on to."
ASKED = ews.get_folder(ews.ROOT)

LogOn = Callable[..., Answer]


class Misbound(HttpNtlmAuth):
    """Bound to another TLS connection, as somebody in the middle would be."""

    def _get_server_cert(self, response: requests.Response) -> bytes:
        return b"another certificate's fingerprint"


def _ntlm(sandbox: Sandbox, user: str, password: str, auth: Any = HttpNtlmAuth, **options: Any) -> Answer:
    with sandbox.session() as http:
        http.auth = auth(user, password, **options)
        return Mailbox(sandbox, http).post(ASKED)


def _basic(sandbox: Sandbox, user: str, password: str) -> Answer:
    with sandbox.session() as http:
        http.headers["Authorization"] = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        return Mailbox(sandbox, http).post(ASKED)


both = pytest.mark.parametrize("log_on", [_basic, _ntlm])


@pytest.fixture
def through_ntlm(sandbox: Sandbox) -> Iterator[Mailbox]:
    """Ines over one connection that NTLM proves."""
    with sandbox.session() as http:
        http.auth = HttpNtlmAuth("QUAY\\ines", sandbox.exchange_password)
        yield Mailbox(sandbox, http)


def _logged(sandbox: Sandbox) -> list[tuple[int, str, str]]:
    return [(entry["status"], entry["operation"], entry["login"]) for entry in sandbox.log()]


def _offers(answer: Answer) -> list[str]:
    lines: list[str] = answer.response.raw.headers.getlist("WWW-Authenticate")
    return lines


def _anonymous(sandbox: Sandbox, **options: Any) -> Answer:
    with sandbox.session() as http:
        return Mailbox(sandbox, http).post(ASKED, **options)


def _token(message: bytes | None) -> str:
    return base64.b64encode(message or b"").decode()


def _port(connection: Any) -> int:
    port: int = connection.sock.getsockname()[1]
    return port


@both
@pytest.mark.parametrize("user", NAMES)
def test_somebody_logs_on_under_each_of_their_names(sandbox: Sandbox, log_on: LogOn, user: str) -> None:
    answer = log_on(sandbox, user, sandbox.exchange_password)

    assert (answer.response.status_code, answer.codes) == (200, ["NoError"])
    assert _logged(sandbox)[-1] == (200, "GetFolder", "ok")


@both
@pytest.mark.parametrize("user", NO_NAMES)
def test_nobody_logs_on_under_any_other_name(sandbox: Sandbox, log_on: LogOn, user: str) -> None:
    assert log_on(sandbox, user, sandbox.exchange_password).response.status_code == 401
    assert _logged(sandbox)[-1] == (401, "", "refused")


@both
def test_another_mail_domain_is_another_windows_domain(sandbox: Sandbox, log_on: LogOn) -> None:
    sandbox.control("PUT", "mailboxes/ines@harbour.example", text=ews.EMPTY)
    folders = {
        log_on(sandbox, user, sandbox.exchange_password).all(".//t:FolderId")[0].get("Id")
        for user in ("HARBOUR\\ines", "QUAY\\ines", "ines@harbour.example")
    }

    assert len(folders) == 2


def test_nobody_in_particular_is_told_how_to_log_on(sandbox: Sandbox) -> None:
    answer = _anonymous(sandbox)

    assert answer.response.status_code == 401
    assert _offers(answer) == ["Negotiate", "NTLM", 'Basic realm="localhost"']
    assert "Connection" not in answer.response.headers
    assert _logged(sandbox) == [(401, "", "")]


def test_a_wrong_password_is_one_refused_login(sandbox: Sandbox) -> None:
    assert _basic(sandbox, INES, "wrong").response.status_code == 401
    assert _logged(sandbox) == [(401, "", "refused")]


def test_a_wrong_password_through_ntlm_is_one_refused_login(sandbox: Sandbox) -> None:
    answer = _ntlm(sandbox, "QUAY\\ines", "wrong")

    assert (answer.response.status_code, len(_offers(answer))) == (401, 3)
    assert _logged(sandbox) == [(401, "", ""), (401, "", ""), (401, "", "refused")]


def test_ntlm_proves_a_connection_once(through_ntlm: Mailbox) -> None:
    answers = [through_ntlm.ask(ASKED) for _ in range(3)]

    assert _logged(through_ntlm.sandbox) == [
        (401, "", ""),
        (401, "", ""),
        (200, "GetFolder", "ok"),
        (200, "GetFolder", ""),
        (200, "GetFolder", ""),
    ]
    assert {answer.response.headers["Persistent-Auth"] for answer in answers} == {"true"}


def test_basic_proves_each_request(exchange: Mailbox) -> None:
    exchange.ask(ASKED)
    exchange.ask(ASKED)

    assert _logged(exchange.sandbox) == [(200, "GetFolder", "ok")] * 2


def test_one_connection_carries_many_requests(exchange: Mailbox) -> None:
    ports = set()
    for _ in range(3):
        answer = exchange.post(ASKED, stream=True)
        ports.add(_port(answer.response.raw.connection))
        assert answer.response.content

    assert len(ports) == 1


def test_a_proven_connection_proves_no_other_one(through_ntlm: Mailbox) -> None:
    through_ntlm.ask(ASKED)

    assert _anonymous(through_ntlm.sandbox).response.status_code == 401


def test_a_refused_login_ends_what_was_proved(through_ntlm: Mailbox) -> None:
    through_ntlm.ask(ASKED)
    through_ntlm.http.auth = HttpNtlmAuth("QUAY\\ines", "wrong")
    header = {"Authorization": "NTLM TlRMTVNTUAADAAAA"}  # message 3 without a message 1

    assert through_ntlm.post(ASKED, headers=header, auth=lambda request: request).response.status_code == 401
    through_ntlm.http.auth = None
    assert through_ntlm.post(ASKED).response.status_code == 401


def test_ntlm_without_a_channel_binding_is_refused_like_a_wrong_password(sandbox: Sandbox) -> None:
    answer = _ntlm(sandbox, "QUAY\\ines", sandbox.exchange_password, send_cbt=False)

    assert answer.response.status_code == 401
    assert _logged(sandbox)[-1] == (401, "", "refused")


def test_ntlm_bound_to_another_channel_is_refused(sandbox: Sandbox) -> None:
    answer = _ntlm(sandbox, "QUAY\\ines", sandbox.exchange_password, Misbound)

    assert answer.response.status_code == 401


def test_ntlm_with_an_empty_channel_binding_is_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spnego._ntlm.md5", lambda _packed: b"\0" * 16)

    assert _ntlm(sandbox, "QUAY\\ines", sandbox.exchange_password).response.status_code == 401


def test_a_server_without_extended_protection_asks_for_no_binding(sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"exchange_channel_binding": False})

    assert _ntlm(sandbox, "QUAY\\ines", sandbox.exchange_password, send_cbt=False).response.status_code == 200
    assert _ntlm(sandbox, "QUAY\\ines", "wrong", send_cbt=False).response.status_code == 401


@both
@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_locked_account_is_said_to_be_locked(sandbox: Sandbox, log_on: LogOn, password: str | None) -> None:
    sandbox.control("POST", f"exchange/{INES}", json={"state": "locked"})
    answer = log_on(sandbox, INES, password or sandbox.exchange_password)

    assert (answer.response.status_code, LOCKED in answer.response.text) == (401, True)
    assert _logged(sandbox)[-1] == (401, "", "refused")


@both
@pytest.mark.parametrize("state", ["expired", "disabled"])
def test_an_account_that_may_not_be_used_is_refused(sandbox: Sandbox, log_on: LogOn, state: str) -> None:
    sandbox.control("POST", f"exchange/{INES}", json={"state": state})
    assert log_on(sandbox, INES, sandbox.exchange_password).response.status_code == 401

    sandbox.control("POST", f"exchange/{INES}", json={"state": ""})
    assert log_on(sandbox, INES, sandbox.exchange_password).response.status_code == 200


@both
@pytest.mark.parametrize("password", ["new one", "co:lon", "Grüße ⚓"])
def test_a_person_gets_a_password_of_their_own(sandbox: Sandbox, log_on: LogOn, password: str) -> None:
    sandbox.control("POST", f"exchange/{INES}", json={"password": password})

    assert log_on(sandbox, INES, password).response.status_code == 200
    assert log_on(sandbox, INES, sandbox.exchange_password).response.status_code == 401
    assert log_on(sandbox, "QUAY\\tomas", sandbox.exchange_password).response.status_code == 200

    sandbox.control("POST", "reset")
    assert log_on(sandbox, INES, sandbox.exchange_password).response.status_code == 200


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_basic_password_is_written_either_way(sandbox: Sandbox, encoding: str) -> None:
    sandbox.control("POST", f"exchange/{INES}", json={"password": "Grüße"})
    header = base64.b64encode(f"{INES}:Grüße".encode(encoding)).decode()

    assert _anonymous(sandbox, headers={"Authorization": f"Basic {header}"}).response.status_code == 200


@pytest.mark.parametrize("wanted", [{"state": "asleep"}, {"password": ""}, {"password": 1}, {"colour": "red"}])
def test_nonsense_about_an_account_is_refused(sandbox: Sandbox, wanted: dict[str, object]) -> None:
    with pytest.raises(ControlRefused) as refused:
        sandbox.control("POST", f"exchange/{INES}", json=wanted)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "header",
    [
        "Negotiate TlRMTVNTUAABAAAA",
        "Basic",
        "Basic !",
        "NTLM",
        "NTLM !",
        "NTLM TlRMTVNTUAABAAAA",
        "Bearer eyJ",
        "NTLM eA==",
    ],
)
def test_nonsense_is_no_login(sandbox: Sandbox, header: str) -> None:
    answer = _anonymous(sandbox, headers={"Authorization": header})

    assert (answer.response.status_code, len(_offers(answer))) == (401, 3)


def test_what_is_not_offered_is_not_accepted(sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"exchange_offers": "ntlm"})
    answer = _basic(sandbox, INES, sandbox.exchange_password)

    assert (answer.response.status_code, _offers(answer)) == (401, ["NTLM"])
    assert _logged(sandbox) == [(401, "", "")]


def test_a_proxy_may_close_the_connection_at_a_401(sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"exchange_close_on_401": True})
    answer = _basic(sandbox, INES, "wrong")

    assert (answer.response.status_code, answer.response.headers["Connection"]) == (401, "close")
    assert len(_offers(answer)) == 3
    assert _ntlm(sandbox, INES, sandbox.exchange_password).response.status_code == 200


def test_the_log_has_no_password_and_no_file_has_one_in_clear(sandbox: Sandbox) -> None:
    for log_on in (_basic, _ntlm):
        log_on(sandbox, INES, sandbox.exchange_password)
    users = sandbox.directory / "ntlm-users"

    assert sandbox.exchange_password not in str(sandbox.log())
    assert base64.b64encode(f"{INES}:{sandbox.exchange_password}".encode()).decode() not in str(sandbox.log())
    assert sandbox.exchange_password not in users.read_text()
    assert stat.S_IMODE(users.stat().st_mode) == 0o600


@pytest.mark.parametrize("path", ["EWS/Exchange.asmx", "ews/exchange.asmx", "EWS/EXCHANGE.ASMX"])
def test_the_path_is_written_in_any_case(exchange: Mailbox, path: str) -> None:
    url = f"{exchange.sandbox.login_url}/{path}"

    assert exchange.http.post(url, data=ews.envelope(ASKED), timeout=30).status_code == 200


def test_exchange_answers_over_tls_only(exchange: Mailbox) -> None:
    url = f"{exchange.sandbox.pages_url}/EWS/Exchange.asmx"

    assert exchange.http.post(url, data=ews.envelope(ASKED), timeout=30).status_code == 404


def test_exchange_is_asked_by_post(exchange: Mailbox) -> None:
    assert exchange.http.get(exchange.sandbox.exchange_url, timeout=30).status_code == 405
    assert exchange.http.get(exchange.sandbox.exchange_url, auth=("a", "b"), timeout=30).status_code == 401


def test_a_challenge_is_answered_once(sandbox: Sandbox) -> None:
    """Whoever guesses wrong does not get to guess again at the same challenge."""
    sandbox.control("POST", "settings", json={"exchange_channel_binding": False})
    guesses = [
        spnego.client("QUAY\\ines", password, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
        for password in ("wrong", sandbox.exchange_password)
    ]
    first = [_token(guess.step()) for guess in guesses]
    with sandbox.session() as http:
        mailbox = Mailbox(sandbox, http)
        asked = mailbox.post(ASKED, headers={"Authorization": f"NTLM {first[0]}"})
        challenge = base64.b64decode(_offers(asked)[0].removeprefix("NTLM "))
        answers = [
            mailbox.post(ASKED, headers={"Authorization": f"NTLM {_token(guess.step(challenge))}"}) for guess in guesses
        ]

    assert [answer.response.status_code for answer in answers] == [401, 401]
