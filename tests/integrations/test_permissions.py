"""The permissions: what is asked for is what the page says, what was granted is shown, and minimal is enough."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from pytest_django import DjangoAssertNumQueries, Settings

from calendars.models import Meeting
from integrations import oauth, permissions
from integrations.models import CalendarConnection, ConnectionSecret
from integrations.providers.exchange import library
from integrations.providers.exchange.library import Operation
from sally.models import User
from tests.calendars.test_failures import graph, sync_now
from tests.conftest import INES, INES_AT_HOME, PERSONAL, connect, connect_exchange, sign_in_at_microsoft
from tests.integrations.test_doors import pressed
from tests.sandbox_process import Sandbox

PAGE = "/settings/integrations/permissions/"
WORK = "microsoft-work"
GUIDE = {
    WORK: [
        "offline_access",
        "openid",
        "profile",
        "User.Read",
        "Calendars.ReadWrite.Shared",
        "Contacts.ReadWrite.Shared",
        "OnlineMeetings.ReadWrite",
    ],
    PERSONAL: ["email", "offline_access", "openid", "User.Read", "Calendars.ReadWrite", "Contacts.ReadWrite"],
}
MINIMAL = {
    WORK: ["offline_access", "openid", "profile", "Calendars.Read"],
    PERSONAL: ["email", "offline_access", "openid", "Calendars.Read"],
}
ASKED = {"guide": GUIDE, "minimal": MINIMAL}


def shown(client: Client) -> str:
    response = client.get(PAGE)
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def part(page: str, id: str) -> str:
    found = re.search(rf'<section [^>]*(?:id|aria-labelledby)="{id}".*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def rows(page: str, tile: str) -> list[list[str]]:
    """The table's cells, as a person reads them."""
    table = re.findall(r"<tr[^>]*>(.*?)</tr>", part(page, f"asked-{tile}"), re.DOTALL)[1:]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in table]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in cells]


def granted(page: str) -> dict[str, list[str]]:
    """What stands under each heading of the (only) calendar's, as names."""
    groups = re.findall(r"<dt>(.*?)</dt>(.*?)</div>", part(page, "yours"), re.DOTALL)
    return {heading: re.findall(r"<code>(.*?)</code>", text) for heading, text in groups}


GRANTED, LACKING, EXTRA = (
    "Granted when you last signed in",
    "Asked for, but not granted",
    "Granted, though Sally does not ask for it (any more)",
)


# --- The page is what Microsoft is asked --------------------------------------------------------------------------


@pytest.mark.parametrize("scopes", ["guide", "minimal"])
@pytest.mark.parametrize(("cloud", "tile"), [("global", WORK), ("global", PERSONAL), ("us-gov", WORK)])
def test_the_page_equals_the_authorize_request(
    as_alice: Client, microsoft: Sandbox, settings: Settings, scopes: str, cloud: str, tile: str
) -> None:
    settings.MICROSOFT_SCOPES, settings.MICROSOFT_CLOUD = scopes, cloud
    asked = [scope.rpartition("/")[2] for scope in pressed(as_alice, tile)["scope"].split()]
    table = [row[0] for row in rows(shown(as_alice), tile)]
    assert table == ASKED[scopes][tile]
    assert sorted(asked) == sorted(table)


@pytest.mark.parametrize("scopes", ["guide", "minimal"])
def test_where_there_are_no_personal_accounts_the_page_has_none(
    as_alice: Client, microsoft: Sandbox, settings: Settings, scopes: str
) -> None:
    settings.MICROSOFT_SCOPES, settings.MICROSOFT_CLOUD = scopes, "us-gov"
    page = shown(as_alice)
    assert re.findall(r'id="asked-([\w-]+)"', page) == [WORK, "exchange"]
    assert "Personal Microsoft Account" not in page
    assert as_alice.post(f"/settings/integrations/connect/{PERSONAL}/").status_code == 404


@pytest.mark.parametrize("scopes", ["guide", "minimal"])
def test_every_permission_says_what_microsoft_allows_and_what_sally_does(
    as_alice: Client, settings: Settings, scopes: str
) -> None:
    settings.MICROSOFT_SCOPES = scopes
    page = shown(as_alice)
    for tile in (WORK, PERSONAL):
        for name, kind, allows, use in rows(page, tile):
            assert kind == "Delegated"
            assert len(allows) > 30, name
            assert len(use) > 30, name
            assert allows != use


def test_what_is_never_used_says_so(as_alice: Client) -> None:
    unused = {row[0] for tile in (WORK, PERSONAL) for row in rows(shown(as_alice), tile) if "Not used" in row[3]}
    assert unused == {
        "User.Read",
        "Contacts.ReadWrite.Shared",
        "Contacts.ReadWrite",
        "OnlineMeetings.ReadWrite",
    }


def test_and_it_is_never_used_indeed(as_alice: Client, microsoft: Sandbox) -> None:
    """In the life of a connection Graph is asked for the calendar and for nothing else."""
    connection = connect(as_alice, microsoft)
    microsoft.control("DELETE", "log")
    sync_now(connection)
    paths = {str(entry["path"]).partition("?")[0] for entry in microsoft.log()}
    asked = {path for path in paths if path.startswith("/v1.0/")}
    assert "/v1.0/me/calendarView" in asked
    assert {re.sub(r"^(/v1\.0/me/events)/.+", r"\1", path) for path in asked} <= {
        "/v1.0/me/calendarView",
        "/v1.0/me/events",
        "/v1.0/$batch",
    }


def test_an_exchange_server_has_no_permissions_and_the_operations_are_named(as_alice: Client) -> None:
    section = part(shown(as_alice), "asked-exchange")
    assert "<table" not in section
    assert "everything in your mailbox" in section
    sent = {one.SERVICE_NAME for one in vars(library).values() if isinstance(one, type) and issubclass(one, Operation)}
    for operation in sent - {None}:
        assert operation in section


# --- The three sentences ------------------------------------------------------------------------------------------


def test_it_says_how_often_sally_reads_by_herself_and_when_she_stops(as_alice: Client, settings: Settings) -> None:
    settings.SYNC_EVERY, settings.DORMANT_DAYS = 7, 45
    page = shown(as_alice)
    assert "She also reads on schedule, every 7 minutes, even while you are not signed in." in page
    assert "She stops when you disconnect the calendar, or when you have not signed in to Sally for 45 days." in page
    settings.SYNC_EVERY = 1
    assert "on schedule, every minute, even" in shown(as_alice)


def test_it_says_that_sally_only_reads_and_cannot_write(as_alice: Client) -> None:
    page = shown(as_alice)
    assert "Sally reads only to set up and keep the connection, and to list your meetings." in page
    assert "there is no code in her that writes to a calendar" in page
    for sentence in permissions.NEVER:
        with translation.override("en"):
            assert str(sentence) in page


def test_permissions_are_taken_back_at_microsoft(as_alice: Client, settings: Settings) -> None:
    def links() -> list[str]:
        return re.findall(r'href="(https://[^"]+)"', shown(as_alice))

    assert links() == ["https://myapps.microsoft.com", "https://account.live.com/consent/Manage"]
    settings.MICROSOFT_CLOUD = "china"
    assert links() == []


# --- What was granted ---------------------------------------------------------------------------------------------


def test_all_that_was_granted_is_shown_and_nothing_is_missing(as_alice: Client, ines: CalendarConnection) -> None:
    assert granted(shown(as_alice)) == {GRANTED: GUIDE[WORK], LACKING: []}


def partly(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Entra lets the sign-in through and grants these alone, as its answer says."""
    real = oauth._Transport.post

    def post(transport: Any, url: str, **kwargs: Any) -> Any:
        response = real(transport, url, **kwargs)
        response._content = json.dumps(response.json() | {"scope": " ".join(names)}).encode()
        return response

    monkeypatch.setattr(oauth._Transport, "post", post)


def test_what_is_missing_and_not_needed_says_so(
    as_alice: Client, microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    partly(monkeypatch, "openid", "profile", "Calendars.ReadWrite.Shared")
    connect(as_alice, microsoft)
    page = shown(as_alice)
    assert granted(page) == {
        GRANTED: ["offline_access", "openid", "profile", "Calendars.ReadWrite.Shared"],
        LACKING: ["User.Read", "Contacts.ReadWrite.Shared", "OnlineMeetings.ReadWrite"],
    }
    assert part(page, "yours").count("</code>: not needed; Sally works without it") == 3


def test_a_sign_in_without_the_calendar_connects_nothing(
    as_alice: Client, microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    partly(monkeypatch, "openid", "profile", "User.Read")
    page = as_alice.get(sign_in_at_microsoft(as_alice, microsoft), follow=True).content.decode()
    assert "the permission to read the calendar is missing" in page
    assert "No calendar is connected yet." in shown(as_alice)


def test_a_calendar_that_cannot_be_read_needs_a_new_sign_in(as_alice: Client, ines: CalendarConnection) -> None:
    CalendarConnection.objects.update(granted_scopes=["openid", "Calendars.ReadBasic"])
    page = part(shown(as_alice), "yours")
    assert "Calendars.ReadWrite.Shared</code>: without it Sally cannot read your calendar: sign in again" in page


def test_less_that_is_enough_needs_none(as_alice: Client, ines: CalendarConnection) -> None:
    """Made with the minimal set, looked at after the switch back to the guide's."""
    CalendarConnection.objects.update(granted_scopes=[*MINIMAL[WORK]])
    page = shown(as_alice)
    assert granted(page)[LACKING] == [
        "User.Read",
        "Calendars.ReadWrite.Shared",
        "Contacts.ReadWrite.Shared",
        "OnlineMeetings.ReadWrite",
    ]
    assert "Calendars.ReadWrite.Shared</code>: not needed; what was granted lets Sally read your calendar" in page
    assert "sign in again" not in part(page, "yours")


def test_more_than_is_asked_for_now_is_shown_apart(
    as_alice: Client, ines: CalendarConnection, settings: Settings
) -> None:
    settings.MICROSOFT_SCOPES = "minimal"
    assert granted(shown(as_alice)) == {
        GRANTED: [
            "offline_access",
            "openid",
            "profile",
            "Calendars.ReadWrite.Shared",
            "Contacts.ReadWrite.Shared",
            "OnlineMeetings.ReadWrite",
            "User.Read",
        ],
        LACKING: [],
        EXTRA: ["Calendars.ReadWrite.Shared", "Contacts.ReadWrite.Shared", "OnlineMeetings.ReadWrite", "User.Read"],
    }


def test_connections_of_before_lack_no_offline_access_while_they_have_a_secret(
    as_alice: Client, ines: CalendarConnection
) -> None:
    CalendarConnection.objects.update(granted_scopes=[name for name in GUIDE[WORK] if name != "offline_access"])
    assert granted(shown(as_alice))[LACKING] == []
    ConnectionSecret.objects.all().delete()
    page = shown(as_alice)
    assert granted(page)[LACKING] == ["offline_access"]
    assert "offline_access</code>: without it Sally cannot keep the connection: sign in again" in page


def test_an_exchange_calendar_has_its_password(as_alice: Client, microsoft: Sandbox) -> None:
    connect_exchange(as_alice, microsoft)
    page = part(shown(as_alice), "yours")
    assert "Your password, which opens the whole mailbox." in page
    assert "<code>" not in page


def test_only_ones_own_calendars_are_there(as_alice: Client, bob: User) -> None:
    CalendarConnection.objects.create(owner=bob, provider=WORK, account_id="u.t", account_email="bob@quay.example")
    assert "bob@quay.example" not in shown(as_alice)


def test_queries_do_not_grow_with_the_connections(
    as_alice: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        one = CalendarConnection.objects.create(
            owner=alice, provider=WORK, account_id=str(number), account_email=f"{number}@quay.example",
            status="needs_attention", last_error="AADSTS50173", last_error_kind="ReconnectNeeded",
        )  # fmt: skip
        ConnectionSecret.objects.replace(one, {"cache": "a cache"})
    with django_assert_num_queries(3):  # the session, the person, the connections
        page = shown(as_alice)
    assert page.count("Sally's access was withdrawn") == 20  # the banners are there all the same


def test_a_secret_that_cannot_be_opened_does_not_hide_the_page(
    as_alice: Client, ines: CalendarConnection, settings: Settings
) -> None:
    settings.FIELD_KEYS = ["YW5vdGhlci1rZXktYW5vdGhlci1rZXktYW5vdGhlci0="]
    assert INES in shown(as_alice)


# --- What covers what ---------------------------------------------------------------------------------------------

COVERS = [
    ("Calendars.Read", "Calendars.Read", True),
    ("Calendars.ReadWrite", "Calendars.Read", True),
    ("Calendars.ReadWrite.Shared", "Calendars.Read", True),
    ("Calendars.ReadWrite.Shared", "Calendars.ReadWrite", True),
    ("Calendars.ReadWrite.Shared", "Calendars.Read.Shared", True),
    ("Calendars.Read.Shared", "Calendars.Read", True),
    ("Calendars.Read", "Calendars.ReadBasic", True),
    ("Calendars.Read", "Calendars.ReadWrite", False),
    ("Calendars.ReadBasic", "Calendars.Read", False),
    ("Calendars.ReadWrite", "Calendars.ReadWrite.Shared", False),
    ("Calendars.Read.Shared", "Calendars.ReadWrite", False),
    ("Contacts.ReadWrite.Shared", "Contacts.ReadWrite", True),
    ("Contacts.ReadWrite.Shared", "Calendars.Read", False),
    ("User.Read.All", "User.Read", False),
    ("profile", "email", False),
    ("openid", "openid", True),
    ("openid", "Calendars.Read", False),
    ("Calendars.Read", "openid", False),
    (".default", "Calendars.Read", False),
    ("", "openid", False),
]


@pytest.mark.parametrize(("given", "wanted", "covered"), COVERS)
def test_what_covers_what(given: str, wanted: str, covered: bool) -> None:
    assert permissions.missing([wanted], [given]) == ([] if covered else [wanted])


def test_missing_ones_keep_the_order_in_which_they_are_asked_for() -> None:
    assert permissions.missing(GUIDE[WORK], ["openid", "Calendars.Read"]) == [
        "offline_access",
        "profile",
        "User.Read",
        "Calendars.ReadWrite.Shared",
        "Contacts.ReadWrite.Shared",
        "OnlineMeetings.ReadWrite",
    ]


# --- The least is enough ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tile", "email", "cloud"),
    [(WORK, INES, "global"), (PERSONAL, INES_AT_HOME, "global"), (WORK, INES, "us-gov")],
)
def test_with_the_minimal_set_all_works(
    as_alice: Client, microsoft: Sandbox, settings: Settings, tile: str, email: str, cloud: str
) -> None:
    settings.MICROSOFT_SCOPES, settings.MICROSOFT_CLOUD = "minimal", cloud
    connection = connect(as_alice, microsoft, email, tile=tile)
    sync_now(connection)
    assert connection.status == "connected"
    assert Meeting.objects.filter(connection=connection).exists()
    assert connection.granted_scopes == sorted(MINIMAL[tile])
    assert granted(shown(as_alice)) == {GRANTED: MINIMAL[tile], LACKING: []}


@pytest.mark.parametrize(("before", "after"), [("guide", "minimal"), ("minimal", "guide")])
@pytest.mark.parametrize(("tile", "email"), [(WORK, INES), (PERSONAL, INES_AT_HOME)])
def test_a_connection_survives_the_switch_to_the_other_set(
    as_alice: Client, microsoft: Sandbox, settings: Settings, before: str, after: str, tile: str, email: str
) -> None:
    """Each sync has to renew its token, and the person signs in again some day."""
    microsoft.control("POST", "settings", json={"access_token_seconds": 60})
    settings.MICROSOFT_SCOPES = before
    connection = connect(as_alice, microsoft, email, tile=tile)
    sync_now(connection)
    meetings = set(Meeting.objects.values_list("pk", flat=True))
    assert meetings
    settings.MICROSOFT_SCOPES = after
    sync_now(connection)
    assert (connection.status, connection.last_error) == ("connected", "")
    assert connect(as_alice, microsoft, email, tile=tile).pk == connection.pk
    sync_now(connection)
    assert (connection.status, connection.last_error) == ("connected", "")
    assert set(Meeting.objects.values_list("pk", flat=True)) == meetings


def test_a_connection_survives_the_switch_of_how_permissions_are_named(
    as_alice: Client, microsoft: Sandbox, settings: Settings
) -> None:
    microsoft.control("POST", "settings", json={"access_token_seconds": 60})
    connection = connect(as_alice, microsoft)
    for cloud in ("us-gov", "global"):
        settings.MICROSOFT_CLOUD = cloud
        sync_now(connection)
        assert (connection.status, connection.last_error) == ("connected", "")


# --- A refused .Shared --------------------------------------------------------------------------------------------


def test_a_refused_shared_permission_ends_with_the_minimal_set(
    as_alice: Client, ines: CalendarConnection, microsoft: Sandbox, settings: Settings
) -> None:
    microsoft.control("POST", "settings", json={"shared_opens_own": False})
    sync_now(ines)
    assert (ines.last_error_kind, ines.last_error, ines.status) == (
        "PermissionMissing",
        "SHARED-ONLY",
        "needs_attention",
    )
    words = html.unescape(as_alice.get("/settings/integrations/").content.decode())
    assert (
        "Signing in again does not help yet: Sally's administrator first has to set MICROSOFT_SCOPES=minimal." in words
    )
    assert 'action="/settings/integrations/connect/microsoft-work/"' in words

    # As long as nobody has switched it, it does not.
    connect(as_alice, microsoft)
    sync_now(ines)
    assert ines.last_error == "SHARED-ONLY"

    settings.MICROSOFT_SCOPES = "minimal"
    asked = pressed(as_alice, WORK, connection=str(ines.pk))["scope"].split()
    assert sorted(asked) == ["Calendars.Read", "offline_access", "openid", "profile"]
    assert connect(as_alice, microsoft).pk == ines.pk
    sync_now(ines)
    assert (ines.status, ines.last_error, ines.problem) == ("connected", "", None)
    assert Meeting.objects.filter(connection=ines).exists()


@pytest.mark.parametrize(
    ("scopes", "status", "code", "expected"),
    [
        (["Calendars.ReadWrite.Shared"], 403, "ErrorAccessDenied", "SHARED-ONLY"),
        (["Calendars.Read.Shared", "Calendars.ReadWrite.Shared"], 403, "ErrorAccessDenied", "SHARED-ONLY"),
        (["Calendars.Read", "Calendars.ReadWrite.Shared"], 403, "ErrorAccessDenied", "GRAPH-403"),
        (["Calendars.ReadWrite"], 403, "ErrorAccessDenied", "GRAPH-403"),
        (["Calendars.ReadWrite.Shared"], 403, "accessDenied", "GRAPH-403"),
        (["Calendars.ReadWrite.Shared"], 403, "", "NET-1"),
        (["Calendars.ReadWrite.Shared"], 404, "ErrorAccessDenied", "GRAPH-404"),
    ],
)
def test_only_shared_permissions_that_are_refused_are_meant(
    as_alice: Client,
    microsoft: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    scopes: list[str],
    status: int,
    code: str,
    expected: str,
) -> None:
    partly(monkeypatch, "openid", *scopes)
    connection = connect(as_alice, microsoft)
    microsoft.control("POST", "faults", json=graph(status, code))
    sync_now(connection)
    assert connection.last_error == expected
