"""An admin's approval: who waits reads why and what to do, IT needs no account, and a browser's word lets nobody in."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from integrations import notices, waiting
from integrations.accounts import SignedIn
from integrations.models import ApprovalRequest, CalendarConnection, SignIn
from integrations.models.approvals import domain_of
from integrations.models.sign_ins import STOPPED_BY
from integrations.waiting import Kind
from sally.models import Organization, User
from tests.conftest import INES, TOMAS, make_user, sign_in_at_microsoft
from tests.sandbox_process import Sandbox
from tests.walking import digest

BASE = "/settings/integrations/"
CALLBACK = f"{BASE}microsoft/callback/"
WORK = "microsoft-work"
NOW = timezone.now()
GUIDE = (
    "offline_access", "openid", "profile", "User.Read", "Calendars.ReadWrite.Shared", "Contacts.ReadWrite.Shared",
    "OnlineMeetings.ReadWrite",
)  # fmt: skip
TENANT = "7e6b2c1a-4c1f-4f7e-9d55-2b8f3a90c601"
State = ApprovalRequest.State


def ask(user: User, address: str = "", now: datetime = NOW) -> ApprovalRequest:
    return ApprovalRequest.objects.ask(user, WORK, address or user.email, now)


def sign_in(user: User, **fields: Any) -> SignIn:
    now = timezone.now()
    values: dict[str, Any] = {"flow": {}, "expires_at": now + timedelta(minutes=15), "state_digest": str(now)}
    return SignIn.objects.create(user=user, **(values | {"provider": WORK} | fields))


def stopped(user: User, kind: str, code: str = "AADSTS90094") -> SignIn:
    return sign_in(user, used_at=timezone.now(), outcome=code, outcome_kind=kind)


def kind_of(user: User, now: datetime | None = None) -> Kind | None:
    found = waiting.of(user, now or timezone.now())
    return found.kind if found else None


def answer(token: str, browser: Client | None = None, **parameters: str) -> Any:
    """What Microsoft's page sends a browser back with; one without an account, unless another is given."""
    return (browser or Client()).get(CALLBACK, {"state": token, **parameters})


def approve(token: str, scopes: str = "", tenant: str = "") -> Any:
    said = {"scope": scopes, "tenant": tenant}
    return answer(token, None, admin_consent="True", **{name: value for name, value in said.items() if value})


def decline(token: str) -> Any:
    return answer(token, error="access_denied", error_description="AADSTS65004: no", admin_consent="True")


def state_of(request: ApprovalRequest) -> str:
    return ApprovalRequest.objects.get(pk=request.pk).state


def text_of(response: Any) -> str:
    """What a person reads, without the tags."""
    plain = re.sub(r"<[^>]+>", " ", response.content.decode())
    return " ".join(html.unescape(plain).split())


# -- what a person who was stopped reads -----------------------------------------------------------------------------


class TestWaiting:
    def test_nobody_waits_without_a_sign_in(self, alice: User) -> None:
        assert kind_of(alice) is None

    def test_a_sign_in_that_did_not_come_back_is_told_from_the_first_moment(self, alice: User) -> None:
        sign_in(alice)
        assert kind_of(alice) is Kind.SILENT

    def test_also_long_after_it_expired(self, alice: User) -> None:
        sign_in(alice, expires_at=NOW - timedelta(days=13))
        assert kind_of(alice) is Kind.SILENT

    @pytest.mark.parametrize(
        ("error", "code", "kind"),
        [
            ("ApprovalNeeded", "AADSTS90094", Kind.REFUSED),
            ("ApprovalNeeded", "APPROVAL", Kind.REFUSED),
            ("ApprovalNeeded", "AADSTS90095", Kind.REQUESTED),
            ("SignInCancelled", "AADSTS65004", Kind.CANCELLED),
            ("PermissionMissing", "PERMISSION", Kind.PARTLY),
            ("Unavailable", "NET-1", None),
            ("ReconnectNeeded", "ASSIGN", None),
            ("", "connected", None),
        ],
    )
    def test_what_ended_it_decides(self, alice: User, error: str, code: str, kind: Kind | None) -> None:
        stopped(alice, error, code)
        assert kind_of(alice) is kind

    def test_each_error_that_stops_a_sign_in_has_its_words(self, alice: User) -> None:
        for kind in STOPPED_BY:
            stopped(alice, kind, "A CODE")
            assert kind_of(alice) in (Kind.REFUSED, Kind.CANCELLED, Kind.PARTLY)

    def test_the_last_one_counts(self, alice: User) -> None:
        stopped(alice, "ApprovalNeeded")
        stopped(alice, "", "connected")
        assert kind_of(alice) is None

    def test_a_personal_account_needs_nobody(self, alice: User) -> None:
        sign_in(alice, provider="microsoft-personal")
        assert kind_of(alice) is None

    def test_a_colleagues_is_not_mine(self, alice: User, bob: User) -> None:
        sign_in(bob)
        ask(bob)
        assert kind_of(alice) is None

    def test_a_request_stands_above_the_sign_in(self, alice: User) -> None:
        stopped(alice, "ApprovalNeeded")
        ask(alice)
        assert kind_of(alice) is Kind.ASKED

    def test_a_link_that_nobody_used_in_two_weeks_is_told(self, alice: User) -> None:
        ask(alice)
        assert kind_of(alice, NOW + timedelta(days=14) - timedelta(seconds=1)) is Kind.ASKED
        assert kind_of(alice, NOW + timedelta(days=14)) is Kind.EXPIRED

    def test_who_is_stopped_after_the_approval_is_told_just_that(self, alice: User) -> None:
        asked = ask(alice)
        approve(asked.token)
        assert kind_of(alice) is Kind.REPORTED
        stopped(alice, "ApprovalNeeded")
        assert kind_of(alice) is Kind.STILL

    def test_also_where_microsofts_page_sent_nothing_back(self, alice: User) -> None:
        approve(ask(alice).token)
        sign_in(alice, expires_at=timezone.now() - timedelta(seconds=1))
        assert kind_of(alice) is Kind.STILL

    def test_who_is_on_the_way_after_the_approval_is_not(self, alice: User) -> None:
        approve(ask(alice).token)
        sign_in(alice)
        assert kind_of(alice) is Kind.REPORTED

    def test_dismissed_it_is_gone_and_the_sign_in_can_still_be_finished(
        self, as_alice: Client, alice: User, microsoft: Sandbox
    ) -> None:
        callback = sign_in_at_microsoft(as_alice, microsoft)
        ask(alice)
        as_alice.post(f"{BASE}approval/dismiss/")
        assert kind_of(alice) is None
        as_alice.get(callback)
        assert CalendarConnection.objects.get().account_email == INES

    def test_a_refused_one_dismissed_is_gone(self, as_alice: Client, alice: User) -> None:
        stopped(alice, "ApprovalNeeded")
        as_alice.post(f"{BASE}approval/dismiss/")
        assert kind_of(alice) is None


class TestApprovedButStillAsked:
    """A colleague's calendar is connected: what it was granted is compared with what is asked for now."""

    def colleague(self, owner: User, scopes: tuple[str, ...], email: str = "bob@quay.example") -> None:
        CalendarConnection.objects.create(
            owner=owner, provider=WORK, account_id=f"{owner.pk}.{TENANT}", account_email=email, granted_scopes=scopes
        )

    def test_a_permission_that_was_added_since_is_named(self, as_alice: Client, alice: User, bob: User) -> None:
        self.colleague(bob, ("openid", "profile", "User.Read", "Calendars.ReadWrite.Shared"))
        stopped(alice, "ApprovalNeeded")
        found = waiting.of(alice, timezone.now())
        assert found
        assert sorted(found.missing) == ["Contacts.ReadWrite.Shared", "OnlineMeetings.ReadWrite"]
        assert "Since then she asks for more" in text_of(as_alice.get(BASE))

    def test_with_the_same_permissions_it_is_another_reason(self, as_alice: Client, alice: User, bob: User) -> None:
        self.colleague(bob, GUIDE)
        stopped(alice, "ApprovalNeeded")
        page = text_of(as_alice.get(BASE))
        assert "connected with the same permissions" in page
        assert "Not approved yet" not in page

    def test_what_was_approved_now_is_not_doubted_for_a_calendar_of_before(
        self, as_alice: Client, alice: User, bob: User
    ) -> None:
        self.colleague(bob, ("openid", "profile", "Calendars.ReadWrite.Shared"))
        approve(ask(alice).token)
        assert "Not approved yet" not in text_of(as_alice.get(BASE))

    def test_what_the_admin_left_out_is_not_told_as_new(self, as_alice: Client, alice: User, bob: User) -> None:
        self.colleague(bob, GUIDE)
        approve(ask(alice).token, "User.Read")
        page = text_of(as_alice.get(BASE))
        assert "Not approved yet: Calendars.ReadWrite.Shared" in page
        assert "Since then she asks for more" not in page

    def test_where_nobody_knows_whether_microsoft_asked_nothing_is_made_up(
        self, as_alice: Client, alice: User, bob: User
    ) -> None:
        self.colleague(bob, GUIDE)
        sign_in(alice)
        assert "A colleague's calendar is connected" not in text_of(as_alice.get(BASE))

    @pytest.mark.parametrize("email", ["bob@tide.example", "bob@not-quay.example"])
    def test_another_domain_says_nothing(self, alice: User, bob: User, email: str) -> None:
        self.colleague(bob, GUIDE, email)
        stopped(alice, "ApprovalNeeded")
        found = waiting.of(alice, timezone.now())
        assert found
        assert not found.known

    def test_another_organization_says_nothing(self, alice: User, charlie: User) -> None:
        self.colleague(charlie, GUIDE)
        stopped(alice, "ApprovalNeeded")
        found = waiting.of(alice, timezone.now())
        assert found
        assert not found.known


# -- asking ----------------------------------------------------------------------------------------------------------


class TestAsking:
    def test_the_form_is_filled_in_with_the_persons_address(self, as_alice: Client) -> None:
        assert 'value="alice@quay.example"' in as_alice.get(f"{BASE}approval/").content.decode()

    def test_with_that_of_the_calendar_that_needs_it_first(self, as_alice: Client, alice: User) -> None:
        CalendarConnection.objects.create(
            owner=alice, provider=WORK, account_email="alice@tide.example", status="needs_attention"
        )
        assert 'value="alice@tide.example"' in as_alice.get(f"{BASE}approval/").content.decode()

    def test_its_domain_is_the_tenant_in_lower_case_and_as_the_dns_spells_it(self, as_alice: Client) -> None:
        as_alice.post(f"{BASE}approval/", {"address": "Alice@Käse.Example", "ask": "yes"})
        asked = ApprovalRequest.objects.get()
        assert (asked.address, asked.domain) == ("Alice@Käse.Example", "xn--kse-qla.example")

    @pytest.mark.parametrize(
        ("address", "domain"),
        [
            ("ina@Straße.example", "xn--strae-oqa.example"),
            ('"a@b"@quay.example', "quay.example"),
            ("ina@quay_north.example.", "quay_north.example"),
            ("Microsoft account", ""),
            ("", ""),
            ("ina@ü..example", ""),
            ("ina@localhost", ""),
            ("ina@[192.0.2.1]", ""),
        ],
    )
    def test_the_domain_of_an_address(self, address: str, domain: str) -> None:
        assert domain_of(address) == domain

    @pytest.mark.parametrize(
        ("address", "words"),
        [
            ("", "This field is required."),
            ("alice", "Enter a valid email address."),
            ("alice@quay", "Enter a valid email address."),
            ("alice@outlook.com", "This is a personal account: nobody has to approve it."),
            ("alice@hotmail.co.uk", "This is a personal account: nobody has to approve it."),
            ("a" * 320 + "@quay.example", "Ensure this value has at most 320 characters"),
            ("alice@gmail.com", "This is a private mail address"),
            ("alice@web.de", "This is a private mail address"),
            ("alice@localhost", "This is no e-mail address that an organization could have."),
            ("alice@[127.0.0.1]", "This is no e-mail address that an organization could have."),
            # 304 characters, and 1202 as the DNS spells them.
            ("a@" + "ä." * 150 + "de", "This is no e-mail address that an organization could have."),
            (f"a@{'ab.' * 90}example", "This is no e-mail address that an organization could have."),
        ],
    )
    def test_what_is_no_work_address_is_said(self, as_alice: Client, address: str, words: str) -> None:
        response = as_alice.post(f"{BASE}approval/", {"address": address, "ask": "yes"})
        assert words in text_of(response)
        assert not ApprovalRequest.objects.exists()

    def test_asked_again_it_is_the_same_link(self, alice: User) -> None:
        assert ask(alice).token == ask(alice, now=NOW + timedelta(days=13)).token

    def test_with_another_address_or_after_two_weeks_it_is_a_new_one_and_the_old_is_void(self, alice: User) -> None:
        first = ask(alice).token
        second = ask(alice, "alice@tide.example").token
        third = ask(alice, "alice@tide.example", NOW + timedelta(days=14)).token
        assert len({first, second, third}) == 3
        assert [ApprovalRequest.objects.of_token(one) is None for one in (first, second, third)] == [True, True, False]
        assert ApprovalRequest.objects.count() == 1

    def test_after_a_no_it_is_a_new_one(self, alice: User) -> None:
        first = ask(alice)
        decline(first.token)
        assert ask(alice, now=NOW + timedelta(hours=1)).token != first.token
        assert kind_of(alice) is Kind.ASKED

    def test_an_admin_is_led_on_to_the_page_for_it(self, as_alice: Client) -> None:
        response = as_alice.post(f"{BASE}approval/", {"address": "alice@quay.example", "admin": "yes"})
        assert response.status_code == 302
        assert response.headers["Location"] == f"/approve/{ApprovalRequest.objects.get().token}/"

    def test_the_mail_is_there_in_both_languages_with_link_and_permissions(self, as_alice: Client, alice: User) -> None:
        asked = ask(alice)
        page = html.unescape(as_alice.get(f"{BASE}approval/mail/").content.decode())
        english, german = (re.search(rf'id="text-{one}"[^>]*>(.*?)</pre>', page, re.S) for one in ("en", "de"))
        assert english
        assert german
        for text in (english[1], german[1]):
            assert f"http://testserver/approve/{asked.token}/" in text
            assert "alice@quay.example" in text
            assert [one for one in GUIDE if f"- {one}\n" not in text] == []
            assert text.rstrip().endswith("Alice")
        assert "Microsoft asks for an admin's approval" in english[1]
        assert english[1] != german[1]

    def test_the_own_language_comes_first(self, as_alice: Client, alice: User) -> None:
        ask(alice)
        User.objects.update(language="de")
        page = as_alice.get(f"{BASE}approval/mail/").content.decode()
        assert page.index('id="text-de"') < page.index('id="text-en"')

    def test_without_a_request_there_is_no_mail(self, as_alice: Client, bob: User) -> None:
        """Somebody else's is none; and who withdrew theirs may come back to the page by the browser's button."""
        ask(bob)
        assert as_alice.get(f"{BASE}approval/mail/").headers["Location"] == f"{BASE}approval/"

    def test_an_expired_one_is_asked_anew(self, as_alice: Client, alice: User) -> None:
        ask(alice, now=timezone.now() - timedelta(days=15))
        assert as_alice.get(f"{BASE}approval/mail/").headers["Location"] == f"{BASE}approval/"

    def test_a_name_with_marks_of_html_is_a_name(self, as_alice: Client, alice: User) -> None:
        User.objects.update(name="<b>Alice</b>")
        token = ask(alice).token
        for response in (as_alice.get(f"{BASE}approval/mail/"), Client().get(f"/approve/{token}/")):
            assert "<b>Alice" not in response.content.decode()


# -- the page for IT -------------------------------------------------------------------------------------------------


def consent_address(page: str) -> str:
    found = re.search(r'class="button button-main" href="([^"]+)"', page)
    assert found
    return html.unescape(found[1])


class TestThePageForIT:
    def test_it_needs_no_account_and_says_who_asks_and_for_what(self, alice: User) -> None:
        page = text_of(Client().get(f"/approve/{ask(alice).token}/"))
        assert "Approve Sally for quay.example" in page
        assert "Alice (Harbour & Quay) wants to connect the Outlook calendar alice@quay.example" in page
        assert [one for one in GUIDE if one not in page] == []
        assert "What Sally never does" in page

    def test_opening_it_changes_nothing_and_uses_nothing_up(self, alice: User) -> None:
        token = ask(alice).token
        before = digest()
        for _ in range(3):
            assert Client().get(f"/approve/{token}/").status_code == 200
        assert digest() == before

    def test_it_leads_to_microsoft_with_full_names_our_callback_and_a_signed_state(
        self, alice: User, settings: Settings
    ) -> None:
        settings.MICROSOFT_CLIENT_ID = "the-client"
        settings.MICROSOFT_PAGES_URL = "https://login.microsoftonline.us"
        settings.MICROSOFT_GRAPH_URL = "https://graph.microsoft.us"
        token = ask(alice).token
        parts = urlsplit(consent_address(Client().get(f"/approve/{token}/").content.decode()))
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == (
            "https://login.microsoftonline.us/quay.example/v2.0/adminconsent"
        )
        assert asked == {
            "client_id": "the-client",
            "redirect_uri": f"http://testserver{CALLBACK}",
            "state": token,
            "scope": "offline_access openid profile https://graph.microsoft.us/User.Read "
            "https://graph.microsoft.us/Calendars.ReadWrite.Shared "
            "https://graph.microsoft.us/Contacts.ReadWrite.Shared https://graph.microsoft.us/OnlineMeetings.ReadWrite",
        }

    def test_what_was_asked_for_keeps_its_words_where_sally_asks_for_less_since(
        self, alice: User, settings: Settings
    ) -> None:
        token = ask(alice).token
        settings.MICROSOFT_SCOPES = "minimal"
        page = text_of(Client().get(f"/approve/{token}/"))
        assert "OnlineMeetings.ReadWrite Microsoft allows with it: Reading, creating and changing online" in page

    def test_where_the_domain_is_unknown_there_it_leads_to_any_organization(self, alice: User) -> None:
        page = Client().get(f"/approve/{ask(alice).token}/").content.decode()
        assert "/organizations/v2.0/adminconsent?" in page

    @pytest.mark.parametrize(
        "spoil",
        [lambda one: one[:-1], lambda one: one + "x", lambda one: "nonsense", lambda one: one.partition(":")[0]],
    )
    def test_a_link_that_was_not_made_here_leads_nowhere(self, alice: User, spoil: Any) -> None:
        response = Client().get(f"/approve/{spoil(ask(alice).token)}/")
        assert response.status_code == 404
        assert "This link is not good (any more)" in text_of(response)
        assert "quay.example" not in text_of(response)

    def test_after_two_weeks_it_leads_nowhere(self, alice: User) -> None:
        token = ask(alice, now=timezone.now() - timedelta(days=14, seconds=1)).token
        assert Client().get(f"/approve/{token}/").status_code == 404

    def test_it_may_be_declined_with_a_word(self, as_alice: Client, alice: User) -> None:
        token = ask(alice).token
        Client().post(f"/approve/{token}/", {"reason": " Not before\r\n the audit <b>in May</b>. "})
        assert kind_of(alice) is Kind.DECLINED
        page = as_alice.get(BASE).content.decode()
        assert "Not before the audit &lt;b&gt;in May&lt;/b&gt;." in page

    def test_once_answered_it_cannot_be_declined_any_more(self, alice: User) -> None:
        token = ask(alice).token
        approve(token)
        Client().post(f"/approve/{token}/", {"reason": "No"})
        assert kind_of(alice) is Kind.REPORTED

    def test_a_word_too_long_is_refused_with_what_was_typed(self, alice: User) -> None:
        asked = ask(alice)
        response = Client().post(f"/approve/{asked.token}/", {"reason": "x" * 501})
        assert "at most 500 characters" in text_of(response)
        assert "x" * 501 in response.content.decode()
        assert state_of(asked) == State.WAITING


# -- what comes back from Microsoft's page ---------------------------------------------------------------------------


class TestTheAnswer:
    def test_an_approval_is_reported_and_leaves_the_address_bar(self, alice: User) -> None:
        asked = ask(alice)
        response = approve(asked.token, tenant=TENANT)
        assert (response.status_code, response.headers["Location"]) == (302, f"/approve/{asked.token}/")
        assert state_of(asked) == State.REPORTED
        assert "the approval was reported" in text_of(Client().get(f"/approve/{asked.token}/"))

    def test_the_tenant_may_be_missing_or_nonsense(self, alice: User) -> None:
        asked = ask(alice)
        approve(asked.token, tenant="<script>")
        assert state_of(asked) == State.REPORTED
        assert ApprovalRequest.objects.get().tenant == ""

    def test_it_lets_nobody_in(self, alice: User) -> None:
        browser = Client()
        token = ask(alice).token
        answer(token, browser, admin_consent="True", tenant=TENANT)
        assert "_auth_user_id" not in browser.session
        assert browser.get("/meetings/").headers["Location"].startswith("/sign-in/")
        assert not CalendarConnection.objects.exists()

    def test_a_colleague_of_the_same_domain_who_waits_is_told_too(self, alice: User, bob: User) -> None:
        asked, theirs = ask(alice), ask(bob, "bob@QUAY.example")
        approve(asked.token)
        assert state_of(theirs) == State.REPORTED

    def test_strangers_are_not(self, alice: User, bob: User, charlie: User) -> None:
        """Whoever has a link could make an answer up: it must not reach another organization, or another domain."""
        other_domain, stranger = ask(bob, "bob@tide.example"), ask(charlie, "charlie@quay.example")
        approve(ask(alice).token)
        assert (state_of(other_domain), state_of(stranger)) == (State.WAITING, State.WAITING)

    def test_without_an_organization_nobody_else_is(self, alice: User, bob: User) -> None:
        User.objects.update(organization=None)
        theirs = ask(bob)
        approve(ask(alice).token)
        assert state_of(theirs) == State.WAITING

    def test_a_no_is_for_the_one_who_asked(self, alice: User, bob: User) -> None:
        asked, theirs = ask(alice), ask(bob)
        decline(asked.token)
        assert (state_of(asked), state_of(theirs)) == (State.DECLINED, State.WAITING)

    def test_after_a_no_it_may_take_a_word_and_a_yes(self, alice: User) -> None:
        asked = ask(alice)
        decline(asked.token)
        Client().post(f"/approve/{asked.token}/", {"reason": "By mistake"})
        assert ApprovalRequest.objects.get().reason == "By mistake"
        approve(asked.token)
        assert (state_of(asked), ApprovalRequest.objects.get().reason) == (State.REPORTED, "")

    def test_granted_in_part_is_told_by_what_is_missing(self, as_alice: Client, alice: User) -> None:
        asked = ask(alice)
        graph = "https://graph.microsoft.com/"
        approve(asked.token, f"openid profile {graph}User.Read {graph}Calendars.ReadWrite.Shared")
        assert kind_of(alice) is Kind.IN_PART
        assert ApprovalRequest.objects.get().missing == ["Contacts.ReadWrite.Shared", "OnlineMeetings.ReadWrite"]
        page = as_alice.get(BASE).content.decode()
        assert "<code>OnlineMeetings.ReadWrite</code>" in page
        assert "<code>User.Read</code>" not in page

    def test_the_rest_may_follow(self, alice: User) -> None:
        asked = ask(alice)
        approve(asked.token, "User.Read")
        approve(asked.token, " ".join(GUIDE))
        assert kind_of(alice) is Kind.REPORTED

    @pytest.mark.parametrize("scopes", ["Calendars", "User", "openid.x", "profile.", "Calendars.ReadWrite."])
    def test_a_scope_that_is_none_breaks_no_page_and_no_mail(
        self, as_alice: Client, alice: User, bob: User, scopes: str
    ) -> None:
        """Whoever has a link can put anything in there, and colleagues are told of it too."""
        ask(bob)
        asked = ask(alice)
        assert approve(asked.token, scopes).status_code == 302
        assert Client().get(f"/approve/{asked.token}/").status_code == 200
        assert as_alice.get(BASE).status_code == 200
        assert kind_of(alice) is Kind.IN_PART
        assert notices.send_due(timezone.now()) == 2

    def test_a_no_as_microsoft_documents_it_is_one(self, alice: User) -> None:
        """https://learn.microsoft.com/entra/identity-platform/v2-admin-consent#error-response"""
        asked = ask(alice)
        description = "AADSTS65004: The resource owner or authorization server denied the request.\r\nTrace ID: 0"
        answer(asked.token, None, admin_consent="True", error="consent_required", error_description=description)
        assert state_of(asked) == State.DECLINED

    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"admin_consent": "False"},
            {"admin_consent": "True", "error": "server_error"},
            {"error": "consent_required", "admin_consent": "True"},
            {"error": "consent_required", "error_description": "AADSTS650041: another"},
            {"code": "a code"},
        ],
    )
    def test_anything_else_says_nothing(self, alice: User, parameters: dict[str, str]) -> None:
        asked = ask(alice)
        assert answer(asked.token, None, **parameters).status_code == 302
        assert state_of(asked) == State.WAITING


class TestForgedAndReplayed:
    @pytest.mark.parametrize("state", ["", "x", "None", "%00", "eyJhIjoxfQ:abc"])
    def test_a_forged_state_changes_nothing(self, alice: User, state: str) -> None:
        ask(alice)
        before = digest()
        response = answer(state, admin_consent="True", tenant=TENANT)
        assert response.status_code == 404
        assert digest() == before

    def test_a_void_one_changes_nothing(self, alice: User) -> None:
        old = ask(alice).token
        ask(alice, "alice@tide.example")
        before = digest()
        for response in (approve(old), decline(old)):
            assert response.status_code == 404
        assert digest() == before

    def test_an_answer_after_two_weeks_changes_nothing(self, alice: User) -> None:
        token = ask(alice, now=timezone.now() - timedelta(days=14, seconds=1)).token
        before = digest()
        for response in (approve(token), decline(token)):
            assert response.status_code == 404
        assert digest() == before

    def test_a_repeated_yes_changes_nothing(self, alice: User) -> None:
        token = ask(alice).token
        approve(token, "User.Read")
        notices.send_due(timezone.now())
        before = digest()
        approve(token, "User.Read")
        approve(token)
        assert digest() == before
        assert notices.send_due(timezone.now()) == 0

    def test_a_yes_that_grants_no_more_of_what_is_asked_for_changes_nothing(self, alice: User) -> None:
        """Else whoever has a link makes Sally mail for ever, with a name that she has not heard yet."""
        asked = ask(alice)
        approve(asked.token, "User.Read")
        notices.send_due(timezone.now())
        before = digest()
        for scopes in ("Mail.Read", "Mail.Read User.Read", "Mail.Send profile", "openid", "Calendars.Read"):
            approve(asked.token, scopes)
        assert digest() == before
        assert notices.send_due(timezone.now()) == 0

    def test_yes_in_turns_is_news_as_often_as_something_is_added(self, alice: User) -> None:
        asked = ask(alice)
        sent = 0
        for scopes in ("User.Read", "Contacts.ReadWrite.Shared", "User.Read", "Contacts.ReadWrite.Shared") * 3:
            approve(asked.token, scopes)
            sent += notices.send_due(timezone.now())
        assert sent == 1

    def test_a_no_after_a_yes_changes_nothing(self, alice: User) -> None:
        token = ask(alice).token
        approve(token)
        before = digest()
        decline(token)
        assert digest() == before

    def test_a_repeated_no_keeps_the_word(self, alice: User) -> None:
        token = ask(alice).token
        Client().post(f"/approve/{token}/", {"reason": "The audit"})
        before = digest()
        decline(token)
        Client().post(f"/approve/{token}/", {"reason": "Another word"})
        assert digest() == before

    def test_the_state_of_a_sign_in_takes_no_approval(self, as_alice: Client, alice: User, microsoft: Sandbox) -> None:
        """And is not used up by it."""
        callback = sign_in_at_microsoft(as_alice, microsoft)
        state = parse_qs(urlsplit(callback).query)["state"][0]
        assert answer(state, as_alice, admin_consent="True").status_code == 404
        as_alice.get(callback)
        assert CalendarConnection.objects.count() == 1


# -- the proof: somebody connects ------------------------------------------------------------------------------------


class TestSomebodyConnects:
    def connect(self, user: User, email: str = TOMAS, scopes: tuple[str, ...] = GUIDE, tenant: str = TENANT) -> None:
        account = SignedIn(f"oid.{tenant}", email, "", scopes)
        ApprovalRequest.objects.settle(user, WORK, account, timezone.now())

    def test_whoever_waits_in_that_domain_may_connect_now(self, alice: User, bob: User, charlie: User) -> None:
        """In every organization: this is a fact, and no browser's word."""
        asked, theirs = ask(alice), ask(charlie, "charlie@quay.example")
        self.connect(bob)
        assert (state_of(asked), state_of(theirs)) == (State.APPROVED, State.APPROVED)
        assert kind_of(alice) is Kind.APPROVED

    def test_also_after_a_no(self, alice: User, bob: User) -> None:
        asked = ask(alice)
        decline(asked.token)
        self.connect(bob)
        assert state_of(asked) == State.APPROVED

    def test_then_nothing_is_missing_any_more_of_what_was_reported(
        self, as_alice: Client, alice: User, bob: User
    ) -> None:
        approve(ask(alice).token, "User.Read")
        self.connect(bob)
        page = text_of(as_alice.get(BASE))
        assert "Approved: connect now" in page
        assert "Not approved yet" not in page

    def test_also_in_another_domain_of_the_tenant_that_was_reported(self, alice: User, bob: User) -> None:
        asked = ask(alice, "alice@tide.example")
        approve(asked.token, tenant=TENANT)
        self.connect(bob)
        assert state_of(asked) == State.APPROVED

    def test_not_in_another_domain(self, alice: User, bob: User) -> None:
        asked = ask(alice, "alice@tide.example")
        self.connect(bob)
        assert state_of(asked) == State.WAITING

    def test_not_where_less_was_granted_than_is_asked_for(self, alice: User, bob: User) -> None:
        asked = ask(alice)
        self.connect(bob, scopes=("openid", "profile", "Calendars.ReadWrite.Shared"))
        assert state_of(asked) == State.WAITING

    def test_the_one_who_connects_waits_no_more(self, alice: User) -> None:
        asked = ask(alice)
        self.connect(alice, "alice@quay.example")
        assert state_of(asked) == State.CONNECTED
        assert kind_of(alice) is None
        assert "there is nothing left to do" in text_of(Client().get(f"/approve/{asked.token}/"))

    def test_also_with_an_address_of_another_domain_than_the_mails(self, alice: User) -> None:
        asked = ask(alice, "alice@tide.example")
        self.connect(alice, "alice@quay.example")
        assert state_of(asked) == State.CONNECTED

    def test_not_by_mending_a_calendar_of_another_domain(self, alice: User) -> None:
        asked = ask(alice, "alice@tide.example")
        account = SignedIn(f"oid.{TENANT}", "alice@quay.example", "", GUIDE)
        ApprovalRequest.objects.settle(alice, WORK, account, timezone.now(), mended=True)
        assert state_of(asked) == State.WAITING

    def test_a_real_sign_in_settles_it(self, as_alice: Client, alice: User, bob: User, microsoft: Sandbox) -> None:
        own, theirs = ask(alice, INES), ask(bob)
        as_alice.get(sign_in_at_microsoft(as_alice, microsoft))
        assert (state_of(own), state_of(theirs)) == (State.CONNECTED, State.APPROVED)

    def test_the_address_that_was_asked_for_is_filled_in_at_microsoft(
        self, as_alice: Client, alice: User, microsoft: Sandbox
    ) -> None:
        ask(alice, INES)
        page = as_alice.post(f"{BASE}connect/{WORK}/", follow=True).content.decode()
        assert "login_hint=ines%40quay.example" in page


# -- being told ------------------------------------------------------------------------------------------------------


class TestBeingTold:
    def test_an_approval_is_mailed_once_with_a_way_to_connect(self, alice: User) -> None:
        approve(ask(alice).token)
        assert [notices.send_due(timezone.now()) for _ in range(3)] == [1, 0, 0]
        (sent,) = mail.outbox
        assert sent.to == [alice.email]
        assert sent.subject == "Sally was approved for quay.example: connect now"
        assert "http://testserver/settings/integrations/" in sent.body
        assert "alice@quay.example" in sent.body

    def test_that_somebody_connected_after_it_is_no_second_mail(self, alice: User, bob: User) -> None:
        approve(ask(alice).token)
        notices.send_due(timezone.now())
        TestSomebodyConnects().connect(bob)
        assert notices.send_due(timezone.now()) == 0

    def test_that_somebody_connected_is_mailed(self, alice: User, bob: User) -> None:
        ask(alice)
        TestSomebodyConnects().connect(bob)
        assert notices.send_due(timezone.now()) == 1
        assert "Somebody of quay.example has connected a calendar: Sally is approved there." in mail.outbox[0].body

    def test_a_no_is_mailed_with_the_word(self, alice: User) -> None:
        Client().post(f"/approve/{ask(alice).token}/", {"reason": "The audit <first>"})
        notices.send_due(timezone.now())
        assert "declined" in mail.outbox[0].subject
        assert "The audit <first>" in mail.outbox[0].body

    def test_a_word_that_follows_a_no_is_mailed_as_well(self, alice: User) -> None:
        token = ask(alice).token
        decline(token)
        notices.send_due(timezone.now())
        Client().post(f"/approve/{token}/", {"reason": "The audit first"})
        assert [notices.send_due(timezone.now()) for _ in range(2)] == [1, 0]
        assert ["The audit first" in str(one.body) for one in mail.outbox] == [False, True]

    def test_what_is_missing_is_mailed(self, alice: User) -> None:
        approve(ask(alice).token, "User.Read Calendars.ReadWrite.Shared Contacts.ReadWrite.Shared openid profile")
        notices.send_due(timezone.now())
        assert mail.outbox[0].subject == "Sally was approved in part for quay.example"
        assert "OnlineMeetings.ReadWrite" in mail.outbox[0].body

    def test_who_wants_no_mails_or_is_gone_gets_none(self, alice: User, bob: User) -> None:
        User.objects.filter(pk=alice.pk).update(wants_mails=False)
        User.objects.filter(pk=bob.pk).update(is_active=False)
        approve(ask(alice).token)
        approve(ask(bob).token)
        assert notices.send_due(timezone.now()) == 0

    def test_asking_is_no_reason_for_a_mail(self, alice: User) -> None:
        ask(alice)
        assert notices.send_due(timezone.now()) == 0


class TestThePageFollows:
    def card(self, client: Client) -> str:
        return client.get(f"{BASE}approval/card/").content.decode()

    def seen(self, client: Client) -> str:
        found = re.search(r"card/\?seen=(\w+)", self.card(client))
        assert found
        return found[1]

    def test_nothing_new_is_no_answer_at_all(self, as_alice: Client, alice: User) -> None:
        ask(alice)
        assert as_alice.get(f"{BASE}approval/card/?seen={self.seen(as_alice)}").status_code == 204

    def test_an_approval_changes_it(self, as_alice: Client, alice: User) -> None:
        asked = ask(alice)
        seen = self.seen(as_alice)
        approve(asked.token)
        response = as_alice.get(f"{BASE}approval/card/?seen={seen}")
        assert response.status_code == 200
        assert "Connect now" in text_of(response)

    def test_once_connected_it_is_gone(self, as_alice: Client, alice: User) -> None:
        ask(alice)
        TestSomebodyConnects().connect(alice, "alice@quay.example")
        assert self.card(as_alice) == ""

    def test_an_open_page_asks_in_five_queries_at_most(
        self, as_alice: Client, alice: User, django_assert_max_num_queries: Any
    ) -> None:
        """Session, person, sign-in, request, a colleague's calendar."""
        ask(alice)
        stopped(alice, "ApprovalNeeded")
        with django_assert_max_num_queries(5):
            self.card(as_alice)


def test_a_calendar_whose_approval_was_withdrawn_leads_to_the_admin(as_alice: Client, alice: User) -> None:
    CalendarConnection.objects.create(
        owner=alice, provider=WORK, account_email=INES, status="needs_attention", last_error="AADSTS65001",
        last_error_kind="ApprovalNeeded",
    )  # fmt: skip
    page = as_alice.get(BASE).content.decode()
    assert f'href="{BASE}approval/"' in page
    assert "its approval was withdrawn" in page


def test_somebody_elses_organization_is_never_named(alice: User) -> None:
    other = make_user("dora@tide.example", Organization.objects.create(name="Tide & Co"))
    ask(other)
    page = text_of(Client().get(f"/approve/{ask(alice).token}/"))
    assert "Tide" not in page
