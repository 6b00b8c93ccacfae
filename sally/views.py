"""Pages about people: signing in and out, invitations, password reset, the profile."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sally import invitations
from sally.forms import ProfileForm, ResetForm, SignInForm
from sally.models import User, validate_time_zone

_sign_in = auth_views.LoginView.as_view(template_name="sally/sign_in.html", authentication_form=SignInForm)
sign_out = auth_views.LogoutView.as_view()
invitation = auth_views.PasswordResetConfirmView.as_view(
    template_name="sally/invitation.html",
    token_generator=invitations.tokens,
    post_reset_login=True,
    post_reset_login_backend="django.contrib.auth.backends.ModelBackend",
    success_url=reverse_lazy("meetings"),
    reset_url_token="set-password",  # noqa: S106 - a word in an address
)
password_reset = auth_views.PasswordResetView.as_view(
    template_name="sally/password_reset.html",
    form_class=ResetForm,
    success_url=reverse_lazy("password-reset-sent"),
)
password_reset_sent = auth_views.PasswordResetDoneView.as_view(template_name="sally/password_reset_sent.html")
password_reset_confirm = auth_views.PasswordResetConfirmView.as_view(
    template_name="sally/password_reset_confirm.html", success_url=reverse_lazy("password-reset-done")
)
password_reset_done = auth_views.PasswordResetCompleteView.as_view(template_name="sally/password_reset_done.html")
password = auth_views.PasswordChangeView.as_view(
    template_name="sally/password.html", success_url=reverse_lazy("profile")
)


def sign_in(request: HttpRequest) -> HttpResponseBase:
    if request.user.is_authenticated:  # whatever ``next`` says: it could lead here again
        return redirect("meetings")
    return _sign_in(request)


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


@login_required
@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)  # noqa: S101 - for the type checker
    # A copy: what a refused form put into its instance must not show as the name beside it.
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=request.user.pk))
    if request.method == "POST" and form.is_valid():
        user = form.save()
        with translation.override(user.language):
            messages.success(request, _("Your profile was saved."))
        return redirect("profile")
    return render(request, "sally/profile.html", {"form": form})
