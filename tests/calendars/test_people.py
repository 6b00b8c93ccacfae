"""Addresses and domains: what is one mailbox, what is listed, and what only looks like it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from calendars.people import canonical, canonical_domain, is_listed
from sally.models import _DOMAIN, Organization

COMPANY = frozenset({"company.com"})
# Round-trips: each letter is the small one of its capital (not so "ß", "ı", "ſ" or "ς").
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789äöüéñжд"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ada@company.com", "ada@company.com"),
        ("Ada.Lovelace@Company.COM", "ada.lovelace@company.com"),
        (" ada@company.com\r\n", "ada@company.com"),
        ("ada@company.com.", "ada@company.com"),
        ("ada+sally@company.com", "ada@company.com"),
        ("ada+sally+2@company.com", "ada@company.com"),
        ("ada+@company.com", "ada@company.com"),
        ("o'neil_{x}/y=z@company.com", "o'neil_{x}/y=z@company.com"),
        ("JÜRGEN@company.com", "jürgen@company.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@ｃｏｍｐａｎｙ．ｃｏｍ", "ada@company.com"),
        ("ada@mail。company.com", "ada@mail.company.com"),
        ("ada@company.com。", "ada@company.com"),
        ("ada@my_company.com", "ada@my_company.com"),
        ("ada@r3---sn.company.com", "ada@r3---sn.company.com"),
    ],
)
def test_one_spelling_for_one_mailbox(address: str, expected: str) -> None:
    assert canonical(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@company.com",
        "+x@company.com",
        "company.com",
        "ada@company.com@evil.example",
        "ada@evil.example@company.com",
        "ada@company.com <x@evil.example>",
        "<ada@company.com>",
        "x@evil.example,ada@company.com",
        "x@evil.example;ada@company.com",
        "x@evil.example ada@company.com",
        "mailto:ada@company.com",
        "ada (x@evil.example) @company.com",
        '"x@evil.example"@company.com',
        '"ada"@company.com',
        'ada+"x"@company.com',
        "ada\\@company.com",
        "ada @company.com",
        "ada@ company.com",
        "ada@company.com x",
        "ada@comp any.com",
        "ada@\u00a0company.com",
        "ada@evil.example\u2028.company.com",
        "ada\x00@company.com",
        "ada@company.com\x00",
        "ada@company.com\x00.evil.example",
        "ada\u200b@company.com",
        "ada\u202e@company.com",
        "ada＠company.com",
        "ada@evil.example＠company.com",
        "ada@evil.example／.company.com",
        "ada@evil.example#.company.com",
        "ada@evil.example:25.company.com",
        "ada@company..com",
        "ada@.company.com",
        "ada@company.com..",
        "ada@company",
        "ada@-company.com",
        "ada@[192.0.2.1]",
        "ada@[IPv6:2001:db8::1]",
        "ada@192.0.2.1",
        "ada@company.0x7f",
        "ada@\ud800.com",
        "\ud800@company.com",
        "ada@½.com",
        "/O=ORG/OU=EXCHANGE ADMINISTRATIVE GROUP/CN=RECIPIENTS/CN=ADA",
        "/o=Org/ou=Group/cn=ada@company.com/cn=x",
        f"ada@{'x' * 64}.company.com",
        f"ada@{'x.' * 125}company.com",
        f"{'a' * 10_000}@company.com",
        f"ada@{'x' * 10_000}.company.com",
        "@" * 10_000,
    ],
)
def test_what_could_be_read_in_two_ways_is_no_usable_address(address: str) -> None:
    assert canonical(address) == ""
    assert not is_listed(address, COMPANY)


def test_an_address_that_may_have_been_cut_is_not_usable() -> None:
    stored = 320  # characters at most, of whatever a calendar tells
    evil = f"ada@{'x' * 60}.{'y' * 60}.company.com"
    assert canonical("a" * (stored - len(evil) - 1) + evil) != ""
    assert canonical("a" * (stored - len(evil)) + evil) == ""


@pytest.mark.parametrize(
    "address",
    [
        "ada@company.com",
        "ADA+x@COMPANY.com",
        "ada@mail.company.com",
        "ada@a.b.c.company.com",
        "ada@company.com.",
        "ada@ｃｏｍｐａｎｙ.com",
    ],
)
def test_the_domain_and_all_below_it_are_listed(address: str) -> None:
    assert is_listed(address, COMPANY)


@pytest.mark.parametrize(
    "address",
    [
        "ada@notcompany.com",
        "ada@not-company.com",
        "ada@company.com.evil.example",
        "ada@company.co",
        "ada@company.com.co",
        "company.com@evil.example",
        "ada@companу.com",  # Cyrillic у
        "ada@соmpany.com",  # Cyrillic с and о
        "ada@company.соm",
        "ada@compɑny.com",  # Latin alpha
        "ada@xn--compny-6nf.com",
    ],
)
def test_what_only_looks_like_a_listed_domain_is_not(address: str) -> None:
    assert canonical(address) != ""
    assert not is_listed(address, COMPANY)


def test_a_letter_without_its_dot_is_another_letter() -> None:
    assert canonical("ada@cıty.example") == "ada@xn--cty-jua.example"
    assert not is_listed("ada@cıty.example", frozenset({"city.example"}))


def test_nothing_is_listed_without_a_whitelist() -> None:
    assert not is_listed("ada@company.com", frozenset())


def test_an_empty_entry_lists_nobody() -> None:
    assert not is_listed("ada@company.com", frozenset({""}))
    assert not is_listed("no address", frozenset({""}))


def test_a_listed_sub_domain_does_not_list_the_domain_above() -> None:
    assert not is_listed("ada@company.com", frozenset({"mail.company.com"}))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("company.com", "company.com"),
        ("@company.com", "company.com"),
        (" @Company.COM\n", "company.com"),
        ("company.com.", "company.com"),
        ("my_company.co.uk", "my_company.co.uk"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("@BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("ΒΙΒΛΊΟ.example", "xn--kxafa1alz.example"),
        ("my_company.bücher.example", "my_company.xn--bcher-kva.example"),
        ("компания.рф", "xn--80aqeigdi5k.xn--p1ai"),
        ("会社.jp", "xn--6oq404h.jp"),
        ("1und1.de", "1und1.de"),
        ("a--b.com", "a--b.com"),
    ],
)
def test_what_the_whitelist_takes_is_understood(entry: str, expected: str) -> None:
    organization = Organization(name="Company", internal_domains=[entry.removesuffix(".")])
    organization.clean()
    assert canonical_domain(entry) == expected
    assert canonical_domain(organization.internal_domains[0]) == expected


@given(st.from_regex(re.compile(_DOMAIN.pattern, re.ASCII), fullmatch=True))
def test_whatever_the_whitelist_takes_in_ascii_is_understood(entry: str) -> None:
    assume(len(entry.strip().removeprefix("@")) <= 253)
    assert canonical_domain(entry) == entry.strip().removeprefix("@").lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        ".",
        "@@company.com",
        "@ company.com",
        "com",
        "a..com",
        "192.0.2.1",
        "[::1]",
        "*.company.com",
        "ada@company.com",
        "https://company.com",
        "company.com/x",
        "company.com:443",
        "com pany.com",
        "☃.com",
        "\x00.com",
    ],
)
def test_what_is_no_domain_is_none(text: str) -> None:
    assert canonical_domain(text) == ""


def test_a_domain_has_at_most_253_characters() -> None:
    longest = "x." * 121 + "company.com"
    assert len(longest) == 253
    assert canonical_domain(longest) == canonical_domain(f"{longest}.") == longest
    assert canonical_domain(f"x{longest}") == ""


@pytest.mark.parametrize("text", ["@" * 10_000, "a." * 5_000, "é" * 10_000, "１." * 5_000, "a" * 10_000 + "@b.com"])
def test_long_texts_cost_no_time(text: str) -> None:
    started = time.perf_counter()
    assert canonical(text) == canonical(f"ada@{text}") == canonical_domain(text) == ""
    assert time.perf_counter() - started < 1


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for address in (text, f"ada@{text}", f"ada@{text}.com", f"{text}@company.com"):
        read = canonical(address)
        assert canonical(read) == read
        assert read.count("@") == (1 if read else 0)
        assert read.rpartition("@")[2].isascii()
    assert canonical_domain(canonical_domain(text)) == canonical_domain(text)


@given(st.text() | st.sampled_from(["ı", "İ", "ſ", "ς", "ΑΣ", "ß", "ẞ", "\u212a", "ŉ", "ǆ", "ﬁ"]))
@example("ı")
@example("ſ")
def test_letter_case_of_the_name_never_matters(name: str) -> None:
    """Of all letters, also of those whose capital has another small letter: the domain alone tells who is internal."""
    read = canonical(f"{name}@company.com")
    assert canonical(f"{name.upper()}@company.com") == canonical(f"{name.lower()}@company.com") == read


@given(st.text(LETTERS, min_size=1, max_size=12), st.sampled_from([str.upper, str.title, str.swapcase]))
def test_letter_case_of_the_domain_never_matters(label: str, spell: Callable[[str], str]) -> None:
    assert canonical_domain(f"{spell(label)}.com") == canonical_domain(f"{label}.com") != ""


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20))
def test_a_domain_that_merely_ends_alike_is_never_listed(label: str) -> None:
    assert is_listed(f"ada@{label}.company.com", COMPANY)
    assert not is_listed(f"ada@{label}company.com", COMPANY)
    assert not is_listed(f"ada@company.com.{label}.example", COMPANY)
