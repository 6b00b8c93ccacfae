"""What Sally stores about a person: kinds of rows, for the person to read about, to take along and to delete.

An app adds its kinds with ``register``. A model that is of no kind needs a reason (tests/sally/test_stored.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

from django.db.models import Field, Model, QuerySet
from django.utils.translation import gettext_lazy as _

from sally.models import User

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Words = Union[str, "_StrPromise"]


@dataclass(frozen=True)
class StoredField:
    """A column, in words for the person whose row it is. ``sealed``: its value is shown to nobody."""

    name: str
    words: Words
    sealed: bool


def _delete(rows: QuerySet[Any]) -> int:
    """One statement, as long as nothing hangs on the model; how many rows there were."""
    _total, by_label = rows.delete()
    return by_label.get(rows.model._meta.label, 0)


@dataclass(frozen=True)
class Stored:
    """Rows of one model about a person.

    ``why``: what for, and how long kept. ``of`` finds a person's rows. ``order``: kinds are shown in it and deleted
    against it, so that what hangs on other rows stands behind them; the account itself is the first. ``sealed``: fields
    whose value is encrypted, hashed or a secret; of these a person learns only whether there is one. ``words``: for
    fields whose own words are missing or are somebody else's.
    """

    model: type[Model]
    title: Words
    why: Words
    of: Callable[[User], QuerySet[Any]]
    order: int
    sealed: frozenset[str] = frozenset()
    words: Mapping[str, Words] = field(default_factory=dict)
    delete: Callable[[Any], int] = _delete

    @property
    def label(self) -> str:
        return self.model._meta.label

    @property
    def fields(self) -> list[StoredField]:
        return [
            StoredField(one.name, self.words.get(one.name) or _words_of(one), one.name in self.sealed)
            for one in self.model._meta.concrete_fields
        ]


def _words_of(one: Field[Any, Any]) -> Words:
    return _("number of the row") if one.auto_created else one.verbose_name


_kinds: dict[str, Stored] = {}


def register(*kinds: Stored) -> None:
    """Add kinds, or replace those of the same models."""
    _kinds.update({one.label: one for one in kinds})


def kinds() -> list[Stored]:
    return sorted(_kinds.values(), key=lambda one: one.order)
