"""Deleting all that is stored about a person, in one transaction, and the receipt for it.

The receipt is its own address: signed, good for a day and stored nowhere. It names nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core import signing
from django.db import transaction
from django.dispatch import Signal

from sally import stored
from sally.models import User
from sally.stored import Words

logger = logging.getLogger(__name__)

VALID_FOR = timedelta(hours=24)
SALT = "sally.receipts"

# user: about to be deleted. Receivers stop what works for the person, and take away what names them outside the kinds;
# in the same transaction, before any row goes.
deleting = Signal()


def delete_everything(user: User) -> dict[str, int] | None:
    """Delete the rows of every kind, the account at last; how many of each. None if it was done already."""
    with transaction.atomic():
        # Before the person is locked: whoever has a connection locked may be about to look for its owner.
        deleting.send(User, user=user)
        # no_key: a sync that is just writing, and has its connection locked, looks for the owner once more.
        if User.objects.select_for_update(no_key=True).filter(pk=user.pk).first() is None:
            return None
        counts = {kind.label: kind.delete(kind.of(user)) for kind in reversed(stored.kinds())}
    logger.info("everything about user %s was deleted: %d rows", user.pk, sum(counts.values()))
    return counts


@dataclass(frozen=True)
class Line:
    title: Words
    count: int


@dataclass(frozen=True)
class Receipt:
    """``counts``: rows that were deleted, by kind; ``at``: when, UTC. ``mailed``: whether a mail says the same."""

    counts: Mapping[str, int]
    at: datetime
    mailed: bool = False

    @property
    def lines(self) -> Sequence[Line]:
        """Without kinds of which there was nothing."""
        return [Line(kind.title, self.counts[kind.label]) for kind in stored.kinds() if self.counts.get(kind.label, 0)]

    @property
    def token(self) -> str:
        """Good in an address."""
        content = {"counts": dict(self.counts), "at": self.at.isoformat(), "mailed": self.mailed}
        return signing.dumps(content, salt=SALT, compress=True)


def receipt_of(token: str) -> Receipt:
    """Raises ``SignatureExpired`` after a day, and ``BadSignature`` for what is no receipt."""
    content = signing.loads(token, salt=SALT, max_age=VALID_FOR)
    return Receipt(content["counts"], datetime.fromisoformat(content["at"]), content["mailed"])
