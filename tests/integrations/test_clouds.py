"""Microsoft's clouds: how permissions are named in each, that tokens are found again, and which doors there are."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from integrations import clouds, oauth, problems
from integrations.errors import WrongDoor
from integrations.http import Session
from integrations.models import CalendarConnection
from integrations.trail import Trail
from sally.models import User
from tests.conftest import INES, INES_AT_HOME, connect, sign_in_at_microsoft
from tests.integrations.test_doors import pressed
from tests.integrations.test_views import said
from tests.sandbox_process import Sandbox

BASE = "/settings/integrations/"
NATIONAL = ["us-gov", "us-dod", "china"]


# --- How permissions are named -----------------------------------------------------------------------------------


def test_in_the_global_cloud_permissions_have_their_short_names(as_alice: Client, microsoft: Sandbox) -> None:
    assert sorted(pressed(as_alice, "microsoft-work")["scope"].split()) == [
        "Calendars.ReadWrite.Shared",
        "Contacts.ReadWrite.Shared",
        "OnlineMeetings.ReadWrite",
        "User.Read",
        "offline_access",
        "openid",
        "profile",
    ]


@pytest.mark.parametrize("cloud", NATIONAL)
def test_elsewhere_they_have_the_address_of_the_graph_in_use(
    as_alice: Client, microsoft: Sandbox, settings: Settings, cloud: str
) -> None:
    settings.MICROSOFT_CLOUD, settings.MICROSOFT_GRAPH_URL = cloud, "https://dod-graph.microsoft.us"
    assert sorted(pressed(as_alice, "microsoft-work")["scope"].split()) == [
        "https://dod-graph.microsoft.us/Calendars.ReadWrite.Shared",
        "https://dod-graph.microsoft.us/Contacts.ReadWrite.Shared",
        "https://dod-graph.microsoft.us/OnlineMeetings.ReadWrite",
        "https://dod-graph.microsoft.us/User.Read",
        "offline_access",
        "openid",
        "profile",
    ]


def test_an_admin_is_asked_with_full_names_in_every_cloud(settings: Settings) -> None:
    names = ["offline_access", "openid", "profile", "email", "Calendars.Read"]
    reserved = ["offline_access", "openid", "profile", "email"]
    assert clouds.full_names(names) == [*reserved, "https://graph.microsoft.com/Calendars.Read"]
    settings.MICROSOFT_GRAPH_URL = "https://microsoftgraph.chinacloudapi.cn"
    assert clouds.full_names(names) == [*reserved, "https://microsoftgraph.chinacloudapi.cn/Calendars.Read"]


def test_a_connection_made_with_full_names_keeps_the_short_ones(
    as_alice: Client, microsoft: Sandbox, settings: Settings
) -> None:
    settings.MICROSOFT_CLOUD = "us-gov"
    assert connect(as_alice, microsoft).granted_scopes == [
        "Calendars.ReadWrite.Shared",
        "Contacts.ReadWrite.Shared",
        "OnlineMeetings.ReadWrite",
        "User.Read",
        "offline_access",
        "openid",
        "profile",
    ]


# --- A token is found again, however Entra names what it is good for ----------------------------------------------


class Entra:
    """Watches what is sent to the token endpoint, and lets it answer with full names or short ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[set[str]] = []
        self.full = False
        real = oauth._Transport.post

        def post(transport: Any, url: str, **kwargs: Any) -> Any:
            self.asked.append(set(kwargs["data"]["scope"].split()))
            response = real(transport, url, **kwargs)
            answer = response.json()
            if self.full and "scope" in answer:
                answer["scope"] = " ".join(map(self._named, answer["scope"].split()))
                response._content = json.dumps(answer).encode()
            return response

        monkeypatch.setattr(oauth._Transport, "post", post)

    @staticmethod
    def _named(name: str) -> str:
        return f"https://graph.microsoft.us/{name}" if "." in name else name


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Entra:
    return Entra(monkeypatch)


def opened(connection: CalendarConnection) -> Callable[..., str]:
    """As every sync does: from what is stored."""
    connection = CalendarConnection.objects.get(pk=connection.pk)
    return oauth.Tokens(
        connection.secret.payload["cache"],
        connection.granted_scopes,
        lambda cache: connection.secret.keep({"cache": cache}),
        authority="organizations",
        session=Session(Trail()),
    ).access_token


@pytest.mark.parametrize("cloud", ["global", "us-gov"])
@pytest.mark.parametrize("first", [False, True], ids=["first short", "first full"])
@pytest.mark.parametrize("later", [False, True], ids=["later short", "later full"])
def test_two_access_tokens_cost_one_request(
    as_alice: Client, microsoft: Sandbox, settings: Settings, entra: Entra, cloud: str, first: bool, later: bool
) -> None:
    settings.MICROSOFT_CLOUD = cloud
    entra.full = first
    microsoft.control("POST", "settings", json={"access_token_seconds": 60})  # too short to be used at all
    connection = connect(as_alice, microsoft)
    assert "Calendars.ReadWrite.Shared" in connection.granted_scopes
    microsoft.control("POST", "settings", json={"access_token_seconds": 3599})
    # An answer in the other form must not be missed beside the token that it replaces.
    entra.full = later
    entra.asked.clear()
    assert opened(connection)() == opened(connection)()
    assert len(entra.asked) == 1


def test_a_renewal_asks_only_for_what_was_granted(
    as_alice: Client, ines: CalendarConnection, settings: Settings, entra: Entra
) -> None:
    settings.MICROSOFT_SCOPES = "minimal"
    opened(ines)(renew=True)
    assert entra.asked == [{"Calendars.ReadWrite.Shared", "openid", "profile", "offline_access"}]


def test_offline_access_counts_as_granted_when_a_refresh_token_came(
    as_alice: Client, microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer's scope names it."""
    assert "offline_access" in connect(as_alice, microsoft).granted_scopes
    real = oauth._Transport.post

    def without(transport: Any, url: str, **kwargs: Any) -> Any:
        response = real(transport, url, **kwargs)
        answer = response.json()
        answer.pop("refresh_token", None)
        response._content = json.dumps(answer).encode()
        return response

    monkeypatch.setattr(oauth._Transport, "post", without)
    assert "offline_access" not in connect(as_alice, microsoft).granted_scopes


# --- Which doors there are ---------------------------------------------------------------------------------------


def tiles(client: Client) -> list[str]:
    return re.findall(r'id="tile-([\w-]+)"', client.get(f"{BASE}add/").content.decode())


def test_the_global_cloud_has_three_tiles(as_alice: Client) -> None:
    assert tiles(as_alice) == ["microsoft-work", "microsoft-personal", "exchange"]


@pytest.mark.parametrize("cloud", NATIONAL)
class TestWithoutPersonalAccounts:
    @pytest.fixture(autouse=True)
    def national(self, settings: Settings, cloud: str) -> None:
        settings.MICROSOFT_CLOUD = cloud

    def test_their_tile_is_not_there(self, as_alice: Client, cloud: str) -> None:
        assert tiles(as_alice) == ["microsoft-work", "exchange"]

    def test_their_door_is_not_found(self, as_alice: Client, microsoft: Sandbox, cloud: str) -> None:
        assert as_alice.post(f"{BASE}connect/microsoft-personal/").status_code == 404
        assert as_alice.post(f"{BASE}connect/microsoft-work/").status_code == 302

    @pytest.mark.parametrize("how", ["open", "redirect"])
    def test_whoever_comes_with_one_is_not_sent_to_a_tile_that_is_not_there(
        self, as_alice: Client, microsoft: Sandbox, cloud: str, how: str
    ) -> None:
        microsoft.control("POST", "settings", json={"wrong_door": how})
        response = as_alice.get(sign_in_at_microsoft(as_alice, microsoft, INES_AT_HOME))
        code = {"open": "DOOR-2", "redirect": "AADSTS500200"}[how]
        assert said(response) == (
            "This is a personal Microsoft account, and Sally reads calendars of organizations only here. Nothing was "
            f"connected; use the account of your organization. {code}"
        )
        page = as_alice.get(f"{BASE}add/").content.decode()
        assert "tile-microsoft-personal" not in page
        assert "account_hint" not in as_alice.session

    @pytest.mark.parametrize("number", [50020, 500200, 500208])
    def test_a_connection_of_the_wrong_kind_is_not_sent_there_either(
        self, as_alice: Client, alice: User, cloud: str, number: int
    ) -> None:
        connection = CalendarConnection.objects.create(
            owner=alice, provider="microsoft-work", account_id="u.t", account_email=INES, status="needs_attention",
            last_error=f"AADSTS{number}", last_error_kind="WrongDoor",
        )  # fmt: skip
        page = as_alice.get(BASE).content.decode()
        assert "Sally reads calendars of organizations only here" in page
        assert "#tile-" not in page
        as_alice.get(f"{BASE}add/?from={connection.pk}")
        assert "account_hint" not in as_alice.session

    @pytest.mark.parametrize(
        ("kind", "code"), [("ReconnectNeeded", "AADSTS50173"), ("PermissionMissing", "X"), ("Temporary", "NET-1")]
    )
    def test_a_connection_made_before_has_no_button_that_leads_nowhere(
        self, as_alice: Client, alice: User, cloud: str, kind: str, code: str
    ) -> None:
        CalendarConnection.objects.create(
            owner=alice, provider="microsoft-personal", account_id="u.t", account_email=INES_AT_HOME,
            status="needs_attention", last_error=code, last_error_kind=kind, failures=3,
        )  # fmt: skip
        page = html.unescape(as_alice.get(BASE).content.decode())
        assert "Disconnect it, and connect the account of your organization" in page
        assert "connect/microsoft-personal/" not in page


@pytest.mark.parametrize("cloud", ["global", *NATIONAL])
def test_no_problem_leads_to_a_tile_that_is_not_there(as_alice: Client, settings: Settings, cloud: str) -> None:
    settings.MICROSOFT_CLOUD = cloud
    there = set(tiles(as_alice))
    met = set()
    for row in (*problems.ROWS, *problems.EXCHANGE_ROWS):
        for code in (row.code, *(f"AADSTS{number}" for number in row.numbers)):
            for at in ("", *there):
                found = [
                    problems.of_connection(row.kind.__name__, code, at),
                    problems.of_sign_in(row.kind(code=code), at),
                ]
                met |= {one.tile for one in found}
                if cloud != "global":
                    assert not [one for one in found if "tile for personal accounts" in str(one.text)]
    assert met - {""} <= there
    assert len(met) > 2


def test_an_address_is_not_kept_for_a_tile_that_is_not_there(as_alice: Client, settings: Settings) -> None:
    settings.MICROSOFT_CLOUD = "china"
    assert problems.of_sign_in(WrongDoor(code="DOOR-2", account=INES_AT_HOME), "microsoft-work").tile == ""


def test_permissions_are_taken_back_where_microsoft_documents_it(
    as_alice: Client, ines: CalendarConnection, settings: Settings
) -> None:
    def links() -> list[str]:
        page = as_alice.get(f"{BASE}{ines.pk}/disconnect/").content.decode()
        return re.findall(r'href="(https://[^"]+)"', page)

    assert links() == ["https://myapps.microsoft.com"]
    settings.MICROSOFT_CLOUD = "us-gov"
    assert links() == []
