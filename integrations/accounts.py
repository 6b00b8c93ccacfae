"""Whose calendar it is that was opened: what a door finds out before a connection is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An account that its owner opened for Sally.

    ``account_id`` tells it again: msal's home_account_id (uid.utid), which never changes, or an Exchange server's
    mailbox. The address may change.
    ``secret`` is what opens it again, ``server`` what was found out about a server of the organization's own (nothing
    where the provider has but one).
    """

    account_id: str
    email: str
    name: str = ""
    scopes: tuple[str, ...] = ()
    secret: Mapping[str, Any] = field(default_factory=dict, repr=False)
    server: Mapping[str, Any] = field(default_factory=dict)
