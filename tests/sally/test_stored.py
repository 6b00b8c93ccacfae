"""What Sally stores about a person is known by kind: no model and no column can be forgotten."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from django.apps import apps
from django.db.models import ForeignKey, Model
from django.utils.functional import Promise

from integrations.models import SEALED
from sally import stored
from sally.models import User
from sally.stored import Stored

# Models of no kind, and why not. Whoever adds a model says here why it holds nothing about a person, or registers it.
NOT_ABOUT_A_PERSON: Mapping[str, str] = {
    "auth.Group": "roles are a field of the user; nothing makes a group",
    "auth.Group_permissions": "as the groups",
    "auth.Permission": "names of permissions, made by migrations",
    "axes.AccessAttemptExpiration": "written with another setting of axes only; hangs on an AccessAttempt",
    "axes.AccessFailureLog": "switched off: nothing writes it",
    "axes.AccessLog": "switched off: sign-ins are log lines",
    "contenttypes.ContentType": "names of models",
    "django_q.OrmQ": "the id of a connection to sync, until a worker takes it",
    "django_q.Schedule": "what runs when, for everybody",
    "django_q.Task": "failed work with the id of its connection, for two weeks; goes with the account",
    "calendars.OrganizationParticipation": "the organization's own",
    "integrations.OperatorTrouble": "codes; the numbers of whom it was mailed to go with the account",
    "integrations.UnreachableServer": "names of servers, without who asked for them",
    "sally.Condition": "what health checks find",
    "sally.Heartbeat": "when the worker last worked",
    "sally.Organization": "the organization's own",
    "sally.User_groups": "nothing makes a group; hangs on the user",
    "sally.User_user_permissions": "nothing gives a permission; hangs on the user",
    "sessions.Session": "Django's own table, which nothing uses",
}


def models() -> list[type[Model]]:
    return [one for one in apps.get_models(include_auto_created=True) if not one._meta.proxy]


def leads_to_a_person(model: type[Model], seen: frozenset[type[Model]] = frozenset()) -> bool:
    """Whether foreign keys lead from it to the user, over whatever models."""
    if model is User:
        return True
    if model in seen:
        return False
    keys = [one for one in model._meta.concrete_fields if isinstance(one, ForeignKey)]
    return any(leads_to_a_person(one.related_model, seen | {model}) for one in keys)


def test_every_model_is_of_a_kind_or_says_why_not() -> None:
    kinds = {one.label for one in stored.kinds()}
    assert {one._meta.label for one in models()} == kinds | NOT_ABOUT_A_PERSON.keys()
    assert not kinds & NOT_ABOUT_A_PERSON.keys()
    assert all(NOT_ABOUT_A_PERSON.values())


def test_every_model_from_which_keys_lead_to_a_person_is_of_a_kind() -> None:
    kinds = {one.label for one in stored.kinds()}
    found = {one._meta.label for one in models() if leads_to_a_person(one)}
    assert found - kinds == {"sally.User_groups", "sally.User_user_permissions"}
    assert {"calendars.Change", "integrations.ConnectionSecret", "sally.Session", "admin.LogEntry"} <= found


def test_what_hangs_on_other_rows_stands_behind_them() -> None:
    """The order of deleting is the reverse."""
    labels = [one.label for one in stored.kinds()]
    assert labels[0] == "sally.User"
    for kind in stored.kinds():
        keys = [one for one in kind.model._meta.concrete_fields if isinstance(one, ForeignKey)]
        for field in (one for one in keys if getattr(one, "db_constraint", True)):
            if field.related_model._meta.label in labels:
                assert labels.index(field.related_model._meta.label) < labels.index(kind.label), (kind.label, field)


@pytest.mark.parametrize("kind", stored.kinds(), ids=lambda one: one.label)
class TestEachKind:
    def test_it_lists_every_column(self, kind: Stored) -> None:
        assert [one.name for one in kind.fields] == [one.name for one in kind.model._meta.concrete_fields]

    def test_it_says_what_for_in_words_that_can_be_translated(self, kind: Stored) -> None:
        assert isinstance(kind.title, Promise)
        assert isinstance(kind.why, Promise)
        assert str(kind.why).endswith(".")

    def test_no_columns_words_are_its_own_name(self, kind: Stored) -> None:
        """What Django makes of a name is plain text; words for people are translated when they are shown."""
        for one in kind.fields:
            assert isinstance(one.words, Promise), f"{kind.label}.{one.name}: {one.words}"
            assert "_" not in str(one.words)

    def test_what_it_seals_it_has(self, kind: Stored) -> None:
        assert kind.sealed <= {one.name for one in kind.fields}

    def test_words_of_its_own_are_for_columns_it_has(self, kind: Stored) -> None:
        assert kind.words.keys() <= {one.name for one in kind.fields}

    def test_it_finds_rows_of_its_model(self, kind: Stored) -> None:
        assert kind.of(User(pk=1)).model is kind.model


def test_secrets_are_sealed() -> None:
    found = {f"{kind.label}.{name}" for kind in stored.kinds() for name in kind.sealed}
    assert found == {
        "sally.User.password",
        "sally.Session.session_key",
        "sally.Session.session_data",
        "axes.AccessAttempt.username",
        "integrations.ConnectionSecret.payload",
        "integrations.SignIn.flow",
        "integrations.SignIn.state_digest",
        "integrations.PasswordTrial.account",
        "integrations.PasswordTrial.refused_password",
        "calendars.LookedAt.hashes",
    }


def test_whatever_is_encrypted_is_sealed() -> None:
    sealed = {(kind.model, name) for kind in stored.kinds() for name in kind.sealed}
    assert set(SEALED) <= sealed
