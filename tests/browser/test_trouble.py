"""Trouble as a person meets it: a withdrawn token, an operator's expired secret, and somebody else's addresses."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import expect
from pytest_django import Settings

from calendars import tasks
from calendars.models import Meeting
from integrations.models import CalendarConnection, OperatorTrouble
from sally.models import User
from tests.browser.conftest import Door, Person, work_off_the_queue
from tests.conftest import INES, make_user
from tests.sandbox_process import Sandbox

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def person(door: Door, alice: User, microsoft: Sandbox) -> Person:
    """Alice, with Ines's calendar connected and read; every sync asks Microsoft for a new token."""
    microsoft.control("POST", "settings", json={"access_token_seconds": 60})
    person = door.person()
    person.sign_in(alice.email)
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.choose_at_microsoft("Ines Falk")
    person.not_now()
    work_off_the_queue()
    return person


def a_minute_passes() -> None:
    """What the worker does every minute, with everything due."""
    CalendarConnection.objects.filter(next_sync_at__gt=timezone.now()).update(next_sync_at=timezone.now())
    tasks.dispatch_due()
    work_off_the_queue()
    tasks.look_after()


def test_a_withdrawn_token_is_told_everywhere_and_one_click_mends_it(person: Person, microsoft: Sandbox) -> None:
    page = person.page
    person.open("/settings/integrations/")
    page.get_by_role("switch", name="Sync private appointments").click()
    expect(page.get_by_role("switch", name="Sync private appointments")).to_have_attribute("aria-checked", "true")
    work_off_the_queue()
    meetings = dict(Meeting.objects.values_list("pk", "join_url"))
    assert any(meetings.values())
    address = f"/meetings/{next(iter(meetings))}/"

    microsoft.control("POST", "revoke", json={"email": INES, "code": 50173, "access_tokens": True})
    a_minute_passes()
    a_minute_passes()
    for path in ("/meetings/", address, "/settings/integrations/", "/settings/profile/"):
        person.open(path)
        expect(page.get_by_text("Sally's access was withdrawn. Sign in again")).to_have_count(1)
        person.check(f"trouble on {path}")
    (sent,) = mail.outbox
    link = re.search(r"http\S+", str(sent.body))
    assert link

    page.goto(link[0])
    page.get_by_role("button", name="Sign in with Microsoft").click()
    # Microsoft knows from the hint who it is, and that all was accepted before.
    expect(page.get_by_text(f"{INES} is connected.")).to_be_visible()
    work_off_the_queue()
    assert dict(Meeting.objects.values_list("pk", "join_url")) == meetings
    person.open(address)
    expect(page.get_by_text("Sally's access was withdrawn")).to_have_count(0)
    person.open("/settings/integrations/")
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    expect(page.get_by_role("switch", name="Sync private appointments")).to_have_attribute("aria-checked", "true")
    a_minute_passes()
    assert len(mail.outbox) == 1
    assert person.complaints == []


def test_an_expired_client_secret_bothers_no_user_and_ends_by_itself(
    person: Person, door: Door, alice: User, microsoft: Sandbox, settings: Settings
) -> None:
    root = make_user("root@quay.example", alice.organization, is_superuser=True, role="admin")  # type: ignore[arg-type]
    microsoft.control("POST", "settings", json={"client_secret": "the new one"})
    a_minute_passes()
    assert [one.to for one in mail.outbox] == [[root.email]]
    person.open("/settings/integrations/")
    expect(person.page.get_by_text("Sally's administrator has to act")).to_be_visible()
    expect(person.page.get_by_role("button", name="Sign in with Microsoft")).to_have_count(0)
    person.check("the operator has to act")
    person.open("/settings/integrations/add/")
    expect(person.page.get_by_text("Sally's administrator has to act first")).to_be_visible()
    person.check("add calendar, the operator has to act")
    person.open("/settings/profile/")
    expect(person.page.get_by_text("administrator has to act")).to_have_count(0)

    operator = door.person()
    operator.sign_in(root.email)
    operator.open("/admin/")
    expect(operator.page.get_by_text("Microsoft refuses Sally's client secret or certificate")).to_be_visible()
    operator.page.get_by_role("link", name="AADSTS7000215").first.click()
    expect(operator.page.get_by_role("heading", level=1)).to_be_visible()

    settings.MICROSOFT_CLIENT_SECRET = "the new one"
    a_minute_passes()
    person.open("/settings/integrations/")
    expect(person.page.get_by_text("Connected", exact=True)).to_be_visible()
    expect(person.page.get_by_text("administrator has to act")).to_have_count(0)
    operator.open("/admin/")
    expect(operator.page.get_by_text("Microsoft refuses")).to_have_count(0)
    assert not OperatorTrouble.objects.exists()
    assert len(mail.outbox) == 1
    assert person.complaints == operator.complaints == []


def test_somebody_elses_addresses_lead_nowhere(person: Person, door: Door, bob: User) -> None:
    connection, meeting = CalendarConnection.objects.get(), Meeting.objects.all()[0]
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.page.wait_for_url(re.compile("/oauth2/v2.0/authorize"))
    state = re.search(r"state=([^&]+)", person.page.url)
    assert state

    other = door.person()
    other.sign_in(bob.email)
    for path in (
        f"/settings/integrations/{connection.pk}/",
        f"/settings/integrations/{connection.pk}/disconnect/",
        f"/meetings/{meeting.pk}/",
    ):
        response = other.page.goto(other.url + path)
        assert response
        assert response.status == 404, path
    other.open(f"/settings/integrations/microsoft/callback/?state={state[1]}&code=stolen")
    expect(other.page.get_by_text("belongs to somebody else")).to_be_visible()
    assert CalendarConnection.objects.get().owner_id == connection.owner_id


def test_another_account_at_a_reconnect_is_offered_as_a_new_connection(person: Person) -> None:
    CalendarConnection.objects.update(
        status="needs_attention", last_error="AADSTS50173", last_error_kind="ReconnectNeeded", account_email="gone@x"
    )
    page = person.page
    person.open("/settings/integrations/")
    page.get_by_role("button", name="Sign in with Microsoft").click()
    person.choose_at_microsoft("Tomas Ruy")
    expect(page.get_by_role("heading", name="You signed in with another account")).to_be_visible()
    person.check("another account")
    page.get_by_role("button", name="Connect tomas@quay.example as well").click()
    expect(page.get_by_text("tomas@quay.example is connected.")).to_be_visible()
    assert CalendarConnection.objects.count() == 2
