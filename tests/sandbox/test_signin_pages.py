"""The sign-in service at its edges, in plain HTTP."""

import base64
import json
from pathlib import Path

import jwt
import pytest

from tests.sandbox.conftest import REDIRECT_URI, WORK_SCOPES, ask_token, authorize_url, query_of, redeem, sign_in
from tests.sandbox_process import Sandbox, forms


def _open(sandbox: Sandbox, url: str, method: str = "GET", form: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Status, address to go to, page."""
    with sandbox.session() as http:
        response = http.request(method, url, data=form, allow_redirects=False, timeout=30)
        return response.status_code, response.headers.get("Location", ""), response.text


def test_discovery_names_every_endpoint(sandbox: Sandbox) -> None:
    with sandbox.session() as http:
        document = http.get(f"{sandbox.login_url}/organizations/v2.0/.well-known/openid-configuration").json()

    assert document["authorization_endpoint"] == f"{sandbox.pages_url}/organizations/oauth2/v2.0/authorize"
    assert document["token_endpoint"] == f"{sandbox.login_url}/organizations/oauth2/v2.0/token"
    assert document["issuer"] == sandbox.login_url + "/{tenantid}/v2.0"
    assert document["subject_types_supported"] == ["pairwise"]


@pytest.mark.parametrize("tenant", ["organizations", "common", "quay.example", "7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601"])
def test_the_tenant_has_several_names(sandbox: Sandbox, tenant: str) -> None:
    assert "Pick an account" in _open(sandbox, authorize_url(sandbox, tenant))[2]


@pytest.mark.parametrize(
    ("tenant", "changed", "said"),
    [
        ("organizations", {"client_id": "00000000-0000-0000-0000-000000000000"}, "AADSTS700016"),
        ("organizations", {"redirect_uri": "https://elsewhere.example/back"}, "AADSTS50011"),
        ("organizations", {"redirect_uri": "http://localhost.elsewhere.example/"}, "AADSTS50011"),
        ("elsewhere.example", {}, "AADSTS90002"),
        ("00000000-0000-0000-0000-000000000000", {}, "AADSTS90002"),
    ],
)
def test_what_concerns_nobody_but_the_person_is_a_page(
    sandbox: Sandbox, tenant: str, changed: dict[str, str], said: str
) -> None:
    status, location, page = _open(sandbox, authorize_url(sandbox, tenant, **changed))

    assert (status, location) == (400, "")
    assert said in page


@pytest.mark.parametrize(
    ("changed", "error", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type", 700054),
        ({"scope": "openid Calendars.Reed"}, "invalid_client", 650053),
        ({"scope": ""}, "invalid_request", 900144),
        ({"prompt": "perhaps"}, "invalid_request", 90023),
        ({"code_challenge": "x", "code_challenge_method": "S1"}, "invalid_request", 501491),
        ({"prompt": "none"}, "login_required", 50058),
        ({"prompt": "none", "login_hint": "ines@quay.example"}, "interaction_required", 65001),
    ],
)
def test_what_the_application_must_know_goes_to_its_redirect_uri(
    sandbox: Sandbox, changed: dict[str, str], error: str, code: int
) -> None:
    back = query_of(_open(sandbox, authorize_url(sandbox, **changed))[1])

    assert (back["error"], back["state"]) == (error, "state-1")
    assert back["error_description"].startswith(f"AADSTS{code}: ")


def test_the_consent_page_says_what_each_permission_means(sandbox: Sandbox) -> None:
    url = authorize_url(sandbox, login_hint="ines@quay.example")
    page = _open(sandbox, url)[2]

    assert "Read and write to your calendars and calendars shared with you" in page
    assert all(scope in page for scope in WORK_SCOPES.split())
    assert [name for _, name in forms(page)[0].buttons] == ["cancel", "accept"]


def test_a_hint_is_ignored_when_the_person_shall_choose(sandbox: Sandbox) -> None:
    url = authorize_url(sandbox, login_hint="ines@quay.example", prompt="select_account")

    assert "Pick an account" in _open(sandbox, url)[2]


def test_consent_is_asked_for_once(sandbox: Sandbox) -> None:
    url = authorize_url(sandbox, login_hint="ines@quay.example")
    sandbox.sign_in(url)

    assert query_of(_open(sandbox, url)[1])["code"]
    assert query_of(_open(sandbox, f"{url}&prompt=none")[1])["code"]
    assert "Permissions requested" in _open(sandbox, f"{url}&prompt=consent")[2]
    assert "Permissions requested" in _open(sandbox, f"{url}&scope=Calendars.Read")[2]


def test_names_of_people_are_shown_as_text(sandbox: Sandbox) -> None:
    sandbox.control("PUT", "mailboxes/<b>mia@quay.example", text="BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n")

    assert "<b>mia" not in _open(sandbox, authorize_url(sandbox))[2]


def test_client_info_comes_when_asked_for(sandbox: Sandbox) -> None:
    back = query_of(sandbox.sign_in(authorize_url(sandbox, client_info="1")))
    info = json.loads(base64.urlsafe_b64decode(back["client_info"] + "=="))

    assert info["utid"] == "7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601"
    assert "client_info" not in query_of(sandbox.sign_in(authorize_url(sandbox)))


def test_the_object_id_comes_with_the_profile_scope_only(sandbox: Sandbox) -> None:
    with_profile = sign_in(sandbox)["id_token"]
    without = sign_in(sandbox, scope="openid email User.Read")

    assert "oid" in jwt.decode(with_profile, options={"verify_signature": False})
    claims = jwt.decode(without["id_token"], options={"verify_signature": False})
    assert "oid" not in claims
    assert claims["email"] == "ines@quay.example"
    assert "refresh_token" not in without


def test_scopes_are_answered_by_their_short_names(sandbox: Sandbox) -> None:
    tokens = sign_in(sandbox, scope="openid offline_access https://graph.microsoft.com/calendars.read")

    assert tokens["scope"] == "openid Calendars.Read"


def test_a_refresh_may_ask_for_less_but_not_for_more(sandbox: Sandbox) -> None:
    refresh_token = sign_in(sandbox)["refresh_token"]
    less = ask_token(sandbox, grant_type="refresh_token", refresh_token=refresh_token, scope="User.Read openid")
    more = ask_token(sandbox, grant_type="refresh_token", refresh_token=refresh_token, scope="Calendars.Read")

    assert less.json()["scope"] == "openid profile User.Read"
    assert (more.status_code, more.json()["error_codes"]) == (400, [65001])


@pytest.mark.parametrize(
    ("fields", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": "somebody-else"}, 400, "unauthorized_client", 700016),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"redirect_uri": "http://localhost:8000/other"}, 400, "invalid_client", 500112),
        ({"code": "made up"}, 400, "invalid_grant", 9002313),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": "Calendars.Reed"}, 400, "invalid_scope", 70011),
    ],
)
def test_the_token_endpoint_refuses_in_entras_words(
    sandbox: Sandbox, fields: dict[str, str], status: int, error: str, code: int
) -> None:
    good = query_of(sandbox.sign_in(authorize_url(sandbox)))["code"]
    answer = redeem(sandbox, **{"code": good, **fields})
    body = answer.json()

    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert f"Trace ID: {body['trace_id']}" in body["error_description"]


def test_only_registered_redirect_uris_are_taken_when_there_are_any(tmp_path: Path) -> None:
    own = Sandbox.start(tmp_path / "files", "--redirect-uri", REDIRECT_URI, "--client-id", "an-app")
    try:
        assert "Pick an account" in _open(own, authorize_url(own))[2]
        assert "AADSTS50011" in _open(own, authorize_url(own, redirect_uri=f"{REDIRECT_URI}/"))[2]
    finally:
        own.stop()
