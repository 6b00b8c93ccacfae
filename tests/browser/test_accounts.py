"""The pages that guard an account, in the looks of test_pages.py: confirming, being locked out, sessions."""

from __future__ import annotations

import pytest
from django.test import Client
from playwright.sync_api import expect

from sally.models import User
from tests.browser.conftest import Door, Person
from tests.browser.test_pages import LOOKS, picture
from tests.sally.passwords import right

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=list(LOOKS.values()), ids=list(LOOKS))
def person(request: pytest.FixtureRequest, door: Door, alice: User) -> Person:
    User.objects.update(language="", time_zone="")
    locale, scheme, width = request.param
    return door.person(locale=locale, color_scheme=scheme, width=width)


def test_where_one_is_signed_in(person: Person, alice: User) -> None:
    for user_agent in ("Mozilla/5.0 (iPhone) CriOS/139.0 Safari/604.1", "something else"):
        assert right(Client(), alice.email, HTTP_USER_AGENT=user_agent)
    person.sign_in(alice.email)
    person.open("/settings/profile/")
    person.check("profile, with sessions")
    picture(person, "profile")
    person.page.locator(".sessions form button").first.click()
    expect(person.page.locator(".sessions > li")).to_have_count(2)
    person.check("profile, a session ended")


def say(person: Person, password: str) -> None:
    """With the keyboard alone: on pages that ask for nothing else the field has the focus."""
    person.page.locator("input[name=password]").press_sequentially(password)
    with person.page.expect_navigation():
        person.page.keyboard.press("Enter")


def test_confirming(person: Person, alice: User) -> None:
    person.sign_in(alice.email)
    person.open("/confirm/?next=/settings/profile/")
    expect(person.page.locator("input[name=password]")).to_be_focused()
    person.check("confirm")
    picture(person, "confirm")
    say(person, "wrong")
    person.check("confirm, wrong")
    for _ in range(4):
        say(person, "wrong")
    person.check("confirm, locked out", status=429)
    picture(person, "confirm-locked-out")


def test_being_locked_out(person: Person, alice: User) -> None:
    person.open("/sign-in/")
    for _ in range(5):
        person.page.fill("input[name=username]", alice.email)
        say(person, "wrong")
    person.check("sign-in, locked out", status=429)
    picture(person, "sign-in-locked-out")
