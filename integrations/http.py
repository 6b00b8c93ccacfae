"""The one transport: time limits, TLS trust, Retry-After, and failures translated into ``integrations.errors``.

msal and the Graph client send through ``Session``, exchangelib through the one in ``integrations.outbound``. Whatever
is sent passes an ``Adapter``, which notes it in the trail of the work that it is part of, and lets nothing by that
would write.
"""

from __future__ import annotations

import email.utils
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter

from integrations import endpoints
from integrations.errors import RateLimited, Unavailable
from integrations.trail import Trail

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """Seconds: for a connection, for any silence, and for the body of one answer as a whole, however it drips.

    (Headers that drip are timed where somebody typed the server's name, ``integrations.deadlines``.)
    """

    connect: float
    silence: float
    answer: float


# Together below a lease of 60 seconds.
IN_THE_BACKGROUND = Patience(connect=5, silence=20, answer=30)
# While a person waits for the page, and holds one of the few threads that serve all.
IN_A_PAGE = Patience(connect=4, silence=8, answer=10)
# A page of 1,000 events without bodies is about 2 MB; nothing honest comes near this.
MOST_BYTES = 64 * 1024 * 1024


class WouldWrite(Exception):
    """A bug: something was about to be sent that does not only read. Nothing of it was sent."""


class Adapter(HTTPAdapter):
    """The way out. ``before_each`` runs before every request.

    Here and not in the session, which sees one request where NTLM sends three. Raises ``WouldWrite``.
    """

    def __init__(self, trail: Trail, before_each: Callable[[], None] = lambda: None, **options: Any) -> None:
        self.trail, self.before_each = trail, before_each
        super().__init__(**options)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        method, url = request.method or "", request.url or ""
        endpoint = endpoints.kind_of(url, request.body)
        if not endpoints.only_reads(method, endpoint):
            raise WouldWrite(f"{method} {_place(url)}")
        self.before_each()
        self.trail.asks(method, endpoint)
        response = super().send(request, *args, **kwargs)
        signed = str(request.headers.get("Authorization", ""))
        self.trail.answered(response.status_code, endpoints.as_answered(endpoint, response.status_code, signed))
        return response


class Session(requests.Session):
    """A requests session that trusts only its own settings and never waits for ever.

    ``trust_env`` is off: otherwise proxy variables and ``.netrc`` apply, and ``REQUESTS_CA_BUNDLE`` silently beats
    ``verify`` (https://github.com/psf/requests/issues/3829). ``before_each`` runs before every request. Redirects are
    not followed.
    """

    def __init__(
        self, trail: Trail, before_each: Callable[[], None] = lambda: None, patience: Patience = IN_THE_BACKGROUND
    ) -> None:
        super().__init__()
        self.trail, self.patience = trail, patience
        self.trust_env = False
        self.verify = settings.CA_BUNDLE or True
        for scheme in ("https://", "http://"):
            self.mount(scheme, self.adapter(before_each))

    def adapter(self, before_each: Callable[[], None]) -> Adapter:
        return Adapter(self.trail, before_each)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs |= {"timeout": (self.patience.connect, self.patience.silence), "stream": True}
        response = super().request(method, url, *args, **kwargs)
        # requests has no limit of its own for the size of an answer or for its time as a whole.
        response._content = read_whole(response, time.monotonic() + self.patience.answer)
        response._content_consumed = True  # type: ignore[attr-defined]
        return response

    def close(self) -> None:
        super().close()
        self.trail.close()

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, whoever asks: even where requests does not follow one, it would read all of that answer."""


def send(session: Session, method: str, url: str, **kwargs: Any) -> requests.Response:
    """Send one request and read the answer whole. Raises ``Unavailable`` and ``RateLimited``; 4xx is the caller's."""
    try:
        response = session.request(method, url, **kwargs)
    except requests.RequestException as exc:
        raise Unavailable(f"{method} {_place(url)}: {type(exc).__name__}") from exc
    check(response.status_code, response.headers, f"{method} {_place(url)}")
    return response


def read_whole(response: requests.Response, deadline: float) -> bytes:
    """The body, decoded. ``deadline`` is one of ``time.monotonic``. Raises what requests raises."""
    content = bytearray()
    try:
        while chunk := response.raw.read1(65536, decode_content=True):
            content += chunk
            if len(content) > MOST_BYTES or time.monotonic() > deadline:
                response.close()
                raise requests.Timeout("the answer is too large or too slow")
    except urllib3.exceptions.HTTPError as exc:  # cut off, silent, or undecodable
        response.close()
        raise requests.ConnectionError("the answer broke off") from exc
    response.raw.release_conn()
    return bytes(content)


def check(status: int, headers: Mapping[str, str], what: str) -> None:
    """Raise for the answers that mean the same everywhere: 429 and 5xx."""
    if status == 429:
        raise RateLimited(f"{what}: 429", retry_after=retry_after(headers))
    if status >= 500:
        wait = retry_after(headers)
        if wait:
            raise RateLimited(f"{what}: {status}", retry_after=wait)
        raise Unavailable(f"{what}: {status}")


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds to wait, 0 where none are named. The header is a number (Graph sends fractions too) or an HTTP date."""
    value = next((text for name, text in headers.items() if name.lower() == "retry-after"), "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            then = email.utils.parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return 0.0
        then = then if then.tzinfo else then.replace(tzinfo=UTC)
        seconds = (then - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), 86400.0) if seconds == seconds else 0.0  # NaN is unequal to itself


def _place(url: str) -> str:
    """An address without its query, which may hold tokens and ids."""
    return url.partition("?")[0]
