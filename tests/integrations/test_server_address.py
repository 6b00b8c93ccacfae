"""What people type as the address of their Exchange server, and what is made of it."""

import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from integrations.server_address import AddressRefused, Reason, ServerAddress, read_address

MAIL = "https://mail.company.com/EWS/Exchange.asmx"


@pytest.mark.parametrize(
    "typed",
    [
        "mail.company.com",
        "MAIL.Company.COM",
        "  mail.company.com\n",
        "\u00a0mail.company.com\u3000",
        "mail.company.com.",
        "mail.company.com/",
        "mail.company.com:443",
        "mail.company.com:443/owa",
        "mail.company.com/owa",
        "mail.company.com/OWA/",
        "mail.company.com/ews",
        "mail.company.com/EWS/Exchange.asmx",
        "mail.company.com./ews/exchange.asmx/",
        "https://mail.company.com",
        "HTTPS://mail.company.com:443/",
        "https://mail.company.com/EWS/Exchange.asmx",
        "https://mail.company.com/EWS/Exchange.asmx?wsdl",
        # What a browser shows on Outlook's pages.
        "https://mail.company.com/owa/#path=/mail",
        "https://mail.company.com/owa/auth/logon.aspx?replaceCurrent=1&url=https%3a%2f%2fmail.company.com%2fowa%2f",
        "https://mail.company.com/owa/auth/logon.aspx?url=https://mail.company.com/owa/",
        "https://mail.company.com/owa/ines@company.com/?offline=disabled",
        "mail.company.com/owa/auth/logon.aspx?url=https://mail.company.com/owa/",
        "mail.company.com?url=http://elsewhere.example@x",
        "mail.company.com?realm=company.com",
        # Other shapes and widths of the same letters, and what nobody sees.
        "ｍａｉｌ．ｃｏｍｐａｎｙ．ｃｏｍ",
        "mail。company。com",
    ],
)
def test_one_server_is_typed_in_many_ways(typed: str) -> None:
    assert read_address(typed).url == MAIL


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("exchange", "exchange"),
        ("mail_1.corp", "mail_1.corp"),
        ("9to5.company.com", "9to5.company.com"),
        ("a--b.company.com", "a--b.company.com"),
        ("Büro.example", "xn--bro-hoa.example"),
        ("xn--bro-hoa.example", "xn--bro-hoa.example"),
        ("XN--BRO-HOA.example", "xn--bro-hoa.example"),
        ("почта.example", "xn--80a1acny.example"),
        ("10.1.2.3", "10.1.2.3"),
        ("https://10.1.2.3/owa", "10.1.2.3"),
        ("notoutlook.com", "notoutlook.com"),
        ("outlook.com.company.com", "outlook.com.company.com"),
        ("mylocalhost", "mylocalhost"),
    ],
)
def test_the_host_is_ascii_and_lower_case(typed: str, host: str) -> None:
    assert read_address(typed) == ServerAddress(host, 443)


@pytest.mark.parametrize("typed", ["[fd12:3456::A]", "https://[FD12:3456:0::a]:443/owa"])
def test_an_ipv6_address_keeps_its_brackets_in_the_url(typed: str) -> None:
    address = read_address(typed)
    assert (address.host, address.url) == ("fd12:3456::a", "https://[fd12:3456::a]/EWS/Exchange.asmx")


REFUSED = [
    (
        Reason.EMPTY,
        ["", " ", "\r\n\t"],
    ),
    (
        Reason.TOO_LONG,
        ["a" * 2049, "mail.company.com/" + "a" * 2048],
    ),
    (
        Reason.NOT_HTTPS,
        [
            "http://mail.company.com",
            "HTTP://mail.company.com",
            "http://mail.company.com:443/owa",
            "ftp://mail.company.com/",
            "file:///etc/passwd",
            "file://mail.company.com/c$",
            "gopher://mail.company.com:443/_GET",
            "ldap://mail.company.com",
            "dict://mail.company.com",
            "ws://mail.company.com",
            "httpsx://mail.company.com",
            "://mail.company.com",
            "http:mail.company.com",
            "https:mail.company.com",
            "https:/mail.company.com",
            "javascript:alert(1)",
            "data:text/html,x",
        ],
    ),
    (
        Reason.USERINFO,
        [
            "ines@mail.company.com",
            "https://ines@mail.company.com",
            "https://ines:secret@mail.company.com/owa",
            "https://mail.company.com@evil.example",
            "https://mail.company.com:443@evil.example",
            "https://@mail.company.com",
            "https://mail.company.com@",
            "http://ines@mail.company.com",
            "ines:secret@mail.company.com",
        ],
    ),
    (
        Reason.PORT,
        [
            "mail.company.com:80",
            "mail.company.com:8443",
            "mail.company.com:22/owa",
            "https://mail.company.com:25",
            "https://[fd12::1]:444",
            "mail.company.com:0",
            "mail.company.com:0443",
            "mail.company.com:65536",
            "mail.company.com:99999999999999999999",
            "mail.company.com:",
            "mail.company.com:+443",
            "mail.company.com:-1",
            "mail.company.com:４４３",
            "127.0.0.1:8443",
        ],
    ),
    (
        Reason.NOT_A_HOST,
        [
            "fd12:3456::a",
            "::1",
            "mail.company.com:443:443",
            "/owa",
            "//mail.company.com",
            "https://",
            "https:///owa",
            "?x",
            "#x",
            ".",
            "..",
            ".mail.company.com",
            "mail..company.com",
            "mail.company.com..",
            "mail company com",
            "mail.company.com /owa",
            "mail.company.com/o wa",
            "mail.\tcompany.com",
            "mail.company.com\r\nHost: evil.example",
            "mail.company.com\x00.evil.example",
            "mail.company.com\x7f",
            "mail.company.com\u2028",
            "mail.comp\u202eany.com",
            "loc\u00adalhost",
            "loc\u200balhost",
            "mail.company.com\\owa",
            "https:\\\\mail.company.com",
            "https://evil.example\\@mail.company.com",
            "mail.company.com#@evil.example",
            "https://mail.company.com#x",
            "https://evil.example#@mail.company.com/",
            "mail%2ecompany.com",
            "%6d%61il.company.com",
            "-mail.company.com",
            "mail-.company.com",
            "*.company.com",
            "mail.company.com,evil.example",
            "mail.company.com;evil.example",
            "mail.company.com：443",  # a colon of another width
            "mail.company.com／owa",  # and a slash
            "℀.company.com",  # turns into a/c
            "xn--localhost-.company.com",
            "xn--a.company.com",
            "xn--80a1acny\u0301.example",
            "a" * 64 + ".company.com",
            ".".join(["a" * 50] * 6),
            ".".join(["ä" * 20] * 20),
            "[fe80::1%eth0]",
            "[fe80::1%25eth0]",
            "[::1",
            "[]",
            "[mail.company.com]",
            "[::1]x",
            "[127.0.0.1]",
            "<script>alert(1)</script>",
            "$(id).company.com",
            "'or'1'='1",
        ],
    ),
    (
        Reason.NUMBER,
        [
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0X7F.0.0.1",
            "0x7f.1",
            "0x",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.01",
            "0",
            "127.0.0.1.",
            "1.2.3",
            "1.2.3.4.5",
            "256.256.256.256",
            "127.0.0.0x1",
            "mail.1",
            "mail.company.09",
            "mail.0xff",
            "１２７.０.０.１",
            "１２７．０．０．１",
            "127。0。0。1",
            "127｡0｡0｡1",
            "①②⑦.⓪.⓪.①",
            "１６９.２５４.１６９.２５４",
            "２１３０７０６４３３",
            "０ｘ7f.1",
            "¹²⁷.0.0.1",
        ],
    ),
    (
        Reason.LOOPBACK,
        [
            "localhost",
            "LOCALHOST",
            "LocalHost.",
            "https://localhost/owa",
            "localhost:443",
            "mail.localhost",
            "a.b.localhost.",
            "localhost.localdomain",
            "ip6-localhost",
            "ⓛocalhost",
            "ｌｏｃａｌｈｏｓｔ",
            "ℓocalhost",
            "localhoſt",
            "mail。localhost",
        ],
    ),
    (
        Reason.CLOUD,
        [
            "outlook.office365.com",
            "https://outlook.office365.com/EWS/Exchange.asmx",
            "OUTLOOK.Office365.com.",
            "outlook.office.com",
            "https://outlook.office.com/mail/",
            "outlook.cloud.microsoft",
            "outlook.live.com",
            "outlook.com",
            "www.outlook.com",
            "autodiscover-s.outlook.com",
            "company-com.mail.protection.outlook.com",
            "eur.prod.protection.outlook.com",
            "company.onmicrosoft.com",
            "outlook.office365.us",
            "outlook-dod.office365.us",
            "webmail.apps.mil",
            "partner.outlook.cn",
            "outlook.office.de",
            "outlook。office365。com",
        ],
    ),
]


@pytest.mark.parametrize(
    ("typed", "reason"), [pytest.param(typed, reason) for reason, all_typed in REFUSED for typed in all_typed]
)
def test_what_is_refused_says_why(typed: str, reason: Reason) -> None:
    with pytest.raises(AddressRefused) as caught:
        read_address(typed)
    assert caught.value.reason is reason


def test_a_refusal_repeats_nothing_that_was_typed() -> None:
    with pytest.raises(AddressRefused) as caught:
        read_address("https://ines:canary-password@mail.company.com")
    assert "canary" not in repr(caught.value) + str(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize("typed", ["localhost:8443", "https://LOCALHOST:8443/EWS/Exchange.asmx"])
def test_the_sandbox_is_an_address_with_its_own_port(typed: str) -> None:
    assert read_address(typed, sandbox="localhost:8443").url == "https://localhost:8443/EWS/Exchange.asmx"


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("localhost", Reason.LOOPBACK),
        ("localhost:443", Reason.LOOPBACK),
        ("localhost:8444", Reason.PORT),
        ("mail.company.com:8443", Reason.PORT),
        ("127.0.0.1:8443", Reason.PORT),
        ("x.localhost:8443", Reason.PORT),
        ("http://localhost:8443", Reason.NOT_HTTPS),
        ("a@localhost:8443", Reason.USERINFO),
    ],
)
def test_the_sandbox_opens_nothing_but_itself(typed: str, reason: Reason) -> None:
    with pytest.raises(AddressRefused) as caught:
        read_address(typed, sandbox="localhost:8443")
    assert caught.value.reason is reason


PIECES = (
    "https:// http: // / : 443 :8443 @ # ? \\ . 。 .. %2e [ ] ::1 ::ffff:127.0.0.1 %eth0 127.1 127.0.0.1 0x7f 017 "
    "１２７ 2130706433 localhost ⓛocalhost xn-- xn--bro-hoa mail company.com ß ö _ -"
)
PIECE = st.sampled_from([*PIECES.split(), " ", "\t", "\x00", "\u00ad", "\u200d"])
TYPED = st.one_of(st.text(max_size=40), st.lists(PIECE, max_size=8).map("".join))


@given(TYPED)
@example("https://[::1]/")
@example("faß.example")
def test_whatever_is_accepted_is_one_plain_https_address(typed: str) -> None:
    try:
        address = read_address(typed)
    except AddressRefused:
        return
    parts = urlsplit(address.url)
    assert (parts.scheme, parts.hostname, parts.port, parts.username) == ("https", address.host, None, None)
    assert parts.path == "/EWS/Exchange.asmx"
    assert (parts.query, parts.fragment) == ("", "")
    assert address.url.isascii()
    assert not any(character.isspace() or character in "@\\%" for character in address.url)
    assert read_address(address.url) == address


@given(TYPED)
def test_no_accepted_name_is_a_number_to_a_resolver(typed: str) -> None:
    """``inet_aton`` is what resolvers ask first: it takes 127.1, 0x7f.1 and 2130706433 for the loopback address."""
    try:
        host = read_address(typed).host
    except AddressRefused:
        return
    try:
        number = socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return
    assert number == host
