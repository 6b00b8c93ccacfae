"""The way to an admin's approval, as the person and their IT walk it in two browsers."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings

from calendars import tasks
from integrations import notices
from integrations.models import ApprovalRequest, CalendarConnection
from sally.models import User
from tests.browser.conftest import Door, Person, work_off_the_queue
from tests.conftest import INES
from tests.sandbox_process import Sandbox

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

CALENDARS = "Calendars.ReadWrite.Shared"


@pytest.fixture
def microsoft(microsoft: Sandbox) -> Sandbox:
    """A tenant in which people may not decide about calendars themselves, with pages that send nothing back."""
    microsoft.control("POST", "settings", json={"approval": "required"})
    return microsoft


@pytest.fixture
def alice_waits(door: Door, alice: User, microsoft: Sandbox) -> Person:
    """Alice was stopped at Microsoft, and came back by herself."""
    person = door.person()
    person.sign_in(alice.email)
    be_stopped(person)
    person.open("/settings/integrations/")
    return person


def be_stopped(person: Person) -> None:
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.page.wait_for_url(re.compile("/oauth2/v2.0/authorize"))
    person.page.get_by_role("button", name=re.compile("Ines Falk")).click()
    expect(person.page.get_by_role("heading", name="Need admin approval")).to_be_visible()


def link_for_it(person: Person) -> str:
    """What the person copies and sends."""
    person.page.get_by_role("link", name="My admin has to approve").click()
    person.page.get_by_label("Work address").fill(INES)
    person.page.get_by_role("button", name="My admin has to approve").click()
    return person.page.locator("#link").inner_text().strip()


def to_microsoft_as_admin(it: Person, link: str) -> Page:
    """IT opens the link in a browser of its own, without an account of Sally's."""
    it.page.goto(link)
    it.check("the page for IT")
    it.page.get_by_role("link", name="Continue to Microsoft").click()
    it.page.get_by_role("button", name=re.compile("Ada Quint")).click()
    return it.page


def connect_now(person: Person) -> None:
    person.page.get_by_role("button", name="Connect now").click()
    person.page.wait_for_url(re.compile("/oauth2/v2.0/authorize|/meetings/|/meeting-assistant/start/"))


def test_stopped_then_approved_by_an_admin_without_an_account_then_connected(
    alice_waits: Person, door: Door, alice: User
) -> None:
    page = alice_waits.page
    expect(page.get_by_role("heading", name="This calendar is not connected yet")).to_be_visible()
    alice_waits.check("stopped")
    link = link_for_it(alice_waits)
    alice_waits.check("mail and link for IT")
    assert link in page.locator("#text-en").inner_text()
    assert link in page.locator("#text-de").inner_text()
    alice_waits.open("/settings/integrations/")
    expect(page.get_by_role("heading", name="Waiting for your admin")).to_be_visible()

    it = door.person()
    to_microsoft_as_admin(it, link).get_by_role("button", name="Accept", exact=True).click()
    expect(it.page.get_by_text("Thank you: the approval was reported")).to_be_visible()
    assert "admin_consent" not in it.page.url
    it.check("approved, for IT")
    it.open("/meetings/")
    expect(it.page).to_have_url(re.compile("/sign-in/"))

    # Without a touch of Alice's.
    expect(page.get_by_role("heading", name="Approved: connect now")).to_be_visible(timeout=10_000)
    expect(page.get_by_role("status").filter(has_text="Approved: connect now")).to_have_id("waiting-said")
    alice_waits.check("approved")
    notices.send_due(timezone.now())
    assert [(one.to, one.subject) for one in mail.outbox] == [
        ([alice.email], "Sally was approved for quay.example: connect now")
    ]
    connect_now(alice_waits)
    # Microsoft knows who it is from the hint, and nobody is asked for what the admin approved.
    expect(page.get_by_text(f"{INES} is connected.")).to_be_visible()
    work_off_the_queue()
    assert CalendarConnection.objects.get().status == "connected"
    alice_waits.open("/settings/integrations/")
    expect(page.locator("#waiting")).to_have_count(0)


def test_an_admin_may_do_it_at_once(alice_waits: Person) -> None:
    page = alice_waits.page
    page.get_by_role("link", name="I am an admin").click()
    page.get_by_label("Work address").fill(INES)
    page.get_by_role("button", name="I am an admin").click()
    page.get_by_role("link", name="Continue to Microsoft").click()
    page.get_by_role("button", name=re.compile("Ada Quint")).click()
    page.get_by_role("button", name="Accept", exact=True).click()
    expect(page.get_by_text("Thank you: the approval was reported")).to_be_visible()
    alice_waits.open("/settings/integrations/")
    connect_now(alice_waits)
    expect(page.get_by_text(f"{INES} is connected.")).to_be_visible()


def test_declined_with_a_word(alice_waits: Person, door: Door) -> None:
    link = link_for_it(alice_waits)
    alice_waits.open("/settings/integrations/")
    it = door.person()
    to_microsoft_as_admin(it, link).get_by_role("button", name="Cancel").click()
    expect(it.page.get_by_text("it was reported that you declined")).to_be_visible()
    it.page.get_by_label("Why (if you like)").fill("Not before the audit in May")
    it.page.get_by_role("button", name="Send").click()
    it.check("declined, for IT")
    page = alice_waits.page
    expect(page.get_by_role("heading", name="Your IT declined")).to_be_visible(timeout=10_000)
    expect(page.get_by_text("Not before the audit in May")).to_be_visible(timeout=10_000)
    alice_waits.check("declined")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#waiting")).to_have_count(0)
    assert not CalendarConnection.objects.exists()


def test_granted_in_part_it_says_what_is_missing_and_so_does_the_next_try(
    alice_waits: Person, door: Door, microsoft: Sandbox
) -> None:
    link = link_for_it(alice_waits)
    it = door.person()
    there = to_microsoft_as_admin(it, link)
    there.get_by_role("checkbox", name=CALENDARS).check()
    there.get_by_role("button", name="Accept some").click()
    expect(it.page.get_by_text("this was not approved")).to_be_visible()
    it.check("approved in part, for IT")
    alice_waits.open("/settings/integrations/")
    page = alice_waits.page
    expect(page.get_by_role("heading", name="Approved in part")).to_be_visible()
    expect(page.get_by_text("OnlineMeetings.ReadWrite")).to_be_visible()
    expect(page.locator("#waiting").get_by_text(CALENDARS)).to_have_count(0)
    alice_waits.check("approved in part")

    be_stopped_again(alice_waits)
    expect(page.get_by_role("heading", name="Approved, but Microsoft still asks")).to_be_visible()
    alice_waits.check("approved, still asked")


def be_stopped_again(person: Person) -> None:
    """The hint names the account, so Microsoft's page comes at once; its way back is used."""
    person.page.get_by_role("button", name="Try again").click()
    person.page.get_by_role("button", name="Return to the application").click()
    person.page.wait_for_url(re.compile("/settings/integrations/"))


def test_withdrawn_later_the_calendar_says_so_and_leads_to_the_admin(
    door: Door, alice: User, microsoft: Sandbox
) -> None:
    microsoft.control("POST", "settings", json={"access_token_seconds": 60})
    microsoft.control("POST", "consent", json={"scopes": None, "granted": True})
    person = door.person()
    person.sign_in(alice.email)
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.page.get_by_role("button", name=re.compile("Ines Falk")).click()
    person.not_now()
    work_off_the_queue()

    microsoft.control("POST", "consent", json={"granted": False})
    CalendarConnection.objects.update(next_sync_at=timezone.now())
    tasks.dispatch_due()
    work_off_the_queue()
    assert CalendarConnection.objects.get().last_error_kind == "ApprovalNeeded"
    person.open("/settings/integrations/")
    expect(person.page.get_by_text("its approval was withdrawn")).to_be_visible()
    person.check("approval withdrawn")

    # A try ends at Microsoft; an admin approves once more; the same calendar goes on.
    pk = CalendarConnection.objects.get().pk
    link = link_for_it(person)
    to_microsoft_as_admin(door.person(), link).get_by_role("button", name="Accept", exact=True).click()
    person.open("/settings/integrations/")
    connect_now(person)
    expect(person.page.get_by_text(f"{INES} is connected.")).to_be_visible()
    assert CalendarConnection.objects.get().pk == pk


def test_an_answer_from_a_forged_or_repeated_callback_changes_nothing_on_the_page(
    alice_waits: Person, door: Door, settings: Settings
) -> None:
    link = link_for_it(alice_waits)
    it = door.person()
    path = "/settings/integrations/microsoft/callback/?admin_consent=True&tenant=x&state="
    it.open(path + "forged")
    expect(it.page.get_by_role("heading", name="This link is not good (any more)")).to_be_visible()
    it.complaints.clear()  # Chromium notes the 404
    it.check("a forged callback")
    assert ApprovalRequest.objects.get().state == "waiting"
    page = to_microsoft_as_admin(it, link)
    with page.expect_request(re.compile("/microsoft/callback/")) as sent:
        page.get_by_role("button", name="Accept", exact=True).click()
    answered = ApprovalRequest.objects.get()
    it.page.goto(sent.value.url)
    it.page.goto(sent.value.url.replace("admin_consent=True", "error=access_denied"))
    repeated = ApprovalRequest.objects.get()
    assert (repeated.state, repeated.answered_at) == (answered.state, answered.answered_at) == (
        "reported", answered.answered_at,
    )  # fmt: skip


def test_where_the_workflow_is_on_the_request_may_be_pending_there(door: Door, alice: User, microsoft: Sandbox) -> None:
    microsoft.control("POST", "settings", json={"approval": "workflow"})
    person = door.person()
    person.sign_in(alice.email)
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.page.get_by_role("button", name=re.compile("Ines Falk")).click()
    person.page.get_by_role("textbox").fill("For our meetings")
    person.page.get_by_role("button", name="Request approval").click()
    expect(person.page.get_by_role("heading", name="Request sent")).to_be_visible()
    person.open("/settings/integrations/")
    expect(person.page.get_by_role("heading", name="This calendar is not connected yet")).to_be_visible()
    microsoft.control("POST", "settings", json={"approval_returns": "redirect"})
    person.page.get_by_role("button", name="Try again").click()
    person.page.get_by_role("button", name=re.compile("Ines Falk")).click()
    expect(person.page.get_by_role("heading", name="Your request is with your organization's admin")).to_be_visible()
    person.check("request pending")
    microsoft.control("POST", "consent", json={"scopes": None, "granted": True})
    person.page.get_by_role("button", name="Try again").click()
    person.page.get_by_role("button", name=re.compile("Ines Falk")).click()
    expect(person.page.get_by_text(f"{INES} is connected.")).to_be_visible()


def test_without_javascript_all_of_it_works(door: Door, alice: User, microsoft: Sandbox) -> None:
    person = door.person(java_script_enabled=False)
    person.sign_in(alice.email)
    be_stopped_without_scripts(person)
    person.open("/settings/integrations/")
    link = link_for_it(person)
    expect(person.page.get_by_role("button", name="Copy")).to_have_count(0)
    it = door.person(java_script_enabled=False)
    it.page.goto(link)
    it.page.get_by_role("link", name="Continue to Microsoft").click()
    it.page.get_by_role("button", name=re.compile("Ada Quint")).click()
    it.page.get_by_role("button", name="Accept", exact=True).click()
    person.open("/settings/integrations/")
    expect(person.page.get_by_role("button", name="Connect now")).to_be_visible()


def be_stopped_without_scripts(person: Person) -> None:
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.page.wait_for_url(re.compile("/oauth2/v2.0/authorize"))
    person.page.get_by_role("button", name=re.compile("Ines Falk")).click()


def test_the_link_can_be_copied(alice_waits: Person) -> None:
    link = link_for_it(alice_waits)
    page = alice_waits.page
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_text("Copied")).to_have_count(1)
    page.evaluate("document.body.append(Object.assign(document.createElement('textarea'), {id: 'pasted'}))")
    page.locator("#pasted").focus()
    page.keyboard.press("Control+v")
    assert page.locator("#pasted").input_value().strip() == link
