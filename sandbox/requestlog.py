"""The list of every request that reached the sandbox's services, for tests to read; no secret is ever in it."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from django.http import HttpRequest, HttpResponse

BATCH_MARK = "sandbox.batch"
OPERATION_MARK = "sandbox.operation"
LOGIN_MARK = "sandbox.login"
_UNLOGGED = ("/control/", "/outlook", "/pages.css", "/favicon.ico")
_SECRET_PARAMETERS = frozenset(
    {
        "access_token",
        "client_assertion",
        "client_secret",
        "code",
        "code_verifier",
        "id_token",
        "id_token_hint",
        "refresh_token",
    }
)


@dataclass(frozen=True)
class Entry:
    """One request and its answer; ``body_bytes`` is the length of the answer's body, 0 for one without an end.

    ``operation`` is what was asked of Exchange, once somebody was known to ask; ``login`` is what became of
    credentials that Exchange had to verify: ok, refused, or nothing where there was nothing to verify.
    """

    time: str
    method: str
    path: str
    query: str
    status: int
    via: str
    body_bytes: int
    operation: str
    login: str


class _Log:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)

    def read(self) -> list[dict[str, object]]:
        with self._lock:
            return [asdict(entry) for entry in self._entries]

    def empty(self) -> None:
        with self._lock:
            self._entries.clear()


LOG = _Log()


def _without_secrets(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(name in _SECRET_PARAMETERS for name, _ in pairs):
        return query
    return urlencode([(name, "***" if name in _SECRET_PARAMETERS else value) for name, value in pairs])


class RequestLogMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        arrived = datetime.now(UTC)
        response = self._get_response(request)
        if not request.path.startswith(_UNLOGGED):
            LOG.add(
                Entry(
                    time=arrived.isoformat(),
                    method=request.method or "",
                    path=request.path,
                    query=_without_secrets(request.META.get("QUERY_STRING", "")),
                    status=response.status_code,
                    via="batch" if request.META.get(BATCH_MARK) else "direct",
                    body_bytes=0 if response.streaming else len(response.content),
                    operation=request.META.get(OPERATION_MARK, ""),
                    login=request.META.get(LOGIN_MARK, ""),
                )
            )
        return response
