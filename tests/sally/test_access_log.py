"""What the log says about who got in: enough to find an attack, and nothing that was typed."""

from __future__ import annotations

import logging

import pytest
from django.test import Client

from sally.models import User
from tests.sally.passwords import fail, right, try_password


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in log.records if one.name == "sally.access_log"]


def test_signing_in_and_out_is_logged(alice: User, log: pytest.LogCaptureFixture) -> None:
    browser = Client()
    right(browser)
    browser.post("/sign-out/")
    assert lines(log) == [f"signed in: user {alice.pk}, ip 127.0.0.1", f"signed out: user {alice.pk}, ip 127.0.0.1"]


def test_a_wrong_password_is_logged(alice: User, log: pytest.LogCaptureFixture) -> None:
    fail(Client(), 1, " Alice@Quay.Example ")
    assert lines(log) == [f"sign-in refused: user {alice.pk}, ip 127.0.0.1"]


def test_an_unknown_address_is_logged_without_it(alice: User, log: pytest.LogCaptureFixture) -> None:
    fail(Client(), 1, "nobody@quay.example")
    assert lines(log) == ["sign-in refused: user -, ip 127.0.0.1"]


def test_a_lock_is_logged(alice: User, log: pytest.LogCaptureFixture) -> None:
    fail(Client(), 5)
    assert f"locked out: user {alice.pk}, ip 127.0.0.1" in lines(log)


def test_nothing_that_was_typed_is_logged(alice: User, log: pytest.LogCaptureFixture) -> None:
    browser = Client()
    for _ in range(6):
        try_password(browser, "canary-password", "canary-address", HTTP_USER_AGENT="canary-browser")
    right(browser, HTTP_USER_AGENT="canary-browser")
    assert len(lines(log)) > 6
    assert "canary" not in log.text
    assert alice.email not in log.text
