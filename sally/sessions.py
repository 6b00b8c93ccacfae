"""Sessions in the database: what a session knows about its sign-in, and when it is over.

Times in a session are whole seconds since 1970, UTC.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import ngettext

from sally.models import Session

PUBLIC_ID, USER_AGENT = "public_id", "user_agent"
SIGNED_IN_AT, USED_AT, CONFIRMED_AT = "signed_in_at", "used_at", "confirmed_at"
WRITE_USE_EVERY = timedelta(minutes=5)


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        session: Session = super().create_model_instance(data)  # type: ignore[assignment]  # of get_model_class
        if SESSION_KEY in data:
            session.user_id = int(data[SESSION_KEY])
            session.public_id = uuid.UUID(data[PUBLIC_ID])
            session.signed_in_at = _time(data[SIGNED_IN_AT])
            session.used_at = _time(data[USED_AT])
            session.user_agent = data[USER_AGENT]
        return session


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(now: datetime) -> int:
    return int(now.timestamp())


@receiver(user_logged_in)
def begin(sender: object, request: HttpRequest, **_kwargs: Any) -> None:
    now = _seconds(timezone.now())
    request.session.update(
        {
            PUBLIC_ID: uuid.uuid4().hex,
            SIGNED_IN_AT: now,
            USED_AT: now,
            CONFIRMED_AT: now,  # whoever signs in has just said the password
            # A NUL is no text to PostgreSQL.
            USER_AGENT: request.META.get("HTTP_USER_AGENT", "").replace("\0", "")[:250],
        }
    )


def why_over(session: SessionBase, now: datetime) -> str | None:
    """In words for the person, why this session is over. None while it is not, and where nobody is signed in."""
    if SESSION_KEY not in session:
        return None
    hours, days = settings.SESSION_IDLE_HOURS, settings.SESSION_DAYS
    if now - _time(session.get(SIGNED_IN_AT, 0)) >= timedelta(days=days):
        text = ngettext(
            "You signed in more than a day ago. To be on the safe side, please sign in again.",
            "You signed in more than %(days)s days ago. To be on the safe side, please sign in again.",
            days,
        )
        return text % {"days": days}
    if now - _time(session.get(USED_AT, 0)) >= timedelta(hours=hours):
        text = ngettext(
            "You were signed out because you did not use Sally for an hour. Please sign in again.",
            "You were signed out because you did not use Sally for %(hours)s hours. Please sign in again.",
            hours,
        )
        return text % {"hours": hours}
    return None


def note_use(session: SessionBase, now: datetime) -> None:
    """Written at most every five minutes: a session may end that much earlier, and most requests write nothing."""
    if SESSION_KEY in session and now - _time(session[USED_AT]) >= WRITE_USE_EVERY:
        session[USED_AT] = _seconds(now)


def confirm(session: SessionBase, now: datetime) -> None:
    session[CONFIRMED_AT] = _seconds(now)


def confirmed_at(session: SessionBase) -> datetime:
    return _time(session.get(CONFIRMED_AT, 0))
