"""The words for errors: every class has its own or its parent's, and both tables are complete in both languages."""

from __future__ import annotations

import pytest
from django.utils import translation

from integrations import errors, problems

KINDS = sorted(errors.kinds().items())


@pytest.mark.parametrize(("name", "kind"), KINDS, ids=[name for name, _ in KINDS])
def test_every_error_has_words_for_a_connection_and_for_a_sign_in(name: str, kind: type[errors.ProviderError]) -> None:
    for language in ("en", "de"):
        with translation.override(language):
            assert len(str(problems.of_connection(name, "X").text)) > 30
            assert len(str(problems.of_sign_in(kind("detail")).text)) > 30


@pytest.mark.parametrize(
    ("name", "same_as"),
    [("Unavailable", "Temporary"), ("PasswordRefused", "ReconnectNeeded"), ("a class of yesterday", "ProviderError")],
)
def test_a_class_without_words_of_its_own_has_its_parents(name: str, same_as: str) -> None:
    assert problems.of_connection(name, "X") == problems.of_connection(same_as, "X")


def test_signing_in_again_is_offered_where_it_helps() -> None:
    helps = {name for name, _ in KINDS if problems.of_connection(name, "X").reconnect}
    kinds = {"ReconnectNeeded", "PasswordRefused", "PermissionMissing", "ApprovalNeeded", "WrongDoor", "OnlyHere"}
    assert helps == kinds


def test_nobody_who_tried_to_sign_in_reads_of_meetings_that_are_kept() -> None:
    for _, kind in KINDS:
        assert "meetings" not in str(problems.of_sign_in(kind("detail")).text)


def test_the_detail_is_never_shown() -> None:
    problem = problems.of_sign_in(errors.OperatorProblem("canary"))
    assert "canary" not in f"{problem.text} {problem.code}"
