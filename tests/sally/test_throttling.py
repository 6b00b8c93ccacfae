"""Trying passwords: how often, from where, and what is kept of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.core import mail
from django.db import models
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from sally import throttling
from sally.models import User
from tests.conftest import PASSWORD, make_user
from tests.sally.passwords import fail, right, try_password

SENTENCE = "nobody can sign in from here for the moment. Please try again in 15 minutes, or reset the password"
OTHER_PLACE = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture
def browser() -> Client:
    return Client()


# --- Counting ----------------------------------------------------------------------------------------------------


def test_four_wrong_passwords_are_forgiven(alice: User, browser: Client) -> None:
    assert fail(browser, 4).status_code == 200
    assert right(browser)


def test_the_fifth_wrong_password_locks(alice: User, browser: Client) -> None:
    response = fail(browser, 5)
    assert response.status_code == 429
    assert SENTENCE in response.content.decode()
    assert not right(browser)


def test_signing_in_sets_the_count_back(alice: User, browser: Client) -> None:
    fail(browser, 4)
    right(browser)
    browser.logout()
    fail(browser, 4)
    assert right(browser)


def test_a_new_browser_does_not_start_anew(alice: User) -> None:
    for number in range(5):
        fail(Client(), 1, HTTP_USER_AGENT=f"Browser {number}")
    assert not right(Client())


@pytest.mark.parametrize("spelling", ["Alice@Quay.Example", "  ALICE@QUAY.EXAMPLE "])
def test_all_spellings_of_an_address_count_together(alice: User, browser: Client, spelling: str) -> None:
    fail(browser, 3)
    assert fail(browser, 2, spelling).status_code == 429
    assert not right(browser)


def test_the_same_person_gets_in_from_another_place(alice: User, browser: Client) -> None:
    fail(browser, 5)
    assert right(Client(), **OTHER_PLACE)


def test_a_colleague_in_the_same_place_gets_in(alice: User, bob: User, browser: Client) -> None:
    fail(browser, 5)
    assert right(Client(), bob.email)


def test_an_address_that_nobody_has_is_locked_the_same_way(alice: User) -> None:
    def page(email: str) -> tuple[int, str]:
        response = fail(Client(), 5, email)
        return response.status_code, re.sub(
            r'(name="csrfmiddlewaretoken" value=)"\w+"', r"\1", response.content.decode()
        )

    assert page("nobody@quay.example") == page("alice@quay.example")


@pytest.mark.parametrize("email", ["x" * 5000, "a\0b", "\N{PILE OF POO}@quay.example"])
def test_strange_addresses_are_counted_and_break_nothing(db: None, browser: Client, email: str) -> None:
    assert fail(browser, 6, email).status_code in (200, 429)


# --- How long ----------------------------------------------------------------------------------------------------


def test_the_lock_opens_after_a_quarter_of_an_hour(alice: User, browser: Client) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        fail(browser, 5)
        clock.move_to(now + timedelta(minutes=14, seconds=59))
        assert not right(browser)
        clock.move_to(now + timedelta(minutes=15, seconds=1))
        assert right(browser)


def test_trying_on_does_not_lengthen_the_lock_and_is_told_what_is_left(alice: User, browser: Client) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        fail(browser, 5)
        clock.move_to(now + timedelta(minutes=10))
        response = fail(browser, 3)
        assert "try again in 5 minutes" in response.content.decode()
        assert response["Retry-After"] == "300"
        clock.move_to(now + timedelta(minutes=15, seconds=1))
        assert right(browser)


def reset_password(client: Client, email: str) -> None:
    client.post("/password-reset/", {"email": email})
    found = re.search(r"http://testserver(/password-reset/\S+)", str(mail.outbox[-1].body))
    assert found
    page = client.get(found[1], follow=True).request["PATH_INFO"]
    client.post(
        page, {"new_password1": "another horse another staple", "new_password2": "another horse another staple"}
    )


def test_a_password_reset_opens_the_lock_at_once(alice: User, browser: Client) -> None:
    fail(browser, 5)
    reset_password(browser, alice.email)
    assert try_password(browser, "another horse another staple").status_code == 302


def test_a_password_reset_opens_nobody_elses_lock(alice: User, bob: User, browser: Client) -> None:
    fail(browser, 5, bob.email)
    reset_password(browser, alice.email)
    assert not right(browser, bob.email)


# --- The page ----------------------------------------------------------------------------------------------------


def test_the_locked_page_is_the_sign_in_page_in_the_browsers_language(alice: User, browser: Client) -> None:
    page = fail(browser, 5, HTTP_ACCEPT_LANGUAGE="de").content.decode()
    assert '<html lang="de">' in page
    assert 'name="password"' in page
    assert 'href="/password-reset/"' in page


def test_the_locked_page_keeps_where_the_person_wanted_to_go(alice: User, browser: Client) -> None:
    fail(browser, 4)
    fields = {"username": alice.email, "password": "wrong", "next": "/settings/profile/"}
    page = browser.post("/sign-in/", fields).content.decode()
    assert '<input type="hidden" name="next" value="/settings/profile/">' in page


# --- Other places that ask for the password ----------------------------------------------------------------------


def change(client: Client, old: str) -> Any:
    new = "another horse another staple"
    fields = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post("/settings/profile/password/", fields)


def test_wrong_old_passwords_are_counted(alice: User, as_alice: Client) -> None:
    assert [change(as_alice, "wrong").status_code for _ in range(5)] == [200, 200, 200, 200, 429]
    assert change(as_alice, PASSWORD).status_code == 429
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_wrong_old_passwords_and_wrong_sign_ins_count_together(alice: User, as_alice: Client) -> None:
    fail(Client(), 3)
    assert [change(as_alice, "wrong").status_code for _ in range(2)] == [200, 429]


def test_whoever_is_signed_in_and_locked_gets_a_page_that_says_so(as_alice: Client) -> None:
    page = [change(as_alice, "wrong") for _ in range(5)][-1].content.decode()
    assert "<h1>Too many wrong passwords</h1>" in page
    assert 'name="username"' not in page


def test_django_admin_has_no_sign_in_of_its_own(alice: User, browser: Client) -> None:
    wrong = {"username": alice.email, "password": "wrong"}
    assert browser.post("/admin/login/", wrong).status_code == 405
    response = browser.get("/admin/login/?next=/admin/sally/user/")
    assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/admin/sally/user/")


def test_signing_in_for_django_admin_leads_back_there(alice: User, browser: Client) -> None:
    root = make_user("root@quay.example", alice.organization, is_superuser=True)  # type: ignore[arg-type]
    asked = browser.get("/admin/sally/user/", follow=True)
    assert asked.request["PATH_INFO"] == "/sign-in/"
    fields = {"username": root.email, "password": PASSWORD, "next": asked.context["next"]}
    assert browser.post("/sign-in/", fields)["Location"] == "/admin/sally/user/"


def test_a_member_at_django_admins_door_is_told_so_instead_of_going_in_circles(as_alice: Client) -> None:
    response = as_alice.get("/admin/", follow=True)
    assert response.status_code == 403
    assert "You may not see this page" in response.content.decode()


def test_django_admins_password_page_is_the_profiles(as_alice: Client) -> None:
    assert as_alice.get("/admin/password_change/")["Location"] == "/settings/profile/password/"


# --- Where from --------------------------------------------------------------------------------------------------


def spoofed(number: int) -> dict[str, str]:
    return {"HTTP_X_FORWARDED_FOR": f"198.51.100.{number}", "HTTP_X_REAL_IP": f"198.51.100.{number}"}


def test_without_a_proxy_an_invented_address_changes_nothing(alice: User, browser: Client) -> None:
    answers = [fail(browser, 1, **spoofed(number)).status_code for number in range(5)]
    assert answers == [200, 200, 200, 200, 429]


def test_behind_a_proxy_an_invented_address_changes_nothing(alice: User, browser: Client, settings: Settings) -> None:
    settings.BEHIND_PROXY = True
    answers = [
        fail(browser, 1, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}, 203.0.113.7").status_code for number in range(5)
    ]
    assert answers == [200, 200, 200, 200, 429]


def test_behind_a_proxy_people_are_told_apart(alice: User, browser: Client, settings: Settings) -> None:
    settings.BEHIND_PROXY = True
    fail(browser, 5, HTTP_X_FORWARDED_FOR="203.0.113.7")
    assert not right(browser, HTTP_X_FORWARDED_FOR="203.0.113.7")
    assert right(browser, HTTP_X_FORWARDED_FOR="203.0.113.8")


@pytest.mark.parametrize(
    ("behind", "forwarded", "address"),
    [
        (False, "198.51.100.1", "127.0.0.1"),
        (True, "198.51.100.1", "198.51.100.1"),
        (True, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (True, "198.51.100.1,203.0.113.7:54321", "203.0.113.7"),
        (True, "[2001:db8::1]:443", "2001:db8::1"),
        (True, "2001:db8::1", "2001:db8::1"),
        (True, "::ffff:203.0.113.7", "203.0.113.7"),
        (True, "203.0.113.7, unknown", "127.0.0.1"),
        (True, "", "127.0.0.1"),
        (True, "1.2.3.4\nWARNING forged", "127.0.0.1"),
    ],
)
def test_the_address_is_the_one_that_the_proxy_saw(
    settings: Settings, behind: bool, forwarded: str, address: str
) -> None:
    settings.BEHIND_PROXY = behind
    request = RequestFactory().get("/", headers={"x-forwarded-for": forwarded})
    assert throttling.address_of(request) == address


def test_a_unix_socket_has_no_address() -> None:
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = ""
    assert throttling.counted_address(request) is None


@pytest.mark.parametrize(
    ("address", "counted"),
    [("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("2001:db8:1:2::9", "2001:db8:1:2::"), ("203.0.113.7", "203.0.113.7")],
)
def test_an_ipv6_subscriber_is_one_place(address: str, counted: str) -> None:
    assert throttling.counted_address(RequestFactory(REMOTE_ADDR=address).get("/")) == counted


# --- What is kept ------------------------------------------------------------------------------------------------


def everything_in(model: type[models.Model]) -> str:
    return repr(list(model._default_manager.values()))


def test_nothing_that_was_typed_is_stored(alice: User, browser: Client) -> None:
    typed = {"username": "canary-address", "password": "canary-password", "old_password": "canary-old"}
    for _ in range(2):
        browser.post("/sign-in/?password=canary-query", typed)
    stored = everything_in(AccessAttempt)
    assert AccessAttempt.objects.get().failures_since_start == 2
    assert "canary" not in stored


def test_wrong_old_passwords_are_not_stored(as_alice: Client) -> None:
    fields = {"old_password": "canary-old", "new_password1": "canary-new", "new_password2": "canary-new"}
    as_alice.post("/settings/profile/password/", fields)
    assert AccessAttempt.objects.count() == 1
    assert "canary" not in everything_in(AccessAttempt)


@pytest.mark.parametrize("model", ["accessattempt", "accesslog", "accessfailurelog"])
def test_the_counts_are_not_in_django_admin(alice: User, model: str) -> None:
    User.objects.update(role=User.Role.ADMIN)
    client = Client()
    client.force_login(alice)
    assert client.get(f"/admin/axes/{model}/").status_code == 404
    assert "axes" not in client.get("/admin/").content.decode()
