"""Private and not wanted means: nowhere. Whatever becomes private leaves no word, id or hash, only a number.

Everything about an event carries its canary; after each step, all that is stored or logged is searched for those of
events that are private now.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django_q.models import OrmQ
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from calendars import sync
from calendars.merge import seen_version
from calendars.models import LookedAt, Meeting
from integrations.events import Attendee, Kind, Person, RemoteEvent, Response
from integrations.models import CalendarConnection
from sally.models import Organization, Session
from tests.conftest import make_user
from tests.memory import MemoryClient, event, version_of

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SINGLES = ("a", "b", "c")
OCCURRENCES = ("s1", "s2", "s3")
ZOOM = "https://us02web.zoom.us/j/84512345678?pwd="


def canary(id: str) -> str:
    return f"canary-{'s' if id in OCCURRENCES else id}"


def remote(id: str, state: str) -> RemoteEvent:
    """An event as ``state`` says: "private" or not, with its link in the location ("place"), the "body", or none."""
    word = canary(id)
    number = (*SINGLES, *OCCURRENCES).index(id)
    fields: dict[str, Any] = {
        "subject": f"{word} subject",
        "location": f"{ZOOM}{word}" if "place" in state else f"{word} location",
        "organizer": Person(f"{word} name", f"{word}@quay.example"),
        "attendees": (Attendee(f"{word} guest", f"{word}@partner.example", "required", Response.NONE),),
        "ical_uid": f"{word} uid",
        "private": "private" in state,
    }
    start = NOW + timedelta(hours=number + 1)
    if id in OCCURRENCES:
        fields |= {"series_id": f"{word} series", "original_start": start, "kind": Kind.OCCURRENCE}
    made = event(f"{word}-{id}", start, **fields)
    return dataclasses.replace(made, version=version_of(state, made))


def stored() -> Iterator[str]:
    """Everything in the database, opened where it is packed."""
    for model in apps.get_models(include_auto_created=True):
        for row in model._default_manager.values():
            yield repr(row)
    for session in Session.objects.all():
        yield repr(session.get_decoded())
    for task in OrmQ.objects.all():
        yield repr(task.task)


class Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.__dict__}")


_states = st.sampled_from(
    ["absent", "public", "public place", "public body", "private", "private place", "private body"]
)
# A calendar as it is at one time: three events, a series as a whole, and what became of one of its occurrences.
_calendars = st.fixed_dictionaries(
    dict.fromkeys(SINGLES, _states) | {"series": _states, "one of it": st.sampled_from(["same", "private", "absent"])}
)
ALL_PRIVATE = dict.fromkeys(SINGLES, "private") | {"series": "private", "one of it": "same"}
_switches = st.sampled_from([("sync_private", "on"), ("sync_private", "off"), ("sync_only_online", "on"),
                             ("sync_only_online", "off")])  # fmt: skip


class TestPrivate(TestCase):
    def setUp(self) -> None:
        alice = make_user("alice@quay.example", Organization.objects.create(name="Harbour & Quay"))
        self.connection = CalendarConnection.objects.create(
            owner=alice, provider="microsoft-work", account_id="u.t", account_email="ines@quay.example"
        )
        self.browser = Client()
        self.browser.force_login(alice)
        self.memory = MemoryClient()
        self.log = Log()
        root = logging.getLogger()
        root.addHandler(self.log)
        level = root.level
        root.setLevel(logging.DEBUG)
        self.addCleanup(root.setLevel, level)
        self.addCleanup(root.removeHandler, self.log)

    def show(self, calendar: dict[str, str]) -> None:
        """From now on the calendar is like this."""
        states = {id: calendar[id] for id in SINGLES} | dict.fromkeys(OCCURRENCES, calendar["series"])
        if calendar["one of it"] != "same" and calendar["series"] != "absent":
            states["s2"] = calendar["one of it"]
        self.memory.held, self.memory.bodies = {}, {}
        for id, state in states.items():
            if state != "absent":
                shown = remote(id, state)
                self.memory.put(shown)
                self.memory.bodies[shown.id] = f"{ZOOM}{canary(id)}" if "body" in state else f"{canary(id)} body"
        if calendar["one of it"] == "private" and calendar["series"] != "absent":
            # An exception of its own: what the others share in words is no secret of its.
            one = remote("s2", "private")
            del self.memory.held[one.id]
            self.memory.put(dataclasses.replace(one, id="canary-one", subject="canary-one subject"))

    def read(self) -> None:
        rows = CalendarConnection.objects.filter(pk=self.connection.pk)
        rows.update(not_before=None, emptied_at=NOW - timedelta(hours=1))
        _, token = rows.idle(NOW).claim(NOW, limit=1)
        sync.run(self.connection.pk, token, clock=lambda: NOW, open_client=lambda *_: self.memory)
        self.connection.refresh_from_db()
        assert self.connection.failures == 0, self.connection.last_error

    def wanted(self) -> set[str]:
        """What is to be kept of the calendar as it is, by the options as they are."""
        return {
            one.id
            for one in self.memory.held.values()
            if (self.connection.sync_private or not one.private)
            and (not self.connection.sync_only_online or ZOOM in one.location + self.memory.bodies.get(one.id, ""))
        }

    def check(self) -> None:
        """No word of what is private and not wanted, whether or not the calendar was read since."""
        if self.connection.sync_private:
            return
        private = [one for one in self.memory.held.values() if one.private]
        public = {word for one in self.memory.held.values() if not one.private for word in one.subject.split()}
        secrets = {one.subject.split()[0] for one in private} - public
        everything = [*stored(), *self.log.lines]
        for word in secrets:
            assert not any(word in text for text in everything), [text for text in everything if word in text]
        remembered = LookedAt.objects.of(self.connection)
        hashes = {remembered.hash_of(one.id, seen_version(one)) for one in private}
        assert not hashes & remembered.hashes
        assert not Meeting.objects.filter(private=True).exists()
        assert not any("canary" in line for line in self.log.lines)

    @settings(max_examples=60)
    @example([("sync_private", "on"), ("sync_only_online", "on"), ALL_PRIVATE, ("sync_private", "off")])
    @example([("sync_private", "on"), ALL_PRIVATE, ("sync_private", "off")])
    @given(st.lists(st.one_of(_calendars, _switches), min_size=1, max_size=8))
    def test_what_is_private_and_not_wanted_leaves_only_a_number(
        self, steps: list[dict[str, str] | tuple[str, str]]
    ) -> None:
        for step in steps:
            if isinstance(step, dict):
                self.show(step)
                self.read()
            else:
                answer = self.browser.post(f"/settings/integrations/{self.connection.pk}/options/", dict([step]))
                assert answer.status_code == 302
                self.connection.refresh_from_db()
                if step == ("sync_private", "off"):
                    self.check()  # in the same request, before any sync
                self.read()
            self.check()
            assert set(Meeting.objects.values_list("external_id", flat=True)) == self.wanted()
            assert self.connection.meeting_count == Meeting.objects.count()
            if not self.connection.sync_private:
                assert self.connection.private_left_out == sum(one.private for one in self.memory.held.values())

    def test_the_search_would_find_a_canary(self) -> None:
        """The property above is worth what its search is worth: with the option on, every place is full of them."""
        self.browser.post(f"/settings/integrations/{self.connection.pk}/options/", {"sync_private": "on"})
        self.connection.refresh_from_db()
        self.show(dict.fromkeys(SINGLES, "private body") | {"series": "private", "one of it": "same"})
        self.read()
        assert any("canary-a" in text for text in stored())
        self.connection.sync_private = False
        with pytest.raises(AssertionError):
            self.check()
