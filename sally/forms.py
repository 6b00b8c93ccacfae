"""Forms about people: signing in, the profile."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordResetForm
from django.utils.translation import gettext_lazy as _

from sally import mails
from sally.models import User


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
    def send_mail(  # Django's own sends in the language of whoever asks
        self, subject_template_name: str, email_template_name: str, context: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Whether it could be sent is not told: the page must not say whose address Sally knows."""
        mails.send(context["user"], "password_reset", context)


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # generic to the type checker only
    class Meta:
        model = User
        fields = ["name", "language", "time_zone"]
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
