"""Encryption at rest: readable only with a key, only in its own row, and never by accident."""

import json
import uuid

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db import connection as database
from pytest_django import Settings

from integrations.fields import SealBroken
from integrations.models import CalendarConnection, ConnectionSecret, SignIn
from sally.models import User

CANARY = "canary-refresh-token-7f3a"


@pytest.fixture
def secret(alice: User) -> ConnectionSecret:
    return make_secret(alice, CANARY)


def make_secret(owner: User, value: str) -> ConnectionSecret:
    connection = CalendarConnection.objects.create(owner=owner, provider="microsoft-work", account_id=str(uuid.uuid4()))
    ConnectionSecret.objects.replace(connection, {"cache": value})
    return ConnectionSecret.objects.get(pk=connection.pk)


def stored(secret: ConnectionSecret) -> str:
    with database.cursor() as cursor:
        cursor.execute("SELECT payload FROM integrations_connectionsecret WHERE connection_id = %s", [raw_id(secret)])
        return str(cursor.fetchone()[0])


def raw_id(secret: ConnectionSecret) -> str:
    return str(secret.pk) if database.vendor == "postgresql" else secret.pk.hex


def test_what_was_saved_is_read_again(secret: ConnectionSecret) -> None:
    assert secret.payload == {"cache": CANARY}


def test_the_database_holds_no_plaintext(secret: ConnectionSecret) -> None:
    assert CANARY not in stored(secret)


def test_the_plaintext_carries_the_connections_uuid(secret: ConnectionSecret, settings: Settings) -> None:
    plain = json.loads(Fernet(settings.FIELD_KEYS[0]).decrypt(stored(secret).encode()))
    assert plain == {"owner": str(secret.pk), "value": {"cache": CANARY}}


def test_a_secret_copied_to_another_row_is_not_opened(secret: ConnectionSecret, bob: User) -> None:
    other = make_secret(bob, "his own")
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE integrations_connectionsecret SET payload = %s WHERE connection_id = %s",
            [stored(secret), raw_id(other)],
        )
    with pytest.raises(SealBroken, match="another row"):
        _ = ConnectionSecret.objects.get(pk=other.pk).payload


def test_without_its_key_a_secret_is_not_opened_and_the_error_tells_nothing(
    secret: ConnectionSecret, settings: Settings
) -> None:
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SealBroken) as caught:
        _ = ConnectionSecret.objects.get(pk=secret.pk).payload
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_listing_secrets_opens_none(secret: ConnectionSecret, settings: Settings) -> None:
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    assert [one.pk for one in ConnectionSecret.objects.all()] == [secret.pk]


def test_update_with_a_plain_value_is_refused(secret: ConnectionSecret) -> None:
    with pytest.raises(TypeError, match="sealed"):
        ConnectionSecret.objects.update(payload={"cache": "plain"})


def test_neither_repr_nor_a_dump_shows_the_secret(secret: ConnectionSecret) -> None:
    _ = secret.payload
    assert CANARY not in repr(secret) + str(secret)
    assert CANARY not in serializers.serialize("json", [secret])


def test_a_deferred_secret_is_read_when_asked_for(secret: ConnectionSecret) -> None:
    assert ConnectionSecret.objects.defer("payload").get(pk=secret.pk).payload == {"cache": CANARY}


class TestRotation:
    def test_every_secret_ends_under_the_first_key(self, secret: ConnectionSecret, settings: Settings) -> None:
        old, new = settings.FIELD_KEYS[0], Fernet.generate_key().decode()
        settings.FIELD_KEYS = [new, old]
        call_command("rotate_secrets")
        settings.FIELD_KEYS = [new]
        assert ConnectionSecret.objects.get(pk=secret.pk).payload == {"cache": CANARY}

    def test_sign_ins_are_rotated_too(self, alice: User, settings: Settings) -> None:
        from django.utils import timezone

        row = SignIn.objects.create(user=alice, provider="microsoft-work", flow={"a": 1}, expires_at=timezone.now())
        new = Fernet.generate_key().decode()
        settings.FIELD_KEYS = [new, *settings.FIELD_KEYS]
        call_command("rotate_secrets")
        settings.FIELD_KEYS = [new]
        assert SignIn.objects.get(pk=row.pk).flow == {"a": 1}

    def test_run_again_it_leaves_what_is_done(
        self, secret: ConnectionSecret, bob: User, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = Fernet.generate_key().decode()
        settings.FIELD_KEYS = [new, *settings.FIELD_KEYS]
        call_command("rotate_secrets")
        make_secret(bob, "written after the first run")
        before = stored(secret)
        call_command("rotate_secrets")
        assert "0 rotated, 2 already" in capsys.readouterr().out
        assert stored(secret) == before

    def test_a_secret_whose_key_is_gone_is_named_and_the_others_are_rotated(
        self, secret: ConnectionSecret, bob: User, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lost = settings.FIELD_KEYS[0]
        settings.FIELD_KEYS = [Fernet.generate_key().decode()]
        other = make_secret(bob, "openable")
        new = Fernet.generate_key().decode()
        settings.FIELD_KEYS = [new, *settings.FIELD_KEYS]
        with pytest.raises(CommandError):
            call_command("rotate_secrets")
        printed = capsys.readouterr()
        assert str(secret.pk) in printed.err
        assert "1 rotated, 0 already under the first key, 1 cannot be opened" in printed.out
        settings.FIELD_KEYS = [new]
        assert ConnectionSecret.objects.get(pk=other.pk).payload == {"cache": "openable"}
        assert MultiFernet([Fernet(lost)]).decrypt(stored(secret).encode())
