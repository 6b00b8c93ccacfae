"""The registry of providers, and ``open_calendar``, the one way from a connection to its client.

A new provider is one file here, one line in ``PROVIDERS`` and one subclass of the contract tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from django.core.exceptions import ObjectDoesNotExist

from integrations.accounts import SignedIn
from integrations.errors import OperatorProblem, ReconnectNeeded
from integrations.events import CalendarClient
from integrations.fields import SealBroken
from integrations.problems import Words
from integrations.providers import exchange, microsoft
from integrations.trail import Trail

if TYPE_CHECKING:
    from integrations.models import CalendarConnection


class Provider(Protocol):
    """A kind of calendar that a person can connect.

    ``key`` is stored; ``name`` is the tile's title, ``hint`` the kind of account and ``note`` what to know beforehand.
    ``logo`` and ``entrance`` are templates: the entrance is what one clicks to connect, or to mend a ``connection``,
    with ``reopen`` as its words then. ``offered``: whether such calendars can be connected in the cloud in use.
    """

    key: str
    name: Words
    hint: Words
    note: Words
    logo: str
    entrance: str
    reopen: Words
    name_id: str

    @property
    def offered(self) -> bool: ...

    def open(self, connection: CalendarConnection, before_each: Callable[[], None], trail: Trail) -> CalendarClient: ...


class SignInProvider(Provider, Protocol):
    """One whose people sign in at the provider's own page.

    There they are asked for ``scopes``; at ``permissions_page`` ("": nowhere) they take back what they allowed, but for
    what ``taking_back`` says. ``needs_approval``: an admin of their organization may have to approve Sally there first.
    """

    needs_approval: bool
    taking_back: Words

    @property
    def scopes(self) -> Sequence[str]: ...

    @property
    def permissions_page(self) -> str: ...

    def begin(
        self, trail: Trail, *, redirect_uri: str, state: str, login_hint: str = "", claims: str = ""
    ) -> dict[str, Any]: ...

    def finish(self, trail: Trail, flow: Mapping[str, Any], answer: Mapping[str, str]) -> SignedIn: ...


BY_SIGN_IN: dict[str, SignInProvider] = {one.key: one for one in (microsoft.WORK, microsoft.PERSONAL)}
PROVIDERS: dict[str, Provider] = {**BY_SIGN_IN, exchange.EXCHANGE.key: exchange.EXCHANGE}


def offered() -> list[Provider]:
    """Those whose calendars can be connected in the cloud in use, in the order of their tiles."""
    return [one for one in PROVIDERS.values() if one.offered]


def open_calendar(
    connection: CalendarConnection, before_each: Callable[[], None] = lambda: None, trail: Trail | None = None
) -> CalendarClient:
    """The client that reads ``connection``; ``before_each`` runs before every request it sends.

    What it asks is noted in ``trail``, for the caller to keep; without one, as in a script, it is kept when the client
    is closed. Raises ``integrations.errors``; sends nothing yet. Whoever opens it closes it.
    """
    trail = Trail(when_closed=connection.keep_trail) if trail is None else trail
    try:
        return PROVIDERS[connection.provider].open(connection, before_each, trail)
    except ObjectDoesNotExist:
        raise ReconnectNeeded("no secret is stored", code="SECRET") from None
    except SealBroken as exc:
        raise OperatorProblem(str(exc), code="KEYS") from None
