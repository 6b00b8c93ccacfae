"""The log: its two formats, the request's id, and that no library's records carry a secret into it."""

from __future__ import annotations

import base64
import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import msal
import pytest
import requests
import spnego
from django.conf import settings as django_settings
from django.db import connection as database
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from sally import logs
from sally.models import User

CANARY = "CANARY7f3a9c"
QUIET = ["msal", "urllib3", "exchangelib", "requests", "django.db.backends", "spnego"]
JWT = f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.{CANARY}"


class Log:
    """What the handler of the settings writes, at every level."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(formatter)
        self.handler.addFilter(logs.SecretFilter())

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")[:-1]

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def attached(formatter: logging.Formatter) -> Iterator[Log]:
    """At DEBUG, whatever the settings say of single loggers."""
    log = Log(formatter)
    root, noisy = logging.getLogger(), [*QUIET, "django"]
    levels = {name: logging.getLogger(name).level for name in noisy}
    before = root.level
    root.addHandler(log.handler)
    root.setLevel(logging.DEBUG)
    for name in noisy:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield log
    root.removeHandler(log.handler)
    root.setLevel(before)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def log() -> Iterator[Log]:
    yield from attached(logs.JSONFormatter())


@pytest.fixture
def lines() -> Iterator[Log]:
    yield from attached(logs.LineFormatter())


logger = logging.getLogger("tests.logs")


# --- Formats -----------------------------------------------------------------------------------------------------


def test_a_record_is_one_object_with_its_time_in_utc(log: Log) -> None:
    with logs.marked("an-id-of-ours"):
        logs.note_user(5)
        logger.warning("%d meetings of %s", 3, "Ines", extra={"took": 1.5})
    (record,) = log.records()
    assert record.pop("time").endswith("+00:00")
    assert record == {
        "level": "WARNING",
        "logger": "tests.logs",
        "message": "3 meetings of Ines",
        "request_id": "an-id-of-ours",
        "user": "5",
        "took": 1.5,
    }


def test_an_exception_is_named_and_its_traceback_is_there(log: Log) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("it failed")
    (record,) = log.records()
    assert record["exception"] == "ValueError"
    assert record["traceback"].endswith("ValueError: broken")
    assert "test_logs.py" in record["traceback"]


def test_people_get_a_line_and_an_indented_traceback(lines: Log) -> None:
    try:
        raise ValueError("broken\n2026-01-01 00:00:00 INFO sally a forged line")
    except ValueError:
        with logs.marked("12345678"):
            logger.exception("it failed")
    first, *rest = lines.lines
    assert first.endswith("ERROR tests.logs [12345678] it failed")
    assert rest
    assert all(line.startswith("  | ") for line in rest)


BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\x1b\x00"


@pytest.mark.parametrize("name", ["log", "lines"])
def test_nothing_in_a_message_begins_a_line(name: str, request: pytest.FixtureRequest) -> None:
    target: Log = request.getfixturevalue(name)
    logger.warning("a%sb %s", BREAKS, "c\nd", extra={"more": f"x{BREAKS}y"})
    assert len(target.text.splitlines()) == 1
    assert not set(BREAKS) & set(target.text[:-1])


@given(st.text())
def test_nothing_in_any_message_begins_a_line(text: str) -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, text, None, None)
    logs.SecretFilter().filter(record)
    for formatter in (logs.JSONFormatter(), logs.LineFormatter()):
        assert len(f"{formatter.format(record)}.".splitlines()) == 1


def test_arguments_that_do_not_fit_do_not_cost_the_line(log: Log) -> None:
    logger.warning("%d of %d", "three")
    assert log.records()[0]["message"] == "%d of %d"


def test_the_settings_put_the_filter_on_every_handler() -> None:
    config: Any = django_settings.LOGGING
    assert all("secrets" in handler["filters"] for handler in config["handlers"].values())
    assert config["filters"]["secrets"]["()"] == "sally.logs.SecretFilter"
    own = [name for name, one in config["loggers"].items() if not set(one.get("handlers", [])) <= {"console"}]
    assert own == []


# --- Ids ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_answer_tells_the_id_that_the_log_has(log: Log) -> None:
    response = Client().get("/no-such-page/")
    (record,) = [one for one in log.records() if one["message"] == "Not Found: /no-such-page/"]
    assert record["request_id"] == response.headers["X-Request-ID"]


def test_the_log_says_whose_request_it_was(log: Log, alice: User, as_alice: Client) -> None:
    as_alice.get("/no-such-page/")
    Client().get("/no-such-page/")
    users = [one.get("user") for one in log.records() if one["message"] == "Not Found: /no-such-page/"]
    assert users == [str(alice.pk), None]


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["id-of-a-proxy", "x" * 64])
def test_a_proxys_id_is_taken(settings: Settings, given: str) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert Client().get("/sign-in/", headers={"x-request-id": given}).headers["X-Request-ID"] == given


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given", ["short", "x" * 65, "has spaces in it", "id\nforged line", "<script>alert()", "ünïcode-id"]
)
def test_an_id_of_another_form_is_not(settings: Settings, given: str) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert len(Client().get("/sign-in/", headers={"x-request-id": given}).headers["X-Request-ID"]) == 16


@pytest.mark.django_db
def test_without_a_proxy_nobody_chooses_the_id(settings: Settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = None
    ids = {Client().get("/sign-in/", headers={"x-request-id": "chosen-id"}).headers["X-Request-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert "chosen-id" not in ids


def test_an_id_ends_with_what_it_was_for(log: Log) -> None:
    with logs.marked("an-id-of-ours"):
        pass
    logger.warning("later")
    assert "request_id" not in log.records()[0]


# --- Secrets -----------------------------------------------------------------------------------------------------


def test_message_arguments_extra_and_traceback_are_masked(log: Log) -> None:
    try:
        raise ValueError(f"password={CANARY}")
    except ValueError:
        logger.exception(
            "token=%s and %s and %s",
            CANARY,
            {"refresh_token": [CANARY, {"a": CANARY}]},
            [("Authorization", f"Bearer {CANARY}")],
            extra={"code": CANARY, "answer": {"id_token": CANARY}, "text": f"Bearer {CANARY}", "list": [JWT]},
            stack_info=True,
        )
    assert CANARY not in log.text
    assert log.records()[0]["code"] == "[masked]"


def test_a_chained_exceptions_text_is_masked(log: Log) -> None:
    try:
        try:
            raise KeyError(f"client_secret={CANARY}")
        except KeyError as exc:
            raise ValueError("broken") from exc
    except ValueError:
        logger.exception("it failed")
    assert CANARY not in log.text
    assert "KeyError" in log.text


class FakeServer:
    """A transport for msal that answers with secrets, as the real one does."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, url: str, **_: Any) -> Any:
        self.asked.append(url)
        base = "https://login.example/tenant"
        return self._answer(
            {"token_endpoint": f"{base}/token", "authorization_endpoint": f"{base}/authorize", "issuer": base}
        )

    def post(self, url: str, **kwargs: Any) -> Any:
        self.asked.append(url)
        logging.getLogger("requests").debug("POST %s %s", url, kwargs)
        logging.getLogger("urllib3.connectionpool").debug('"POST /token?code=%s HTTP/1.1" 200', CANARY)
        return self._answer({"error": "invalid_grant", "error_description": f"refresh_token={CANARY}"}, 400)

    def close(self) -> None:
        pass

    def _answer(self, body: dict[str, Any], status: int = 200) -> requests.Response:
        response = requests.Response()
        response.status_code, response._content = status, json.dumps(body).encode()
        return response


def test_msal_at_debug_tells_no_secret(log: Log) -> None:
    server = FakeServer()
    app = msal.ConfidentialClientApplication(
        "client-id",
        client_credential=CANARY,
        authority="https://login.example/tenant",
        http_client=server,
        instance_discovery=False,
        validate_authority=False,
    )
    flow = app.initiate_auth_code_flow(["User.Read"], redirect_uri="http://localhost/", state=f"state-{CANARY}")
    flow["code_verifier"] = f"{CANARY}-verifier-that-is-as-long-as-one-has-to-be"
    app.acquire_token_by_auth_code_flow(flow, {"code": f"code-{CANARY}", "state": f"state-{CANARY}"})
    app.acquire_token_by_refresh_token(f"refresh-{CANARY}", ["User.Read"])
    assert [url.rpartition("/")[2] for url in server.asked].count("token") == 2
    assert log.records()
    assert CANARY not in log.text


REPRESENTATIVE: list[tuple[str, str, tuple[Any, ...]]] = [
    (
        "urllib3.connectionpool",
        '%s://%s:%s "%s %s %s" %s %s',
        ("https", "h", 443, "GET", f"/a?code={CANARY}", "HTTP/1.1", 200, 5),
    ),
    ("urllib3.connectionpool", "Redirecting %s -> %s", ("https://h/a", f"https://h/b?access_token={CANARY}&x=1")),
    ("exchangelib.protocol", "Request headers: %s", ({"Authorization": f"Basic {CANARY}", "Cookie": f"a={CANARY}"},)),
    ("exchangelib.util", "Retry: 0\nRequest headers: {'Authorization': 'Bearer %s'}\nRequest XML", (CANARY,)),
    ("msal.token_cache", "event=%s", (json.dumps({"response": {"refresh_token": CANARY, "client_info": CANARY}}),)),
    ("msal.oauth2cli.oauth2", "%s", ({"data": {"client_assertion": CANARY, "code_verifier": CANARY}},)),
    ("requests", "%r", (f"<PreparedRequest [POST] https://h/?client_secret={CANARY}>",)),
    (
        "http.client",
        "send: %r",
        (f"POST / HTTP/1.1\r\nAuthorization: Bearer {CANARY}\r\nCookie: a={CANARY}\r\n\r\n".encode(),),
    ),
    ("django.security.csrf", "Forbidden: %s", (f"csrfmiddlewaretoken={CANARY}",)),
    (
        "gunicorn.error",
        "Error handling request %s",
        (f"/settings/integrations/microsoft/callback/?code={CANARY}&state={CANARY}",),
    ),
]


@pytest.mark.parametrize(("name", "message", "args"), REPRESENTATIVE)
def test_what_libraries_log_tells_no_secret(log: Log, name: str, message: str, args: tuple[Any, ...]) -> None:
    record = logging.LogRecord(name, logging.DEBUG, "", 0, message, args, None)
    log.handler.handle(record)
    assert log.records()[0]["logger"] == name
    assert CANARY not in log.text


def test_messages_of_ntlm_are_tokens_too(log: Log) -> None:
    """pyspnego writes them at DEBUG; from the third one a weak password can be guessed at leisure."""
    context = spnego.client("QUAY\\ines", "pw", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    token = base64.b64encode(context.step() or b"").decode()
    assert any("step output" in one["message"] for one in log.records())
    assert token[:12] not in log.text


@pytest.mark.django_db
def test_sql_at_debug_tells_no_value(log: Log) -> None:
    from django.contrib.sessions.backends.db import SessionStore

    database.force_debug_cursor = True
    try:
        SessionStore(f"session-{CANARY}").exists(f"session-{CANARY}")
        User.objects.create(email=f"{CANARY.lower()}@quay.example", password=CANARY)
    finally:
        database.force_debug_cursor = False
    statements = [one["message"] for one in log.records() if one["logger"] == "django.db.backends"]
    assert any("INSERT INTO" in one for one in statements)
    assert CANARY.lower() not in log.text.lower()


@pytest.mark.parametrize("name", QUIET)
def test_talkative_loggers_stay_quiet_whatever_the_level(name: str) -> None:
    config: Any = django_settings.LOGGING
    assert getattr(logging, config["loggers"][name]["level"]) > logging.DEBUG


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200b", "\ufeff"])
def test_nothing_turns_around_what_one_reads(mark: str) -> None:
    assert mark not in logs.one_line(f"user {mark} signed in")
