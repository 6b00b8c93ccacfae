"""The lines of the table of problems that an organization's own Exchange server causes.

Every one of its errors has a line here: the words of the classes speak of a sign-in at Microsoft.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from integrations import errors
from integrations.rows import Row

# What begins so comes from an Exchange server, also where no line knows it: its own response codes are many.
PREFIX = "EWS-"

UNKNOWN = Row(
    errors.UnexpectedAnswer,
    _("Your Exchange server answers in a way Sally cannot read. We are looking into it; your meetings are kept."),
    _(
        "The server answered in a way Sally cannot read. Nothing was connected; try again later, and if it stays so, "
        "tell Sally's administrator this code."
    ),
    code="EWS-ANSWER",
)

EXCHANGE_ROWS = (
    UNKNOWN,
    # -- the person enters something else ------------------------------------------------------------------------
    Row(
        errors.PasswordRefused,
        _(
            "Your Exchange server refused the user name or the password. Sally does not try it again, because repeated "
            "attempts lock accounts. Enter the password again; your meetings are kept."
        ),
        _(
            "The server refused the user name or the password. Nothing was connected; check both and try again. Some "
            "servers want the user name as DOMAIN\\user."
        ),
        code="PASSWORD",
        field="password",
    ),
    Row(
        errors.PasswordRefused,
        _(
            "Your Exchange server says that this account is locked, so Sally has stopped. Wait, or ask your IT "
            "department to unlock it; then enter the password again. Your meetings are kept."
        ),
        _(
            "The server says that this account is locked; the password may well be right. Nothing was connected; wait, "
            "or ask your IT department to unlock it, then try again."
        ),
        code="LOCKED",
        field="username",
    ),
    Row(
        errors.PasswordRefused,
        _(
            "The password of this account has expired, or must be changed first. Change it, for example in Windows or "
            "in Outlook on the web, and enter the new one here; then Sally reads again. Your meetings are kept."
        ),
        _(
            "The password has expired, or must be changed first. Nothing was connected; change it, for example in "
            "Windows or in Outlook on the web, then try again with the new one."
        ),
        code="PW-EXPIRED",
        field="password",
    ),
    Row(
        errors.PasswordRefused,
        _(
            "Your Exchange server says that this account is disabled, so Sally has stopped. Ask your IT department, "
            "then enter the password again; your meetings are kept."
        ),
        _("The server says that this account is disabled. Nothing was connected; ask your IT department."),
        code="EWS-DISABLED",
        field="username",
    ),
    Row(
        errors.WrongDoor,
        _("This mailbox is in Microsoft's cloud (Exchange Online). Connect it with the tile for Microsoft 365."),
        _(
            "This address belongs to Microsoft's cloud (Exchange Online), where people sign in at Microsoft. Nothing "
            "was connected; use the tile for Microsoft 365."
        ),
        tile="microsoft-work",
        reconnect=False,
        code="DOOR-3",
        field="server",
    ),
    Row(
        errors.ReconnectNeeded,
        _(
            "Your Exchange server does not know the version that was chosen. Enter the password again and choose "
            "“Detect automatically”; your meetings are kept."
        ),
        _("The server does not know this version. Nothing was connected; choose “Detect automatically” and try again."),
        code="EWS-VERSION",
        field="version",
    ),
    Row(
        errors.ReconnectNeeded,
        _(
            "Your Exchange server speaks no version that Sally knows; she reads Exchange 2010 SP2 and newer. Ask your "
            "IT department, then enter the password again; your meetings are kept."
        ),
        _(
            "The server speaks no version that Sally knows; she reads Exchange 2010 SP2 and newer. Nothing was "
            "connected; ask your IT department."
        ),
        code="EWS-OLD",
        field="server",
    ),
    Row(
        errors.ReconnectNeeded,
        _(
            "This account has no mailbox on the Exchange server. Ask your IT department, then enter the password "
            "again; your meetings are kept."
        ),
        _(
            "This account has no mailbox on this server. Nothing was connected; check the user name, or ask your IT "
            "department."
        ),
        code="EWS-MAILBOX",
        field="username",
    ),
    Row(
        errors.PermissionMissing,
        _(
            "Your Exchange server lets Sally in, but not into the calendar. Ask your IT department, then enter the "
            "password again; your meetings are kept."
        ),
        _(
            "The user name and password are right, but this account may not read the calendar. Nothing was connected; "
            "ask your IT department."
        ),
        code="EWS-DENIED",
        field="username",
    ),
    # -- the way to the server -----------------------------------------------------------------------------------
    Row(
        errors.NotReached,
        _(
            "The server cannot be reached, or Sally's administrator has not allowed this network. Your meetings are "
            "kept; Sally tries again. If the server has a new address, enter it."
        ),
        _(
            "The server cannot be reached, or Sally's administrator has not allowed this network. Nothing was "
            "connected; check the address, and if it is right, ask your IT department or Sally's administrator."
        ),
        code="NET-2",
        field="server",
        reconnect=True,
    ),
    Row(
        errors.Unavailable,
        _(
            "Your Exchange server's certificate is not trusted, so Sally sends nothing there. Ask your IT department, "
            "or Sally's administrator (CA_BUNDLE). Your meetings are kept; Sally tries again."
        ),
        _(
            "The server's certificate is not trusted: it has expired, is for another name, or comes from an authority "
            "that Sally does not know. No password was sent. Nothing was connected; ask your IT department, or Sally's "
            "administrator (CA_BUNDLE)."
        ),
        code="TLS-1",
        field="server",
    ),
    Row(
        errors.Unavailable,
        _(
            "There is no secure connection to your Exchange server, so Sally sends nothing there. Ask your IT "
            "department if it stays so. Your meetings are kept; Sally tries again."
        ),
        _(
            "There is no secure connection to this server. No password was sent. Nothing was connected; check the "
            "address, or ask your IT department."
        ),
        code="TLS-2",
        field="server",
    ),
    Row(
        errors.Unavailable,
        _(
            "There is no Exchange any more at the address of your server. Your meetings are kept; Sally tries again. "
            "If the server has a new address, enter it."
        ),
        _(
            "There is no Exchange at this address. Nothing was connected; check the address, or ask your IT department "
            "for it."
        ),
        code="EWS-404",
        field="server",
        reconnect=True,
    ),
    Row(
        errors.Unavailable,
        _(
            "Your Exchange server does not let Sally in any more. Ask your IT department whether Exchange Web Services "
            "are switched off or blocked. Your meetings are kept; Sally tries again."
        ),
        _(
            "The server lets nobody in this way. Nothing was connected; ask your IT department whether Exchange Web "
            "Services are switched off or blocked."
        ),
        code="EWS-403",
        field="server",
    ),
    Row(
        errors.Unavailable,
        _(
            "A web page answers in place of your Exchange server, such as a proxy's sign-in. Ask your IT department if "
            "it stays so. Your meetings are kept; Sally tries again."
        ),
        _(
            "A web page answered in place of Exchange, such as the sign-in of Outlook on the web or of a proxy. "
            "Nothing was connected; check the address, or ask your IT department for the one of Exchange Web Services."
        ),
        code="EWS-PAGE",
        field="server",
    ),
    Row(
        errors.Unavailable,
        _(
            "Your Exchange server sends Sally to another address, where she does not go by herself. Your meetings are "
            "kept; Sally tries again. If the server has a new address, enter it."
        ),
        _(
            "The server sends Sally to another address, where she does not go by herself. Nothing was connected; check "
            "the address, or ask your IT department for the right one."
        ),
        code="EWS-REDIRECT",
        field="server",
        reconnect=True,
    ),
    Row(
        errors.Unavailable,
        _(
            "Your Exchange server offers no kind of sign-in any more that Sally can use. Ask your IT department to "
            "offer NTLM or Basic for Exchange Web Services. Your meetings are kept; Sally tries again."
        ),
        _(
            "The server offers no kind of sign-in that Sally can use. Nothing was connected; ask your IT department to "
            "offer NTLM or Basic for Exchange Web Services."
        ),
        code="EWS-AUTH",
        field="server",
    ),
    Row(
        errors.Unavailable,
        _(
            "The sign-in at your Exchange server breaks off half-way, as it does when a proxy in between does not keep "
            "connections open. Ask your IT department if it stays so. Your meetings are kept; Sally tries again."
        ),
        _(
            "The sign-in broke off half-way, as it does when a proxy in between does not keep connections open. "
            "Nothing was connected; ask your IT department."
        ),
        code="EWS-HANDSHAKE",
        field="server",
    ),
    # -- what passes by itself -----------------------------------------------------------------------------------
    Row(
        errors.RateLimited,
        _("Your Exchange server asks Sally to wait a little. Your meetings are kept; Sally tries again."),
        _("The server is busy and asks Sally to wait a little. Nothing was connected; try again in a few minutes."),
        code="EWS-BUSY",
    ),
    Row(
        errors.Unavailable,
        _("Your mailbox is being moved at the moment. Your meetings are kept; Sally tries again."),
        _("This mailbox is being moved at the moment. Nothing was connected; try again when that is done."),
        code="EWS-MOVE",
    ),
    Row(
        errors.Unavailable,
        _("Your Exchange server cannot open the mailbox at the moment. Your meetings are kept; Sally tries again."),
        _("The server cannot open the mailbox at the moment. Nothing was connected; try again later."),
        code="EWS-STORE",
    ),
    Row(
        errors.Unavailable,
        _("Your Exchange server has a problem of its own at the moment. Your meetings are kept; Sally tries again."),
        _(
            "The server has a problem of its own at the moment. Nothing was connected; try again later, or ask your IT "
            "department."
        ),
        code="EWS-CAS",
    ),
    Row(
        errors.Unavailable,
        _(
            "Your Exchange server finds no calendar in the mailbox. Ask your IT department if it stays so. Your "
            "meetings are kept; Sally tries again."
        ),
        _("The server finds no calendar in this mailbox. Nothing was connected; ask your IT department."),
        code="EWS-FOLDER",
    ),
)
