"""Browsers in words."""

import pytest

from sally import browsers

MOZILLA = "Mozilla/5.0"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (f"{MOZILLA} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"{MOZILLA} (Windows NT 10.0; Win64; x64) Chrome/139.0.0.0 Safari/537.36", "Chrome on Windows"),
        (f"{MOZILLA} (Windows NT 10.0; Win64; x64) Chrome/139.0 Safari/537.36 Edg/139.0", "Edge on Windows"),
        (f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "Safari on macOS"),
        (f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) Chrome/139.0 Safari/537.36 OPR/120.0", "Opera on macOS"),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/1 Safari/604", "Safari on iPhone"),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/139.0 Mobile/1 Safari/604", "Chrome on iPhone"),
        (f"{MOZILLA} (iPad; CPU OS 18_0 like Mac OS X) FxiOS/140.0 Mobile/15E1 Safari/605.1.15", "Firefox on iPad"),
        (f"{MOZILLA} (Linux; Android 15; K) Chrome/139.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (f"{MOZILLA} (Linux; Android 15; K) SamsungBrowser/28.0 Chrome/130.0", "Samsung Internet on Android"),
        (f"{MOZILLA} (X11; CrOS x86_64 14541.0.0) Chrome/139.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        ("Firefox/140.0", "Firefox"),
        ("curl/8.9.1", "Unknown browser"),
        ("Linux", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)  # fmt: skip
def test_a_browser_is_told_by_name_and_system(user_agent: str, words: str) -> None:
    assert browsers.in_words(user_agent) == words
