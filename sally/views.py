"""Pages about people: signing in and out, invitations, password reset, the profile."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied, ValidationError
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sally import browsers, invitations, returning, throttling
from sally.access import for_person
from sally.forms import ChangePasswordForm, ProfileForm, ResetForm, SignInForm
from sally.models import User, validate_time_zone


class _ByLink(auth_views.PasswordResetConfirmView):
    """A new password, by a one-time link: whoever was locked out is let in again, and who is in by the old is not."""

    def form_valid(self, form: SetPasswordForm[User]) -> HttpResponse:
        response = super().form_valid(form)
        throttling.lift(form.user)
        _end_others(self.request, form.user)
        return response


class _Change(auth_views.PasswordChangeView):
    form_class = ChangePasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        response = super().form_valid(form)
        throttling.lift(form.user, self.request)
        _end_others(self.request, form.user)
        return response


def _end_others(request: HttpRequest, user: User) -> int:
    """End every session of the user's but the one that asks for it; how many were still good."""
    own = request.session.session_key
    count = user.sessions.alive(timezone.now()).exclude(session_key=own).count()
    user.sessions.exclude(session_key=own).delete()
    return count


_sign_in = auth_views.LoginView.as_view(template_name="sally/sign_in.html", authentication_form=SignInForm)
sign_out = auth_views.LogoutView.as_view()
invitation = _ByLink.as_view(
    template_name="sally/invitation.html",
    token_generator=invitations.tokens,
    post_reset_login=True,
    post_reset_login_backend="django.contrib.auth.backends.ModelBackend",
    success_url=reverse_lazy("meetings"),
    reset_url_token="set-password",  # noqa: S106 - a word in an address
)


class _Reset(auth_views.PasswordResetView):
    def form_valid(self, form: Any) -> HttpResponse:
        """The mail is sent when the answer is: how long a mail server takes must not say whose address Sally knows."""
        response = super().form_valid(form)
        response._resource_closers += form.later  # type: ignore[attr-defined]  # called by close(), after the last byte
        return response


password_reset = _Reset.as_view(
    template_name="sally/password_reset.html",
    form_class=ResetForm,
    success_url=reverse_lazy("password-reset-sent"),
)
password_reset_sent = auth_views.PasswordResetDoneView.as_view(template_name="sally/password_reset_sent.html")
password_reset_confirm = _ByLink.as_view(
    template_name="sally/password_reset_confirm.html", success_url=reverse_lazy("password-reset-done")
)
password_reset_done = auth_views.PasswordResetCompleteView.as_view(template_name="sally/password_reset_done.html")
password = _Change.as_view(template_name="sally/password.html", success_url=reverse_lazy("profile"))


def sign_in(request: HttpRequest) -> HttpResponseBase:
    if request.user.is_authenticated:  # whatever ``next`` says: it could lead here again
        return redirect("meetings")
    return _sign_in(request)


@require_safe
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Where Django admin sends people to: one sign-in for the whole house."""
    wished = returning.wished(request, "admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(wished)
    if not request.user.is_staff:
        raise PermissionDenied
    return HttpResponseRedirect(reverse("admin:index") if wished == request.path else wished)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's own reads the form again for its CSRF token, and trips over the same nonsense a second time."""
    return HttpResponse(render_to_string("400.html"), status=400)


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask here on pages that name no icon of their own, such as Django admin's."""
    return redirect(static("img/sally.svg"))


@receiver(user_logged_in)
def take_from_browser(sender: object, request: HttpRequest, user: User, **_kwargs: Any) -> None:
    """The first sign-in sets language and time zone to the browser's; from then on they are the user's own."""
    changed = []
    if not user.language:
        user.language = translation.get_language_from_request(request)
        changed.append("language")
    if not user.time_zone:
        try:
            validate_time_zone(request.POST.get("time_zone", ""))
        except ValidationError:
            pass  # a browser without JavaScript does not say; times are shown in UTC until the user chooses
        else:
            user.time_zone = request.POST["time_zone"]
            changed.append("time_zone")
    if changed:
        user.save(update_fields=changed)


@require_http_methods(["GET", "POST"])
@for_person
def profile(request: HttpRequest, user: User) -> HttpResponse:
    # A copy: what a refused form put into its instance must not show as the name beside it.
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=user.pk))
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        with translation.override(saved.language):
            messages.success(request, _("Your profile was saved."))
        return redirect("profile")
    own = request.session.session_key
    sessions = [
        {"session": one, "browser": browsers.in_words(one.user_agent), "is_this": one.session_key == own}
        for one in user.sessions.alive(timezone.now()).defer("session_data").order_by("-used_at")
    ]
    return render(request, "sally/profile.html", {"form": form, "sessions": sessions, "several": len(sessions) > 1})


@require_POST
@for_person
def end_session(request: HttpRequest, user: User, public_id: uuid.UUID) -> HttpResponse:
    others = user.sessions.exclude(session_key=request.session.session_key)
    if not others.filter(public_id=public_id).delete()[0]:
        raise Http404
    messages.success(request, _("That browser is signed out."))
    return redirect("profile")


@require_POST
@for_person
def end_other_sessions(request: HttpRequest, user: User) -> HttpResponse:
    count = _end_others(request, user)
    text = ngettext("%(count)s other browser is signed out.", "%(count)s other browsers are signed out.", count)
    messages.success(request, text % {"count": count})
    return redirect("profile")
