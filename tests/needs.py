"""What a test may need besides Python: looked for once, skipped in one loud line, or refused in CI.

``@pytest.mark.needs("chromium")`` skips where there is no Chromium. With ``SALLY_FORBID_SKIPS=1``
(``.ci/run`` sets it) the same test fails, so that a missing browser cannot pass for a green run.
"""

import importlib.util
import os
import shutil
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path

EWS_JAVASCRIPT = Path(__file__).parent / "sandbox" / "ews-javascript"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@cache
def chromium_path() -> str | None:
    named = os.environ.get("SALLY_CHROMIUM")
    return named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "chromium": (lambda: chromium_path() is not None, "a browser: apt-get install chromium (or set SALLY_CHROMIUM)"),
    "postgresql": (
        lambda: os.environ.get("TEST_DATABASE_URL", "").startswith("postgres"),
        "PostgreSQL: set TEST_DATABASE_URL=postgres://user@host/name",
    ),
    "redis": (lambda: bool(os.environ.get("TEST_REDIS_URL")), "Redis: set TEST_REDIS_URL=redis://host:port/number"),
    "msgraph": (lambda: _installed("msgraph"), "Microsoft's Graph SDK: pip install -r requirements-conformance.txt"),
    "proc": (lambda: Path("/proc/self/environ").exists(), "/proc, by which tests find processes: a Linux machine"),
    "ipv6": (_has_ipv6, "IPv6 on the loopback interface"),
    "gettext": (lambda: shutil.which("msgfmt") is not None, "gettext: apt-get install gettext"),
    "ews_schema": (
        lambda: bool(os.environ.get("SALLY_EWS_SCHEMA")),
        "Microsoft's EWS schema: set SALLY_EWS_SCHEMA to the folder of messages.xsd, types.xsd and xml.xsd",
    ),
    "ews_javascript": (
        lambda: shutil.which("node") is not None and (EWS_JAVASCRIPT / "node_modules").is_dir(),
        "Node.js and an Exchange client for it: npm ci in tests/sandbox/ews-javascript",
    ),
    "real_calendars": (
        lambda: bool(os.environ.get("SALLY_REAL_CALENDARS")),
        "real calendars: set SALLY_REAL_CALENDARS to their folder",
    ),
}


def missing(names: tuple[str, ...]) -> list[str]:
    """What of ``names`` this machine lacks, in words that say how to get it."""
    return [hint for found, hint in (NEEDS[name] for name in names) if not found()]
