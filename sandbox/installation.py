"""What this run of the sandbox was started with, and the switches that the control API turns."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

DEFAULT_CLIENT_ID = "5a11a5a1-0000-4000-8000-000000000001"
DEFAULT_CLIENT_SECRET = "sandbox-secret-that-opens-nothing-real"  # noqa: S105
DEFAULT_EXCHANGE_PASSWORD = "harbour-and-quay-opens-nothing-real"  # noqa: S105


@dataclass(frozen=True)
class Installation:
    """The addresses it answers at, and the one application registered in its tenant."""

    directory: Path
    services_url: str  # sign-in service and Graph, over TLS
    pages_url: str  # what a person sees, over plain http so that no browser warns
    client_id: str = DEFAULT_CLIENT_ID
    client_secret: str = DEFAULT_CLIENT_SECRET
    redirect_uris: tuple[str, ...] = ()
    client_certificate: str = ""  # PEM
    first_mailbox: str = ""  # iCalendar text; empty: the built-in calendar
    exchange_password: str = DEFAULT_EXCHANGE_PASSWORD  # everybody's

    @property
    def exchange_url(self) -> str:
        return f"{self.services_url}/EWS/Exchange.asmx"


@dataclass(frozen=True)
class Switches:
    """How the tenant and the Exchange server behave; every default is what the real ones do."""

    client_secret: str
    access_token_seconds: int = 3599
    one_time_refresh_tokens: bool = False
    rotate_refresh_tokens: bool = True
    refuse_sign_in: str = ""  # "access_denied 90094 The words": what comes back instead of a code
    wrong_door: str = "page"  # for accounts of the other kind; "redirect" tells the application, "open" lets them in
    approval: str = ""  # whom people need for calendars: nobody; an admin ("required"), who can be asked ("workflow")
    approval_returns: str = ""  # "redirect": the application is told at once, and no page shown
    approval_omits_tenant: bool = False  # the answer of the admin consent endpoint does not say which tenant it was
    grants_only: str = ""  # scopes, space-separated: tokens carry none beside these and those to sign in; "": all
    full_scope_names: bool = False  # True: a token's scopes are answered as addresses of Graph where asked for so
    shared_opens_own: bool = True  # False: with nothing but a scope in .Shared one's own calendar stays closed
    exchange_offers: str = "negotiate ntlm basic"  # what a 401 names, in this order; Negotiate is never accepted
    exchange_channel_binding: bool = True  # Extended Protection: NTLM has to name the TLS connection it came through
    exchange_close_on_401: bool = False
    exchange_version: str = "15.2.1748.10"
    exchange_schema: str = "Exchange2016"  # the newest RequestServerVersion that is understood
    exchange_find_limit: int = 1000  # EWSFindCountLimit
    exchange_sync_limit: int = 512
    exchange_expand: bool = True  # False: as grommunio's server does, which lists masters and no occurrences
    exchange_fractions: bool = False  # True: as grommunio's server does, which writes fractions of seconds
    exchange_content_type: str = "text/xml; charset=utf-8"
    exchange_zone: str = ""  # another Id for every StartTimeZone and EndTimeZone
    exchange_answer: str = ""  # sandbox/exchange/misbehaviour.py says which
    exchange_answer_times: int = 0  # how many requests are answered so; 0: all
    exchange_slow_seconds: int = 60  # how long the answer "slow" takes
    exchange_moved: int = 0  # how often mailboxes were moved: each time all ids are others
    exchange_forget_sync_states: bool = False  # states of before this was turned on are not understood


@dataclass
class _Current:
    installation: Installation | None = None
    switches: Switches | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_current = _Current()


def install(installation: Installation) -> None:
    _current.installation = installation
    reset_switches()


def installation() -> Installation:
    if _current.installation is None:
        raise RuntimeError("The sandbox was not started by its command.")
    return _current.installation


def switches() -> Switches:
    return _current.switches or Switches(client_secret=installation().client_secret)


def reset_switches() -> None:
    _current.switches = Switches(client_secret=installation().client_secret)


def turn_switches(changes: dict[str, object]) -> Switches:
    """Set the named switches. Raises ``TypeError`` for a name that is none, or a value of the wrong kind."""
    with _current.lock:
        before = switches()
        for name, value in changes.items():
            if type(value) is not type(getattr(before, name, None)):
                raise TypeError(f"There is no switch {name} that takes {value!r}.")
        _current.switches = replace(before, **changes)  # type: ignore[arg-type]
        return _current.switches
