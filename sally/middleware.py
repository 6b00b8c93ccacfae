"""What happens around every request: its id and headers, who asks and how they see it, sessions that are over."""

import re
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.log import log_response
from django_htmx.http import HttpResponseClientRefresh

from sally import logs, returning, sessions
from sally.models import User

View = Callable[[HttpRequest], HttpResponse]
_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


def give_id(get_response: View) -> View:
    """The outermost: all that is logged for a request carries its id, and so does the answer.

    The id is ours, unless a proxy gave the request one; from anybody else it is not taken.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "") if settings.SECURE_PROXY_SSL_HEADER else ""
        with logs.marked(given if _ID.fullmatch(given) else logs.new_id()) as id:
            response = get_response(request)
            if response.status_code >= 400:
                # Django does it when all middleware is left, and the id with it; then it sees that this was done.
                log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
        response.headers["X-Request-ID"] = id
        return response

    return middleware


def protect(get_response: View) -> View:
    """What every answer carries, whoever gives it: an error, a redirect and a file too.

    SecurityMiddleware sets some of these only on what comes through it. A view, or WhiteNoise, may decide about
    caching itself.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in settings.ANSWER_HEADERS.items():
            response.headers.setdefault(name, value)
        if settings.SECURE_HSTS_SECONDS and request.is_secure():
            response.headers.setdefault("Strict-Transport-Security", settings.HSTS)
        return response

    return middleware


def refuse_unreadable_forms(get_response: View) -> View:
    """A form in no encoding that we read is the sender's mistake. Django would trip over it, in an error page too."""

    def middleware(request: HttpRequest) -> HttpResponse:
        parameters = request.content_params or {}
        charset = parameters.get("charset", "utf-8").lower()
        if charset != "utf-8":
            request.encoding = "utf-8"  # for Django knows it by no other name, and error pages read the address
            if charset not in ("utf8", "utf_8"):
                raise BadRequest("a charset other than UTF-8")
        if request.content_type == "multipart/form-data" and not parameters.get("boundary"):
            raise BadRequest("a form without a boundary")
        return get_response(request)

    return middleware


class PersonMiddleware:
    """Runs after authentication; without a person the browser's language (LocaleMiddleware) stays."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not isinstance(user, User):
            return self.get_response(request)
        logs.note_user(user.pk)
        language = user.language or translation.get_language() or "en"
        with translation.override(language), timezone.override(user.zone):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", language)
        return response


def refresh_when_signed_out(get_response: View) -> View:
    """A fragment must not become the sign-in page: the whole page is loaded again, and that leads there."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        target = response.headers.get("Location", "").partition("?")[0]
        if request.htmx and target == reverse(settings.LOGIN_URL):  # type: ignore[attr-defined]
            return HttpResponseClientRefresh()
        return response

    return middleware


def end_old_sessions(get_response: View) -> View:
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
