"""What the server does instead of answering, as the switch ``exchange_answer`` says.

``html``, ``redirect``, ``404``, ``403``, ``503`` and ``huge`` come from something in front of the server and ask for no
login; ``slow`` answers rightly, late; ``cas`` and ``busy`` come after the login. Any other word is the response code
that every operation answers with. ``exchange_answer_times`` counts anew whenever any switch is turned.
"""

import threading
import time
from collections.abc import Iterator

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from sandbox.exchange.soap import Fault
from sandbox.installation import Switches, installation, switches

_IN_FRONT = ("html", "redirect", "404", "403", "503", "huge", "slow")
_LOGIN_PAGE = (
    "<!DOCTYPE html><html><head><title>Outlook</title></head><body><form>Password <input></form></body></html>"
)
_RETRY_SECONDS = "10"
_BUSY_MILLISECONDS = "1500"
_CHUNK = b"<t:String>" + b"x" * 65_500 + b"</t:String>\n"
_MOST_CHUNKS = 16_384  # a gigabyte: endless for any client, and no thread that never ends


class _Counted:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Switches | None = None
        self._used = 0

    def take(self, *, in_front: bool) -> str:
        """The answer that this request gets, or none; it is used up by one."""
        now = switches()
        wanted = now.exchange_answer
        if not wanted or (wanted in _IN_FRONT) is not in_front:
            return ""
        with self._lock:
            if self._of is not now:
                self._of, self._used = now, 0
            if now.exchange_answer_times and self._used >= now.exchange_answer_times:
                return ""
            self._used += 1
        return wanted


COUNTED = _Counted()


def _endless() -> Iterator[bytes]:
    yield b'<?xml version="1.0" encoding="utf-8"?>\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
    for _ in range(_MOST_CHUNKS):
        yield _CHUNK


def in_front() -> HttpResponseBase | None:
    """The answer of something that stands before the server."""
    wanted = COUNTED.take(in_front=True)
    if wanted == "html":
        return HttpResponse(_LOGIN_PAGE, content_type="text/html; charset=utf-8")
    if wanted == "redirect":
        return HttpResponse(status=302, headers={"Location": f"{installation().services_url}/owa/"})
    if wanted == "503":
        return HttpResponse("Service Unavailable", status=503, headers={"Retry-After": _RETRY_SECONDS})
    if wanted == "huge":
        return StreamingHttpResponse(_endless(), content_type=switches().exchange_content_type)
    if wanted == "slow":
        time.sleep(switches().exchange_slow_seconds)
    return HttpResponse(status=int(wanted)) if wanted in ("403", "404") else None


def after_login() -> tuple[HttpResponse | None, str]:
    """The answer, or the response code that every operation gives. Raises ``Fault``."""
    wanted = COUNTED.take(in_front=False)
    if wanted == "cas":
        return HttpResponse(status=500, headers={"X-CasErrorCode": "ServerNotFound"}), ""
    if wanted == "busy":
        raise Fault("ErrorServerBusy", values={"BackOffMilliseconds": _BUSY_MILLISECONDS})
    return None, wanted
