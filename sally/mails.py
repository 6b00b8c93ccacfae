"""Mails to people, each in the person's own language."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import translation

from sally.models import User

logger = logging.getLogger(__name__)


def send(user: User, name: str, context: Mapping[str, Any]) -> bool:
    """Mail ``sally/<name>_mail.txt``. False when the mail server cannot be reached or refuses.

    Addresses in it begin with PUBLIC_URL, never with what a request calls the host. Who has not chosen a language yet
    gets that of whoever caused the mail.
    """
    with translation.override(user.language or translation.get_language() or "en"):
        values = {**context, "user": user, "public_url": settings.PUBLIC_URL}
        subject = " ".join(render_to_string(f"sally/{name}_subject.txt", values).split())
        text = render_to_string(f"sally/{name}_mail.txt", values)
    try:
        send_mail(subject, text, None, [user.email])
    except (OSError, smtplib.SMTPException) as exc:
        logger.error("%s mail to user %s could not be sent: %s", name, user.pk, type(exc).__name__)
        return False
    return True
