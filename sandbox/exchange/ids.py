"""Ids and change keys: opaque to clients, base64 of bytes, and all others once the mailbox was moved."""

import base64
import binascii
import hashlib
import struct
from datetime import UTC, datetime

from sandbox.ics import Series
from sandbox.installation import switches
from sandbox.mailbox import MASTER, Item, OpenMailbox

_ITEM, _FOLDER = b"\x00\x03\x24", b"\x01\x03\x24"  # the ids of real servers begin with AAMk and AQMk
_DIGEST = 48
_KEY_HEAD = b"\x11\x00\x00\x00\x16\x00\x00\x00"


def _digest(*parts: str) -> bytes:
    return hashlib.sha384("\0".join([*parts, str(switches().exchange_moved)]).encode()).digest()


def _written(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def item_id(mailbox: OpenMailbox, item: Item) -> str:
    """An occurrence's is not its master's."""
    head = _ITEM + _digest(mailbox.person_oid, item.series.uid)
    if item.kind == MASTER or item.slot is None:
        return _written(head + b"\x00\x00\x00")
    return _written(head + b"\x01\x51\x00" + struct.pack(">q", int(item.slot.timestamp())))


def change_key(mailbox: OpenMailbox, series: Series) -> str:
    """One for a master and all its occurrences, since a mailbox keeps them as one thing."""
    return _written(_KEY_HEAD + _digest(mailbox.person_oid, series.digest, "key")[:22])


def find(mailbox: OpenMailbox, id: str) -> Item | None:
    """The thing with this id, or None. Raises ``ValueError`` for what no server would take for an id."""
    try:
        raw = base64.b64decode(id, validate=True)
    except binascii.Error as exc:
        raise ValueError(id) from exc
    digest, rest = raw[len(_ITEM) :][:_DIGEST], raw[len(_ITEM) + _DIGEST :]
    if not raw.startswith(_ITEM) or len(rest) not in (3, 11):
        raise ValueError(id)
    series = next((one for one in mailbox.series if _digest(mailbox.person_oid, one.uid) == digest), None)
    if series is None:
        return None
    if len(rest) == 3:
        return mailbox.whole(series)
    try:
        slot = datetime.fromtimestamp(struct.unpack(">q", rest[3:])[0], UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return mailbox.at(series, slot)


def folder_id(person_oid: str, name: str) -> str:
    return _written(_FOLDER + _digest(person_oid, "folder", name) + b"\x00\x00\x00")


def folder_key(person_oid: str, name: str) -> str:
    return _written(b"\x02\x00\x00\x00\x16\x00\x00\x00" + _digest(person_oid, "folder key", name)[:22])


def is_folder_id(id: str) -> bool:
    try:
        return base64.b64decode(id, validate=True).startswith(_FOLDER)
    except binascii.Error:
        return False
