"""Who may see a page: signed-in people, typed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from sally.models import User

PersonView = Callable[..., HttpResponseBase]


def for_person(view: PersonView) -> PersonView:
    """Signed-in people only; the view gets the user as its second argument."""

    @login_required
    @wraps(view)
    def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        assert isinstance(request.user, User)  # noqa: S101 - login_required saw to it; this tells the type checker
        return view(request, request.user, **kwargs)

    return wrapped
