"""Mails to owners: one when their calendar starts to need them, none again, and none for who wants none."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import send_mail
from django.utils import timezone
from django_q.exceptions import TimeoutException
from pytest_django import Settings

from integrations import notices
from integrations.errors import PasswordRefused, ReconnectNeeded, Unavailable
from integrations.models import CalendarConnection, OperatorTrouble
from sally.models import User

NOW = timezone.now()


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="a", account_email="ines@quay.example", status="connected",
        last_synced_at=NOW,
    )  # fmt: skip


def fail(connection: CalendarConnection, error: ReconnectNeeded | Unavailable) -> None:
    _, token = CalendarConnection.objects.filter(pk=connection.pk).claim(NOW, limit=1)
    connection.refresh_from_db()
    connection.record_failure(token, error, NOW)
    connection.refresh_from_db()


def test_the_mail_says_what_happened_and_where_to_go(connection: CalendarConnection, alice: User) -> None:
    fail(connection, ReconnectNeeded(code="AADSTS50173"))
    assert notices.send_due(NOW) == 1
    (sent,) = mail.outbox
    assert sent.to == [alice.email]
    assert sent.subject == "Sally needs you: ines@quay.example"
    assert "The password was changed, or Sally's access was withdrawn. Sign in again" in sent.body
    assert "(AADSTS50173)" in sent.body
    assert "http://testserver/settings/integrations/" in sent.body


@pytest.mark.parametrize(
    ("code", "what_to_do"),
    [
        ("PASSWORD", "Enter the password again"),
        ("LOCKED", "ask your IT department to unlock it"),
        ("PW-EXPIRED", "enter the new one here"),
    ],
)
def test_the_mail_about_an_exchange_server_speaks_of_the_password(
    connection: CalendarConnection, code: str, what_to_do: str
) -> None:
    CalendarConnection.objects.update(provider="exchange")
    fail(connection, PasswordRefused(code=code))
    notices.send_due(NOW)
    (sent,) = mail.outbox
    body = str(sent.body).replace("\n", " ")
    assert what_to_do in body
    assert f"({code})" in body
    assert "Microsoft" not in body
    assert "Sign in again" not in body


def test_it_comes_once_and_again_only_after_it_was_solved(connection: CalendarConnection) -> None:
    fail(connection, ReconnectNeeded())
    for _ in range(3):
        notices.send_due(NOW)
    assert len(mail.outbox) == 1
    connection.restart()
    assert notices.send_due(NOW) == 0
    fail(connection, ReconnectNeeded())
    notices.send_due(NOW)
    assert len(mail.outbox) == 2


def test_what_passes_by_itself_is_no_mail(connection: CalendarConnection) -> None:
    for _ in range(5):
        fail(connection, Unavailable())
    assert notices.send_due(NOW) == 0


def test_who_wants_no_mails_gets_none_also_not_later(connection: CalendarConnection, alice: User) -> None:
    User.objects.update(wants_mails=False)
    fail(connection, ReconnectNeeded())
    assert notices.send_due(NOW) == 0
    User.objects.update(wants_mails=True)
    assert notices.send_due(NOW) == 0


def test_an_inactive_owner_gets_none(connection: CalendarConnection) -> None:
    User.objects.update(is_active=False)
    fail(connection, ReconnectNeeded())
    assert notices.send_due(NOW) == 0


def test_it_comes_in_the_owners_language(connection: CalendarConnection) -> None:
    User.objects.update(language="de")
    fail(connection, ReconnectNeeded(code="AADSTS50173"))
    notices.send_due(NOW)
    assert mail.outbox[0].subject == "Sally braucht Sie: ines@quay.example"
    assert "Melden Sie sich erneut an" in mail.outbox[0].body


def test_a_mail_server_that_is_down_loses_none(connection: CalendarConnection, settings: Settings) -> None:
    fail(connection, ReconnectNeeded())
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert notices.send_due(NOW) == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert notices.send_due(NOW + timedelta(minutes=1)) == 1


def test_of_two_workers_each_mail_is_sent_by_one(
    connection: CalendarConnection, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="b", account_email="second@quay.example", status="connected"
    )
    for one in (connection, second):
        fail(one, ReconnectNeeded())
    sent: list[str] = []

    def deliver(user: User, name: str, context: dict[str, Any]) -> None:
        sent.append(context["connection"].account_email)
        notices.send_due(NOW)  # the other worker, while this one waits for the mail server

    monkeypatch.setattr("sally.mails.deliver", deliver)
    notices.send_due(NOW)
    assert sorted(sent) == ["ines@quay.example", "second@quay.example"]


class TestAMailServerWithMoods:
    """``moods`` has what befalls a mail by its recipient."""

    @pytest.fixture
    def moods(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, BaseException]:
        moods: dict[str, BaseException] = {}
        real = send_mail

        def send(subject: str, text: str, sender: None, to: list[str]) -> None:
            if to[0] in moods:
                raise moods[to[0]]
            real(subject, text, sender, to)

        monkeypatch.setattr("sally.mails.send_mail", send)
        return moods

    @pytest.fixture
    def second(self, connection: CalendarConnection, bob: User) -> CalendarConnection:
        """Bob's, which stands behind Alice's."""
        made = CalendarConnection.objects.create(
            owner=bob, provider="microsoft-work", account_id="b", account_email="second@quay.example"
        )
        for one in (connection, made):
            fail(one, ReconnectNeeded())
        CalendarConnection.objects.filter(pk=made.pk).update(last_error_at=NOW + timedelta(hours=1))
        return made

    @pytest.mark.parametrize("code", [550, 450])
    def test_one_address_that_is_refused_stops_nobody_elses_mail(
        self, second: CalendarConnection, alice: User, bob: User, moods: dict[str, BaseException], code: int
    ) -> None:
        moods[alice.email] = smtplib.SMTPRecipientsRefused({alice.email: (code, b"no")})
        assert notices.send_due(NOW) == 1
        assert [one.to for one in mail.outbox] == [[bob.email]]
        assert notices.send_due(NOW) == 0
        moods.clear()
        # One that is refused for good is not asked for again; one that is refused for now is.
        assert notices.send_due(NOW) == (0 if code == 550 else 1)

    def test_a_server_that_is_down_is_asked_once_a_minute(
        self, second: CalendarConnection, alice: User, bob: User, moods: dict[str, BaseException]
    ) -> None:
        moods |= {alice.email: TimeoutError(), bob.email: AssertionError("asked again")}
        assert notices.send_due(NOW) == 0
        moods.clear()
        assert notices.send_due(NOW) == 2

    def test_a_task_that_is_cut_off_loses_no_mail(
        self, second: CalendarConnection, alice: User, moods: dict[str, BaseException]
    ) -> None:
        moods[alice.email] = TimeoutException()
        with pytest.raises(TimeoutException):
            notices.send_due(NOW)
        moods.clear()
        assert notices.send_due(NOW) == 2

    def test_an_operator_whose_address_is_refused_does_not_cost_the_others_theirs(
        self, alice: User, bob: User, moods: dict[str, BaseException]
    ) -> None:
        User.objects.update(is_superuser=True)
        OperatorTrouble.objects.create(code="OPERATOR-0")
        moods[alice.email] = smtplib.SMTPRecipientsRefused({alice.email: (550, b"no")})
        assert notices.send_due(NOW) == 1
        assert notices.send_due(NOW) == 0
        assert [one.to for one in mail.outbox] == [[bob.email]]

    def test_a_server_that_goes_down_between_two_operators_tells_each_once(
        self, alice: User, bob: User, moods: dict[str, BaseException]
    ) -> None:
        User.objects.update(is_superuser=True)
        OperatorTrouble.objects.create(code="OPERATOR-0")
        moods[bob.email] = ConnectionRefusedError()
        notices.send_due(NOW)
        moods.clear()
        notices.send_due(NOW)
        assert [one.to for one in mail.outbox] == [[alice.email], [bob.email]]

    def test_a_round_ends_in_time(
        self, second: CalendarConnection, moods: dict[str, BaseException], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(notices, "SEND_FOR", -1.0)
        assert notices.send_due(NOW) == 0
        monkeypatch.undo()
        assert notices.send_due(NOW) == 2
