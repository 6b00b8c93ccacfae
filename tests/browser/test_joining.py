"""Whether Sally joins, as it is heard and decided in front of a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from playwright.sync_api import Locator, expect

from calendars.models import Choice, Meeting, Override
from integrations.models import CalendarConnection
from sally.models import User
from tests.browser.conftest import Door, Person
from tests.calendars.rows import confirm, meeting

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

BERLIN = ZoneInfo("Europe/Berlin")
GUEST = ["Guest", "guest@partner.example", "required", "none"]


def at_ten(days: int) -> datetime:
    day = timezone.now().astimezone(BERLIN).date() + timedelta(days=days)
    return datetime.combine(day, time(10), BERLIN)


@pytest.fixture
def calendar(alice: User) -> CalendarConnection:
    """A single meeting with a guest, and a series of three; Sally joins all."""
    now = timezone.now()
    calendar = CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example",
        status="connected", last_synced_at=now, next_sync_at=now + timedelta(hours=1), meetings_changed_at=now,
    )  # fmt: skip
    zoom = {"join_url": "https://zoom.us/j/1?pwd=x", "service": "zoom"}
    meeting(calendar, "Tender", at_ten(1), attendees=[GUEST], **zoom)  # type: ignore[arg-type]
    for days in (2, 9, 16):
        at = at_ten(days)
        series = {"subject": "Weekly", "kind": "occurrence", "ical_uid": "uid", "original_start": at}
        meeting(calendar, f"weekly {days}", at, **(zoom | series))  # type: ignore[arg-type]
    confirm(alice, now)
    return calendar


@pytest.fixture(params=["en", "de"])
def language(request: pytest.FixtureRequest, alice: User) -> Iterator[str]:
    """Alice's, and that in which the test asks for words."""
    User.objects.update(language=request.param)
    with translation.override(request.param):
        yield request.param


def row(person: Person, subject: str, nth: int = 0) -> Locator:
    return person.page.get_by_role("listitem").filter(has=person.page.get_by_role("link", name=subject)).nth(nth)


def decisions() -> list[str]:
    return list(Meeting.objects.order_by("start").values_list("decision", flat=True))


class TestHeard:
    """By the tree that a screen reader reads."""

    def test_the_reason_is_read_with_its_meeting(
        self, door: Door, alice: User, calendar: CalendarConnection, language: str
    ) -> None:
        confirm(alice, timezone.now(), rule="internal")
        person = door.person()
        person.sign_in(alice.email)
        why = _("external: %(about)s is not on the whitelist") % {"about": GUEST[1]}
        tender = row(person, "Tender").aria_snapshot()
        assert f"{_('Sally does not join')} – {why}" in tender
        assert f'button "{_("Send Sally")} – Tender"' in tender
        weekly = row(person, "Weekly").aria_snapshot()
        assert f"{_('Sally joins at %(time)s') % {'time': '09:59'}} – {_('everybody is internal')}" in weekly
        assert f'''button "{_("Don't send Sally")} – Weekly"''' in weekly
        assert "img" not in tender + weekly

    def test_the_page_says_it_under_a_heading_of_its_own(
        self, door: Door, alice: User, calendar: CalendarConnection, language: str
    ) -> None:
        confirm(alice, timezone.now(), rule="internal")
        person = door.person()
        person.sign_in(alice.email)
        person.page.get_by_role("link", name="Tender").first.click()
        card = person.page.get_by_role("region", name=_("Does Sally join?"))
        expect(card.get_by_role("heading", level=2, name=_("Does Sally join?"))).to_be_visible()
        why = _("external: %(about)s is not on the whitelist") % {"about": GUEST[1]}
        assert f"- paragraph: {_('Sally does not join')} – {why}" in card.aria_snapshot().replace('"', "")
        expect(card.get_by_role("group", name=_("You decide"))).to_be_visible()
        expect(card.get_by_role("radio", name=str(Choice.FOLLOW.label))).to_be_checked()
        card.get_by_text(_("Show how Sally decided")).click()
        steps = card.get_by_role("listitem")
        assert steps.count() == 10
        expect(steps.last).to_contain_text(why)
        expect(steps.last).to_contain_text(_("this decided"))
        person.check("a meeting that Sally does not join")


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def person(request: pytest.FixtureRequest, door: Door, alice: User, calendar: CalendarConnection) -> Person:
    person = door.person(java_script_enabled=request.param)
    person.sign_in(alice.email)
    return person


@pytest.fixture
def notice(person: Person) -> Callable[[], Locator]:
    return lambda: person.page.locator(".undo")


class TestDecided:
    def test_of_one_meeting_in_the_list_and_undone(self, person: Person, notice: Callable[[], Locator]) -> None:
        person.open("/meetings/?q=weekly")
        row(person, "Weekly", 1).get_by_role("button", name="Don't send Sally").click()
        expect(notice()).to_contain_text("Sally does not join “Weekly” on ")
        expect(notice()).to_be_in_viewport()
        expect(row(person, "Weekly", 1)).to_contain_text("Sally does not join – you said so")
        expect(row(person, "Weekly", 1).get_by_role("link", name="Weekly").first).to_be_in_viewport()
        assert "q=weekly" in person.page.url
        assert decisions() == ["all", "all", "refused", "all"]
        person.page.reload()
        notice().get_by_role("button", name="Undo").click()
        expect(row(person, "Weekly", 1)).to_contain_text("Sally joins at 09:59")
        expect(notice()).to_have_count(0)
        assert "q=weekly" in person.page.url
        assert decisions() == ["all"] * 4
        assert not Override.objects.exists()
        assert person.complaints == []

    def test_of_one_of_a_series_on_its_page(self, person: Person, notice: Callable[[], Locator]) -> None:
        person.open(f"/meetings/{Meeting.objects.filter(subject='Weekly')[0].pk}/")
        person.page.get_by_label("Sally does not join").check()
        person.page.get_by_role("button", name="Save").click()
        expect(notice()).to_contain_text("Sally does not join “Weekly” on ")
        expect(person.page.get_by_label("Sally does not join")).to_be_checked()
        expect(person.page.get_by_label("Only this one")).to_be_checked()
        assert decisions() == ["all", "refused", "all", "all"]
        person.page.get_by_label("Follow the rule").check()
        person.page.get_by_label("When").select_option("5 minutes after the start")
        person.page.get_by_role("button", name="Save").click()
        expect(person.page.get_by_role("region", name="Does Sally join?")).to_contain_text("Sally joins at 10:05")
        notice().get_by_role("button", name="Undo").click()
        expect(person.page.get_by_label("Sally does not join")).to_be_checked()
        assert decisions() == ["all", "refused", "all", "all"]

    def test_of_a_whole_series_and_undone(self, person: Person, notice: Callable[[], Locator]) -> None:
        person.open(f"/meetings/{Meeting.objects.filter(subject='Weekly')[0].pk}/")
        person.page.get_by_label("Sally does not join").check()
        person.page.get_by_label("The whole series").check()
        person.page.get_by_role("button", name="Save").click()
        expect(notice()).to_contain_text("Sally does not join the whole series “Weekly”.")
        expect(person.page.get_by_text("For the whole series you said: Sally does not join.")).to_be_visible()
        assert decisions() == ["all", "refused", "refused", "refused"]
        person.open("/meetings/")
        expect(row(person, "Weekly", 1)).to_contain_text("you said so for the whole series")
        person.page.go_back()
        person.page.wait_for_url(re.compile("said="))
        notice().get_by_role("button", name="Undo").click()
        expect(person.page.get_by_label("Follow the rule")).to_be_checked()
        assert decisions() == ["all"] * 4
        assert person.complaints == []


def test_the_keyboard_is_enough(door: Door, alice: User, calendar: CalendarConnection) -> None:
    person = door.person()
    person.sign_in(alice.email)
    button = row(person, "Tender").get_by_role("button", name="Don't send Sally")
    button.focus()
    person.page.keyboard.press("Enter")
    undo = person.page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    undo.focus()
    person.page.keyboard.press("Space")
    expect(row(person, "Tender").get_by_role("button", name="Don't send Sally")).to_be_visible()
    assert not Override.objects.exists()
