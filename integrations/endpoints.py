"""The kinds of things that Sally asks providers for, told from a request, and which of them only read."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Endpoint(TextChoices):
    """A kind, and the words for people beside it."""

    DISCOVERY = "discovery", _("where people sign in")
    TOKEN = "token", _("access to the calendar")
    CALENDAR_VIEW = "calendarView", _("list of the meetings in a span of time")
    EVENT = "events/{id}", _("one meeting")
    BATCH = "$batch", _("up to 20 meetings with their texts")
    HANDSHAKE = "EWS handshake", _("how to sign in")
    GET_FOLDER = "EWS GetFolder", _("which folder it is")
    FIND_ITEM = "EWS FindItem", _("list of the meetings in a span of time")
    GET_ITEM = "EWS GetItem", _("up to 100 meetings with their texts")
    SYNC_FOLDER_ITEMS = "EWS SyncFolderItems", _("what changed, without contents")
    CONVERT_ID = "EWS ConvertId", _("whose mailbox it is")
    RESOLVE_NAMES = "EWS ResolveNames", _("which address belongs to the user name")
    OTHER = "other", _("something else")


# Operations of EWS that read; any other is ``OTHER``.
_OPERATIONS = {one.value.removeprefix("EWS "): one for one in Endpoint if one.value.startswith("EWS ")}
del _OPERATIONS["handshake"]
# All that is ever posted: Microsoft's sign-in, Graph's batches and EWS have no other method for reading.
_READ_BY_POST = frozenset({Endpoint.TOKEN, Endpoint.BATCH, *_OPERATIONS.values()})
_OPERATION = re.compile(rb"<(?:[\w.-]+:)?Body(?:\s[^>]*)?>\s*<(?:[\w.-]+:)?(\w+)")
_EVENT = re.compile(r"/v1\.0/me/events/[^/]+")
# "NTLMSSP" and the number 1, in base64: the message that opens a handshake and proves nothing yet.
_NTLM_OPENS = "NTLM TlRMTVNTUAAB"


def kind_of(url: str, body: bytes | str | None) -> Endpoint:
    """What is asked for at this address; of EWS, which has one for all, by the operation named in the body."""
    path = urlsplit(url).path
    if path.lower().endswith("/exchange.asmx"):
        found = _OPERATION.search(_bytes(body))
        return _OPERATIONS.get(found[1].decode("ascii", "replace"), Endpoint.OTHER) if found else Endpoint.OTHER
    if path.endswith("/.well-known/openid-configuration"):
        return Endpoint.DISCOVERY
    if path.endswith("/oauth2/v2.0/token"):
        return Endpoint.TOKEN
    if path.endswith("/v1.0/me/calendarView"):
        return Endpoint.CALENDAR_VIEW
    if path.endswith("/v1.0/$batch"):
        return Endpoint.BATCH if _only_gets(body) else Endpoint.OTHER
    return Endpoint.EVENT if _EVENT.fullmatch(path) else Endpoint.OTHER


def only_reads(method: str, endpoint: Endpoint) -> bool:
    return method == "GET" or (method == "POST" and endpoint in _READ_BY_POST)


def as_answered(endpoint: Endpoint, status: int, authorization: str) -> Endpoint:
    """A server that was asked something and answers how one signs in has not looked at anything that was asked."""
    asked_how = not authorization or authorization.startswith(_NTLM_OPENS)
    return Endpoint.HANDSHAKE if status == 401 and asked_how and endpoint in _OPERATIONS.values() else endpoint


def _only_gets(body: bytes | str | None) -> bool:
    try:
        content: Any = json.loads(_bytes(body))
        return all(one["method"] == "GET" for one in content["requests"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return False


def _bytes(body: bytes | str | None) -> bytes:
    return body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""
