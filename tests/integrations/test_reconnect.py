"""Reconnecting: the same row is healed, another account is noticed, and what Microsoft wants proved is passed on."""

from __future__ import annotations

import html
import json
import re
import threading
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection as database
from django.test import Client
from django.utils import timezone

from calendars import tasks
from calendars.models import Meeting
from integrations.models import CalendarConnection, ConnectionSecret, SignIn
from sally.models import User
from tests.calendars.test_failures import CLAIMS, refused, sync_now
from tests.conftest import INES, TOMAS, address_of, connect, sign_in_at_microsoft
from tests.integrations.test_views import said, signed_in
from tests.sandbox_process import Sandbox

BASE = "/settings/integrations/"


def to_microsoft(client: Client, connection: CalendarConnection | None = None) -> str:
    """The address at Microsoft that a click on the button leads to."""
    chosen = {"connection": str(connection.pk)} if connection else {}
    return address_of(client.post(f"{BASE}connect/microsoft-work/", chosen, follow=True).content.decode())


def back(sandbox: Sandbox, address: str, email: str = INES) -> str:
    """Sign in there with an account of one's choice; the callback's path and query."""
    # The account that Sally hints at can be exchanged for another at Microsoft.
    parts = urlsplit(sandbox.sign_in(address.replace("login_hint=", "ignored="), email))
    return f"{parts.path}?{parts.query}"


def asked(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


class TestTheSameAccount:
    def test_it_heals_the_row_and_keeps_options_and_meetings(
        self, as_alice: Client, ines: CalendarConnection, microsoft: Sandbox
    ) -> None:
        sync_now(ines)
        CalendarConnection.objects.update(
            sync_private=True, status="needs_attention", last_error="AADSTS50173", last_error_kind="ReconnectNeeded",
            next_sync_at=None, told_at=timezone.now(),
        )  # fmt: skip
        meetings = set(Meeting.objects.values_list("pk", flat=True))
        as_alice.get(back(microsoft, to_microsoft(as_alice, ines)))
        ines.refresh_from_db()
        assert (ines.status, ines.last_error, ines.told_at, ines.sync_private) == ("connected", "", None, True)
        sync_now(ines)
        assert meetings <= set(Meeting.objects.values_list("pk", flat=True))

    @pytest.mark.django_db(transaction=True)
    def test_two_sign_ins_at_once_to_one_mailbox_are_one_connection(
        self, as_alice: Client, alice: User, microsoft: Sandbox
    ) -> None:
        callbacks = [sign_in_at_microsoft(as_alice, microsoft) for _ in range(3)]
        barrier = threading.Barrier(3)
        answers: list[int] = []

        def finish(callback: str) -> None:
            client = signed_in(alice)
            barrier.wait()
            answers.append(client.get(callback).status_code)
            database.close()

        threads = [threading.Thread(target=finish, args=(callback,)) for callback in callbacks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [302, 302, 302]
        assert CalendarConnection.objects.count() == ConnectionSecret.objects.count() == 1
        assert set(SignIn.objects.values_list("outcome", flat=True)) == {"connected"}


class TestAnotherAccount:
    @pytest.fixture
    def offered(self, as_alice: Client, ines: CalendarConnection, microsoft: Sandbox) -> str:
        """The page that a reconnect of Ines's calendar as Tomas leads to."""
        CalendarConnection.objects.update(
            status="needs_attention", last_error="AADSTS50173", last_error_kind="ReconnectNeeded"
        )
        response = as_alice.get(back(microsoft, to_microsoft(as_alice, ines), TOMAS))
        return str(response.url)  # type: ignore[attr-defined]

    def test_it_is_noticed_and_nothing_changes_yet(
        self, as_alice: Client, offered: str, ines: CalendarConnection
    ) -> None:
        page = as_alice.get(offered).content.decode()
        assert f"You signed in as {TOMAS}, but the calendar you wanted to reconnect is {INES}." in page
        ines.refresh_from_db()
        assert (ines.account_email, ines.status) == (INES, "needs_attention")
        assert CalendarConnection.objects.count() == 1

    def test_it_can_be_connected_besides(self, as_alice: Client, offered: str, ines: CalendarConnection) -> None:
        assert said(as_alice.post(offered)) == f"{TOMAS} is connected."
        assert set(CalendarConnection.objects.values_list("account_email", "status")) == {
            (INES, "needs_attention"),
            (TOMAS, "connecting"),
        }

    def test_once(self, as_alice: Client, offered: str) -> None:
        as_alice.post(offered)
        again = as_alice.post(offered)
        assert again.url == BASE  # type: ignore[attr-defined]
        assert "already used" not in said(again)
        assert CalendarConnection.objects.count() == 2

    def test_one_that_is_connected_already_is_offered_to_be_renewed(
        self, as_alice: Client, alice: User, offered: str, microsoft: Sandbox
    ) -> None:
        connect(as_alice, microsoft, TOMAS)
        assert f"Renew {TOMAS}, which is connected already" in as_alice.get(offered).content.decode()
        as_alice.post(offered)
        assert CalendarConnection.objects.count() == 2

    def test_it_can_be_left(self, as_alice: Client, offered: str) -> None:
        assert as_alice.post(offered, {"leave": "yes"}).url == BASE  # type: ignore[attr-defined]
        assert CalendarConnection.objects.count() == 1
        assert all(one.flow == {} for one in SignIn.objects.all())

    def test_it_can_be_tried_again_with_the_right_one(
        self, as_alice: Client, offered: str, ines: CalendarConnection, microsoft: Sandbox
    ) -> None:
        as_alice.get(back(microsoft, to_microsoft(as_alice, ines), INES))
        ines.refresh_from_db()
        assert (ines.status, CalendarConnection.objects.count()) == ("connecting", 1)

    def test_the_offer_expires_and_is_nobody_elses(self, as_alice: Client, bob: User, offered: str) -> None:
        assert signed_in(bob).post(offered).status_code == 404
        SignIn.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert "has expired" in said(as_alice.post(offered))
        assert CalendarConnection.objects.count() == 1
        tasks.look_after()
        assert not SignIn.objects.filter(outcome="another account").exists()

    def test_its_tokens_are_sealed_meanwhile(self, offered: str) -> None:
        with database.cursor() as cursor:
            cursor.execute("SELECT flow FROM integrations_signin WHERE outcome = %s", ["another account"])
            (flow,) = cursor.fetchone()
        assert TOMAS not in flow
        assert "RefreshToken" not in flow

    def test_another_tile_without_a_connection_to_mend_just_connects(
        self, as_alice: Client, ines: CalendarConnection, microsoft: Sandbox
    ) -> None:
        connect(as_alice, microsoft, TOMAS)
        assert CalendarConnection.objects.count() == 2


class TestWhatIsToBeProved:
    def test_a_reconnect_passes_the_challenge_on(
        self, as_alice: Client, microsoft: Sandbox, ines: CalendarConnection
    ) -> None:
        CalendarConnection.objects.update(claims=CLAIMS, status="needs_attention")
        ines.refresh_from_db()
        assert json.loads(asked(to_microsoft(as_alice, ines))["claims"]) == json.loads(CLAIMS)

    def test_and_a_healed_one_asks_for_nothing_special(
        self, as_alice: Client, microsoft: Sandbox, ines: CalendarConnection
    ) -> None:
        CalendarConnection.objects.update(claims=CLAIMS, status="needs_attention")
        ines.refresh_from_db()
        as_alice.get(back(microsoft, to_microsoft(as_alice, ines)))
        assert "claims" not in asked(to_microsoft(as_alice, ines))

    def test_a_challenge_at_the_end_of_a_sign_in_leads_right_back_with_it_once(
        self, as_alice: Client, microsoft: Sandbox
    ) -> None:
        fault = refused("interaction_required", 50076, "basic_action", CLAIMS)
        callback = sign_in_at_microsoft(as_alice, microsoft)
        microsoft.control("POST", "faults", json=fault)
        page = as_alice.get(callback, follow=True).content.decode()
        address = address_of(page)
        assert json.loads(asked(address)["claims"]) == json.loads(CLAIMS)
        microsoft.control("POST", "faults", json=fault)
        response = as_alice.get(back(microsoft, address))
        assert "Microsoft wants to be sure that it is you" in said(response)
        assert response.url == f"{BASE}add/"  # type: ignore[attr-defined]
        assert CalendarConnection.objects.count() == 0

    def test_another_challenge_at_a_reconnect_is_kept_for_the_next_try(
        self, as_alice: Client, microsoft: Sandbox, ines: CalendarConnection
    ) -> None:
        CalendarConnection.objects.update(claims='{"old": true}', status="needs_attention")
        ines.refresh_from_db()
        address = to_microsoft(as_alice, ines)
        microsoft.control("POST", "faults", json=refused("interaction_required", 50076, "basic_action", CLAIMS))
        as_alice.get(back(microsoft, address))
        ines.refresh_from_db()
        assert json.loads(ines.claims) == json.loads(CLAIMS)


def waiting_card(client: Client) -> str:
    """What Integrations says of a sign-in that only an admin can help on with: its title, text and code."""
    page = client.get(BASE).content.decode()
    found = re.search(r'<h2 id="waiting-title">(.*?)</section>', page, re.S)
    return re.sub(r"<[^>]+>", " ", found[1]) if found else ""


REFUSED_AT_MICROSOFT = [
    ("access_denied 65004 User declined.", "You came back from Microsoft without connecting", "AADSTS65004"),
    ("access_denied 90094 Admin consent.", "An admin has to approve Sally first", "AADSTS90094"),
    ("access_denied 90095 Request sent.", "Your request is with your organization's admin", "AADSTS90095"),
    ("consent_required 0 x", "An admin has to approve Sally first", "APPROVAL"),
    ("access_denied 53003 Blocked.", "Your organization's rules block this sign-in.", "AADSTS53003"),
    ("access_denied 50105 Not assigned.", "Your organization allows Sally only for chosen people.", "AADSTS50105"),
    ("invalid_request 50020 Wrong kind.", "This is a personal Microsoft account.", "AADSTS50020"),
    ("invalid_client 650053 Scope.", "Sally's administrator has to act", "AADSTS650053"),
    ("temporarily_unavailable 90033 Later.", "Microsoft's sign-in cannot be reached", "AADSTS90033"),
    ("server_error 0 x", "Microsoft's sign-in cannot be reached", "NET-1"),
    ("invalid_request 50011 Redirect.", "Sally's administrator has to act", "AADSTS50011"),
    ("unheard_of 0 x", "Microsoft's answer could not be verified.", "UNHEARD_OF"),
]


@pytest.mark.parametrize(("refusal", "words", "code"), REFUSED_AT_MICROSOFT)
def test_what_microsoft_sends_back_instead_of_a_code_is_said_and_connects_nothing(
    as_alice: Client, microsoft: Sandbox, refusal: str, words: str, code: str
) -> None:
    microsoft.control("POST", "settings", json={"refuse_sign_in": refusal})
    response = as_alice.get(sign_in_at_microsoft(as_alice, microsoft))
    told = said(response) or html.unescape(waiting_card(as_alice))
    assert told.startswith(words)
    assert code in told
    assert CalendarConnection.objects.count() == ConnectionSecret.objects.count() == 0


def test_the_wrong_door_names_the_right_one_a_click_away(as_alice: Client, microsoft: Sandbox) -> None:
    microsoft.control("POST", "settings", json={"refuse_sign_in": "access_denied 50020 Wrong kind."})
    page = as_alice.get(sign_in_at_microsoft(as_alice, microsoft), follow=True).content.decode()
    assert 'href="/settings/integrations/add/#tile-microsoft-personal"' in page
    assert 'id="tile-microsoft-personal"' in page


def test_a_mailbox_on_premises_names_the_right_door_on_its_card(as_alice: Client, ines: CalendarConnection) -> None:
    CalendarConnection.objects.update(status="needs_attention", last_error="DOOR-1", last_error_kind="WrongDoor")
    page = as_alice.get(BASE).content.decode()
    assert "server, connect it with the tile for Exchange On-Premise;" in page
    assert f'href="/settings/integrations/add/?from={ines.pk}#tile-exchange"' in page
    assert 'id="tile-exchange"' in as_alice.get(f"{BASE}add/").content.decode()
    assert "Sign in with Microsoft" in page  # the mailbox may only just have been set up
