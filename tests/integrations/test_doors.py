"""Microsoft's two doors: what each asks for, both side by side, and whoever comes to the wrong one."""

from __future__ import annotations

import html
import json
import logging
import re
import time
import uuid
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from calendars.models import Meeting
from integrations import hints, oauth, problems
from integrations.errors import OperatorProblem, UnexpectedAnswer, WrongDoor
from integrations.models import CalendarConnection, ConnectionSecret
from integrations.providers.microsoft import PERSONAL, WORK, Microsoft
from integrations.trail import Trail
from sally.models import User
from tests.conftest import INES, INES_AT_HOME, address_of, connect, connect_exchange, sign_in_at_microsoft
from tests.sandbox_process import Sandbox

BASE = "/settings/integrations/"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
CALLBACK = "http://testserver/settings/integrations/microsoft/callback/"


def said(response: Any) -> str:
    shown = " ".join(str(message) for message in get_messages(response.wsgi_request))
    return html.unescape(re.sub(r"<[^>]+>", "", shown))


def asked(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def pressed(client: Client, tile: str, **form: str) -> dict[str, str]:
    """What Microsoft is asked for after a press on the tile's button."""
    return asked(address_of(client.post(f"{BASE}connect/{tile}/", form, follow=True).content.decode()))


def sync_all() -> None:
    with suppress(CommandError):  # it says so when one of them fails, and that is what some tests are about
        call_command("sync_calendars")


def token_requests(sandbox: Sandbox) -> int:
    return sum(entry["path"].endswith("/token") for entry in sandbox.log())


class TestThePersonalDoor:
    def test_its_tile_has_the_guides_name(self, as_alice: Client) -> None:
        page = as_alice.get(f"{BASE}add/").content.decode()
        assert page.count("Outlook Calendar (Personal Microsoft Account / Exchange Online)") == 1
        assert 'action="/settings/integrations/connect/microsoft-personal/"' in page

    def test_it_asks_for_exactly_the_guides_six_scopes(self, as_alice: Client, microsoft: Sandbox) -> None:
        query = pressed(as_alice, "microsoft-personal")
        assert sorted(query["scope"].split()) == [
            "Calendars.ReadWrite",
            "Contacts.ReadWrite",
            "User.Read",
            "email",
            "offline_access",
            "openid",
        ]

    def test_it_leads_to_the_door_of_personal_accounts(self, as_alice: Client, microsoft: Sandbox) -> None:
        page = as_alice.post(f"{BASE}connect/microsoft-personal/", follow=True).content.decode()
        assert urlsplit(address_of(page)).path == "/consumers/oauth2/v2.0/authorize"

    def test_no_token_request_asks_for_more(self, microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[str] = []
        real = oauth._Transport.post

        def watched(self: Any, url: str, **kwargs: Any) -> Any:
            sent.append(kwargs["data"]["scope"])
            return real(self, url, **kwargs)

        monkeypatch.setattr(oauth._Transport, "post", watched)
        flow = PERSONAL.begin(Trail(), redirect_uri=CALLBACK, state="x")
        account = PERSONAL.finish(Trail(), flow, asked(microsoft.sign_in(flow["auth_uri"], INES_AT_HOME)))
        from integrations.http import Session

        cache = account.secret["cache"]
        oauth.Tokens(
            cache, account.scopes, lambda _: None, authority="consumers", session=Session(Trail())
        ).access_token(renew=True)
        assert [set(scope.split()) for scope in sent] == [
            {"email", "offline_access", "openid", "User.Read", "Calendars.ReadWrite", "Contacts.ReadWrite"},
            {"openid", "offline_access", "Calendars.ReadWrite"},
        ]

    def test_the_account_is_known_without_a_name_and_an_object_id(self, ines_at_home: CalendarConnection) -> None:
        assert (ines_at_home.account_email, ines_at_home.account_name) == (INES_AT_HOME, "")
        assert re.fullmatch(rf"00000000-0000-0000-[0-9a-f-]{{17}}\.{CONSUMERS}", ines_at_home.account_id)
        assert ines_at_home.granted_scopes == [
            "Calendars.ReadWrite",
            "Contacts.ReadWrite",
            "User.Read",
            "email",
            "offline_access",
            "openid",
        ]

    def test_where_the_name_is_missing_the_address_is_shown_once(
        self, as_alice: Client, ines_at_home: CalendarConnection
    ) -> None:
        card = as_alice.get(f"{BASE}{ines_at_home.pk}/").content.decode()
        assert f'<h2 id="name-{ines_at_home.pk}">{INES_AT_HOME}</h2>' in card
        assert card.count(INES_AT_HOME) == 1

    def test_an_account_without_an_address_is_shown_as_what_it_is(self) -> None:
        assert oauth._address({"sub": "x"}) == "Microsoft account"

    def test_its_meetings_arrive(self, ines_at_home: CalendarConnection) -> None:
        sync_all()
        ines_at_home.refresh_from_db()
        assert (ines_at_home.status, ines_at_home.problem) == ("connected", None)
        assert {"Choir", "Tax adviser"} <= set(Meeting.objects.values_list("subject", flat=True))
        assert "Dentist" not in set(Meeting.objects.values_list("subject", flat=True))  # it is private

    def test_an_hour_of_syncs_needs_no_new_token(self, ines_at_home: CalendarConnection, microsoft: Sandbox) -> None:
        microsoft.control("DELETE", "log")
        start = timezone.now()
        for minutes in (0, 10, 25, 40, 50):
            with time_machine.travel(start + timedelta(minutes=minutes), tick=True):
                CalendarConnection.objects.update(next_sync_at=timezone.now())
                sync_all()
        views = sum(entry["path"].endswith("/calendarView") for entry in microsoft.log())
        assert (views >= 5, token_requests(microsoft)) == (True, 0)

    def test_after_the_hour_one_is_enough(self, ines_at_home: CalendarConnection, microsoft: Sandbox) -> None:
        microsoft.control("DELETE", "log")
        start = timezone.now() + timedelta(minutes=61)
        for minutes in (0, 10, 20):
            with time_machine.travel(start + timedelta(minutes=minutes), tick=True):
                CalendarConnection.objects.update(next_sync_at=timezone.now())
                sync_all()
        assert token_requests(microsoft) == 1

    def test_a_withdrawn_consent_is_mended_by_its_own_button(
        self, as_alice: Client, ines_at_home: CalendarConnection, microsoft: Sandbox
    ) -> None:
        microsoft.control("POST", "revoke", json={"email": INES_AT_HOME, "access_tokens": True})
        sync_all()
        page = as_alice.get(BASE).content.decode()
        assert "Sally&#x27;s access was withdrawn" in page
        assert "AADSTS70000" in page
        assert f'action="{BASE}connect/microsoft-personal/"' in page
        assert pressed(as_alice, "microsoft-personal", connection=str(ines_at_home.pk))["login_hint"] == INES_AT_HOME

    def test_the_permission_is_taken_back_at_the_page_of_personal_accounts(
        self, as_alice: Client, ines: CalendarConnection, ines_at_home: CalendarConnection
    ) -> None:
        def pages(connection: CalendarConnection) -> list[str]:
            page = as_alice.get(f"{BASE}{connection.pk}/disconnect/").content.decode()
            return re.findall(r'href="(https://[^"]+)"', page)

        assert pages(ines) == ["https://myapps.microsoft.com"]
        assert pages(ines_at_home) == ["https://account.live.com/consent/Manage"]


class TestSideBySide:
    def test_both_sync_and_stay_apart(
        self, as_alice: Client, ines: CalendarConnection, ines_at_home: CalendarConnection
    ) -> None:
        sync_all()
        subjects = {
            one.account_email: set(Meeting.objects.filter(connection=one).values_list("subject", flat=True))
            for one in (ines, ines_at_home)
        }
        assert "Crane schedule" in subjects[INES] - subjects[INES_AT_HOME]
        assert "Choir" in subjects[INES_AT_HOME] - subjects[INES]
        page = as_alice.get(BASE).content.decode()
        assert (INES in page, INES_AT_HOME in page) == (True, True)

    def test_disconnecting_one_leaves_the_other(
        self, as_alice: Client, ines: CalendarConnection, ines_at_home: CalendarConnection
    ) -> None:
        sync_all()
        as_alice.post(f"{BASE}{ines.pk}/disconnect/")
        assert [one.account_email for one in CalendarConnection.objects.all()] == [INES_AT_HOME]
        assert set(Meeting.objects.values_list("connection", flat=True)) == {ines_at_home.pk}
        assert ConnectionSecret.objects.count() == 1

    def test_a_revoked_one_leaves_the_other_at_work(
        self, ines: CalendarConnection, ines_at_home: CalendarConnection, microsoft: Sandbox
    ) -> None:
        microsoft.control("POST", "revoke", json={"email": INES_AT_HOME, "access_tokens": True})
        sync_all()
        ines.refresh_from_db()
        ines_at_home.refresh_from_db()
        assert (ines.status, ines_at_home.status) == ("connected", "needs_attention")


AT_WORK = "This is a personal Microsoft account. Nothing was connected; use the tile for personal accounts."
AT_HOME = "This is an account of an organization. Nothing was connected; use the tile for Microsoft 365."
# The tile that was pressed, who signed in there, what they read, and which tile is the right one.
WRONG = [
    ("microsoft-work", INES_AT_HOME, AT_WORK, "microsoft-personal"),
    ("microsoft-personal", INES, AT_HOME, "microsoft-work"),
]


@pytest.mark.parametrize(("tile", "email", "words", "right"), WRONG)
class TestTheWrongDoor:
    def come_back(self, client: Client, sandbox: Sandbox, tile: str, email: str, how: str = "open") -> Any:
        sandbox.control("POST", "settings", json={"wrong_door": how})
        return client.get(sign_in_at_microsoft(client, sandbox, email, tile=tile))

    def test_an_account_of_the_other_kind_is_told_so_in_one_sentence(
        self, as_alice: Client, microsoft: Sandbox, tile: str, email: str, words: str, right: str
    ) -> None:
        code = {"microsoft-work": "DOOR-2", "microsoft-personal": "DOOR-4"}[tile]
        assert said(self.come_back(as_alice, microsoft, tile, email)) == f"{words} {code} To the right tile"
        assert CalendarConnection.objects.count() == ConnectionSecret.objects.count() == 0

    def test_so_it_is_where_microsoft_sends_a_number(
        self, as_alice: Client, microsoft: Sandbox, tile: str, email: str, words: str, right: str
    ) -> None:
        code = {"microsoft-work": "AADSTS500200", "microsoft-personal": "AADSTS50020"}[tile]
        assert said(self.come_back(as_alice, microsoft, tile, email, "redirect")) == f"{words} {code} To the right tile"

    @pytest.mark.parametrize("number", [50020, 500200, 500208])
    def test_whichever_number_it_is_the_door_tells_the_kind(
        self, as_alice: Client, microsoft: Sandbox, tile: str, email: str, words: str, right: str, number: int
    ) -> None:
        microsoft.control("POST", "settings", json={"refuse_sign_in": f"invalid_request {number} Wrong kind."})
        page = as_alice.get(sign_in_at_microsoft(as_alice, microsoft, self.other(email), tile=tile), follow=True)
        assert words in html.unescape(page.content.decode())
        assert f'href="/settings/integrations/add/#tile-{right}"' in page.content.decode()

    @staticmethod
    def other(email: str) -> str:
        return INES if email == INES_AT_HOME else INES_AT_HOME

    @pytest.mark.parametrize("how", ["open", "redirect"])
    def test_the_right_tile_is_a_click_away_with_the_account_filled_in(
        self, as_alice: Client, microsoft: Sandbox, tile: str, email: str, words: str, right: str, how: str
    ) -> None:
        response = self.come_back(as_alice, microsoft, tile, email, how)
        assert response.url == f"{BASE}add/"
        page = as_alice.get(response.url).content.decode()
        assert f'href="/settings/integrations/add/#tile-{right}"' in page
        tiles = dict(re.findall(r'<section class="card tile"[^>]* id="tile-([\w-]+)"(.*?)</section>', page, re.DOTALL))
        assert [key for key, text in tiles.items() if email in text] == [right]
        assert pressed(as_alice, right)["login_hint"] == email

    def test_the_tile_that_was_wrong_still_lets_one_choose(
        self, as_alice: Client, microsoft: Sandbox, tile: str, email: str, words: str, right: str
    ) -> None:
        self.come_back(as_alice, microsoft, tile, email)
        query = pressed(as_alice, tile)
        assert ("login_hint" in query, query["prompt"]) == (False, "select_account")

    def test_the_right_tile_connects_it_and_the_hint_is_gone(
        self, as_alice: Client, microsoft: Sandbox, tile: str, email: str, words: str, right: str
    ) -> None:
        self.come_back(as_alice, microsoft, tile, email, "redirect")
        assert connect(as_alice, microsoft, email, tile=right).provider == right
        assert "account_hint" not in as_alice.session
        assert "login_hint" not in pressed(as_alice, right)

    def test_the_account_is_in_no_address_of_ours_and_in_no_log(
        self,
        as_alice: Client,
        microsoft: Sandbox,
        caplog: pytest.LogCaptureFixture,
        tile: str,
        email: str,
        words: str,
        right: str,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for how in ("open", "redirect"):
            response = self.come_back(as_alice, microsoft, tile, email, how)
            page = as_alice.get(response.url).content.decode()
            addresses = [response.url, *re.findall(r'(?:href|action)="([^"]*)"', page)]
            # The callback's own address is Microsoft's doing; ours has left it behind.
            assert not [one for one in addresses if email.partition("@")[2] in one]
        ours = [one.getMessage() for one in caplog.records if one.name.startswith(("integrations", "sally"))]
        assert ours
        assert not [one for one in ours if email in one]

    def test_where_nothing_names_the_account_there_is_no_hint(
        self, as_alice: Client, microsoft: Sandbox, tile: str, email: str, words: str, right: str
    ) -> None:
        self.come_back(as_alice, microsoft, tile, email)
        microsoft.control("POST", "settings", json={"refuse_sign_in": "invalid_request 50020 Wrong kind."})
        as_alice.get(sign_in_at_microsoft(as_alice, microsoft, self.other(email), tile=tile))
        assert "login_hint" not in pressed(as_alice, right)

    def test_microsofts_own_page_keeps_the_person_and_leaves_nothing(
        self, as_alice: Client, microsoft: Sandbox, tile: str, email: str, words: str, right: str
    ) -> None:
        with pytest.raises(AssertionError, match="do not end"):
            sign_in_at_microsoft(as_alice, microsoft, email, tile=tile)
        assert CalendarConnection.objects.count() == 0


@pytest.mark.parametrize(
    "named",
    [
        "ines@",
        "ines@quay",
        '"ines falk"@quay.example',
        "<b>ines</b>@quay.example",
        "https://evil.example/@quay.example",
        "ines@quay.example\nBcc:x@quay.example",
        "a" * 330 + "@quay.example",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_plain_address_is_no_hint(as_alice: Client, microsoft: Sandbox, named: str) -> None:
    sentence = f"User account '{named}' is a personal Microsoft account."
    microsoft.control("POST", "settings", json={"refuse_sign_in": f"access_denied 500200 {sentence}"})
    assert AT_WORK in said(as_alice.get(sign_in_at_microsoft(as_alice, microsoft)))
    assert "account_hint" not in as_alice.session
    assert "Filled in for you" not in as_alice.get(f"{BASE}add/").content.decode()


def test_an_apostrophe_in_an_address_does_not_cut_it() -> None:
    refused = oauth._refused(
        {
            "error": "access_denied",
            "error_description": "AADSTS50020: User account 'o'brien@live.example' from identity",
        }
    )
    assert isinstance(refused, WrongDoor)
    assert refused.account == "o'brien@live.example"
    assert "brien" not in f"{refused} {refused!r}"


def test_a_hint_is_forgotten_after_a_quarter_of_an_hour(as_alice: Client, microsoft: Sandbox) -> None:
    microsoft.control("POST", "settings", json={"wrong_door": "open"})
    as_alice.get(sign_in_at_microsoft(as_alice, microsoft, INES_AT_HOME))
    session = as_alice.session
    session["account_hint"] |= {"until": time.time() - 1}
    session.save()
    assert "login_hint" not in pressed(as_alice, "microsoft-personal")
    assert INES_AT_HOME not in as_alice.get(f"{BASE}add/").content.decode().split("</nav>")[-1]


def test_a_reconnect_at_the_wrong_door_keeps_its_connection_and_hints_at_it(
    as_alice: Client, ines: CalendarConnection, microsoft: Sandbox
) -> None:
    microsoft.control("POST", "settings", json={"refuse_sign_in": "access_denied 50020 Wrong kind."})
    chosen = {"connection": str(ines.pk)}
    page = as_alice.post(f"{BASE}connect/microsoft-work/", chosen, follow=True).content.decode()
    back = urlsplit(microsoft.sign_in(address_of(page)))
    assert as_alice.get(f"{back.path}?{back.query}").url == BASE  # type: ignore[attr-defined]
    assert CalendarConnection.objects.get().pk == ines.pk
    assert pressed(as_alice, "microsoft-personal")["login_hint"] == INES


class TestFromACard:
    @pytest.fixture
    def at_the_wrong_door(self, ines: CalendarConnection) -> CalendarConnection:
        CalendarConnection.objects.update(
            status="needs_attention", last_error="AADSTS50020", last_error_kind="WrongDoor"
        )
        return ines

    def test_its_link_carries_the_connection_and_the_right_tile_its_account(
        self, as_alice: Client, at_the_wrong_door: CalendarConnection
    ) -> None:
        link = f"{BASE}add/?from={at_the_wrong_door.pk}"
        assert f'href="{link}#tile-microsoft-personal"' in as_alice.get(BASE).content.decode()
        page = as_alice.get(link).content.decode()
        tile = re.findall(r'id="tile-microsoft-personal".*?</section>', page, re.DOTALL)[0]
        assert f"Filled in for you: <strong>{INES}</strong>" in tile

    def test_the_button_passes_it_on(
        self, as_alice: Client, at_the_wrong_door: CalendarConnection, microsoft: Sandbox
    ) -> None:
        as_alice.get(f"{BASE}add/?from={at_the_wrong_door.pk}")
        assert pressed(as_alice, "microsoft-personal")["login_hint"] == INES

    def test_a_mailbox_on_premises_hints_at_the_exchange_tile(self, as_alice: Client, ines: CalendarConnection) -> None:
        CalendarConnection.objects.update(status="needs_attention", last_error="DOOR-1", last_error_kind="WrongDoor")
        assert f'href="{BASE}add/?from={ines.pk}#tile-exchange"' in as_alice.get(BASE).content.decode()
        response = as_alice.get(f"{BASE}add/?from={ines.pk}")
        assert hints.account_for(response.wsgi_request, "exchange") == INES
        assert hints.account_for(response.wsgi_request, "microsoft-personal") == ""
        tile = re.findall(r'id="tile-exchange".*?</section>', response.content.decode(), re.DOTALL)[0]
        assert INES in tile
        assert f'value="{INES}"' in as_alice.get(f"{BASE}exchange/").content.decode()

    def test_one_that_is_well_hints_at_nothing(self, as_alice: Client, ines: CalendarConnection) -> None:
        assert as_alice.get(f"{BASE}add/?from={ines.pk}").status_code == 200
        assert "account_hint" not in as_alice.session

    @pytest.mark.parametrize("wrong", ["nonsense", "", "%00", str(uuid.uuid4())])
    def test_what_is_no_connection_is_not_found(self, as_alice: Client, wrong: str) -> None:
        assert as_alice.get(f"{BASE}add/?from={wrong}").status_code == 404

    def test_somebody_elses_does_not_exist(self, bob: User, at_the_wrong_door: CalendarConnection) -> None:
        client = Client()
        client.force_login(bob)
        assert client.get(f"{BASE}add/?from={at_the_wrong_door.pk}").status_code == 404
        assert "account_hint" not in client.session


class TestWithoutAMailbox:
    @pytest.fixture
    def without(self, ines_at_home: CalendarConnection, microsoft: Sandbox) -> CalendarConnection:
        body = json.dumps({"error": {"code": "MailboxNotEnabledForRESTAPI", "message": "x"}})
        microsoft.control("POST", "faults", json={"path": "/v1.0/me", "status": 404, "body": body, "times": None})
        sync_all()
        ines_at_home.refresh_from_db()
        return ines_at_home

    def test_a_personal_account_is_told_that_and_not_of_exchange(
        self, as_alice: Client, without: CalendarConnection
    ) -> None:
        page = as_alice.get(BASE).content.decode()
        assert "This Microsoft account has no mailbox, so there is no calendar to read." in page
        assert "On-Premise" not in page
        assert "#tile-" not in page

    def test_signing_in_again_is_offered_for_it_may_only_just_have_been_made(self, without: CalendarConnection) -> None:
        assert without.problem
        assert without.problem.reconnect


@pytest.mark.parametrize("provider", [WORK, PERSONAL])
def test_a_registration_for_other_accounts_is_the_operators_to_mend(microsoft: Sandbox, provider: Microsoft) -> None:
    """Microsoft: "configured for use by Microsoft Entra users only. Please do not use the /consumers endpoint"."""
    flow = provider.begin(Trail(), redirect_uri=CALLBACK, state="x")
    body = json.dumps({"error": "invalid_request", "error_description": "AADSTS9002332: Application 'x' is"})
    email = INES_AT_HOME if provider is PERSONAL else INES
    answer = asked(microsoft.sign_in(flow["auth_uri"], email))
    microsoft.control("POST", "faults", json={"path": "/token", "status": 400, "body": body})
    with pytest.raises(OperatorProblem) as caught:
        provider.finish(Trail(), flow, answer)
    assert "supported account types" in str(problems.for_operator(caught.value.code))


def test_a_guest_is_still_no_account_of_the_other_kind() -> None:
    with pytest.raises(UnexpectedAnswer):
        oauth._account_id({"client_info": "eyJ1aWQiOiAidSIsICJ1dGlkIjogImhvbWUifQ"}, {"tid": CONSUMERS})


def test_who_declines_at_the_personal_door_is_not_sent_to_an_admin(as_alice: Client, microsoft: Sandbox) -> None:
    back = sign_in_at_microsoft(as_alice, microsoft, INES_AT_HOME, accept=False, tile=PERSONAL.key)
    words = said(as_alice.get(back))
    assert "You declined at Microsoft" in words
    assert "admin" not in words


def test_one_address_through_two_doors_is_told_apart(as_alice: Client, microsoft: Sandbox) -> None:
    connect(as_alice, microsoft)
    connect_exchange(as_alice, microsoft)
    page = as_alice.get("/meetings/").content.decode()
    for door in ("Microsoft 365 / Exchange Online", "Exchange On-Premise"):
        assert f">{INES} – Outlook Calendar ({door})</option>" in page
