"""Every page in both languages, light and dark, wide and 360 px: axe, console, overflow and layout shift.

With ``SALLY_SCREENSHOTS=folder`` the wide English light run also writes the README's pictures there.
"""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import expect
from pytest_django import Settings

from calendars.models import Meeting, Participation
from integrations.models import AccessRecord, ApprovalRequest, CalendarConnection, SignIn
from sally import invitations
from sally.models import Organization, User
from tests.browser.conftest import Door, Person, work_off_the_queue
from tests.calendars.rows import confirm, meeting
from tests.conftest import make_user
from tests.sandbox_process import Sandbox
from tests.walking import World

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

LOOKS = {
    "english, light, wide": ("en-GB", "light", 1200),
    "german, light, wide": ("de-DE", "light", 1200),
    "german, dark, 360 px": ("de-DE", "dark", 360),
}


@pytest.fixture(params=list(LOOKS.values()), ids=list(LOOKS))
def person(request: pytest.FixtureRequest, door: Door) -> Person:
    locale, scheme, width = request.param
    return door.person(locale=locale, color_scheme=scheme, width=width)


@pytest.fixture
def anybody(alice: User) -> User:
    """Alice, who has not chosen a language yet: the browser's counts."""
    User.objects.update(language="", time_zone="")
    return alice


def picture(person: Person, name: str) -> None:
    folder = os.environ.get("SALLY_SCREENSHOTS")
    size = person.page.viewport_size
    if folder and size and size["width"] == 1200 and person.page.evaluate("document.documentElement.lang") == "en":
        Path(folder).mkdir(parents=True, exist_ok=True)
        person.page.screenshot(path=Path(folder) / f"{name}.png")


def test_pages_before_the_sign_in(person: Person, anybody: User, quay: Organization, settings: Settings) -> None:
    person.open("/sign-in/")
    person.check("sign-in")
    person.page.fill("input[name=username]", "nobody@quay.example")
    person.page.fill("input[name=password]", "wrong")
    person.page.click("main form button")
    expect(person.page.locator("[role=alert]")).to_be_visible()
    person.check("sign-in refused")
    person.open("/password-reset/")
    person.check("password reset")
    person.page.fill("input[name=email]", anybody.email)
    person.page.click("main form button")
    person.check("password reset sent")
    text = str(mail.outbox[-1].body)
    link = re.search(r"http\S+", text)
    assert link
    person.page.goto(re.sub(r"^http://[^/]+", person.url, link[0]))
    person.check("choose a new password")
    person.page.fill("input[name=new_password1]", "short")
    person.page.fill("input[name=new_password2]", "short")
    person.page.click("main form button")
    person.check("a password refused")
    person.page.fill("input[name=new_password1]", "a quite good passphrase")
    person.page.fill("input[name=new_password2]", "a quite good passphrase")
    person.page.click("main form button")
    person.check("password set")
    person.page.goto(re.sub(r"^http://[^/]+", person.url, link[0]))
    person.check("a used link")
    invited = make_user("dora@quay.example", quay, language="")
    invited.set_unusable_password()
    invited.save()
    person.page.goto(re.sub(r"^http://[^/]+", person.url, invitations.link(invited)))
    person.check("invitation")
    person.open("/invitation/x/y/")
    person.check("an invitation that is no longer valid")


def test_pages_of_the_signed_in(person: Person, anybody: User, microsoft: Sandbox) -> None:
    person.sign_in(anybody.email)
    person.check("meetings, empty")
    person.open("/settings/integrations/")
    person.check("integrations, empty")
    person.open("/settings/privacy/log/")
    person.check("access log, empty")
    person.open("/settings/integrations/add/")
    person.check("add calendar")
    picture(person, "add-calendar")
    person.open("/settings/integrations/exchange/")
    person.check("exchange form")
    picture(person, "exchange")
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.choose_at_microsoft("Ines Falk")
    person.page.wait_for_url(re.compile("/meeting-assistant/start/"))
    person.check("the first choice of a rule, syncing")
    person.page.locator("summary").click()
    person.check("the first choice of a rule, all of it")
    person.not_now()
    person.check("syncing")
    person.open("/settings/integrations/")
    person.check("integrations, syncing")
    person.open("/meetings/")
    work_off_the_queue()
    expect(person.page.locator(".meeting").first).to_be_visible(timeout=10_000)
    person.check("meetings")
    person.open("/meetings/")
    person.check("meetings, loaded whole")
    person.open("/settings/meeting-assistant/")
    picture(person, "first-choice")
    person.page.locator("button[name=confirm]").click()
    person.page.wait_for_url(re.compile("/meetings/$"))
    person.check("meetings, a rule just confirmed")
    person.open("/meetings/")
    picture(person, "meetings")
    person.open("/settings/meeting-assistant/")
    person.page.locator("#rule-host").check()
    person.page.locator("main form .button-main").click()
    person.check("what another rule would change")
    picture(person, "preview")
    person.open("/meetings/?q=nothing+like+it")
    person.check("meetings, nothing found")
    person.open("/meetings/?before=2020-01-01")
    person.check("meetings, nothing before")
    person.open("/meetings/?q=tender")
    person.page.locator(".meeting-subject a").first.click()
    person.check("a meeting")
    picture(person, "meeting")
    for summary in person.page.locator("summary").all():
        summary.click()
    person.check("a meeting, all of it")
    person.open("/settings/integrations/")
    person.check("integrations")
    picture(person, "integrations")
    person.open("/settings/integrations/permissions/")
    person.check("permissions")
    picture(person, "permissions")
    person.open("/settings/integrations/")
    person.page.get_by_role("switch").first.click()
    expect(person.page.get_by_role("switch").first).to_have_attribute("aria-checked", "true")
    person.check("integrations, a switch on")
    person.page.locator("a.button-danger").click()
    person.check("disconnect")
    person.open("/settings/privacy/log/")
    person.check("access log")
    picture(person, "access-log")
    person.open("/settings/profile/")
    person.check("profile")
    person.open("/settings/profile/password/")
    person.check("password")
    person.page.locator("main form button.button-main").click()
    person.check("password, not filled in")


def test_pages_of_privacy(person: Person, anybody: User) -> None:
    World.of(anybody)
    person.sign_in(anybody.email)
    person.open("/settings/privacy/")
    person.check("privacy")
    picture(person, "privacy")
    for summary in person.page.locator("summary").all():
        summary.click()
    person.check("privacy, every column")
    with person.page.expect_download() as download:
        person.page.locator("form[action$='/download/'] button").click()
    assert download.value.suggested_filename.startswith("sally-my-data-")
    assert json.loads(download.value.path().read_text())["person"]["email"] == anybody.email
    person.page.locator("a.button-danger").click()
    person.check("delete everything")
    person.page.locator("button.button-danger").click()
    person.page.wait_for_url(re.compile("/settings/privacy/receipt/"))
    person.check("the receipt")
    person.page.reload()
    person.check("the receipt once more")
    assert not User.objects.filter(pk=anybody.pk).exists()
    person.page.go_back()
    person.page.wait_for_url(re.compile("/sign-in/"))


def test_pages_of_the_meeting_assistant(person: Person, anybody: User, quay: Organization) -> None:
    now = timezone.now()
    calendar = World.of(anybody).connection
    Meeting.objects.bulk_create(
        Meeting(connection=calendar, external_id=f"n{n}", subject="ü" * 300 if n == 3 else f"<b>{n}</b> & “x” 🚢",
                start=now + timedelta(hours=n), end=now + timedelta(hours=n + 1), kind="single", response="accepted",
                show_as="busy", join_url="https://zoom.us/j/1", service="zoom", is_organizer=n % 2 == 0)
        for n in range(1, 60)
    )  # fmt: skip
    Organization.objects.update(internal_domains=["a-rather-long-domain-of-a-company.example", "b" * 60 + ".example"])
    User.objects.update(role="admin")
    person.sign_in(anybody.email)
    person.open("/settings/meeting-assistant/")
    person.check("the first choice of a rule, read")
    person.page.locator("button[name=confirm]").click()
    person.open("/settings/meeting-assistant/")
    person.check("meeting assistant")
    person.page.locator("#rule-host").check()
    person.page.locator("#id_lead").select_option("0")
    person.page.locator("main form .button-main").click()
    person.check("what another rule changes")
    person.page.locator("button[name=back]").click()
    person.page.locator("main form .button-main").click()
    person.page.locator("button[name=save]").click()
    person.page.locator("main form .button-main").click()
    person.check("nothing changes")
    person.open("/settings/meeting-assistant/organization/")
    person.check("what counts for everybody")
    person.page.locator("#id_locked").check()
    person.page.locator("#domain-0").fill("x" * 100)
    person.page.locator("main form .row .button-main").click()
    person.check("what counts for everybody, refused")
    person.page.locator("button[name=remove]").first.click()
    person.page.locator("button[name=new]").click()
    person.check("what counts for everybody, a line more")
    person.page.locator("#id_rule").select_option("organization")
    person.page.locator("#id_lock_reason").fill("A long reason of one word: " + "y" * 250)
    person.page.locator("main form .row .button-main").click()
    person.check("what that changes for everybody")
    person.page.locator("button[name=save]").click()
    person.check("what counts for everybody, saved")
    person.open("/settings/meeting-assistant/")
    person.check("meeting assistant, locked")
    Participation.objects.all().delete()
    person.open("/settings/meeting-assistant/start/")
    person.check("the first choice, locked")


def test_pages_of_an_approval(person: Person, anybody: User, microsoft: Sandbox) -> None:
    """As it goes: stopped, asked, answered; and what IT sees, for which nobody has to be signed in."""
    person.sign_in(anybody.email)
    now = timezone.now()
    stopped = SignIn.objects.create(
        user=anybody, provider="microsoft-work", flow={}, state_digest="x", expires_at=now + timedelta(minutes=15)
    )
    person.open("/settings/integrations/")
    person.check("a sign-in that has not come back")
    picture(person, "stopped")
    for kind, code in (
        ("ApprovalNeeded", "AADSTS90094"),
        ("SignInCancelled", "AADSTS65004"),
        ("PermissionMissing", ""),
    ):
        SignIn.objects.filter(pk=stopped.pk).update(used_at=now, outcome=code, outcome_kind=kind)
        person.open("/settings/integrations/")
        person.check(f"stopped by {kind}")
    person.open("/settings/integrations/approval/")
    person.check("asking an admin")
    person.page.locator("input[name=address]").fill("anybody@outlook.com")
    person.page.locator("main form button.button-main").click()
    person.check("asking an admin, refused")
    person.page.locator("input[name=address]").fill("a-quite-long-name@a-long-domain-of-a-company.example")
    person.page.locator("main form button.button-main").click()
    person.check("mail and link for IT")
    person.open("/settings/integrations/")
    person.check("waiting for an admin")
    asked = ApprovalRequest.objects.get()
    link = f"/approve/{asked.token}/"
    for state, reason in (
        ("waiting", ""),
        ("declined", ""),
        ("declined", "x" * 500),
        ("reported", ""),
        ("connected", ""),
    ):
        ApprovalRequest.objects.update(state=state, answered_at=now, reason=reason, reported_scopes=["User.Read"])
        person.open(link)
        person.check(f"the page for IT, {state}")
        person.open("/settings/integrations/")
        person.check(f"Integrations, {state}")
    ApprovalRequest.objects.update(
        state="waiting", address="ines@quay.example", domain="quay.example", answered_at=None
    )
    person.open(link)
    picture(person, "approve")
    response = person.page.goto(person.url + link[:-2] + "/")
    assert response is not None
    assert response.status == 404
    person.check("a link that is not good", status=404)


def test_pages_in_trouble(person: Person, anybody: User) -> None:
    connection = CalendarConnection.objects.create(
        owner=anybody, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example",
        account_name="Ines Falk", status="needs_attention", last_error="AADSTS50173",
        last_error_kind="ReconnectNeeded", private_left_out=3, offline_left_out=1, unreadable_count=2,
    )  # fmt: skip
    person.sign_in(anybody.email)
    person.check("meetings, needs attention")
    person.open("/settings/integrations/")
    person.check("integrations, needs attention")
    CalendarConnection.objects.update(status="paused", next_sync_at=None)
    person.open("/settings/integrations/")
    person.check("integrations, paused")
    CalendarConnection.objects.update(status="connected", next_sync_at=timezone.now() + timedelta(hours=1))
    now = timezone.now()
    Meeting.objects.bulk_create(
        Meeting(connection=connection, external_id=str(n), subject="ü" * 500 if n == 3 else f"<b>{n}</b> & “x” 🚢",
                location="x" * 900, start=now + timedelta(hours=n), end=now + timedelta(hours=n + 40),
                organizer_email="somebody-with-a-long-name@a-long-domain-of-a-company.example", kind="exception",
                response="none", show_as="busy", private=True, confidential=True, cancelled=n % 2 == 1,
                join_url=f"https://rooms.a-long-domain-of-a-company.example/{n}", version="x", link_source="body",
                attendees=[["y" * 300, "z" * 320, "resource", "tentative"]])
        for n in range(230)
    )  # fmt: skip
    second = CalendarConnection.objects.create(
        owner=anybody, provider="microsoft-work", account_id="second", account_email="another@quay.example",
        status="connected", last_synced_at=now,
    )  # fmt: skip
    Meeting.objects.create(connection=second, external_id="x", start=now, end=now, kind="single", response="none")
    AccessRecord.objects.bulk_create(
        AccessRecord(owner=anybody, account="somebody-with-a-long-name@a-long-domain-of-a-company.example",
                     at=now - timedelta(minutes=n), last_at=now + timedelta(minutes=50), method="POST",
                     endpoint="EWS SyncFolderItems", why="confirm", status=n % 3 * 200, items=n * 100_000, times=n)
        for n in range(120)
    )  # fmt: skip
    person.open("/settings/privacy/log/")
    person.check("access log, many and odd")
    person.page.locator("a[rel=next]").click()
    person.check("access log, earlier")
    person.open("/meetings/")
    person.check("meetings, many and odd, of two calendars")
    person.page.locator("a[rel=next]").click()
    person.check("meetings, later days")
    person.open(f"/meetings/{Meeting.objects.get(subject__startswith='ü').pk}/")
    for summary in person.page.locator("summary").all():
        summary.click()
    person.check("an odd meeting")


def test_pages_that_say_whether_sally_joins(person: Person, anybody: User, bob: User) -> None:
    """Every kind of sentence, short and long; what can be decided, and undone."""
    now = timezone.now()
    own, theirs = (
        CalendarConnection.objects.create(
            owner=owner, provider="microsoft-work", account_id=owner.email, account_email=owner.email,
            status="connected", last_synced_at=now, next_sync_at=now + timedelta(hours=1),
        )
        for owner in (anybody, bob)
    )  # fmt: skip
    User.objects.filter(pk=bob.pk).update(name="Somebody with quite a long name, as there are some")
    guest = "somebody-with-a-long-name@a-long-domain-of-a-company.example"
    zoom: dict[str, Any] = {"join_url": "https://zoom.us/j/1?pwd=x", "service": "zoom"}
    kinds: dict[str, dict[str, Any]] = {
        "Joined": {},
        "With a guest": {"attendees": [["Guest", guest, "required", "none"]]},
        "Declined": {"response": "declined"},
        "Cancelled": {"cancelled": True},
        "On another service": {"service": "", "join_url": "https://rooms.a-long-domain-of-a-company.example/1"},
        "Sent by a colleague": {"room": "zoom:1"},
        "Of a series": {"kind": "occurrence", "ical_uid": "uid", "original_start": now},
    }
    for number, (subject, fields) in enumerate(kinds.items()):
        meeting(own, subject, now + timedelta(hours=number), **(zoom | fields))
    sent = Meeting.objects.get(room="zoom:1")
    meeting(theirs, "Theirs", sent.start, is_organizer=True, **(zoom | {"room": "zoom:1"}))
    person.sign_in(anybody.email)
    undecided = Meeting.objects.get(subject="Joined")
    person.open(f"/meetings/{undecided.pk}/")
    person.check("a meeting before a rule is confirmed")
    for who in (anybody, bob):
        confirm(who, now - timedelta(days=1), rule="internal")
    person.open("/meetings/")
    person.check("meetings that Sally joins, and others")
    for one in Meeting.objects.filter(connection=own):
        person.open(f"/meetings/{one.pk}/")
        person.page.locator("#sally ~ details summary").click()
        person.check(f"a meeting: {one.subject}")
    person.page.locator("input[name=choice][value=skip]").check()
    person.page.locator("input[name=series][value=series]").check()
    person.page.locator(".deciding button").click()
    expect(person.page.locator(".undo")).to_be_visible()
    person.check("a series that Sally does not join")
    person.open("/meetings/")
    person.page.locator("button[formaction]").first.click()
    expect(person.page.locator(".undo")).to_be_visible()
    person.check("meetings, one just decided")
    confirm(anybody, now, rule="never")
    person.open(f"/meetings/{sent.pk}/")
    person.check("a meeting to which a colleague sends her all the same")


def test_pages_of_errors(person: Person, anybody: User) -> None:
    for path, status in (("/nonsense/", 404),):
        response = person.page.goto(person.url + path)
        assert response is not None
        assert response.status == status
        person.check(f"error {status}", status=status)
        person.complaints.clear()
    person.sign_in(anybody.email)
    person.page.context.clear_cookies(name="csrftoken")
    person.open("/settings/profile/")
    person.page.context.clear_cookies(name="csrftoken")
    person.page.locator("main form button.button-main").click()
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()
    person.check("a form that has expired", status=403)


def test_pages_of_django_admin_load_without_a_complaint(door: Door, quay: Organization, microsoft: Sandbox) -> None:
    admin = make_user("root@quay.example", quay, is_superuser=True, role="admin", language="en")
    connection = CalendarConnection.objects.create(
        owner=admin, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example"
    )
    person = door.person()
    person.sign_in(admin.email)
    for path in (
        "",
        "sally/user/",
        "sally/user/add/",
        f"sally/user/{admin.pk}/change/",
        "sally/organization/",
        "integrations/calendarconnection/",
        f"integrations/calendarconnection/{connection.pk}/change/",
        "integrations/unreachableserver/",
        "calendars/meeting/",
        "django_q/schedule/",
        "django_q/failure/",
    ):
        person.open(f"/admin/{path}")
        person.page.wait_for_load_state("load")
        assert person.page.locator("#content").is_visible(), path
        assert person.complaints == [], f"{path}: {person.complaints}"
