"""Sign-in and tokens, through the real msal against the sandbox."""

from __future__ import annotations

import base64
import dataclasses
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msal
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.test import Client
from pytest_django import Settings

from integrations import clouds, oauth
from integrations.errors import (
    ApprovalNeeded,
    OperatorProblem,
    PermissionMissing,
    ProviderError,
    RateLimited,
    ReconnectNeeded,
    SignInCancelled,
    Unavailable,
    UnexpectedAnswer,
)
from integrations.models import CalendarConnection
from integrations.providers.microsoft import WORK
from integrations.trail import Trail
from tests.conftest import INES, point_at
from tests.sandbox_process import Sandbox

CALLBACK = "http://testserver/settings/integrations/microsoft/callback/"


def begin(state: str = "state-1", login_hint: str = "") -> dict[str, Any]:
    return WORK.begin(Trail(), redirect_uri=CALLBACK, state=state, login_hint=login_hint)


def answered(sandbox: Sandbox, flow: dict[str, Any], accept: bool = True) -> dict[str, str]:
    back = sandbox.sign_in(flow["auth_uri"], INES, accept)
    return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}


def asked(flow: dict[str, Any]) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(flow["auth_uri"]).query).items()}


def test_the_authorize_request_asks_for_exactly_the_guides_seven_scopes(microsoft: Sandbox) -> None:
    assert set(asked(begin())["scope"].split()) == {
        "offline_access",
        "openid",
        "profile",
        "User.Read",
        "Calendars.ReadWrite.Shared",
        "Contacts.ReadWrite.Shared",
        "OnlineMeetings.ReadWrite",
    }


def test_the_authorize_request_is_bound_by_state_pkce_and_nonce(microsoft: Sandbox) -> None:
    first, second = asked(begin("one")), asked(begin("two"))
    assert first["state"] == "one"
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == CALLBACK
    assert first["response_type"] == "code"
    assert first["code_challenge"] != second["code_challenge"]
    assert first["nonce"] != second["nonce"]


def test_a_first_sign_in_offers_the_choice_of_account_and_a_reconnect_names_it(microsoft: Sandbox) -> None:
    assert asked(begin())["prompt"] == "select_account"
    hinted = asked(begin(login_hint=INES))
    assert hinted["login_hint"] == INES
    assert "prompt" not in hinted


def test_signing_in_tells_who_it_was(microsoft: Sandbox) -> None:
    flow = begin()
    account = WORK.finish(Trail(), flow, answered(microsoft, flow))
    assert (account.email, account.name) == (INES, "Ines Falk")
    uid, _, utid = account.account_id.partition(".")
    assert len(uid) == len(utid) == 36
    assert "Calendars.ReadWrite.Shared" in account.scopes
    assert account.secret["cache"] not in repr(account)


def test_a_declined_consent_is_the_persons_own_decision(microsoft: Sandbox) -> None:
    flow = begin()
    with pytest.raises(SignInCancelled) as caught:
        WORK.finish(Trail(), flow, answered(microsoft, flow, accept=False))
    assert caught.value.code == "AADSTS65004"


def test_a_grant_without_the_calendar_is_refused(microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = begin()
    account = oauth.finish(flow, answered(microsoft, flow), authority="organizations", trail=Trail())
    without = dataclasses.replace(account, scopes=("User.Read", "openid"))
    monkeypatch.setattr(oauth, "finish", lambda *_, **__: without)
    with pytest.raises(PermissionMissing):
        WORK.finish(Trail(), flow, {})


def test_a_code_works_once(microsoft: Sandbox) -> None:
    flow = begin()
    answer = answered(microsoft, flow)
    WORK.finish(Trail(), flow, answer)
    with pytest.raises(ReconnectNeeded) as caught:
        WORK.finish(Trail(), flow, answer)
    assert caught.value.code == "AADSTS54005"


def test_a_code_is_worth_nothing_without_its_own_verifier(microsoft: Sandbox) -> None:
    flow = begin()
    answer = answered(microsoft, flow)
    with pytest.raises(ReconnectNeeded):
        WORK.finish(Trail(), flow | {"code_verifier": "x" * 43}, answer)


def test_an_id_token_with_another_nonce_is_refused(microsoft: Sandbox) -> None:
    flow = begin()
    with pytest.raises(UnexpectedAnswer) as caught:
        WORK.finish(Trail(), flow | {"nonce": "another"}, answered(microsoft, flow))
    assert caught.value.code == "NONCE"


def test_a_wrong_client_secret_is_the_operators_problem(microsoft: Sandbox, settings: Settings) -> None:
    flow = begin()
    answer = answered(microsoft, flow)
    settings.MICROSOFT_CLIENT_SECRET = "expired"
    with pytest.raises(OperatorProblem) as caught:
        WORK.finish(Trail(), flow, answer)
    assert caught.value.code == "AADSTS7000215"


def test_without_a_client_id_the_operator_has_to_act(microsoft: Sandbox, settings: Settings) -> None:
    settings.MICROSOFT_CLIENT_ID = ""
    with pytest.raises(OperatorProblem):
        begin()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aud", "another-app"),
        ("iss", "https://evil.example/tenant/v2.0"),
        ("tid", "00000000-0000-0000-0000-000000000000"),
        ("exp", 1),
        ("exp", None),
        ("tid", None),
    ],
)
def test_the_id_tokens_claims_are_checked_for_msal_does_not(
    microsoft: Sandbox, settings: Settings, name: str, value: object
) -> None:
    tenant = "3f8d8a6c-2f9c-4f0e-9d53-6f0a3c9a7e11"
    info = base64.urlsafe_b64encode(json.dumps({"uid": "u", "utid": tenant}).encode()).decode().rstrip("=")
    good = {
        "aud": settings.MICROSOFT_CLIENT_ID,
        "iss": f"{settings.MICROSOFT_LOGIN_URL}/{tenant}/v2.0",
        "tid": tenant,
        "exp": int(time.time()) + 600,
    }
    oauth._account_id({"client_info": info}, oauth._checked_claims({"id_token_claims": good}))
    with pytest.raises(UnexpectedAnswer):
        oauth._account_id({"client_info": info}, oauth._checked_claims({"id_token_claims": good | {name: value}}))


def test_a_guest_is_refused_for_the_calendar_lives_at_home(settings: Settings) -> None:
    info = base64.urlsafe_b64encode(b'{"uid": "u", "utid": "home"}').decode().rstrip("=")
    with pytest.raises(UnexpectedAnswer) as caught:
        oauth._account_id({"client_info": info}, {"tid": "elsewhere"})
    assert caught.value.code == "GUEST"


@pytest.mark.parametrize("info", ["", "e30", "!!!", "bnVsbA"])
def test_without_the_account_nothing_is_connected(info: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        oauth._account_id({"client_info": info}, {"tid": "home"})


@pytest.mark.parametrize(
    ("scope", "short"),
    [
        ("https://graph.microsoft.com/Calendars.Read", "Calendars.Read"),
        ("https://microsoftgraph.chinacloudapi.cn/Calendars.ReadWrite.Shared", "Calendars.ReadWrite.Shared"),
        ("User.Read", "User.Read"),
    ],
)
def test_scopes_are_kept_by_their_short_names(scope: str, short: str) -> None:
    assert clouds.short_name(scope) == short


ANSWERS: list[tuple[dict[str, Any], type[ProviderError], str]] = [
    ({"error": "invalid_grant", "error_description": "AADSTS700082: expired"}, ReconnectNeeded, "AADSTS700082"),
    ({"error": "invalid_grant", "error_description": "AADSTS50173: revoked"}, ReconnectNeeded, "AADSTS50173"),
    ({"error": "interaction_required", "error_description": "AADSTS50076: MFA"}, ReconnectNeeded, "AADSTS50076"),
    ({"error": "invalid_grant", "suberror": "consent_required", "error_description": "AADSTS65001: no"},
     ApprovalNeeded, "AADSTS65001"),
    ({"error": "access_denied", "error_description": "AADSTS65004: declined"}, SignInCancelled, "AADSTS65004"),
    ({"error": "access_denied", "error_description": "AADSTS90094: admin"}, ApprovalNeeded, "AADSTS90094"),
    ({"error": "access_denied", "error_description": "AADSTS53003: blocked"}, ReconnectNeeded, "AADSTS53003"),
    ({"error": "invalid_grant", "error_description": "AADSTS53000: device"}, ReconnectNeeded, "AADSTS53000"),
    ({"error": "consent_required"}, ApprovalNeeded, "APPROVAL"),
    ({"error": "invalid_client", "error_description": "AADSTS7000222: expired"}, OperatorProblem, "AADSTS7000222"),
    ({"error": "unauthorized_client", "error_description": "AADSTS700016: app"}, OperatorProblem, "AADSTS700016"),
    ({"error": "temporarily_unavailable"}, Unavailable, "NET-1"),
    ({"error": "server_error"}, Unavailable, "NET-1"),
    ({"error": "too_many_requests"}, RateLimited, "RATE"),
    ({"error": "something_new", "error_description": "<script>"}, UnexpectedAnswer, "SOMETHING_NEW"),
    ({"error": "<b>x</b>" * 50}, UnexpectedAnswer, "UNREADABLE"),
    ({"error": "line\nbreak"}, UnexpectedAnswer, "UNREADABLE"),
    ({}, UnexpectedAnswer, "ANSWER"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "error", "code"), ANSWERS)
def test_entras_errors_become_what_happens_next(answer: dict[str, Any], error: type[ProviderError], code: str) -> None:
    found = oauth._refused(answer)
    assert (type(found), found.code) == (error, code)


class TestTokens:
    @pytest.fixture
    def saved(self) -> list[str]:
        return []

    @pytest.fixture
    def tokens(self, ines: CalendarConnection, saved: list[str]) -> oauth.Tokens:
        return self.open(ines, saved.append)

    @staticmethod
    def open(connection: CalendarConnection, save: Callable[[str], None]) -> oauth.Tokens:
        from integrations.http import Session

        return oauth.Tokens(
            connection.secret.payload["cache"],
            connection.granted_scopes,
            save,
            authority="organizations",
            session=Session(Trail()),
        )

    @staticmethod
    def token_requests(sandbox: Sandbox) -> int:
        return sum(entry["path"].endswith("/token") for entry in sandbox.log())

    def test_a_fresh_token_is_used_without_asking(
        self, microsoft: Sandbox, tokens: oauth.Tokens, saved: list[str]
    ) -> None:
        microsoft.control("DELETE", "log")
        assert tokens.access_token() == tokens.access_token()
        assert self.token_requests(microsoft) == 0
        assert saved == []

    def test_an_expired_token_is_renewed_and_the_rotated_refresh_token_saved_at_once(
        self, microsoft: Sandbox, as_alice: Client, saved: list[str]
    ) -> None:
        from tests.conftest import connect

        microsoft.control("POST", "settings", json={"access_token_seconds": 60, "one_time_refresh_tokens": True})
        connection = connect(as_alice, microsoft)
        old = refresh_token(connection.secret.payload["cache"])
        self.open(connection, saved.append).access_token()
        assert len(saved) == 1
        assert refresh_token(saved[0]) != old

    def test_with_one_time_refresh_tokens_renewal_after_renewal_works(
        self, microsoft: Sandbox, as_alice: Client
    ) -> None:
        from integrations.providers import open_calendar
        from tests.conftest import connect
        from tests.contracts import WINDOW

        microsoft.control("POST", "settings", json={"access_token_seconds": 60, "one_time_refresh_tokens": True})
        connection = connect(as_alice, microsoft)
        for _ in range(3):
            open_calendar(CalendarConnection.objects.get(pk=connection.pk)).events(WINDOW)

    def test_a_revoked_grant_means_reconnect(self, microsoft: Sandbox, tokens: oauth.Tokens) -> None:
        microsoft.control("POST", "revoke", json={"email": INES, "code": 50173, "access_tokens": True})
        with pytest.raises(ReconnectNeeded) as caught:
            tokens.access_token(renew=True)
        assert caught.value.code == "AADSTS50173"

    def test_a_refusal_is_asked_for_again_not_remembered(self, microsoft: Sandbox, tokens: oauth.Tokens) -> None:
        """msal's own cache would answer the old refusal for a minute."""
        body = '{"error": "invalid_grant", "error_description": "AADSTS50173"}'
        microsoft.control("POST", "faults", json={"path": "/token", "status": 400, "body": body})
        with pytest.raises(ReconnectNeeded):
            tokens.access_token(renew=True)
        assert tokens.access_token(renew=True)

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"status": 503, "body": "<html>"}, Unavailable),
            ({"status": 429, "headers": {"Retry-After": "9"}, "body": "{}"}, RateLimited),
            ({"status": 200, "body": "<html>hotel</html>"}, Unavailable),
            ({"status": None, "cut": 50}, Unavailable),
        ],
    )
    def test_a_sign_in_service_in_trouble_is_temporary(
        self, microsoft: Sandbox, tokens: oauth.Tokens, fault: dict[str, Any], error: type[ProviderError]
    ) -> None:
        microsoft.control("POST", "faults", json={"path": "/token", **fault})
        with pytest.raises(error):
            tokens.access_token(renew=True)

    def test_discovery_is_asked_for_once(self, microsoft: Sandbox, tokens: oauth.Tokens) -> None:
        oauth._discovered.clear()
        microsoft.control("DELETE", "log")
        tokens.access_token(renew=True)
        tokens.access_token(renew=True)
        assert sum("openid-configuration" in entry["path"] for entry in microsoft.log()) == 1

    def test_a_failing_discovery_is_not_remembered(self, microsoft: Sandbox, tokens: oauth.Tokens) -> None:
        oauth._discovered.clear()
        microsoft.control("POST", "faults", json={"path": "openid-configuration", "status": 404, "body": "{}"})
        with pytest.raises(Unavailable):
            tokens.access_token(renew=True)
        assert tokens.access_token(renew=True)

    def test_repr_shows_no_token(self, tokens: oauth.Tokens) -> None:
        assert tokens.access_token() not in repr(tokens)


def refresh_token(cache: str) -> str:
    (entry,) = json.loads(cache)["RefreshToken"].values()
    return str(entry["secret"])


def test_a_certificate_stands_in_for_the_secret(
    tmp_path: Path, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sally")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "public.pem").write_bytes(public)
    (tmp_path / "both.pem").write_bytes(private + public)
    sandbox = Sandbox.start(
        tmp_path_factory.mktemp("certificate"), "--https-port", "0", "--http-port", "0",
        "--client-certificate", str(tmp_path / "public.pem"),
    )  # fmt: skip
    try:
        point_at(sandbox, settings)
        settings.MICROSOFT_CLIENT_SECRET = ""
        settings.MICROSOFT_CLIENT_CERTIFICATE = str(tmp_path / "both.pem")
        flow = begin()
        assert WORK.finish(Trail(), flow, answered(sandbox, flow)).email == INES
    finally:
        sandbox.stop()


@pytest.mark.parametrize(
    "content", [b"", b"no certificate", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_broken_certificate_is_the_operators_problem(
    microsoft: Sandbox, settings: Settings, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "both.pem").write_bytes(content)
    settings.MICROSOFT_CLIENT_CERTIFICATE = str(tmp_path / "both.pem")
    with pytest.raises(OperatorProblem) as caught:
        begin()
    assert caught.value.code == "OPERATOR-1"


def test_msal_still_raises_what_we_translate() -> None:
    """``oauth._translated`` names msal's base error; a new version that drops it must be noticed."""
    assert issubclass(msal.exceptions.MsalServiceError, msal.exceptions.MsalError)
