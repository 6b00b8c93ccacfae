"""The page for Exchange servers as a person uses it, and as somebody abuses it."""

from __future__ import annotations

import html
import logging
import re
import sys
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.db import connection as database
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from integrations import errors, hints
from integrations.models import CalendarConnection, PasswordTrial, UnreachableServer
from integrations.providers.exchange import EXCHANGE
from sally.models import Session, User
from sally.reports import Reporter
from sally.sessions import SessionStore
from tests.integrations.looking import ADDRESS, CODES, MAIL, PASSWORD, Look, connected, needing_attention, password_of

# In a name, for reports show the lines of code as well.
CANARY = "secret-canary-7f3a9c"


def typed(**other: str) -> dict[str, str]:
    known = {"username": "QUAY\\ines", "password": PASSWORD, "server": "mail.quay.example/owa", "version": "2016"}
    return known | other


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def shown(response: Any) -> str:
    return html.unescape(response.content.decode())


def field(response: Any, name: str) -> str:
    """What a reader learns of one field: its input's attributes, and what they point to."""
    page = response.content.decode()
    found = re.search(rf'<(?:input|select)[^>]* id="id_{name}"[^>]*>', page)
    assert found
    described = re.search(r'aria-describedby="([^"]+)"', found[0])
    parts = [found[0]]
    for id in described[1].split() if described else []:
        part = re.search(rf'<(\w+)[^>]* id="{id}"[^>]*>(.*?)</\1>', page, re.DOTALL)
        assert part, f"aria-describedby names {id}, which is not there"
        parts.append(part[2])
    return html.unescape(re.sub(r"\s+", " ", " ".join(parts)))


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    look = Look()
    monkeypatch.setattr(type(EXCHANGE), "look", lambda self, *asked: look(self, *asked))
    return look


class TestConnecting:
    def test_the_tile_leads_to_the_form_by_a_link(self, as_alice: Client) -> None:
        page = as_alice.get("/settings/integrations/add/").content.decode()
        assert re.search(rf'<a class="button" href="{ADDRESS}"[^>]*aria-describedby="[^"]+"[^>]*>Connect</a>', page)

    def test_the_form_has_the_guides_four_fields_its_example_and_its_hint(self, as_alice: Client) -> None:
        page = as_alice.get(ADDRESS).content.decode()
        labels = re.findall(r"<label[^>]*>([^<]+)</label>", page)
        assert labels == ["Username", "Password", "Exchange Server URL", "Version"]
        assert "https://outlook.yourcompany.com/EWS/Exchange.asmx" in page
        assert "You usually receive this information from your internal IT department." in page
        options = re.findall(r"<option[^>]*>([^<]+)</option>", page)
        assert options[0] == "Detect automatically"
        assert len(options) == 6
        assert re.search(r'<button type="submit"[^>]*>Connect</button>', page)

    def test_what_was_typed_connects_the_calendar(self, as_alice: Client, alice: User, look: Look) -> None:
        response = as_alice.post(ADDRESS, typed())
        start = "/settings/meeting-assistant/start/?connected"
        assert (response.status_code, response.headers["Location"]) == (302, start)
        (asked,) = look.asked
        assert (asked.address.url, asked.username, asked.password, asked.version) == (
            MAIL,
            "QUAY\\ines",
            PASSWORD,
            "2016",
        )
        connection = CalendarConnection.objects.get()
        assert (connection.owner, connection.provider, connection.account_email) == (
            alice,
            "exchange",
            "ines@quay.example",
        )
        assert connection.next_sync_at
        assert connection.next_sync_at <= timezone.now()
        assert password_of(connection) == PASSWORD

    def test_the_address_that_is_used_is_said(self, as_alice: Client, look: Look) -> None:
        assert said(as_alice.post(ADDRESS, typed())) == f"ines@quay.example is connected. Sally reads it at {MAIL}."

    def test_the_same_calendar_again_heals_the_row(self, as_alice: Client, alice: User, look: Look) -> None:
        known = needing_attention(alice, errors.PasswordRefused())
        as_alice.post(ADDRESS, typed(password="a new one"))
        known.refresh_from_db()
        assert (known.status, known.last_error, known.sync_private) == ("connecting", "", True)
        assert password_of(known) == "a new one"
        assert CalendarConnection.objects.count() == 1

    def test_a_server_that_is_reached_is_none_that_cannot_be(self, as_alice: Client, look: Look) -> None:
        for host in ("mail.quay.example", "other.example"):
            UnreachableServer.objects.notice(errors.NotReached(host=host), timezone.now())
        as_alice.post(ADDRESS, typed())
        assert [one.host for one in UnreachableServer.objects.all()] == ["other.example"]

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_nobody_does_it_signed_out(self, db: None, look: Look, method: str) -> None:
        response = getattr(Client(), method)(ADDRESS, typed())
        assert response.headers["Location"].startswith("/sign-in/?next=")
        assert look.asked == []

    @pytest.mark.parametrize(("tile", "filled"), [("exchange", True), ("microsoft-work", False)])
    def test_a_hint_from_another_page_fills_in_the_user_name(
        self, as_alice: Client, rf: RequestFactory, tile: str, filled: bool
    ) -> None:
        request = rf.get("/")
        request.session = as_alice.session
        hints.remember(request, tile, "ines@quay.example")
        request.session.save()
        assert ('value="ines@quay.example"' in field(as_alice.get(ADDRESS), "username")) == filled


class TestRefusals:
    @pytest.mark.parametrize(("kind", "code", "name"), CODES, ids=[code for _, code, _ in CODES])
    def test_each_stands_next_to_its_field_with_its_code(
        self, as_alice: Client, look: Look, kind: type[errors.ProviderError], code: str, name: str
    ) -> None:
        look.outcome = kind("a detail for the log", code=code)
        response = as_alice.post(ADDRESS, typed())
        assert response.status_code == 200
        told = {one: field(response, one) for one in ("username", "password", "server", "version")}
        if name:
            assert "Nothing was connected" in told[name]
            assert f'<span class="code">{code}</span>' in told[name]
            assert 'aria-invalid="true"' in told[name]
            assert " autofocus" in told[name]
        others = "".join(text for one, text in told.items() if one != name)
        assert "aria-invalid" not in others
        assert " autofocus" not in others
        assert f'<span class="code">{code}</span>' not in others
        (alert,) = re.findall(r'<div class="notice notice-error"[^>]*>.*?</div>', response.content.decode(), re.DOTALL)
        assert "Nothing was connected" in alert
        assert (code in alert, "autofocus" in alert) == (not name, not name)
        assert "a detail for the log" not in shown(response)
        assert not CalendarConnection.objects.exists()

    @pytest.mark.parametrize(("kind", "code", "name"), CODES, ids=[code for _, code, _ in CODES])
    def test_none_speaks_of_a_sign_in_at_microsoft_but_the_wrong_door(
        self, as_alice: Client, look: Look, kind: type[errors.ProviderError], code: str, name: str
    ) -> None:
        look.outcome = kind(code=code)
        page = shown(as_alice.post(ADDRESS, typed()))
        main = re.sub(r"<[^>]+>", "", page[page.index("<h1") : page.index("</main>")])
        assert ("Microsoft" in main) == (code == "DOOR-3")

    def test_all_that_was_typed_is_kept_but_the_password(self, as_alice: Client, look: Look) -> None:
        look.outcome = errors.PasswordRefused()
        response = as_alice.post(ADDRESS, typed())
        assert 'value="QUAY\\ines"' in field(response, "username")
        assert 'value="mail.quay.example/owa"' in field(response, "server")
        assert re.search(r'<option value="2016" selected', response.content.decode())
        assert "value=" not in field(response, "password")

    @pytest.mark.parametrize("code", ["PASSWORD", "NET-2", "EWS-BUSY"])
    def test_the_address_that_was_asked_is_shown(self, as_alice: Client, look: Look, code: str) -> None:
        look.outcome = next(kind for kind, known, _ in CODES if known == code)(code=code)
        assert f"Sally uses this address: <strong>{MAIL}</strong>" in shown(as_alice.post(ADDRESS, typed()))

    def test_an_address_that_is_refused_asks_nobody(self, as_alice: Client, look: Look) -> None:
        response = as_alice.post(ADDRESS, typed(server="http://mail.quay.example"))
        assert "Sally sends passwords over https only." in field(response, "server")
        assert "Sally uses this address" not in shown(response)
        assert look.asked == []
        assert not PasswordTrial.objects.exists()

    def test_both_causes_why_a_server_is_not_reached_read_the_same(self, as_alice: Client, look: Look) -> None:
        """Else the form would tell which addresses of a network exist."""
        pages = []
        for detail, remedy in (("resolves to 10.1.2.3", "EXCHANGE_ALLOWED_NETWORKS=10.1.2.3/32"), ("no answer", "")):
            look.outcome = errors.NotReached(detail, host="mail.quay.example", remedy=remedy)
            pages.append(re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", shown(as_alice.post(ADDRESS, typed()))))
        assert pages[0] == pages[1]
        sentence = "The server cannot be reached, or Sally's administrator has not allowed this network."
        assert sentence in pages[0]

    def test_whoever_runs_sally_learns_the_cause(self, as_alice: Client, look: Look) -> None:
        look.outcome = errors.NotReached("resolves to 10.1.2.3", host="mail.quay.example", remedy="A=10.1.2.3/32")
        as_alice.post(ADDRESS, typed())
        row = UnreachableServer.objects.get()
        assert (row.host, row.cause, row.remedy) == ("mail.quay.example", "resolves to 10.1.2.3", "A=10.1.2.3/32")

    @pytest.mark.parametrize("server", ["outlook.office365.com", "https://outlook.office.com/mail/"])
    def test_microsofts_cloud_is_one_click_from_the_right_tile(self, as_alice: Client, look: Look, server: str) -> None:
        response = as_alice.post(ADDRESS, typed(server=server, username=" ines@quay.example "))
        told = field(response, "server")
        assert '<a href="/settings/integrations/add/#tile-microsoft-work">To the right tile</a>' in told
        assert hints.account_for(response.wsgi_request, "microsoft-work") == "ines@quay.example"
        assert look.asked == []

    def test_a_user_name_that_is_no_address_is_no_hint(self, as_alice: Client, look: Look) -> None:
        as_alice.post(ADDRESS, typed(server="outlook.office365.com"))
        assert "account_hint" not in as_alice.session


class TestTheGuard:
    def test_the_same_refused_password_is_not_sent_again(self, as_alice: Client, look: Look) -> None:
        look.outcome = errors.PasswordRefused()
        as_alice.post(ADDRESS, typed())
        response = as_alice.post(ADDRESS, typed())
        assert "Sally did not send it again: repeated attempts lock accounts." in field(response, "password")
        assert "try again in 10 minutes" in field(response, "password")
        assert len(look.asked) == 1

    def test_a_wrong_one_and_then_the_right_one(self, as_alice: Client, look: Look) -> None:
        look.outcome = errors.PasswordRefused()
        as_alice.post(ADDRESS, typed(password="wrong"))
        look.outcome = "ines@quay.example"
        assert as_alice.post(ADDRESS, typed()).status_code == 302
        assert [one.password for one in look.asked] == ["wrong", PASSWORD]

    def test_the_eleventh_trial_is_told_how_long_to_wait(self, as_alice: Client, look: Look) -> None:
        look.outcome = errors.NotReached(host="mail.quay.example")
        for number in range(10):
            assert as_alice.post(ADDRESS, typed(server=f"{number}.example")).status_code == 200
        response = as_alice.post(ADDRESS, typed())
        assert (response.status_code, len(look.asked)) == (429, 10)
        assert "Please wait 15 minutes." in shown(response)
        assert 14 * 60 < int(response.headers["Retry-After"]) <= 15 * 60

    @pytest.mark.django_db(transaction=True)
    def test_of_two_windows_at_once_one_signs_in(self, alice: User, look: Look) -> None:
        pages: list[Any] = []
        barrier, first_is_there = threading.Barrier(2), threading.Event()

        def wait() -> None:
            assert first_is_there.wait(30)

        look.outcome = wait

        def submit() -> None:
            client = Client()
            client.force_login(alice)
            barrier.wait()
            pages.append(client.post(ADDRESS, typed()))
            first_is_there.set()
            database.close()

        threads = [threading.Thread(target=submit) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [page.status_code for page in pages] == [200, 302]
        assert "Sally is already trying this sign-in in another window" in shown(pages[0])
        assert len(look.asked) == 1
        assert CalendarConnection.objects.count() == 1

    def test_a_trial_that_died_does_not_lock_the_form(self, as_alice: Client, alice: User, look: Look) -> None:
        PasswordTrial.objects.claim(alice, MAIL, "QUAY\\ines", timezone.now())
        assert "already trying" in shown(as_alice.post(ADDRESS, typed()))
        PasswordTrial.objects.update(started_at=timezone.now() - timedelta(seconds=91))
        assert as_alice.post(ADDRESS, typed()).status_code == 302


class TestANewPassword:
    @pytest.fixture
    def refused(self, alice: User) -> CalendarConnection:
        return needing_attention(alice, errors.PasswordRefused())

    def address(self, connection: CalendarConnection) -> str:
        return f"{ADDRESS}?connection={connection.pk}"

    def test_its_card_leads_to_the_form(self, as_alice: Client, refused: CalendarConnection) -> None:
        page = shown(as_alice.get("/settings/integrations/"))
        assert re.search(
            rf'<a class="button button-main" href="{re.escape(self.address(refused))}"[^>]*>Enter sign-in details</a>',
            page,
        )
        assert "repeated attempts lock accounts" in page

    def test_the_form_knows_all_but_the_password(self, as_alice: Client, refused: CalendarConnection) -> None:
        response = as_alice.get(self.address(refused))
        assert 'value="QUAY\\ines"' in field(response, "username")
        assert f'value="{MAIL}"' in field(response, "server")
        assert " autofocus" in field(response, "password")
        assert PASSWORD not in shown(response)
        assert "Your Exchange server refused the user name or the password." in shown(response)

    def test_it_heals_the_row_and_keeps_options(
        self, as_alice: Client, refused: CalendarConnection, look: Look
    ) -> None:
        response = as_alice.post(self.address(refused), typed(password="a new one"))
        assert response.headers["Location"] == "/settings/meeting-assistant/start/?connected"
        refused.refresh_from_db()
        assert (refused.status, refused.last_error, refused.sync_private) == ("connecting", "", True)
        assert password_of(refused) == "a new one"

    def test_the_mailbox_may_have_moved_to_another_server(
        self, as_alice: Client, refused: CalendarConnection, look: Look
    ) -> None:
        CalendarConnection.objects.update(cursor="a cursor of the old server")
        look.outcome = "Ines@quay.example"
        as_alice.post(self.address(refused), typed(server="new.quay.example"))
        (row,) = CalendarConnection.objects.all()
        assert (row.pk, row.account_id, row.host) == (
            refused.pk,
            "new.quay.example/Ines@quay.example",
            "new.quay.example",
        )
        assert (row.status, row.cursor) == ("connecting", "")

    def test_unless_it_was_connected_there_already(
        self, as_alice: Client, alice: User, refused: CalendarConnection, look: Look
    ) -> None:
        there = connected(alice, host="new.quay.example")
        response = as_alice.post(self.address(refused), typed(server="new.quay.example", password="a new one"))
        assert "was connected at this server already" in said(response)
        assert (password_of(there), password_of(refused)) == ("a new one", PASSWORD)
        refused.refresh_from_db()
        assert refused.status == "needs_attention"

    def test_the_address_may_have_changed(self, as_alice: Client, refused: CalendarConnection, look: Look) -> None:
        """Or is not told any more: the same user name at the same server opens the same mailbox."""
        look.outcome = "ines.falk@quay.example"
        as_alice.post(self.address(refused), typed(username="quay\\INES", password="a new one"))
        (row,) = CalendarConnection.objects.all()
        assert (row.pk, row.account_email) == (refused.pk, "ines.falk@quay.example")
        assert password_of(row) == "a new one"

    def test_another_mailbox_is_told_of_and_not_connected(
        self, as_alice: Client, refused: CalendarConnection, look: Look
    ) -> None:
        look.outcome = "tomas@quay.example"
        response = as_alice.post(self.address(refused), typed(username="tomas@quay.example", password="of tomas"))
        page = shown(response)
        assert "This sign-in opens the mailbox tomas@quay.example" in page
        assert "the calendar you wanted to reconnect is ines@quay.example. Nothing was changed." in page
        assert f'<a href="{ADDRESS}">Connect tomas@quay.example as a new calendar</a>' in page
        assert CalendarConnection.objects.count() == 1
        refused.refresh_from_db()
        assert (refused.status, password_of(refused)) == ("needs_attention", PASSWORD)
        assert 'value="tomas@quay.example"' in field(as_alice.get(ADDRESS), "username")

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_anybody_elses_does_not_exist(
        self, bob: User, refused: CalendarConnection, look: Look, method: str
    ) -> None:
        client = Client()
        client.force_login(bob)
        assert client.generic(method.upper(), self.address(refused)).status_code == 404
        assert client.post(self.address(refused), typed()).status_code == 404
        assert look.asked == []

    @pytest.mark.parametrize("named", ["x", "1", str(uuid.UUID(int=1)), "../", "%00"])
    def test_neither_does_nonsense(self, as_alice: Client, look: Look, named: str) -> None:
        assert as_alice.get(f"{ADDRESS}?connection={named}").status_code == 404

    def test_neither_does_one_of_another_kind(self, as_alice: Client, alice: User) -> None:
        other = CalendarConnection.objects.create(owner=alice, provider="microsoft-work", account_id="u.t")
        assert as_alice.get(self.address(other)).status_code == 404

    def test_sallys_own_password_is_asked_for_first(
        self, as_alice: Client, refused: CalendarConnection, look: Look
    ) -> None:
        address = self.address(refused)
        with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
            for response in (as_alice.get(address), as_alice.post(address, typed(), headers={"referer": address})):
                assert response.status_code == 302
                assert response.headers["Location"].startswith("/confirm/?next=")
            assert look.asked == []
            assert as_alice.get(ADDRESS).status_code == 200

    def test_an_admins_pause_stays(self, as_alice: Client, refused: CalendarConnection, look: Look) -> None:
        refused.pause()
        response = as_alice.post(self.address(refused), typed())
        assert response.headers["Location"] == "/settings/integrations/"
        refused.refresh_from_db()
        assert (refused.status, refused.last_error) == ("paused", "")


class TestThePasswordIsNowhere:
    """But sealed in its row, and on its way to the server."""

    @pytest.mark.parametrize(
        "outcome",
        [
            "ines@quay.example",
            "tomas@quay.example",
            errors.PasswordRefused(),
            errors.NotReached(host="x"),
            RuntimeError(),
        ],
        ids=["connected", "another mailbox", "refused", "not reached", "a bug"],
    )
    @pytest.mark.parametrize("debug", [True, False])
    def test_whatever_comes_of_it(
        self,
        alice: User,
        look: Look,
        settings: Settings,
        caplog: pytest.LogCaptureFixture,
        outcome: Any,
        debug: bool,
    ) -> None:
        settings.DEBUG = debug
        client = Client(raise_request_exception=False)
        client.force_login(alice)
        known = needing_attention(alice, errors.PasswordRefused())
        look.outcome = outcome
        caplog.set_level(logging.DEBUG)
        for address in (ADDRESS, f"{ADDRESS}?connection={known.pk}"):
            response = client.post(address, typed(password=CANARY))
            seen = [
                response.content.decode(),
                str(response.headers),
                said(response),
                repr(PasswordTrial.objects.values()),
            ]
            seen += [repr(SessionStore(one.session_key).load()) for one in Session.objects.all()]
            seen += [client.get("/settings/integrations/").content.decode(), caplog.text]
            assert [text for text in seen if CANARY in text] == []
        assert len(look.asked) == 2 - isinstance(outcome, errors.PasswordRefused)

    def test_nor_in_a_report_of_a_bug(self, as_alice: Client, look: Look, rf: Any, alice: User) -> None:
        look.outcome = RuntimeError("a bug")
        request = rf.post(ADDRESS, typed(password=CANARY))
        request.user, request.session = alice, as_alice.session
        from integrations.exchange_page import exchange

        try:
            exchange(request)
        except RuntimeError:
            reporter = Reporter(request, *sys.exc_info())
            reports = [reporter.get_traceback_html(), reporter.get_traceback_text()]
        assert "exchange_page" in reports[0]
        assert [one for one in reports if CANARY in one] == []
