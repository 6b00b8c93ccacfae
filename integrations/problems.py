"""The words for errors: what a user reads, and what to do next. Codes stay beside them, small, for support."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from django.utils.translation import gettext_lazy as _

from integrations import errors
from integrations.errors import ProviderError

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# Text for people: translated when it is shown.
Words = Union[str, "_StrPromise"]


@dataclass(frozen=True)
class Problem:
    """``text`` says what happened and what to do; ``reconnect`` whether signing in again helps."""

    text: Words
    code: str
    reconnect: bool = False


# What befell a connection that exists. A class without words of its own has its parent's.
_CONNECTION: dict[type[ProviderError], tuple[Words, bool]] = {
    errors.ProviderError: (
        _("Something unexpected happened. We are looking into it; your meetings are kept and Sally tries again."),
        False,
    ),
    errors.Temporary: (
        _("Your calendar cannot be reached at the moment. Your meetings are kept; Sally tries again."),
        False,
    ),
    errors.RateLimited: (_("Microsoft asks Sally to wait a little. Your meetings are kept; Sally tries again."), False),
    errors.UnexpectedAnswer: (
        _("Your calendar answers in a way Sally cannot read. We are looking into it; your meetings are kept."),
        False,
    ),
    errors.ReconnectNeeded: (
        _("Microsoft no longer lets Sally read this calendar. Sign in again; your meetings are kept."),
        True,
    ),
    errors.PermissionMissing: (
        _("Sally was not given the permission to read this calendar. Sign in again and accept all permissions."),
        True,
    ),
    errors.ApprovalNeeded: (
        _("Your organization has to approve Sally first. Ask an admin to sign in here once, then sign in again."),
        True,
    ),
    errors.WrongDoor: (
        _(
            "This account has no mailbox in Microsoft 365. If your calendar is on your organization's own server or "
            "belongs to a personal account, connect it with the other tiles when they open."
        ),
        False,
    ),
    errors.OperatorProblem: (
        _("Sally's administrator has to act: Microsoft refuses Sally's own key. You need not do anything."),
        False,
    ),
}

# What ended a sign-in. Nothing was stored by it, and nothing tries again by itself.
_SIGN_IN: dict[type[ProviderError], Words] = {
    errors.ProviderError: _("Something unexpected happened at the sign-in. Nothing was connected; please try again."),
    errors.Temporary: _("Microsoft's sign-in cannot be reached at the moment. Nothing was connected; try again later."),
    errors.UnexpectedAnswer: _("Microsoft's answer could not be verified. Nothing was connected; please try again."),
    errors.ReconnectNeeded: _("Microsoft did not complete the sign-in. Nothing was connected; please try again."),
    errors.PermissionMissing: _(
        "Sally was not given the permission to read the calendar. Nothing was connected; try again and accept all "
        "permissions."
    ),
    errors.ApprovalNeeded: _(
        "Your organization has to approve Sally first. Nothing was connected; ask an admin to sign in here once, then "
        "try again."
    ),
    errors.SignInCancelled: _(
        "You declined at Microsoft, or went back from its page. Nothing was connected. If Microsoft asked for an "
        "admin's approval, ask an admin of your organization to sign in here once; otherwise try again and accept."
    ),
    errors.OperatorProblem: _(
        "Sally's administrator has to act: Microsoft does not accept how Sally is registered. Nothing was connected."
    ),
}

# By code, where the class alone would say something untrue.
_SIGN_IN_CODES: Mapping[str, Words] = {
    "GUEST": _(
        "This account is a guest there, and its calendar is elsewhere. Sign in with the account's own organization."
    ),
    "BLOCKED": _("Your organization's rules block this sign-in. Nothing was connected; ask your organization's admin."),
}
SIGN_IN_USED_UP = _("This sign-in has expired, was already used, or belongs to somebody else. Please start again.")
PAUSED = Problem(
    _("Sally's administrator has paused this calendar. Your meetings stay as they are; ask there."), "PAUSED"
)
LATE = Problem(
    _("Sally is late with this calendar. What you see is as of the last sync; it catches up by itself."), "LATE"
)


def of_connection(kind: str, code: str) -> Problem:
    """The words for the error that a connection's row keeps: its class's name and its code."""
    for ancestor in errors.kinds().get(kind, ProviderError).__mro__:
        if ancestor in _CONNECTION:
            text, reconnect = _CONNECTION[ancestor]
            return Problem(text, code, reconnect)
    raise AssertionError("ProviderError has words")


def of_sign_in(error: ProviderError) -> Problem:
    """The words for what ended a sign-in."""
    if error.code in _SIGN_IN_CODES:
        return Problem(_SIGN_IN_CODES[error.code], error.code)
    text = next(_SIGN_IN[ancestor] for ancestor in type(error).__mro__ if ancestor in _SIGN_IN)
    return Problem(text, error.code)
