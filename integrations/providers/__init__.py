"""The registry of providers, and ``open_calendar``, the one way from a connection to its client.

A new provider is one file here, one line in ``PROVIDERS`` and one subclass of the contract tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext_lazy as _

from integrations.errors import OperatorProblem, ReconnectNeeded
from integrations.events import CalendarClient
from integrations.fields import SealBroken
from integrations.oauth import SignedIn
from integrations.problems import Words
from integrations.providers import microsoft

if TYPE_CHECKING:
    from integrations.models import CalendarConnection


class Provider(Protocol):
    """A kind of calendar that a person can connect by signing in at the provider's own page.

    ``key`` is stored; ``name`` is the tile's title, ``hint`` the kind of account and ``note`` what to know beforehand;
    ``logo`` and ``button`` are templates, ``sign_in`` the words on the button of a reconnect.
    """

    key: str
    name: Words
    hint: Words
    note: Words
    logo: str
    button: str
    sign_in: Words
    name_id: str

    def begin(self, *, redirect_uri: str, state: str, login_hint: str = "", claims: str = "") -> dict[str, Any]: ...

    def finish(self, flow: Mapping[str, Any], answer: Mapping[str, str]) -> SignedIn: ...

    def open(self, connection: CalendarConnection, before_each: Callable[[], None]) -> CalendarClient: ...


@dataclass(frozen=True)
class ComingTile:
    """A door that the next version opens: shown, not clickable."""

    key: str
    name: Words
    hint: Words
    logo: str


PROVIDERS: dict[str, Provider] = {provider.key: provider for provider in (microsoft.WORK,)}

COMING = (
    ComingTile(
        "microsoft-personal",
        _("Outlook Calendar (Personal Microsoft Account / Exchange Online)"),
        _("Outlook.com, Hotmail or Live account"),
        "integrations/_microsoft_logo.html",
    ),
    ComingTile(
        "exchange",
        _("Outlook Calendar (Exchange On-Premise)"),
        _("Your organization's own Exchange server"),
        "integrations/_server_logo.html",
    ),
)


def open_calendar(connection: CalendarConnection, before_each: Callable[[], None] = lambda: None) -> CalendarClient:
    """The client that reads ``connection``; ``before_each`` runs before every request it sends.

    Raises ``integrations.errors``; sends nothing yet.
    """
    try:
        return PROVIDERS[connection.provider].open(connection, before_each)
    except ObjectDoesNotExist:
        raise ReconnectNeeded("no secret is stored", code="SECRET") from None
    except SealBroken as exc:
        raise OperatorProblem(str(exc), code="KEYS") from None
