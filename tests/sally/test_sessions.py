"""Sessions: how they begin, when they are over, and how a person ends them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings

from sally import invitations
from sally.models import Session, User
from tests.conftest import PASSWORD, make_user
from tests.sally.passwords import right

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IDLE = "You were signed out because you did not use Sally for 8 hours. Please sign in again."
OLD = "You signed in more than 7 days ago. To be on the safe side, please sign in again."


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def is_signed_in(client: Client) -> bool:
    return client.get("/meetings/").status_code == 200


def signed_in(user: User, **meta: Any) -> Client:
    client = Client()
    assert right(client, user.email, **meta)
    return client


def key(client: Client) -> str:
    return client.cookies["sessionid"].value


def row(client: Client) -> Session:
    return Session.objects.get(session_key=key(client))


# --- The beginning -----------------------------------------------------------------------------------------------


def test_signing_in_changes_the_key_of_the_session_that_was_there(alice: User) -> None:
    browser = Client()
    browser.session.save()
    planted = browser.session
    planted["planted"] = True
    planted.save()
    browser.cookies["sessionid"] = str(planted.session_key)
    assert right(browser)
    assert key(browser) != planted.session_key
    assert not Session.objects.filter(session_key=planted.session_key).exists()


def test_the_row_says_who_signed_in_when_and_with_what(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice, HTTP_USER_AGENT=FIREFOX)
    session = row(browser)
    assert (session.user, session.signed_in_at, session.used_at) == (alice, NOON, NOON)
    assert session.user_agent == FIREFOX


def test_a_session_of_nobody_belongs_to_nobody(alice: User) -> None:
    browser = Client()
    session = browser.session
    session["visited"] = True
    session.save()
    assert Session.objects.get().user is None


@pytest.mark.parametrize("user_agent", ["", "x" * 9000, "a\0b", "\N{PILE OF POO}"])
def test_strange_browsers_may_sign_in(alice: User, user_agent: str) -> None:
    assert is_signed_in(signed_in(alice, HTTP_USER_AGENT=user_agent))


def test_deleting_a_user_deletes_the_sessions(alice: User, as_alice: Client) -> None:
    alice.delete()
    assert not Session.objects.exists()


# --- The end by itself -------------------------------------------------------------------------------------------


def test_who_does_nothing_for_eight_hours_is_signed_out(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)
    clock.move_to(NOON + timedelta(hours=8))
    assert not is_signed_in(browser)
    assert not Session.objects.filter(user=alice).exists()


def test_who_does_something_stays(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)
    for hours in (7, 14, 21):
        clock.move_to(NOON + timedelta(hours=hours))
        assert is_signed_in(browser)


def test_after_seven_days_everybody_signs_in_anew(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)
    for hours in range(7, 7 * 24, 7):
        clock.move_to(NOON + timedelta(hours=hours))
        assert is_signed_in(browser)
    clock.move_to(NOON + timedelta(days=7))
    page = browser.get("/meetings/", follow=True)
    assert OLD in page.content.decode()
    assert not is_signed_in(browser)


def test_the_limits_are_settings(alice: User, clock: time_machine.Traveller, settings: Settings) -> None:
    settings.SESSION_IDLE_HOURS = 1
    browser = signed_in(alice)
    clock.move_to(NOON + timedelta(hours=1))
    assert "did not use Sally for an hour." in browser.get("/meetings/", follow=True).content.decode()


def test_a_cookie_that_is_kept_for_ever_gains_nothing(alice: User, clock: time_machine.Traveller) -> None:
    """The limit is the server's."""
    stolen = Client()
    stolen.cookies["sessionid"] = key(signed_in(alice))
    clock.move_to(NOON + timedelta(hours=8))
    assert not is_signed_in(stolen)


def test_what_an_open_page_asks_by_itself_is_no_use(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)
    for minutes in range(0, 8 * 60, 20):
        clock.move_to(NOON + timedelta(minutes=minutes))
        assert browser.get("/meetings/", headers={"hx-request": "true"}).status_code == 200
    clock.move_to(NOON + timedelta(hours=8))
    assert not is_signed_in(browser)


def test_a_click_that_htmx_sends_is_use(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)
    clock.move_to(NOON + timedelta(hours=7))
    browser.post(f"/settings/integrations/{uuid.uuid4()}/sync/", headers={"hx-request": "true"})
    clock.move_to(NOON + timedelta(hours=14))
    assert is_signed_in(browser)


def test_use_is_written_every_five_minutes_at_most(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)

    def writes(seconds: int) -> int:
        clock.move_to(NOON + timedelta(seconds=seconds))
        with CaptureQueriesContext(database) as captured:
            browser.get("/settings/profile/")
        return sum("UPDATE" in one["sql"] for one in captured.captured_queries)

    assert [writes(seconds) for seconds in (1, 299, 300, 301, 599, 600)] == [0, 0, 1, 0, 0, 1]


def test_the_person_is_told_why_and_comes_back(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)
    clock.move_to(NOON + timedelta(hours=9))
    page = browser.get("/settings/profile/?a=b", follow=True)
    assert IDLE in page.content.decode()
    fields = {"username": alice.email, "password": PASSWORD, "next": page.context["next"]}
    assert browser.post("/sign-in/", fields)["Location"] == "/settings/profile/?a=b"


def test_the_reason_is_told_once(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)
    clock.move_to(NOON + timedelta(hours=9))
    browser.get("/meetings/", follow=True)
    assert IDLE not in browser.get("/sign-in/").content.decode()


def test_a_form_that_came_too_late_leads_back_to_its_page(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)
    clock.move_to(NOON + timedelta(hours=9))
    address = f"/settings/integrations/{uuid.uuid4()}/sync/"
    response = browser.post(address, headers={"referer": "http://testserver/settings/integrations/"})
    assert response["Location"] == "/sign-in/?next=/settings/integrations/"


def test_an_open_page_reloads_when_its_session_is_over(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)
    clock.move_to(NOON + timedelta(hours=9))
    response = browser.get("/meetings/", headers={"hx-request": "true"})
    assert (response.status_code, response["HX-Refresh"]) == (200, "true")
    assert IDLE in browser.get("/meetings/", follow=True).content.decode()


def test_somebody_signed_out_is_told_nothing(db: None) -> None:
    page = Client().get("/meetings/", follow=True).content.decode()
    assert "Please sign in again" not in page
    assert "To be on the safe side" not in page


# --- The end by other means --------------------------------------------------------------------------------------


def test_a_deactivated_user_is_out_and_stays_out_when_activated_again(alice: User) -> None:
    browser = signed_in(alice)
    root = make_user("root@quay.example", alice.organization, is_superuser=True)  # type: ignore[arg-type]
    form = {"email": alice.email, "name": "Alice", "role": "member", "language": "en", "time_zone": "Europe/Berlin"}
    form |= {"organization": str(alice.organization_id)}
    address = f"/admin/sally/user/{alice.pk}/change/"
    assert signed_in(root).post(address, form).status_code == 302
    assert not is_signed_in(browser)
    assert signed_in(root).post(address, form | {"is_active": "on"}).status_code == 302
    assert User.objects.get(pk=alice.pk).is_active
    assert not is_signed_in(browser)


def test_a_password_change_ends_and_removes_the_other_sessions(alice: User) -> None:
    here, there = signed_in(alice), signed_in(alice)
    old = key(here)
    new = "another horse another staple"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/settings/profile/password/", fields).status_code == 302
    assert key(here) != old
    # Before the other one asks for anything: the list of sessions must not show it either.
    assert list(alice.sessions.values_list("session_key", flat=True)) == [key(here)]
    assert is_signed_in(here)
    assert not is_signed_in(there)


def test_a_new_password_by_link_removes_all_sessions(alice: User) -> None:
    signed_in(alice)
    alice.refresh_from_db()  # the link is good for this last sign-in
    browser = Client()
    page = browser.get(invitations.link(alice).removeprefix("http://testserver"), follow=True).request["PATH_INFO"]
    new = "another horse another staple"
    browser.post(page, {"new_password1": new, "new_password2": new})
    assert list(alice.sessions.values_list("session_key", flat=True)) == [key(browser)]  # an invitation signs in


def test_a_password_change_keeps_since_when_one_is_signed_in(alice: User, clock: time_machine.Traveller) -> None:
    browser = signed_in(alice)
    clock.move_to(NOON + timedelta(hours=1))
    new = "another horse another staple"
    browser.post("/settings/profile/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert row(browser).signed_in_at == NOON


# --- The list ----------------------------------------------------------------------------------------------------


def profile(client: Client) -> str:
    return str(client.get("/settings/profile/").content.decode())


def test_the_profile_lists_where_one_is_signed_in(alice: User, clock: time_machine.Traveller) -> None:
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1"
    signed_in(alice, HTTP_USER_AGENT=phone)
    clock.move_to(NOON + timedelta(hours=1))
    page = profile(signed_in(alice, HTTP_USER_AGENT=FIREFOX))
    assert "Safari on iPhone" in page
    assert "last used 23 November 2026, 13:00" in page  # Alice is in Berlin
    assert page.count("this one") == 1
    assert page.index("Firefox on Linux") < page.index("this one") < page.index("Safari on iPhone")


def test_what_is_over_is_not_listed(alice: User, clock: time_machine.Traveller) -> None:
    signed_in(alice, HTTP_USER_AGENT=FIREFOX)
    clock.move_to(NOON + timedelta(hours=8))
    assert "Firefox on Linux" not in profile(signed_in(alice))


def test_nobody_elses_sessions_are_listed(alice: User, bob: User) -> None:
    signed_in(bob, HTTP_USER_AGENT=FIREFOX)
    assert "Firefox on Linux" not in profile(signed_in(alice))


def test_no_page_shows_a_sessions_key(alice: User) -> None:
    here, there = signed_in(alice), signed_in(alice)
    page = profile(here)
    assert key(here) not in page
    assert key(there) not in page


def test_what_a_browser_says_of_itself_is_no_markup(alice: User) -> None:
    signed_in(alice, HTTP_USER_AGENT="<script>alert(1)</script> Firefox/140.0")
    assert "<script>alert" not in profile(signed_in(alice))


@pytest.mark.parametrize("others", [0, 1, 20])
def test_the_profile_asks_the_database_as_often_with_many_sessions(
    alice: User, others: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Session, person, the person's copy in the form, organization, sessions, banner."""
    browser = signed_in(alice)
    for _ in range(others):
        Client().force_login(alice)
    with django_assert_num_queries(6):
        browser.get("/settings/profile/")


# --- Ending others -----------------------------------------------------------------------------------------------


def test_another_session_can_be_ended(alice: User) -> None:
    here, there, third = signed_in(alice), signed_in(alice), signed_in(alice)
    response = here.post(f"/settings/profile/sessions/{row(there).public_id}/end/", follow=True)
    assert "That browser is signed out." in response.content.decode()
    assert [is_signed_in(one) for one in (here, there, third)] == [True, False, True]


def test_all_others_can_be_ended_at_once(alice: User, bob: User) -> None:
    here, there, third, bobs = signed_in(alice), signed_in(alice), signed_in(alice), signed_in(bob)
    response = here.post("/settings/profile/sessions/end-others/", follow=True)
    assert "2 other browsers are signed out." in response.content.decode()
    assert [is_signed_in(one) for one in (here, there, third, bobs)] == [True, False, False, True]


def test_who_is_signed_in_once_is_offered_no_end(alice: User) -> None:
    browser = signed_in(alice)
    assert "Sign out elsewhere" not in profile(browser)
    signed_in(alice)
    assert "Sign out elsewhere" in profile(browser)


def test_another_users_session_is_not_found(alice: User, bob: User) -> None:
    bobs = signed_in(bob)
    assert signed_in(alice).post(f"/settings/profile/sessions/{row(bobs).public_id}/end/").status_code == 404
    assert is_signed_in(bobs)


def test_ones_own_session_is_ended_by_signing_out_only(alice: User) -> None:
    here = signed_in(alice)
    assert here.post(f"/settings/profile/sessions/{row(here).public_id}/end/").status_code == 404
    assert is_signed_in(here)


@pytest.mark.parametrize("path", ["end-others/", f"{uuid.UUID(int=7)}/end/"])
def test_ending_works_by_post_only_and_for_the_signed_in(as_alice: Client, path: str) -> None:
    assert as_alice.get(f"/settings/profile/sessions/{path}").status_code == 405
    response = Client().post(f"/settings/profile/sessions/{path}")
    assert (response.status_code, response["Location"].partition("?")[0]) == (302, "/sign-in/")


@pytest.mark.parametrize("path", ["end-others/", f"{uuid.UUID(int=7)}/end/"])
def test_ending_needs_the_csrf_token(alice: User, path: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert browser.post(f"/settings/profile/sessions/{path}").status_code == 403
