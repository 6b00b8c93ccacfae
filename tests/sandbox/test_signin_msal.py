"""msal, which nobody here wrote, signs people in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.sandbox.conftest import REDIRECT_URI, query_of
from tests.sandbox_process import Sandbox

SCOPES = ["User.Read", "Calendars.ReadWrite.Shared", "Contacts.ReadWrite.Shared", "OnlineMeetings.ReadWrite"]

pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended:UserWarning")


class App:
    """msal with caches of its own, since it remembers an error for a minute."""

    def __init__(self, sandbox: Sandbox, http: requests.Session, credential: Any = None) -> None:
        self.cache = msal.SerializableTokenCache()
        self.msal = msal.ConfidentialClientApplication(
            sandbox.client_id,
            client_credential=credential or sandbox.client_secret,
            authority=f"{sandbox.login_url}/organizations",
            instance_discovery=False,
            token_cache=self.cache,
            http_client=http,
        )
        self.sandbox = sandbox

    def flow(self, **options: Any) -> dict[str, Any]:
        flow: dict[str, Any] = self.msal.initiate_auth_code_flow(SCOPES, redirect_uri=REDIRECT_URI, **options)
        return flow

    def finish(self, flow: dict[str, Any], back: dict[str, str]) -> dict[str, Any]:
        result: dict[str, Any] = self.msal.acquire_token_by_auth_code_flow(flow, back)
        return result

    def sign_in(self, email: str = "ines@quay.example", **options: Any) -> dict[str, Any]:
        flow = self.flow(**options)
        return self.finish(flow, query_of(self.sandbox.sign_in(flow["auth_uri"], email)))

    def refresh(self) -> dict[str, Any]:
        (account,) = self.msal.get_accounts()
        result: dict[str, Any] = self.msal.acquire_token_silent_with_error(
            ["Calendars.ReadWrite.Shared"], account=account, force_refresh=True
        )
        return result


@pytest.fixture
def app(sandbox: Sandbox) -> Any:
    with sandbox.session() as http:
        yield App(sandbox, http)


def test_a_person_signs_in(app: App, sandbox: Sandbox) -> None:
    result = app.sign_in()

    assert set(result["scope"].split()) == {"openid", "profile", *SCOPES}
    assert result["refresh_token"]
    claims = result["id_token_claims"]
    assert (claims["aud"], claims["preferred_username"], claims["ver"]) == (
        sandbox.client_id,
        "ines@quay.example",
        "2.0",
    )
    assert claims["iss"] == f"{sandbox.login_url}/{claims['tid']}/v2.0"
    (account,) = app.msal.get_accounts()
    assert account["home_account_id"] == f"{claims['oid']}.{claims['tid']}"
    assert account["username"] == "ines@quay.example"


def test_the_id_token_is_signed_with_a_published_key(app: App, sandbox: Sandbox) -> None:
    result = app.sign_in()
    with sandbox.session() as http:
        document = http.get(f"{sandbox.login_url}/organizations/v2.0/.well-known/openid-configuration").json()
        (key,) = http.get(document["jwks_uri"]).json()["keys"]

    assert jwt.get_unverified_header(result["id_token"])["kid"] == key["kid"]
    signed = jwt.decode(result["id_token"], jwt.PyJWK(key, "RS256"), algorithms=["RS256"], audience=sandbox.client_id)
    assert signed["nonce"] == result["id_token_claims"]["nonce"]


def test_a_form_post_comes_back_with_the_same_fields(app: App) -> None:
    assert "access_token" in app.sign_in(response_mode="form_post")


def test_the_second_person_is_somebody_else(app: App) -> None:
    first, second = app.sign_in(), app.sign_in("tomas@quay.example")

    assert second["id_token_claims"]["name"] == "Tomas Ruy"
    assert first["id_token_claims"]["sub"] != second["id_token_claims"]["sub"]


def test_silence_is_served_from_the_cache(app: App, sandbox: Sandbox) -> None:
    app.sign_in()
    sandbox.control("DELETE", "log")
    (account,) = app.msal.get_accounts()

    assert app.msal.acquire_token_silent(["Calendars.ReadWrite.Shared"], account=account)["token_source"] == "cache"
    assert sandbox.log() == []


def test_a_refresh_brings_a_new_refresh_token_and_the_old_one_stays_good(app: App) -> None:
    old = app.sign_in()["refresh_token"]

    assert app.refresh()["refresh_token"] != old
    assert "access_token" in app.msal.acquire_token_by_refresh_token(old, scopes=SCOPES)


def test_one_time_refresh_tokens_work_once(app: App, sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"one_time_refresh_tokens": True})
    old = app.sign_in()["refresh_token"]
    app.refresh()

    refused = app.msal.acquire_token_by_refresh_token(old, scopes=SCOPES)

    assert (refused["error"], refused["suberror"], refused["error_codes"]) == ("invalid_grant", "bad_token", [700082])


def test_a_tenant_can_stop_rotating_refresh_tokens(app: App, sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"rotate_refresh_tokens": False})
    app.sign_in()

    assert "refresh_token" not in app.refresh()


@pytest.mark.parametrize(
    ("code", "suberror"),
    [(50173, "bad_token"), (700082, "bad_token"), (50076, "basic_action"), (65001, "consent_required")],
)
def test_a_revoked_refresh_token_is_refused(app: App, sandbox: Sandbox, code: int, suberror: str) -> None:
    app.sign_in()
    sandbox.control("POST", "revoke", json={"email": "ines@quay.example", "code": code})

    refused = app.refresh()

    assert (refused["error"], refused["error_codes"], refused["suberror"]) == ("invalid_grant", [code], suberror)
    assert refused["error_description"].startswith(f"AADSTS{code}: ")
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= set(refused)


def test_signing_in_again_heals_a_revocation(app: App, sandbox: Sandbox) -> None:
    app.sign_in()
    sandbox.control("POST", "revoke", json={"email": "ines@quay.example"})
    app.sign_in()

    assert "access_token" in app.refresh()


def test_a_code_works_once(app: App) -> None:
    flow = app.flow()
    back = query_of(app.sandbox.sign_in(flow["auth_uri"]))
    app.finish(flow, back)

    # A fresh msal, since the first one remembers its answer.
    with app.sandbox.session() as http:
        refused = App(app.sandbox, http).finish(flow, back)

    assert (refused["error"], refused["error_codes"]) == ("invalid_grant", [54005])


def test_a_wrong_verifier_is_refused(app: App) -> None:
    flow = app.flow()
    back = query_of(app.sandbox.sign_in(flow["auth_uri"]))

    refused = app.finish({**flow, "code_verifier": "x" * 43}, back)

    assert (refused["error"], refused["error_codes"]) == ("invalid_grant", [501481])


def test_a_wrong_secret_is_refused(sandbox: Sandbox) -> None:
    with sandbox.session() as http:
        refused = App(sandbox, http, "wrong").sign_in()

    assert (refused["error"], refused["error_codes"]) == ("invalid_client", [7000215])
    assert [entry["status"] for entry in sandbox.log() if entry["path"].endswith("/token")] == [401]


def test_a_secret_that_was_rotated_at_the_tenant_is_refused(app: App, sandbox: Sandbox) -> None:
    app.sign_in()
    sandbox.control("POST", "settings", json={"client_secret": "another"})

    assert app.refresh()["error_codes"] == [7000215]


def test_a_declined_consent_comes_back_as_access_denied(app: App) -> None:
    flow = app.flow()
    back = query_of(app.sandbox.sign_in(flow["auth_uri"], accept=False))

    assert (back["error"], back["state"]) == ("access_denied", flow["state"])
    assert back["error_description"].startswith("AADSTS65004: ")
    assert app.finish(flow, back)["error"] == "access_denied"


def _certificate() -> tuple[str, str]:
    """A private key and its self-signed certificate, as an operator makes them for an application."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an application")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def test_a_registered_certificate_is_accepted_beside_the_secret(tmp_path: Path) -> None:
    key, certificate = _certificate()
    other_key, other_certificate = _certificate()
    (tmp_path / "client.pem").write_text(certificate)
    own = Sandbox.start(tmp_path / "files", "--client-certificate", str(tmp_path / "client.pem"))
    try:
        with own.session() as http:
            good = App(own, http, {"private_key": key, "public_certificate": certificate}).sign_in()
            bad = App(own, http, {"private_key": other_key, "public_certificate": other_certificate}).sign_in()
            secret = App(own, http).sign_in()
    finally:
        own.stop()

    assert "access_token" in good
    assert (bad["error"], bad["error_codes"]) == ("invalid_client", [700027])
    assert "access_token" in secret
