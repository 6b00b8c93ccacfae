"""Signing in and out, the profile, passwords, invitations: as a browser sees them."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.mail.message import EmailMessage
from django.http.response import HttpResponseBase
from django.test import Client
from pytest_django import Settings

from sally import invitations
from sally.models import Organization, User
from tests.conftest import PASSWORD, make_user
from tests.sally.passwords import BARE_WORDS, ELSEWHERE

NEW_PASSWORD = "another horse another staple"
SetPassword = Callable[[User, str], None]
NO_MATCH = "This e-mail address and password do not match. Please try again, or reset your password."


def sign_in(client: Client, email: str = "alice@quay.example", password: str = PASSWORD, **fields: str) -> Any:
    return client.post("/sign-in/", {"username": email, "password": password, **fields})


def is_signed_in(client: Client) -> bool:
    return client.get("/meetings/").status_code == 200


@pytest.fixture
def browser() -> Client:
    return Client()


@pytest.fixture
def newcomer(quay: Organization) -> User:
    """Somebody who has never signed in."""
    return make_user("nora@quay.example", quay, language="", time_zone="")


# --- Signing in and out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", ["alice@quay.example", "Alice@Quay.Example", "  ALICE@QUAY.EXAMPLE "])
def test_signing_in_takes_any_letter_case(alice: User, browser: Client, email: str) -> None:
    response = sign_in(browser, email)
    assert (response.status_code, response["Location"]) == (302, "/meetings/")
    assert is_signed_in(browser)


@pytest.mark.parametrize(
    ("email", "password"), [("alice@quay.example", "wrong"), ("nobody@quay.example", PASSWORD), ("", "")]
)
def test_a_wrong_sign_in_lets_nobody_in(alice: User, browser: Client, email: str, password: str) -> None:
    assert sign_in(browser, email, password).status_code == 200
    assert not is_signed_in(browser)


def test_a_wrong_password_and_an_unknown_address_read_the_same(alice: User, browser: Client) -> None:
    assert NO_MATCH in sign_in(browser, password="wrong").content.decode()
    assert NO_MATCH in sign_in(browser, "nobody@quay.example").content.decode()


def test_an_inactive_person_cannot_sign_in(alice: User, browser: Client) -> None:
    User.objects.update(is_active=False)
    assert NO_MATCH in sign_in(browser).content.decode()


def test_deactivating_a_user_signs_them_out(alice: User, as_alice: Client) -> None:
    User.objects.update(is_active=False)
    assert not is_signed_in(as_alice)


def test_signing_in_leads_to_the_page_that_asked_for_it(alice: User, browser: Client) -> None:
    assert browser.get("/settings/profile/")["Location"] == "/sign-in/?next=/settings/profile/"
    assert sign_in(browser, next="/settings/profile/")["Location"] == "/settings/profile/"


@pytest.mark.parametrize("address", ELSEWHERE)
def test_signing_in_leads_nowhere_else(alice: User, browser: Client, address: str) -> None:
    assert sign_in(browser, next=address)["Location"] == "/meetings/"


@pytest.mark.parametrize("query", ["", "?next=/sign-in/", "?next=https://evil.example/"])
def test_who_is_signed_in_needs_no_sign_in(as_alice: Client, query: str) -> None:
    response = as_alice.get(f"/sign-in/{query}")
    assert (response.status_code, response["Location"]) == (302, "/meetings/")


def test_signing_in_needs_the_csrf_token(alice: User) -> None:
    assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403


def test_signing_out_works_by_post_only(as_alice: Client) -> None:
    assert as_alice.get("/sign-out/").status_code == 405
    assert is_signed_in(as_alice)
    assert as_alice.post("/sign-out/")["Location"] == "/sign-in/"
    assert not is_signed_in(as_alice)


def test_pages_of_a_signed_in_person_are_kept_by_no_cache(as_alice: Client) -> None:
    for path in ("/meetings/", "/settings/profile/", "/settings/profile/password/", "/settings/integrations/"):
        assert "no-store" in as_alice.get(path)["Cache-Control"]


def test_a_foreign_host_name_is_refused(browser: Client) -> None:
    assert browser.get("/sign-in/", headers={"host": "evil.example"}).status_code == 400


# --- The first sign-in -------------------------------------------------------------------------------------------


def test_the_first_sign_in_takes_language_and_time_zone_from_the_browser(newcomer: User, browser: Client) -> None:
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "de-AT,de;q=0.9,en;q=0.5"
    sign_in(browser, newcomer.email, time_zone="Europe/Vienna")
    newcomer.refresh_from_db()
    assert (newcomer.language, newcomer.time_zone) == ("de", "Europe/Vienna")


def test_a_language_that_sally_does_not_speak_becomes_english(newcomer: User, browser: Client) -> None:
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "fr"
    sign_in(browser, newcomer.email)
    newcomer.refresh_from_db()
    assert newcomer.language == "en"


def test_a_language_chosen_on_the_sign_in_page_counts_more_than_the_browsers(newcomer: User, browser: Client) -> None:
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    browser.post("/language/", {"language": "de"})
    sign_in(browser, newcomer.email)
    newcomer.refresh_from_db()
    assert newcomer.language == "de"


def test_later_sign_ins_change_neither(alice: User, browser: Client) -> None:
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    sign_in(browser, time_zone="Asia/Tokyo")
    alice.refresh_from_db()
    assert (alice.language, alice.time_zone) == ("en", "Europe/Berlin")


@pytest.mark.parametrize("nonsense", ["", "Nowhere/Land", "../../etc/passwd", "Europe/Berlin\0", "x" * 500, "/"])
def test_a_nonsense_time_zone_is_left_out(newcomer: User, browser: Client, nonsense: str) -> None:
    assert sign_in(browser, newcomer.email, time_zone=nonsense).status_code == 302
    newcomer.refresh_from_db()
    assert newcomer.time_zone == ""


def test_the_sign_in_page_asks_the_browser_for_its_time_zone(db: None, browser: Client) -> None:
    page = browser.get("/sign-in/").content.decode()
    assert '<input type="hidden" name="time_zone">' in page
    assert "js/time-zone.js" in page


@pytest.mark.parametrize("address", ELSEWHERE)
def test_the_sign_in_page_does_not_pass_on_an_address_elsewhere(alice: User, browser: Client, address: str) -> None:
    page = browser.get("/sign-in/", {"next": address}).content.decode()
    assert '<input type="hidden" name="next" value="">' in page


@pytest.mark.parametrize("address", ELSEWHERE)
def test_the_locked_page_passes_on_no_address_elsewhere(alice: User, browser: Client, address: str) -> None:
    fields = {"username": alice.email, "password": "wrong", "next": address}
    page = [browser.post("/sign-in/", fields) for _ in range(5)][-1]
    assert page.status_code == 429
    assert '<input type="hidden" name="next" value="/meetings/">' in page.content.decode()


@pytest.mark.parametrize("address", [*ELSEWHERE, *BARE_WORDS])
def test_django_admins_sign_in_leads_nowhere_else(alice: User, browser: Client, address: str) -> None:
    assert browser.get("/admin/login/", {"next": address})["Location"] == "/sign-in/?next=/admin/"
    User.objects.update(role=User.Role.ADMIN)
    browser.force_login(User.objects.get(pk=alice.pk))
    assert browser.get("/admin/login/", {"next": address})["Location"] == "/admin/"


def test_django_admins_sign_in_leads_who_is_in_to_the_page(alice: User, browser: Client) -> None:
    User.objects.update(role=User.Role.ADMIN)
    browser.force_login(User.objects.get(pk=alice.pk))
    assert browser.get("/admin/login/", {"next": "/admin/sally/user/"})["Location"] == "/admin/sally/user/"
    assert browser.get("/admin/login/", {"next": "/admin/login/"})["Location"] == "/admin/"


@pytest.mark.parametrize("address", ELSEWHERE)
def test_choosing_a_language_leads_nowhere_else(db: None, browser: Client, address: str) -> None:
    assert browser.post("/language/", {"language": "de", "next": address})["Location"] == "/"


# --- Profile -----------------------------------------------------------------------------------------------------


def save_profile(client: Client, **changes: str) -> Any:
    fields = {"name": "Alice", "language": "en", "time_zone": "Europe/Berlin", "wants_mails": "on"}
    return client.post("/settings/profile/", fields | changes, follow=True)


def test_people_are_mailed_until_they_say_no(alice: User, as_alice: Client) -> None:
    assert alice.wants_mails
    assert 'id="id_wants_mails" checked' in as_alice.get("/settings/profile/").content.decode()
    as_alice.post("/settings/profile/", {"name": "Alice", "language": "en", "time_zone": "Europe/Berlin"})
    alice.refresh_from_db()
    assert not alice.wants_mails
    save_profile(as_alice)
    alice.refresh_from_db()
    assert alice.wants_mails


def test_a_new_language_shows_at_once(as_alice: Client) -> None:
    response = save_profile(as_alice, language="de")
    page = response.content.decode()
    assert '<html lang="de">' in page
    assert response["Content-Language"] == "de"


def test_a_new_time_zone_is_kept(alice: User, as_alice: Client) -> None:
    assert "Your profile was saved." in save_profile(as_alice, time_zone="Asia/Kathmandu").content.decode()
    alice.refresh_from_db()
    assert alice.time_zone == "Asia/Kathmandu"


@pytest.mark.parametrize(
    "changes", [{"language": "fr"}, {"language": ""}, {"time_zone": "Nowhere/Land"}, {"time_zone": ""}]
)
def test_values_that_are_not_offered_are_refused(alice: User, as_alice: Client, changes: dict[str, str]) -> None:
    assert "Please look at the marked fields." in save_profile(as_alice, **changes).content.decode()
    alice.refresh_from_db()
    assert (alice.language, alice.time_zone) == ("en", "Europe/Berlin")


def test_a_refused_profile_does_not_show_as_the_persons_name(as_alice: Client) -> None:
    page = save_profile(as_alice, name="Mallory", language="fr").content.decode()
    assert '<span class="account soft">Alice</span>' in page


@pytest.mark.parametrize(
    "smuggled", [{"email": "mallory@quay.example"}, {"role": "admin"}, {"is_superuser": "on"}, {"organization": "1"}]
)
def test_the_profile_changes_nothing_else(alice: User, as_alice: Client, smuggled: dict[str, str]) -> None:
    before = User.objects.values("email", "role", "is_superuser", "organization").get()
    save_profile(as_alice, **smuggled)
    assert User.objects.values("email", "role", "is_superuser", "organization").get() == before


def test_a_zone_that_browsers_still_say_is_offered_to_who_has_it(quay: Organization, browser: Client) -> None:
    browser.force_login(make_user("kim@quay.example", quay, time_zone="Japan"))
    assert '<option value="Japan" selected>Japan</option>' in browser.get("/settings/profile/").content.decode()


# --- Password ----------------------------------------------------------------------------------------------------


def change_password(client: Client, old: str = PASSWORD, new: str = NEW_PASSWORD) -> Any:
    fields = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post("/settings/profile/password/", fields)


def test_a_password_change_needs_the_old_one(alice: User, as_alice: Client) -> None:
    assert change_password(as_alice, old="wrong").status_code == 200
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_a_password_change_keeps_this_session_and_ends_the_others(alice: User, as_alice: Client) -> None:
    elsewhere = Client()
    elsewhere.force_login(alice)
    assert change_password(as_alice)["Location"] == "/settings/profile/"
    assert is_signed_in(as_alice)
    assert not is_signed_in(elsewhere)


WEAK = ["eleven-long", "alice@quay.example", "q1w2e3r4t5y6", "qwerty123456", "nora@quay.example"]
ODD = [
    "correct horse " * 9,
    "пароль-без-правил",
    "pass\tword with tab",
    "密码密码密码密码密码密码",
    "👩‍🚀 to the moon 👩‍🚀",
    "'; DROP TABLE --",
]


def set_by_change(user: User, new: str) -> None:
    browser = Client()
    browser.force_login(user)
    change_password(browser, new=new)


def set_by_reset(user: User, new: str) -> None:
    browser = Client()
    ask_for_reset(browser, user.email)
    choose(browser, follow(browser, link_in(only_mail())), new)


def set_by_invitation(user: User, new: str) -> None:
    browser = Client()
    choose(browser, follow(browser, invitations.link(user)), new)


EVERYWHERE = pytest.mark.parametrize("set_password", [set_by_change, set_by_reset, set_by_invitation])


@EVERYWHERE
@pytest.mark.parametrize("weak", ["short", *WEAK])
def test_a_weak_password_is_refused(quay: Organization, set_password: SetPassword, weak: str) -> None:
    """Too short, common, or the person's own address."""
    user = make_user(weak if "@" in weak else "nora@quay.example", quay)
    set_password(user, weak)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@EVERYWHERE
@pytest.mark.parametrize("odd", ODD)
def test_a_long_or_odd_password_is_taken(alice: User, browser: Client, set_password: SetPassword, odd: str) -> None:
    set_password(alice, odd)
    alice.refresh_from_db()
    assert alice.check_password(odd)
    assert sign_in(browser, password=odd).status_code == 302


# --- Password reset ----------------------------------------------------------------------------------------------

SENT = "If Sally knows this address, a link is on its way."


def ask_for_reset(client: Client, email: str = "alice@quay.example") -> str:
    return client.post("/password-reset/", {"email": email}, follow=True).content.decode()


def without_token(page: str) -> str:
    return re.sub(r'(name="csrfmiddlewaretoken" value=)"\w+"', r"\1", page)


def only_mail() -> EmailMessage:
    (message,) = mail.outbox
    return message


def link_in(message: EmailMessage) -> str:
    found = re.search(r"^(https?://\S+)$", str(message.body), re.MULTILINE)
    assert found, message.body
    return found[1]


def follow(client: Client, address: str) -> Any:
    return client.get(address.removeprefix("http://testserver"), follow=True)


def choose(client: Client, page: Any, password: str = NEW_PASSWORD, **fields: str) -> Any:
    new = {"new_password1": password, "new_password2": password}
    return client.post(page.request["PATH_INFO"], new | fields, follow=True)


def test_a_reset_link_sets_a_new_password_once(alice: User, browser: Client) -> None:
    assert SENT in ask_for_reset(browser)
    address = link_in(only_mail())
    assert "Your new password is set" in choose(browser, follow(browser, address)).content.decode()
    alice.refresh_from_db()
    assert alice.check_password(NEW_PASSWORD)
    assert "This link is no longer valid" in follow(Client(), address).content.decode()


def test_a_reset_signs_nobody_in_and_everybody_out(alice: User, as_alice: Client, browser: Client) -> None:
    ask_for_reset(browser)
    choose(browser, follow(browser, link_in(only_mail())))
    assert not is_signed_in(browser)
    assert not is_signed_in(as_alice)


def test_a_reset_in_the_browser_that_is_signed_in_signs_it_out(alice: User, as_alice: Client) -> None:
    ask_for_reset(as_alice)
    done = choose(as_alice, follow(as_alice, link_in(only_mail())))
    assert "Your new password is set" in done.content.decode()
    assert not is_signed_in(as_alice)


@pytest.mark.parametrize("email", ["Alice@QUAY.example", "alice@quay.example"])
def test_a_reset_takes_any_letter_case(alice: User, browser: Client, email: str) -> None:
    ask_for_reset(browser, email)
    assert only_mail().to == ["alice@quay.example"]


def test_an_unknown_address_reads_the_same_and_gets_no_mail(alice: User, browser: Client) -> None:
    known = ask_for_reset(browser)
    mail.outbox.clear()
    assert without_token(ask_for_reset(browser, "nobody@quay.example")) == without_token(known)
    assert mail.outbox == []


def test_an_inactive_person_gets_no_link(alice: User, browser: Client) -> None:
    User.objects.update(is_active=False)
    assert SENT in ask_for_reset(browser)
    assert mail.outbox == []


def test_a_reset_link_begins_with_the_public_address(alice: User, browser: Client, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://sally.company.com"
    settings.ALLOWED_HOSTS = ["*"]
    browser.post("/password-reset/", {"email": alice.email}, headers={"host": "evil.example"})
    assert link_in(only_mail()).startswith("https://sally.company.com/password-reset/")
    assert "evil" not in str(only_mail().message())


def test_a_reset_mail_is_in_the_persons_language_not_the_askers(alice: User, browser: Client) -> None:
    User.objects.update(language="de")
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    ask_for_reset(browser)
    assert only_mail().subject == "Ihr neues Passwort für Sally"


def test_a_reset_survives_a_mail_server_that_is_down(
    alice: User, browser: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refuse_mail(monkeypatch)
    assert SENT in ask_for_reset(browser)
    assert f"password_reset mail to user {alice.pk} could not be sent: ConnectionRefusedError" in caplog.text


def refuse_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)


def test_a_reset_survives_a_mail_server_that_refuses(
    alice: User, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> int:
        raise smtplib.SMTPRecipientsRefused({})

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    assert SENT in ask_for_reset(browser)


def test_a_person_gets_one_reset_mail_in_five_minutes(alice: User, bob: User, browser: Client) -> None:
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    sent = []
    with time_machine.travel(noon, tick=False) as clock:
        for minutes in (0, 1, 4, 5, 9, 10):
            clock.move_to(noon + timedelta(minutes=minutes))
            assert SENT in ask_for_reset(browser)
            sent.append(len(mail.outbox))
    assert sent == [1, 1, 1, 2, 2, 3]
    ask_for_reset(browser, bob.email)
    assert mail.outbox[-1].to == [bob.email]


def test_the_answer_is_the_same_when_no_second_mail_is_sent(alice: User, browser: Client) -> None:
    assert without_token(ask_for_reset(browser)) == without_token(ask_for_reset(browser))


def test_a_reset_mail_that_could_not_be_sent_may_be_asked_for_again(alice: User, browser: Client) -> None:
    with pytest.MonkeyPatch.context() as broken:
        refuse_mail(broken)
        ask_for_reset(browser)
    ask_for_reset(browser)
    assert only_mail().to == [alice.email]


def test_how_long_the_mail_server_takes_says_nothing(
    alice: User, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is whole before the mail is sent."""
    order: list[str] = []
    close = HttpResponseBase.close

    def closing(response: HttpResponseBase) -> None:
        order.append("answered")
        close(response)

    monkeypatch.setattr(HttpResponseBase, "close", closing)
    monkeypatch.setattr("sally.mails.send", lambda *_: order.append("mailed"))
    browser.post("/password-reset/", {"email": alice.email})
    assert order == ["answered", "mailed"]


def test_line_ends_in_a_name_do_not_reach_mails(alice: User, as_alice: Client) -> None:
    as_alice.post("/settings/profile/", {"name": "Click\nhere \r\n now", "language": "en", "time_zone": "UTC"})
    alice.refresh_from_db()
    assert alice.name == "Click here now"


@pytest.mark.parametrize("address", ["/password-reset/MQ/nonsense/", "/password-reset/!!/x-y/", "/invitation/MQ/no/"])
def test_an_invented_link_says_that_it_is_not_valid(alice: User, browser: Client, address: str) -> None:
    assert "no longer valid" in browser.get(address, follow=True).content.decode()


# --- One-time links ----------------------------------------------------------------------------------------------


def reset_link(user: User) -> str:
    ask_for_reset(Client(), user.email)
    return link_in(only_mail())


LINKS = pytest.mark.parametrize("link_for", [reset_link, invitations.link])


@LINKS
def test_a_link_works_once(alice: User, link_for: Callable[[User], str]) -> None:
    address = link_for(alice)
    choose(*opened(address))
    assert "no longer valid" in follow(Client(), address).content.decode()


@LINKS
def test_a_link_that_was_opened_twice_sets_one_password(alice: User, link_for: Callable[[User], str]) -> None:
    address = link_for(alice)
    first, second = opened(address), opened(address)
    choose(*first)
    assert "no longer valid" in choose(*second, "a third horse a third staple").content.decode()
    alice.refresh_from_db()
    assert alice.check_password(NEW_PASSWORD)


@LINKS
def test_a_link_dies_with_a_password_change(alice: User, link_for: Callable[[User], str]) -> None:
    address = link_for(alice)
    set_by_change(alice, NEW_PASSWORD)
    assert "no longer valid" in follow(Client(), address).content.decode()


@LINKS
@pytest.mark.parametrize(("age", "valid"), [(timedelta(days=3), True), (timedelta(days=3, seconds=1), False)])
def test_a_link_works_for_three_days(alice: User, link_for: Callable[[User], str], age: timedelta, valid: bool) -> None:
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    with time_machine.travel(noon, tick=False) as clock:
        address = link_for(alice)
        clock.move_to(noon + age)
        assert ("no longer valid" not in follow(Client(), address).content.decode()) is valid


@LINKS
def test_a_link_is_good_for_one_person(alice: User, bob: User, link_for: Callable[[User], str]) -> None:
    of_bob = invitations.link(bob).split("/")[-3]
    address = link_for(alice).split("/")
    address[-3] = of_bob
    assert "no longer valid" in follow(Client(), "/".join(address)).content.decode()


def opened(address: str) -> tuple[Client, Any]:
    client = Client()
    return client, follow(client, address)


def test_a_reset_link_is_no_invitation(alice: User) -> None:
    address = reset_link(alice).replace("/password-reset/", "/invitation/")
    assert "no longer valid" in follow(Client(), address).content.decode()


# --- Invitations (Django admin sends them: test_admin.py) --------------------------------------------------------


@pytest.fixture
def invited(quay: Organization) -> User:
    return User.objects.create_user("nora@quay.example", organization=quay)


def test_an_invitation_sets_the_password_signs_in_and_works_once(invited: User, browser: Client) -> None:
    address = invitations.link(invited)
    page = follow(browser, address)
    assert "Choose a password for nora@quay.example." in page.content.decode()
    assert choose(browser, page).request["PATH_INFO"] == "/meetings/"
    assert is_signed_in(browser)
    assert "This invitation is no longer valid" in follow(Client(), address).content.decode()


def test_an_invitation_takes_language_and_time_zone_from_the_browser(invited: User, browser: Client) -> None:
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    choose(browser, follow(browser, invitations.link(invited)), time_zone="Europe/Zurich")
    invited.refresh_from_db()
    assert (invited.language, invited.time_zone) == ("de", "Europe/Zurich")


def test_an_invitation_refuses_a_weak_password(invited: User, browser: Client) -> None:
    choose(browser, follow(browser, invitations.link(invited)), "short")
    assert not is_signed_in(browser)


def test_an_invitation_of_a_deactivated_user_is_not_valid(invited: User, browser: Client) -> None:
    address = invitations.link(invited)
    User.objects.update(is_active=False)
    assert "This invitation is no longer valid" in follow(browser, address).content.decode()


def test_an_invitation_grows_too_old(invited: User, browser: Client, settings: Settings) -> None:
    address = invitations.link(invited)
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "This invitation is no longer valid" in follow(browser, address).content.decode()


def test_an_invitation_is_no_password_reset_link(invited: User, browser: Client) -> None:
    address = invitations.link(invited).replace("/invitation/", "/password-reset/")
    assert "This link is no longer valid" in follow(browser, address).content.decode()


def test_an_invitation_opened_by_somebody_signed_in_changes_the_person(invited: User, as_alice: Client) -> None:
    choose(as_alice, follow(as_alice, invitations.link(invited)))
    assert "nora@quay.example" in as_alice.get("/settings/profile/").content.decode()
