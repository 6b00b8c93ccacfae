"""One password is one login at a server: how few of them a person's clicks can cause, whatever they click."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection as database
from django.utils import timezone
from pytest_django import Settings

from integrations import upkeep
from integrations.errors import NotReached, PasswordRefused, ProviderError
from integrations.models import PasswordTrial
from integrations.models.trials import AlreadyTrying, NotTried, RefusedLately, TooManyTrials
from integrations.providers.exchange import Typed
from integrations.server_address import ServerAddress
from sally.models import User

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SERVER = "https://mail.quay.example/EWS/Exchange.asmx"
WRONG = "canary-wrong-password"


class Server:
    """Counts logins, and refuses every password but one."""

    def __init__(self, right: str = "right", refusal: ProviderError | None = None) -> None:
        self.right, self.refusal = right, refusal or PasswordRefused()
        self.logins: list[str] = []

    def look(self, typed: Typed) -> str:
        self.logins.append(typed.password)
        if typed.password != self.right:
            raise self.refusal
        return "a calendar"


def typed(password: str, username: str = "QUAY\\ines", host: str = "mail.quay.example") -> Typed:
    return Typed(ServerAddress(host), username, password)


def trial(
    server: Server,
    user: User,
    password: str,
    now: datetime = NOW,
    username: str = "QUAY\\ines",
    host: str = "mail.quay.example",
) -> str:
    """What came of it: what was found, or the class of what was raised."""
    try:
        return PasswordTrial.objects.attempt(user, typed(password, username, host), server.look, clock=lambda: now)
    except (NotTried, ProviderError) as exc:
        return type(exc).__name__


@pytest.fixture
def server() -> Server:
    return Server()


class TestTheSamePassword:
    def test_that_was_refused_is_not_sent_again_for_ten_minutes(self, alice: User, server: Server) -> None:
        assert trial(server, alice, WRONG) == "PasswordRefused"
        for minutes in (0, 1, 5, 9.9):
            assert trial(server, alice, WRONG, NOW + minutes * MINUTE) == "RefusedLately"
        assert server.logins == [WRONG]
        assert trial(server, alice, WRONG, NOW + 10 * MINUTE) == "PasswordRefused"
        assert server.logins == [WRONG, WRONG]

    def test_the_person_is_told_until_when(self, alice: User, server: Server) -> None:
        trial(server, alice, WRONG)
        with pytest.raises(RefusedLately) as refused:
            PasswordTrial.objects.attempt(alice, typed(WRONG), server.look, clock=lambda: NOW + 3 * MINUTE)
        assert refused.value.until == NOW + 10 * MINUTE

    @pytest.mark.parametrize("username", ["quay\\INES", " QUAY\\ines ", "QUAY\\ines"])
    def test_however_the_user_name_is_written(self, alice: User, server: Server, username: str) -> None:
        trial(server, alice, WRONG)
        assert trial(server, alice, WRONG, username=username) == "RefusedLately"

    def test_another_one_is_sent_and_wipes_out_what_was_kept_of_the_first(self, alice: User, server: Server) -> None:
        trial(server, alice, WRONG)
        assert trial(server, alice, "right") == "a calendar"
        assert set(PasswordTrial.objects.values_list("refused_password", flat=True)) == {""}
        assert trial(server, alice, WRONG) == "PasswordRefused"

    def test_for_another_account_or_server_or_person_is_another_one(
        self, alice: User, bob: User, server: Server
    ) -> None:
        trial(server, alice, WRONG)
        assert trial(server, alice, WRONG, username="QUAY\\tomas") == "PasswordRefused"
        assert trial(server, alice, WRONG, host="other.example") == "PasswordRefused"
        assert trial(server, bob, WRONG) == "PasswordRefused"

    def test_may_be_tried_again_where_the_account_was_locked_or_the_password_expired(self, alice: User) -> None:
        for code in ("LOCKED", "PW-EXPIRED"):
            server = Server(refusal=PasswordRefused(code=code))
            assert [trial(server, alice, "mine", username=code) for _ in range(2)] == ["PasswordRefused"] * 2
            assert len(server.logins) == 2

    def test_may_be_tried_again_where_the_server_was_not_reached(self, alice: User) -> None:
        server = Server(refusal=NotReached())
        assert [trial(server, alice, "mine") for _ in range(2)] == ["NotReached"] * 2

    def test_that_is_not_sent_counts_for_nothing(self, alice: User, server: Server) -> None:
        for _ in range(30):
            trial(server, alice, WRONG)
        assert PasswordTrial.objects.count() == 1


class TestWhatIsKept:
    def test_is_no_password_and_no_user_name(self, alice: User, server: Server, settings: Settings) -> None:
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
        trial(server, alice, WRONG, username=WRONG)
        row = PasswordTrial.objects.values().get()
        assert WRONG not in repr(row)
        assert str(row["refused_password"]).startswith("pbkdf2_sha256$")
        assert WRONG not in repr(PasswordTrial.objects.get())

    def test_cannot_be_guessed_from_without_the_secret_key(
        self, alice: User, server: Server, settings: Settings
    ) -> None:
        trial(server, alice, WRONG)
        settings.SECRET_KEY = "another" * 10
        assert trial(server, alice, WRONG) == "PasswordRefused"

    def test_a_refused_password_is_forgotten_after_ten_minutes_and_the_trial_after_fifteen(
        self, alice: User, server: Server
    ) -> None:
        trial(server, alice, WRONG)
        upkeep.look_after(NOW + 9 * MINUTE)
        assert PasswordTrial.objects.exclude(refused_password="").exists()
        upkeep.look_after(NOW + 10 * MINUTE)
        assert PasswordTrial.objects.get().refused_password == ""
        upkeep.look_after(NOW + 15 * MINUTE)
        assert not PasswordTrial.objects.exists()

    def test_nothing_is_kept_of_one_that_worked(self, alice: User, server: Server) -> None:
        trial(server, alice, "right")
        assert not PasswordTrial.objects.exists()


class TestTwoAtOnce:
    def test_the_second_is_told_and_sends_nothing(self, alice: User, server: Server) -> None:
        PasswordTrial.objects.claim(alice, SERVER, "QUAY\\ines", NOW)
        assert trial(server, alice, "right", NOW + MINUTE) == "AlreadyTrying"
        assert server.logins == []

    def test_one_that_died_is_free_again_after_ninety_seconds(self, alice: User, server: Server) -> None:
        PasswordTrial.objects.claim(alice, SERVER, "QUAY\\ines", NOW)
        assert trial(server, alice, "right", NOW + timedelta(seconds=89)) == "AlreadyTrying"
        assert trial(server, alice, "right", NOW + timedelta(seconds=90)) == "a calendar"

    def test_another_account_and_another_person_are_not_kept_waiting(
        self, alice: User, bob: User, server: Server
    ) -> None:
        PasswordTrial.objects.claim(alice, SERVER, "QUAY\\ines", NOW)
        assert trial(server, alice, "right", username="QUAY\\tomas") == "a calendar"
        assert trial(server, bob, "right") == "a calendar"

    @pytest.mark.parametrize("bug", [RuntimeError, KeyboardInterrupt])
    def test_one_that_failed_by_a_bug_is_over(self, alice: User, server: Server, bug: type[BaseException]) -> None:
        def broken(_typed: Typed) -> str:
            raise bug

        with pytest.raises(bug):
            PasswordTrial.objects.attempt(alice, typed("x"), broken, clock=lambda: NOW)
        assert trial(server, alice, "right") == "a calendar"

    @pytest.mark.django_db(transaction=True)
    def test_of_many_clicks_at_once_one_logs_in(self, alice: User) -> None:
        server, outcomes = Server(), []
        barrier, done = threading.Barrier(6), threading.Semaphore(0)

        def look(typed: Typed) -> str:
            for _ in range(5):  # all the others have had their answer
                assert done.acquire(timeout=30)
            return server.look(typed)

        def click() -> None:
            barrier.wait()
            try:
                PasswordTrial.objects.attempt(alice, typed(WRONG), look)
            except (AlreadyTrying, PasswordRefused) as exc:
                outcomes.append(type(exc).__name__)
                done.release()
            database.close()

        threads = [threading.Thread(target=click) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["AlreadyTrying"] * 5 + ["PasswordRefused"]
        assert server.logins == [WRONG]

    @pytest.mark.django_db(transaction=True)
    def test_many_at_once_with_different_names_are_still_counted(self, alice: User) -> None:
        server, outcomes = Server(), []
        barrier = threading.Barrier(14)

        def click(number: int) -> None:
            barrier.wait()
            outcomes.append(trial(server, alice, WRONG, timezone.now(), username=f"QUAY\\{number}"))
            database.close()

        threads = [threading.Thread(target=click, args=(number,)) for number in range(14)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["PasswordRefused"] * 10 + ["TooManyTrials"] * 4
        assert len(server.logins) == 10


class TestTooMany:
    def test_the_eleventh_in_a_quarter_of_an_hour_is_not_sent(self, alice: User, bob: User, server: Server) -> None:
        for number in range(10):
            assert trial(server, alice, WRONG, NOW + number * MINUTE, username=str(number)) == "PasswordRefused"
        with pytest.raises(TooManyTrials) as refused:
            PasswordTrial.objects.claim(alice, "https://b.example", "anybody", NOW + 12 * MINUTE)
        assert refused.value.until == NOW + 15 * MINUTE
        assert trial(server, bob, "right", NOW + 12 * MINUTE) == "a calendar"
        assert trial(server, alice, WRONG, NOW + 15 * MINUTE) == "PasswordRefused"
        assert trial(server, alice, "right", NOW + 15 * MINUTE) == "TooManyTrials"
        assert len(server.logins) == 12

    def test_those_that_worked_do_not_count(self, alice: User, server: Server) -> None:
        for number in range(12):
            assert trial(server, alice, "right", NOW + number * MINUTE) == "a calendar"

    def test_also_where_no_server_was_reached(self, alice: User) -> None:
        """Else it would find out what answers in a network."""
        server = Server(refusal=NotReached())
        outcomes = [trial(server, alice, "x", host=f"10.1.2.{number}") for number in range(11)]
        assert outcomes == ["NotReached"] * 10 + ["TooManyTrials"]
