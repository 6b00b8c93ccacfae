"""Who uses Sally: people and the organizations they belong to."""

from __future__ import annotations

import re
import uuid
import zoneinfo
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


def validate_time_zone(name: str) -> None:
    """Accept IANA names only ("Europe/Berlin"), as browsers and the tz database spell them."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(name)s” is no time zone."), params={"name": name})


# What turns the direction of a text or cannot be seen: with it a name could pass for another, on a page or in a mail.
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def plain_name(text: str) -> str:
    """A name as it may stand in mails: on one line, without what turns or hides letters."""
    return " ".join(_UNSEEN.sub("", text).split())


_DOMAIN = re.compile(r"\s*@?(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_]\s*\Z")


def plain_domain(text: str) -> str:
    """A domain as organizations keep it, in small letters and without "@"; "" where it is none."""
    domain = text.strip().lower()
    return domain.removeprefix("@") if _DOMAIN.match(domain) else ""


class Organization(models.Model):
    name = models.CharField(_("name"), max_length=200, unique=True)
    internal_domains = models.JSONField(
        _("internal domains"), default=list, blank=True, help_text=_('A list, for example ["company.com"].')
    )

    class Meta:
        verbose_name = _("organization")
        verbose_name_plural = _("organizations")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        self.name = plain_name(self.name)
        domains = self.internal_domains or []
        if not isinstance(domains, list) or not all(isinstance(one, str) and plain_domain(one) for one in domains):
            text = _("Write domains as a list, for example %(example)s.")
            raise ValidationError({"internal_domains": text % {"example": '["company.com"]'}})
        self.internal_domains = [plain_domain(one) for one in domains]


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, role=User.Role.ADMIN, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an e-mail address.

    ``language`` and ``time_zone`` are empty until the first sign-in, which takes them from the browser.
    """

    class Role(models.TextChoices):
        MEMBER = "member", _("Member")
        ADMIN = "admin", _("Admin")

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    organization = models.ForeignKey(
        Organization, models.PROTECT, verbose_name=_("organization"), related_name="users", null=True, blank=True
    )
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.MEMBER)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, validators=[validate_time_zone])
    is_active = models.BooleanField(_("active"), default=True)
    wants_mails = models.BooleanField(_("Mail me when a calendar needs my attention"), default=True)
    reset_mailed_at = models.DateTimeField(_("password reset last mailed at"), null=True, editable=False)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["email"]
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()
        self.name = plain_name(self.name)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """After ``clean`` the unique address says the same as the constraint, in better words."""
        super().validate_constraints({*(exclude or ()), "email"})

    @property
    def is_staff(self) -> bool:
        """Admins may enter Django admin; what they see there is limited to their organization (sally/admin.py)."""
        return self.is_active and (self.is_superuser or self.role == self.Role.ADMIN)

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """UTC until one is chosen, and where this machine does not know the chosen one (any more)."""
        try:
            return zoneinfo.ZoneInfo(self.time_zone or "UTC")
        except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
            return zoneinfo.ZoneInfo("UTC")

    def get_short_name(self) -> str:
        return self.name or self.email


class Heartbeat(models.Model):
    """When a part of Sally last did its work; the page and the probes of sally.health tell from it that it lives."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    objects: ClassVar[models.Manager[Heartbeat]] = models.Manager()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M}"


class Condition(models.Model):
    """Since when a health check finds what it finds."""

    name = models.CharField(max_length=40, primary_key=True)
    ok = models.BooleanField()
    since = models.DateTimeField()

    objects: ClassVar[models.Manager[Condition]] = models.Manager()

    class Meta:
        verbose_name = _("system health")
        verbose_name_plural = _("system health")

    def __str__(self) -> str:
        return self.name


class SessionManager(BaseSessionManager["Session"]):
    def alive(self, now: datetime) -> models.QuerySet[Session]:
        """Those that would still be let in (sally/sessions.py ends the others when they are used)."""
        return self.filter(
            signed_in_at__gt=now - timedelta(days=settings.SESSION_DAYS),
            used_at__gt=now - timedelta(hours=settings.SESSION_IDLE_HOURS),
        )


class Session(AbstractBaseSession):
    """A browser's session. The columns repeat what the session says of itself, so that listing decodes nothing.

    They are empty while nobody is signed in. ``public_id`` names it on pages: the key would open it.
    """

    public_id = models.UUIDField(
        _("name of the session on pages"), default=uuid.uuid4
    )  # for a moment, a session with a new key has two rows
    user = models.ForeignKey(
        User, models.CASCADE, verbose_name=_("number of your account"), related_name="sessions", null=True
    )
    signed_in_at = models.DateTimeField(_("signed in at"), null=True)
    used_at = models.DateTimeField(_("last used at"), null=True)
    user_agent = models.CharField(_("what the browser calls itself"), max_length=250, blank=True)

    objects: ClassVar[SessionManager] = SessionManager()

    class Meta(AbstractBaseSession.Meta):
        indexes = [models.Index(fields=["user", "-used_at"], name="session_of_user")]

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        store: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
        return store
