"""Undoes what mail filters and redirects do to a link, from the address alone and without asking anybody."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable
from urllib.parse import SplitResult, unquote, urlsplit

from calendars.services import host_of

# A link that was rewritten more often than this was made to be hostile.
MOST_UNWRAPS = 10
_DEEPEST_ENCODING = 3

# Only entities that end in a semicolon: "&notify=1" is part of an address, "&not;" is not.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE | re.ASCII)
_SCHEME = re.compile(r"^(https?|zoommtg|zoomus|msteams):/{1,2}(?=[^/])", re.IGNORECASE | re.ASCII)
_ENCODED_SCHEME = re.compile(r"[a-z]+%(?:25)*3a", re.IGNORECASE | re.ASCII)
_GAP = re.compile(r"[\s\x00-\x1f\x7f\\<>]")


def unescaped(text: str) -> str:
    """``text`` without HTML entities, also where they were escaped again."""
    for _ in range(_DEEPEST_ENCODING):
        if "&" not in text:
            break
        before, text = text, _ENTITY.sub(lambda found: html.unescape(found[0]), text)
        if text == before:
            break
    return text


def rewrites(host: str) -> bool:
    """Whether addresses on ``host`` (in lower case) may hide another."""
    return _REWRITING.fullmatch(host) is not None


def unwrapped(url: str) -> SplitResult | None:
    """The address behind all rewriting, with its scheme in lower case and without ":443"; None where there is none."""
    parts = _split(url)
    for _ in range(MOST_UNWRAPS):
        target = parts and _target(parts)
        if not target:
            return parts
        parts = _split(target)
    return None


def _split(url: str) -> SplitResult | None:
    url = _decoded(unescaped(url).strip())
    url = _SCHEME.sub(lambda found: f"{found[1].lower()}://", url)
    if _GAP.search(url):
        return None
    try:
        parts = urlsplit(url.replace('"', "%22"))
    except ValueError:
        return None
    if not parts.query and "%3f" in parts.path.lower():
        # Some programs encode an address as if all of it were a path.
        return _split(unquote(url)) if not _GAP.search(unquote(url)) else None
    port = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return parts._replace(netloc=parts.netloc.removesuffix(port)) if port else parts


def _decoded(url: str) -> str:
    """``url`` with its scheme readable, if all of it was percent-encoded."""
    for _ in range(_DEEPEST_ENCODING):
        if not _ENCODED_SCHEME.match(url):
            break
        url = unquote(url)
    return url


def _target(parts: SplitResult) -> str | None:
    if parts.scheme in ("zoommtg", "zoomus", "msteams"):
        return _from_app(parts)
    host = host_of(parts)
    if parts.scheme not in ("http", "https") or not rewrites(host):
        return None
    return next(
        (read(parts) for name, path, read in _REWRITERS if name.fullmatch(host) and path.match(parts.path)), None
    )


def _parameter(parts: SplitResult, *names: str) -> str | None:
    """The first parameter of such a name, still percent-encoded."""
    for pair in parts.query.split("&"):
        name, _, value = pair.partition("=")
        if name.lower() in names and value:
            return value
    return None


def _in_parameter(*names: str) -> Callable[[SplitResult], str | None]:
    def read(parts: SplitResult) -> str | None:
        value = unquote(_parameter(parts, *names) or "")
        # The host alone, as Mimecast shows it, is no address.
        return value if _SCHEME.match(_decoded(value)) else None

    return read


def _proofpoint_2(parts: SplitResult) -> str | None:
    value = _parameter(parts, "u")
    return value and unquote(value.translate(str.maketrans("-_", "%/")))


_RUNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _proofpoint_3(parts: SplitResult) -> str | None:
    """The address stands in the open; characters that could suffer stand at its end, in base64, and "*" for each.

    "**" and a letter stand for a run of two ("A") or more of them.
    """
    found = re.search(r"/v3/__(.+)__;([\w=-]*)", parts.geturl(), re.ASCII)
    if not found:
        return None
    try:
        encoded = found[2].rstrip("=")
        spared = iter(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    except (binascii.Error, ValueError):
        return None

    def restored(mark: re.Match[str]) -> str:
        length = _RUNS.index(mark[1]) + 2 if mark[1] else 1
        return "".join(next(spared, "") for _ in range(length))

    return re.sub(r"\*(?:\*([\w-]))?", restored, found[1], flags=re.ASCII)


def _launched(parts: SplitResult) -> str | None:
    """What the page that asks "app or browser?" opens, on the same host."""
    path = unquote(_parameter(parts, "url") or "").removeprefix("/_#")
    if path == "/_":
        # The "#" was not encoded, nor what follows it.
        path = parts.fragment
    return f"https://{parts.netloc}{path}" if path.startswith("/") else None


def _from_app(parts: SplitResult) -> str | None:
    """An address for an app, as the one for a browser."""
    if parts.scheme == "msteams":
        return parts._replace(scheme="https").geturl()
    number, passcode = _parameter(parts, "confno"), _parameter(parts, "pwd")
    return number and f"https://{parts.netloc}/j/{number}" + (f"?pwd={passcode}" if passcode else "")


# Hosts, how the path begins, and where the target stands.
_REWRITERS: tuple[tuple[re.Pattern[str], re.Pattern[str], Callable[[SplitResult], str | None]], ...] = tuple(
    (re.compile(host), re.compile(path), read)
    for host, path, read in (
        # Defender for Office 365, per region and for governments.
        (
            r"(?:[\w-]+\.)*safelinks\.protection\.(?:outlook\.(?:com|us|cn|de)|partner\.outlook\.cn|office365\.us)",
            "",
            _in_parameter("url"),
        ),
        # The same inside Teams: https://github.com/IsmaelMartinez/teams-for-linux/issues/1410
        (r"(?:[\w-]+\.)*(?:cdn\.office\.net|static\.microsoft)", r"/(?:[\w.-]+/)*safelinks/", _in_parameter("url")),
        (r"teams\.(?:microsoft\.com|live\.com|cloud\.microsoft)", r"/(?:[\w.-]+/)*safelinks/", _in_parameter("url")),
        (r"(?:[\w-]+\.)*teams\.(?:microsoft\.(?:com|us)|live\.com|cloud\.microsoft)", "/dl/launcher/", _launched),
        # https://help.proofpoint.com/Threat_Insight_Dashboard/Concepts/How_do_I_decode_a_rewritten_URL%3F
        (r"urldefense(?:\.proofpoint)?\.(?:com|us)", r"/v1/url$", _in_parameter("u")),
        (r"urldefense(?:\.proofpoint)?\.(?:com|us)", r"/v2/url$", _proofpoint_2),
        (r"urldefense(?:\.proofpoint)?\.(?:com|us)", "/v3/__", _proofpoint_3),
        # Most of Mimecast's addresses hold a number and the host only: those stay closed.
        (r"(?:[\w-]+\.)*mimecast(?:protect)?\.com", "", _in_parameter("url", "u", "target", "domain")),
        # https://campus.barracuda.com/doc/49055519
        (r"(?:[\w-]+\.)*linkprotect\.cudasvc\.com", r"/url$", _in_parameter("a")),
        (r"(?:www\.)?google\.(?:com?\.)?[a-z]{2,3}", r"/url$", _in_parameter("q", "url")),
    )
)
# Most links are none of them: one look instead of one for each.
_REWRITING = re.compile("|".join(f"(?:{name.pattern})" for name, _, _ in _REWRITERS))
