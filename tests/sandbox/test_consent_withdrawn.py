"""Less than was agreed to: consent that is taken back, tokens that carry fewer scopes, calendars that stay closed."""

from collections.abc import Callable
from typing import Any

import jwt
import msal
import pytest

from tests.sandbox.conftest import SignedIn, ask_token, authorize_url, query_of, sign_in
from tests.sandbox.test_signin_msal import App
from tests.sandbox_process import Sandbox, Stopped

INES, TOMAS = "ines@quay.example", "tomas@quay.example"
INES_AT_HOME = "ines.falk@outlook.example"
WINDOW = {"startDateTime": "2027-05-01T00:00:00Z", "endDateTime": "2027-05-31T00:00:00Z"}
SHARED = "openid offline_access User.Read Calendars.ReadWrite.Shared"

pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended:UserWarning")


@pytest.fixture
def app(sandbox: Sandbox) -> Any:
    with sandbox.session() as http:
        yield App(sandbox, http)


def _refresh(sandbox: Sandbox, tokens: dict[str, Any], scope: str = "", tenant: str = "organizations") -> Any:
    token = tokens["refresh_token"]
    return ask_token(sandbox, tenant, grant_type="refresh_token", refresh_token=token, scope=scope).json()


def _take_back(sandbox: Sandbox, **body: Any) -> None:
    sandbox.control("POST", "consent", json={"granted": False, **body})


def test_msal_is_told_that_consent_was_taken_back(app: App, sandbox: Sandbox) -> None:
    app.sign_in()
    _take_back(sandbox)

    refused = app.refresh()
    assert (refused["error"], refused["suberror"], refused["error_codes"]) == (
        "invalid_grant",
        "consent_required",
        [65001],
    )
    assert refused["error_description"].startswith("AADSTS65001: ")


def test_it_is_taken_back_from_everybody_of_the_tenant(sandbox: Sandbox) -> None:
    sandbox.control("POST", "consent", json={"granted": True})
    ines, tomas = sign_in(sandbox, INES), sign_in(sandbox, TOMAS)
    _take_back(sandbox)

    assert [_refresh(sandbox, one)["error_codes"] for one in (ines, tomas)] == [[65001], [65001]]
    told = sandbox.control("GET", "consent")
    assert (told["tenant"], told["people"]) == ([], {})


def test_a_token_that_names_no_scope_is_refused_as_well(sandbox: Sandbox) -> None:
    tokens = sign_in(sandbox)
    _take_back(sandbox)

    assert _refresh(sandbox, tokens)["suberror"] == "consent_required"
    assert _refresh(sandbox, tokens, "openid offline_access")["suberror"] == "consent_required"


def test_what_people_granted_themselves_may_stay(sandbox: Sandbox) -> None:
    ines = sign_in(sandbox, INES)
    sandbox.control("POST", "consent", json={"granted": True})
    tomas = sign_in(sandbox, TOMAS)
    _take_back(sandbox, people=False)

    assert "access_token" in _refresh(sandbox, ines)
    assert _refresh(sandbox, tomas)["error_codes"] == [65001]


def test_an_access_token_that_is_out_lives_on(ines: SignedIn) -> None:
    _take_back(ines.sandbox)

    assert ines.get("me/calendarView", WINDOW).status_code == 200


def test_personal_accounts_are_not_the_tenants(sandbox: Sandbox) -> None:
    tokens = sign_in(sandbox, INES_AT_HOME, "openid offline_access Calendars.Read", "consumers")
    _take_back(sandbox)

    assert "access_token" in _refresh(sandbox, tokens, tenant="consumers")


def test_a_part_is_taken_back(sandbox: Sandbox) -> None:
    tokens = sign_in(sandbox, scope="openid offline_access User.Read Calendars.Read")
    _take_back(sandbox, scopes=["Calendars.Read"])

    assert _refresh(sandbox, tokens, "Calendars.Read")["error_codes"] == [65001]
    assert _refresh(sandbox, tokens, "User.Read")["scope"] == "openid User.Read"
    assert _refresh(sandbox, tokens)["scope"] == "openid User.Read"


def test_signing_in_asks_again_and_heals(app: App, sandbox: Sandbox) -> None:
    app.sign_in()
    _take_back(sandbox)
    back = sandbox.sign_in(authorize_url(sandbox, login_hint=INES, prompt="none"))
    assert query_of(back)["error"] == "interaction_required"

    app.sign_in()
    assert "access_token" in app.refresh()


def test_a_strict_tenant_that_takes_back_stops_people(sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"approval": "required"})
    sandbox.control("POST", "consent", json={"granted": True})
    sign_in(sandbox)
    _take_back(sandbox)

    with pytest.raises(Stopped, match="Need admin approval"):
        sign_in(sandbox)


def test_another_approval_brings_the_token_back(sandbox: Sandbox) -> None:
    sandbox.control("POST", "consent", json={"granted": True})
    tokens = sign_in(sandbox)
    _take_back(sandbox)
    assert _refresh(sandbox, tokens)["error"] == "invalid_grant"
    sandbox.control("POST", "consent", json={"granted": True})

    assert "access_token" in _refresh(sandbox, tokens)


def test_msal_gets_less_than_it_asked_for(app: App, sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"grants_only": "User.Read OnlineMeetings.ReadWrite"})
    result = app.sign_in()

    assert set(result["scope"].split()) == {"openid", "profile", "User.Read", "OnlineMeetings.ReadWrite"}
    assert result["refresh_token"]
    # And at every renewal, without a word.
    assert set(app.refresh()["scope"].split()) == {"openid", "profile"}


def test_the_token_opens_no_more_than_its_answer_says(sandbox: Sandbox, signed_in: Callable[..., SignedIn]) -> None:
    sandbox.control("POST", "settings", json={"grants_only": "User.Read"})
    ines = signed_in()

    assert ines.get("me").status_code == 200
    assert ines.get("me/calendarView", WINDOW).status_code == 403
    assert jwt.decode(ines.tokens["access_token"], options={"verify_signature": False})["scp"] == (
        "openid profile User.Read"
    )


def test_the_address_is_never_cut(sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"grants_only": "Calendars.Read"})
    tokens = sign_in(sandbox, scope="openid profile email offline_access User.Read Calendars.Read")

    assert tokens["scope"] == "openid profile email Calendars.Read"


@pytest.fixture
def closed(sandbox: Sandbox) -> Sandbox:
    sandbox.control("POST", "settings", json={"shared_opens_own": False})
    return sandbox


@pytest.mark.parametrize("scope", ["Calendars.ReadWrite.Shared", "Calendars.Read.Shared"])
@pytest.mark.parametrize("path", ["me/calendarView", "me/calendarView/delta()", "me/events/AAMk", "me/calendars"])
def test_shared_does_not_open_ones_own(
    closed: Sandbox, signed_in: Callable[..., SignedIn], scope: str, path: str
) -> None:
    answer = signed_in(scope=f"openid User.Read {scope}").get(path, WINDOW)

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "ErrorAccessDenied"
    assert answer.json()["error"]["message"] == "Access is denied. Check credentials and try again."


def test_nor_does_it_in_a_batch(closed: Sandbox, signed_in: Callable[..., SignedIn]) -> None:
    ines = signed_in(scope=SHARED)
    steps = [{"id": "1", "method": "GET", "url": "/me/events/AAMk"}]
    batch = ines.http.post(f"{closed.graph_url}/v1.0/$batch", json={"requests": steps}, timeout=30).json()

    (answer,) = batch["responses"]
    assert (answer["status"], answer["body"]["error"]["code"]) == (403, "ErrorAccessDenied")


def test_a_scope_for_ones_own_opens_it(closed: Sandbox, signed_in: Callable[..., SignedIn]) -> None:
    ines = signed_in(scope=f"{SHARED} Calendars.Read")

    assert ines.get("me/calendarView", WINDOW).status_code == 200


def test_shared_opens_ones_own_unless_told(signed_in: Callable[..., SignedIn]) -> None:
    assert signed_in(scope=SHARED).get("me/calendarView", WINDOW).status_code == 200


@pytest.mark.parametrize("cloud", ["https://graph.microsoft.us", "https://microsoftgraph.chinacloudapi.cn"])
def test_another_clouds_scope_is_unknown(sandbox: Sandbox, cloud: str) -> None:
    back = query_of(sandbox.sign_in(authorize_url(sandbox, scope=f"openid {cloud}/Calendars.Read")))

    assert back["error_description"].startswith("AADSTS650053: ")


def test_full_names_are_answered_by_short_ones(sandbox: Sandbox) -> None:
    name = f"{sandbox.graph_url}/Calendars.Read"
    tokens = sign_in(sandbox, scope=f"openid offline_access {name}")

    assert tokens["scope"] == "openid Calendars.Read"
    assert _refresh(sandbox, tokens, name)["scope"] == "openid Calendars.Read"


def _msal(sandbox: Sandbox, http: Any) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        sandbox.client_id,
        client_credential=sandbox.client_secret,
        authority=f"{sandbox.login_url}/organizations",
        instance_discovery=False,
        http_client=http,
    )


def test_full_names_may_be_answered_by_full_ones(sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"full_scope_names": True})
    asked = [f"{sandbox.graph_url}/Calendars.Read", f"{sandbox.graph_url}/User.Read"]
    with sandbox.session() as http:
        app = _msal(sandbox, http)
        flow = app.initiate_auth_code_flow(asked, redirect_uri="http://localhost:8000/back")
        result = app.acquire_token_by_auth_code_flow(flow, query_of(sandbox.sign_in(flow["auth_uri"])))
        (account,) = app.get_accounts()
        silent = app.acquire_token_silent(asked, account=account)

    assert set(result["scope"].split()) == {"openid", "profile", *asked}
    # The cache is hit by the names that were answered.
    assert silent["token_source"] == "cache"
    carried = jwt.decode(result["access_token"], options={"verify_signature": False})["scp"]
    assert set(carried.split()) == {"openid", "profile", "Calendars.Read", "User.Read"}


def test_short_names_are_answered_by_short_ones_all_the_same(app: App, sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"full_scope_names": True})

    assert "Calendars.ReadWrite.Shared" in app.sign_in()["scope"].split()
