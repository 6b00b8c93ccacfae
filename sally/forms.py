"""Forms about people: signing in, passwords, the profile."""

from __future__ import annotations

import json
import zoneinfo
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, PasswordResetForm
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from sally import mails
from sally.models import User

RESET_MAIL_EVERY = timedelta(minutes=5)


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": _("This e-mail address and password do not match. Please try again, or reset your password."),
        "inactive": _("This account is inactive."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget = forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"})
        self.fields["username"].label = _("E-mail address")


class ResetForm(PasswordResetForm):
    """``later`` has what is still to be done when the answer has been sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.later: list[Callable[[], None]] = []

    def send_mail(  # Django's own sends in the language of whoever asks
        self, subject_template_name: str, email_template_name: str, context: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Whether it was sent is not told: the page must not say whose address Sally knows."""
        now = timezone.now()
        this_one = User.objects.filter(pk=context["user"].pk)
        # One statement: of two requests at once, one gets the turn.
        free = Q(reset_mailed_at=None) | Q(reset_mailed_at__lte=now - RESET_MAIL_EVERY)
        if not this_one.filter(free).update(reset_mailed_at=now):
            return
        language = translation.get_language()

        def send() -> None:
            with translation.override(language):
                if not mails.send(context["user"], "password_reset", context):
                    this_one.update(reset_mailed_at=None)

        self.later.append(send)


def _is_password_of(request: HttpRequest, user: User, password: str) -> bool:
    """Asked of ``authenticate()``, so that wrong ones count (sally/throttling.py)."""
    found = authenticate(request, username=user.email, password=password)
    return found is not None and found.pk == user.pk


class ConfirmForm(forms.Form):
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autofocus": True, "autocomplete": "current-password"}),
    )

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(*args)
        self._request = request

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        assert isinstance(self._request.user, User)  # noqa: S101 - for the type checker
        if not _is_password_of(self._request, self._request.user, password):
            raise ValidationError(_("This is not your password. Please try again."))
        return password


class ChangePasswordForm(PasswordChangeForm):
    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        if not _is_password_of(self._request, self.user, password):
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return password


class DomainsField(forms.JSONField):
    """Says no to what a reader of JSON, or a page, gives up on: deep nesting, endless numbers, half characters."""

    LONGEST = 20_000

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and not self._is_readable(value):
            raise ValidationError(self.error_messages["invalid"], params={"value": "…"})
        return super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What is shown again in the form."""
        readable = isinstance(data, str) and self._is_readable(data)
        return super().bound_data(data, initial) if readable else InvalidJSONInput(data)

    def _is_readable(self, text: str) -> bool:
        try:
            return len(text) <= self.LONGEST and bool(
                json.dumps(json.loads(text or "null"), ensure_ascii=False).encode()
            )
        except (ValueError, RecursionError):
            return False


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # generic to the type checker only
    class Meta:
        model = User
        fields = ["name", "language", "time_zone", "wants_mails"]
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The model allows "not chosen yet"; a person who saves the form has chosen.
        self.fields["language"] = forms.ChoiceField(
            label=_("Language"), choices=User._meta.get_field("language").choices or []
        )
        zones = sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone or zone == "UTC")
        if self.instance.time_zone and self.instance.time_zone not in zones:
            zones.insert(0, self.instance.time_zone)
        self.fields["time_zone"] = forms.ChoiceField(label=_("Time zone"), choices=[(zone, zone) for zone in zones])
