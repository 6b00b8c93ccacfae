"""Invitations: a new user's one-time link, sent by mail; there is no open sign-up."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from sally import mails
from sally.models import User


class InvitationTokens(PasswordResetTokenGenerator):
    """Good for ``PASSWORD_RESET_TIMEOUT``; used up by the first password, and no password-reset link."""

    key_salt = "sally.invitations"

    def check_token(self, user: User | None, token: str | None) -> bool:
        return user is not None and user.is_active and super().check_token(user, token)


tokens = InvitationTokens()


def link(user: User) -> str:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("invitation", kwargs={"uidb64": uid, "token": tokens.make_token(user)})
    return f"{settings.PUBLIC_URL}{path}"


def send(user: User) -> bool:
    """Mail the link. False when the mail server refuses."""
    return mails.send(user, "invitation", {"link": link(user)})
