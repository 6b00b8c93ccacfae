"""What of exchangelib Sally uses, and where she does otherwise: the only module that knows more than its errors.

exchangelib 5.6 speaks EWS: SOAP, versions, NTLM, the names of errors. Its sessions, its cache, its retries and its
reading of items are not used, each for a measured reason that stands beside its replacement;
``tests/integrations/ews/test_library.py`` fails when a new version makes one of them needless or wrong.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import lxml.etree
import requests
from exchangelib.configuration import Configuration
from exchangelib.credentials import Credentials
from exchangelib.errors import SOAPError
from exchangelib.protocol import BaseProtocol, FailFast
from exchangelib.services.common import EWSService
from exchangelib.transport import BASIC, DEFAULT_HEADERS, NTLM
from exchangelib.util import MNS as MNS
from exchangelib.util import SOAPNS
from exchangelib.util import TNS as TNS
from exchangelib.version import Version
from exchangelib.winzone import MS_TIMEZONE_TO_IANA_MAP as MS_TIMEZONE_TO_IANA_MAP
from requests_ntlm import HttpNtlmAuth
from spnego.exceptions import SpnegoError

from integrations.errors import Unavailable
from integrations.http import IN_THE_BACKGROUND, Patience
from integrations.outbound import PinnedSession
from integrations.providers.exchange import failures
from integrations.trail import Trail

# What Sally can sign in with, by the names in WWW-Authenticate; the better first. NTLM does not send the password.
AUTH_TYPES = {"ntlm": NTLM, "basic": BASIC}
HEADERS = {**DEFAULT_HEADERS, "User-Agent": "Sally"}
# "Detect automatically": the newest that servers of an organization's own know, then older ones. (Exchange 2019 and SE
# speak Exchange2016; 2015 was the cloud's alone.)
NEWEST_FIRST = ("Exchange2016", "Exchange2013_SP1", "Exchange2013", "Exchange2010_SP2")

# Of an answer that is taken apart, which needs many times its size: a hundred long bodies stay far below.
MOST_BYTES = 16 * 1024 * 1024
# Elements and attributes, each of which takes a hundred bytes and more.
MOST_PIECES = 500_000
# https://www.w3.org/TR/xml/#charsets
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(rb"&#(?:x([0-9a-fA-F]{1,10})|([0-9]{1,10}));")


class FirstAnswer(FailFast):  # type: ignore[misc]  # exchangelib has no types
    """No answer is waited for twice, and every refusal becomes one of ours where it can be read best.

    exchangelib's own takes a 401 behind ``Connection: close`` for a busy server, and has the status of an answer
    only as text.
    """

    def raise_response_errors(self, response: requests.Response) -> None:
        failures.check(response)


class Channel(BaseProtocol):  # type: ignore[misc]
    """One account at one server, over one connection; ``close`` leaves nothing of it.

    Not exchangelib's ``Protocol``: that one is cached for ever under the password, together with its socket, and its
    sessions trust the environment's proxies and ``.netrc``. ``versions`` are tried in this order, and ``version`` is
    the one in use from then on; exchangelib would try ten, whatever was asked for.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str,
        password: str,
        auth: str,
        versions: Sequence[str],
        trail: Trail,
        before_each: Callable[[], None] = lambda: None,
        patience: Patience = IN_THE_BACKGROUND,
    ) -> None:
        credentials = Credentials(username, password)
        super().__init__(
            Configuration(
                service_endpoint=url, credentials=credentials, auth_type=AUTH_TYPES[auth], retry_policy=FirstAnswer()
            )
        )
        self.versions, self.version, self.build = list(versions), versions[0], ""
        self.trail, self._before_each, self._patience = trail, before_each, patience

    def create_session(self) -> PinnedSession:
        session = PinnedSession(self.trail, self._before_each, self._patience)
        session.headers.update(HEADERS)
        session.auth = _auth(self.auth_type, self.credentials)
        session.session_id = session.usage_count = 0  # type: ignore[attr-defined]  # exchangelib counts on them
        return session

    def __repr__(self) -> str:
        return "<Channel>"


class _Ntlm(HttpNtlmAuth):
    """Only where NTLM is offered; requests_ntlm would try it on a server that offers Negotiate alone.

    Whatever it trips over in the answers of the handshake, it breaks the handshake off. Raises ``Unavailable`` for it.
    """

    def response_hook(self, r: requests.Response, **kwargs: Any) -> requests.Response:
        offered = "ntlm" in r.headers.get("WWW-Authenticate", "").lower()
        if r.status_code != 401 or not offered:
            return r
        try:
            return super().response_hook(r, **kwargs)
        except (PermissionError, SpnegoError, LookupError, ValueError, struct.error):
            raise Unavailable("EWS: the NTLM handshake breaks off", code="EWS-HANDSHAKE") from None


def _auth(auth_type: str, credentials: Credentials) -> requests.auth.AuthBase:
    name, password = credentials.username, credentials.password
    if auth_type == BASIC:
        return requests.auth.HTTPBasicAuth(_encoded(name), _encoded(password))
    # Without a domain it is for the server to find, as in user@domain.
    return _Ntlm(name if "\\" in name else f"\\{name}", password)


def _encoded(text: str) -> bytes:
    """In Latin-1, as requests and exchangelib write HTTP Basic; in UTF-8 where that lacks a letter and they give up."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


class Operation(EWSService):  # type: ignore[misc]
    """One EWS operation; ``send`` gives the elements of its answer as they are.

    exchangelib would read the answer one byte at a time (a third of all time), try every field there is on every item
    (another third), drop items with an odd time zone and lose times with fractions of a second.
    """

    def send(self, payload: Any) -> list[Any]:
        """Elements, and exceptions in the place of single ones that the server refused. Raises exchangelib's errors."""
        return list(self._get_elements(payload))

    def _api_versions_to_try(self) -> Iterator[str]:
        """Begins with the one in use: what was refused once need not be asked with every operation."""
        in_use = self.protocol.version
        for version in sorted(self.protocol.versions, key=lambda one: one != in_use):
            self.protocol.version = version
            yield version
        self.protocol.version = in_use  # an operation that is refused in every version says nothing about them

    def _update_api_version(self, api_version: str, header: Any) -> None:
        """Only the build is news: which schema to use was decided when the calendar was connected."""
        try:
            self.protocol.build = str(Version.from_soap_header(requested_api_version=api_version, header=header).build)
        except Exception:  # noqa: BLE001 - exchangelib raises many kinds over a header that matters to nobody
            return

    @classmethod
    def _get_soap_parts(cls, response: requests.Response) -> tuple[Any, Any]:
        root = parsed(response.content)
        body = root.find(f"{{{SOAPNS}}}Body")
        if body is None:
            raise SOAPError("no Body")
        return root.find(f"{{{SOAPNS}}}Header"), body


def parsed(content: bytes) -> Any:
    """The envelope of an answer. Raises ``SOAPError``.

    Exchange lets characters pass that XML forbids, and cuts texts between the halves of one: these are left out.
    Nothing else is mended, for a parser that recovers leaves out all that follows a mistake, and makes a shorter list.
    """
    if not content.rstrip().endswith(b"Envelope>"):
        raise SOAPError("the answer is no envelope")
    if b"<!DOCTYPE" in content.partition(b"Envelope")[0]:  # SOAP forbids it; what it defines could grow without end
        raise SOAPError("the answer brings definitions along")
    if len(content) > MOST_BYTES or sum(map(content.count, (b"<", b'="', b"='"))) > MOST_PIECES:
        raise SOAPError("the answer is too large")
    try:
        return _strictly(content)
    except lxml.etree.XMLSyntaxError:
        pass
    try:
        return _strictly(_FORBIDDEN.sub("", _REFERENCE.sub(_allowed, content).decode("utf-8", "ignore")).encode())
    except lxml.etree.XMLSyntaxError as exc:
        raise SOAPError(f"the answer is no XML: {exc.code}") from None


def _strictly(content: bytes) -> Any:
    # One encoding, whatever is declared: what was looked for above must not hide in another.
    safe = {"encoding": "utf-8", "resolve_entities": False, "no_network": True}
    parser = lxml.etree.XMLParser(**safe, huge_tree=True, remove_comments=True, remove_pis=True)
    return lxml.etree.fromstring(content, parser)


def _allowed(reference: re.Match[bytes]) -> bytes:
    """A reference to a character, unless XML forbids that one."""
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return reference[0] if number <= sys.maxunicode and not _FORBIDDEN.match(chr(number)) else b""


class GetFolder(Operation):
    SERVICE_NAME = "GetFolder"
    element_container_name = f"{{{MNS}}}Folders"


class GetItem(Operation):
    SERVICE_NAME = "GetItem"
    element_container_name = f"{{{MNS}}}Items"


class _Whole(Operation):
    """One whose container says more than its elements do."""

    @classmethod
    def _get_elements_in_container(cls, container: Any) -> list[Any]:
        return [container]


class FindItem(_Whole):
    SERVICE_NAME = "FindItem"
    element_container_name = f"{{{MNS}}}RootFolder"


class SyncFolderItems(_Whole):
    SERVICE_NAME = "SyncFolderItems"


class ConvertId(_Whole):
    SERVICE_NAME = "ConvertId"


class ResolveNames(_Whole):
    SERVICE_NAME = "ResolveNames"
    element_container_name = f"{{{MNS}}}ResolutionSet"
