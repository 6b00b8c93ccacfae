"""Who asks: Basic or NTLM, verified as IIS does it in front of Exchange."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from sandbox import people
from sandbox.exchange import accounts, ntlm
from sandbox.installation import switches
from sandbox.models import Person

_NAMES = {"negotiate": "Negotiate", "ntlm": "NTLM", "basic": 'Basic realm="localhost"'}
_PAGE = (
    "<!DOCTYPE html><html><head><title>401 - Unauthorized: Access is denied due to invalid credentials.</title></head>"
    "<body><h1>Server Error</h1><h2>401 - Unauthorized: Access is denied due to invalid credentials.</h2>"
    "<h3>{}</h3></body></html>"
)
_SUPPLIED = "You do not have permission to view this directory or page using the credentials that you supplied."


class _Challenging:
    """A 401 with one WWW-Authenticate line for each thing it offers; Django knows only one line of a name."""

    offers: tuple[str, ...] = ()

    def items(self) -> Iterable[tuple[str, str]]:
        yield from super().items()  # type: ignore[misc]
        yield from (("WWW-Authenticate", offer) for offer in self.offers)


class Unauthorized(_Challenging, HttpResponse):
    status_code = 401


class LastWord(_Challenging, StreamingHttpResponse):
    """Of no announced length, which makes the server say and do ``Connection: close``."""

    status_code = 401


@dataclass(frozen=True)
class Outcome:
    """Somebody, or the answer that says no; ``login`` as the request log has it."""

    person: Person | None = None
    refusal: HttpResponseBase | None = None
    login: str = ""
    through_ntlm: bool = False


def offered() -> list[str]:
    return [name for name in switches().exchange_offers.lower().split() if name in _NAMES]


def _refusal(*challenges: str, sentence: str = _SUPPLIED) -> HttpResponseBase:
    page = _PAGE.format(sentence)
    lines = challenges or tuple(_NAMES[name] for name in offered())
    response: Unauthorized | LastWord
    if switches().exchange_close_on_401 and not challenges:
        response = LastWord([page.encode()], content_type="text/html")
    else:
        response = Unauthorized("" if challenges else page, content_type="text/html")
    response.offers = lines
    return response


def _verified(person: Person | None, proved: bool, *, through_ntlm: bool = False) -> Outcome:
    state = accounts.DIRECTORY.of(person).state if person is not None else ""
    if person is not None and (state == "locked" or (proved and state)):
        return Outcome(refusal=_refusal(sentence=accounts.SENTENCES[state]), login="refused")
    if person is None or not proved:
        return Outcome(refusal=_refusal(), login="refused")
    return Outcome(person=person, login="ok", through_ntlm=through_ntlm)


def _pair(value: str) -> tuple[str, str] | None:
    """User and password of a Basic header; IIS reads UTF-8 today and read Latin-1 before, and clients send either."""
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    user, colon, password = text.partition(":")
    return (user, password) if colon else None


def _basic(value: str) -> Outcome:
    pair = _pair(value)
    if pair is None:
        return Outcome(refusal=_refusal(), login="refused")
    domain, _, user = pair[0].rpartition("\\")
    person = accounts.find(domain, user)
    known = accounts.DIRECTORY.of(person).password if person is not None else ""
    return _verified(person, person is not None and compare_digest(known.encode(), pair[1].encode()))


def _ntlm(request: HttpRequest, value: str) -> Outcome:
    connection: dict[str, Any] = request.META["sandbox.connection"]
    connection.pop("person", None)
    binding = request.META["sandbox.channel_binding"] if switches().exchange_channel_binding else None
    try:
        number, token = ntlm.read(value)
        if number == 1:
            return Outcome(refusal=_refusal(f"NTLM {ntlm.begin(connection, token)}"))
        outcome = _verified(*ntlm.finish(connection, token, binding), through_ntlm=True)
    except ntlm.NoMessage:
        return Outcome(refusal=_refusal(), login="refused")
    if outcome.person is not None:
        connection["person"] = outcome.person.email
    return outcome


def authenticate(request: HttpRequest) -> Outcome:
    """Who asks. What an NTLM handshake proved counts for the later requests of its connection."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    scheme = scheme.lower()
    if scheme not in ("basic", "ntlm") or scheme not in offered():
        email = request.META["sandbox.connection"].get("person", "")
        person = people.find(email) if email and not scheme else None
        return Outcome(person=person, through_ntlm=True) if person is not None else Outcome(refusal=_refusal())
    return _basic(value.strip()) if scheme == "basic" else _ntlm(request, value.strip())
