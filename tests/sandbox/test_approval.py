"""A tenant that requires an admin's approval: who is stopped, what comes back, and how an admin approves."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.sandbox.conftest import REDIRECT_URI, WORK_SCOPES, authorize_url, query_of, sign_in
from tests.sandbox.test_signin_msal import App
from tests.sandbox_process import ControlRefused, Sandbox, Stopped, forms

TENANT = "7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
INES, ADA = "ines@quay.example", "ada@quay.example"
INES_AT_HOME = "ines.falk@outlook.example"

pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended:UserWarning")


@pytest.fixture
def strict(sandbox: Sandbox) -> Sandbox:
    """Its people may not agree to calendars themselves."""
    sandbox.control("POST", "settings", json={"approval": "required"})
    return sandbox


def _admin_url(sandbox: Sandbox, tenant: str = "organizations", **changed: str) -> str:
    """The address that an application sends an admin to; an empty value leaves a parameter out."""
    query = {
        "client_id": sandbox.client_id,
        "scope": f"{sandbox.graph_url}/User.Read {sandbox.graph_url}/Calendars.ReadWrite.Shared",
        "redirect_uri": REDIRECT_URI,
        "state": "state-2",
        **changed,
    }
    kept = urlencode({name: value for name, value in query.items() if value})
    return f"{sandbox.login_url}/{tenant}/v2.0/adminconsent?{kept}"


def _post(sandbox: Sandbox, url: str, **fields: str) -> requests.Response:
    with sandbox.session() as http:
        return http.post(url, data=fields, allow_redirects=False, timeout=30)


def _get(sandbox: Sandbox, url: str) -> requests.Response:
    with sandbox.session() as http:
        return http.get(url, allow_redirects=False, timeout=30)


def _granted(sandbox: Sandbox) -> list[str]:
    granted: list[str] = sandbox.control("GET", "consent")["tenant"]
    return granted


def test_a_person_is_stopped_with_nothing_sent_back(strict: Sandbox) -> None:
    page = _get(strict, authorize_url(strict, login_hint=INES))

    assert (page.status_code, page.headers.get("Location")) == (200, None)
    assert "<h1>Need admin approval</h1>" in page.text
    assert "AADSTS90094" in page.text
    assert "only an admin can grant" in page.text
    with pytest.raises(Stopped, match="Need admin approval"):
        strict.sign_in(authorize_url(strict))


def test_nobody_needs_approval_unless_the_tenant_wants_it(sandbox: Sandbox) -> None:
    assert "code" in query_of(sandbox.sign_in(authorize_url(sandbox)))


@pytest.mark.parametrize(
    "scope",
    [
        "Calendars.Read",
        "Calendars.ReadBasic",
        "Calendars.ReadWrite",
        "Calendars.Read.Shared",
        "Calendars.ReadWrite.Shared",
        "Contacts.ReadWrite",
        "Contacts.Read.Shared",
        "Contacts.ReadWrite.Shared",
        "OnlineMeetings.Read",
        "OnlineMeetings.ReadWrite",
        "MailboxSettings.Read",
    ],
)
def test_these_scopes_are_for_admins_to_grant(strict: Sandbox, scope: str) -> None:
    with pytest.raises(Stopped, match="Need admin approval"):
        strict.sign_in(authorize_url(strict, scope=f"openid {scope}"))


def test_other_scopes_are_for_everybody_to_grant(strict: Sandbox) -> None:
    url = authorize_url(strict, scope="openid profile email offline_access User.Read Contacts.Read")

    assert "code" in query_of(strict.sign_in(url))


def test_an_accept_that_no_page_offered_is_none(strict: Sandbox) -> None:
    answer = _post(strict, authorize_url(strict), account=INES, decision="accept")

    assert "Need admin approval" in answer.text
    assert strict.control("GET", "consent")["people"] == {}


def test_a_personal_account_is_its_own_admin(strict: Sandbox) -> None:
    url = authorize_url(strict, "consumers", scope="openid Calendars.Read")

    assert "code" in query_of(strict.sign_in(url, INES_AT_HOME))


def test_what_a_person_agreed_to_before_stays_agreed(sandbox: Sandbox) -> None:
    sandbox.sign_in(authorize_url(sandbox))
    sandbox.control("POST", "settings", json={"approval": "required"})

    assert "code" in query_of(sandbox.sign_in(authorize_url(sandbox)))
    with pytest.raises(Stopped):
        sandbox.sign_in(authorize_url(sandbox, scope=f"{WORK_SCOPES} OnlineMeetings.ReadWrite"))


def test_a_silent_request_needs_interaction_as_before(strict: Sandbox) -> None:
    back = query_of(_get(strict, authorize_url(strict, login_hint=INES, prompt="none")).headers["Location"])

    assert back["error"] == "interaction_required"
    assert back["error_description"].startswith("AADSTS65001: ")


def test_the_way_back_tells_the_application_that_nothing_was_granted(strict: Sandbox) -> None:
    back = query_of(strict.sign_in(authorize_url(strict), accept=False))

    assert (back["error"], back["state"]) == ("access_denied", "state-1")
    assert back["error_description"].startswith("AADSTS65004: ")


def test_the_application_may_be_told_at_once(strict: Sandbox) -> None:
    strict.control("POST", "settings", json={"approval_returns": "redirect"})
    back = query_of(strict.sign_in(authorize_url(strict)))

    assert (back["error"], back["state"]) == ("access_denied", "state-1")
    assert back["error_description"].startswith("AADSTS90094: ")


def test_msal_passes_on_what_the_application_is_told(strict: Sandbox) -> None:
    strict.control("POST", "settings", json={"approval_returns": "redirect"})
    with strict.session() as http:
        result = App(strict, http).sign_in()

    assert result["error"] == "access_denied"
    assert "AADSTS90094" in result["error_description"]


def test_a_workflow_takes_a_request_and_sends_nothing_back(sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"approval": "workflow"})
    url = authorize_url(sandbox, login_hint=INES)
    page = _get(sandbox, url).text
    (form,) = forms(page)

    assert "<h1>Approval required</h1>" in page
    assert "AADSTS90095" in page
    assert form.buttons == [("decision", "request")]
    sent = _post(sandbox, url, account=INES, decision="request", justification="I need my meetings.")
    assert "<h1>Request sent</h1>" in sent.text
    assert (sent.headers.get("Location"), forms(sent.text)) == (None, [])
    with pytest.raises(Stopped, match="Approval required"):
        sandbox.sign_in(url)
    with pytest.raises(Stopped, match="Approval required"):
        sandbox.sign_in(url, accept=False)


def test_a_workflow_may_be_told_to_the_application_at_once(sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"approval": "workflow", "approval_returns": "redirect"})
    back = query_of(sandbox.sign_in(authorize_url(sandbox)))

    assert back["error"] == "access_denied"
    assert back["error_description"].startswith("AADSTS90095: ")


def test_an_admin_agrees_for_themselves(strict: Sandbox) -> None:
    assert "code" in query_of(strict.sign_in(authorize_url(strict), ADA))

    told = strict.control("GET", "consent")
    assert told["tenant"] == []
    assert sorted(WORK_SCOPES.split()) == told["people"][ADA]
    with pytest.raises(Stopped):
        strict.sign_in(authorize_url(strict), INES)


def test_an_admin_agrees_for_everybody_with_a_tick(strict: Sandbox) -> None:
    url = authorize_url(strict, login_hint=ADA)
    (form,) = forms(_get(strict, url).text)
    back = _post(strict, url, account=ADA, for_organization="on", decision="accept").headers["Location"]

    assert form.boxes == [("for_organization", "on")]
    assert "code" in query_of(back)
    told = strict.control("GET", "consent")
    assert (told["tenant"], told["people"]) == (sorted(WORK_SCOPES.split()), {})
    assert "code" in query_of(_get(strict, authorize_url(strict, login_hint=INES)).headers["Location"])


def test_nobody_else_is_offered_to_agree_for_everybody(sandbox: Sandbox) -> None:
    url = authorize_url(sandbox, login_hint=INES)
    (form,) = forms(_get(sandbox, url).text)
    _post(sandbox, url, account=INES, for_organization="on", decision="accept")

    assert form.boxes == []
    assert _granted(sandbox) == []


@pytest.mark.parametrize("tenant", ["organizations", TENANT, "quay.example"])
def test_an_admin_approves(strict: Sandbox, tenant: str) -> None:
    address = strict.consent_as_admin(_admin_url(strict, tenant))

    assert address.startswith(f"{REDIRECT_URI}?")
    assert query_of(address) == {
        "admin_consent": "True",
        "tenant": TENANT,
        "scope": f"{strict.graph_url}/User.Read {strict.graph_url}/Calendars.ReadWrite.Shared",
        "state": "state-2",
    }
    assert _granted(strict) == ["Calendars.ReadWrite.Shared", "User.Read"]


def test_msal_signs_in_whom_an_admin_approved(strict: Sandbox) -> None:
    names = "openid User.Read Calendars.ReadWrite.Shared Contacts.ReadWrite.Shared OnlineMeetings.ReadWrite"
    strict.consent_as_admin(_admin_url(strict, scope=names))
    with strict.session() as http:
        result = App(strict, http).sign_in()

    assert set(result["scope"].split()) == {*names.split(), "profile"}


def test_nobody_of_an_approved_tenant_is_asked_again(strict: Sandbox) -> None:
    strict.consent_as_admin(_admin_url(strict))

    # Not for what comes with every consent either: openid, profile and offline_access.
    assert "code" in query_of(_get(strict, authorize_url(strict, login_hint=INES)).headers["Location"])
    assert "code" in query_of(_get(strict, authorize_url(strict, login_hint=INES, prompt="none")).headers["Location"])


def test_the_code_is_good_for_what_was_asked_for(strict: Sandbox) -> None:
    strict.consent_as_admin(_admin_url(strict, scope="User.Read Calendars.ReadWrite.Shared Contacts.ReadWrite"))

    assert sign_in(strict)["scope"] == "openid profile User.Read Calendars.ReadWrite.Shared"


def test_an_approval_opens_no_personal_account(sandbox: Sandbox) -> None:
    sandbox.consent_as_admin(_admin_url(sandbox, scope="openid User.Read Calendars.Read"))
    url = authorize_url(sandbox, "consumers", scope="openid User.Read Calendars.Read", login_hint=INES_AT_HOME)

    assert "Permissions requested" in _get(sandbox, url).text


def test_a_second_approval_adds_to_the_first(sandbox: Sandbox) -> None:
    sandbox.consent_as_admin(_admin_url(sandbox, scope="Calendars.Read"))
    sandbox.consent_as_admin(_admin_url(sandbox, scope="Contacts.Read"))

    assert _granted(sandbox) == ["Calendars.Read", "Contacts.Read"]


def test_an_admin_grants_a_part(strict: Sandbox) -> None:
    address = strict.consent_as_admin(_admin_url(strict), "partly", ["User.Read"])

    assert query_of(address)["scope"] == f"{strict.graph_url}/User.Read"
    assert _granted(strict) == ["User.Read"]
    with pytest.raises(Stopped, match="Need admin approval"):
        strict.sign_in(authorize_url(strict))


def test_a_part_is_at_least_one(sandbox: Sandbox) -> None:
    with pytest.raises(Stopped, match="Permissions requested"):
        sandbox.consent_as_admin(_admin_url(sandbox), "partly", [])
    assert _granted(sandbox) == []


def test_what_was_not_asked_for_is_not_granted(sandbox: Sandbox) -> None:
    answer = _post(sandbox, _admin_url(sandbox), account=ADA, decision="partly", scope="Contacts.Read")

    assert answer.headers.get("Location") is None
    assert _granted(sandbox) == []


def test_an_admin_declines(sandbox: Sandbox) -> None:
    back = query_of(sandbox.consent_as_admin(_admin_url(sandbox), "cancel"))

    assert back.pop("error_description").startswith("AADSTS65004: ")
    assert back == {
        "error": "access_denied",
        "error_uri": f"{sandbox.login_url}/error?code=65004",
        "admin_consent": "True",
        "state": "state-2",
    }
    assert _granted(sandbox) == []


def test_the_answer_may_leave_the_tenant_out(sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"approval_omits_tenant": True})

    assert set(query_of(sandbox.consent_as_admin(_admin_url(sandbox)))) == {"admin_consent", "scope", "state"}


def test_an_address_with_a_query_keeps_it(sandbox: Sandbox) -> None:
    address = sandbox.consent_as_admin(_admin_url(sandbox, redirect_uri=f"{REDIRECT_URI}?from=it", state=""))

    assert address.startswith(f"{REDIRECT_URI}?from=it&admin_consent=True&")
    assert "state" not in query_of(address)


@pytest.mark.parametrize("decision", ["accept", "partly", "cancel"])
def test_nobody_but_an_admin_decides(sandbox: Sandbox, decision: str) -> None:
    url = _admin_url(sandbox)
    answer = _post(sandbox, url, account=INES, decision=decision, scope="User.Read")

    assert "<h1>Need admin approval</h1>" in answer.text
    assert (answer.headers.get("Location"), forms(answer.text)) == (None, [])
    assert _granted(sandbox) == []
    with pytest.raises(Stopped, match="Need admin approval"):
        sandbox.consent_as_admin(url, email=INES)


def test_a_personal_account_is_at_the_wrong_door(sandbox: Sandbox) -> None:
    answer = _post(sandbox, _admin_url(sandbox), account=INES_AT_HOME, decision="accept")

    assert "You can&#x27;t sign in here with a personal account." in answer.text
    assert _granted(sandbox) == []


@pytest.mark.parametrize("tenant", ["common", "consumers", CONSUMERS, "elsewhere.example"])
def test_a_tenant_without_an_admin_is_refused_on_a_page(sandbox: Sandbox, tenant: str) -> None:
    answer = _get(sandbox, _admin_url(sandbox, tenant))

    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert "AADSTS90002" in answer.text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"client_id": "somebody-else"}, "AADSTS700016"),
        ({"client_id": ""}, "AADSTS900144"),
        ({"redirect_uri": "https://elsewhere.example/back"}, "AADSTS50011"),
        ({"redirect_uri": ""}, "AADSTS50011"),
    ],
)
def test_an_unknown_application_is_told_nothing(sandbox: Sandbox, changed: dict[str, str], said: str) -> None:
    answer = _get(sandbox, _admin_url(sandbox, **changed))

    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert said in answer.text


@pytest.mark.parametrize(
    ("scope", "error", "code"),
    [
        ("User.Read Calendars.Reed", "invalid_client", 650053),
        ("https://graph.microsoft.us/User.Read", "invalid_client", 650053),
        ("", "invalid_request", 900144),
    ],
)
def test_a_scope_that_is_none_goes_back_to_the_application(sandbox: Sandbox, scope: str, error: str, code: int) -> None:
    back = query_of(_get(sandbox, _admin_url(sandbox, scope=scope)).headers["Location"])

    assert (back["error"], back["admin_consent"], back["state"]) == (error, "True", "state-2")
    assert back["error_description"].startswith(f"AADSTS{code}: ")
    assert "tenant" not in back


def test_the_page_says_what_each_permission_means(sandbox: Sandbox) -> None:
    page = _post(sandbox, _admin_url(sandbox), account=ADA).text
    (form,) = forms(page)

    assert "Accept for your organization" in page
    assert "Read and write to your calendars and calendars shared with you" in page
    assert form.boxes == [("scope", "User.Read"), ("scope", "Calendars.ReadWrite.Shared")]
    assert [value for _, value in form.buttons] == ["cancel", "partly", "accept"]


def test_short_names_and_microsofts_own_addresses_are_taken(sandbox: Sandbox) -> None:
    asked = "openid calendars.read https://graph.microsoft.com/User.Read"
    back = query_of(sandbox.consent_as_admin(_admin_url(sandbox, scope=asked)))

    assert back["scope"] == f"openid {sandbox.graph_url}/Calendars.Read {sandbox.graph_url}/User.Read"


def test_it_is_in_the_log(sandbox: Sandbox) -> None:
    sandbox.consent_as_admin(_admin_url(sandbox))

    assert [(one["method"], one["path"], one["status"]) for one in sandbox.log()] == [
        ("GET", "/organizations/v2.0/adminconsent", 200),
        ("POST", "/organizations/v2.0/adminconsent", 200),
        ("POST", "/organizations/v2.0/adminconsent", 302),
    ]


def test_the_tenant_is_approved_from_behind(strict: Sandbox) -> None:
    strict.control("POST", "consent", json={"scopes": ["Calendars.ReadWrite.Shared"], "granted": True})

    assert _granted(strict) == ["Calendars.ReadWrite.Shared"]
    assert strict.control("GET", "consent")["granted_at"].endswith("+00:00")
    assert "code" in query_of(_get(strict, authorize_url(strict, login_hint=INES)).headers["Location"])


def test_all_there_is_can_be_granted_at_once(strict: Sandbox) -> None:
    strict.control("POST", "consent", json={"scopes": None, "granted": True, "domain": "quay.example"})

    assert {"OnlineMeetings.ReadWrite", "MailboxSettings.Read", "email"} <= set(_granted(strict))


def test_a_reset_forgets_what_was_granted(sandbox: Sandbox) -> None:
    sandbox.control("POST", "consent", json={"granted": True})
    sandbox.control("POST", "reset")

    assert sandbox.control("GET", "consent") == {
        "domain": "quay.example",
        "tenant": [],
        "granted_at": None,
        "people": {},
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"granted": "yes"}, 400),
        ({"granted": True, "scopes": "Calendars.Read"}, 400),
        ({"granted": True, "scopes": ["Calendars.Reed"]}, 400),
        ({"granted": False, "people": 0}, 400),
        ({"granted": True, "domain": "elsewhere.example"}, 404),
    ],
)
def test_what_cannot_be_granted_is_said(sandbox: Sandbox, body: dict[str, Any], status: int) -> None:
    with pytest.raises(ControlRefused) as refused:
        sandbox.control("POST", "consent", json=body)
    assert refused.value.status == status


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme=request.param, ignore_https_errors=True
    )
    opened = context.new_page()
    opened.route("http://localhost:8000/**", lambda route: route.fulfill(body="<title>back</title>"))
    yield opened
    context.close()


def _check(page: Page, heading: str) -> None:
    assert page.get_by_role("heading", level=1).inner_text() == heading
    violations: list[Any] = Axe().run(page).response["violations"]
    assert violations == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.needs("chromium")
def test_a_person_is_stopped_and_an_admin_signs_in_instead(page: Page, strict: Sandbox) -> None:
    page.goto(authorize_url(strict, login_hint=INES))
    _check(page, "Need admin approval")

    page.get_by_role("link", name="Have an admin account? Sign in with that account").click()
    page.get_by_role("button", name="Ada Quint").click()
    _check(page, "Permissions requested")

    page.get_by_label("Consent on behalf of your organization").check()
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url("http://localhost:8000/back?code=*")
    assert _granted(strict) == sorted(WORK_SCOPES.split())


@pytest.mark.needs("chromium")
def test_a_person_returns_without_an_approval(page: Page, strict: Sandbox) -> None:
    page.goto(authorize_url(strict, login_hint=INES))
    page.get_by_role("button", name="Return to the application without granting consent").click()

    page.wait_for_url("http://localhost:8000/back?error=access_denied&*")


@pytest.mark.needs("chromium")
def test_a_person_requests_an_approval(page: Page, sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"approval": "workflow"})
    page.goto(authorize_url(sandbox, login_hint=INES))
    _check(page, "Approval required")

    page.get_by_label("Enter justification for requesting this app").fill("I need my meetings.")
    page.get_by_role("button", name="Request approval").click()
    _check(page, "Request sent")


@pytest.mark.needs("chromium")
def test_an_admin_grants_a_part_with_a_browser(page: Page, sandbox: Sandbox) -> None:
    page.goto(_admin_url(sandbox))
    page.get_by_role("button", name="Ada Quint").click()
    _check(page, "Permissions requested")

    page.get_by_role("button", name="Accept some").click()
    assert page.get_by_role("alert").inner_text() == "Choose the permissions that you accept."
    _check(page, "Permissions requested")

    page.get_by_label("User.Read").check()
    page.get_by_role("button", name="Accept some").click()
    page.wait_for_url("http://localhost:8000/back?admin_consent=True&*")
    assert _granted(sandbox) == ["User.Read"]
