"""The plan that is stored with every meeting: whether and when Sally joins, why, and whose meeting sends her.

A plan depends on the meeting, on its owner's terms and overrides, on who belongs to the organization, and on who else
of it would send Sally into the same room; not on the clock. So it is made anew when one of these changes, in the same
transaction, with four statements however many meetings there are: ``lock`` and ``Group.of`` take one each,
``Group.replan`` two.

Locks are taken in this order: connection, organization (of somebody without one: the person), meetings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection as database
from django.db.models import Aggregate, DateTimeField, JSONField, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce, JSONObject

from calendars import policy
from calendars.models import (
    Kind,
    Meeting,
    OrganizationParticipation,
    Override,
    Participation,
    midnight_of,
    uid_of_meeting,
)
from calendars.models.participation import USUAL
from calendars.people import Circle, Invited, canonical, canonical_domain, is_listed
from calendars.policy import Decision, Facts, Overrides, Reason, Rule, Terms
from calendars.senders import Candidate, covered
from integrations.models import CalendarConnection
from sally.models import Organization, User

COVERED = "covered"  # beside the reasons: another meeting sends Sally into the same room
# All-day meetings are stored as days of UTC; in their owner's zone they may end so much later, or begin earlier.
WEST, EAST = timedelta(hours=12), timedelta(hours=14)
EVERYTHING = ~Q(pk__in=[])  # an empty Q would be nothing beside another: Q() | other is other
_NO_PLACE = Value(datetime(1, 1, 1, tzinfo=UTC), output_field=DateTimeField())


class Plan(NamedTuple):
    """``join_at`` is None where this meeting does not send Sally; ``sender`` is the one that does instead."""

    join_at: datetime | None = None
    decision: str = ""
    about: str = ""
    sender: int | None = None

    @property
    def comes(self) -> bool:
        return self.join_at is not None or self.decision == COVERED


class Row(NamedTuple):
    """What a plan is made of, as it is read; the last ones are the overrides."""

    pk: int
    owner: int
    account: str
    kind: str
    start: datetime
    end: datetime
    start_date: date | None
    end_date: date | None
    cancelled: bool
    private: bool
    confidential: bool
    response: str
    show_as: str
    is_organizer: bool
    organizer_name: str
    organizer_email: str
    attendees: list[list[str]]
    attendees_hidden: bool
    join_url: str
    service: str
    room: str
    join_at: datetime | None
    decision: str
    decision_about: str
    sender: int | None
    this: dict[str, Any] | None = None
    series: dict[str, Any] | None = None

    @property
    def stored(self) -> Plan:
        return Plan(self.join_at, self.decision, self.decision_about, self.sender)

    @property
    def overrides(self) -> Overrides:
        series = self.series if self.kind != Kind.SINGLE else None
        return Overrides(_override(self.this), _override(series))

    def span(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """As ``Meeting.span``."""
        if self.start_date and self.end_date:
            return midnight_of(self.start_date, zone), midnight_of(self.end_date, zone)
        return self.start, self.end


_FOUND_AT = {"owner": "connection__owner", "account": "connection__account_email"}
_COLUMNS = tuple(_FOUND_AT.get(name, name) for name in Row._fields)


def _override(said: dict[str, Any] | None) -> policy.Override:
    if not said:
        return policy.Override()
    return policy.Override(policy.Choice(said["choice"]) if said["choice"] else None, said["lead"])


@dataclass(frozen=True)
class Member:
    """Somebody for whom Sally may join. ``address``: canonical, what they sign in with. ``addresses``: also those of
    their calendars, which nobody vouches for: a server or tenant of one's own says whatever one likes."""

    pk: int
    active: bool
    zone: ZoneInfo
    address: str
    addresses: frozenset[str]
    participation: Participation | None


def terms_of(participation: Participation | None, default: OrganizationParticipation | None) -> Terms | None:
    """What counts for somebody; None before they confirmed a rule, and while they follow a default that is none."""
    if participation is None:
        return None
    is_locked = default is not None and default.binds
    ruled = default if default and (is_locked or not participation.rule) else participation
    if not ruled.rule:
        return None
    leads = [participation.lead, default.lead if default else None]
    lead = next((one for one in (reversed(leads) if is_locked else leads) if one is not None), USUAL)
    return Terms(
        rule=Rule(ruled.rule),
        only_accepted=ruled.only_accepted,
        skip_confidential=ruled.skip_confidential,
        skip_free=ruled.skip_free,
        skip_all_day=ruled.skip_all_day,
        lead=lead,
        confirmed_at=participation.confirmed_at,
    )


class _Joined(Aggregate):
    """Texts as one, each on a line."""

    function = "GROUP_CONCAT"
    template = "%(function)s(%(expressions)s, char(10))"
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "%(function)s(%(expressions)s, chr(10))"
        return self.as_sql(compiler, connection, function="STRING_AGG", template=template, **context)


# Among whom one Sally per room is enough: an organization, or a person without one.
Home = Organization | User


def home_of(user: User) -> Home:
    """One statement, for somebody with an organization."""
    if user.organization_id is None:
        return user
    return Organization.objects.select_related("participation").get(pk=user.organization_id)


def lock(home: Home) -> Home:
    """As it is now; nobody else plans for the same people until the transaction ends. One statement."""
    # no_key: what only points to the row need not wait for it.
    if isinstance(home, Organization):
        organizations = Organization.objects.select_related("participation")
        return organizations.select_for_update(of=("self",), no_key=True).get(pk=home.pk)
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=home.pk)


def lock_home_of(user: User) -> Home:
    """As ``lock``, and where they belong by now: a sync may have known them for minutes."""
    if user.organization_id is None:
        found = lock(user)
        if isinstance(found, User) and found.organization_id is None:
            return found
    theirs = Organization.objects.select_related("participation").filter(users=user.pk)
    return theirs.select_for_update(of=("self",), no_key=True).first() or lock(user)


@dataclass(frozen=True)
class Group:
    """The people of one home, with what their plans depend on.

    To ask what would be, make another of it with ``dataclasses.replace``.
    """

    organization: Organization | None
    default: OrganizationParticipation | None
    members: Mapping[int, Member]
    domains: frozenset[str]
    _circles: dict[tuple[int, str], Circle] = field(default_factory=dict, init=False, compare=False)

    @classmethod
    def of(cls, home: Home) -> Group:
        """One statement, with all that ``home`` knows already."""
        organization = home if isinstance(home, Organization) else None
        people = User.objects.filter(Q(organization=organization) if organization else Q(pk=home.pk))
        own = CalendarConnection.objects.filter(owner=OuterRef("pk")).order_by().values("owner")
        accounts = Subquery(own.annotate(addresses=_Joined("account_email")).values("addresses"))
        members = people.select_related("participation").annotate(accounts=accounts)
        return cls(
            organization=organization,
            default=getattr(organization, "participation", None),
            members={one.pk: _member(one) for one in members.only("email", "is_active", "time_zone", "participation")},
            domains=domains_of(organization.internal_domains if organization else ()),
        )

    @cached_property
    def users(self) -> frozenset[str]:
        """The canonical addresses of all active users; of those of their calendars only what the whitelist has.

        Else one of them could make a stranger count as a user, and all the others would have Sally join.
        """
        active = [one for one in self.members.values() if one.active]
        listed = {address for one in active for address in one.addresses if is_listed(address, self.domains)}
        return frozenset(listed.union(one.address for one in active)) - {""}

    @property
    def meetings(self) -> Q:
        if self.organization:
            return Q(connection__owner__organization=self.organization)
        return Q(connection__owner__in=list(self.members))

    def terms(self, owner: int) -> Terms | None:
        member = self.members.get(owner)
        return terms_of(member.participation, self.default) if member and member.active else None

    def rows(
        self,
        which: Q,
        now: datetime | None,
        until: datetime | None = None,
        *,
        beside: Sequence[Q] = (),
        with_past: bool = False,
    ) -> list[Row]:
        """What ``which`` or one of ``beside`` finds of these, is not over ``now``, and begins before ``until``.

        ``with_past``: also those that are over, in rooms that are in use now: they may be what sent Sally there. One
        statement.
        """
        lasting = Q(end__gt=now - WEST) if now else Q()
        own = Meeting.objects.filter(self.meetings)
        # Of anybody's beside: joined with all people first, every room would be looked up once for each of them.
        found = [own.filter(lasting, which), *(Meeting.objects.filter(lasting, one) for one in beside)]
        meetings = own.filter(pk__in=_any_of(found)) if beside else found[0]
        if now and with_past:
            in_use = meetings.filter(start__lt=now + EAST).values("room")
            past = Meeting.objects.filter(in_rooms(in_use), end__lte=now - WEST)
            meetings = own.filter(pk__in=_any_of([*found, past]))
        if until:
            meetings = meetings.filter(start__lt=until)
        meetings = meetings.alias(uid=uid_of_meeting()).annotate(this=_said(whole=False), series=_said(whole=True))
        read = (Row(*row) for row in meetings.order_by("pk").values_list(*_COLUMNS))
        # Whoever came since the people were read has their plans made by what brought them.
        rows = (row for row in read if row.owner in self.members)
        return [row for row in rows if with_past or self._lasts(row, now)]

    def _lasts(self, row: Row, now: datetime | None) -> bool:
        return now is None or row.span(self.members[row.owner].zone)[1] > now

    def decide(self, row: Row, terms: Terms | None, now: datetime | None = None) -> Decision:
        start, end = row.span(self.members[row.owner].zone)
        facts = Facts(
            start=start,
            end=end,
            all_day=row.start_date is not None,
            cancelled=row.cancelled,
            private=row.private,
            confidential=row.confidential,
            response=row.response,
            show_as=row.show_as,
            is_organizer=row.is_organizer,
            organizer=Invited(row.organizer_name, row.organizer_email, "required"),
            attendees=tuple(Invited(*one[:3]) for one in row.attendees),
            attendees_hidden=row.attendees_hidden,
            join_url=row.join_url,
            service=row.service,
        )
        return policy.decide(facts, terms, self._circle(row), row.overrides, frozenset(settings.JOINABLE_SERVICES), now)

    def plans(self, rows: Iterable[Row]) -> dict[int, Plan]:
        """By meeting. Of every room in ``rows``, all its meetings must be among them."""
        terms = {owner: self.terms(owner) for owner in self.members}
        decided = [(row, self.decide(row, terms[row.owner])) for row in rows]
        senders = covered(self._candidate(row, one.join_at, one.reason) for row, one in decided if one.join_at)
        return {row.pk: _plan(one, senders.get(row.pk)) for row, one in decided}

    def replan(self, which: Q, now: datetime, *, rooms: Iterable[str] = ()) -> int:
        """Store the plans of ``which`` meetings and of those that share a room with them; how many were changed.

        What is over keeps the plan that it had. ``rooms``: also of these, as where one was left. Two statements.
        """
        concerned = Meeting.objects.filter(self.meetings, which).exclude(room="")
        shared = [in_rooms(concerned.values("room")), in_rooms(sorted(set(rooms) - {""}))]
        rows = self.rows(which, now, beside=() if which == EVERYTHING else shared, with_past=True)
        plans = self.plans(rows)
        changed = (row for row in rows if plans[row.pk] != row.stored and self._lasts(row, now))
        return _write({row.pk: plans[row.pk] for row in changed}, now)

    def sender_beside(self, row: Row, others: Iterable[Row]) -> int | None:
        """Which of the ``others``, all of its room, sends Sally there while the meeting of ``row`` lasts."""
        this = self._candidate(row, row.start, Reason.REFUSED)
        found = [self._candidate(one, one.join_at, Reason(one.decision)) for one in others if one.join_at]
        beside = min(filter(this.overlaps, found), key=lambda one: one.rank, default=None)
        return beside.pk if beside else None

    def _circle(self, row: Row) -> Circle:
        key = row.owner, row.account
        if key not in self._circles:
            own = self.members[row.owner].addresses | {canonical(row.account)} - {""}
            self._circles[key] = Circle(self.domains, self.users, own)
        return self._circles[key]

    def _candidate(self, row: Row, join_at: datetime, reason: Reason) -> Candidate:
        start, end = row.span(self.members[row.owner].zone)
        room = row.room or f"meeting {row.pk}"  # one without a key is nobody else's
        return Candidate(row.pk, row.owner, room, start, end, join_at, row.is_organizer, reason is Reason.ASKED)


def in_rooms(rooms: Any) -> Q:
    """Said twice that a room has a name: it is what lets the index of rooms be used."""
    return ~Q(room="") & Q(room__in=rooms)


def _any_of(found: Sequence[QuerySet[Meeting]]) -> QuerySet[Meeting, Any]:
    """Each looked up by its own index; to an OR of them PostgreSQL answers by reading the whole table."""
    first, *others = (one.order_by().values("pk") for one in found)
    return first.union(*others) if others else first


def domains_of(listed: Sequence[str]) -> frozenset[str]:
    return frozenset(canonical_domain(one) for one in listed) - {""}


def _member(user: User) -> Member:
    accounts: str = getattr(user, "accounts", None) or ""
    addresses = frozenset(canonical(one) for one in (user.email, *accounts.split("\n"))) - {""}
    participation = getattr(user, "participation", None)
    return Member(user.pk, user.is_active, user.zone, canonical(user.email), addresses, participation)


def _said(*, whole: bool) -> Subquery:
    """The override of a meeting, or of its series, in SQL; the meetings must have an alias ``uid``."""
    found = Override.objects.filter(user=OuterRef("connection__owner"), uid=OuterRef("uid"), whole_series=whole)
    if not whole:
        place = Coalesce(OuterRef("original_start"), _NO_PLACE)
        found = found.alias(place=Coalesce("original_start", _NO_PLACE)).filter(place=place)
    return Subquery(found.values(said=JSONObject(choice="choice", lead="lead"))[:1], output_field=JSONField())


def _plan(decision: Decision, sender: int | None) -> Plan:
    if sender is not None:
        return Plan(decision=COVERED, sender=sender)
    if decision.reason is Reason.UNCONFIRMED:
        return Plan()
    return Plan(decision.join_at, decision.reason.value, decision.about)


# One parameter, whatever the number: SQLite allows some hundred or some ten thousand to a statement.
_WRITE = {
    "sqlite": """
        UPDATE calendars_meeting
        SET join_at = json_extract(new.value, '$[1]'), decision = json_extract(new.value, '$[2]'),
            decision_about = json_extract(new.value, '$[3]'), sender_id = json_extract(new.value, '$[4]'),
            planned_at = %s
        FROM json_each(%s) AS new WHERE calendars_meeting.id = json_extract(new.value, '$[0]')
    """,
    "postgresql": """
        UPDATE calendars_meeting
        SET join_at = (new.value->>1)::timestamptz, decision = new.value->>2, decision_about = new.value->>3,
            sender_id = (new.value->>4)::bigint, planned_at = %s
        FROM jsonb_array_elements(%s::jsonb) AS new(value) WHERE calendars_meeting.id = (new.value->>0)::bigint
    """,
}


def _write(plans: Mapping[int, Plan], now: datetime) -> int:
    if plans:
        stored = database.ops.adapt_datetimefield_value
        rows = [
            (pk, str(stored(one.join_at)) if one.join_at else None, one.decision, one.about, one.sender)
            for pk, one in plans.items()
        ]
        with database.cursor() as cursor:
            cursor.execute(_WRITE[database.vendor], [stored(now), json.dumps(rows)])
    return len(plans)
