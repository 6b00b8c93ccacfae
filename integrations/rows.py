"""A line of the table of problems, and what a person reads of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from integrations import errors
from integrations.errors import ProviderError

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# Text for people: translated when it is shown.
Words = Union[str, "_StrPromise"]


@dataclass(frozen=True)
class Problem:
    """What happened and what to do. ``reconnect``: signing in again helps; ``tile``: another door is the right one.

    ``approval``: an admin of the organization has to approve first. ``field``: what of a form it is about, "" for none.
    """

    text: Words
    code: str
    reconnect: bool = False
    tile: str = ""
    field: str = ""
    approval: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``text`` is for a connection that exists, ``sign_in`` for a sign-in that ended with it, ``operator`` for those who
    run Sally; where they are empty, those of the class count. An answer of Entra's belongs to the first row that names
    its ``error`` (or names none) and either its number or its suberror (or neither). The code is the number where the
    row names it, else the row's own. ``at`` is the key of the door that the row is for, "" for all that have no row of
    their own for that code. ``own_fault``: surely of Sally's registration or settings, and nothing that a person's own
    parameters can cause. ``at_sign_in``: only sign-ins meet it, so that renewed tokens prove nothing.
    """

    kind: type[ProviderError]
    text: Words = ""
    sign_in: Words = ""
    code: str = ""
    tile: str = ""
    at: str = ""
    field: str = ""
    errors: Collection[str] = ()
    suberrors: Collection[str] = ()
    numbers: Collection[int] = ()
    operator: Words = ""
    own_fault: bool = False
    at_sign_in: bool = False
    reconnect: bool | None = None

    def concerns(self, error: str, suberror: str, number: int) -> bool:
        if self.kind is errors.OnlyHere:
            return False
        if self.errors and error not in self.errors:
            return False
        if self.numbers or self.suberrors:
            return number in self.numbers or suberror in self.suberrors
        return bool(self.errors)
