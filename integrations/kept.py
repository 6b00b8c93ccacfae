"""The kinds of rows about a person that this app keeps."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from integrations.models import (
    AccessRecord,
    ApprovalRequest,
    CalendarConnection,
    ConnectionSecret,
    PasswordTrial,
    SignIn,
)
from sally.stored import Stored

KINDS: Sequence[Stored] = (
    Stored(
        model=CalendarConnection,
        title=_("Your connected calendars"),
        why=_(
            "Which calendars Sally reads for you and what you chose for each, how it went, and when she looks next. "
            "Kept until you disconnect the calendar."
        ),
        of=lambda user: CalendarConnection.objects.filter(owner=user),
        order=100,
        words={"owner": _("number of your account")},
    ),
    Stored(
        model=ConnectionSecret,
        title=_("What opens your calendars"),
        why=_(
            "The token that Microsoft gave Sally for a calendar, or your password for an Exchange server. Encrypted; "
            "no page shows it, not even to you. Kept until you disconnect the calendar."
        ),
        of=lambda user: ConnectionSecret.objects.filter(connection__owner=user),
        order=110,
        sealed=frozenset({"payload"}),
    ),
    Stored(
        model=SignIn,
        title=_("Sign-ins at Microsoft"),
        why=_(
            "So that Sally knows you again when you come back from Microsoft, and can tell you what to do if an admin "
            "has to approve first. Good for a quarter of an hour, and deleted two weeks later."
        ),
        of=lambda user: SignIn.objects.filter(user=user),
        order=120,
        sealed=frozenset({"flow", "state_digest"}),
    ),
    Stored(
        model=PasswordTrial,
        title=_("Passwords tried at an Exchange server"),
        why=_(
            "So that no wrong password is sent so often that the server locks your account. A refused password is kept "
            "as a fingerprint for ten minutes, the rest for a quarter of an hour."
        ),
        of=lambda user: PasswordTrial.objects.filter(user=user),
        order=130,
        sealed=frozenset({"account", "refused_password"}),
    ),
    Stored(
        model=ApprovalRequest,
        title=_("What you asked your admin for"),
        why=_(
            "The request for an admin's approval that the link for your IT belongs to, and what was answered. Deleted "
            "four weeks later, or when you dismiss it."
        ),
        of=lambda user: ApprovalRequest.objects.filter(user=user),
        order=140,
        words={"user": _("number of your account")},
    ),
    Stored(
        model=AccessRecord,
        title=_("The access log"),
        why=_("What Sally asked your calendars' providers for with your permission, and why. Kept for 30 days."),
        of=lambda user: AccessRecord.objects.filter(owner=user),
        order=150,
        words={"owner": _("number of your account")},
    ),
)
