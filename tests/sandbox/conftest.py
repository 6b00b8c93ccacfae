"""One sandbox for all its tests, brought back to its first state before each, and people signed in to it."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from tests.sandbox import ews
from tests.sandbox_process import Sandbox

REDIRECT_URI = "http://localhost:8000/back"
WORK_SCOPES = "openid profile offline_access User.Read Calendars.ReadWrite.Shared"


@dataclass(frozen=True)
class SignedIn:
    """A person's tokens, and Graph asked with them."""

    sandbox: Sandbox
    http: requests.Session
    tokens: dict[str, Any]

    def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Ask Graph; ``path`` after /v1.0/, or a whole address."""
        url = path if "://" in path else f"{self.sandbox.graph_url}/v1.0/{path}"
        # Dollar signs stay as they are, as clients send them.
        return self.http.get(url, params=urlencode(query or {}, safe="$/:,+"), headers=dict(headers or {}), timeout=30)

    def view(self, start: str, end: str, *, headers: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """All events of a window."""
        query = {"startDateTime": start, "endDateTime": end, "$top": "1000"}
        response = self.get("me/calendarView", query, headers=headers)
        response.raise_for_status()
        events: list[dict[str, Any]] = response.json()["value"]
        return events


def authorize_url(sandbox: Sandbox, tenant: str = "organizations", **changed: str) -> str:
    """The address that an application sends a person to; an empty value leaves a parameter out."""
    query = {
        "client_id": sandbox.client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "scope": WORK_SCOPES,
        "state": "state-1",
        **changed,
    }
    kept = urlencode({name: value for name, value in query.items() if value})
    return f"{sandbox.pages_url}/{tenant}/oauth2/v2.0/authorize?{kept}"


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def ask_token(sandbox: Sandbox, tenant: str = "organizations", **fields: str) -> requests.Response:
    """One request to the token endpoint, with the right client secret unless told."""
    form = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret, "client_info": "1", **fields}
    kept = {name: value for name, value in form.items() if value}
    with sandbox.session() as http:
        return http.post(f"{sandbox.login_url}/{tenant}/oauth2/v2.0/token", data=kept, timeout=30)


def redeem(sandbox: Sandbox, code: str, tenant: str = "organizations", **fields: str) -> requests.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
    return ask_token(sandbox, tenant, **form | fields)


def sign_in(
    sandbox: Sandbox, email: str = "ines@quay.example", scope: str = WORK_SCOPES, tenant: str = "organizations"
) -> dict[str, Any]:
    """A person's tokens, by way of the pages and PKCE."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    url = authorize_url(sandbox, tenant, scope=scope, code_challenge=challenge, code_challenge_method="S256")
    answer = query_of(sandbox.sign_in(url, email))
    response = redeem(sandbox, answer["code"], tenant, code_verifier=verifier)
    response.raise_for_status()
    tokens: dict[str, Any] = response.json()
    return tokens


@pytest.fixture(scope="session")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    running = Sandbox.start(tmp_path_factory.mktemp("sandbox") / "files")
    yield running
    running.stop()


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.control("POST", "reset")
    return running_sandbox


@pytest.fixture
def signed_in(sandbox: Sandbox) -> Iterator[Callable[..., SignedIn]]:
    """Signs a person in; ``ines = signed_in()``, ``tomas = signed_in("tomas@quay.example")``."""
    sessions: list[requests.Session] = []

    def enter(email: str = "ines@quay.example", scope: str = WORK_SCOPES, tenant: str = "organizations") -> SignedIn:
        tokens = sign_in(sandbox, email, scope, tenant)
        http = sandbox.session()
        http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        sessions.append(http)
        return SignedIn(sandbox, http, tokens)

    yield enter
    for http in sessions:
        http.close()


@pytest.fixture
def ines(signed_in: Callable[..., SignedIn]) -> SignedIn:
    return signed_in()


@pytest.fixture
def exchange(sandbox: Sandbox) -> Iterator[ews.Mailbox]:
    """Ines's mailbox, asked over one connection with Basic."""
    mailbox = ews.basic(sandbox)
    yield mailbox
    mailbox.http.close()
