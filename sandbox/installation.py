"""What this run of the sandbox was started with, and the switches that the control API turns."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

DEFAULT_CLIENT_ID = "5a11a5a1-0000-4000-8000-000000000001"
DEFAULT_CLIENT_SECRET = "sandbox-secret-that-opens-nothing-real"  # noqa: S105


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


@dataclass(frozen=True)
class Switches:
    """How the tenant behaves; every default is what Entra does."""

    client_secret: str
    access_token_seconds: int = 3599
    one_time_refresh_tokens: bool = False
    rotate_refresh_tokens: bool = True
    refuse_sign_in: str = ""  # "access_denied 90094 The words": what comes back instead of a code


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
