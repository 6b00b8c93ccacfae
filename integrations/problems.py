"""The words for errors: what a user reads, and what to do next. Codes stay beside them, small, for support."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from django.utils.translation import gettext_lazy as _

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


_SIGN_IN_AGAIN = _("Microsoft no longer lets Sally read this calendar. Sign in again; your meetings are kept.")
_UNREACHABLE = _("Your calendar cannot be reached at the moment. Your meetings are kept; Sally tries again.")
_UNKNOWN = _("Something unexpected happened. We are looking into it; your meetings are kept and Sally tries again.")

_WORDS: dict[str, tuple[Words, bool]] = {
    "Unavailable": (
        _("Your calendar cannot be reached at the moment. Your meetings are kept; Sally tries again."),
        False,
    ),
    "Temporary": (
        _("Your calendar cannot be reached at the moment. Your meetings are kept; Sally tries again."),
        False,
    ),
    "RateLimited": (_("Microsoft asks Sally to wait a little. Your meetings are kept; Sally tries again."), False),
    "UnexpectedAnswer": (
        _("Your calendar answers in a way Sally cannot read. We are looking into it; your meetings are kept."),
        False,
    ),
    "ReconnectNeeded": (_SIGN_IN_AGAIN, True),
    "PasswordRefused": (_SIGN_IN_AGAIN, True),
    "PermissionMissing": (
        _("Sally was not given the permission to read this calendar. Sign in again and accept all permissions."),
        True,
    ),
    "ApprovalNeeded": (
        _("Your organization has to approve Sally first. Ask an admin to sign in here once, then sign in again."),
        True,
    ),
    "WrongDoor": (
        _(
            "This account has no mailbox in Microsoft 365. If your calendar is on your organization's own server or "
            "belongs to a personal account, connect it with the other tiles when they open."
        ),
        False,
    ),
    "OperatorProblem": (
        _("Sally's administrator has to act: Microsoft refuses Sally's own key. You need not do anything."),
        False,
    ),
    "CursorExpired": (_UNKNOWN, False),
    "SignInCancelled": (_("You declined at Microsoft, so nothing was connected."), False),
}


def find(kind: str, code: str) -> Problem:
    """The words for an error's class name and code; unknown ones get a generic sentence."""
    text, reconnect = _WORDS.get(kind, (_UNKNOWN, False))
    return Problem(text, code, reconnect)


SIGN_IN_USED_UP = _("This sign-in has expired, was already used, or belongs to somebody else. Please start again.")
