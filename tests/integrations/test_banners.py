"""The banner: on every page while a calendar needs its owner, and silence when it is solved."""

from __future__ import annotations

import html

import pytest
from django.test import Client

from calendars.models import Meeting
from integrations.models import CalendarConnection
from sally.models import User
from tests.conftest import make_user
from tests.integrations.test_views import signed_in

WORDS = "The password was changed, or Sally's access was withdrawn."


@pytest.fixture
def broken(alice: User) -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="a", account_email="ines@quay.example",
        status="needs_attention", last_error="AADSTS50173", last_error_kind="ReconnectNeeded",
    )  # fmt: skip


def pages(connection: CalendarConnection) -> list[str]:
    meeting = Meeting.objects.create(connection=connection, external_id="x", start=connection.created_at,
                                     end=connection.created_at, kind="single", response="none")  # fmt: skip
    return [
        "/meetings/",
        f"/meetings/{meeting.pk}/",
        "/settings/integrations/",
        "/settings/integrations/add/",
        f"/settings/integrations/{connection.pk}/disconnect/",
        "/settings/profile/",
        "/settings/profile/password/",
    ]


def shown(client: Client, path: str) -> int:
    return html.unescape(client.get(path).content.decode()).count(WORDS)


def test_every_page_says_it_once_until_it_is_solved(as_alice: Client, broken: CalendarConnection) -> None:
    paths = pages(broken)
    assert {path: shown(as_alice, path) for path in paths} == dict.fromkeys(paths, 1)
    broken.restart()
    assert {path: shown(as_alice, path) for path in paths} == dict.fromkeys(paths, 0)


def test_nobody_else_reads_it(broken: CalendarConnection, bob: User, charlie: User) -> None:
    for user in (bob, charlie, make_user("admin@quay.example", bob.organization, role="admin")):  # type: ignore[arg-type]
        assert shown(signed_in(user), "/settings/profile/") == 0


@pytest.mark.parametrize("kind", ["Unavailable", "OperatorProblem"])
def test_what_the_person_cannot_mend_does_not_follow_them_around(
    as_alice: Client, broken: CalendarConnection, kind: str
) -> None:
    CalendarConnection.objects.update(status="connected", last_error_kind=kind, failures=5)
    assert "notice-warning" not in as_alice.get("/settings/profile/").content.decode()
