"""Settings → Integrations as a person uses it, and as somebody abuses it."""

from __future__ import annotations

import html
import re
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from calendars.models import Meeting
from integrations.models import CalendarConnection, ConnectionSecret, LeaseLost, SignIn
from sally.models import User
from tests.conftest import INES, address_of, connect, sign_in_at_microsoft
from tests.sandbox_process import Sandbox

Status = CalendarConnection.Status
BASE = "/settings/integrations/"


def said(response: Any) -> str:
    """The messages as a person reads them, the code at the end of each."""
    shown = " ".join(str(message) for message in get_messages(response.wsgi_request))
    return html.unescape(re.sub(r"<[^>]+>", "", shown))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


class TestAddCalendar:
    def test_the_page_shows_the_guides_three_tiles(self, as_alice: Client) -> None:
        page = as_alice.get(f"{BASE}add/").content.decode()
        for name in (
            "Outlook Calendar (Microsoft 365 / Exchange Online)",
            "Outlook Calendar (Personal Microsoft Account / Exchange Online)",
            "Outlook Calendar (Exchange On-Premise)",
        ):
            assert page.count(name) == 1

    def test_two_lead_to_microsoft_and_one_to_a_form(self, as_alice: Client) -> None:
        page = as_alice.get(f"{BASE}add/").content.decode()
        assert page.count('action="/settings/integrations/connect/') == 2
        assert page.count('href="/settings/integrations/exchange/"') == 1

    def test_the_need_for_an_admins_approval_is_said_beforehand(self, as_alice: Client) -> None:
        assert "The first account of an organization needs an admin&#x27;s approval" in as_alice.get(
            f"{BASE}add/"
        ).content.decode().replace("&#39;", "&#x27;")

    def test_connect_leads_to_microsoft_by_a_page_not_a_redirect(self, as_alice: Client, microsoft: Sandbox) -> None:
        """Chromium applies form-action to redirects that follow a form: the authority would be blocked."""
        response = as_alice.post(f"{BASE}connect/microsoft-work/")
        assert response.url.startswith(f"{BASE}sign-in/")  # type: ignore[attr-defined]
        response = as_alice.get(response.url)  # type: ignore[attr-defined]
        assert response.status_code == 200
        assert address_of(response.content.decode()).startswith(f"{microsoft.pages_url}/organizations/oauth2/v2.0/")

    def test_that_page_is_nobody_elses_and_of_no_use_afterwards(
        self, as_alice: Client, bob: User, microsoft: Sandbox
    ) -> None:
        where = as_alice.post(f"{BASE}connect/microsoft-work/").url  # type: ignore[attr-defined]
        assert signed_in(bob).get(where).status_code == 404
        SignIn.objects.update(used_at=timezone.now())
        assert as_alice.get(where).url == BASE  # type: ignore[attr-defined]

    @pytest.mark.parametrize("key", ["exchange", "nonsense"])
    def test_a_door_that_is_not_open_is_not_found(self, as_alice: Client, key: str) -> None:
        assert as_alice.post(f"{BASE}connect/{key}/").status_code == 404

    def test_a_sign_in_service_that_cannot_be_reached_is_said(self, as_alice: Client, settings: Settings) -> None:
        settings.MICROSOFT_LOGIN_URL = "https://localhost:1"
        settings.MICROSOFT_CLIENT_ID, settings.MICROSOFT_CLIENT_SECRET = "id", "secret"
        response = as_alice.post(f"{BASE}connect/microsoft-work/")
        assert response.url == f"{BASE}add/"  # type: ignore[attr-defined]
        assert said(response) == (
            "Microsoft's sign-in cannot be reached at the moment. Nothing was connected; try again later. NET-1"
        )
        assert SignIn.objects.count() == 0

    def test_without_an_app_registration_the_operator_is_named(self, as_alice: Client) -> None:
        response = as_alice.post(f"{BASE}connect/microsoft-work/")
        assert said(response) == (
            "Sally's administrator has to act: Microsoft does not accept how Sally is registered. "
            "Nothing was connected. OPERATOR-0"
        )


class TestCallback:
    def test_after_microsoft_the_calendar_is_connected(self, as_alice: Client, alice: User, microsoft: Sandbox) -> None:
        response = as_alice.get(sign_in_at_microsoft(as_alice, microsoft))
        assert response.url == "/settings/meeting-assistant/start/?connected"  # type: ignore[attr-defined]
        assert said(response) == f"{INES} is connected."
        row = CalendarConnection.objects.get()
        assert (row.owner_id, row.account_email, row.provider) == (alice.pk, INES, "microsoft-work")

    def test_declined_consent_is_said_and_stores_nothing(self, as_alice: Client, microsoft: Sandbox) -> None:
        page = as_alice.get(sign_in_at_microsoft(as_alice, microsoft, accept=False), follow=True).content.decode()
        assert "You declined at Microsoft, or went back from its page. Nothing was connected." in page
        assert '<span class="code">AADSTS65004</span>' in page
        assert CalendarConnection.objects.count() == ConnectionSecret.objects.count() == 0

    def test_a_replayed_callback_is_refused(self, as_alice: Client, microsoft: Sandbox) -> None:
        callback = sign_in_at_microsoft(as_alice, microsoft)
        as_alice.get(callback)
        response = as_alice.get(callback)
        assert "already used" in said(response)
        assert CalendarConnection.objects.count() == 1

    def test_somebody_elses_callback_is_refused_and_not_used_up(
        self, as_alice: Client, bob: User, microsoft: Sandbox
    ) -> None:
        callback = sign_in_at_microsoft(as_alice, microsoft)
        response = signed_in(bob).get(callback)
        assert "belongs to somebody else" in said(response)
        assert CalendarConnection.objects.count() == 0
        as_alice.get(callback)
        assert CalendarConnection.objects.count() == 1

    def test_an_expired_callback_is_refused(self, as_alice: Client, microsoft: Sandbox) -> None:
        callback = sign_in_at_microsoft(as_alice, microsoft)
        SignIn.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert "has expired" in said(as_alice.get(callback))
        assert CalendarConnection.objects.count() == 0

    def test_a_code_of_another_sign_in_is_refused(self, as_alice: Client, microsoft: Sandbox) -> None:
        first = parse_qs(urlsplit(sign_in_at_microsoft(as_alice, microsoft)).query)
        second = parse_qs(urlsplit(sign_in_at_microsoft(as_alice, microsoft)).query)
        response = as_alice.get(f"{BASE}microsoft/callback/", {"state": first["state"][0], "code": second["code"][0]})
        assert CalendarConnection.objects.count() == 0
        assert said(response) == (
            "Microsoft did not complete the sign-in. Nothing was connected; please try again. AADSTS501481"
        )

    @pytest.mark.parametrize("query", ["", "?state=", "?state=x&code=y", "?error=access_denied", "?state=%00&code=%ff"])
    def test_nonsense_is_one_clear_sentence(self, as_alice: Client, query: str) -> None:
        response = as_alice.get(f"{BASE}microsoft/callback/{query}")
        assert response.status_code == 302
        assert "Please start again." in said(response)

    def test_who_is_not_signed_in_signs_in_first_and_then_arrives(
        self, as_alice: Client, alice: User, microsoft: Sandbox
    ) -> None:
        callback = sign_in_at_microsoft(as_alice, microsoft)
        assert Client().get(callback).url.startswith("/sign-in/?next=")  # type: ignore[attr-defined]
        assert CalendarConnection.objects.count() == 0

    def test_the_parameters_leave_the_address_bar(self, as_alice: Client, microsoft: Sandbox) -> None:
        response = as_alice.get(sign_in_at_microsoft(as_alice, microsoft))
        assert "code=" not in response.url  # type: ignore[attr-defined]

    def test_a_token_endpoint_that_is_down_stores_nothing(self, as_alice: Client, microsoft: Sandbox) -> None:
        callback = sign_in_at_microsoft(as_alice, microsoft)
        microsoft.control("POST", "faults", json={"path": "/token", "status": 503, "body": "<html>"})
        assert said(as_alice.get(callback)).startswith("Microsoft's sign-in cannot be reached at the moment.")
        assert CalendarConnection.objects.count() == 0

    @pytest.mark.parametrize("body", ["[]", '"text"', "null", "{}", "<html>", '{"access_token": 5}', '{"error": []}'])
    def test_whatever_the_token_endpoint_answers_it_ends_in_one_sentence(
        self, as_alice: Client, microsoft: Sandbox, body: str
    ) -> None:
        callback = sign_in_at_microsoft(as_alice, microsoft)
        microsoft.control("POST", "faults", json={"path": "/token", "status": 200, "body": body})
        assert "Nothing was connected" in said(as_alice.get(callback))
        assert CalendarConnection.objects.count() == 0
        assert SignIn.objects.get().flow == {}

    def test_a_consent_that_only_an_admin_can_give_is_no_connection(self, as_alice: Client, microsoft: Sandbox) -> None:
        import json

        callback = sign_in_at_microsoft(as_alice, microsoft)
        microsoft.control(
            "POST",
            "faults",
            json={"path": "/token", "status": 400, "body": json.dumps({"error": "invalid_grant",
                  "suberror": "consent_required", "error_description": "AADSTS65001: not consented"})},
        )  # fmt: skip
        page = as_alice.get(callback, follow=True).content.decode()
        assert "An admin has to approve Sally first" in page
        assert '<span class="code">AADSTS65001</span>' in page
        assert CalendarConnection.objects.count() == 0

    def test_a_reconnect_names_the_account_beforehand(
        self, as_alice: Client, ines: CalendarConnection, microsoft: Sandbox
    ) -> None:
        chosen = {"connection": str(ines.pk)}
        page = as_alice.post(f"{BASE}connect/microsoft-work/", chosen, follow=True).content.decode()
        assert parse_qs(urlsplit(address_of(page)).query)["login_hint"] == [INES]


class TestTheList:
    def test_it_shows_account_state_times_and_number(self, as_alice: Client, ines: CalendarConnection) -> None:
        synced = timezone.now() - timedelta(minutes=2)
        CalendarConnection.objects.update(
            status=Status.CONNECTED, last_synced_at=synced, next_sync_at=synced + timedelta(minutes=5), meeting_count=42
        )
        page = as_alice.get(BASE).content.decode()
        for text in ("Ines Falk", INES, "Connected", "Last sync", "Next sync", ">42<", "Sync now", "Disconnect"):
            assert text in page

    def test_while_it_syncs_the_card_looks_again_by_itself_with_and_without_javascript(
        self, as_alice: Client, ines: CalendarConnection
    ) -> None:
        page = as_alice.get(BASE).content.decode()
        assert re.search(rf'hx-get="{BASE}{ines.pk}/\?seen=\w+" hx-trigger="every 2s, seen"', page)
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page

    def test_as_long_as_nothing_changes_the_page_is_left_alone(
        self, as_alice: Client, ines: CalendarConnection
    ) -> None:
        card = f"{BASE}{ines.pk}/?seen={ines.appearance}"
        assert as_alice.get(card, headers={"HX-Request": "true"}).status_code == 204
        CalendarConnection.objects.update(meeting_count=7)
        assert as_alice.get(card, headers={"HX-Request": "true"}).status_code == 200

    def test_a_card_that_is_gone_leaves_its_page(self, as_alice: Client, ines: CalendarConnection) -> None:
        ines.disconnect()
        response = as_alice.get(f"{BASE}{uuid.uuid4()}/", headers={"HX-Request": "true"})
        assert (response.status_code, response.content) == (200, b"")

    def test_without_a_session_the_whole_page_leads_to_the_sign_in(self, ines: CalendarConnection) -> None:
        for path in (f"{BASE}{ines.pk}/", "/meetings/"):
            response = Client().get(path, headers={"HX-Request": "true"})
            assert (response.headers["HX-Refresh"], response.content) == ("true", b"")

    def test_once_synced_it_stops_looking(self, as_alice: Client, ines: CalendarConnection) -> None:
        CalendarConnection.objects.update(
            status=Status.CONNECTED, next_sync_at=timezone.now() + timedelta(minutes=5), last_synced_at=timezone.now()
        )
        assert "hx-trigger" not in as_alice.get(BASE).content.decode()
        assert "hx-trigger" not in as_alice.get(f"{BASE}{ines.pk}/").content.decode()

    def test_what_is_left_out_is_counted(self, as_alice: Client, ines: CalendarConnection) -> None:
        CalendarConnection.objects.update(private_left_out=3, offline_left_out=1, unreadable_count=2)
        page = as_alice.get(BASE).content.decode()
        assert "3 private appointments are not synced." in page
        assert "1 meeting without a link is not synced." in page
        assert "2 events could not be read and are left out; the others are complete." in page

    def test_a_connection_that_needs_attention_offers_microsofts_button(
        self, as_alice: Client, ines: CalendarConnection
    ) -> None:
        CalendarConnection.objects.update(
            status=Status.NEEDS_ATTENTION, last_error="AADSTS50173", last_error_kind="ReconnectNeeded"
        )
        page = as_alice.get(BASE).content.decode()
        assert "Sally&#x27;s access was withdrawn. Sign in again; your meetings are kept." in page
        assert "AADSTS50173" in page
        assert "Sign in with Microsoft" in page

    def test_queries_do_not_grow_with_the_connections(
        self, as_alice: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(20):
            CalendarConnection.objects.create(owner=alice, provider="microsoft-work", account_id=str(number))
        with django_assert_num_queries(5):  # session, person, connections; what was stopped, who was asked
            as_alice.get(BASE)


class TestSyncNow:
    def test_it_makes_the_connection_due(self, as_alice: Client, ines: CalendarConnection) -> None:
        CalendarConnection.objects.update(next_sync_at=timezone.now() + timedelta(hours=1), status=Status.CONNECTED)
        assert as_alice.post(f"{BASE}{ines.pk}/sync/").url == BASE  # type: ignore[attr-defined]
        assert CalendarConnection.objects.due(timezone.now()).get().pk == ines.pk

    def test_htmx_gets_the_card(self, as_alice: Client, ines: CalendarConnection) -> None:
        response = as_alice.post(f"{BASE}{ines.pk}/sync/", headers={"HX-Request": "true"})
        assert b"Syncing" in response.content
        assert b"<html" not in response.content

    @pytest.mark.parametrize("status", [Status.PAUSED, Status.NEEDS_ATTENTION])
    def test_it_cannot_wake_what_rests(self, as_alice: Client, ines: CalendarConnection, status: str) -> None:
        CalendarConnection.objects.update(status=status, next_sync_at=None)
        as_alice.post(f"{BASE}{ines.pk}/sync/")
        ines.refresh_from_db()
        assert ines.next_sync_at is None


class TestOptions:
    """Four meetings: a private one with and one without a link, and the same not private."""

    @pytest.fixture
    def connection(self, ines: CalendarConnection) -> CalendarConnection:
        now = timezone.now()
        for number, (private, url) in enumerate([(True, ""), (True, "https://x"), (False, ""), (False, "https://x")]):
            Meeting.objects.create(
                connection=ines, external_id=str(number), start=now, end=now, private=private, join_url=url
            )
        CalendarConnection.objects.update(
            status=Status.CONNECTED, last_synced_at=now, sync_private=True, meeting_count=4,
            next_sync_at=now + timedelta(hours=1), private_left_out=0, offline_left_out=0,
        )  # fmt: skip
        ines.refresh_from_db()
        return ines

    def turn(self, client: Client, connection: CalendarConnection, option: str, to: str, **headers: str) -> Any:
        response = client.post(f"{BASE}{connection.pk}/options/", {option: to}, headers=headers)
        connection.refresh_from_db()
        return response

    def left(self) -> list[str]:
        return sorted(Meeting.objects.values_list("external_id", flat=True))

    def test_private_off_deletes_what_is_private_in_the_same_request(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        response = self.turn(as_alice, connection, "sync_private", "off")
        assert self.left() == ["2", "3"]
        assert f"{INES}: Private appointments are not synced any more. 2 were deleted here." in said(response)
        assert (connection.sync_private, connection.meeting_count, connection.private_left_out) == (False, 2, 2)
        assert response.url == BASE
        assert "2 private appointments are not synced." in as_alice.get(BASE).content.decode()

    def test_only_online_on_deletes_what_has_no_link(self, as_alice: Client, connection: CalendarConnection) -> None:
        response = self.turn(as_alice, connection, "sync_only_online", "on")
        assert self.left() == ["1", "3"]
        assert "Only online meetings are synced now. 2 meetings without a link were deleted here." in said(response)
        assert (connection.sync_only_online, connection.meeting_count, connection.offline_left_out) == (True, 2, 2)

    @pytest.mark.parametrize(
        ("option", "to", "words"),
        [
            ("sync_private", "on", "Private appointments are synced from now on."),
            ("sync_only_online", "off", "Meetings without a link are synced too from now on."),
        ],
    )
    def test_the_other_way_deletes_nothing_and_fetches_at_once(
        self, as_alice: Client, connection: CalendarConnection, option: str, to: str, words: str
    ) -> None:
        CalendarConnection.objects.update(
            sync_private=False, sync_only_online=True, private_left_out=7, offline_left_out=9
        )
        Meeting.objects.exclude(external_id="3").delete()  # such as no sync with these options has stored
        response = self.turn(as_alice, connection, option, to)
        assert f"{INES}: {words}" in said(response)
        assert self.left() == ["3"]
        counts = (connection.private_left_out, connection.offline_left_out)
        assert counts == ((0, 9) if option == "sync_private" else (7, 0))
        assert CalendarConnection.objects.due(timezone.now()).exists()

    def test_the_same_again_changes_nothing(self, as_alice: Client, connection: CalendarConnection) -> None:
        before = connection.next_sync_at
        response = self.turn(as_alice, connection, "sync_private", "on")
        assert response.status_code == 302
        assert (connection.next_sync_at, self.left()) == (before, ["0", "1", "2", "3"])

    def test_htmx_gets_the_card_and_the_sentence_for_its_live_region(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        page = self.turn(as_alice, connection, "sync_private", "off", **{"HX-Request": "true"}).content.decode()
        assert "<html" not in page
        assert f'<p id="said-{connection.pk}" hx-swap-oob="innerHTML">Private appointments are not' in page
        assert re.search(r'aria-checked="false"[^>]*name="sync_private" value="on"', page)

    def test_a_sync_that_runs_with_the_old_options_cannot_write(
        self, as_alice: Client, connection: CalendarConnection
    ) -> None:
        now = timezone.now()
        _, token = CalendarConnection.objects.filter(pk=connection.pk).claim(now, limit=1)
        running = CalendarConnection.objects.begin(connection.pk, token, now)
        assert running
        assert running.lease_token
        self.turn(as_alice, connection, "sync_private", "off")
        with pytest.raises(LeaseLost):
            running.record_success(running.lease_token, started=now, now=now, cursor="", counts={})
        assert CalendarConnection.objects.due(timezone.now()).exists()

    @pytest.mark.parametrize("status", [Status.PAUSED, Status.NEEDS_ATTENTION])
    def test_what_rests_is_cleaned_all_the_same(
        self, as_alice: Client, connection: CalendarConnection, status: str
    ) -> None:
        CalendarConnection.objects.update(status=status, next_sync_at=None)
        self.turn(as_alice, connection, "sync_private", "off")
        assert (connection.next_sync_at, self.left()) == (None, ["2", "3"])

    @pytest.mark.parametrize("nonsense", [{}, {"sync_private": "x"}, {"sync_private": ""}, {"status": "on"}])
    def test_nonsense_changes_nothing(
        self, as_alice: Client, connection: CalendarConnection, nonsense: dict[str, str]
    ) -> None:
        assert as_alice.post(f"{BASE}{connection.pk}/options/", nonsense).status_code == 400
        assert self.left() == ["0", "1", "2", "3"]

    def test_others_keep_theirs(self, as_alice: Client, connection: CalendarConnection, bob: User) -> None:
        other = CalendarConnection.objects.create(owner=bob, provider="microsoft-work", account_id="b")
        now = timezone.now()
        Meeting.objects.create(connection=other, external_id="bob's", start=now, end=now, private=True)
        self.turn(as_alice, connection, "sync_private", "off")
        assert self.left() == ["2", "3", "bob's"]


class TestDisconnect:
    def test_it_says_what_it_will_delete_and_changes_nothing_yet(
        self, as_alice: Client, ines: CalendarConnection
    ) -> None:
        CalendarConnection.objects.update(meeting_count=2)
        page = as_alice.get(f"{BASE}{ines.pk}/disconnect/").content.decode()
        assert "Sally deletes her access to this calendar and the 2 meetings she keeps of it." in page
        assert CalendarConnection.objects.exists()

    def test_confirmed_it_deletes_and_says_what(self, as_alice: Client, ines: CalendarConnection) -> None:
        now = timezone.now()
        for number in range(2):
            Meeting.objects.create(connection=ines, external_id=str(number), start=now, end=now)
        response = as_alice.post(f"{BASE}{ines.pk}/disconnect/")
        assert f"{INES} is disconnected. Deleted: the access to it and 2 meetings." in said(response)
        assert CalendarConnection.objects.count() == ConnectionSecret.objects.count() == Meeting.objects.count() == 0


OWN = [("get", ""), ("post", "sync/"), ("post", "options/"), ("get", "disconnect/"), ("post", "disconnect/")]


@pytest.mark.parametrize(("method", "path"), OWN)
def test_another_users_connection_is_not_found(
    ines: CalendarConnection, bob: User, charlie: User, method: str, path: str
) -> None:
    for user in (bob, charlie):
        response = getattr(signed_in(user), method)(f"{BASE}{ines.pk}/{path}")
        assert response.status_code == 404
    assert CalendarConnection.objects.filter(pk=ines.pk).exists()


def test_another_users_connection_cannot_be_reconnected(ines: CalendarConnection, bob: User) -> None:
    client = signed_in(bob)
    assert client.post(f"{BASE}connect/microsoft-work/", {"connection": str(ines.pk)}).status_code == 404
    assert client.post(f"{BASE}connect/microsoft-work/", {"connection": "nonsense"}).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["", "add/", f"{uuid.uuid4()}/", f"{uuid.uuid4()}/disconnect/", "microsoft/callback/?state=x"]
)
def test_strangers_are_asked_to_sign_in(path: str) -> None:
    response = Client().get(BASE + path)
    assert response.status_code == 302
    assert response.url.startswith("/sign-in/")  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["connect/microsoft-work/", f"{uuid.uuid4()}/sync/", f"{uuid.uuid4()}/options/"])
def test_nothing_changes_by_get(as_alice: Client, path: str) -> None:
    assert as_alice.get(BASE + path).status_code == 405


def test_forms_need_their_token(alice: User, ines: CalendarConnection) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(f"{BASE}{ines.pk}/disconnect/").status_code == 403
    assert CalendarConnection.objects.exists()


def test_connecting_again_is_the_same_connection(
    as_alice: Client, ines: CalendarConnection, microsoft: Sandbox
) -> None:
    assert connect(as_alice, microsoft).pk == ines.pk
