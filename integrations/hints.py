"""The account that was tried at the wrong door: kept in the session for the right one, out of addresses and logs."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from django.http import HttpRequest

from integrations.events import LONGEST_ADDRESS

LASTS = 15 * 60.0  # seconds: as long as a sign-in
_KEY = "account_hint"
# The addresses that HTML's e-mail fields take (https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address).
_PLAIN = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Hint:
    """Which tile is the right one, and for which account."""

    tile: str
    account: str


def remember(request: HttpRequest, tile: str, account: str) -> None:
    """Keep ``account`` for this tile if it is a plain e-mail address; an earlier one is forgotten either way."""
    forget(request)
    if len(account) <= LONGEST_ADDRESS and _PLAIN.fullmatch(account):
        request.session[_KEY] = {"tile": tile, "account": account, "until": time.time() + LASTS}


def current(request: HttpRequest) -> Hint | None:
    kept = request.session.get(_KEY)
    return Hint(kept["tile"], kept["account"]) if kept and kept["until"] > time.time() else None


def account_for(request: HttpRequest, tile: str) -> str:
    """The address to fill in at this tile, "" where there is none."""
    hint = current(request)
    return hint.account if hint and hint.tile == tile else ""


def forget(request: HttpRequest) -> None:
    request.session.pop(_KEY, None)
