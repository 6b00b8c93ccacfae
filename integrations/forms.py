"""The forms of Integrations: for a calendar on an Exchange server, for asking an admin's approval, for declining it."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from integrations import clouds, problems
from integrations.errors import WrongDoor
from integrations.events import LONGEST_ADDRESS, clean
from integrations.models import CalendarConnection
from integrations.models.approvals import LONGEST_REASON, domain_of
from integrations.problems import Problem, Words
from integrations.providers.exchange import VERSIONS, Typed
from integrations.saying import said
from integrations.server_address import AddressRefused, Reason, ServerAddress, read_address

# Browsers correct spelling and capitals where people write prose; names and addresses are spoilt by it.
_TO_THE_LETTER = {"spellcheck": "false", "autocapitalize": "none", "autocorrect": "off"}
# What browsers and password managers would fill in here is the sign-in to Sally, and the server would be sent it.
_NOT_SALLYS = {"autocomplete": "off", "data-1p-ignore": "", "data-lpignore": "true", "data-bwignore": ""}

REFUSED: dict[Reason, Words] = {
    Reason.EMPTY: _("Please enter the address of your Exchange server."),
    Reason.TOO_LONG: _("This is too long for the address of a server."),
    Reason.NOT_HTTPS: _("Sally sends passwords over https only. Please enter an address that begins with https://."),
    Reason.USERINFO: _("Please enter the server's address, without a user name or an e-mail address in it."),
    Reason.PORT: _("Sally reaches Exchange servers at port 443 only. Please enter the address without another port."),
    Reason.NOT_A_HOST: _("This is not the address of a server. The example below shows what one looks like."),
    Reason.NUMBER: _("Please enter the server's name, or its IP address as four numbers with dots between them."),
    Reason.LOOPBACK: _("This address leads to Sally's own machine. Please enter the one of your Exchange server."),
}


class ExchangeForm(forms.Form):
    """User name, password, server and version. All but the password is shown again."""

    username = forms.CharField(
        label=_("Username"),
        max_length=320,
        help_text=_("As DOMAIN\\user, user@company.com, or your e-mail address."),
        widget=forms.TextInput(attrs={**_NOT_SALLYS, **_TO_THE_LETTER}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs=_NOT_SALLYS),
    )
    server = forms.CharField(
        label=_("Exchange Server URL"),
        help_text=_("You usually receive this information from your internal IT department."),
        error_messages={"required": REFUSED[Reason.EMPTY]},
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "url", **_TO_THE_LETTER}),
    )
    version = forms.ChoiceField(label=_("Version"), choices=VERSIONS, required=False)

    def __init__(self, data: Any = None, *, connection: CalendarConnection | None = None, hint: str = "") -> None:
        # What Sally made of the server's address, as far as she would ask there; the tile of the right door, if not.
        self.address = self.tile = ""
        known = connection.server if connection else {"username": hint}
        super().__init__(
            data,
            initial={"username": known.get("username"), "server": known.get("url"), "version": known.get("chosen")},
        )

    @property
    def typed(self) -> Typed:
        """What the valid form holds."""
        told = self.cleaned_data
        return Typed(told["server"], told["username"], told["password"], told["version"])

    def clean_server(self) -> ServerAddress:
        try:
            found = read_address(self.cleaned_data["server"], settings.EXCHANGE_SANDBOX)
        except AddressRefused as refused:
            reason = refused.reason
        else:
            self.address = found.url
            return found
        if reason is Reason.CLOUD:
            raise self._worded(problems.of_form(WrongDoor(code="DOOR-3")))
        raise ValidationError(REFUSED[reason])

    def refuse(self, problem: Problem) -> None:
        """Say it next to the field that it concerns, or above all if it is none."""
        self.add_error(problem.field or None, self._worded(problem))

    def _worded(self, problem: Problem) -> ValidationError:
        self.tile = problem.tile
        return ValidationError(said(problem), code=problem.code)

    def set_focus(self) -> None:
        """Where the person goes on: the first field with an error, else the first empty one. Works without scripts."""
        wrong = [name for name in self.fields if name in self.errors]
        empty = [name for name in self.fields if not (self.is_bound or self.initial.get(name))]
        for name in [*wrong, *empty][:1]:
            self.fields[name].widget.attrs["autofocus"] = True


# Mail domains of Microsoft's own, whose accounts belong to no organization.
_PERSONAL = re.compile(r"(outlook|hotmail|live|msn|passport)\.[a-z.]{2,7}")
# Others in which people have private addresses: the most usual ones, to spare them a detour.
_PRIVATE = re.compile(
    r"(gmail|googlemail|icloud|me|mac|aol|protonmail|yahoo|ymail)\.com|gmx\.(at|ch|com|de|net)|yahoo\.de|proton\.me"
    r"|(freenet|t-online|web)\.de"
)


class ApprovalForm(forms.Form):
    """Whose admin has to approve."""

    address = forms.EmailField(
        label=_("Work address"),
        max_length=LONGEST_ADDRESS,
        help_text=_("The one that your calendar belongs to. What stands behind the @ tells which organization it is."),
        widget=forms.EmailInput(attrs={"autocomplete": "email", **_TO_THE_LETTER}),
    )

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"]
        domain = domain_of(address)
        if not domain:
            raise ValidationError(_("This is no e-mail address that an organization could have."))
        if _PERSONAL.fullmatch(domain) and clouds.has_personal_accounts():
            raise ValidationError(
                _("This is a personal account: nobody has to approve it. Use the tile for personal accounts.")
            )
        if _PERSONAL.fullmatch(domain) or _PRIVATE.fullmatch(domain):
            raise ValidationError(
                _("This is a private mail address, with no admin behind it. Please enter your work address.")
            )
        return address


class DeclineForm(forms.Form):
    """For IT: no, and if they like why."""

    reason = forms.CharField(
        label=_("Why (if you like)"),
        max_length=LONGEST_REASON,
        required=False,
        help_text=_("The person who asked reads it as you write it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def clean_reason(self) -> str:
        return " ".join(clean(self.cleaned_data["reason"], LONGEST_REASON).split())
