"""Passwords that people try at a server: one at a time, a refused one not again, and not too many.

A directory locks an account after a few wrong passwords, and every trial is one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from integrations.errors import PasswordRefused
from sally.models import User

if TYPE_CHECKING:
    from integrations.providers.exchange import Typed

# Longer than a server is waited for: a trial that has not ended by then died.
TRIAL_LASTS = timedelta(seconds=90)
REFUSED_FOR = timedelta(minutes=10)
# So that nobody finds out other people's passwords here, or what answers in which network.
MOST_TRIALS = 10
COUNTED_FOR = timedelta(minutes=15)

Found = TypeVar("Found")


class NotTried(Exception):
    """The password was not sent."""


class AlreadyTrying(NotTried):
    """The same sign-in is under way, in another window or by a double click."""


class NotYet(NotTried):
    """``until``: when it may be tried."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


class RefusedLately(NotYet):
    """The server has just refused this very password."""


class TooManyTrials(NotYet):
    pass


class TrialQuerySet(models.QuerySet["PasswordTrial"]):
    def attempt(
        self,
        user: User,
        typed: Typed,
        look: Callable[[Typed], Found],
        clock: Callable[[], datetime] = timezone.now,
    ) -> Found:
        """What ``look`` finds, which sends the password once. Raises ``NotTried``, and whatever ``look`` raises.

        The password is handed on inside ``typed``, which does not show it: reports of bugs print arguments.
        """
        trial = self.claim(user, typed.address.url, typed.username, clock())
        try:
            trial.ask_whether_refused(typed)
            found = look(typed)
            trial.delete()  # one that worked is none to be counted
            return found
        except PasswordRefused as error:
            if error.code == PasswordRefused.code:
                trial.refused_password = make_password(_peppered(typed))
            raise
        finally:
            trial.end(clock())

    def claim(self, user: User, server: str, username: str, now: datetime) -> PasswordTrial:
        """Begin a trial, unless the same one runs or there were too many. Raises ``NotTried``."""
        with transaction.atomic():
            # One by one for each person, lest many at once all count the same; SQLite's transactions are so anyway.
            User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
            mine = self.filter(user=user)
            mine.filter(ended_at=None, started_at__lte=now - TRIAL_LASTS).update(ended_at=now)
            counted = mine.filter(started_at__gt=now - COUNTED_FOR).order_by("-started_at")
            started = list(counted.values_list("started_at", flat=True)[:MOST_TRIALS])
            if len(started) == MOST_TRIALS:
                raise TooManyTrials(started[-1] + COUNTED_FOR)
            try:
                return self.create(user=user, account=_fingerprint(server, username), started_at=now)
            except IntegrityError:
                raise AlreadyTrying from None

    def forget(self, now: datetime) -> None:
        """Drop what is of no use any more: refused passwords first, then the trials."""
        self.exclude(refused_password="").filter(ended_at__lte=now - REFUSED_FOR).update(refused_password="")
        self.filter(started_at__lte=now - COUNTED_FOR).delete()


class PasswordTrial(models.Model):
    """One password, tried once for one account. The account and a refused password are kept as fingerprints only."""

    user = models.ForeignKey(User, models.CASCADE, verbose_name=_("number of your account"), related_name="+")
    account = models.CharField(_("server and user name, as a fingerprint"), max_length=64)
    started_at = models.DateTimeField(_("begun at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)
    refused_password = models.CharField(_("refused password, as a fingerprint"), max_length=200, blank=True)

    objects = TrialQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "account"], condition=Q(ended_at=None), name="one_trial_at_a_time")
        ]

    def __str__(self) -> str:
        return f"trial {self.pk}"

    def ask_whether_refused(self, typed: Typed) -> None:
        """Raises ``RefusedLately``; this trial then counts for nothing. Any other password wipes the refused one out.

        Asked while this trial runs, and so no other: what is refused meanwhile cannot be missed.
        """
        others = PasswordTrial.objects.filter(user=self.user_id, account=self.account).exclude(refused_password="")
        for one in others.filter(ended_at__gt=self.started_at - REFUSED_FOR):
            if one.ended_at and check_password(_peppered(typed), one.refused_password):
                PasswordTrial.objects.filter(pk=self.pk).delete()
                raise RefusedLately(one.ended_at + REFUSED_FOR)
        others.update(refused_password="")

    def end(self, now: datetime) -> None:
        PasswordTrial.objects.filter(pk=self.pk).update(ended_at=now, refused_password=self.refused_password)


def _fingerprint(server: str, username: str) -> str:
    """People sometimes type their password where the user name belongs."""
    account = f"{server}\n{username.strip().casefold()}"
    return salted_hmac("integrations.trials.account", account, algorithm="sha256").hexdigest()


def _peppered(typed: Typed) -> str:
    """So that whoever gets hold of the database, but not of ``SECRET_KEY``, cannot even guess."""
    return salted_hmac("integrations.trials.password", typed.password, algorithm="sha256").hexdigest()
