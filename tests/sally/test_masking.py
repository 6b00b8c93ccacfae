"""What is taken out of texts and values, what is left in, and what it costs on hostile input."""

from __future__ import annotations

import json
import time
from urllib.parse import urlencode

import pytest
from django.contrib.auth.tokens import default_token_generator
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from sally import invitations
from sally.masking import MASK, is_secret, mask, mask_text
from sally.models import User

C = "CANARY7f3a"
NAMES = [
    *("token", "access_token", "refresh_token", "id_token", "password", "secret", "client_secret", "client_assertion"),
    *("authorization", "code", "code_verifier", "state", "cookie", "sessionid", "csrftoken", "api_key", "x-api-key"),
    *("new_password1", "csrfmiddlewaretoken", "__Host-sessionid", "__Host-csrftoken", "apikey", "Set-Cookie", "nonce"),
    *("nt_hash", "ntv2_hash", "lm_hash"),
]


@pytest.mark.parametrize("name", NAMES)
def test_what_has_such_a_name_is_hidden_in_every_notation(name: str) -> None:
    pair = {name: C}
    texts = [
        str(pair),
        json.dumps(pair),
        json.dumps(json.dumps(pair)),
        json.dumps(json.dumps(json.dumps(pair))),
        repr(json.dumps(pair)),
        str({"form": {name: [C, C]}}),
        str([(name, C)]),
        urlencode(pair),
        f"GET /callback?a=b&{name}={C}&c=d HTTP/1.1",
        urlencode({"next": f"/callback?{urlencode(pair)}"}),
        f"{name}='{C} {C}'",
        str(pair).upper().replace(C.upper(), C),
        f'{{"{name}":"{C}\\" {C}"}}',
    ]
    for text in texts:
        assert C not in mask_text(text), text


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"code", "state", "nonce"}))
def test_what_has_such_a_name_is_hidden_as_a_header(name: str) -> None:
    for text in (
        f"{name}: {C}",
        f"Host: a\r\n{name}: {C} {C}; b={C}\r\nAccept: */*",
        f"b'Host: a\\r\\n{name}: {C} {C}\\r\\n'",
    ):
        assert C not in mask_text(text), text
    assert "Accept: */*" in mask_text(f"{name}: {C} {C}\r\nAccept: */*")


@pytest.mark.django_db
def test_the_links_that_invite_and_that_reset_a_password_are_hidden(alice: User) -> None:
    for tokens in (default_token_generator, invitations.tokens):
        token = tokens.make_token(alice)
        text = f"Not Found: /invitation/MQ/{token}/"
        assert mask_text(text) == f"Not Found: /invitation/MQ/{MASK}/"


def test_a_cookie_header_is_hidden_to_its_end() -> None:
    assert mask_text(f"Cookie: a={C}; sessionid={C}; theme={C}\nHost: b") == f"Cookie: {MASK}\nHost: b"


@pytest.mark.parametrize(
    "secret",
    [
        f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.{C}",
        f"eyJhbGciOiJSUzI1NiJ9{C}",
        f"0.AVcA{C}{C}.AgABAAEAAA",
        f"1.AVcA{C}{C}_xyz",
        f"M.C507_BAY.2.U.{C}!*$",
        f"EwBwA8l6{C}{C}{C}/x+=",
        f"EwAwA8l6{C}{C}{C}/x+=",
        f"Basic {C}",
        f"Bearer {C}",
        f"bearer {C}",
        f"-----BEGIN RSA PRIVATE KEY-----\nMII{C}\n-----END RSA PRIVATE KEY-----",
        f"postgres://sally:{C}@host/name",
        f'SQL: "user" SET "password" = \'{C}\' WHERE id = 1',
    ],
)
def test_what_looks_like_a_secret_is_hidden_whatever_its_name(secret: str) -> None:
    assert C not in mask_text(f"got ({secret}) there")
    assert C not in mask_text(f"x={secret}")


@pytest.mark.parametrize(
    "name",
    ["SECRET_KEY", "MICROSOFT_CLIENT_SECRET", "DEMO_PASSWORD", "EMAIL_HOST_PASSWORD"],
)
@pytest.mark.parametrize("value", ["correct horse/battery", "a\"quoted'value", "ünïcode-välue"])
def test_a_secret_of_the_settings_is_hidden_wherever_it_stands(settings: Settings, name: str, value: str) -> None:
    setattr(settings, name, value)
    for text in (value, json.dumps([value]), urlencode({"x": value}), repr([value])):
        assert mask_text(f"so {text} it is") != f"so {text} it is"
        assert value not in mask_text(text)


def test_keys_and_the_databases_password_are_hidden_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FIELD_KEYS = ["first-field-key", "second-field-key"]
    settings.REDIS_URL = "redis://:redis-password@localhost"
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "database-password")
    text = mask_text("first-field-key second-field-key redis-password database-password")
    assert text == " ".join([MASK] * 4)


def test_a_short_value_is_not_searched_for(settings: Settings) -> None:
    """A demo's password may be "demo", which is also a word."""
    settings.DEMO_PASSWORD = "demo"
    assert mask_text("the demo is running") == "the demo is running"


@pytest.mark.parametrize(
    "text",
    [
        "state: connected",
        "exit code: 1, status_code=200, country_code=DE",
        "password reset for user 5",
        "connection 1f2e disconnected: {'meetings': 5}",
        "sync of 1f2e: 3 new, 0 changed, 1 gone, 0 unreadable",
        "tidying of sessions: 3 deleted",
        "sync of 1f2e: ReconnectNeeded (AADSTS70008: invalid_grant)",
        "sync of 1f2e: PasswordRefused (LOCKED: EWS: 401)",
        "basic usage; bearer tokens are fine",
        "Internal Server Error: /settings/integrations/",
        "connection 0a1b2c3d-0000-4000-8000-0123456789ab",
        "version 1.A of it, at 10:30",
        "http://localhost:8000/settings/?day=2026-11-23",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert mask_text(text) == text


def test_values_are_hidden_by_name_however_deep() -> None:
    found = mask(
        {"a": [{"token": 5}, ("password", b"x"), {"b": {b"Cookie": "c"}}], "state": "s", "status": "fine", "n": 7}
    )
    assert found == {
        "a": [{"token": MASK}, ("password", MASK), {"b": {b"Cookie": MASK}}],
        "state": MASK,
        "status": "fine",
        "n": 7,
    }


def test_a_value_without_end_is_hidden_whole() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert MASK in str(mask(endless))


@pytest.mark.parametrize(("name", "hidden"), [("code", True), ("status_code", False), ("barcode", False), (5, False)])
def test_a_name_is_hidden_as_a_whole_word_where_the_word_is_common(name: object, hidden: bool) -> None:
    assert is_secret(name) is hidden


PIECES = [
    *(
        "token",
        "password",
        "code",
        "state=",
        "cookie:",
        "=",
        " = ",
        ":",
        '"',
        "'",
        "\\",
        '\\"',
        "[",
        "{",
        "(",
        ",",
        " ",
    ),
    *(
        "eyJ",
        "1.A",
        "M.C",
        "EwB",
        "Bearer ",
        "basic ",
        "://",
        "@",
        "%3D",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "\n",
        "a",
        "&",
    ),
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
def test_time_grows_no_faster_than_the_text(piece: str) -> None:
    """The same piece over and over is what makes a careless pattern slow: 80 KB would take minutes then."""
    text = piece * (80_000 // len(piece))
    begun = time.process_time()
    mask_text(text)
    assert time.process_time() - begun < 2


@given(st.text())
def test_any_text_can_be_masked(text: str) -> None:
    mask_text(text)
    mask({"a": text, text: [text]})


@pytest.mark.parametrize("link", ["/approve/{}/", "Not Found: /approve/{}x/", "next=%2Fapprove%2F{}"])
def test_the_link_for_an_admins_approval_is_hidden(link: str) -> None:
    token = f"{'0123456789abcdef' * 2}:{'aB3-_' * 8}xyz"
    assert "aB3-_" not in mask_text(link.format(token))
    assert "aB3-_" not in mask_text(link.format(token.replace(":", "%3A")))
    assert mask_text("connection 0123456789abcdef0123456789abcdef: 12 meetings").endswith("12 meetings")
