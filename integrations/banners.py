"""What stands on top of every page until it is solved: the person's own calendars, and for admins what they must mend.

A context processor; nothing is asked of the database on pages that do not show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.http import HttpRequest

from integrations.models import CalendarConnection, OperatorTrouble
from sally.models import User


def banners(request: HttpRequest) -> dict[str, Callable[[], Iterable[Any]]]:
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    shown = {"needing_attention": partial(_of_owner, user)}
    return shown | ({"operator_troubles": _of_operator} if user.is_staff else {})


def _of_owner(user: User) -> Iterable[CalendarConnection]:
    return CalendarConnection.objects.filter(owner=user).needing_attention()


def _of_operator() -> Iterable[OperatorTrouble]:
    return OperatorTrouble.objects.all()
