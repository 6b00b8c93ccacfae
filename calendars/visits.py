"""When a person looked at the Meetings page last, kept in a cookie: pages only read, and nothing is stored for it.

A visit goes on while the page is looked at, also by its own asking for news, and ends after half an hour of silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from sally.models import User

SILENCE = timedelta(minutes=30)
KEPT = timedelta(days=90)
WRITTEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Visit:
    """``since``: the last moment of the visit before this one, or this one's first; ``seen``: the last of this one."""

    since: datetime
    seen: datetime | None = None

    @classmethod
    def of(cls, request: HttpRequest, user: User, now: datetime) -> Visit:
        """The visit that this request belongs to; a new one after a silence, or when the cookie is somebody else's."""
        owner, since, seen = [*request.COOKIES.get(settings.VISIT_COOKIE_NAME, "").split("."), "", "", ""][:3]
        if owner != str(user.pk) or not (_is_moment(since) and _is_moment(seen)):
            return cls(now.replace(microsecond=0))
        last = datetime.fromtimestamp(int(seen), UTC)
        return cls(last) if now - last > SILENCE else cls(datetime.fromtimestamp(int(since), UTC), last)

    def go_on(self, response: HttpResponse, user: User, now: datetime) -> None:
        """Note that the page is being looked at."""
        if self.seen and now - self.seen < WRITTEN_EVERY:
            return
        response.set_cookie(
            settings.VISIT_COOKIE_NAME,
            f"{user.pk}.{int(self.since.timestamp())}.{int(now.timestamp())}",
            max_age=KEPT,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )


def _is_moment(text: str) -> bool:
    """Seconds since 1970; anything else stands only in a tampered cookie."""
    return text.isascii() and text.isdigit() and len(text) <= 10
