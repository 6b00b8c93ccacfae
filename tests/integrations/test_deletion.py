"""Deleting everything: no trace of the person is left, nothing of anybody else is touched, and a receipt says so."""

from __future__ import annotations

import html
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection as database
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ, Task
from pytest_django import Settings

from calendars import sync, tasks
from calendars.models import Change, LookedAt, Meeting, MeetingQuerySet
from integrations.errors import PasswordRefused, ReconnectNeeded, Unavailable
from integrations.models import CalendarConnection, ConnectionSecret, LeaseLost, OperatorTrouble, UnreachableServer
from sally import deletion, stored
from sally.deletion import Receipt, delete_everything
from sally.models import Organization, Session, User
from tests.calendars.rows import meeting
from tests.conftest import INES, PASSWORD, connect, make_user
from tests.integrations.test_privacy_pages import fill
from tests.memory import MemoryClient, event
from tests.sandbox_process import Sandbox
from tests.walking import World, digest, signed_in

PAGE = "/settings/privacy/delete/"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NUMBER = 987_654_321


def canary(quay: Organization) -> User:
    """Somebody whose words and numbers are found wherever they stand."""
    return make_user("canary-mail@quay.example", quay, name="Canary Name", pk=NUMBER)


def dump() -> dict[str, str]:
    """What stands in each table."""
    with database.cursor() as cursor:
        found = {}
        for table in database.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name from the database itself
            found[table] = repr(cursor.fetchall())
    return found


def traces(world: World) -> set[str]:
    """Words and ids of the person, as this database spells them."""
    ids: list[uuid.UUID] = [world.connection.pk, world.sign_in.pk, world.session.public_id]
    keys = [str(one) for one in Session.objects.values_list("session_key", flat=True)]
    spelled = [one.hex if database.vendor == "sqlite" else str(one) for one in ids]
    return {"canary-mail", "Canary Name", str(NUMBER), str(world.connection.pk), *spelled, *keys}


def found_in(tables: dict[str, str], words: set[str]) -> list[str]:
    return [f"{table}: {word}" for table, text in tables.items() for word in words if word in text]


def delete(client: Client) -> Any:
    return client.post(PAGE, follow=True)


# --- No trace ----------------------------------------------------------------------------------------------------


def test_no_row_of_any_table_holds_a_trace(quay: Organization) -> None:
    world = fill(canary(quay))
    meeting(world.connection, "canary-mail wants it private", NOW, private=True)
    Task.objects.create(
        id="1", name="a failure", func="calendars.tasks.sync_connection", args=(str(world.connection.pk), "a token"),
        group=str(world.connection.pk), started=NOW, stopped=NOW, success=False,
    )  # fmt: skip
    OperatorTrouble.objects.create(code="KEYS", mailed_to=[NUMBER])
    client = signed_in(world.owner)
    words = traces(world)
    before = dump()
    assert words == {word for word in words if any(word in text for text in before.values())}
    assert delete(client).status_code == 200
    assert found_in(dump(), words) == []
    assert not Task.objects.exists()


def test_a_calendar_that_was_really_read_leaves_no_word(as_alice: Client, microsoft: Sandbox) -> None:
    """Connected at the sandbox and synced: its account, its people and its subjects are gone as well."""
    connect(as_alice, microsoft)
    CalendarConnection.objects.update(next_sync_at=timezone.now())
    tasks.dispatch_due()
    connection = CalendarConnection.objects.get()
    tasks.sync_connection(str(connection.pk), str(connection.lease_token))
    words = {INES, connection.account_id, *Meeting.objects.values_list("external_id", flat=True)}
    before = dump()
    assert INES in before["integrations_calendarconnection"]
    assert len(words) > 10
    number = Meeting.objects.count()
    page = delete(as_alice).content.decode()
    assert lines_on(page)["Your meetings"] == number
    OrmQ.objects.all().delete()  # what waits in the queue is packed; a worker takes it, and finds nothing
    assert found_in(dump(), words) == []


@pytest.mark.django_db(transaction=True)
def test_the_file_of_the_database_holds_none_either(quay: Organization) -> None:
    if database.vendor != "sqlite":
        return
    world = fill(canary(quay))
    Meeting.objects.bulk_create(
        Meeting(
            connection=world.connection, external_id=f"canary-id-{number}", subject=f"canary-subject {number}" * 9,
            start=NOW, end=NOW, kind="single", response="none", show_as="busy",
        )
        for number in range(500)
    )  # fmt: skip
    words = {word.encode() for word in traces(world) | {"canary", "Canary"}} - {str(NUMBER).encode()}
    assert b"canary-subject" in bytes_of_the_database()
    assert delete(signed_in(world.owner)).status_code == 200
    content = bytes_of_the_database()
    assert [word for word in words if word in content] == []


def bytes_of_the_database() -> bytes:
    with database.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = Path(database.settings_dict["NAME"])
    return b"".join(one.read_bytes() for one in (path, path.with_name(f"{path.name}-wal")) if one.exists())


def test_every_kind_is_gone(alice: User) -> None:
    fill(alice)
    delete_everything(alice)
    assert {kind.label: kind.model._base_manager.count() for kind in stored.kinds()} == dict.fromkeys(
        [kind.label for kind in stored.kinds()], 0
    )


def test_who_was_mailed_about_a_trouble_is_forgotten_there(alice: User, bob: User) -> None:
    OperatorTrouble.objects.create(code="KEYS", mailed_to=[alice.pk, bob.pk])
    OperatorTrouble.objects.create(code="GRANT", mailed_to=[bob.pk])
    delete_everything(alice)
    assert dict(OperatorTrouble.objects.values_list("code", "mailed_to")) == {"KEYS": [bob.pk], "GRANT": [bob.pk]}


# --- Nothing of anybody else -------------------------------------------------------------------------------------


def test_a_colleagues_rows_are_as_they_were(bob: User, charlie: User) -> None:
    for other in (bob, charlie):
        fill(other)
    Task.objects.create(
        id="1", name="a failure", func="f", group="another connection", started=NOW, stopped=NOW, success=False
    )
    UnreachableServer.objects.create(host="mail.quay.example", since=NOW, seen_at=NOW)
    sessions = list(Session.objects.order_by("pk").values())
    before = digest()
    assert bob.organization
    alice = make_user("alice@quay.example", bob.organization, name="Alice", role="admin")
    fill(alice)
    assert digest() != before
    delete_everything(alice)
    assert digest() == before
    assert list(Session.objects.order_by("pk").values()) == sessions


# --- All or nothing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [kind.label for kind in stored.kinds()])
def test_a_failure_at_any_kind_leaves_everything_as_it_was(
    alice: User, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(alice)
    OperatorTrouble.objects.create(code="KEYS", mailed_to=[alice.pk])
    client = signed_in(alice)
    before, sessions = digest(), Session.objects.count()
    (kind,) = [one for one in stored.kinds() if one.label == label]
    monkeypatch.setitem(stored._kinds, label, with_delete(kind, broken))
    assert client.post(PAGE).status_code == 500
    assert digest() == before
    assert Session.objects.count() == sessions
    assert mail.outbox == []
    assert client.get("/settings/privacy/").status_code == 200


def with_delete(kind: stored.Stored, delete: Callable[[Any], int]) -> stored.Stored:
    values = {name: getattr(kind, name) for name in stored.Stored.__dataclass_fields__}
    return stored.Stored(**{**values, "delete": delete})


def broken(_rows: QuerySet[Any]) -> int:
    raise RuntimeError("broken")


def test_a_second_deletion_finds_nothing_to_do(alice: User) -> None:
    assert delete_everything(alice) == {kind.label: 0 for kind in stored.kinds()} | {"sally.User": 1}
    assert delete_everything(alice) is None


def test_nor_does_one_of_somebody_without_an_organization(db: None) -> None:
    ida = User.objects.create_user("ida@home.example")
    assert delete_everything(ida)
    assert delete_everything(ida) is None


# --- A sync under way --------------------------------------------------------------------------------------------


class Interrupted(MemoryClient):
    """Somebody deletes everything while it answers ``at``; then it goes on, or fails with ``error``."""

    def __init__(self, user: User, at: str, error: Exception | None) -> None:
        super().__init__(event("e1", timezone.now() + timedelta(hours=1)))
        self.user, self.at, self.error = user, at, error

    def poll(self, cursor: str) -> Any:
        self._interrupt("poll")
        return super().poll(cursor)

    def events(self, *args: Any, **kwargs: Any) -> Any:
        self._interrupt("events")
        return super().events(*args, **kwargs)

    def fill(self, events: Any) -> Any:
        self._interrupt("fill")
        return super().fill(events)

    def _interrupt(self, at: str) -> None:
        if at == self.at:
            assert delete_everything(self.user)
            if self.error:
                raise self.error


@pytest.mark.parametrize("at", ["poll", "events", "fill"])
@pytest.mark.parametrize(
    "error",
    [None, Unavailable("later"), ReconnectNeeded(), PasswordRefused(), RuntimeError("a bug")],
    ids=lambda one: type(one).__name__,
)
def test_a_sync_that_runs_meanwhile_writes_nothing_and_does_not_complain(
    alice: User, at: str, error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    world = fill(alice)
    CalendarConnection.objects.update(next_sync_at=timezone.now())
    (pk,), token = CalendarConnection.objects.due(timezone.now()).claim(timezone.now(), limit=1)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert sync.run(pk, token, open_client=lambda *_: Interrupted(alice, at, error))
    loud = [one.message for one in caplog.records if one.levelno >= logging.ERROR]
    assert loud == []
    assert f"sync of {world.connection.pk}: somebody else has it now" in [one.message for one in caplog.records]
    assert [kind.label for kind in stored.kinds() if kind.model._base_manager.exists()] == []
    assert not OperatorTrouble.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_sync_that_is_just_writing_leaves_nothing_behind(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes at once: the deletion waits for the sync's transaction, and takes what that wrote along."""
    fill(alice)
    CalendarConnection.objects.update(next_sync_at=timezone.now())
    (pk,), token = CalendarConnection.objects.due(timezone.now()).claim(timezone.now(), limit=1)
    writing, apply = threading.Event(), MeetingQuerySet.apply

    def slowly(*args: Any, **options: Any) -> list[int]:
        writing.set()
        time.sleep(0.5)
        return apply(*args, **options)

    monkeypatch.setattr(MeetingQuerySet, "apply", slowly)
    monkeypatch.setattr(type(Meeting.objects), "apply", slowly)
    client = MemoryClient(*(event(f"e{number}", timezone.now() + timedelta(hours=1)) for number in range(50)))
    failed: list[BaseException] = []

    def work() -> None:
        try:
            sync.run(pk, token, open_client=lambda *_: client)
        except BaseException as exc:  # noqa: BLE001 - a thread tells nobody else
            failed.append(exc)
        finally:
            database.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert writing.wait(10)
    counts = delete_everything(alice)
    thread.join(10)
    assert failed == []
    assert counts
    assert counts["calendars.Meeting"] == 51
    assert [kind.label for kind in stored.kinds() if kind.model._base_manager.exists()] == []


@pytest.mark.django_db(transaction=True)
def test_of_two_deletions_at_once_one_does_it(alice: User) -> None:
    fill(alice)
    found: list[dict[str, int] | None] = []

    def click() -> None:
        try:
            found.append(delete_everything(alice))
        finally:
            database.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert sorted(one is None for one in found) == [False, True, True, True]


def test_a_token_that_is_renewed_meanwhile_is_not_kept(alice: User) -> None:
    secret = fill(alice).connection.secret
    delete_everything(alice)
    with pytest.raises(LeaseLost):
        secret.keep({"cache": "a renewed token"})
    assert not ConnectionSecret.objects.exists()


def test_a_sync_that_waits_in_the_queue_does_nothing(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    fill(alice)
    CalendarConnection.objects.update(next_sync_at=timezone.now())
    (pk,), token = CalendarConnection.objects.due(timezone.now()).claim(timezone.now(), limit=1)
    delete_everything(alice)
    caplog.clear()
    tasks.sync_connection(str(pk), str(token))
    assert caplog.records == []
    assert not CalendarConnection.objects.exists()


def test_a_failed_sync_is_found_by_its_connection(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = fill(alice).connection
    queued: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks, "async_task", lambda *_args, **options: queued.append(options))
    CalendarConnection.objects.update(next_sync_at=timezone.now())
    tasks.wake(connection.pk)
    assert queued == [{"group": str(connection.pk)}]


# --- How much it costs -------------------------------------------------------------------------------------------


def test_ten_thousand_meetings_cost_as_many_statements_as_ten(alice: User, bob: User) -> None:
    def statements(user: User, number: int) -> int:
        world = fill(user)
        made = Meeting.objects.bulk_create(
            Meeting(connection=world.connection, external_id=str(one), start=NOW, end=NOW, kind="single")
            for one in range(10, 10 + number)
        )
        Change.objects.bulk_create(Change(meeting=one, at=NOW, what="added", start=NOW, end=NOW) for one in made)
        with CaptureQueriesContext(database) as captured:
            counts = delete_everything(user)
        assert counts
        assert (counts["calendars.Meeting"], counts["calendars.Change"]) == (number + 1, number + 1)
        return len(captured)

    assert statements(alice, 10_000) == statements(bob, 10) < 60


# --- The pages ---------------------------------------------------------------------------------------------------


def lines_on(page: str) -> dict[str, int]:
    found = re.findall(r'<tr><th scope="row">(.*?)</th><td>(\d+)</td></tr>', page)
    return {html.unescape(title): int(count) for title, count in found}


EVERYTHING = {
    "Your account": 1,
    "Browsers you are signed in with": 2,
    "Changes in the administration": 1,
    "Wrong passwords": 1,
    "Your connected calendars": 1,
    "What opens your calendars": 1,
    "Sign-ins at Microsoft": 1,
    "Passwords tried at an Exchange server": 1,
    "What you asked your admin for": 1,
    "The access log": 1,
    "Your meetings": 3,
    "What happened to your meetings": 1,
    "Events that Sally need not read again": 1,
    "When Sally joins your meetings": 1,
    "What you decided about single meetings": 1,
}


@pytest.fixture
def theirs(alice: User) -> World:
    world = fill(alice)
    for one in ("a", "b"):
        meeting(world.connection, one, NOW)
    return world


def test_the_page_says_what_will_go(theirs: World) -> None:
    page = signed_in(theirs.owner).get(PAGE).content.decode()
    assert lines_on(page) == EVERYTHING
    assert 'href="https://myapps.microsoft.com"' in page
    assert "createsuperuser" not in page


def test_where_microsoft_has_no_page_for_it_there_is_no_link(theirs: World, settings: Settings) -> None:
    settings.MICROSOFT_CLOUD = "us-gov"
    page = signed_in(theirs.owner).get(PAGE).content.decode()
    assert "To take back the permission at Microsoft" not in page
    assert 'href="https://"' not in page


def test_the_receipt_says_what_was_deleted_and_when(theirs: World) -> None:
    with time_machine.travel(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), tick=False):
        response = signed_in(theirs.owner).post(PAGE)
        assert response.status_code == 303
        assert response["Location"].startswith("/settings/privacy/receipt/")
        page = Client().get(response["Location"]).content.decode()
    assert lines_on(page) == EVERYTHING
    assert re.search(r"On 23 \w+ 2026[^<]* 23:30 \(UTC\) Sally deleted", page)
    assert "The same was sent to you by mail." in page


def test_it_counts_what_was_really_deleted(theirs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what was there when the page was shown, nor what a count says before."""
    client = signed_in(theirs.owner)
    client.get(PAGE)
    meeting(theirs.connection, "came since", NOW)
    assert lines_on(delete(client).content.decode())["Your meetings"] == 4


def test_the_receipt_names_nobody(theirs: World) -> None:
    client = signed_in(theirs.owner)
    response = delete(client)
    page, address = response.content.decode(), response.redirect_chain[-1][0]
    for trace in ("alice", "Alice", "quay", str(theirs.connection.pk)):
        assert trace not in page.replace(address, "")


def test_the_same_comes_by_mail_in_the_persons_language(theirs: World) -> None:
    with time_machine.travel(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), tick=False):
        delete(signed_in(theirs.owner))
    (sent,) = mail.outbox
    assert sent.to == ["alice@quay.example"]
    assert sent.subject == "Sally deleted everything about you"
    assert re.search(r"on 23 \w+ 2026.* 23:30 \(UTC\) Sally deleted all", str(sent.body))
    assert "\nYour meetings: 3\n" in sent.body
    assert "\nYour account: 1\n" in sent.body


def test_a_mail_server_that_is_down_changes_nothing_but_the_words(
    theirs: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("sally.mails.send_mail", refuse)
    response = delete(signed_in(theirs.owner))
    assert "The mail that says the same could not be sent." in response.content.decode()
    assert not User.objects.exists()


def test_the_mail_is_sent_when_all_is_deleted(theirs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_args: object, **_kwargs: object) -> None:
        assert not User.objects.exists()
        assert len(database.savepoint_ids) == outside

    outside = len(database.savepoint_ids)
    monkeypatch.setattr("sally.mails.send_mail", look)
    assert delete(signed_in(theirs.owner)).status_code == 200


def test_every_browser_is_signed_out(theirs: World) -> None:
    this, other = signed_in(theirs.owner), signed_in(theirs.owner)
    response = delete(this)
    assert response.status_code == 200
    for client in (this, other):
        assert client.get("/meetings/").status_code == 302
    assert not Session.objects.exists()
    assert other.post("/sign-in/", {"username": "alice@quay.example", "password": PASSWORD}).status_code == 200


def test_the_number_of_the_account_leaves_the_browser_too(theirs: World) -> None:
    client = signed_in(theirs.owner)
    client.get("/meetings/")
    assert str(theirs.owner.pk) in client.cookies["visit"].value
    client.post(PAGE)
    assert (client.cookies["visit"].value, client.cookies["sessionid"].value) == ("", "")


def test_a_second_click_leads_to_the_sign_in(theirs: World) -> None:
    client, tab = signed_in(theirs.owner), signed_in(theirs.owner)
    client.post(PAGE)
    for again in (client, tab):
        response = again.post(PAGE)
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/")


def test_a_second_click_at_the_same_moment_leads_to_the_sign_in(theirs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was let in when the account was still there, and waited for the first one."""
    client = signed_in(theirs.owner)
    monkeypatch.setattr(deletion, "delete_everything", lambda user: delete_everything(user) and delete_everything(user))
    response = client.post(PAGE)
    assert (response.status_code, response["Location"]) == (302, "/sign-in/")
    assert mail.outbox == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_password_is_asked_for_when_it_was_long_ago(theirs: World, method: str) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        client = signed_in(theirs.owner)
        clock.shift(timedelta(minutes=15))
        response = getattr(client, method)(PAGE, headers={"Referer": f"http://testserver{PAGE}"})
    assert (response.status_code, response["Location"]) == (302, "/confirm/?next=%2Fsettings%2Fprivacy%2Fdelete%2F")
    assert User.objects.exists()


def test_looking_deletes_nothing_and_no_other_site_can_ask_for_it(theirs: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(theirs.owner)
    assert client.get(PAGE).status_code == 200
    assert client.post(PAGE).status_code == 403
    assert User.objects.exists()


# --- Who runs Sally ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "warned"),
    [(None, True), ({"is_superuser": True}, False), ({"is_superuser": True, "is_active": False}, True)],
    ids=["alone", "with another", "with one who is deactivated"],
)
def test_the_last_who_runs_sally_is_warned(alice: User, fields: dict[str, bool] | None, warned: bool) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    if fields:
        assert alice.organization
        make_user("root@quay.example", alice.organization, **fields)
    page = signed_in(alice).get(PAGE).content.decode()
    assert ("manage.py createsuperuser" in page) is warned


def test_the_last_who_runs_sally_may_go_all_the_same(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    assert delete(signed_in(alice)).status_code == 200
    assert not User.objects.exists()


def test_an_admins_organization_stays(alice: User, bob: User) -> None:
    User.objects.filter(pk=alice.pk).update(role="admin")
    delete_everything(alice)
    bob.refresh_from_db()
    assert bob.organization
    assert bob.organization.name == "Harbour & Quay"


# --- The receipt -------------------------------------------------------------------------------------------------


RECEIPT = Receipt({"sally.User": 1, "calendars.Meeting": 0, "calendars.Change": 2}, NOW, mailed=True)


def address(token: str) -> str:
    return f"/settings/privacy/receipt/{token}/"


@pytest.mark.django_db
def test_a_receipt_can_be_opened_for_a_day() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        token = RECEIPT.token
        clock.shift(timedelta(hours=24))
        page = Client().get(address(token))
        assert (page.status_code, lines_on(page.content.decode())) == (
            200,
            {"Your account": 1, "What happened to your meetings": 2},
        )
        assert page.headers["Cache-Control"] == "no-store, private"
        clock.shift(timedelta(seconds=1))
        over = Client().get(address(token))
    assert (over.status_code, "This receipt is over" in over.content.decode()) == (410, True)


@pytest.mark.django_db
@pytest.mark.parametrize("spoil", [lambda one: one[:-1], lambda one: f"a{one}", lambda _: "set-password"])
def test_a_forged_receipt_is_none(spoil: Callable[[str], str]) -> None:
    assert Client().get(address(spoil(RECEIPT.token))).status_code == 404


@pytest.mark.django_db
def test_what_is_signed_for_something_else_is_no_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "SALT", "another")
    token = RECEIPT.token
    monkeypatch.undo()
    assert Client().get(address(token)).status_code == 404


@pytest.mark.django_db
def test_a_kind_that_is_known_no_more_does_not_spoil_a_receipt() -> None:
    token = Receipt({"sally.User": 1, "gone.Model": 5}, NOW).token
    assert lines_on(Client().get(address(token)).content.decode()) == {"Your account": 1}


@pytest.mark.django_db
def test_a_receipt_is_stored_nowhere() -> None:
    before = dump()
    Client().get(address(RECEIPT.token))
    assert dump() == before
    assert not LookedAt.objects.exists()
