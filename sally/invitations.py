"""Invitations: a new user's one-time link, sent by mail; there is no open sign-up."""

from __future__ import annotations

import logging
import smtplib

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from sally.models import User

logger = logging.getLogger(__name__)


class InvitationTokens(PasswordResetTokenGenerator):
    """Good for ``PASSWORD_RESET_TIMEOUT``; used up by the first password, and no password-reset link."""

    key_salt = "sally.invitations"


tokens = InvitationTokens()


def link(user: User) -> str:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("invitation", kwargs={"uidb64": uid, "token": tokens.make_token(user)})
    return f"{settings.PUBLIC_URL}{path}"


def send(user: User) -> bool:
    """Mail the link in the user's language, or the inviting admin's. False when the mail server refuses."""
    with translation.override(user.language or translation.get_language() or "en"):
        context = {"user": user, "link": link(user), "public_url": settings.PUBLIC_URL}
        subject = render_to_string("sally/invitation_subject.txt", context).strip()
        text = render_to_string("sally/invitation_mail.txt", context)
    try:
        send_mail(subject, text, None, [user.email])
    except (OSError, smtplib.SMTPException) as exc:
        logger.error("invitation of user %s could not be sent: %s", user.pk, type(exc).__name__)
        return False
    return True
