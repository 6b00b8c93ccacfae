"""The one table of problems: how each is recognised, what happens next (its class), what the user reads and can do.

Codes stay beside the words, small, for support. Of Entra's refusals ``error`` and ``suberror`` decide; the AADSTS
number only refines, for Microsoft documents that numbers and texts may change (entra-docs, reference-error-codes).
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from integrations import clouds, errors
from integrations.errors import ProviderError
from integrations.exchange_rows import EXCHANGE_ROWS as EXCHANGE_ROWS
from integrations.exchange_rows import PREFIX, UNKNOWN
from integrations.rows import Problem as Problem
from integrations.rows import Row as Row
from integrations.rows import Words as Words

_GRANT = ("invalid_grant", "interaction_required", "login_required", "consent_required")
_PERSONAL = "microsoft-personal"
# Of an account of the other kind: which kind, only the door tells that the number came through.
_OTHER_KIND = (50020, 500200, 500208)
_CLIENT = (
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "invalid_resource",
    "invalid_request",
    "unsupported_grant_type",
    "unsupported_response_type",
)

ROWS = (
    # -- what passes by itself -----------------------------------------------------------------------------------
    Row(errors.RateLimited, errors=("too_many_requests",), code="RATE"),
    Row(errors.Unavailable, numbers=(90006, 90033, 50196), code="NET-1"),
    Row(errors.Unavailable, errors=("temporarily_unavailable", "server_error"), code="NET-1"),
    # -- the wrong kind of account -------------------------------------------------------------------------------
    Row(
        errors.WrongDoor,
        _("This is a personal Microsoft account. Connect it with the tile for personal accounts."),
        _("This is a personal Microsoft account. Nothing was connected; use the tile for personal accounts."),
        tile=_PERSONAL,
        reconnect=False,
        code="DOOR-2",
        numbers=_OTHER_KIND,
    ),
    Row(
        errors.WrongDoor,
        _("This is an account of an organization. Connect it with the tile for Microsoft 365."),
        _("This is an account of an organization. Nothing was connected; use the tile for Microsoft 365."),
        tile="microsoft-work",
        at=_PERSONAL,
        reconnect=False,
        code="DOOR-4",
        numbers=_OTHER_KIND,
    ),
    Row(
        errors.WrongDoor,
        _(
            "This account has no mailbox in Microsoft 365. If your calendar is on your organization's own Exchange "
            "server, connect it with the tile for Exchange On-Premise; if the mailbox was only just set up, sign in "
            "again."
        ),
        _(
            "This account has no mailbox in Microsoft 365. Nothing was connected; if your calendar is on your "
            "organization's own Exchange server, use the tile for Exchange On-Premise."
        ),
        tile="exchange",
        code="DOOR-1",
    ),
    Row(
        errors.WrongDoor,
        _(
            "This Microsoft account has no mailbox, so there is no calendar to read. If your calendar belongs to "
            "another account, connect that one; if the mailbox was only just set up, sign in again."
        ),
        _(
            "This Microsoft account has no mailbox, so there is no calendar to read. Nothing was connected; use the "
            "account that your calendar belongs to."
        ),
        at=_PERSONAL,
        code="DOOR-1",
    ),
    # -- what the organization's admin has to do -----------------------------------------------------------------
    Row(
        errors.ApprovalNeeded,
        _("Your request for approval was sent to your organization's admin. Sign in again once it is approved."),
        _(
            "Your request for approval was sent to your organization's admin. Nothing was connected yet; try again "
            "once it is approved."
        ),
        code="APPROVAL-2",
        numbers=(90095,),
    ),
    Row(
        errors.ApprovalNeeded,
        code="APPROVAL",
        errors=(*_GRANT, "access_denied"),
        suberrors=("consent_required",),
        numbers=(65001, 90008, 90093, 90094, 650056, 900941),
    ),
    Row(errors.ApprovalNeeded, code="APPROVAL", errors=("consent_required",)),
    Row(
        errors.ReconnectNeeded,
        _(
            "Your organization allows Sally only for chosen people. Ask its admin to assign Sally to you, then sign in "
            "again; your meetings are kept."
        ),
        _(
            "Your organization allows Sally only for chosen people. Nothing was connected; ask its admin to assign "
            "Sally to you, then try again."
        ),
        code="ASSIGN",
        numbers=(50105,),
    ),
    Row(
        errors.ReconnectNeeded,
        _(
            "Your organization's rules block Sally's access to this calendar. Ask its admin, then sign in again; your "
            "meetings are kept."
        ),
        _("Your organization's rules block this sign-in. Nothing was connected; ask your organization's admin."),
        code="BLOCKED",
        errors=(*_GRANT, "access_denied"),
        suberrors=("message_only", "protection_policy_required", "device_authentication_failed"),
        numbers=(53000, 53001, 53002, 53003, 530032, 50131, 50097),
    ),
    Row(
        errors.ReconnectNeeded,
        _(
            "Microsoft says that this account is disabled or gone. Ask your organization's admin; your meetings are "
            "kept."
        ),
        _(
            "Microsoft says that this account is disabled or gone. Nothing was connected; ask your organization's "
            "admin."
        ),
        code="DISABLED",
        errors=_GRANT,
        numbers=(50034, 50057, 51004),
    ),
    # -- what the person does by signing in again ----------------------------------------------------------------
    Row(
        errors.ReconnectNeeded,
        _(
            "Microsoft wants to be sure that it is you, for example with a second factor. Sign in again; your meetings "
            "are kept."
        ),
        _(
            "Microsoft wants to be sure that it is you, for example with a second factor. Nothing was connected; "
            "please try again and confirm there."
        ),
        code="MFA",
        errors=_GRANT,
        suberrors=("basic_action", "additional_action"),
        numbers=(50072, 50074, 50076, 50078, 50079, 50158),
    ),
    Row(
        errors.ReconnectNeeded,
        _(
            "Your organization wants people to sign in again from time to time. Sign in again; your meetings are kept. "
            "This will recur: its admin can exempt Sally."
        ),
        code="FREQUENCY",
        errors=_GRANT,
        numbers=(70043, 70044),
    ),
    Row(
        errors.ReconnectNeeded,
        _("The password was changed, or Sally's access was withdrawn. Sign in again; your meetings are kept."),
        code="REVOKED",
        errors=_GRANT,
        suberrors=("user_password_expired",),
        numbers=(50173, 70000, 50132, 50133),
    ),
    Row(
        errors.ReconnectNeeded,
        _("Sally's access has expired. Sign in again; your meetings are kept."),
        code="EXPIRED",
        errors=_GRANT,
        suberrors=("token_expired", "bad_token"),
        numbers=(70008, 700082, 700084),
    ),
    Row(errors.ReconnectNeeded, errors=_GRANT),
    Row(errors.SignInCancelled, errors=("access_denied",)),
    # -- what Sally's administrator has to do --------------------------------------------------------------------
    Row(
        errors.OperatorProblem,
        _(
            "Sally's administrator has to act: Microsoft does not know Sally in your organization (any more). You need "
            "not do anything; your meetings are kept."
        ),
        _(
            "Sally's administrator has to act: Microsoft does not know Sally in your organization. Nothing was "
            "connected."
        ),
        code="UNKNOWN-APP",
        errors=_CLIENT,
        numbers=(90002, 500011, 650052, 700016),
        operator=_(
            "Microsoft does not find Sally's app registration, or not in an organization of its users. Restore it in "
            "Entra, or correct MICROSOFT_CLIENT_ID and MICROSOFT_LOGIN_URL and restart web and worker. Connections "
            "recover by themselves."
        ),
    ),
    Row(
        errors.OperatorProblem,
        _(
            "Sally's administrator has to act: Microsoft refuses Sally's own key. You need not do anything; your "
            "meetings are kept."
        ),
        _("Sally's administrator has to act: Microsoft refuses Sally's own key. Nothing was connected."),
        code="CLIENT-KEY",
        errors=_CLIENT,
        numbers=(70002, 700027, 7000215, 7000218, 7000222),
        own_fault=True,
        operator=_(
            "Microsoft refuses Sally's client secret or certificate: it has expired, or is not the one of the app "
            "registration. Make a new one in Entra (Certificates & secrets), put it into MICROSOFT_CLIENT_SECRET or "
            "MICROSOFT_CLIENT_CERTIFICATE and restart web and worker. Connections recover by themselves."
        ),
    ),
    Row(
        errors.OperatorProblem,
        code="REDIRECT",
        errors=_CLIENT,
        numbers=(50011, 500112),
        own_fault=True,
        at_sign_in=True,
        operator=_(
            "Microsoft does not know the address that people come back to. Add it to the app registration (Redirect "
            "URI, platform Web), to the letter: PUBLIC_URL followed by /settings/integrations/microsoft/callback/"
        ),
    ),
    Row(
        errors.OperatorProblem,
        _(
            "Sally's administrator has to act: Sally is not registered for this kind of account. You need not do "
            "anything; your meetings are kept."
        ),
        _("Sally's administrator has to act: Sally is not registered for this kind of account. Nothing was connected."),
        code="ACCOUNT-TYPES",
        numbers=(90130, 9002331, 9002332, 9002346),
        own_fault=True,
        at_sign_in=True,
        operator=_(
            "Microsoft says that the app registration is not for this kind of account. In Entra, under Authentication, "
            "set the supported account types to accounts in any organizational directory and personal Microsoft "
            "accounts."
        ),
    ),
    Row(errors.OperatorProblem, errors=_CLIENT),
    # -- the same for one connection, while it works for the others; found out by the connection itself ---------------
    Row(
        errors.OnlyHere,
        _(
            "Your organization seems to have removed Sally. Sign in again; an admin of it may have to approve. Your "
            "meetings are kept."
        ),
        code="UNKNOWN-APP",
        numbers=(90002, 500011, 650052, 700016),
    ),
    Row(
        errors.OnlyHere,
        _("Sally's stored access to this calendar cannot be opened any more. Sign in again; your meetings are kept."),
        code="KEYS",
    ),
    Row(
        errors.ReconnectNeeded,
        _("Sally has no stored access to this calendar any more. Connect it again; your meetings are kept."),
        code="SECRET",
    ),
    # -- what Graph and the database say; recognised where they are read -------------------------------------------
    Row(
        errors.PermissionMissing,
        _(
            "Microsoft does not open your own calendar with the permission that Sally asks for. Signing in again does "
            "not help yet: Sally's administrator first has to set MICROSOFT_SCOPES=minimal. Then sign in again; your "
            "meetings are kept."
        ),
        code="SHARED-ONLY",
    ),
    Row(
        errors.UnexpectedAnswer,
        sign_in=_(
            "This account is a guest there, and its calendar is elsewhere. Sign in with the account's own organization."
        ),
        code="GUEST",
    ),
    Row(
        errors.OperatorProblem,
        _(
            "Sally's administrator has to act: the key to what Sally stores about this connection is missing. You need "
            "not do anything; your meetings are kept."
        ),
        code="KEYS",
        operator=_(
            "FIELD_KEYS lacks the key that sealed some stored secrets. Add it behind the first one and restart web and "
            "worker; connections recover by themselves. If it is lost, those people have to connect again."
        ),
    ),
    Row(
        errors.OperatorProblem,
        code="OPERATOR-0",
        own_fault=True,
        operator=_(
            "MICROSOFT_CLIENT_ID and MICROSOFT_CLIENT_SECRET (or MICROSOFT_CLIENT_CERTIFICATE) are not set. The README "
            "says how to register Sally with Microsoft."
        ),
    ),
    Row(
        errors.OperatorProblem,
        code="OPERATOR-1",
        own_fault=True,
        operator=_(
            "The file MICROSOFT_CLIENT_CERTIFICATE is no readable pair of private key and certificate (PEM, without a "
            "password). Replace it and restart web and worker."
        ),
    ),
    # -- the words of each class -----------------------------------------------------------------------------------
    Row(
        errors.ProviderError,
        _("Something unexpected happened. We are looking into it; your meetings are kept and Sally tries again."),
        _("Something unexpected happened at the sign-in. Nothing was connected; please try again."),
    ),
    Row(
        errors.Temporary,
        _("Your calendar cannot be reached at the moment. Your meetings are kept; Sally tries again."),
        _("Microsoft's sign-in cannot be reached at the moment. Nothing was connected; try again later."),
    ),
    Row(errors.RateLimited, _("Microsoft asks Sally to wait a little. Your meetings are kept; Sally tries again.")),
    Row(
        errors.UnexpectedAnswer,
        _("Your calendar answers in a way Sally cannot read. We are looking into it; your meetings are kept."),
        _("Microsoft's answer could not be verified. Nothing was connected; please try again."),
    ),
    Row(
        errors.ReconnectNeeded,
        _("Microsoft no longer lets Sally read this calendar. Sign in again; your meetings are kept."),
        _("Microsoft did not complete the sign-in. Nothing was connected; please try again."),
    ),
    Row(
        errors.PermissionMissing,
        _("Sally was not given the permission to read this calendar. Sign in again and accept all permissions."),
        _(
            "Sally was not given the permission to read the calendar. Nothing was connected; try again and accept all "
            "permissions."
        ),
    ),
    Row(
        errors.ApprovalNeeded,
        _(
            "Your organization has to approve Sally, or its approval was withdrawn. Under Integrations you find a link "
            "for its admin; sign in again once it is approved. Your meetings are kept."
        ),
        _(
            "Microsoft does not let you decide about these permissions yourself. That is usual in organizations: an "
            "admin approves Sally once, then everybody connects normally. Nothing was connected yet."
        ),
    ),
    Row(
        errors.WrongDoor,
        _("This calendar is of another kind than the tile it was connected with. Connect it with the right one."),
        _("This calendar is of another kind. Nothing was connected; use the right tile."),
    ),
    Row(
        errors.SignInCancelled,
        sign_in=_(
            "You declined at Microsoft, or went back from its page. Nothing was connected; if you want Sally to read "
            "this calendar, try again and accept."
        ),
        code="ACCESS_DENIED",
        numbers=(65004,),
        at=_PERSONAL,
    ),
    Row(
        errors.SignInCancelled,
        sign_in=_(
            "You declined at Microsoft, or went back from its page. Nothing was connected. If Microsoft asked for an "
            "admin's approval, an admin of your organization has to approve Sally first; otherwise try again and "
            "accept."
        ),
    ),
    Row(
        errors.OperatorProblem,
        _(
            "Sally's administrator has to act: Microsoft does not accept how Sally is registered. You need not do "
            "anything; your meetings are kept."
        ),
        _(
            "Sally's administrator has to act: Microsoft does not accept how Sally is registered. Nothing was "
            "connected."
        ),
        operator=_(
            "Microsoft does not accept how Sally is registered. The code, and Sally's log, say what it refuses."
        ),
    ),
)

# In place of a row that leads to the tile for personal accounts, where there is none.
_NO_PERSONAL_ACCOUNTS = Row(
    errors.WrongDoor,
    _(
        "This is a personal Microsoft account, and Sally reads calendars of organizations only here. Disconnect it, "
        "and connect the account of your organization; until then your meetings are kept."
    ),
    _(
        "This is a personal Microsoft account, and Sally reads calendars of organizations only here. Nothing was "
        "connected; use the account of your organization."
    ),
    reconnect=False,
)

_BY_CODE: Mapping[tuple[type[ProviderError], str, str], Row] = {
    **{(row.kind, f"AADSTS{number}", row.at): row for row in reversed(ROWS) for number in row.numbers},
    **{(row.kind, row.code, row.at): row for row in reversed((*ROWS, *EXCHANGE_ROWS)) if row.code},
}
_BY_KIND: Mapping[type[ProviderError], Row] = {
    row.kind: row for row in ROWS if not (row.code or row.errors or row.numbers)
}

SIGN_IN_USED_UP = _("This sign-in has expired, was already used, or belongs to somebody else. Please start again.")
PAUSED = Problem(
    _("Sally's administrator has paused this calendar. Your meetings stay as they are; ask there."), "PAUSED"
)
DORMANT = Problem(
    _("Paused, because you have not signed in to Sally for a long time. Sign in, and Sally reads this calendar again."),
    "DORMANT",
)
DEACTIVATED = Problem(
    _("Paused, because the account in Sally was deactivated. Sally reads this calendar again after the next sign-in."),
    "DEACTIVATED",
)
LATE = Problem(
    _("Sally is late with this calendar. What you see is as of the last sync; it catches up by itself."), "LATE"
)


def of_answer(error: str, suberror: str, number: int) -> tuple[type[ProviderError], str]:
    """The class and code of a refusal of Entra's. One that no row knows is unexpected: retried, and logged."""
    row = next((row for row in ROWS if row.concerns(error, suberror, number)), Row(errors.UnexpectedAnswer))
    code = f"AADSTS{number}" if number and (number in row.numbers or not row.code) else row.code
    return row.kind, code or _plain(error)


def of_connection(kind: str, code: str, at: str = "") -> Problem:
    """The words for the error that a connection's row keeps, its class's name and its code, at this door."""
    found = errors.kinds().get(kind, ProviderError)
    row = _row(found, code, at)
    text = row.text or next(_BY_KIND[one].text for one in found.__mro__ if one in _BY_KIND and _BY_KIND[one].text)
    reconnect = issubclass(found, errors.ReconnectNeeded) if row.reconnect is None else row.reconnect
    return Problem(text, code, reconnect, row.tile, row.field, approval=issubclass(found, errors.ApprovalNeeded))


def of_sign_in(error: ProviderError, at: str = "") -> Problem:
    """The words for what ended a sign-in at this door. Nothing was stored by it, and nothing tries again by itself."""
    kind = type(error)
    row = _row(kind, error.code, at)
    text = row.sign_in or next(
        _BY_KIND[one].sign_in for one in kind.__mro__ if one in _BY_KIND and _BY_KIND[one].sign_in
    )
    return Problem(text, error.code, tile=row.tile, field=row.field)


def of_form(error: ProviderError) -> Problem:
    """The words for what came of a password that somebody typed; those of the classes speak of Microsoft's page."""
    row = _row(type(error), error.code)
    return Problem((row if row.sign_in else UNKNOWN).sign_in, error.code, tile=row.tile, field=row.field)


def for_operator(code: str) -> Words:
    """What whoever runs Sally does about it."""
    return _row(errors.OperatorProblem, code).operator or _BY_KIND[errors.OperatorProblem].operator


def is_own_fault(error: errors.OperatorProblem) -> bool:
    return _row(errors.OperatorProblem, error.code).own_fault


def is_met_at_sign_ins(code: str) -> bool:
    return _row(errors.OperatorProblem, code).at_sign_in


def may_be_only_here(code: str) -> bool:
    """Whether one connection, or one organization, can have it while it works for all others."""
    return (errors.OnlyHere, code, "") in _BY_CODE


def _row(kind: type[ProviderError], code: str, at: str = "") -> Row:
    unknown = UNKNOWN if code.startswith(PREFIX) else Row(kind)
    row = _BY_CODE.get((kind, code, at)) or _BY_CODE.get((kind, code, "")) or unknown
    # Whether it leads to the closed door, or is met by a connection that was made there before it was closed.
    return _NO_PERSONAL_ACCOUNTS if _PERSONAL in (row.tile, at) and not clouds.has_personal_accounts() else row


def _plain(error: str) -> str:
    return "".join(one for one in error if (one.islower() and one.isascii()) or one == "_")[:30].upper()
