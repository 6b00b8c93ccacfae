"""What an address is judged to be, by class; and that no disguise makes it better."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.networks import Verdict, judge, network_line, permits

NEVER = {
    "loopback": ["127.0.0.1", "127.0.0.2", "127.255.255.255", "::1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104
    "link-local": ["169.254.0.1", "169.254.255.254", "fe80::1", "febf::1"],
    "metadata": [
        "169.254.169.254",
        "169.254.170.2",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
    ],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "broadcast and reserved": ["255.255.255.255", "240.0.0.1", "192.0.0.8", "4000::1", "fec0::1", "100::1", "5f00::1"],
    "documentation": ["192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "3fff::1", "3fff:fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.254", "2001:2::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.1.2.3", "::ffff:0.0.0.0", "::ffff:100.64.0.1"],
    "compatible": ["::127.0.0.1", "::10.1.2.3", "::169.254.169.254", "::93.184.216.34"],
    "translated": ["::ffff:0:127.0.0.1", "::ffff:0:10.1.2.3", "::ffff:0:93.184.216.34"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.1.2.3", "64:ff9b:1::127.0.0.1"],
    "NAT64 under the local prefix": ["64:ff9b:1::93.184.216.34", "64:ff9b:1:5db8:d8:2200::"],
    "6to4": ["2002:7f00:1::1", "2002:a9fe:a9fe::1", "2002:a01:203::1", "2002:5db8:d822::1", "192.88.99.1"],
    "Teredo": ["2001:0:7f00:1::", "2001:0:5db8:d822:0:0:80ff:fffe", "2001::1"],
    "ISATAP": [
        "2606:2800::5efe:127.0.0.1",
        "2606:2800::200:5efe:10.1.2.3",
        "fd12::5efe:10.1.2.3",
        "fe80::5efe:1.1.1.1",
    ],
    "scoped": ["fe80::1%eth0", "2606:2800::1%1", "fd12::1%lo", "::1%lo"],
}
PRIVATE = {
    "RFC 1918": ["10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
    "behind a provider": ["100.64.0.0", "100.127.255.255", "100.100.100.201"],
    "unique local": ["fc00::1", "fd12:3456::1", "fdff:ffff::1", "fd00:ec3::254"],
}
ALLOWED = {
    "IPv4": ["93.184.216.34", "1.1.1.1", "126.255.255.255", "128.0.0.1", "169.253.0.1", "223.255.255.255"],
    "next to private networks": ["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.0.1"],
    "next to a provider's": ["100.63.255.255", "100.128.0.0"],
    "IPv6": ["2606:2800:220:1::1", "2a00:1450::1", "2001:4860:4860::8888", "2400::1", "2003::1"],
    "in disguise": ["::ffff:93.184.216.34", "64:ff9b::93.184.216.34"],
}
TABLE = [
    pytest.param(address, verdict, id=f"{name}-{address}")
    for verdict, classes in ((Verdict.NEVER, NEVER), (Verdict.PRIVATE, PRIVATE), (Verdict.ALLOWED, ALLOWED))
    for name, addresses in classes.items()
    for address in addresses
]


@pytest.mark.parametrize(("address", "verdict"), TABLE)
def test_addresses_are_judged_by_their_class(address: str, verdict: Verdict) -> None:
    assert judge(address) is verdict


def low(prefix: str, four: IPv4Address) -> IPv6Address:
    return IPv6Address(int(IPv6Address(prefix)) | int(four))


def at(prefix: str, four: int, bits_from_the_right: int) -> IPv6Address:
    return IPv6Address(int(IPv6Address(prefix)) | four << bits_from_the_right)


DISGUISES = {
    "mapped": lambda four: low("::ffff:0:0", four),
    "compatible": lambda four: low("::", four),
    "translated": lambda four: low("::ffff:0:0:0", four),
    "NAT64": lambda four: low("64:ff9b::", four),
    "local NAT64": lambda four: low("64:ff9b:1::", four),
    "6to4": lambda four: at("2002::1", int(four), 80),
    "Teredo server": lambda four: at("2001::", int(four), 64),
    "Teredo client": lambda four: at("2001::", int(four) ^ 0xFFFFFFFF, 0),
    "ISATAP": lambda four: low("2606:2800::5efe:0:0", four),
    "ISATAP, global": lambda four: low("2606:2800::200:5efe:0:0", four),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@given(four=st.ip_addresses(v=4))
def test_no_disguise_is_judged_better_than_what_it_hides(disguise: str, four: IPv4Address) -> None:
    assert judge(DISGUISES[disguise](four)) <= judge(four)


@given(st.ip_addresses())
def test_python_agrees_that_what_is_allowed_is_global(address: IPv4Address | IPv6Address) -> None:
    """Python's own tables, which know nothing of clouds and differ between its versions, are a second opinion."""
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    if judge(address) is Verdict.ALLOWED and not mapped:
        assert address.is_global
        assert not address.is_multicast
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert judge(address) is Verdict.NEVER


@pytest.mark.parametrize("text", ["", "127.1", "2130706433", "localhost", "010.1.2.3", "::fffff"])
def test_what_is_no_address_is_not_judged(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        judge(text)


OFFICE = [ip_network("10.1.2.0/24"), ip_network("fd12:3456::/48")]


@pytest.mark.parametrize(
    ("address", "is_permitted"),
    [
        ("10.1.2.3", True),
        ("10.1.3.3", False),
        ("fd12:3456::1", True),
        ("fd12:3457::1", False),
        ("93.184.216.34", True),
        ("::ffff:10.1.2.3", False),
        ("127.0.0.1", False),
    ],
)
def test_private_addresses_are_permitted_where_their_network_is_listed(address: str, is_permitted: bool) -> None:
    assert permits(OFFICE, ip_address(address)) is is_permitted


@pytest.mark.parametrize("address", [address for addresses in NEVER.values() for address in addresses])
def test_no_list_permits_what_is_never_allowed(address: str) -> None:
    listed = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert not permits(listed, ip_address(address))


def test_the_line_for_the_operator_keeps_what_is_listed() -> None:
    missing = [ip_address("192.168.7.8"), ip_address("fd99::1")]
    expected = "EXCHANGE_ALLOWED_NETWORKS=10.1.2.0/24,fd12:3456::/48,192.168.7.8/32,fd99::1/128"
    assert network_line(OFFICE, missing) == expected
    assert network_line([], missing[:1]) == "EXCHANGE_ALLOWED_NETWORKS=192.168.7.8/32"
    assert network_line(OFFICE, []) == ""
