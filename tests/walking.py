"""Walks the whole URL table with values that mean something, and tells by a digest what a visit changed.

A new URL is walked by itself. One with a part that is not known here stops the walk, so that it cannot be forgotten:
an object's id is taught in ``World.objects``, anything else in ``WORDS``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern
from django.utils import timezone

from calendars.models import Change, Meeting
from integrations.accounts import SignedIn
from integrations.models import CalendarConnection, ConnectionSecret, SignIn
from sally.models import Session, User

# Parts of addresses that are no object's id.
WORDS = {
    "key": "microsoft-work",
    "uidb64": "MQ",
    "token": "set-password",
    "app_label": "sally",
    "url": "no-such-page",
}
OTHER = SignedIn("other.tenant", "other@quay.example", "Other", ("Calendars.Read",), {"cache": "a cache"})
_PART = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^()]*\)")


@dataclass(frozen=True)
class World:
    """A person with something of each kind. ``objects`` has, by what stands before it in an address, an object's id."""

    owner: User
    connection: CalendarConnection
    meeting: Meeting
    sign_in: SignIn
    session: Session

    @classmethod
    def of(cls, owner: User) -> World:
        connection = CalendarConnection.objects.create(
            owner=owner,
            provider="microsoft-work",
            account_id=f"account of {owner.pk}",
            account_email=f"calendar-of-{owner.email}",
            status="connected",
            last_synced_at=timezone.now(),
            next_sync_at=timezone.now() + timedelta(hours=1),
        )
        ConnectionSecret.objects.replace(connection, {"cache": "a cache"})
        start = datetime(2030, 5, 6, 7, 0, tzinfo=UTC)
        meeting = Meeting.objects.create(
            connection=connection,
            external_id="1",
            subject=f"Meeting of {owner.email}",
            start=start,
            end=start + timedelta(hours=1),
            kind="single",
            response="none",
            show_as="busy",
        )
        Change.objects.create(meeting=meeting, at=start, what="moved", start=start, end=start)
        sign_in = SignIn.objects.create(
            user=owner,
            provider="microsoft-work",
            state_digest=f"digest of {owner.pk}",
            flow={"auth_uri": "https://login.example/", "other_account": dataclasses.asdict(OTHER)},
            expires_at=timezone.now() + timedelta(minutes=10),
        )
        # Another browser of the owner's.
        session = Session.objects.create(
            session_key=f"elsewhere{owner.pk}",
            session_data="",
            expire_date=timezone.now() + timedelta(days=1),
            user=owner,
            signed_in_at=timezone.now(),
            used_at=timezone.now(),
        )
        return cls(owner, connection, meeting, sign_in, session)

    @property
    def objects(self) -> Mapping[tuple[str, str], Model]:
        return {
            ("/settings/integrations/", "pk"): self.connection,
            ("/settings/integrations/sign-in/", "pk"): self.sign_in,
            ("/meetings/", "pk"): self.meeting,
            ("/settings/profile/sessions/", "public_id"): self.session,
        }


@dataclass(frozen=True)
class Address:
    path: str
    pattern: URLPattern
    has_object: bool

    @property
    def in_admin(self) -> bool:
        return self.path.startswith("/admin/")


def addresses(world: World) -> list[Address]:
    """Every address there is. Raises ``LookupError`` for a part that nobody has taught."""
    return [_filled(route, pattern, world) for route, pattern in routes()]


def routes() -> Iterator[tuple[str, URLPattern]]:
    yield from _walk("/", get_resolver())


def _walk(prefix: str, resolver: URLResolver) -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        route = prefix + _route(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(route, pattern)
        else:
            yield route, pattern


def _route(pattern: Any) -> str:
    text = str(pattern)
    return text.removeprefix("^").removesuffix("$") if isinstance(pattern, RegexPattern) else text


def _filled(route: str, pattern: URLPattern, world: World) -> Address:
    path, at, has_object = "", 0, False
    for part in _PART.finditer(route):
        path += route[at : part.start()]
        at, name = part.end(), part[1] or part[2]
        if path.startswith("/admin/") and name in ("object_id", "content_type_id"):
            path += _in_admin(path, name)
        elif (path, name) in world.objects:
            path += str(getattr(world.objects[path, name], name))
            has_object = True
        elif name in WORDS:
            path += WORDS[name]
        else:
            raise LookupError(f"{route}: tests/walking.py does not know what “{name}” stands for after {path}")
    return Address(path + route[at:], pattern, has_object)


def _in_admin(path: str, name: str) -> str:
    """The first row of the model, quoted as Django admin does."""
    if name == "content_type_id":
        return str(ContentType.objects.get_for_model(User).pk)
    if path.startswith("/admin/r/"):
        return str(User.objects.values_list("pk", flat=True)[0])
    app, model = path.removeprefix("/admin/").split("/")[:2]
    first = apps.get_model(app, model)._base_manager.first()
    return str(first.pk) if first else "1"


def digest() -> dict[str, str]:
    """What stands in each table, but for sessions."""
    session = getattr(import_module(settings.SESSION_ENGINE).SessionStore, "get_model_class", lambda: None)()
    found = {}
    for model in apps.get_models():
        if model is session or model.__name__ == "Session":
            continue
        names = [field.attname for field in model._meta.concrete_fields]
        rows = list(model._base_manager.order_by("pk").values_list(*names))
        found[model._meta.label] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def signed_in(user: User, **options: Any) -> Client:
    client = Client(raise_request_exception=False, **options)
    client.force_login(user)
    return client
