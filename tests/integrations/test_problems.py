"""The words for errors: every class has its own or its parent's, and both tables are complete in both languages."""

from __future__ import annotations

import pytest
from django.utils import translation

from integrations import errors, problems
from integrations.providers.exchange import failures
from tests.integrations.looking import CODES

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


# --- Exchange servers of organizations' own ----------------------------------------------------------------------

EXCHANGE = pytest.mark.parametrize(("kind", "code", "field"), CODES, ids=[code for _, code, _ in CODES])
# Nothing but another password, account, version or door helps; all else is tried again.
WAITS_FOR_THE_PERSON = {
    "PASSWORD",
    "LOCKED",
    "PW-EXPIRED",
    "EWS-DISABLED",
    "EWS-VERSION",
    "EWS-OLD",
    "EWS-MAILBOX",
    "EWS-DENIED",
}
# It is tried again, and the person may enter where the server is now.
MAY_HAVE_MOVED = {"NET-2", "EWS-404", "EWS-REDIRECT"}


@EXCHANGE
def test_an_exchange_server_is_not_spoken_of_as_microsofts_sign_in(
    kind: type[errors.ProviderError], code: str, field: str
) -> None:
    texts = [str(problems.of_form(kind(code=code)).text)]
    if code not in ("RATE", "INTERNAL"):  # which a client of an Exchange server does not raise
        texts.append(str(problems.of_connection(kind.__name__, code).text))
    for text in texts:
        assert ("Microsoft" in text) == (code == "DOOR-3")
        assert "Sign in again" not in text


@EXCHANGE
def test_a_connection_to_an_exchange_server_reads_what_to_do(
    kind: type[errors.ProviderError], code: str, field: str
) -> None:
    problem = problems.of_connection(kind.__name__, code)
    text = str(problem.text)
    assert problem.code == code
    if code in WAITS_FOR_THE_PERSON:
        assert "nter the" in text
    elif code == "DOOR-3":
        assert "Connect it with the tile for Microsoft 365." in text
    else:
        assert "tries again" in text or "looking into it" in text
    if code != "DOOR-3":
        assert "meetings are kept" in text
    assert problem.reconnect == (code in WAITS_FOR_THE_PERSON | MAY_HAVE_MOVED)
    assert ("If the server has a new address, enter it." in text or "has a new address" in text) == (
        code in MAY_HAVE_MOVED
    )


@EXCHANGE
def test_whoever_typed_it_reads_that_nothing_was_connected_and_what_to_do(
    kind: type[errors.ProviderError], code: str, field: str
) -> None:
    problem = problems.of_form(kind(code=code))
    assert "Nothing was connected" in str(problem.text)
    assert (problem.code, problem.field) == (code, field)
    steps = ("try again", "ask", "check", "use the tile")
    assert any(step in str(problem.text) for step in steps)


def test_every_line_of_the_table_is_among_them() -> None:
    assert {(row.kind, row.code) for row in problems.EXCHANGE_ROWS} <= {(kind, code) for kind, code, _ in CODES}


def test_every_code_that_the_client_knows_by_name_has_its_line() -> None:
    inside = {(errors.CursorExpired, ""), (errors.UnexpectedAnswer, failures.TOO_MANY)}  # the client settles these
    known = set(failures._BY_CODE.values()) - inside
    assert known <= {(row.kind, row.code) for row in problems.EXCHANGE_ROWS}


def test_a_response_code_that_no_line_knows_has_the_words_of_the_unknown_and_its_own_code() -> None:
    unknown = problems.of_connection("UnexpectedAnswer", "EWS-ErrorOfTomorrow")
    assert (str(unknown.text), unknown.code) == (
        "Your Exchange server answers in a way Sally cannot read. We are looking into it; your meetings are kept.",
        "EWS-ErrorOfTomorrow",
    )


def test_what_is_stored_no_more_is_connected_again_whatever_the_kind() -> None:
    problem = problems.of_connection("ReconnectNeeded", "SECRET")
    assert "Connect it again" in str(problem.text)
    assert problem.reconnect
