"""Mails to people, each in the person's own language."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import timezone, translation

from sally.models import User

logger = logging.getLogger(__name__)


class MailFailed(Exception):
    """This mail could not be sent now; later it may."""


class MailRefused(MailFailed):
    """The mail server will not have it, and asking again would not change that."""


class MailServerDown(MailFailed):
    """Nor could any other."""


def deliver(user: User, name: str, context: Mapping[str, Any]) -> None:
    """Mail ``sally/<name>_mail.txt``. Raises ``MailFailed``, after it was logged.

    Addresses in it begin with PUBLIC_URL, never with what a request calls the host. Who has not chosen a language yet
    gets that of whoever caused the mail.
    """
    with translation.override(user.language or translation.get_language() or "en"), timezone.override(user.zone):
        values = {**context, "user": user, "public_url": settings.PUBLIC_URL}
        subject = " ".join(render_to_string(f"sally/{name}_subject.txt", values).split())
        text = render_to_string(f"sally/{name}_mail.txt", values)
    try:
        send_mail(subject, text, None, [user.email])
    except (OSError, smtplib.SMTPException, ValueError) as exc:  # ValueError: an address that no header can hold
        logger.error("%s mail to user %s could not be sent: %s", name, user.pk, type(exc).__name__)
        raise _kind(exc)(type(exc).__name__) from None


def send(user: User, name: str, context: Mapping[str, Any]) -> bool:
    """``deliver``, and whether it went well."""
    try:
        deliver(user, name, context)
    except MailFailed:
        return False
    return True


def _kind(exc: Exception) -> type[MailFailed]:
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        return MailRefused if all(code >= 500 for code, _answer in exc.recipients.values()) else MailFailed
    if isinstance(exc, smtplib.SMTPSenderRefused | smtplib.SMTPDataError):
        return MailRefused if exc.smtp_code >= 500 else MailFailed
    return MailRefused if isinstance(exc, ValueError) else MailServerDown
