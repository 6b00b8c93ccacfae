"""A look at an Exchange server that ends as a test wants it, and a connection there."""

from __future__ import annotations

from collections.abc import Callable

from integrations import errors
from integrations.accounts import SignedIn
from integrations.errors import ProviderError
from integrations.models import CalendarConnection, ConnectionSecret
from integrations.providers.exchange import Typed
from integrations.trail import Trail
from sally.models import User

ADDRESS = "/settings/integrations/exchange/"
MAIL = "https://mail.quay.example/EWS/Exchange.asmx"
PASSWORD = "canary~pass+word/that%must&never=show"

# By hand, from what the contract with the provider says of each: its class, its code, and the field that it concerns.
CODES = [
    (errors.PasswordRefused, "PASSWORD", "password"),
    (errors.PasswordRefused, "LOCKED", "username"),
    (errors.PasswordRefused, "PW-EXPIRED", "password"),
    (errors.PasswordRefused, "EWS-DISABLED", "username"),
    (errors.WrongDoor, "DOOR-3", "server"),
    (errors.NotReached, "NET-2", "server"),
    (errors.Unavailable, "TLS-1", "server"),
    (errors.Unavailable, "TLS-2", "server"),
    (errors.Unavailable, "EWS-404", "server"),
    (errors.Unavailable, "EWS-403", "server"),
    (errors.Unavailable, "EWS-PAGE", "server"),
    (errors.Unavailable, "EWS-REDIRECT", "server"),
    (errors.Unavailable, "EWS-AUTH", "server"),
    (errors.Unavailable, "EWS-HANDSHAKE", "server"),
    (errors.ReconnectNeeded, "EWS-VERSION", "version"),
    (errors.ReconnectNeeded, "EWS-OLD", "server"),
    (errors.ReconnectNeeded, "EWS-MAILBOX", "username"),
    (errors.PermissionMissing, "EWS-DENIED", "username"),
    (errors.RateLimited, "EWS-BUSY", ""),
    (errors.Unavailable, "EWS-MOVE", ""),
    (errors.Unavailable, "EWS-STORE", ""),
    (errors.Unavailable, "EWS-CAS", ""),
    (errors.Unavailable, "EWS-FOLDER", ""),
    (errors.UnexpectedAnswer, "EWS-ANSWER", ""),
    (errors.UnexpectedAnswer, "EWS-ErrorOfTomorrow", ""),
    # What the transport below may say of any server.
    (errors.Unavailable, "NET-1", ""),
    (errors.RateLimited, "RATE", ""),
    (errors.UnexpectedAnswer, "ANSWER", ""),
    (errors.InternalError, "INTERNAL", ""),
]


class Look:
    """Stands in for the server: ``outcome`` is raised, or opens the mailbox of this address."""

    def __init__(self, outcome: str | Exception | Callable[[], None] = "ines@quay.example") -> None:
        self.outcome = outcome
        self.asked: list[Typed] = []

    def __call__(self, _exchange: object, typed: Typed, _trail: Trail) -> SignedIn:
        self.asked.append(typed)
        if callable(self.outcome):
            self.outcome()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        email = self.outcome if isinstance(self.outcome, str) else "ines@quay.example"
        return account(email, typed.address.host, typed.username, typed.password)


def account(
    email: str, host: str = "mail.quay.example", username: str = "QUAY\\ines", password: str = PASSWORD
) -> SignedIn:
    url = f"https://{host}/EWS/Exchange.asmx"
    server = {"url": url, "username": username, "auth": "ntlm", "version": "2019", "build": "15.2", "chosen": ""}
    return SignedIn(f"{host}/{email}", email, secret={"password": password}, server=server)


def connected(user: User, email: str = "ines@quay.example", host: str = "mail.quay.example") -> CalendarConnection:
    return CalendarConnection.objects.connect(user, "exchange", account(email, host))


def needing_attention(user: User, error: ProviderError) -> CalendarConnection:
    connection = connected(user)
    CalendarConnection.objects.update(
        status="needs_attention",
        last_error=error.code,
        last_error_kind=type(error).__name__,
        next_sync_at=None,
        sync_private=True,
    )
    connection.refresh_from_db()
    return connection


def password_of(connection: CalendarConnection) -> str:
    return str(ConnectionSecret.objects.get(pk=connection.pk).payload["password"])
