"""What tests of signing in share: trying passwords, and addresses that must lead nowhere."""

from __future__ import annotations

from typing import Any

from django.test import Client

from tests.conftest import PASSWORD

ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "https:evil",
    "https:///evil.example",
    "///evil.example",
    "/\t/evil.example",
    "https://testserver@evil.example/",
    "data:text/html,x",
]
# The names of pages, or of none; to a browser, addresses beside the page that it sees.
BARE_WORDS = ["foo", "profile", "?", "#", "%", "[", "é", "x y"]


def try_password(client: Client, password: str, email: str = "alice@quay.example", **meta: Any) -> Any:
    return client.post("/sign-in/", {"username": email, "password": password}, **meta)


def fail(client: Client, times: int, email: str = "alice@quay.example", **meta: Any) -> Any:
    """Sign in wrongly so many times; returns the last answer."""
    return [try_password(client, f"wrong {n}", email, **meta) for n in range(times)][-1]


def right(client: Client, email: str = "alice@quay.example", **meta: Any) -> bool:
    """Whether the right password lets this client in."""
    return bool(try_password(client, PASSWORD, email, **meta).status_code == 302)
