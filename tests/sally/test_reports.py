"""Reports of exceptions: what a page under DEBUG and a mail to admins do not tell."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import clear_url_caches, path
from django.views.debug import get_default_exception_reporter_filter, get_exception_reporter_class
from pytest_django import Settings

from sally import urls
from sally.reports import Reporter, ReporterFilter

CANARY = "CANARY7f3a9c"
QUERY = f"code={CANARY}&state={CANARY}&day=monday"


def failing(request: HttpRequest) -> HttpResponse:
    """A view with secrets in every kind of variable."""
    access_token = CANARY
    flow = {"code_verifier": CANARY, "nested": [{"refresh_token": CANARY}]}
    header = f"Authorization: Bearer {CANARY}"
    form = request.POST
    harmless = "Ines Falk"
    raise ValueError(f"no answer to token={access_token!r}", len(flow), len(header), len(form), len(harmless))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(urls, "urlpatterns", [*urls.urlpatterns, path("failing/", failing)])
    clear_url_caches()
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = client.cookies["theme"] = CANARY
    yield client
    clear_url_caches()


def post(client: Client) -> Any:
    values = {"password": CANARY, "client_secret": CANARY, "client_name": "Harbour"}
    return client.post(f"/failing/?{QUERY}", values, headers={"authorization": f"Bearer {CANARY}", "x-api-key": CANARY})


@pytest.mark.django_db
def test_the_page_under_debug_hides_what_is_secret_and_shows_the_rest(client: Client, settings: Settings) -> None:
    settings.DEBUG = True
    settings.MICROSOFT_CLIENT_SECRET = settings.DEMO_PASSWORD = settings.EMAIL_HOST_PASSWORD = CANARY
    settings.FIELD_KEYS = [CANARY]
    settings.REDIS_URL = f"redis://:{CANARY}@localhost"
    page = post(client).content.decode()
    assert CANARY not in page
    for shown in ("ValueError", "failing", "Ines Falk", "monday", "Harbour"):
        assert shown in page


@pytest.mark.django_db
def test_people_get_our_page_and_the_log_a_traceback_without_secrets(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    response = post(client)
    assert response.status_code == 500
    assert CANARY not in response.content.decode()
    (record,) = [one for one in caplog.records if "Internal Server Error: /failing/" in one.getMessage()]
    assert "ValueError" in str(record.exc_text)
    assert CANARY not in f"{record.exc_text} {caplog.text}"


@pytest.mark.parametrize("debug", [True, False])
def test_a_report_as_text_hides_the_same(settings: Settings, debug: bool) -> None:
    settings.DEBUG = debug
    request = RequestFactory().post(f"/failing/?{QUERY}", {"password": CANARY}, headers={"cookie": f"a={CANARY}"})
    try:
        failing(request)
    except ValueError:
        reporter = Reporter(request, *sys.exc_info())
    for text in (reporter.get_traceback_text(), reporter.get_traceback_html()):
        assert CANARY not in text
        assert "ValueError" in text


def test_a_chained_exceptions_text_is_hidden_too() -> None:
    try:
        try:
            raise KeyError(f"token={CANARY}")
        except KeyError as exc:
            raise ValueError("broken") from exc
    except ValueError:
        reporter = Reporter(None, *sys.exc_info())
    assert CANARY not in reporter.get_traceback_html()
    assert CANARY not in reporter.get_traceback_text()


def test_a_variable_that_cannot_be_shown_costs_no_report() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError(CANARY)

    broken = Broken()
    try:
        raise ValueError(type(broken))
    except ValueError:
        reporter = Reporter(None, *sys.exc_info())
    text = reporter.get_traceback_html()
    assert "RuntimeError in its repr" in text
    assert CANARY not in text


def test_these_are_the_ones_django_uses() -> None:
    request: Any = None
    assert isinstance(get_default_exception_reporter_filter(), ReporterFilter)
    reporter: Any = get_exception_reporter_class(request)
    assert reporter is Reporter
