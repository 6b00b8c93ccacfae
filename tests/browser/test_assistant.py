"""The choice of a rule, as a person goes: the first one, a change with its preview, and an admin's that counts for all.

By what elements are rather than by their words, so that both languages go the same way.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from calendars import attendance
from calendars.models import Meeting, OrganizationParticipation, Participation
from sally.models import Organization, User
from tests.browser.conftest import Door, Person, work_off_the_queue
from tests.conftest import make_user
from tests.sandbox_process import Sandbox

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

LOCALES = {"en": "en-GB", "de": "de-DE"}
PAGE = "/settings/meeting-assistant/"


@pytest.fixture(params=["en", "de"])
def language(request: pytest.FixtureRequest, alice: User) -> str:
    User.objects.update(language=request.param)
    return str(request.param)


def connect(person: Person, email: str) -> None:
    """To the first choice, by way of Microsoft; the calendar is not read yet."""
    person.sign_in(email)
    person.open("/settings/integrations/add/")
    person.press("microsoft-work")
    person.choose_at_microsoft("Ines Falk")
    person.page.wait_for_url(re.compile(f"{PAGE}start/"))


def number(person: Person, rule: str) -> int:
    """How many meetings a rule means, as its radio button's description says."""
    found = re.match(r"\d+", person.page.locator(f"#count-{rule}").inner_text())
    assert found
    return int(found[0])


def test_the_first_choice(door: Door, alice: User, microsoft: Sandbox, language: str) -> None:
    person = door.person(locale=LOCALES[language])
    page = person.page
    connect(person, alice.email)
    expect(page.locator("#rule-all")).to_be_checked()
    expect(page.locator("#reading-said .turning")).to_be_visible()
    assert number(person, "all") == 0
    person.check("the first choice, reading")
    page.locator("#rule-external").focus()
    page.keyboard.press("Space")
    page.locator("summary").click()
    page.locator("#id_only_accepted").check()
    page.locator("#rule-external").focus()
    # The worker reads the calendar; only the numbers follow.
    assert work_off_the_queue() == 1
    expect(page.locator("#reading-said .notice-success")).to_be_visible(timeout=10_000)
    assert number(person, "all") > number(person, "external") > 0
    expect(page.locator("#rule-external")).to_be_checked()
    expect(page.locator("#rule-external")).to_be_focused()
    expect(page.locator("#id_only_accepted")).to_be_checked()
    expect(page.locator("#rule-external")).to_have_accessible_description(re.compile(r"^[1-9]\d* "))
    person.check("the first choice, read")
    assert not Meeting.objects.exclude(join_at=None).exists()

    page.locator("#id_only_accepted").uncheck()
    counted = number(person, "external")
    page.locator("button[name=confirm]").click()
    page.wait_for_url(re.compile("/meetings/"))
    expect(page.locator(".notice-success")).to_be_visible()
    week = Meeting.objects.exclude(join_at=None).order_by("start")[:counted]
    assert {one.decision for one in week} == {"external"}
    assert Participation.objects.get(user=alice).rule == "external"
    assert person.complaints == []


def test_not_now_leaves_everything_as_it_is(door: Door, alice: User, microsoft: Sandbox) -> None:
    person = door.person()
    connect(person, alice.email)
    person.not_now()
    work_off_the_queue()
    assert not Participation.objects.exists()
    person.open(PAGE)
    person.page.wait_for_url(re.compile(f"{PAGE}start/"))


def test_a_change_is_shown_taken_back_and_saved(door: Door, alice: User, microsoft: Sandbox, language: str) -> None:
    person = door.person(locale=LOCALES[language])
    page = person.page
    connect(person, alice.email)
    page.locator("button[name=confirm]").click()
    page.wait_for_url(re.compile("/meetings/"))
    work_off_the_queue()
    planned = set(Meeting.objects.exclude(join_at=None).values_list("pk", flat=True))
    assert planned

    person.open(PAGE)
    person.check("the rule")
    page.locator("#rule-host").check()
    page.locator("#id_lead").select_option("5")
    page.locator("main form button.button-main").click()
    expect(page.locator("#lost")).to_be_visible()
    expect(page.locator("#moved")).to_be_visible()
    person.check("the preview")
    page.locator("button[name=back]").click()
    expect(page.locator("#rule-host")).to_be_checked()
    expect(page.locator("#id_lead")).to_have_value("5")
    person.check("the rule, come back to")
    assert set(Meeting.objects.exclude(join_at=None).values_list("pk", flat=True)) == planned

    page.locator("#rule-never").check()
    page.locator("main form button.button-main").click()
    expect(page.locator("#moved")).to_have_count(0)
    page.locator("button[name=save]").click()
    expect(page.locator(".notice-success")).to_be_visible()
    expect(page.locator("#rule-never")).to_be_checked()
    assert not Meeting.objects.exclude(join_at=None).exists()
    assert person.complaints == []


def test_what_an_admin_locks_counts_for_a_member_who_reads_why(
    door: Door, alice: User, quay: Organization, microsoft: Sandbox, language: str
) -> None:
    anna = make_user("anna@quay.example", quay, role="admin", language=language)
    member = door.person(locale=LOCALES[language])
    connect(member, alice.email)
    member.page.locator("button[name=confirm]").click()
    member.page.wait_for_url(re.compile("/meetings/"))
    work_off_the_queue()
    planned = Meeting.objects.exclude(join_at=None).count()

    admin = door.person(locale=LOCALES[language])
    page = admin.page
    admin.sign_in(anna.email)
    admin.open(f"{PAGE}organization/")
    admin.check("for everybody")
    page.locator("button[name=new]").click()
    expect(page.locator("#domain-1")).to_be_focused()
    page.keyboard.type("com")
    page.locator("#id_locked").check()
    page.locator("main form .row .button-main").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#domain-1")).to_have_accessible_description(re.compile("[“„]com[”“]"))
    admin.check("for everybody, refused")
    page.locator("#domain-1").fill("@Harbour.example")
    page.locator("#id_rule").select_option("internal")
    page.locator("#id_lock_reason").fill("The works council agreed to this.")
    page.locator("#domain-1").press("Enter")  # not the first line's “Remove”
    expect(page.locator("button[name=save]")).to_be_visible()
    expect(page.locator("main .card p").first).to_contain_text("14")
    admin.check("for everybody, what changes")
    page.locator("button[name=back]").click()
    expect(page.locator("#id_lock_reason")).to_have_value("The works council agreed to this.")
    page.locator("main form .row .button-main").click()
    page.locator("button[name=save]").click()
    expect(page.locator(".notice-success")).to_be_visible()
    quay.refresh_from_db()
    assert quay.internal_domains == ["quay.example", "harbour.example"]
    assert OrganizationParticipation.objects.get().locked

    member.open(PAGE)
    expect(member.page.get_by_text("The works council agreed to this.")).to_be_visible()
    expect(member.page.locator("input[type=radio]")).to_have_count(0)
    expect(member.page.locator("#id_lead")).to_be_visible()
    member.check("locked")
    assert Meeting.objects.exclude(join_at=None).count() < planned
    assert member.complaints == admin.complaints == []


def test_all_of_it_works_without_javascript(
    door: Door, alice: User, quay: Organization, microsoft: Sandbox, language: str
) -> None:
    person = door.person(locale=LOCALES[language], java_script_enabled=False)
    page = person.page
    connect(person, alice.email)
    page.locator("#rule-host").check()
    work_off_the_queue()
    page.locator("noscript button").click()
    expect(page.locator("#rule-host")).to_be_checked()
    assert number(person, "all") > 0
    page.locator("button[name=confirm]").click()
    page.wait_for_url(re.compile("/meetings/"))

    person.open(PAGE)
    expect(page.locator("#rule-host")).to_be_checked()
    page.locator("#rule-all").check()
    page.locator("main form button.button-main").click()
    expect(page.locator("#gained")).to_be_visible()
    page.locator("button[name=back]").click()
    expect(page.locator("#rule-all")).to_be_checked()
    page.locator("main form button.button-main").click()
    page.locator("button[name=save]").click()
    expect(page.locator(".notice-success")).to_be_visible()
    assert attendance.standing_of(alice).participation.rule == "all"  # type: ignore[union-attr]

    User.objects.update(role="admin")
    person.open(f"{PAGE}organization/")
    page.locator("button[name=remove]").click()
    expect(page.locator("#domain-0")).to_have_value("")
    page.locator("button[name=new]").click()
    page.locator("#domain-1").fill("harbour.example")
    page.locator("#domain-1").press("Enter")
    page.locator("button[name=save]").click()
    expect(page.locator("#domain-0")).to_have_value("harbour.example")
    quay.refresh_from_db()
    assert quay.internal_domains == ["harbour.example"]
