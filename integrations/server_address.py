"""What a person types as the address of an Exchange server, read into the one address that Sally asks, or refused.

Whether the host may be reached is not decided here but when it is connected to (``integrations.outbound``): a name says
nothing about where it leads.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum

import idna

_MOST_CHARACTERS = 2048
_PORT = 443
# Spaces that come along when an address is copied; anything else that is blank is not ours to guess at.
_AROUND = " \t\r\n\u00a0\u3000"
_SCHEME = re.compile(r"([a-z][a-z0-9+-]*):(?!\d)", re.IGNORECASE)
# Microsoft allows underscores in the names of machines, and so do resolvers and certificates.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOOPBACK = ("localhost", "localhost.localdomain", "localhost6", "localhost6.localdomain6", "ip6-localhost", "loopback")
# Exchange Online and Outlook.com, whose mailboxes are read with a Microsoft sign-in, and their national clouds
# (https://learn.microsoft.com/microsoft-365/enterprise/microsoft-365-endpoints).
_CLOUD = (
    "outlook.com",
    "office365.com",
    "office.com",
    "outlook.live.com",
    "hotmail.com",
    "onmicrosoft.com",
    "cloud.microsoft",
    "office365.us",
    "outlook.us",
    "webmail.apps.mil",
    "outlook.cn",
    "office365.cn",
    "outlook.office.de",
)


class Reason(Enum):
    """Why an address is refused; who shows it finds the words."""

    EMPTY = "empty"
    TOO_LONG = "too long"
    NOT_HTTPS = "a scheme other than https"
    USERINFO = "an @ before the host"
    PORT = "a port other than 443"
    NOT_A_HOST = "no host name"
    NUMBER = "a number that resolvers take for an IP address"
    LOOPBACK = "a name of the machine itself"
    CLOUD = "Microsoft's cloud"


class AddressRefused(ValueError):
    """Never holds what was typed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True)
class ServerAddress:
    """``host``: in ASCII and lower case, without a trailing dot; an IPv6 address without brackets."""

    host: str
    port: int = _PORT

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORT else f":{self.port}"
        return f"https://{host}{port}/EWS/Exchange.asmx"


def read_address(text: str, sandbox: str = "") -> ServerAddress:
    """The server that a person means; whatever path they add, Exchange answers at one. Raises ``AddressRefused``.

    Accepts a host, host and port, either with a path, and the whole https address. ``sandbox`` is the one
    ``host:port``, in lower case, that may be the machine itself and have another port than 443.
    """
    text = text.strip(_AROUND)
    if not text:
        raise AddressRefused(Reason.EMPTY)
    if len(text) > _MOST_CHARACTERS:
        raise AddressRefused(Reason.TOO_LONG)
    if "\\" in text or any(character.isspace() or not character.isprintable() for character in text):
        raise AddressRefused(Reason.NOT_A_HOST)
    host, port = _split_port(_authority(text))
    host = _read_host(host)
    if f"{host}:{port}" == sandbox:
        return ServerAddress(host, port)
    if port != _PORT:
        raise AddressRefused(Reason.PORT)
    if host in _LOOPBACK or host.endswith(".localhost"):
        raise AddressRefused(Reason.LOOPBACK)
    if any(host == cloud or host.endswith(f".{cloud}") for cloud in _CLOUD):
        raise AddressRefused(Reason.CLOUD)
    return ServerAddress(host, port)


def _authority(text: str) -> str:
    """Host and port: without scheme, path, query and fragment."""
    before, slashes, after = text.partition("://")
    has_scheme = bool(slashes) and not re.search(r"[/?#@]", before)
    authority, rest = _cut(after if has_scheme else text)
    if "@" in authority:
        raise AddressRefused(Reason.USERINFO)
    if before.lower() != "https" if has_scheme else _SCHEME.match(authority):
        raise AddressRefused(Reason.NOT_HTTPS)
    if rest[:1] == "#":  # behind a path it is Outlook's own, as in /owa/#path=/mail
        raise AddressRefused(Reason.NOT_A_HOST)
    return authority


def _cut(text: str) -> tuple[str, str]:
    end = re.search(r"[/?#]|$", text)
    position = end.start() if end else len(text)
    return text[:position], text[position:]


def _split_port(authority: str) -> tuple[str, int]:
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        host, colon, port = host + bracket, rest[:1], rest[1:]
        if colon not in ("", ":"):
            raise AddressRefused(Reason.NOT_A_HOST)
    else:
        host, colon, port = authority.partition(":")
    if not colon:
        return host, _PORT
    if ":" in port:  # an IPv6 address without its brackets
        raise AddressRefused(Reason.NOT_A_HOST)
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port):
        raise AddressRefused(Reason.PORT)
    return host, int(port)


def _read_host(text: str) -> str:
    if text.startswith("["):
        return _read_ipv6(text)
    # Only a plain dotted IPv4 address is one; what merely turns into one is a disguise.
    if _is_ipv4(text):
        return text
    host = _to_ascii(text).removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # https://url.spec.whatwg.org/#ends-in-a-number-checker
        raise AddressRefused(Reason.NUMBER)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused(Reason.NOT_A_HOST)
    return host


def _read_ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise AddressRefused(Reason.NOT_A_HOST) from None
    if not text.endswith("]") or address.scope_id is not None:
        raise AddressRefused(Reason.NOT_A_HOST)
    return address.compressed


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _to_ascii(text: str) -> str:
    """UTS #46, as browsers do it: letters of other shapes and widths become plain, other scripts punycode."""
    if text.isascii() and "xn--" not in text.lower():
        return text.lower()
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise AddressRefused(Reason.NOT_A_HOST) from None
