"""Personal accounts: their own tenant, their own tokens, and the doors that are not theirs."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import msal
import pytest
import requests

from tests.sandbox.conftest import (
    REDIRECT_URI,
    WORK_SCOPES,
    SignedIn,
    ask_token,
    authorize_url,
    query_of,
    sign_in,
)
from tests.sandbox_process import ControlRefused, Sandbox

INES, INES_AT_WORK = "ines.falk@outlook.example", "ines@quay.example"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
SIX = ["User.Read", "Calendars.ReadWrite", "Contacts.ReadWrite", "email"]
PERSONAL_SCOPES = "openid email offline_access User.Read Calendars.ReadWrite Contacts.ReadWrite"
EMPTY = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nEND:VCALENDAR\r\n"
ONE = EMPTY.replace(
    "END:",
    "BEGIN:VEVENT\r\nUID:one@outlook.example\r\nDTSTART:20270504T170000Z\r\nDTEND:20270504T180000Z\r\n"
    "SUMMARY:Choir\r\nEND:VEVENT\r\nEND:",
)
WINDOW = ("2027-05-01T00:00:00Z", "2027-05-31T00:00:00Z")

pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended:UserWarning")


class App:
    """msal at one of the authorities, with caches of its own."""

    def __init__(self, sandbox: Sandbox, http: requests.Session, tenant: str) -> None:
        self.sandbox = sandbox
        self.msal = msal.ConfidentialClientApplication(
            sandbox.client_id,
            client_credential=sandbox.client_secret,
            authority=f"{sandbox.login_url}/{tenant}",
            instance_discovery=False,
            http_client=http,
            exclude_scopes=["profile"],
        )

    def sign_in(self, email: str = INES, scopes: list[str] | None = None) -> dict[str, Any]:
        flow = self.msal.initiate_auth_code_flow(scopes or SIX, redirect_uri=REDIRECT_URI)
        back = query_of(self.sandbox.sign_in(flow["auth_uri"], email))
        result: dict[str, Any] = self.msal.acquire_token_by_auth_code_flow(flow, back)
        return result

    def silent(self, scopes: list[str], **options: Any) -> dict[str, Any]:
        (account,) = self.msal.get_accounts()
        result: dict[str, Any] = self.msal.acquire_token_silent_with_error(scopes, account=account, **options)
        return result


@pytest.fixture
def app(sandbox: Sandbox) -> Iterator[Callable[..., App]]:
    with sandbox.session() as http:
        yield lambda tenant="consumers": App(sandbox, http, tenant)


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.mark.parametrize("tenant", ["consumers", CONSUMERS])
def test_discovery_names_the_tenant_of_personal_accounts(sandbox: Sandbox, tenant: str) -> None:
    with sandbox.session() as http:
        document = http.get(f"{sandbox.login_url}/{tenant}/v2.0/.well-known/openid-configuration").json()

    assert document["issuer"] == f"{sandbox.login_url}/{CONSUMERS}/v2.0"
    assert document["token_endpoint"] == f"{sandbox.login_url}/{tenant}/oauth2/v2.0/token"


@pytest.mark.parametrize("tenant", ["consumers", CONSUMERS, "common"])
def test_a_personal_account_signs_in(app: Callable[..., App], sandbox: Sandbox, tenant: str) -> None:
    made = app(tenant)
    result = made.sign_in()

    claims = result["id_token_claims"]
    assert (claims["tid"], claims["iss"]) == (CONSUMERS, f"{sandbox.login_url}/{CONSUMERS}/v2.0")
    assert claims["email"] == INES
    assert not {"oid", "name", "preferred_username"} & set(claims)
    (account,) = made.msal.get_accounts()
    assert re.fullmatch(rf"00000000-0000-0000-[0-9a-f]{{4}}-[0-9a-f]{{12}}\.{CONSUMERS}", account["home_account_id"])


def test_its_access_token_cannot_be_read(app: Callable[..., App]) -> None:
    token = app().sign_in()["access_token"]

    assert token.startswith("EwB")
    with pytest.raises(jwt.DecodeError):
        _claims(token)


def test_its_name_and_object_id_come_with_the_profile_scope(sandbox: Sandbox) -> None:
    tokens = sign_in(sandbox, INES, f"{PERSONAL_SCOPES} profile", "consumers")
    info = json.loads(base64.urlsafe_b64decode(tokens["client_info"] + "=="))

    claims = _claims(tokens["id_token"])
    assert (claims["name"], claims["preferred_username"]) == ("Ines F.", INES)
    assert info == {"uid": claims["oid"], "utid": CONSUMERS}


def test_what_it_cannot_give_is_left_out_without_a_word(app: Callable[..., App], sandbox: Sandbox) -> None:
    asked = ["User.Read", "Calendars.ReadWrite.Shared", "Contacts.ReadWrite.Shared", "OnlineMeetings.ReadWrite"]
    made = app()
    assert set(made.sign_in(scopes=asked)["scope"].split()) == {"openid", "User.Read"}

    sandbox.control("DELETE", "log")
    for _ in range(2):
        made.silent(["Calendars.ReadWrite.Shared"])
    # The trap: a token that lacks what is asked for is asked for anew each time.
    assert [entry["path"] for entry in sandbox.log()] == ["/consumers/oauth2/v2.0/token"] * 2


def test_a_token_without_a_calendar_scope_opens_no_calendar(signed_in: Callable[..., SignedIn]) -> None:
    ines = signed_in(INES, WORK_SCOPES, "consumers")

    assert ines.get("me").status_code == 200
    assert ines.get("me/calendar").status_code == 403


def test_silence_is_served_from_the_cache_and_a_refresh_works(app: Callable[..., App], sandbox: Sandbox) -> None:
    made = app()
    first = made.sign_in()
    sandbox.control("DELETE", "log")

    assert made.silent(["Calendars.ReadWrite"])["token_source"] == "cache"
    assert sandbox.log() == []
    renewed = made.silent(["Calendars.ReadWrite"], force_refresh=True)
    assert renewed["access_token"].startswith("EwB")
    assert renewed["refresh_token"] != first["refresh_token"]


def test_all_that_was_revoked_is_refused_with_one_number(app: Callable[..., App], sandbox: Sandbox) -> None:
    made = app()
    made.sign_in()
    sandbox.control("POST", "revoke", json={"email": INES})

    refused = made.silent(["Calendars.ReadWrite"], force_refresh=True)
    assert (refused["error"], refused["error_codes"], refused.get("suberror")) == ("invalid_grant", [70000], None)


def test_an_event_of_a_personal_mailbox_has_more_than_graph_declares(signed_in: Callable[..., SignedIn]) -> None:
    at_home, at_work = signed_in(INES, PERSONAL_SCOPES, "consumers"), signed_in()
    for email in (INES, INES_AT_WORK):
        at_home.sandbox.control("PUT", f"mailboxes/{email}", text=ONE)

    ((event,), (other,)) = (person.view(*WINDOW) for person in (at_home, at_work))

    assert set(event) - set(other) == {"IsRoomRequested", "AutoRoomBookingStatus", "uid"}
    assert event["uid"] == event["iCalUId"]
    assert event["webLink"].startswith("https://outlook.live.com/owa/?itemid=")
    assert other["webLink"].startswith("https://outlook.office365.com/owa/?itemid=")


def test_only_what_was_selected_comes_of_a_personal_mailbox_too(signed_in: Callable[..., SignedIn]) -> None:
    ines = signed_in(INES, PERSONAL_SCOPES, "consumers")
    query = {"startDateTime": WINDOW[0], "endDateTime": WINDOW[1], "$select": "subject"}
    ines.sandbox.control("PUT", f"mailboxes/{INES}", text=ONE)

    (event,) = ines.get("me/calendarView", query).json()["value"]
    assert set(event) == {"@odata.etag", "id", "subject"}


def test_its_built_in_calendar_has_meetings_with_and_without_links(signed_in: Callable[..., SignedIn]) -> None:
    ines = signed_in(INES, PERSONAL_SCOPES, "consumers")
    events = ines.view("2020-01-01T00:00:00Z", "2024-12-01T00:00:00Z")
    assert events == []

    events = [event for event in _around_today(ines) if event["subject"] != "Choir"]
    assert {"private", "normal"} == {event["sensitivity"] for event in events}
    urls = [event["onlineMeeting"]["joinUrl"] for event in events if event["onlineMeeting"]]
    assert urls
    assert all(url.startswith("https://teams.live.com/meet/") for url in urls)


def _around_today(person: SignedIn) -> list[dict[str, Any]]:
    text: str = person.sandbox.control("GET", f"mailboxes/{INES}")
    days = sorted(re.findall(r"DTSTART[^:]*:(\d{4})(\d\d)(\d\d)", text))
    first, last = ("-".join(days[0]), "-".join(days[-1]))
    return person.view(f"{first}T00:00:00Z", f"{last}T23:59:59Z")


def test_its_profile_has_the_short_id(signed_in: Callable[..., SignedIn]) -> None:
    me = signed_in(INES, PERSONAL_SCOPES, "consumers").get("me").json()

    assert (me["mail"], me["id"]) == (INES, "3c5b7a1f20d4e933")


# -- which address is which kind ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("mia@outlook.example", "consumers"),
        ("mia@hotmail.example", "consumers"),
        ("mia@live.example", "consumers"),
        ("mia@elsewhere.example?kind=personal", "consumers"),
        ("mia@elsewhere.example", "organizations"),
        ("mia@outlook.example?kind=work", "organizations"),
    ],
)
def test_an_unknown_address_becomes_what_it_looks_like_or_is_said_to_be(sandbox: Sandbox, path: str, door: str) -> None:
    sandbox.control("PUT", f"mailboxes/{path}", text=EMPTY)

    assert "access_token" in sign_in(sandbox, path.partition("?")[0], PERSONAL_SCOPES, door)


def test_there_is_no_third_kind(sandbox: Sandbox) -> None:
    with pytest.raises(ControlRefused) as refused:
        sandbox.control("PUT", "mailboxes/mia@outlook.example?kind=pet", text=EMPTY)
    assert refused.value.status == 400


# -- the wrong door -------------------------------------------------------------------------------------------------

DOORS = [
    ("organizations", INES, "You can&#x27;t sign in here with a personal account.", 500200),
    ("7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601", INES, "You can&#x27;t sign in here with a personal account.", 500200),
    ("consumers", INES_AT_WORK, "That Microsoft account doesn&#x27;t exist.", 50020),
]


@pytest.mark.parametrize(("tenant", "email", "said", "code"), DOORS)
def test_at_the_wrong_door_microsoft_keeps_the_person(
    sandbox: Sandbox, tenant: str, email: str, said: str, code: int
) -> None:
    with sandbox.session() as http:
        answer = http.post(authorize_url(sandbox, tenant), data={"account": email}, allow_redirects=False)
        hinted = http.get(authorize_url(sandbox, tenant, login_hint=email), allow_redirects=False)

    for page in (answer, hinted):
        assert page.status_code == 200
        assert said in page.text
        assert "Pick an account" in page.text


@pytest.mark.parametrize(("tenant", "email", "said", "code"), DOORS)
def test_the_application_can_be_told_of_the_wrong_door(
    sandbox: Sandbox, tenant: str, email: str, said: str, code: int
) -> None:
    sandbox.control("POST", "settings", json={"wrong_door": "redirect"})
    back = query_of(sandbox.sign_in(authorize_url(sandbox, tenant), email))

    assert (back["error"], back["state"]) == ("access_denied", "state-1")
    assert back["error_description"].startswith(f"AADSTS{code}: User account '{email}' ")


def test_the_wrong_door_can_stand_open(sandbox: Sandbox) -> None:
    sandbox.control("POST", "settings", json={"wrong_door": "open"})

    at_work = sign_in(sandbox, INES, PERSONAL_SCOPES, "organizations")
    at_home = sign_in(sandbox, INES_AT_WORK, PERSONAL_SCOPES, "consumers")
    assert _claims(at_work["id_token"])["tid"] == CONSUMERS
    assert _claims(at_home["id_token"])["tid"] == "7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601"


@pytest.mark.parametrize("email", [INES, INES_AT_WORK])
def test_common_takes_both(sandbox: Sandbox, email: str) -> None:
    assert "access_token" in sign_in(sandbox, email, PERSONAL_SCOPES, "common")


def test_nobody_signs_in_silently_at_the_wrong_door(sandbox: Sandbox) -> None:
    sandbox.sign_in(authorize_url(sandbox, "consumers", scope="openid User.Read"), INES)
    url = authorize_url(sandbox, scope="openid User.Read", prompt="none", login_hint=INES)
    with sandbox.session() as http:
        back = query_of(http.get(url, allow_redirects=False).headers["Location"])

    assert back["error"] == "login_required"


def test_a_refresh_asks_for_less_at_the_door_of_personal_accounts(sandbox: Sandbox) -> None:
    token = sign_in(sandbox, INES, PERSONAL_SCOPES, "consumers")["refresh_token"]
    less = ask_token(sandbox, "consumers", grant_type="refresh_token", refresh_token=token, scope="User.Read openid")

    assert less.json()["scope"] == "openid email User.Read"
