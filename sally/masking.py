"""What no log, no stored error and no error report may show, and how it is taken out: by name, by shape, by value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from django.conf import settings

MASK = "[masked]"
# Shorter values are words that stand elsewhere too.
SHORTEST_VALUE = 6

_STEMS = (
    "token|passw|passphrase|secret|assertion|authori[sz]ation|cookie|sessionid|session[_-]key|csrf|api[_-]?key"
    "|private[_-]key|credential|code[_-]verifier|client[_-]info|nt(?:v2)?_hash|lm_hash"
)
# Words of every day as well: hidden as a parameter or a quoted key, but not in "state: connected" or "exit code: 1".
_WORDS = "pwd|passcode|code|state|nonce|session[_-]state|device[_-]code|user[_-]code"
_NAMED = re.compile(rf"{_STEMS}|^(?:{_WORDS})$", re.IGNORECASE)

# Every part is bounded or possessive, and what is matched is consumed: the time grows with the text's length, no more.
_QUOTED = r"""[bBuUrRfF]{0,2}(?:"(?:\\.|[^"\\\r\n])*+"?|'(?:\\.|[^'\\\r\n])*+'?)"""
_IN_QUOTES = r"""\\{1,7}["'](?:(?!\\{1,7}["'][ \t]{0,3}(?:[,}\]:)]|$))[^\r\n])*+(?:\\{1,7}["'])?"""
_VALUE = (
    rf"""(?:[\[(][ ]{{0,3}}{_QUOTED}(?:,[ ]{{0,3}}{_QUOTED})*+[,]?[\])]?|\{{[^}}\r\n]*+\}}?"""
    rf"""|{_QUOTED}|{_IN_QUOTES}|[^\s&"'<>;]++)"""
)
_END_OF_KEY = r"""[\w.-]{0,64}+"""
_STEM = rf"(?:{_STEMS}){_END_OF_KEY}"
_WORD = rf"(?:(?<![\w-])|(?<=%3F)|(?<=%26))(?:{_WORDS})"
_PARAMETER = re.compile(
    # a=b, a%3Db, "a": b, 'a': b, \"a\": b, "a" = b (SQL), a = b
    rf"""(?P<key>(?:(?:{_STEM}|{_WORD})(?:=|%3D|\\{{0,7}}["'][ \t]{{0,3}}[:=,][ \t]{{0,3}})|{_STEM}[ ]=[ ]))"""
    rf"(?P<value>{_VALUE})",
    re.IGNORECASE,
)
# To the end of the line: a header's value has spaces in it, and cookies semicolons.
_HEADER = re.compile(
    rf"(?P<key>(?:(?:proxy-)?authori[sz]ation|(?:set-)?cookie|(?:^|[\r\n]|\\r|\\n)[ \t]{{0,3}}[\w-]{{0,20}}?{_STEM})"
    r"[ \t]{0,3}:[ \t]{0,3})(?P<value>(?:(?!\\[rn])[^\r\n])++)",
    re.IGNORECASE,
)
_COLON = re.compile(rf"(?P<key>{_STEM}[ \t]{{0,3}}:[ \t]{{0,3}})(?P<value>{_VALUE})", re.IGNORECASE)
_NAMED_VALUES = (_HEADER, _PARAMETER, _COLON)

_SHAPES = re.compile(
    r"eyJ[\w-]{8,}+(?:\.[\w-]*+){0,4}"  # JWT, JWE
    r"|(?<![\w.])[01]\.A[\w.-]{16,}+"  # Entra: codes and refresh tokens
    r"|(?<![\w.])M\.C[\w.!*$-]{12,}+"  # personal accounts: the same
    r"|(?<![\w.])Ew[A-D][\w+/=-]{24,}+"  # personal accounts: access tokens
    r"|(?<![\w-])[0-9a-z]{5,8}-[0-9a-f]{32}(?![\w-])"  # Django's, in links that invite and that reset a password
    r"|(?<![0-9a-f])[0-9a-f]{32}(?::|%3A)[\w-]{20,}+"  # in links for an admin's approval
    r"|gAAAAA[\w-]{40,}+=*+"  # Fernet
    r"|TlRMTVNTU[\w+/]{3,}+=*+"  # NTLM's messages: the third is as good as a hash of the password
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]{0,30}-----)?"
)
_SCHEMES = re.compile(
    # "Basic" and "Bearer" are words too; in small letters they are taken for one where a short word follows.
    r"(?<![\w-])(?P<key>(?:Basic|Bearer|BASIC|BEARER"
    r"|(?i:basic|bearer|negotiate|ntlm|pop)(?![ ]{1,3}[a-z-]{1,15}(?![\w.~+/=-])))"
    r"[ \t]{1,3})(?P<value>[\w.~+/=:-]++)"
)
_USERINFO = re.compile(r"(?P<key>://[^/\s:@\"']{0,100}+:)(?P<value>[^/\s@\"']{1,200}+)(?=@)")


def is_secret(name: object) -> bool:
    """Whether what has this name is hidden: a setting, a key of a dictionary, a header, a cookie, a variable."""
    return isinstance(name, str | bytes) and bool(
        _NAMED.search(name if isinstance(name, str) else name.decode("latin-1"))
    )


def mask_text(text: str) -> str:
    """``text`` without secrets. May be applied again; takes time in proportion to the length."""
    for value in secret_values():
        text = text.replace(value, MASK)
    for pattern in _NAMED_VALUES:
        text = pattern.sub(_keep_key, text)
    text = _SCHEMES.sub(_keep_key, text)
    text = _USERINFO.sub(_keep_key, text)
    return _SHAPES.sub(MASK, text)


def mask(value: Any, depth: int = 8) -> Any:
    """Plain values without secrets: containers go by the names of their keys; anything else stays what it is."""
    if isinstance(value, str):
        return mask_text(str(value))
    if isinstance(value, bytes):
        return mask_text(value.decode("utf-8", "replace"))
    if depth == 0:
        return MASK
    if isinstance(value, Mapping):
        return {name: MASK if is_secret(name) else mask(one, depth - 1) for name, one in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_pairs(value, depth))
    return value


def _pairs(values: Any, depth: int) -> Iterator[Any]:
    """Also lists of ("name", "value"), which is how forms and headers are often given."""
    for one in values:
        if type(one) is tuple and len(one) == 2 and is_secret(one[0]):
            yield one[0], MASK
        else:
            yield mask(one, depth - 1)


def _keep_key(match: re.Match[str]) -> str:
    return match["key"] + MASK


def secret_values() -> tuple[str, ...]:
    """The settings that are secrets themselves, longest first, in every spelling that a text may give them."""
    if not settings.configured:
        return ()
    named = ("SECRET_KEY", "MICROSOFT_CLIENT_SECRET", "DEMO_PASSWORD", "EMAIL_HOST_PASSWORD")
    values = [getattr(settings, name, "") for name in named]
    values += [*getattr(settings, "FIELD_KEYS", ()), settings.DATABASES.get("default", {}).get("PASSWORD")]
    values.append(_password_of(getattr(settings, "REDIS_URL", "")))
    return _spellings(*(str(value) for value in values if value))


def _password_of(address: str) -> str:
    try:
        return urlsplit(address).password or ""
    except ValueError:
        return ""


@lru_cache(maxsize=8)
def _spellings(*values: str) -> tuple[str, ...]:
    found = set()
    for value in values:
        if len(value) >= SHORTEST_VALUE:
            found |= {value, quote(value, safe=""), quote(value), quote_plus(value)}
            found |= {json.dumps(value)[1:-1], repr(value)[1:-1]}
    return tuple(sorted(found, key=len, reverse=True))
