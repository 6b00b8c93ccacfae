"""A browser in words, from what it says about itself; what is not recognised is not guessed at."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

# The first that matches: most browsers also claim to be the ones below them.
_BROWSERS = [
    (r"\bEdgA?/|\bEdgiOS/", "Edge"),
    (r"\bOPR/|\bOPT/", "Opera"),
    (r"\bSamsungBrowser/", "Samsung Internet"),
    (r"\bVivaldi/", "Vivaldi"),
    (r"\bFirefox/|\bFxiOS/", "Firefox"),
    (r"\bChrome/|\bCriOS/", "Chrome"),
    (r"\bVersion/[\d.]+ (?:Mobile/\w+ )?Safari/", "Safari"),
]
_SYSTEMS = [
    (r"\biPhone\b", "iPhone"),
    (r"\biPad\b", "iPad"),
    (r"\bAndroid\b", "Android"),
    (r"\bWindows\b", "Windows"),
    (r"\bMac OS X\b|\bMacintosh\b", "macOS"),
    (r"\bCrOS\b", "ChromeOS"),
    (r"\bLinux\b", "Linux"),
]


def in_words(user_agent: str) -> str:
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if browser is None:
        return _("Unknown browser")
    return _("%(browser)s on %(system)s") % {"browser": browser, "system": system} if system else browser


def _first(table: list[tuple[str, str]], user_agent: str) -> str | None:
    return next((name for pattern, name in table if re.search(pattern, user_agent)), None)
