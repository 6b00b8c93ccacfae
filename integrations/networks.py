"""What an IP address is to a server that connects on somebody else's word: allowed, private, or never.

Python's ``ipaddress`` changed its mind about single networks between its patch releases (``is_private`` in 3.11.10), so
the tables are written out here, after IANA's registries of special-purpose addresses
(https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Verdict(IntEnum):
    """The greater, the more is allowed. PRIVATE is for the operator to allow; nobody can allow NEVER."""

    NEVER = 0
    PRIVATE = 1
    ALLOWED = 2


_NEVER_4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # "this" network: 0.0.0.0 reaches the machine itself
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and there most clouds' metadata
        "100.100.100.200/32",  # Alibaba Cloud's metadata
        "168.63.129.16/32",  # Azure's agent and DNS
        "192.0.0.0/24",  # protocol assignments, and there Oracle Cloud's metadata
        "192.0.2.0/24",  # documentation, this and the next two
        "198.51.100.0/24",
        "203.0.113.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
]
_PRIVATE_4 = [
    IPv4Network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # behind a provider's address translation
    )
]
_GLOBAL_6 = IPv6Network("2000::/3")  # all that is assigned to hosts of the internet
_PRIVATE_6 = IPv6Network("fc00::/7")
_NEVER_6 = [
    IPv6Network(text)
    for text in (
        "fd00:ec2::/32",  # Amazon's metadata and its siblings
        "fd20:ce::254/128",  # Google Cloud's metadata
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
        "2002::/16",  # 6to4
    )
]
# The IPv4 address in the last 32 bits.
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def judge(address: str | Address) -> Verdict:
    """What may be done with an address. Raises ``ValueError`` where the text is none.

    An IPv6 address that stands for an IPv4 address is never judged better than that one:

    - IPv4-mapped, and NAT64 under its well-known prefix (the only way out of a network without IPv4): allowed where the
      IPv4 address is, NEVER otherwise. Who has a private server can name its plain address, and RFC 6052 forbids
      private addresses under that prefix.
    - IPv4-compatible and -translated, NAT64 under the local prefix, 6to4, Teredo and ISATAP: NEVER. All are deprecated,
      or internal to one network; no Exchange server is published under one, and a tunnel's far end is anybody's.

    An IPv6 address with a scope (``%eth0``) means another machine on every interface: NEVER. A NAT64 prefix of an
    operator's own looks like any other address and cannot be known here.
    """
    if isinstance(address, str):
        address = ip_address(address)
    if isinstance(address, IPv4Address):
        return _judge_4(address)
    return _judge_6(address)


def _judge_4(address: IPv4Address) -> Verdict:
    if any(address in network for network in _NEVER_4):
        return Verdict.NEVER
    return Verdict.PRIVATE if any(address in network for network in _PRIVATE_4) else Verdict.ALLOWED


def _judge_6(address: IPv6Address) -> Verdict:
    if address.scope_id is not None:
        return Verdict.NEVER
    if address in _MAPPED or address in _NAT64:
        inner = _judge_4(IPv4Address(int(address) & 0xFFFFFFFF))
        return inner if inner is Verdict.ALLOWED else Verdict.NEVER
    if any(address in network for network in _NEVER_6) or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return Verdict.NEVER
    if address in _PRIVATE_6:
        return Verdict.PRIVATE
    return Verdict.ALLOWED if address in _GLOBAL_6 else Verdict.NEVER


def permits(networks: Iterable[Network], address: Address) -> bool:
    """Whether to connect, where these private networks are allowed."""
    verdict = judge(address)
    return verdict is Verdict.ALLOWED or (verdict is Verdict.PRIVATE and lists(networks, address))


def lists(networks: Iterable[Network], address: Address) -> bool:
    return any(address in network for network in networks)


def network_line(networks: Iterable[Network], missing: Iterable[Address]) -> str:
    """The line for .env that allows these addresses besides what is allowed already; "" where none are missing."""
    added = [f"{address}/{address.max_prefixlen}" for address in missing]
    return f"EXCHANGE_ALLOWED_NETWORKS={','.join([*map(str, networks), *added])}" if added else ""
