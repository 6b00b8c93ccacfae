"""Connections: who may claim them and when, and what connecting, reconnecting and disconnecting leave."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from calendars.models import Meeting
from integrations.accounts import SignedIn
from integrations.models import MOST_ATTEMPTS, CalendarConnection, ConnectionSecret, LeaseLost, SignIn
from sally.models import User
from tests.conftest import INES, TOMAS, connect
from tests.sandbox_process import Sandbox

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
Status = CalendarConnection.Status
ACCOUNT = SignedIn("uid.utid", "ines@quay.example", "Ines Falk", ("Calendars.ReadWrite.Shared",), {"cache": "cache-1"})


def make(owner: User, **fields: object) -> CalendarConnection:
    defaults: dict[str, object] = {
        "provider": "microsoft-work",
        "account_id": str(uuid.uuid4()),
        "account_email": "ines@quay.example",
        "status": Status.CONNECTED,
        "next_sync_at": NOW,
    }
    return CalendarConnection.objects.create(owner=owner, **(defaults | fields))


def due() -> list[CalendarConnection]:
    return list(CalendarConnection.objects.due(NOW))


class TestDue:
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"status": Status.CONNECTING},
            {"next_sync_at": NOW - timedelta(days=9)},
            {"lease_until": NOW - timedelta(seconds=1), "attempts": 1},
            {"lease_until": NOW - timedelta(seconds=1), "attempts": MOST_ATTEMPTS - 1},
            {"lease_until": NOW - timedelta(minutes=61), "attempts": 50},
        ],
    )
    def test_its_time_has_come(self, alice: User, fields: dict[str, object]) -> None:
        row = make(alice, **fields)
        assert due() == [row]

    @pytest.mark.parametrize(
        "fields",
        [
            {"next_sync_at": NOW + timedelta(seconds=1)},
            {"next_sync_at": None},
            {"status": Status.PAUSED},
            {"status": Status.NEEDS_ATTENTION},
            {"lease_until": NOW + timedelta(seconds=1)},
            # It may be killing its workers: an hour's rest between tries.
            {"lease_until": NOW - timedelta(seconds=1), "attempts": MOST_ATTEMPTS},
        ],
    )
    def test_it_waits(self, alice: User, fields: dict[str, object]) -> None:
        make(alice, **fields)
        assert due() == []

    def test_a_deactivated_users_connections_rest(self, alice: User) -> None:
        make(alice)
        User.objects.filter(pk=alice.pk).update(is_active=False)
        assert due() == []


class TestClaim:
    def test_it_leases_and_the_attempt_is_counted_when_work_begins(self, alice: User) -> None:
        row = make(alice)
        claimed, token = CalendarConnection.objects.due(NOW).claim(NOW, limit=10)
        row.refresh_from_db()
        assert claimed == [row.pk]
        assert (row.lease_token, row.lease_until, row.attempts) == (token, NOW + timedelta(seconds=60), 0)
        later = NOW + timedelta(seconds=30)
        begun = CalendarConnection.objects.begin(row.pk, token, later)
        row.refresh_from_db()
        assert begun is not None
        assert (row.lease_token, row.lease_until, row.attempts) == (begun.lease_token, NOW + timedelta(seconds=90), 1)
        assert row.lease_token != token

    def test_waiting_in_a_long_queue_is_no_attempt(self, alice: User) -> None:
        row = make(alice)
        for minutes in range(1, 20):
            now = NOW + timedelta(minutes=minutes, seconds=minutes)
            assert CalendarConnection.objects.due(now).claim(now, limit=10)[0] == [row.pk]

    def test_a_claim_is_begun_once(self, alice: User) -> None:
        row = make(alice)
        _, token = CalendarConnection.objects.due(NOW).claim(NOW, limit=10)
        assert CalendarConnection.objects.begin(row.pk, token, NOW) is not None
        assert CalendarConnection.objects.begin(row.pk, token, NOW) is None

    def test_nobody_claims_what_is_claimed(self, alice: User) -> None:
        make(alice)
        CalendarConnection.objects.due(NOW).claim(NOW, limit=10)
        assert CalendarConnection.objects.due(NOW).claim(NOW, limit=10)[0] == []

    def test_after_its_lease_it_is_free_again(self, alice: User) -> None:
        row = make(alice)
        CalendarConnection.objects.due(NOW).claim(NOW, limit=10)
        later = NOW + timedelta(seconds=61)
        assert CalendarConnection.objects.due(later).claim(later, limit=10)[0] == [row.pk]

    def test_the_longest_waiting_come_first(self, alice: User) -> None:
        rows = [make(alice, next_sync_at=NOW - timedelta(minutes=n)) for n in range(5)]
        assert CalendarConnection.objects.due(NOW).claim(NOW, limit=2)[0] == [rows[4].pk, rows[3].pk]

    @pytest.mark.django_db(transaction=True)
    def test_two_workers_at_once_never_claim_the_same(self, alice: User) -> None:
        for _ in range(40):
            make(alice)
        claims: list[uuid.UUID] = []
        barrier = threading.Barrier(4)

        def work() -> None:
            barrier.wait()
            for _ in range(5):
                claims.extend(CalendarConnection.objects.due(NOW).claim(NOW, limit=3)[0])
            database.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(claims) == len(set(claims)) == 40


class TestConnect:
    def test_it_stores_the_account_and_asks_for_a_sync(self, alice: User) -> None:
        before = timezone.now()
        row = CalendarConnection.objects.connect(alice, "microsoft-work", ACCOUNT)
        row = CalendarConnection.objects.get(pk=row.pk)
        assert (row.account_id, row.account_email, row.account_name) == ("uid.utid", "ines@quay.example", "Ines Falk")
        assert row.status == Status.CONNECTING
        assert row.next_sync_at
        assert row.next_sync_at >= before
        assert row.secret.payload == {"cache": "cache-1"}
        assert (row.sync_private, row.sync_only_online) == (False, False)

    def test_reconnecting_heals_the_row_and_keeps_options_and_meetings(self, alice: User) -> None:
        row = CalendarConnection.objects.connect(alice, "microsoft-work", ACCOUNT)
        meeting = Meeting.objects.create(connection=row, external_id="a", start=NOW, end=NOW)
        CalendarConnection.objects.filter(pk=row.pk).update(
            status=Status.NEEDS_ATTENTION, failures=3, last_error="SIGNIN-1", last_error_kind="ReconnectNeeded",
            sync_private=True, last_synced_at=NOW, next_sync_at=None,
        )  # fmt: skip
        renamed = SignedIn("uid.utid", "ines.falk@quay.example", "Ines Falk", ACCOUNT.scopes, {"cache": "cache-2"})
        healed = CalendarConnection.objects.connect(alice, "microsoft-work", renamed)
        healed = CalendarConnection.objects.get(pk=healed.pk)
        assert healed.pk == row.pk
        assert (healed.status, healed.failures, healed.problem) == (Status.CONNECTED, 0, None)
        assert (healed.account_email, healed.sync_private) == ("ines.falk@quay.example", True)
        assert healed.secret.payload == {"cache": "cache-2"}
        assert healed.next_sync_at is not None
        assert Meeting.objects.get().pk == meeting.pk

    def test_another_account_is_another_connection(self, alice: User) -> None:
        first = CalendarConnection.objects.connect(alice, "microsoft-work", ACCOUNT)
        other = SignedIn("other.utid", "ines@quay.example", "Ines Falk", ACCOUNT.scopes, {"cache": "cache"})
        assert CalendarConnection.objects.connect(alice, "microsoft-work", other).pk != first.pk

    def test_two_people_may_connect_one_account(self, alice: User, bob: User) -> None:
        CalendarConnection.objects.connect(alice, "microsoft-work", ACCOUNT)
        CalendarConnection.objects.connect(bob, "microsoft-work", ACCOUNT)
        assert CalendarConnection.objects.count() == 2

    def test_a_sync_that_still_runs_cannot_write_its_old_token_over_the_new_one(self, alice: User) -> None:
        row = CalendarConnection.objects.connect(alice, "microsoft-work", ACCOUNT)
        running = CalendarConnection.objects.get(pk=row.pk)
        assert running.secret.payload == {"cache": "cache-1"}
        newer = SignedIn("uid.utid", "ines@quay.example", "Ines Falk", ACCOUNT.scopes, {"cache": "cache-2"})
        CalendarConnection.objects.connect(alice, "microsoft-work", newer)
        with pytest.raises(LeaseLost):
            running.secret.keep({"cache": "rotated from the old one"})
        assert ConnectionSecret.objects.get(pk=row.pk).payload == {"cache": "cache-2"}

    def test_it_wakes_the_queue_when_the_transaction_commits(
        self, alice: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        from django_q.models import OrmQ

        with django_capture_on_commit_callbacks(execute=True):
            row = CalendarConnection.objects.connect(alice, "microsoft-work", ACCOUNT)
            assert OrmQ.objects.count() == 0
        (task,) = [one.task for one in OrmQ.objects.all()]
        row.refresh_from_db()
        assert task["func"] == "calendars.tasks.sync_connection"
        assert task["args"] == (str(row.pk), str(row.lease_token))

    def test_an_admins_pause_is_not_lifted_by_connecting_again(self, alice: User) -> None:
        CalendarConnection.objects.connect(alice, "microsoft-work", ACCOUNT).pause()
        row = CalendarConnection.objects.connect(alice, "microsoft-work", ACCOUNT)
        row.refresh_from_db()
        assert (row.status, row.next_sync_at) == (Status.PAUSED, None)
        assert row.problem is not None
        assert row.problem.code == "PAUSED"


class TestRequestSync:
    def test_it_waits_as_long_as_the_provider_asked(self, alice: User) -> None:
        patience = NOW + timedelta(minutes=10)
        row = make(alice, not_before=patience, next_sync_at=patience)
        row.request_sync(NOW)
        row.refresh_from_db()
        assert row.next_sync_at == patience
        assert CalendarConnection.objects.idle(NOW).count() == 0
        assert CalendarConnection.objects.idle(patience).count() == 1

    @pytest.mark.parametrize("status", [Status.PAUSED, Status.NEEDS_ATTENTION])
    def test_it_wakes_nothing_that_rests(self, alice: User, status: str) -> None:
        row = make(alice, status=status, next_sync_at=None)
        row.request_sync(NOW)
        row.refresh_from_db()
        assert row.next_sync_at is None

    def test_of_a_connection_that_is_gone_it_is_no_error(self, alice: User) -> None:
        row = make(alice)
        CalendarConnection.objects.all().delete()
        row.request_sync(NOW)
        row.pause()
        row.restart()


class TestResume:
    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("", Status.CONNECTING),
            ("OperatorProblem", Status.CONNECTING),
            ("ReconnectNeeded", Status.NEEDS_ATTENTION),
            ("PasswordRefused", Status.NEEDS_ATTENTION),
        ],
    )
    def test_what_needed_its_owner_still_does(self, alice: User, kind: str, status: str) -> None:
        row = make(alice, last_error="X", last_error_kind=kind)
        row.pause()
        row.resume()
        row.refresh_from_db()
        assert row.status == status
        assert bool(row.problem) is (status == Status.NEEDS_ATTENTION)


class TestWhatTheUserReads:
    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({}, None),
            ({"status": Status.PAUSED, "next_sync_at": None}, "PAUSED"),
            ({"failures": 2, "last_error": "NET-1", "last_error_kind": "Unavailable"}, None),
            ({"failures": 3, "last_error": "NET-1", "last_error_kind": "Unavailable"}, "NET-1"),
            ({"failures": 1, "last_error": "KEYS", "last_error_kind": "OperatorProblem"}, "KEYS"),
            ({"status": Status.NEEDS_ATTENTION, "last_error": "X", "last_error_kind": "ReconnectNeeded"}, "X"),
            ({"attempts": MOST_ATTEMPTS}, "INTERNAL"),
        ],
    )
    def test_a_state_that_is_not_well_has_its_words(
        self, alice: User, fields: dict[str, object], code: str | None
    ) -> None:
        row = make(alice, **({"next_sync_at": timezone.now() + timedelta(minutes=3)} | fields))
        assert (row.problem and row.problem.code) == code

    @pytest.mark.parametrize(("minutes", "code"), [(11, "LATE"), (2, None)])
    def test_one_that_should_have_been_read_long_ago_is_late(self, alice: User, minutes: int, code: str | None) -> None:
        row = make(alice, next_sync_at=timezone.now() - timedelta(minutes=minutes))
        assert (row.problem and row.problem.code) == code

    def test_who_may_be_killing_its_workers_is_not_said_to_be_syncing(self, alice: User) -> None:
        now = timezone.now()
        assert make(alice, next_sync_at=now).syncing
        assert not make(alice, next_sync_at=now, attempts=MOST_ATTEMPTS).syncing


class TestDisconnect:
    def test_it_deletes_secret_and_meetings_and_says_how_many(self, alice: User) -> None:
        row = CalendarConnection.objects.connect(alice, "microsoft-work", ACCOUNT)
        Meeting.objects.bulk_create(Meeting(connection=row, external_id=str(n), start=NOW, end=NOW) for n in range(3))
        assert row.disconnect() == {"meetings": 3}
        assert CalendarConnection.objects.count() == ConnectionSecret.objects.count() == Meeting.objects.count() == 0

    def test_others_keep_theirs(self, alice: User, bob: User) -> None:
        mine = CalendarConnection.objects.connect(alice, "microsoft-work", ACCOUNT)
        other = CalendarConnection.objects.connect(bob, "microsoft-work", ACCOUNT)
        Meeting.objects.create(connection=other, external_id="a", start=NOW, end=NOW)
        mine.disconnect()
        assert CalendarConnection.objects.get().pk == other.pk
        assert Meeting.objects.count() == ConnectionSecret.objects.count() == 1


class TestSignIn:
    @pytest.fixture
    def flow(self, alice: User, microsoft: Sandbox) -> tuple[SignIn, str]:
        from urllib.parse import parse_qs, urlsplit

        row = SignIn.objects.begin(alice, "microsoft-work", redirect_uri="http://testserver/x/")
        return row, parse_qs(urlsplit(row.address).query)["state"][0]

    def test_the_state_is_not_stored_in_the_clear(self, flow: tuple[SignIn, str]) -> None:
        row, state = flow
        assert state not in row.state_digest
        assert len(state) >= 32

    def test_it_is_taken_once(self, alice: User, flow: tuple[SignIn, str]) -> None:
        row, state = flow
        taken = SignIn.objects.take(alice, state)
        assert taken is not None
        assert taken.pk == row.pk
        assert SignIn.objects.take(alice, state) is None

    @pytest.mark.django_db(transaction=True)
    def test_of_many_at_once_one_takes_it(self, alice: User, flow: tuple[SignIn, str]) -> None:
        taken: list[SignIn] = []
        barrier = threading.Barrier(6)

        def take() -> None:
            barrier.wait()
            found = SignIn.objects.take(alice, flow[1])
            if found:
                taken.append(found)
            database.close()

        threads = [threading.Thread(target=take) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 1

    def test_nobody_else_can_take_it_nor_use_it_up(self, alice: User, bob: User, flow: tuple[SignIn, str]) -> None:
        _, state = flow
        assert SignIn.objects.take(bob, state) is None
        assert SignIn.objects.take(alice, state) is not None

    def test_it_expires(self, alice: User, flow: tuple[SignIn, str]) -> None:
        row, state = flow
        SignIn.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        assert SignIn.objects.take(alice, state) is None

    @pytest.mark.parametrize("state", ["", "x", "\ud800", "é" * 9999])
    def test_nonsense_is_nobodys(self, alice: User, state: str) -> None:
        assert SignIn.objects.take(alice, state) is None

    def test_several_may_be_under_way(self, alice: User, microsoft: Sandbox) -> None:
        for _ in range(3):
            SignIn.objects.begin(alice, "microsoft-work", redirect_uri="http://testserver/x/")
        assert SignIn.objects.count() == 3

    def test_old_ones_are_swept_by_the_next(self, alice: User, microsoft: Sandbox) -> None:
        SignIn.objects.begin(alice, "microsoft-work", redirect_uri="http://testserver/x/")
        SignIn.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        SignIn.objects.begin(alice, "microsoft-work", redirect_uri="http://testserver/x/")
        assert SignIn.objects.count() == 1

    def test_once_used_the_verifier_is_gone(self, as_alice: Client, microsoft: Sandbox) -> None:
        connect(as_alice, microsoft, TOMAS)
        row = SignIn.objects.get()
        assert (row.flow, row.outcome) == ({}, "connected")


def test_accounts_are_told_apart_by_msals_home_account_id(as_alice: Client, microsoft: Sandbox) -> None:
    first, second = connect(as_alice, microsoft, INES), connect(as_alice, microsoft, TOMAS)
    assert first.account_id != second.account_id
    assert connect(as_alice, microsoft, INES).pk == first.pk
