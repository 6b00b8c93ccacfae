"""Settings → Privacy: what is stored about a person, in numbers and words, and all of it as a file."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.translation import get_language

from calendars import attendance
from calendars.models import Change, LookedAt, Meeting, Override
from integrations.models import AccessRecord, ApprovalRequest, CalendarConnection, PasswordTrial
from sally import stored
from sally.models import User
from tests.calendars.rows import meeting
from tests.conftest import PASSWORD
from tests.walking import World, signed_in

PAGE = "/settings/privacy/"
DOWNLOAD = "/settings/privacy/download/"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def fill(user: User) -> World:
    """Something of every kind there is."""
    world = World.of(user)
    LookedAt.objects.create(connection=world.connection, hashes=b"0123456789abcdef")
    PasswordTrial.objects.create(user=user, account=f"fingerprint {user.pk}", started_at=NOW, ended_at=NOW)
    LogEntry.objects.create(
        user=user, content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk),
        object_repr=user.email, action_flag=CHANGE, change_message="name",
    )  # fmt: skip
    Client().post("/sign-in/", {"username": user.email, "password": "wrong"})
    ApprovalRequest.objects.ask(user, "microsoft-work", user.email, NOW)
    AccessRecord.objects.create(
        owner=user, connection=world.connection, account=world.connection.account_email, at=NOW, last_at=NOW,
        method="GET", endpoint="calendarView", why="schedule", status=200,
    )  # fmt: skip
    Override.objects.create(user=user, uid="a series", whole_series=True, choice="skip")
    attendance.save_terms(user, {"rule": "all"}, NOW)
    return world


@pytest.fixture
def theirs(alice: User) -> World:
    return fill(alice)


def downloaded(user: User) -> dict[str, Any]:
    response = signed_in(user).post(DOWNLOAD)
    assert response.status_code == 200
    found: dict[str, Any] = json.loads(response.getvalue())
    return found


def rows_of(document: dict[str, Any], label: str) -> list[dict[str, Any]]:
    (found,) = [one["rows"] for one in document["kinds"] if one["kind"] == label]
    return list(found)


# --- The page ----------------------------------------------------------------------------------------------------


def counts_on(page: str) -> dict[str, str]:
    found = re.findall(r"<h3>(.*?)</h3>\s*<span class=\"badge\">(.*?)</span>", page)
    return {html.unescape(title): count for title, count in found}


def test_the_page_counts_the_rows_of_each_kind(theirs: World) -> None:
    meeting(theirs.connection, "another", NOW)
    shown = counts_on(signed_in(theirs.owner).get(PAGE).content.decode())
    assert shown == {
        "Your account": "1 row",
        "Browsers you are signed in with": "2 rows",
        "Changes in the administration": "1 row",
        "Wrong passwords": "1 row",
        "Your connected calendars": "1 row",
        "What opens your calendars": "1 row",
        "Sign-ins at Microsoft": "1 row",
        "Passwords tried at an Exchange server": "1 row",
        "What you asked your admin for": "1 row",
        "The access log": "1 row",
        "Your meetings": "2 rows",
        "What happened to your meetings": "1 row",
        "Events that Sally need not read again": "1 row",
        "When Sally joins your meetings": "1 row",
        "What you decided about single meetings": "1 row",
    }


def test_the_page_counts_nothing_of_a_colleague(theirs: World, bob: User) -> None:
    shown = counts_on(signed_in(bob).get(PAGE).content.decode())
    assert {title: count for title, count in shown.items() if count != "0 rows"} == {
        "Your account": "1 row",
        "Browsers you are signed in with": "1 row",
    }


def test_every_column_stands_on_the_page(theirs: World) -> None:
    page = signed_in(theirs.owner).get(PAGE).content.decode()
    for kind in stored.kinds():
        for one in kind.fields:
            assert f"<dt>{html.escape(str(one.words))}</dt>" in page
            assert f"<code>{one.name}</code>" in page
    assert page.count("secret, never shown") == 10


def test_it_says_how_long_meetings_are_kept(theirs: World, settings: Any) -> None:
    settings.KEEP_DAYS = 45
    assert "otherwise about 45 days after its end" in signed_in(theirs.owner).get(PAGE).content.decode()


def test_each_kind_costs_one_query_however_many_rows_there_are(theirs: World) -> None:
    def queries() -> int:
        client = signed_in(theirs.owner)
        with CaptureQueriesContext(database) as captured:
            client.get(PAGE)
        return len(captured)

    other = CaptureQueriesContext(database)
    with other:
        signed_in(theirs.owner).get("/settings/profile/password/")
    few = queries()
    for number in range(50):
        meeting(theirs.connection, f"more {number}", NOW)
    assert queries() == few <= 11 + len(other)


def test_settings_lead_to_it_between_integrations_and_profile(as_alice: Client) -> None:
    page = as_alice.get("/settings/profile/").content.decode()
    places = [page.index(f'href="{one}"') for one in ("/settings/integrations/", PAGE, "/settings/profile/")]
    assert places == sorted(places)


# --- The download ------------------------------------------------------------------------------------------------


def test_the_file_holds_every_kind_with_its_rows_in_words_and_names(theirs: World) -> None:
    document = downloaded(theirs.owner)
    assert document["person"] == {"email": "alice@quay.example", "name": "Alice", "organization": "Harbour & Quay"}
    assert [(one["kind"], len(one["rows"])) for one in document["kinds"]] == [
        ("sally.User", 1),
        ("sally.Session", 2),
        ("admin.LogEntry", 1),
        ("axes.AccessAttempt", 1),
        ("integrations.CalendarConnection", 1),
        ("integrations.ConnectionSecret", 1),
        ("integrations.SignIn", 1),
        ("integrations.PasswordTrial", 1),
        ("integrations.ApprovalRequest", 1),
        ("integrations.AccessRecord", 1),
        ("calendars.Meeting", 1),
        ("calendars.Change", 1),
        ("calendars.LookedAt", 1),
        ("calendars.Participation", 1),
        ("calendars.Override", 1),
    ]
    assert document["kinds"][10]["title"] == "Your meetings"
    assert document["kinds"][10]["why"].startswith("So that you see what is coming up")
    (row,) = rows_of(document, "calendars.Meeting")
    assert row.keys() == {one.name for one in Meeting._meta.concrete_fields}
    assert (row["subject"], row["start"]) == ("Meeting of alice@quay.example", "2030-05-06T07:00:00+00:00")
    assert row["connection"] == str(theirs.connection.pk)


def test_it_is_a_file_of_that_day(theirs: World) -> None:
    """Of the person's own day: in Berlin it is the 24th already."""
    with time_machine.travel(datetime(2026, 11, 23, 23, 30, tzinfo=UTC)):
        response = signed_in(theirs.owner).post(DOWNLOAD)
        document = json.loads(response.getvalue())
    assert response.headers["Content-Disposition"] == 'attachment; filename="sally-my-data-2026-11-24.json"'
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store, private"
    assert document["generated_at"].startswith("2026-11-23T23:30:00")


def test_its_words_are_in_the_persons_language(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although it is written when the request, and its language, are over."""
    spoken = lazy(get_language, str)()
    kinds = [dataclasses.replace(one, title=spoken, why=spoken) for one in stored.kinds()]
    monkeypatch.setattr(stored, "kinds", lambda: kinds)
    User.objects.update(language="de")
    assert {(one["title"], one["why"]) for one in downloaded(alice)["kinds"]} == {("de", "de")}


def test_of_what_is_secret_it_says_only_that_it_is_there(theirs: World) -> None:
    document = downloaded(theirs.owner)
    there = {"stored": True}
    assert rows_of(document, "sally.User")[0]["password"] == there
    assert rows_of(document, "integrations.ConnectionSecret")[0]["payload"] == there
    assert rows_of(document, "integrations.SignIn")[0]["flow"] == there
    assert rows_of(document, "integrations.SignIn")[0]["state_digest"] == there
    assert rows_of(document, "calendars.LookedAt")[0]["hashes"] == there
    (trial,) = rows_of(document, "integrations.PasswordTrial")
    assert (trial["account"], trial["refused_password"]) == (there, None)
    by_data = sorted(str(one["session_data"]) for one in rows_of(document, "sally.Session"))
    assert by_data == ["None", str(there)]


def test_no_secret_of_the_database_stands_in_the_file(theirs: World) -> None:
    client = signed_in(theirs.owner)
    text = client.post(DOWNLOAD).getvalue().decode()
    with database.cursor() as cursor:
        cursor.execute("SELECT payload FROM integrations_connectionsecret UNION SELECT flow FROM integrations_signin")
        sealed = [one for (one,) in cursor.fetchall()]
    secrets = [*sealed, "a cache", "digest of", f"fingerprint {theirs.owner.pk}", client.cookies["sessionid"].value]
    secrets += [User.objects.get(pk=theirs.owner.pk).password, AccessAttempt.objects.get().username]
    assert [one for one in secrets if one in text] == []


def test_nothing_of_anybody_else_stands_in_the_file(theirs: World, bob: User, charlie: User) -> None:
    for other in (bob, charlie):
        fill(other)
    text = signed_in(theirs.owner).post(DOWNLOAD).getvalue().decode()
    assert "alice@quay.example" in text
    others = ("bob@quay.example", "Bob", "charlie@elsewhere.example", "Charlie", "Elsewhere")
    assert [one for one in others if one in text] == []
    for connection in CalendarConnection.objects.exclude(owner=theirs.owner):
        assert str(connection.pk) not in text


@pytest.mark.parametrize("role", ["member", "admin"])
def test_a_private_appointment_stands_in_its_owners_file_only(theirs: World, bob: User, role: str) -> None:
    CalendarConnection.objects.update(sync_private=True)
    meeting(theirs.connection, "with the doctor", NOW, private=True)
    User.objects.filter(pk=bob.pk).update(role=role, is_superuser=role == "admin")
    assert "with the doctor" in signed_in(theirs.owner).post(DOWNLOAD).getvalue().decode()
    assert "with the doctor" not in signed_in(bob).post(DOWNLOAD).getvalue().decode()


def test_what_an_admin_did_to_the_account_stands_in_the_file(alice: User, bob: User) -> None:
    users = ContentType.objects.get_for_model(User)
    for number, about in ((1, alice), (2, bob)):
        LogEntry.objects.create(
            user=bob, content_type=users, object_id=str(about.pk), object_repr=f"change {number}", action_flag=CHANGE
        )
    # Of another kind, with the same number.
    LogEntry.objects.create(
        user=bob, content_type=ContentType.objects.get_for_model(Meeting), object_id=str(alice.pk),
        object_repr="change 3", action_flag=CHANGE,
    )  # fmt: skip
    assert [one["object_repr"] for one in rows_of(downloaded(alice), "admin.LogEntry")] == ["change 1"]


HOSTILE = ['"],"rows":[{"', "\u2028\u2029", "\\", "</script>", "Köln 🚢", "\x01\x1f\x7f", "\r\n", "ﷺ\u202e"]


@pytest.mark.parametrize("subject", HOSTILE, ids=ascii)
def test_a_hostile_subject_comes_out_as_it_is(theirs: World, subject: str) -> None:
    Meeting.objects.update(subject=subject)
    assert [one["subject"] for one in rows_of(downloaded(theirs.owner), "calendars.Meeting")] == [subject]


@pytest.mark.parametrize("name", ["\ud83d", "\udea2 and more", "NUL \0 inside"], ids=ascii)
def test_half_a_character_and_a_nul_are_escaped(theirs: World, name: str) -> None:
    """SQLite keeps such things inside JSON; PostgreSQL does not."""
    if database.vendor == "postgresql":
        return
    Meeting.objects.update(attendees=[[name, "a@quay.example", "required", "none"]])
    response = signed_in(theirs.owner).post(DOWNLOAD)
    document = json.loads(response.getvalue().decode("utf-8", "strict"))
    assert rows_of(document, "calendars.Meeting")[0]["attendees"][0][0] == name


def test_ten_thousand_meetings_are_not_held_in_memory(theirs: World) -> None:
    Meeting.objects.bulk_create(
        Meeting(
            connection=theirs.connection, external_id=f"many {number}", subject="s" * 400, start=NOW, end=NOW,
            kind="single", response="none", show_as="busy",
        )
        for number in range(10_000)
    )  # fmt: skip
    response: Any = signed_in(theirs.owner).post(DOWNLOAD)
    pieces: Iterator[bytes] = iter(response.streaming_content)
    next(pieces)
    tracemalloc.start()
    length = sum(len(piece) for piece in pieces)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert length > 10_000_000
    assert peak < 3_000_000, peak


def test_it_costs_one_query_for_each_kind(theirs: World) -> None:
    response = signed_in(theirs.owner).post(DOWNLOAD)
    with CaptureQueriesContext(database) as captured:
        response.getvalue()
    assert len(captured) == 15


def test_the_password_is_asked_for_when_it_was_long_ago(theirs: World) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        client = signed_in(theirs.owner)
        clock.shift(timedelta(minutes=15))
        came_from = {"Referer": f"http://testserver{PAGE}"}
        response = client.post(DOWNLOAD, headers=came_from)
        assert (response.status_code, response["Location"]) == (302, "/confirm/?next=%2Fsettings%2Fprivacy%2F")
        client.post("/confirm/", {"password": PASSWORD})
        assert json.loads(client.post(DOWNLOAD).getvalue())["person"]["name"] == "Alice"


def test_no_other_site_can_ask_for_it(theirs: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(theirs.owner)
    assert client.post(DOWNLOAD).status_code == 403
    assert client.get(DOWNLOAD).status_code == 405


def test_who_is_signed_out_gets_nothing(db: None) -> None:
    for response in (Client().get(PAGE), Client().post(DOWNLOAD)):
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/?next=")


def test_an_account_without_anything_gets_a_whole_document_too(alice: User) -> None:
    alice.organization = None
    alice.save()
    document = downloaded(alice)
    assert document["person"]["organization"] == ""
    assert rows_of(document, "calendars.Meeting") == []
    assert timezone.now() - datetime.fromisoformat(document["generated_at"]) < timedelta(minutes=1)


def test_changes_of_a_meeting_say_when_and_what(theirs: World) -> None:
    (row,) = rows_of(downloaded(theirs.owner), "calendars.Change")
    assert (row["what"], row["at"], row["meeting"]) == ("moved", "2030-05-06T07:00:00+00:00", theirs.meeting.pk)
    assert Change.objects.count() == 1
