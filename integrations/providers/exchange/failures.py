"""What goes wrong with an Exchange server, as ``integrations.errors``: answers by their status, codes by their name.

Which failure looks how was measured; codes are Microsoft's
(https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode).
"""

from __future__ import annotations

import re
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from exchangelib.errors import DoesNotExist, EWSError

from integrations import outbound
from integrations.errors import (
    CursorExpired,
    NotReached,
    PasswordRefused,
    PermissionMissing,
    ProviderError,
    RateLimited,
    ReconnectNeeded,
    Unavailable,
    UnexpectedAnswer,
)
from integrations.http import retry_after

# The beginning of every answer of EWS; a page may be XML too.
_ENVELOPE = re.compile(rb"\s*(\xef\xbb\xbf)?\s*(<\?xml[^>]*\?>)?\s*<([A-Za-z][\w.-]*:)?Envelope[\s>]")
# What Windows says of a password that is right and yet opens nothing, where a server passes it on
# (https://learn.microsoft.com/windows/win32/debug/system-error-codes--1300-1699-: 1330, 1331, 1907, 1909).
_SENTENCES = (
    (b"account is currently locked out", "LOCKED"),
    (b"password for this account has expired", "PW-EXPIRED"),
    (b"password must be changed before", "PW-EXPIRED"),
    (b"account is currently disabled", "EWS-DISABLED"),
)
# What requests_ntlm, pyspnego and exchangelib trip over where an answer is not what they take for granted.
_NONSENSE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
    struct.error,
    DoesNotExist,
)
LONGEST_WAIT = 86400.0  # seconds
# Directories lock accounts after a few refusals within half an hour or so.
GATEWAY_PAUSE = 3600.0
# Of a listing: to be asked for in smaller parts.
TOO_MANY = "EWS-COUNT"

_BY_CODE: Mapping[str, tuple[type[ProviderError], str]] = {
    "ErrorPasswordExpired": (PasswordRefused, "PW-EXPIRED"),
    "ErrorPasswordChangeRequired": (PasswordRefused, "PW-EXPIRED"),
    "ErrorAccountDisabled": (PasswordRefused, "EWS-DISABLED"),
    "ErrorNonExistentMailbox": (ReconnectNeeded, "EWS-MAILBOX"),
    "ErrorMissingEmailAddress": (ReconnectNeeded, "EWS-MAILBOX"),
    "ErrorNoMailboxForUser": (ReconnectNeeded, "EWS-MAILBOX"),
    "ErrorAccessDenied": (PermissionMissing, "EWS-DENIED"),
    "ErrorImpersonateUserDenied": (PermissionMissing, "EWS-DENIED"),
    "ErrorImpersonationDenied": (PermissionMissing, "EWS-DENIED"),
    "ErrorInvalidServerVersion": (ReconnectNeeded, "EWS-VERSION"),
    "ErrorInvalidSchemaVersionForMailboxVersion": (ReconnectNeeded, "EWS-VERSION"),
    "ErrorIncorrectSchemaVersion": (ReconnectNeeded, "EWS-VERSION"),
    "ErrorServerBusy": (RateLimited, "EWS-BUSY"),
    "ErrorExceededConnectionCount": (RateLimited, "EWS-BUSY"),
    "ErrorExceededFindCountLimit": (UnexpectedAnswer, TOO_MANY),
    "ErrorMailboxMoveInProgress": (Unavailable, "EWS-MOVE"),
    "ErrorMailboxStoreUnavailable": (Unavailable, "EWS-STORE"),
    "ErrorMailboxFailover": (Unavailable, "EWS-STORE"),
    "ErrorInternalServerError": (Unavailable, "EWS-STORE"),
    "ErrorTimeoutExpired": (Unavailable, "EWS-STORE"),
    "ErrorFolderNotFound": (Unavailable, "EWS-FOLDER"),
    "ErrorInvalidSyncStateData": (CursorExpired, ""),
    "ErrorSyncFolderNotFound": (CursorExpired, ""),
}
_BY_STATUS: Mapping[int, str] = {403: "EWS-403", 404: "EWS-404", 405: "EWS-404", 410: "EWS-404", 440: "EWS-PAGE"}


def check(response: requests.Response) -> None:
    """Raise for every answer that holds no envelope. A SOAP fault comes as a 500 and passes: its code tells more."""
    status, content = response.status_code, response.content
    if status in (200, 500) and _ENVELOPE.match(content):
        return
    if status == 401:
        raise _refused(response)
    what = f"EWS: {status}"
    if response.headers.get("X-CasErrorCode"):
        raise Unavailable(what, code="EWS-CAS")
    if status == 200 or 300 <= status < 400 or status in _BY_STATUS:
        code = "EWS-PAGE" if status == 200 else _BY_STATUS.get(status, "EWS-REDIRECT")
        raise Unavailable(what, code=code, retry_after=_patience(response))
    wait = retry_after(response.headers)
    if status == 429 or (status >= 500 and wait):
        raise RateLimited(what, code="EWS-BUSY", retry_after=wait)
    if status >= 500:
        raise Unavailable(what, code="EWS-STORE")
    raise UnexpectedAnswer(what, code="EWS-ANSWER")


def _patience(response: requests.Response) -> float:
    """Seconds. What answers instead of Exchange may have looked at the password all the same, and count refusals."""
    return GATEWAY_PAUSE if "Authorization" in response.request.headers else 0.0


def _refused(response: requests.Response) -> ProviderError:
    """A 401: the password was looked at and refused, unless none was sent."""
    if "Authorization" not in response.request.headers:
        return Unavailable("EWS: offers no sign-in that Sally uses", code="EWS-AUTH")
    code = next((code for sentence, code in _SENTENCES if sentence in response.content), "PASSWORD")
    return PasswordRefused("EWS: 401", code=code)


@contextmanager
def translated(host: str) -> Iterator[None]:
    """Whatever exchangelib or requests raises becomes one of ours.

    Their texts may hold headers and whole requests, so only names are kept.
    """
    try:
        yield
    except ProviderError:
        raise
    except EWSError as exc:
        raise _of_library(exc, host) from None
    except requests.RequestException as exc:
        raise of_transport(exc, host) from None
    except _NONSENSE as exc:
        raise UnexpectedAnswer(f"EWS: {type(exc).__name__}", code="EWS-ANSWER") from None


def _of_library(exc: EWSError, host: str) -> ProviderError:
    transport = next((one for one in outbound.chain(exc) if isinstance(one, requests.RequestException)), None)
    if transport:
        return of_transport(transport, host)
    name = type(exc).__name__
    kind, code = _BY_CODE.get(name, (UnexpectedAnswer, _named(exc)))
    if kind is RateLimited:
        return RateLimited(f"EWS: {name}", code=code, retry_after=_seconds(getattr(exc, "back_off", None)))
    return kind(f"EWS: {name}", code=code)


def _named(exc: EWSError) -> str:
    """The name of a response code that no row knows; what is none is an answer that cannot be read."""
    name = type(exc).__name__
    if not name.startswith("Error"):
        found = re.match(r"Unknown ResponseCode in ResponseMessage: (Error[A-Za-z]{1,60}) ", str(exc))
        name = found[1] if found else "ANSWER"
    return f"EWS-{name}"[:60]


def _seconds(value: Any) -> float:
    return min(max(float(value), 0.0), LONGEST_WAIT) if isinstance(value, int | float) else 0.0


def of_transport(exc: requests.RequestException, host: str) -> ProviderError:
    cause = outbound.cause_of(exc)
    if outbound.is_certificate_problem(exc):
        return Unavailable(f"EWS: {cause.text}", code="TLS-1")
    if any(isinstance(one, ssl.SSLError) for one in outbound.chain(exc)):
        return Unavailable(f"EWS: {cause.text}", code="TLS-2")
    return NotReached(cause.text, host=host, remedy=cause.line)
