"""What happens around every request: the person's language and time zone, sessions that are over, and what fragments
get without one.
"""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation
from django_htmx.http import HttpResponseClientRefresh

from sally import returning, sessions
from sally.models import User


class PersonMiddleware:
    """Runs after authentication; without a person the browser's language (LocaleMiddleware) stays."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not isinstance(user, User):
            return self.get_response(request)
        language = user.language or translation.get_language() or "en"
        with translation.override(language), timezone.override(user.zone):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", language)
            response.headers.setdefault("Cache-Control", "no-store, private")
        return response


def refresh_when_signed_out(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """A fragment must not become the sign-in page: the whole page is loaded again, and that leads there."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        target = response.headers.get("Location", "").partition("?")[0]
        if request.htmx and target == reverse(settings.LOGIN_URL):  # type: ignore[attr-defined]
            return HttpResponseClientRefresh()
        return response

    return middleware


def end_old_sessions(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Sign out whoever is over a time limit, and say why. What an open page asks by itself is not use."""

    def middleware(request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        why = sessions.why_over(request.session, now)
        if why is None:
            if not (request.htmx and request.method == "GET"):  # type: ignore[attr-defined]
                sessions.note_use(request.session, now)
            return get_response(request)
        logout(request)
        messages.info(request, why)
        response = get_response(request)
        asks_to_sign_in = response.headers.get("Location", "").startswith(f"{reverse(settings.LOGIN_URL)}?")
        if asks_to_sign_in and request.method == "POST":
            return redirect_to_login(returning.page_of(request))  # the form's own address may not be one to open
        return response

    return middleware
