"""Encryption at rest: a model field whose value is readable only with ``FIELD_KEYS`` and only in its own row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    _TextField = models.TextField[Any, Any]  # Django's fields are generic to the type checker only
else:
    _TextField = models.TextField


class SealBroken(Exception):
    """A stored secret cannot be opened: its key is not in ``FIELD_KEYS``, or it belongs to another row."""


class Ciphertext(str):
    """A sealed value as it stands in the database; tells itself apart from a value that was assigned."""


def _keys() -> list[Fernet]:
    return [Fernet(key) for key in settings.FIELD_KEYS]


def seal(value: Any, owner: object) -> Ciphertext:
    """Encrypt with the first key. Fernet binds nothing to a row, so the owner's id goes inside."""
    plain = json.dumps({"owner": str(owner), "value": value}, separators=(",", ":"))
    return Ciphertext(MultiFernet(_keys()).encrypt(plain.encode()).decode())


def unseal(sealed: str, owner: object) -> Any:
    """Decrypt with any key; raises ``SealBroken``, whose text holds nothing secret."""
    try:
        content = json.loads(MultiFernet(_keys()).decrypt(sealed.encode()))
    except InvalidToken:
        raise SealBroken("no key in FIELD_KEYS opens this secret") from None
    if content["owner"] != str(owner):
        raise SealBroken("this secret belongs to another row")
    return content["value"]


def rotated(sealed: str) -> Ciphertext | None:
    """The same secret under the first key, or None when it is already. Raises ``SealBroken``."""
    keys = _keys()
    try:
        keys[0].decrypt(sealed.encode())
    except InvalidToken:
        pass
    else:
        return None
    try:
        return Ciphertext(MultiFernet(keys).rotate(sealed.encode()).decode())
    except InvalidToken:
        raise SealBroken("no key in FIELD_KEYS opens this secret") from None


class _SealedAttribute:
    """Opens the stored value when it is first read, so that listing rows opens nothing."""

    def __init__(self, field: EncryptedJSONField) -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        name = self.field.attname
        if name not in instance.__dict__:
            instance.refresh_from_db(fields=[name])  # deferred
        value = instance.__dict__[name]
        if isinstance(value, Ciphertext):
            value = instance.__dict__[name] = unseal(value, instance.pk)
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedJSONField(_TextField):
    """A JSON value, sealed on saving and bound to the row's primary key (which must exist: use a UUID)."""

    # What the type checker lets be assigned and read; the text is an affair of the database.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _SealedAttribute(self))

    def from_db_value(self, value: str | None, *_: Any) -> Ciphertext | None:
        return None if value is None else Ciphertext(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname)
        return value if isinstance(value, Ciphertext) else seal(value, model_instance.pk)

    def get_prep_value(self, value: Any) -> Any:
        if value is not None and not isinstance(value, Ciphertext):
            raise TypeError(f"{self.name} is sealed with its row's id: assign it and save(), do not update()")
        return value

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: models.Model) -> str:
        """Serialisers (dumpdata) get the sealed form."""
        return str(self.pre_save(obj, add=False))
