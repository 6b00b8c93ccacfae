"""Calendars on an organization's own Exchange server, read through EWS (https://learn.microsoft.com/exchange/client-developer).

exchangelib is heavy, so what needs it is imported when the first calendar is opened: pages that only show tiles do
without its 50 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, cast

from django.utils.translation import gettext_lazy as _

from integrations.accounts import SignedIn
from integrations.events import CalendarClient
from integrations.problems import Words
from integrations.server_address import ServerAddress
from integrations.trail import Trail

if TYPE_CHECKING:
    from integrations.models import CalendarConnection


@dataclass(frozen=True)
class Typed:
    """What a person typed into the form. ``version`` is a key of ``VERSIONS``."""

    address: ServerAddress
    username: str
    password: str = field(repr=False)
    version: str = ""


# Which schema each one is spoken to in
# (https://learn.microsoft.com/exchange/client-developer/web-service-reference/requestserverversion).
VERSIONS: Sequence[tuple[str, Words]] = (
    ("", _("Detect automatically")),
    ("2019", "Exchange SE / 2019"),
    ("2016", "Exchange 2016"),
    ("2013-sp1", "Exchange 2013 SP1"),
    ("2013", "Exchange 2013"),
    ("2010", "Exchange 2010 SP2 / SP3"),
)
SCHEMAS: Mapping[str, str] = {
    "2019": "Exchange2016",
    "2016": "Exchange2016",
    "2013-sp1": "Exchange2013_SP1",
    "2013": "Exchange2013",
    "2010": "Exchange2010_SP2",
}


class Exchange:
    """The door for a server of the organization's own: a form instead of a provider's page."""

    key = "exchange"
    name: Words = _("Outlook Calendar (Exchange On-Premise)")
    hint: Words = _("Your organization's own Exchange server")
    note: Words = _("You need your user name, your password and the server's address, which your IT department knows.")
    logo = "integrations/_server_logo.html"
    entrance = "integrations/_exchange_entrance.html"
    reopen: Words = _("Enter sign-in details")
    name_id = "name-of-exchange"
    offered = True

    def look(self, typed: Typed, trail: Trail) -> SignedIn:
        """Read the calendar once, with one login at most; what opens it again. Raises ``ProviderError``."""
        look = import_module("integrations.providers.exchange.connecting").look
        return cast(SignedIn, look(typed, SCHEMAS.get(typed.version, ""), trail))

    def open(self, connection: CalendarConnection, before_each: Callable[[], None], trail: Trail) -> CalendarClient:
        open_client = import_module("integrations.providers.exchange.connecting").open_client
        password = connection.secret.payload["password"]
        client = open_client(connection.server, password, connection.owner.zone, before_each, trail)
        return cast(CalendarClient, client)


EXCHANGE = Exchange()
