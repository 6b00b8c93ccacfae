"""Canaries: a connection's whole life with every logger at DEBUG, and none of its secrets seen anywhere afterwards."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from django.core import mail
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Failure, OrmQ
from django_q.signing import SignedPackage
from pytest_django import Settings

from calendars import sync, tasks
from calendars.models import Meeting
from integrations.models import CalendarConnection, ConnectionSecret, PasswordTrial, SignIn
from sally.models import Session, User
from sally.sessions import SessionStore
from tests.calendars.test_failures import CLAIMS, refused
from tests.conftest import INES, PASSWORD, TOMAS, address_of, make_user
from tests.sandbox_process import Sandbox

BASE = "/settings/integrations/"
CLIENT_SECRET = "canary~client+secret/that%must&never=show"
PRIVATE = "canary of a private appointment"
LOUD = ("", "msal", "urllib3", "requests", "django", "django.db.backends", "exchangelib", "django-q", "axes")


class Watch:
    """Collects what must stay secret, and all that could show it."""

    def __init__(self) -> None:
        self.secrets: set[str] = {CLIENT_SECRET, PASSWORD, PRIVATE}
        self.seen: dict[str, list[str]] = {}

    def see(self, where: str, text: str) -> None:
        self.seen.setdefault(where, []).append(text)

    def note_tokens(self) -> None:
        """What is sealed at this moment: msal's cache, and flows under way."""
        for secret in ConnectionSecret.objects.all():
            cache = json.loads(secret.payload["cache"])
            for kind in ("AccessToken", "RefreshToken", "IdToken"):
                self.secrets |= {entry["secret"] for entry in cache.get(kind, {}).values()}
        for sign_in in SignIn.objects.all():
            flow = sign_in.flow
            self.secrets |= {flow[name] for name in ("state", "code_verifier", "nonce") if name in flow}

    def visit(self, client: Client, path: str, method: str = "get", **options: Any) -> Any:
        response = getattr(client, method)(path, **options)
        headers = {name: value for name, value in response.headers.items() if name != "Location"}
        self.see("pages", response.content.decode() + str(headers))
        return response

    def found(self) -> list[str]:
        """Where a secret shows, in whatever spelling."""
        spellings = {text: secret for secret in self.secrets for text in (secret, quote(secret, safe=""))}
        return [
            f"{where}: {secret[:12]}…"
            for where, texts in self.seen.items()
            for spelling, secret in spellings.items()
            if any(spelling in text for text in texts)
        ]


@contextmanager
def every_logger_loud(watch: Watch) -> Iterator[None]:
    """Everything at DEBUG, written by the handler that production writes with."""
    (handler,) = [one for one in logging.getLogger().handlers if one.filters]
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    before, levels = handler.setStream(stream), {name: logging.getLogger(name).level for name in LOUD}
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        with CaptureQueriesContext(database):  # the database logs its statements only then
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        handler.setStream(before or stream)
        watch.see("logs", stream.getvalue())


def see_the_database(watch: Watch) -> None:
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name from the database itself
            watch.see(f"table {table}", repr(cursor.fetchall()))
    for session in Session.objects.all():
        watch.see("sessions", repr(SessionStore(session.session_key).load()))
    for task in OrmQ.objects.all():
        watch.see("queue", repr(SignedPackage.loads(task.payload)))


def sync_now(connection: CalendarConnection) -> None:
    now = timezone.now()
    claimed, token = CalendarConnection.objects.filter(pk=connection.pk).idle(now).claim(now, limit=1)
    sync.run(claimed[0], token)


def come_back(watch: Watch, client: Client, sandbox: Sandbox, page: bytes, email: str = INES) -> Any:
    parts = urlsplit(sandbox.sign_in(address_of(page.decode()).replace("login_hint", "ignored"), email))
    watch.secrets |= {value for name, value in parse_qsl(parts.query) if name in ("code", "state")}
    watch.note_tokens()
    response = watch.visit(client, f"{parts.path}?{parts.query}")
    watch.note_tokens()
    return response


def test_a_connections_whole_life_shows_no_secret(
    alice: User, microsoft: Sandbox, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_user("root@quay.example", alice.organization, is_superuser=True)  # type: ignore[arg-type]
    settings.MICROSOFT_CLIENT_SECRET = CLIENT_SECRET
    microsoft.control("POST", "settings", json={"access_token_seconds": 60, "client_secret": CLIENT_SECRET})
    start = (datetime.now(UTC) + timedelta(hours=5)).replace(microsecond=0)
    microsoft.control(
        "POST",
        f"mailboxes/{INES}/events",
        json={"subject": PRIVATE, "start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat(),
              "private": True},
    )  # fmt: skip
    watch, client, operator = Watch(), Client(raise_request_exception=False), Client()
    operator.force_login(root)
    with every_logger_loud(watch):
        watch.visit(client, "/sign-in/", "post", data={"username": alice.email, "password": "canary-wrong-" + PASSWORD})
        watch.visit(client, "/sign-in/", "post", data={"username": alice.email, "password": PASSWORD})
        page = watch.visit(client, f"{BASE}connect/microsoft-work/", "post", follow=True).content
        watch.seen["pages"].pop()  # the page that leads to Microsoft has to name the state
        come_back(watch, client, microsoft, page)
        connection = CalendarConnection.objects.get()
        tasks.dispatch_due()
        see_the_database(watch)
        OrmQ.objects.all().delete()
        CalendarConnection.objects.update(lease_until=None, lease_token=None)
        sync_now(connection)
        assert Meeting.objects.exists()
        watch.note_tokens()

        # A bug, with tokens in the variables of its traceback.
        def broken(*_: object, **__: object) -> None:
            payload = ConnectionSecret.objects.get().payload
            raise RuntimeError(f"bug with {payload} and {settings.MICROSOFT_CLIENT_SECRET}")

        with monkeypatch.context() as patch:
            patch.setattr("integrations.providers.microsoft.GraphClient.events", broken)
            CalendarConnection.objects.update(next_sync_at=timezone.now())
            tasks.dispatch_due()
            (task,) = OrmQ.objects.all()
            with pytest.raises(tasks.TaskFailed) as caught:
                tasks.sync_connection(*task.task["args"])
            watch.see("tracebacks", str(caught.value) + repr(caught.value.__context__))
            Failure.objects.create(
                id="1", name="x", func="f", success=False, started=timezone.now(), stopped=timezone.now(),
                result=str(caught.value),
            )  # fmt: skip
            patch.setattr("integrations.views._own", broken)
            watch.visit(client, f"{BASE}{connection.pk}/disconnect/")
        OrmQ.objects.all().delete()

        # Trouble of each kind, and its pages.
        for fault in (
            refused("invalid_client", 7000222, status=401),
            refused("invalid_grant", 50076, "basic_action", CLAIMS),
            {"path": "/token", "status": 500, "body": "<html>"},
            {"path": "/calendarView", "status": 401, "body": "{}", "times": 2},
            {"path": "/calendarView", "status": None, "cut": 50},
        ):
            microsoft.control("POST", "faults", json=fault)
            CalendarConnection.objects.update(status="connected", next_sync_at=timezone.now(), not_before=None)
            sync_now(connection)
            watch.note_tokens()
            tasks.look_after()
            for path in ("/meetings/", BASE, f"{BASE}add/", "/settings/profile/"):
                watch.visit(client, path)
            for path in (
                "/admin/",
                f"/admin/integrations/calendarconnection/{connection.pk}/change/",
                "/admin/integrations/operatortrouble/",
                "/admin/django_q/failure/1/change/",
                "/admin/sally/condition/",
            ):
                watch.visit(operator, path)
        assert len(mail.outbox) >= 2
        watch.see("mails", "".join(str(one.message()) for one in mail.outbox))

        # Reconnecting as somebody else, and as the right one.
        for email in (TOMAS, INES):
            page = watch.visit(client, f"{BASE}connect/microsoft-work/", "post", follow=True,
                               data={"connection": str(connection.pk)}).content  # fmt: skip
            watch.seen["pages"].pop()
            response = come_back(watch, client, microsoft, page, email)
            for secret in SignIn.objects.exclude(flow=None):
                account = secret.other_account
                for kind in ("AccessToken", "RefreshToken", "IdToken") if account else ():
                    assert account
                    watch.secrets |= {one["secret"] for one in json.loads(account.secret["cache"])[kind].values()}
            watch.visit(client, response.url)
            see_the_database(watch)
        sync_now(connection)
        watch.note_tokens()
        watch.visit(client, f"{BASE}{connection.pk}/options/", "post", data={"sync_only_online": "on"})
        see_the_database(watch)
        watch.see("reprs", "".join(repr(one) for one in (*ConnectionSecret.objects.all(), *SignIn.objects.all())))
        watch.visit(client, f"{BASE}{connection.pk}/disconnect/", "post")
        watch.visit(client, "/sign-out/", "post")
        see_the_database(watch)

    assert len(watch.secrets) > 15
    assert {"logs", "pages", "mails", "tracebacks", "sessions", "queue", "reprs"} <= set(watch.seen)
    assert len(watch.seen["logs"][0]) > 10_000
    assert "integrations_connectionsecret" in " ".join(watch.seen)
    assert any("calendarView" in text for text in watch.seen["table integrations_accessrecord"])
    assert watch.found() == []


EXCHANGE_PASSWORD = "canary~exchange+pass/word%&never"
NEW_PASSWORD = "canary~changed+pass/word%&never"


def type_in(watch: Watch, client: Client, sandbox: Sandbox, password: str, **other: str) -> Any:
    values = {"username": "QUAY\\ines", "password": password, "server": urlsplit(sandbox.exchange_url).netloc}
    connection = other.pop("connection", "")
    address = f"{BASE}exchange/" + (f"?connection={connection}" if connection else "")
    return watch.visit(client, address, "post", data={**values, **other})


@pytest.mark.parametrize("offers", ["ntlm", "basic"])
def test_a_password_for_an_exchange_server_shows_nowhere_all_its_life(
    alice: User, microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch, offers: str
) -> None:
    root = make_user("root@quay.example", alice.organization, is_superuser=True)  # type: ignore[arg-type]
    microsoft.control("POST", "settings", json={"exchange_offers": offers})
    microsoft.control("POST", f"exchange/{INES}", json={"password": EXCHANGE_PASSWORD})
    watch, client, operator = Watch(), Client(raise_request_exception=False), Client()
    watch.secrets = {EXCHANGE_PASSWORD, NEW_PASSWORD, "canary-wrong"}
    watch.secrets |= {
        base64.b64encode(f"QUAY\\ines:{password}".encode()).decode() for password in (EXCHANGE_PASSWORD, NEW_PASSWORD)
    }
    operator.force_login(root)
    client.force_login(alice)

    def broken(exchange: object, one: Any, *_: object) -> None:
        password = one.password if hasattr(one, "password") else one.secret.payload["password"]
        raise RuntimeError(f"bug with password={password!r}")

    with every_logger_loud(watch):
        # Typed wrong, twice; for an account that is locked; for servers that are none; into a bug.
        for _ in range(2):
            type_in(watch, client, microsoft, "canary-wrong")
        microsoft.control("POST", f"exchange/{INES}", json={"state": "locked"})
        type_in(watch, client, microsoft, EXCHANGE_PASSWORD)
        microsoft.control("POST", f"exchange/{INES}", json={"state": ""})
        for server in ("localhost:1", "mail.quay.example", "http://mail.quay.example"):
            type_in(watch, client, microsoft, EXCHANGE_PASSWORD, server=server)
        with monkeypatch.context() as patch:
            patch.setattr("integrations.providers.exchange.Exchange.look", broken)
            assert type_in(watch, client, microsoft, EXCHANGE_PASSWORD).status_code == 500
        see_the_database(watch)

        assert type_in(watch, client, microsoft, EXCHANGE_PASSWORD).status_code == 302
        connection = CalendarConnection.objects.get()
        sync_now(connection)
        assert Meeting.objects.exists()
        see_the_database(watch)
        with monkeypatch.context() as patch:
            patch.setattr("integrations.providers.exchange.Exchange.open", broken)
            CalendarConnection.objects.update(next_sync_at=timezone.now())
            tasks.dispatch_due()
            (task,) = OrmQ.objects.all()
            with pytest.raises(tasks.TaskFailed) as caught:
                tasks.sync_connection(*task.task["args"])
            watch.see("tracebacks", str(caught.value) + repr(caught.value.__context__))
        OrmQ.objects.all().delete()

        # Changed in the directory, refused at the next sync, told of, and entered again.
        microsoft.control("POST", f"exchange/{INES}", json={"password": NEW_PASSWORD})
        CalendarConnection.objects.update(status="connected", next_sync_at=timezone.now(), not_before=None)
        sync_now(connection)
        tasks.look_after()
        watch.see("mails", "".join(str(one.message()) for one in mail.outbox))
        connection.refresh_from_db()
        assert connection.last_error == "PASSWORD"
        mend = str(connection.pk)
        watch.visit(client, f"{BASE}exchange/?connection={mend}")
        for password in (EXCHANGE_PASSWORD, NEW_PASSWORD):
            PasswordTrial.objects.filter(refused_password="").delete()  # eleven would be too many
            response = type_in(watch, client, microsoft, password, connection=mend)
        assert response.status_code == 302
        watch.see("reprs", "".join(map(repr, (*ConnectionSecret.objects.all(), *PasswordTrial.objects.all()))))
        for path in ("/meetings/", BASE, f"{BASE}{mend}/", f"{BASE}{mend}/disconnect/"):
            watch.visit(client, path)
        for path in (
            f"/admin/integrations/calendarconnection/{mend}/change/",
            "/admin/integrations/unreachableserver/",
        ):
            watch.visit(operator, path)
        see_the_database(watch)
        watch.visit(client, f"{BASE}{mend}/disconnect/", "post")
        see_the_database(watch)

    assert not ConnectionSecret.objects.exists()
    assert {"logs", "pages", "mails", "tracebacks", "sessions", "reprs"} <= set(watch.seen)
    assert "integrations_passwordtrial" in " ".join(watch.seen)
    assert any("EWS FindItem" in text for text in watch.seen["table integrations_accessrecord"])
    assert len(mail.outbox) == 1
    assert watch.found() == []


def test_the_watch_would_see_one() -> None:
    watch = Watch()
    watch.see("somewhere", f"...{quote(CLIENT_SECRET, safe='')}...")
    assert watch.found() == ["somewhere: canary~clien…"]
