"""Misbehaviour on demand: refused, slow, cut and nonsensical answers, each for as many requests as was asked for."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse

from sandbox.requestlog import BATCH_MARK

_SPARED = ("/control/", "/outlook")  # not Microsoft's, but the hands of whoever tests or demonstrates


@dataclass(frozen=True)
class Fault:
    """What to do to a request whose path matches; ``status`` None means the real answer, ``times`` None for ever."""

    path: re.Pattern[str]
    method: str | None = None
    times: int | None = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    delay: float = 0
    cut: int | None = None
    raw_body: str | None = None

    def concerns(self, request: HttpRequest) -> bool:
        return self.method in (None, request.method) and self.path.search(request.path) is not None


_KINDS: dict[str, tuple[type, ...]] = {
    "path": (str,),
    "method": (str, type(None)),
    "times": (int, type(None)),
    "status": (int, type(None)),
    "headers": (dict,),
    "body": (str,),
    "delay": (int, float),
    "cut": (int, type(None)),
    "raw_body": (str, type(None)),
}


def read_fault(wanted: dict[str, object]) -> Fault:
    """A fault from its JSON. Raises ``ValueError`` with a sentence for anything that is none."""
    for name, value in wanted.items():
        if name not in _KINDS:
            raise ValueError(f"A fault has no {name}.")
        if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
            raise ValueError(f"A fault's {name} cannot be {value!r}.")
    if "path" not in wanted:
        raise ValueError("A fault needs a path.")
    try:
        pattern = re.compile(str(wanted["path"]))
    except re.error as exc:
        raise ValueError(f"The fault's path is not a regular expression: {exc}.") from exc
    return Fault(**{**wanted, "path": pattern})  # type: ignore[arg-type]


class _Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append((fault, fault.times))

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, request: HttpRequest) -> Fault | None:
        """The oldest fault that concerns this request; it has one time less from now on."""
        with self._lock:
            for position, (fault, left) in enumerate(self._waiting):
                if not fault.concerns(request):
                    continue
                if left is None:
                    return fault
                if left > 1:
                    self._waiting[position] = (fault, left - 1)
                else:
                    del self._waiting[position]
                return fault
        return None


FAULTS = _Faults()


def _spoil(response: HttpResponse, fault: Fault, request: HttpRequest) -> HttpResponse:
    if fault.raw_body is not None:
        response.content = fault.raw_body.encode()
    for name, value in fault.headers.items():
        response[name] = value
    if fault.cut is not None and not request.META.get(BATCH_MARK):
        # The announced length stays that of the whole body: a client can only notice by counting.
        whole = response.content
        response.content = whole[: fault.cut]
        response["Content-Length"] = str(len(whole))
        request.META["sandbox.hang_up"]()
    return response


class FaultMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        fault = None if request.path.startswith(_SPARED) else FAULTS.take(request)
        if fault is None:
            return self._get_response(request)
        time.sleep(fault.delay)
        if fault.status is None:
            response = self._get_response(request)
        else:
            response = HttpResponse(fault.body, status=fault.status, content_type="application/json")
        return _spoil(response, fault, request)
