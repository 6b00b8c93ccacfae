"""Sign-ins under way at a provider: what must come back, for whom, once."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from integrations import problems
from integrations.accounts import SignedIn
from integrations.errors import (
    ApprovalNeeded,
    OperatorProblem,
    PermissionMissing,
    ProviderError,
    ReconnectNeeded,
    SignInCancelled,
)
from integrations.fields import EncryptedJSONField
from integrations.models.access import AccessRecord, Why
from integrations.models.approvals import ApprovalRequest
from integrations.models.connections import CalendarConnection
from integrations.models.troubles import OperatorTrouble
from integrations.providers import BY_SIGN_IN
from integrations.trail import Trail
from sally.models import User

SIGN_IN_LASTS = timedelta(minutes=15)
OTHER_ACCOUNT, CONNECTED, DISMISSED = "another account", "connected", "dismissed"
# What ends a sign-in where an organization's admin has not approved Sally, or may not have.
STOPPED_BY = frozenset(kind.__name__ for kind in (ApprovalNeeded, SignInCancelled, PermissionMissing))


class OtherAccount(Exception):
    """Somebody else signed in than the account of the connection that was to be mended."""


class SignInQuerySet(models.QuerySet["SignIn"]):
    def begin(
        self,
        user: User,
        provider: str,
        *,
        redirect_uri: str,
        connection: CalendarConnection | None = None,
        account: str = "",
        claims: str = "",
    ) -> SignIn:
        """Start a sign-in at the provider, to mend ``connection`` if there is one; else ``account`` is filled in there.

        ``claims`` is a challenge to pass on, where it is not the connection's own. Raises ``ProviderError``; then
        nothing is stored.
        """
        now = timezone.now()
        state = secrets.token_urlsafe(32)
        hint, own = (connection.account_email, connection.claims) if connection else (account, "")
        with AccessRecord.objects.trail_of(user, Why.CONNECTING, connection, hint) as trail:
            with _telling_operators(now):
                flow = BY_SIGN_IN[provider].begin(
                    trail, redirect_uri=redirect_uri, state=state, login_hint=hint, claims=claims or own
                )
            with transaction.atomic():
                AccessRecord.objects.keep_apart(trail, user.pk, Why.CONNECTING, connection, account=hint)
                self.filter(user=user, expires_at__lt=now).delete()
                return self.create(
                    user=user,
                    provider=provider,
                    connection=connection,
                    state_digest=_digest(state),
                    flow=flow,
                    expires_at=now + SIGN_IN_LASTS,
                )

    def drop_offers(self, now: datetime) -> None:
        """Another account's tokens are of no use once the offer to connect it is over."""
        self.filter(outcome=OTHER_ACCOUNT, expires_at__lt=now).delete()

    def stopped(self, user: User) -> SignIn | None:
        """The person's last sign-in where an admin may have to approve, if it did not come back or was stopped.

        None once the person has dismissed it, or got further since.
        """
        doors = [key for key, door in BY_SIGN_IN.items() if door.needs_approval]
        latest = self.filter(user=user, provider__in=doors).order_by("-created_at").first()
        return latest if latest and latest.is_stopped else None

    def dismiss(self, user: User) -> None:
        """The person wants to read no more of what was stopped. Microsoft's page, where it is still open, goes on."""
        unfinished = models.Q(used_at=None) | models.Q(outcome_kind__in=STOPPED_BY)
        self.filter(unfinished, user=user).update(outcome=DISMISSED, outcome_kind="")

    def take(self, user: User, state: str) -> SignIn | None:
        """The person's own open sign-in with this state, which is thereby used up; else None."""
        now = timezone.now()
        open_ones = self.filter(user=user, state_digest=_digest(state), used_at=None, expires_at__gt=now)
        sign_in = open_ones.select_related("connection").first()
        if sign_in is None or not open_ones.update(used_at=now):
            return None
        return sign_in


@contextmanager
def _telling_operators(now: datetime) -> Iterator[None]:
    """Keep what only the operator can mend; the error goes on to whoever asked.

    Not what a person's own parameters can cause: nobody may raise an alarm with a forged callback.
    """
    try:
        yield
    except OperatorProblem as error:
        if problems.is_own_fault(error):
            OperatorTrouble.objects.notice(error, now)
        raise


class SignIn(models.Model):
    """A sign-in under way: what must come back from the provider, for whom, once."""

    id = models.UUIDField(_("id of the sign-in"), primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, verbose_name=_("number of your account"), related_name="+")
    provider = models.CharField(_("provider"), max_length=30)
    connection = models.ForeignKey(
        CalendarConnection,
        models.SET_NULL,
        verbose_name=_("connection to be mended"),
        null=True,
        blank=True,
        related_name="+",
    )
    state_digest = models.CharField(_("what has to come back, as a fingerprint"), max_length=64, unique=True)
    flow = EncryptedJSONField(_("secrets of the sign-in"))
    created_at = models.DateTimeField(_("begun at"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("good until"))
    used_at = models.DateTimeField(_("come back at"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=60, blank=True)
    outcome_kind = models.CharField(_("kind of error"), max_length=40, blank=True)  # its class, by name

    objects = SignInQuerySet.as_manager()

    def __str__(self) -> str:
        return f"sign-in {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.used_at is None and self.expires_at > timezone.now()

    @property
    def is_stopped(self) -> bool:
        """Whether it did not come back yet, or came back without what only an admin can approve."""
        if self.used_at is None:
            return self.outcome != DISMISSED
        return self.outcome_kind in STOPPED_BY

    @property
    def address(self) -> str:
        """Where the person goes now."""
        return str(self.flow["auth_uri"])

    @property
    def challenged(self) -> bool:
        """Whether it passes a claims challenge on."""
        return bool(self.flow.get("claims_challenge"))

    @property
    def other_account(self) -> SignedIn | None:
        """Who signed in instead of the connection's account, as long as the person has not decided about it."""
        kept = self.flow.get("other_account") if self.expires_at > timezone.now() else None
        return SignedIn(**kept) if kept else None

    def finish(self, answer: Mapping[str, str]) -> CalendarConnection:
        """Redeem the provider's answer and connect.

        Raises ``ProviderError`` (then no connection is stored), and ``OtherAccount`` when another account than the
        one to be mended signed in: ``accept_other`` connects that one.
        """
        with AccessRecord.objects.trail_of(self.user, Why.CONNECTING, self.connection) as trail:
            return self._redeem(answer, trail)

    def _redeem(self, answer: Mapping[str, str], trail: Trail) -> CalendarConnection:
        provider = BY_SIGN_IN[self.provider]
        try:
            if "error" in answer:  # through a browser: no proof of anything
                account = provider.finish(trail, self.flow, answer)
            else:
                with _telling_operators(timezone.now()):
                    account = provider.finish(trail, self.flow, answer)
        except ProviderError as error:
            self._close(error.code, trail, type(error).__name__)
            if self.connection and isinstance(error, ReconnectNeeded) and error.claims:
                CalendarConnection.objects.filter(pk=self.connection.pk).update(claims=error.claims)
            raise
        if self.connection and account.account_id != self.connection.account_id:
            self._close(OTHER_ACCOUNT, trail, other_account=dataclasses.asdict(account))
            raise OtherAccount
        return self._connect(account, trail)

    def accept_other(self) -> CalendarConnection:
        """Connect the other account after all."""
        account = self.other_account
        assert account  # noqa: S101 - whoever calls has looked
        return self._connect(account, Trail())

    def dismiss_other(self) -> None:
        self._close("another account, dismissed", Trail())

    def _connect(self, account: SignedIn, trail: Trail) -> CalendarConnection:
        with transaction.atomic():
            connection = CalendarConnection.objects.connect(self.user, self.provider, account)
            AccessRecord.objects.keep(trail, self.user_id, Why.CONNECTING, connection)
            mended = self.connection is not None
            ApprovalRequest.objects.settle(self.user, self.provider, account, timezone.now(), mended=mended)
            self._write(CONNECTED)
        trail.clear()
        return connection

    def _close(self, outcome: str, trail: Trail, kind: str = "", **kept: Any) -> None:
        with transaction.atomic():
            # First, because it locks the connection, as a disconnect does.
            AccessRecord.objects.keep_apart(trail, self.user_id, Why.CONNECTING, self.connection)
            self._write(outcome, kind, **kept)

    def _write(self, outcome: str, kind: str = "", **kept: Any) -> None:
        self.outcome, self.outcome_kind = outcome[:60], kind
        self.flow = kept  # the verifier and nonce are of no use any more
        self.save(update_fields=["outcome", "outcome_kind", "flow"])


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()
