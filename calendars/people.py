"""Whose address it is: e-mail addresses and domains in the one spelling by which people are told apart.

Whoever counts as internal lets Sally into a meeting. So an address that could be read in two ways is no usable one, and
its owner is a stranger.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import idna

from integrations.events import LONGEST_ADDRESS

_LONGEST_DOMAIN = 253  # the most that the DNS takes
# Underscores as integrations/server_address.py has them. What resolvers take for an IP address is no domain.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!(?:\d+|0x[0-9a-f]*)\Z){_LABEL}", re.ASCII)
# What has a meaning of its own in an address (https://www.rfc-editor.org/rfc/rfc5322#section-3.2.3), and blanks.
_NOT_IN_NAMES = re.compile(r'[\s"(),:;<>@[\\\]]')


class Invited(NamedTuple):
    """Somebody of a meeting, as its calendar tells; ``kind`` as in ``integrations.events.Attendee``."""

    name: str
    address: str
    kind: str = "required"


@dataclass(frozen=True, slots=True)
class Circle:
    """Who is who for one person: the domains of their organization, its active users, and the person.

    ``domains`` as ``canonical_domain`` spells them, ``users`` and ``own`` as ``canonical`` does.
    """

    domains: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()


def canonical_domain(text: str) -> str:
    """A domain as the DNS spells it, in small letters and A-labels; "" where it is none.

    Takes "@company.com" and "company.com." too. Letters of other widths become plain, those of other scripts never do
    (UTS #46, as browsers have it).
    """
    return _domain(text.strip().removeprefix("@"))


@lru_cache(maxsize=65_536)
def canonical(address: str) -> str:
    """One spelling of a mailbox for any letter case, with and without "+tag"; "" where it is no usable address.

    Not usable is what has no domain (an Exchange directory's "/o=…/cn=…"), two addresses in one text, quotes, and what
    is so long that it may have been cut.
    """
    if len(address) >= LONGEST_ADDRESS:
        return ""
    name, _at, domain = address.strip().rpartition("@")
    if not name.isprintable() or _NOT_IN_NAMES.search(name):
        return ""
    name, domain = name.partition("+")[0], _domain(domain)
    # Casefold alone would tell "ı" from its own capital letter.
    return f"{name.upper().casefold()}@{domain}" if name and domain else ""


def _domain(text: str) -> str:
    if len(text) > _LONGEST_DOMAIN + 1:
        return ""
    try:
        domain = ".".join(map(_to_ascii, text.split("."))).removesuffix(".")
    except UnicodeError:  # idna's errors are such too
        return ""
    return domain if len(domain) <= _LONGEST_DOMAIN and _DOMAIN.fullmatch(domain) else ""


def _to_ascii(label: str) -> str:
    """Label by label, for idna refuses underscores and double hyphens, which names in ASCII may have."""
    return label.lower() if label.isascii() else idna.encode(label, uts46=True).decode("ascii")


@lru_cache(maxsize=65_536)
def is_listed(address: str, domains: frozenset[str]) -> bool:
    """Whether the domain of ``address``, or one above it, is among ``domains`` (canonical)."""
    domain = canonical(address).rpartition("@")[2]
    while domain:
        if domain in domains:
            return True
        domain = domain.partition(".")[2]
    return False
