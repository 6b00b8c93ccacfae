"""What happens around every request: the person's language and time zone, and what fragments get without a session."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation
from django_htmx.http import HttpResponseClientRefresh

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
