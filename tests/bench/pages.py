"""The measure of the Meetings page: the whole answer against the rendering of the same rows from a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection as database
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment, teardown_test_environment

from tests.bench.clock import cpu_seconds
from tests.bench.report import Row
from tests.bench.stage import Calendar

LIMIT = 3.0  # times the rendering
STATEMENTS = 8


def measure(calendar: Calendar, repetitions: int) -> Iterator[Row]:
    """Of the synced calendar: the page as it opens, and what an open page costs that asks in vain."""
    del repetitions
    client = Client()
    client.force_login(calendar.connection.owner)
    page = f"Meetings page of {calendar.events}"
    setup_test_environment()  # so that an answer tells what it was rendered from
    try:
        opened = client.get("/meetings/")
        told: Any = opened.context
        context = {name: told[name] for name in told.keys()}  # noqa: SIM118 - Django's list of contexts is no mapping
        with CaptureQueriesContext(database) as captured:
            client.get("/meetings/")
        statements = len(captured)
    finally:
        teardown_test_environment()
    request = opened.wsgi_request
    rendering = cpu_seconds(lambda: render_to_string("calendars/agenda.html", context, request=request))
    yield Row(f"{page}: CPU", cpu_seconds(lambda: client.get("/meetings/")), "s", rendering, LIMIT)
    yield Row(f"{page}: SQL statements", statements, "statements", limit=STATEMENTS)
    unchanged = {"HX-Request": "true", "If-None-Match": context["validator"]}
    if client.get("/meetings/", headers=unchanged).status_code != 304:
        raise AssertionError("an unchanged page was sent again")
    yield Row(
        f"{page}: unchanged, CPU", cpu_seconds(lambda: client.get("/meetings/", headers=unchanged)), "s", rendering
    )
