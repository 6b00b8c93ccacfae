"""Plans are kept right whatever changes, at a fixed price; previews say beforehand what saving does."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection as database
from django.db.models import CharField, Q, Value
from django.db.models.functions import Cast, Concat
from django.test.utils import CaptureQueriesContext

from calendars import attendance, planning, retention
from calendars.attendance import Said
from calendars.models import Meeting, Override
from calendars.policy import Reason, Rule
from integrations.models import CalendarConnection, SyncOption
from sally.models import Organization, User
from tests.calendars.rows import all_day, meeting
from tests.conftest import make_user

# Far ahead: what saving a person or disconnecting plans anew goes by the real clock.
NOW = datetime(2040, 1, 9, 12, 0, tzinfo=UTC)
NINE = datetime(2040, 1, 10, 9, 0, tzinfo=UTC)
ZOOM: dict[str, Any] = {"join_url": "https://zoom.us/j/1?pwd=x", "service": "zoom", "room": "zoom:1"}
CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


def calendar(owner: User, account: str = "") -> CalendarConnection:
    number = CalendarConnection.objects.count()
    return CalendarConnection.objects.create(
        owner=owner, provider="microsoft-work", account_id=f"u{number}.t", account_email=account or owner.email
    )


def online(connection: CalendarConnection, id: str, start: datetime = NINE, **fields: Any) -> Meeting:
    """Joinable, and everybody's own room."""
    link = {"join_url": f"https://zoom.us/j/{id}", "service": "zoom", "room": f"zoom:{id}"}
    return meeting(connection, id, start, **(link | fields))


def joins(user: User, rule: str = "all", **values: Any) -> None:
    attendance.save_terms(user, {"rule": rule, **values}, NOW)


def plan(one: Meeting) -> tuple[datetime | None, str, str]:
    one.refresh_from_db()
    return one.join_at, one.decision, one.decision_about


@pytest.fixture
def hers(alice: User) -> CalendarConnection:
    return calendar(alice)


@pytest.fixture
def his(bob: User) -> CalendarConnection:
    return calendar(bob)


def statements(act: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(database) as captured:
        act()
    return [one["sql"] for one in captured.captured_queries if not one["sql"].startswith(CONTROL)]


class TestFirst:
    def test_nothing_is_planned_before_a_rule_was_confirmed(self, hers: CalendarConnection) -> None:
        one = online(hers, "1")
        attendance.replan_all(NOW)
        assert plan(one) == (None, "", "")

    def test_not_even_what_was_asked_for(self, alice: User, hers: CalendarConnection) -> None:
        one = online(hers, "1")
        attendance.decide_for(alice, one, choice="join", lead=None, whole_series=False, now=NOW)
        assert plan(one) == (None, "", "")
        joins(alice, "never")
        assert plan(one) == (NINE - timedelta(minutes=1), "asked", "")

    def test_confirming_plans_what_is_ahead(self, alice: User, hers: CalendarConnection) -> None:
        one = online(hers, "1")
        joins(alice)
        assert plan(one) == (NINE - timedelta(minutes=1), "all", "")

    def test_what_runs_at_that_moment_is_left_out(self, alice: User, hers: CalendarConnection) -> None:
        running = online(hers, "1", NOW - timedelta(minutes=5))
        joins(alice)
        assert plan(running) == (None, "begun", "")

    def test_what_is_over_is_let_be(self, alice: User, hers: CalendarConnection) -> None:
        over = online(hers, "1", NOW - timedelta(hours=3))
        joins(alice)
        assert plan(over) == (None, "", "")

    def test_a_later_change_does_not_confirm_anew(self, alice: User, hers: CalendarConnection) -> None:
        one = online(hers, "1", NOW + timedelta(minutes=5))
        joins(alice)
        attendance.save_terms(alice, {"rule": "all", "lead": 2}, NOW + timedelta(minutes=10))
        assert plan(one) == (NOW + timedelta(minutes=7), "all", "")


class TestWhoseTermsCount:
    """Rule, switches and lead of the person, their organization's default, and a lock."""

    @pytest.mark.parametrize(
        ("own", "default", "rule", "lead"),
        [
            ({"rule": "host"}, {}, "host", -1),
            ({"rule": "host", "lead": 5}, {}, "host", 5),
            ({"rule": "host"}, {"rule": "never", "lead": -10}, "host", -10),
            ({"rule": "host", "lead": 0}, {"rule": "never", "lead": -10}, "host", 0),
            ({"rule": ""}, {"rule": "internal", "lead": -10}, "internal", -10),
            ({"rule": "", "lead": 3}, {"rule": "internal", "lead": -10}, "internal", 3),
            ({"rule": "all", "lead": 3}, {"rule": "internal", "lead": -10, "locked": True}, "internal", -10),
            ({"rule": "all", "lead": 3}, {"rule": "internal", "locked": True}, "internal", 3),
            ({"rule": "all", "lead": 3}, {"rule": "", "lead": -2}, "all", 3),
        ],
    )
    def test_by_case(self, alice: User, own: dict[str, Any], default: dict[str, Any], rule: str, lead: int) -> None:
        assert alice.organization
        attendance.save_organization(alice.organization, default, [], NOW)
        attendance.save_terms(alice, own, NOW)
        terms = attendance.standing_of(alice).terms
        assert terms
        assert (terms.rule, terms.lead, terms.confirmed_at) == (rule, lead, NOW)

    def test_who_follows_a_default_that_is_withdrawn_has_to_choose_anew(
        self, alice: User, hers: CalendarConnection
    ) -> None:
        one = online(hers, "1")
        assert alice.organization
        attendance.save_organization(alice.organization, {"rule": "all"}, [], NOW)
        attendance.save_terms(alice, {"rule": ""}, NOW)
        assert plan(one)[1] == "all"
        attendance.save_organization(alice.organization, {"rule": ""}, [], NOW)
        assert plan(one) == (None, "", "")
        assert attendance.standing_of(alice).terms is None

    def test_the_switches_go_with_the_rule(self, alice: User, hers: CalendarConnection) -> None:
        one = online(hers, "1", show_as="free")
        assert alice.organization
        attendance.save_organization(
            alice.organization, {"rule": "all", "skip_free": False, "locked": True, "lock_reason": "Minutes."}, [], NOW
        )
        joins(alice, "all", skip_free=True)
        assert plan(one)[1] == "all"


class TestWhatChanges:
    def test_a_domain_on_the_whitelist(self, alice: User, hers: CalendarConnection, quay: Organization) -> None:
        one = online(hers, "1", attendees=[["Guest", "guest@Partner.example", "required", "none"]])
        joins(alice, "internal")
        assert plan(one) == (None, "not_listed", "guest@Partner.example")
        attendance.save_organization(quay, {}, ["partner.example"], NOW)
        assert plan(one) == (NINE - timedelta(minutes=1), "internal", "")

    def test_a_colleague_comes_and_goes(self, alice: User, hers: CalendarConnection, quay: Organization) -> None:
        one = online(hers, "1", attendees=[["New", "new@quay.example", "required", "none"]])
        joins(alice, "organization")
        assert plan(one) == (None, "not_a_user", "new@quay.example")
        new = make_user("new@quay.example", quay)
        assert plan(one)[1] == "organization"
        new.is_active = False
        new.save(update_fields=["is_active"])
        assert plan(one)[1] == "not_a_user"
        new.is_active = True
        new.save()
        assert plan(one)[1] == "organization"
        new.delete()
        assert plan(one)[1] == "not_a_user"

    def test_a_colleague_moves_to_another_organization(
        self, alice: User, bob: User, charlie: User, hers: CalendarConnection
    ) -> None:
        one = online(hers, "1", attendees=[["Bob", bob.email, "required", "none"]])
        joins(alice, "organization")
        assert plan(one)[1] == "organization"
        bob.organization = charlie.organization
        bob.save()
        assert plan(one)[1] == "not_a_user"

    def test_somebody_is_known_by_the_addresses_of_their_calendars(
        self, alice: User, bob: User, hers: CalendarConnection
    ) -> None:
        one = online(hers, "1", attendees=[["Bob", "b.other@quay.example", "required", "none"]])
        connection = calendar(bob, "B.Other@quay.example")
        joins(alice, "organization")
        assert plan(one)[1] == "organization"
        connection.disconnect()
        assert plan(one) == (None, "not_a_user", "b.other@quay.example")

    def test_signing_in_plans_nothing_anew(self, alice: User, hers: CalendarConnection) -> None:
        online(hers, "1")
        joins(alice)
        alice.last_login = NOW
        assert len(statements(lambda: alice.save(update_fields=["last_login"]))) == 1

    def test_a_calendar_on_anybodys_server_makes_nobody_else_a_user(
        self, alice: User, bob: User, hers: CalendarConnection, quay: Organization
    ) -> None:
        """Bob typed a stranger's address into the form of a server of his own, which takes any password."""
        one = online(hers, "1", attendees=[["Eve", "eve@stranger.example", "required", "none"]])
        calendar(bob, "eve@stranger.example")
        joins(alice, "organization")
        assert plan(one) == (None, "not_a_user", "eve@stranger.example")
        joins(alice, "external")
        assert plan(one)[1:] == ("external", "eve@stranger.example")
        attendance.save_organization(quay, {}, ["stranger.example"], NOW)
        joins(alice, "organization")
        assert plan(one)[1] == "organization"

    def test_to_somebody_themselves_all_their_calendars_are_theirs(self, alice: User, hers: CalendarConnection) -> None:
        calendar(alice, "alice@private.example")
        one = online(hers, "1", attendees=[["Alice", "alice@private.example", "required", "none"]])
        joins(alice, "organization")
        assert plan(one)[1] == "organization"

    def test_who_is_deactivated_sends_nobody(self, alice: User, hers: CalendarConnection) -> None:
        one = online(hers, "1")
        joins(alice)
        alice.is_active = False
        alice.save(update_fields=["is_active"])
        assert plan(one) == (None, "", "")

    def test_an_all_day_meeting_begins_at_its_owners_midnight(self, alice: User, hers: CalendarConnection) -> None:
        one = all_day(hers, "1", date(2040, 1, 17))
        Meeting.objects.filter(pk=one.pk).update(**ZOOM)
        alice.time_zone = "Europe/Berlin"
        alice.save(update_fields=["time_zone"])
        joins(alice, "all", skip_all_day=False)
        assert plan(one)[0] == datetime(2040, 1, 16, 22, 59, tzinfo=UTC)
        alice.time_zone = "America/New_York"
        alice.save(update_fields=["time_zone"])
        assert plan(one)[0] == datetime(2040, 1, 17, 4, 59, tzinfo=UTC)

    def test_a_service_that_sally_learns_to_join(self, alice: User, hers: CalendarConnection, settings: Any) -> None:
        one = online(hers, "1", service="goto")
        joins(alice)
        assert plan(one) == (None, "service", "goto")
        settings.JOINABLE_SERVICES = ["goto"]
        assert attendance.replan_all(NOW) == 1
        assert plan(one)[1] == "all"

    def test_the_command_does_the_same_at_once(
        self, alice: User, hers: CalendarConnection, settings: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        one = online(hers, "1", service="goto")
        joins(alice)
        settings.JOINABLE_SERVICES = ["goto"]
        call_command("replan")
        assert capsys.readouterr().out == "1 plans changed\n"
        assert plan(one)[1] == "all"

    def test_a_service_that_nobody_knows_stops_the_start(self, settings: Any) -> None:
        settings.JOINABLE_SERVICES = ["teams", "teems"]
        with pytest.raises(SystemCheckError, match="JOINABLE_SERVICES: 'teems' is no service"):
            call_command("check")

    def test_nothing_is_written_where_nothing_changes(self, alice: User, hers: CalendarConnection) -> None:
        online(hers, "1")
        joins(alice)
        assert attendance.replan_all(NOW) == 0


class TestOneSally:
    def test_the_organizer_sends_her(
        self, alice: User, bob: User, hers: CalendarConnection, his: CalendarConnection
    ) -> None:
        one, other = meeting(hers, "1", NINE, **ZOOM), meeting(his, "2", NINE, is_organizer=True, **ZOOM)
        joins(alice)
        assert plan(one)[1] == "all"
        joins(bob)
        assert plan(one) == (None, "covered", "")
        assert one.sender == other
        assert plan(other)[0] == NINE - timedelta(minutes=1)

    def test_whoever_is_left_sends_her(
        self, alice: User, bob: User, hers: CalendarConnection, his: CalendarConnection
    ) -> None:
        """By a change of rule, a decision, a disconnect or a switch of the colleague's."""
        one, other = meeting(hers, "1", NINE, **ZOOM), meeting(his, "2", NINE, is_organizer=True, **ZOOM)
        joins(alice)
        joins(bob)
        joins(bob, "never")
        assert plan(one)[1] == "all"
        joins(bob)
        assert plan(one)[1] == "covered"
        attendance.decide_for(bob, other, choice="skip", lead=None, whole_series=False, now=NOW)
        assert plan(one)[1] == "all"
        attendance.decide_for(bob, other, choice="", lead=None, whole_series=False, now=NOW)
        assert plan(one)[1] == "covered"
        his.disconnect()
        assert plan(one) == (NINE - timedelta(minutes=1), "all", "")
        assert one.sender_id is None

    def test_a_private_appointment_that_is_not_synced_any_more_covers_nobody(
        self, alice: User, bob: User, hers: CalendarConnection, his: CalendarConnection
    ) -> None:
        one, other = meeting(hers, "1", NINE, **ZOOM), meeting(his, "2", NINE, private=True, is_organizer=True, **ZOOM)
        joins(alice)
        joins(bob)
        attendance.decide_for(bob, other, choice="join", lead=None, whole_series=False, now=NOW)
        assert plan(one)[1] == "covered"
        his.sync_private = True
        his.save(update_fields=["sync_private"])
        his.set_option(SyncOption.PRIVATE, False)
        assert plan(one)[1] == "all"

    def test_an_account_that_is_deleted_covers_nobody(
        self, alice: User, bob: User, hers: CalendarConnection, his: CalendarConnection
    ) -> None:
        one = meeting(hers, "1", NINE, **ZOOM)
        meeting(his, "2", NINE, is_organizer=True, **ZOOM)
        joins(alice)
        joins(bob)
        bob.delete()
        assert plan(one)[1] == "all"

    def test_people_of_other_organizations_do_not_see_each_other(
        self, alice: User, charlie: User, hers: CalendarConnection
    ) -> None:
        one, other = meeting(hers, "1", NINE, **ZOOM), meeting(calendar(charlie), "2", NINE, **ZOOM)
        joins(alice)
        joins(charlie)
        assert plan(one)[1] == plan(other)[1] == "all"

    def test_nor_do_people_without_one(self, db: None) -> None:
        first, second = (User.objects.create_user(f"{name}@home.example") for name in ("ida", "uwe"))
        one, other = (meeting(calendar(user), "1", NINE, **ZOOM) for user in (first, second))
        joins(first)
        joins(second)
        assert plan(one)[1] == plan(other)[1] == "all"

    def test_two_events_of_one_person_with_one_link_are_both_there(self, alice: User, hers: CalendarConnection) -> None:
        one, other = meeting(hers, "1", NINE, **ZOOM), meeting(hers, "2", NINE + timedelta(minutes=30), **ZOOM)
        joins(alice)
        assert [plan(one)[1], plan(other)[1]] == ["all", "covered"]
        assert other.sender == one


class TestOverrides:
    def series(self, connection: CalendarConnection) -> list[Meeting]:
        starts = [NINE + timedelta(days=7 * week) for week in range(3)]
        return [
            online(
                connection, f"e{week}", start, kind="occurrence", ical_uid="weekly", series_id="m", original_start=start
            )
            for week, start in enumerate(starts)
        ]

    def decisions(self, meetings: list[Meeting]) -> list[str]:
        return [plan(one)[1] for one in meetings]

    def test_one_of_a_series(self, alice: User, hers: CalendarConnection) -> None:
        weekly = self.series(hers)
        joins(alice)
        said = attendance.decide_for(alice, weekly[1], choice="skip", lead=None, whole_series=False, now=NOW)
        assert said == Said()
        assert self.decisions(weekly) == ["all", "refused", "all"]

    def test_a_whole_series_but_for_what_was_said_of_one(self, alice: User, hers: CalendarConnection) -> None:
        weekly = self.series(hers)
        joins(alice)
        attendance.decide_for(alice, weekly[0], choice="skip", lead=None, whole_series=True, now=NOW)
        assert self.decisions(weekly) == ["refused"] * 3
        attendance.decide_for(alice, weekly[1], choice="follow", lead=None, whole_series=False, now=NOW)
        assert self.decisions(weekly) == ["refused", "all", "refused"]
        attendance.decide_for(alice, weekly[2], choice="join", lead=5, whole_series=False, now=NOW)
        assert plan(weekly[2])[0] == weekly[2].start + timedelta(minutes=5)

    def test_what_was_said_before_can_be_said_again(self, alice: User, hers: CalendarConnection) -> None:
        weekly = self.series(hers)
        joins(alice)
        attendance.decide_for(alice, weekly[0], choice="join", lead=-5, whole_series=True, now=NOW)
        said = attendance.decide_for(alice, weekly[0], choice="skip", lead=None, whole_series=True, now=NOW)
        assert said == Said("join", -5)
        attendance.decide_for(alice, weekly[0], choice=said.choice, lead=said.lead, whole_series=True, now=NOW)
        assert [plan(one)[0] for one in weekly] == [one.start - timedelta(minutes=5) for one in weekly]
        attendance.decide_for(alice, weekly[0], choice="", lead=None, whole_series=True, now=NOW)
        assert self.decisions(weekly) == ["all"] * 3
        assert not Override.objects.exists()

    def test_only_a_lead_of_its_own(self, alice: User, hers: CalendarConnection) -> None:
        one = online(hers, "1", ical_uid="u")
        joins(alice)
        attendance.decide_for(alice, one, choice="", lead=-10, whole_series=False, now=NOW)
        assert plan(one) == (NINE - timedelta(minutes=10), "all", "")

    def test_a_colleagues_is_their_own(
        self, alice: User, bob: User, hers: CalendarConnection, his: CalendarConnection
    ) -> None:
        """Invitations to one meeting have one UID in everybody's calendar."""
        one, other = online(hers, "1", ical_uid="u"), online(his, "1", ical_uid="u", room="zoom:2")
        joins(alice)
        joins(bob)
        attendance.decide_for(alice, one, choice="skip", lead=None, whole_series=False, now=NOW)
        assert [plan(one)[1], plan(other)[1]] == ["refused", "all"]

    def test_meetings_without_a_uid_are_told_apart(self, alice: User, hers: CalendarConnection) -> None:
        one, other = online(hers, "1"), online(hers, "2")
        joins(alice)
        attendance.decide_for(alice, one, choice="skip", lead=None, whole_series=False, now=NOW)
        assert [plan(one)[1], plan(other)[1]] == ["refused", "all"]

    def test_what_was_said_of_a_single_meeting_says_nothing_of_a_series_made_of_it(
        self, alice: User, hers: CalendarConnection
    ) -> None:
        one = online(hers, "1", ical_uid="u")
        joins(alice, "never")
        attendance.decide_for(alice, one, choice="join", lead=None, whole_series=True, now=NOW)
        Meeting.objects.update(kind="occurrence", original_start=NINE)
        attendance.replan_all(NOW)
        assert plan(one)[1] == "never"

    def test_it_is_kept_as_long_as_a_calendar_shows_the_meeting(self, alice: User, hers: CalendarConnection) -> None:
        shown, gone = online(hers, "1", ical_uid="u"), online(hers, "2", ical_uid="v")
        for one in (shown, gone):
            attendance.decide_for(alice, one, choice="skip", lead=None, whole_series=False, now=NOW)
        gone.delete()
        Meeting.objects.update(end=NOW + timedelta(days=500))
        assert retention.tidy(NOW + timedelta(days=399))["overrides"] == 0
        assert retention.tidy(NOW + timedelta(days=401))["overrides"] == 1
        assert [one.uid for one in Override.objects.all()] == ["u"]


class TestPreview:
    def test_it_says_what_saving_does(self, alice: User, hers: CalendarConnection) -> None:
        mine = online(hers, "1", is_organizer=True)
        theirs = online(hers, "2", NINE + timedelta(hours=2))
        far = online(hers, "3", NOW + timedelta(days=15))
        joins(alice, "host")
        shown = attendance.preview(alice, {"rule": "all", "lead": -5}, NOW)
        assert (shown.gained, shown.lost, shown.moved) == ([theirs.pk], [], [mine.pk])
        shown = attendance.preview(alice, {"rule": "never"}, NOW)
        assert (shown.gained, shown.lost, shown.moved) == ([], [mine.pk], [])
        assert attendance.preview(alice, {"rule": "host"}, NOW).is_empty
        assert [plan(one)[1] for one in (mine, theirs, far)] == ["host", "not_host", "not_host"]

    def test_a_meeting_that_a_colleague_sends_her_to_is_neither_gained_nor_lost(
        self, alice: User, bob: User, hers: CalendarConnection, his: CalendarConnection
    ) -> None:
        meeting(hers, "1", NINE, **ZOOM)
        meeting(his, "2", NINE, is_organizer=True, **ZOOM)
        joins(alice)
        joins(bob)
        assert attendance.preview(alice, {"rule": "all"}, NOW).is_empty
        assert len(attendance.preview(alice, {"rule": "never"}, NOW).lost) == 1

    def test_of_an_organization_it_counts_people_and_meetings(
        self, alice: User, bob: User, charlie: User, hers: CalendarConnection, his: CalendarConnection,
        quay: Organization,
    ) -> None:  # fmt: skip
        guest = [["Guest", "guest@partner.example", "required", "none"]]
        for number in range(3):
            online(hers, str(number), attendees=guest)
        online(his, "9", attendees=guest)
        online(calendar(charlie), "8", attendees=guest)
        for user in (alice, bob, charlie):
            joins(user, "internal")
        shown = attendance.preview_organization(quay, {"rule": ""}, ["partner.example"], NOW)
        assert (len(shown.gained), len(shown.lost), len(shown.moved), shown.people) == (4, 0, 0, 2)
        locked = {"rule": "never", "locked": True}
        assert attendance.preview_organization(quay, locked, [], NOW).is_empty

    def test_each_rule_counts_its_meetings_of_the_coming_week(self, alice: User, hers: CalendarConnection) -> None:
        online(hers, "1", is_organizer=True)
        online(hers, "2", attendees=[["Guest", "guest@partner.example", "required", "none"]])
        online(hers, "3", response="declined")
        online(hers, "4", NOW + timedelta(days=8))
        online(hers, "5", NOW - timedelta(minutes=10))
        assert attendance.counts(alice, NOW) == {
            Rule.ALL: 2, Rule.INTERNAL: 1, Rule.ORGANIZATION: 1, Rule.EXTERNAL: 1, Rule.HOST: 1, Rule.NEVER: 0,
        }  # fmt: skip

    def test_the_organizations_default_is_counted_with_its_own_switches(
        self, alice: User, hers: CalendarConnection, quay: Organization
    ) -> None:
        online(hers, "1", response="accepted")
        online(hers, "2", show_as="free")
        attendance.save_organization(quay, {"rule": "all", "only_accepted": True}, [], NOW)
        assert attendance.counts(alice, NOW)[""] == 1
        joins(alice, "", skip_free=False)
        counted = attendance.counts(alice, NOW)
        assert (counted[""], counted[Rule.ALL]) == (1, 2)

    def test_the_earliest_that_change_come_first(self, alice: User, hers: CalendarConnection) -> None:
        later, earlier = online(hers, "1", NINE + timedelta(hours=2)), online(hers, "2")
        assert attendance.preview(alice, {"rule": "all"}, NOW).gained == [earlier.pk, later.pk]


class TestPrice:
    """Statements of keeping the plans right, whatever the number of meetings; those of saving the settings besides."""

    def many(self, connection: CalendarConnection, number: int) -> None:
        Meeting.objects.bulk_create(
            Meeting(
                connection=connection, external_id=f"{number} {one}", kind="single", start=NINE + timedelta(hours=one),
                end=NINE + timedelta(hours=one + 1), response="none", show_as="busy", **ZOOM,
            )
            for one in range(number)
        )  # fmt: skip

    @pytest.mark.parametrize("number", [1, 3000])
    def test_a_change_of_rule_takes_four(self, alice: User, hers: CalendarConnection, number: int) -> None:
        self.many(hers, number)
        joins(alice, "never")
        found = statements(lambda: joins(alice))
        saving = [one for one in found if "calendars_participation" in one and "sally_user" not in one]
        assert Meeting.objects.exclude(join_at=None).count() == number
        assert len(found) - len([one for one in saving if "sally_organization" not in one]) <= 4, found

    @pytest.mark.parametrize("number", [1, 3000])
    def test_as_does_one_of_the_whitelist(self, alice: User, quay: Organization, number: int) -> None:
        self.many(calendar(alice), number)
        joins(alice, "internal")
        assert len(statements(lambda: attendance.people_changed([quay], NOW))) == 3  # and one where something changed
        Meeting.objects.update(organizer_email="guest@partner.example")
        assert len(statements(lambda: attendance.people_changed([quay], NOW))) == 4
        assert Meeting.objects.filter(decision="not_listed").count() == number

    def test_to_plan_a_few_anew_nobody_reads_the_meetings_of_everybody(
        self, alice: User, charlie: User, hers: CalendarConnection
    ) -> None:
        for number in range(100):
            self.many(calendar(charlie, f"c{number}@harbour.example"), 200)
        Meeting.objects.update(room=Concat(Value("zoom:9"), Cast("pk", CharField())))
        one = meeting(hers, "1", NINE, **ZOOM | {"room": "zoom:2"})
        joins(alice)
        with database.cursor() as cursor:
            cursor.execute("ANALYZE")
            group = planning.Group.of(planning.home_of(alice))
            [reading] = statements(lambda: group.replan(Q(pk__in=[one.pk]), NOW, rooms=["zoom:3"]))
            cursor.execute(f"{'EXPLAIN' if database.vendor == 'postgresql' else 'EXPLAIN QUERY PLAN'} {reading}")
            steps = "\n".join(str(row[-1]) for row in cursor.fetchall())
        assert "meeting_room" in steps
        assert not re.search(r"Seq Scan on calendars_meeting|SCAN calendars_meeting", steps), steps

    def test_an_explanation_takes_at_most_four(self, alice: User, hers: CalendarConnection) -> None:
        one = online(hers, "1")
        joins(alice)
        one = Meeting.objects.select_related("connection__owner").get()
        assert len(statements(lambda: attendance.explain(one, NOW))) <= 4
        assert attendance.explain(one, NOW).decision.reason is Reason.ALL
        assert attendance.explain(one, NINE + timedelta(hours=1)).decision.reason is Reason.OVER


class TestWhatToJoin:
    def test_what_begins_in_the_next_ninety_seconds(self, alice: User, hers: CalendarConnection) -> None:
        online(hers, "1")
        online(hers, "2", NINE + timedelta(minutes=1))
        online(hers, "3", NINE + timedelta(minutes=2))
        joins(alice)
        at = NINE - timedelta(seconds=90)
        assert [one.subject for one in Meeting.objects.to_join(at, at + timedelta(seconds=90))] == ["1", "2"]
        assert [one.subject for one in Meeting.objects.to_join(NINE, NINE + timedelta(seconds=90))] == ["3"]

    def test_it_is_one_query_by_its_index(self, alice: User, hers: CalendarConnection) -> None:
        Meeting.objects.bulk_create(
            Meeting(
                connection=hers, external_id=str(one), kind="single", start=NINE + timedelta(minutes=one),
                end=NINE + timedelta(minutes=one + 30), join_at=NINE + timedelta(minutes=one) if one % 3 else None,
            )
            for one in range(20_000)
        )  # fmt: skip
        with database.cursor() as cursor:
            cursor.execute("ANALYZE calendars_meeting")
        at = NINE + timedelta(days=5)
        found = Meeting.objects.to_join(at, at + timedelta(seconds=90))
        assert "meeting_to_join" in found.explain()
        assert len(statements(lambda: list(found))) == 1
        assert len(found) == 1
