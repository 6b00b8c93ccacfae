"""Asking for the password once more before something that a stolen session must not do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from sally import returning, sessions, throttling
from sally.access import for_person
from sally.forms import ConfirmForm
from sally.models import User

GOOD_FOR = timedelta(minutes=15)
_UNDONE = "undone"

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def is_recent(request: HttpRequest) -> bool:
    return timezone.now() - sessions.confirmed_at(request.session) < GOOD_FOR


def recently_confirmed(view: View) -> View:
    """Let pass who signed in or confirmed the password within 15 minutes, and ask the others for it first.

    Stands below ``login_required``: whoever is not signed in passes, for the view itself to send away.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if is_recent(request) or not request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.method not in ("GET", "HEAD"):
            request.session[_UNDONE] = True
        return _ask(request)

    return wrapped  # type: ignore[return-value]  # the same signature


def _ask(request: HttpRequest) -> HttpResponseBase:
    htmx = request.htmx  # type: ignore[attr-defined]
    page = _page_around(request) if htmx else returning.page_of(request)
    address = f"{reverse('confirm')}?{urlencode({'next': page})}"
    return HttpResponseClientRedirect(address) if htmx else redirect(address)


def _page_around(request: HttpRequest) -> str:
    """The page that a fragment belongs to, as htmx says; its header may hold anything."""
    try:
        path: str | None = request.htmx.current_url_abs_path  # type: ignore[attr-defined]
    except ValueError:
        path = None
    return path or reverse(returning.HOME)


@require_http_methods(["GET", "POST"])
@for_person
def confirm(request: HttpRequest, user: User) -> HttpResponse:
    """Ask for the password, and lead back. A form that was under way is not sent for the person, but told of."""
    form = ConfirmForm(request, request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"form": form, "next": returning.wished(request), "undone": request.session.get(_UNDONE)}
        return render(request, "sally/confirm.html", context)
    throttling.lift(user, request)
    sessions.confirm(request.session, timezone.now())
    if request.session.pop(_UNDONE, False):
        messages.warning(request, _("Nothing was changed yet: please do once more what you were about to do."))
    return HttpResponseRedirect(returning.wished(request, settings.LOGIN_REDIRECT_URL))
