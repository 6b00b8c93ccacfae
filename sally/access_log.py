"""Log lines about who got in and who did not: the user's number and the IP address, never what was typed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from sally.models import User
from sally.throttling import address_of

logger = logging.getLogger(__name__)


def _write(level: int, what: str, pk: int | None, request: HttpRequest | None) -> None:
    logger.log(level, "%s: user %s, ip %s", what, pk or "-", (request and address_of(request)) or "-")


def _known(credentials: Mapping[str, Any] | None) -> int | None:
    address = str((credentials or {}).get("username") or "").strip().lower()
    return User.objects.filter(email=address).values_list("pk", flat=True).first()


@receiver(user_logged_in)
def signed_in(sender: object, request: HttpRequest, user: User, **_kwargs: Any) -> None:
    _write(logging.INFO, "signed in", user.pk, request)


@receiver(user_logged_out)
def signed_out(sender: object, request: HttpRequest, user: User | None, **_kwargs: Any) -> None:
    if user is not None:
        _write(logging.INFO, "signed out", user.pk, request)


@receiver(user_login_failed)
def refused(sender: object, credentials: Mapping[str, Any], request: HttpRequest | None = None, **_kwargs: Any) -> None:
    _write(logging.WARNING, "sign-in refused", _known(credentials), request)


@receiver(user_locked_out)
def locked(sender: object, request: HttpRequest, **_kwargs: Any) -> None:
    _write(logging.WARNING, "locked out", _known(getattr(request, "axes_credentials", None)), request)
