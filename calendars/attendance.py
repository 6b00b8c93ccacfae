"""What people and admins set and decide about Sally's joining, what that would change, and how it came about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from calendars import policy
from calendars.merge import MergePlan
from calendars.models import (
    Meeting,
    MeetingQuerySet,
    OrganizationParticipation,
    Override,
    Participation,
    uid_of,
    uid_of_meeting,
)
from calendars.models.participation import SETTINGS
from calendars.people import canonical
from calendars.planning import (
    EVERYTHING,
    WEST,
    Group,
    Home,
    Plan,
    Row,
    domains_of,
    home_of,
    in_rooms,
    lock,
    lock_home_of,
    terms_of,
)
from calendars.policy import Decision, Rule, Terms
from integrations.models import CalendarConnection
from sally.models import Organization, User

PREVIEWED = timedelta(days=14)
COUNTED = timedelta(days=7)
NOTHING = Q(pk__in=[])


@dataclass(frozen=True)
class Standing:
    """How a person stands: what they set, what their organization set, and what counts of it.

    ``terms`` are None before they confirmed a rule; then nothing is planned.
    """

    participation: Participation | None
    default: OrganizationParticipation | None
    terms: Terms | None

    @property
    def locked(self) -> bool:
        return self.default is not None and self.default.binds

    @property
    def follows_organization(self) -> bool:
        """The organization's rule counts, because it is locked or because the person has chosen so."""
        own = self.participation.rule if self.participation else ""
        return bool(self.default and self.default.rule) and (self.locked or not own)


def standing_of(user: User) -> Standing:
    """One statement."""
    found = User.objects.select_related("participation", "organization__participation").get(pk=user.pk)
    participation = getattr(found, "participation", None)
    default = getattr(found.organization, "participation", None)
    return Standing(participation, default, terms_of(participation, default))


# -- saving ----------------------------------------------------------------------------------------------------------


def save_terms(user: User, values: Mapping[str, Any], now: datetime) -> int:
    """Store what a person set, by the names in ``SETTINGS``; the first time confirms it. How many plans changed."""
    with transaction.atomic():
        home = lock_home_of(user)
        Participation.objects.update_or_create(
            user=user, defaults=dict(values), create_defaults={**values, "confirmed_at": now}
        )
        return Group.of(home).replan(_of(user), now)


def save_organization(
    organization: Organization, values: Mapping[str, Any], domains: Sequence[str], now: datetime
) -> int:
    """Store the whitelist and what admins set for everybody; how many plans changed."""
    with transaction.atomic():
        lock(organization)
        Organization.objects.filter(pk=organization.pk).update(internal_domains=list(domains))
        OrganizationParticipation.objects.update_or_create(organization=organization, defaults=dict(values))
        home = Organization.objects.select_related("participation").get(pk=organization.pk)
        return Group.of(home).replan(EVERYTHING, now)


@dataclass(frozen=True)
class Said:
    """What was said about a meeting or a series before, for Undo: ``choice`` is empty where it was nothing."""

    choice: str = ""
    lead: int | None = None


def said_of(user: User, meeting: Meeting, *, whole_series: bool) -> Said:
    """What a person said about a meeting, or about the whole of its series. One statement."""
    said = _overrides(user, meeting, whole_series).first()
    return Said(said.choice, said.lead) if said else Said()


def _overrides(user: User, meeting: Meeting, whole_series: bool) -> QuerySet[Override]:
    place = None if whole_series else meeting.original_start
    return Override.objects.filter(user=user, uid=uid_of(meeting), original_start=place, whole_series=whole_series)


def decide_for(
    user: User, meeting: Meeting, *, choice: str, lead: int | None, whole_series: bool, now: datetime
) -> Said:
    """Keep a person's decision about a meeting or its whole series; what they had said before.

    An empty ``choice`` without a ``lead`` takes back what was said. To follow the rule is a decision as well: for one
    meeting of a series of which something else was said.
    """
    whole_series = whole_series and meeting.in_series
    place = None if whole_series else meeting.original_start
    same = _overrides(user, meeting, whole_series)
    with transaction.atomic():
        home = lock_home_of(user)
        before = same.first()
        if choice or lead is not None:
            Override.objects.update_or_create(
                user=user,
                uid=uid_of(meeting),
                original_start=place,
                whole_series=whole_series,
                defaults={"choice": choice, "lead": lead, "decided_at": now},
            )
        else:
            same.delete()
        concerned = Meeting.objects.alias(uid=uid_of_meeting()).filter(connection__owner=user, uid=uid_of(meeting))
        Group.of(home).replan(Q(pk__in=concerned.values("pk")), now)
    return Said(before.choice, before.lead) if before else Said()


def meetings_changed(owner: User, home: Home, plan: MergePlan, created: Sequence[int], now: datetime) -> None:
    """A sync of a calendar of this person's wrote this, having locked ``home`` before."""
    group = Group.of(home)
    touched = [one.pk for one in plan.update]
    if group.terms(owner.pk):
        group.replan(Q(pk__in=[*touched, *created]), now, rooms=plan.left)
    elif touched:  # what is new has no plan, and gets none before a rule was confirmed
        group.replan(Q(pk__in=touched), now)


@contextmanager
def leaving(owner: User, meetings: MeetingQuerySet, now: datetime) -> Iterator[None]:
    """Around the deletion of these meetings of one person: whoever shares their rooms may have to send Sally."""
    with transaction.atomic():
        home = lock_home_of(owner)
        rooms = list(meetings.exclude(join_at=None).values_list("room", flat=True).distinct())
        yield
        if rooms:
            Group.of(home).replan(NOTHING, now, rooms=rooms)


def addresses_changed(user: User, addresses: Collection[str], now: datetime) -> None:
    """A person's calendar came with one of these, or left; what they sign in with tells nobody anything new."""
    if {canonical(one) for one in addresses} - {canonical(user.email), ""}:
        people_changed([home_of(user)], now)


def lock_all_of(user: User) -> None:
    """Whatever plans depend on of somebody who is about to be deleted, in the order in which it is locked."""
    list(CalendarConnection.objects.filter(owner=user).order_by("pk").select_for_update().values_list("pk"))
    with suppress(User.DoesNotExist):  # a second click may find them gone
        lock_home_of(user)


KNOWN_BY = {"email", "organization", "is_active", "time_zone"}


def known_by(pk: int | None) -> tuple[Any, ...]:
    """What is stored of somebody that plans depend on; nothing of nobody."""
    if pk is None:
        return ()
    return User.objects.filter(pk=pk).values_list("organization", "email", "is_active", "time_zone").first() or ()


def person_saved(user: User, before: tuple[Any, ...], now: datetime) -> None:
    """Plan anew where somebody came, went, or is known by something else than before."""
    after = (user.organization_id, user.email, user.is_active, user.time_zone)
    if before == after or not (before or user.organization_id):
        return
    homes: list[Home] = [Organization(pk=pk) for pk in {before[0] if before else None, after[0]} - {None}]
    if user.organization_id is None:
        homes.append(user)
    people_changed(homes, now)


def person_gone(user: User, now: datetime) -> None:
    if user.organization_id:
        people_changed([Organization(pk=user.organization_id)], now)


def people_changed(homes: Iterable[Home], now: datetime) -> int:
    """Plan anew where somebody came, went, or changed what they are known by; how many plans changed."""
    changed = 0
    # In one order, lest two of these wait for each other.
    for home in sorted(homes, key=lambda home: (type(home).__name__, home.pk)):
        with transaction.atomic():
            changed += Group.of(lock(home)).replan(EVERYTHING, now)
    return changed


def replan_all(now: datetime) -> int:
    """Every plan, as after a change of the services that Sally can join; how many changed."""
    alone = User.objects.filter(organization=None, participation__isnull=False)
    return people_changed([*Organization.objects.all(), *alone], now)


# -- asking what would be --------------------------------------------------------------------------------------------


def counts(user: User, now: datetime) -> dict[str, int]:
    """To how many meetings of the coming week Sally would come by each rule, the person's switches as they are.

    By "" what the organization's default means for the person, where there is one. A lock is not looked at.
    """
    group = Group.of(home_of(user))
    rows = group.rows(_of(user), now, now + COUNTED)
    own = group.members[user.pk].participation or Participation(confirmed_at=now)
    by_rule = {rule.value: terms_of(_with_rule(own, rule.value), None) for rule in Rule}
    if group.default and group.default.rule:
        by_rule[""] = terms_of(_with_rule(own, ""), group.default)
    return {rule: sum(group.decide(row, terms).joins for row in rows) for rule, terms in by_rule.items()}


def _with_rule(participation: Participation, rule: str) -> Participation:
    settings = {name: getattr(participation, name) for name in SETTINGS}
    return Participation(confirmed_at=participation.confirmed_at, **settings | {"rule": rule})


@dataclass(frozen=True)
class Preview:
    """What a change would mean for the meetings of the next 14 days: those that Sally would come to, would come to no
    more, and would come to at another time, the earliest first. Of an organization also how many people that
    concerns."""

    gained: Sequence[int] = ()
    lost: Sequence[int] = ()
    moved: Sequence[int] = ()
    people: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.gained or self.lost or self.moved)

    def meetings(self, pks: Sequence[int]) -> list[Meeting]:
        return list(Meeting.objects.filter(pk__in=pks).select_related("connection").order_by("start", "pk"))


def preview(user: User, values: Mapping[str, Any], now: datetime) -> Preview:
    """What ``save_terms`` would change for the person."""
    group = Group.of(home_of(user))
    member = group.members[user.pk]
    confirmed_at = member.participation.confirmed_at if member.participation else now
    proposed = Participation(user=user, confirmed_at=confirmed_at, **values)
    then = replace(group, members={**group.members, user.pk: replace(member, participation=proposed)})
    return _preview(
        then, then.rows(_of(user), now, now + PREVIEWED, beside=[_rooms_of(user)]), lambda row: row.owner == user.pk
    )


def preview_organization(
    organization: Organization, values: Mapping[str, Any], domains: Sequence[str], now: datetime
) -> Preview:
    """What ``save_organization`` would change for its people."""
    proposed = OrganizationParticipation(organization=organization, **values)
    then = replace(Group.of(organization), default=proposed, domains=domains_of(domains))
    return _preview(then, then.rows(EVERYTHING, now, now + PREVIEWED), lambda row: True)


def _preview(then: Group, rows: Iterable[Row], concerned: Callable[[Row], bool]) -> Preview:
    rows = list(rows)
    plans = then.plans(rows)
    found: dict[str, list[int]] = {"gained": [], "lost": [], "moved": []}
    people = set()
    for row in sorted(filter(concerned, rows), key=lambda row: (row.start, row.pk)):
        kind = _difference(row.stored, plans[row.pk])
        if kind:
            found[kind].append(row.pk)
            people.add(row.owner)
    return Preview(**found, people=len(people))


def _difference(before: Plan, after: Plan) -> str:
    if before.comes != after.comes:
        return "gained" if after.comes else "lost"
    return "moved" if before.join_at and after.join_at and before.join_at != after.join_at else ""


# -- explaining ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Explanation:
    """How Sally decided about one meeting, now, and what its owner said about it and its series.

    ``meanwhile``: another meeting of the same people that sends her into its room at that time, where this one does
    not have her come.
    """

    decision: Decision
    checks: Sequence[policy.Check]
    standing: Standing
    this: Said
    series: Said
    meanwhile: Meeting | None = None

    @property
    def terms(self) -> Terms | None:
        return self.standing.terms


def explain(meeting: Meeting, now: datetime) -> Explanation:
    """Of the meeting's owner; at most four statements. Raises ``Meeting.DoesNotExist`` where it is just gone."""
    owner = meeting.connection.owner
    group = Group.of(home_of(owner))
    # All-day meetings are stored as days of UTC, and are others in the zones of their owners.
    around = Q(start__lt=meeting.end + 2 * WEST, end__gt=meeting.start - 2 * WEST)
    beside = Q(room=meeting.room, join_at__isnull=False) & around if meeting.room else NOTHING
    rows = {row.pk: row for row in group.rows(Q(pk=meeting.pk), None, beside=[beside])}
    row = rows.pop(meeting.pk, None)
    if row is None:
        raise Meeting.DoesNotExist
    standing = Standing(group.members[owner.pk].participation, group.default, group.terms(owner.pk))
    decision = group.decide(row, standing.terms, now)
    this, series = (Said(one["choice"], one["lead"]) if one else Said() for one in (row.this, row.series))
    other = None if row.stored.comes else group.sender_beside(row, rows.values())
    meanwhile = Meeting.objects.select_related("connection__owner").filter(pk=other).first() if other else None
    return Explanation(decision, policy.checks(decision), standing, this, series, meanwhile)


def _of(user: User) -> Q:
    return Q(connection__owner=user)


def _rooms_of(user: User) -> Q:
    return in_rooms(Meeting.objects.filter(connection__owner=user).exclude(room="").values("room"))
