"""SOAP as Exchange speaks it: requests read, answers and faults written."""

from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from sandbox.exchange import versions

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"

PREFIXES = {"s": SOAP, "m": MESSAGES, "t": TYPES}

Element = Any  # lxml's, which has no types

SENTENCES = {
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorCalendarEndDateIsEarlierThanStartDate": "EndDate is earlier than StartDate",
    "ErrorCalendarFolderIsInvalidForCalendarView": "Can't use a CalendarView on a folder that is no calendar.",
    "ErrorCalendarViewRangeTooBig": "The specified view range exceeds the maximum range of two years.",
    "ErrorFolderNotFound": "The specified folder could not be found in the store.",
    "ErrorInvalidIdMalformed": "Id is malformed.",
    "ErrorInvalidRequest": "The request is invalid.",
    "ErrorInvalidServerVersion": "The specified server version is invalid.",
    "ErrorInvalidSyncStateData": "Synchronization state data is corrupt or otherwise invalid.",
    "ErrorItemNotFound": "The specified object was not found in the store.",
    "ErrorMailboxMoveInProgress": "The mailbox is being moved and is temporarily unavailable.",
    "ErrorMailboxStoreUnavailable": "The mailbox database is temporarily unavailable.",
    "ErrorNameResolutionMultipleResults": "Multiple results were found.",
    "ErrorNameResolutionNoResults": "No results were found.",
    "ErrorNonExistentMailbox": "The SMTP address has no mailbox associated with it.",
    "ErrorPasswordExpired": "The account password has expired.",
    "ErrorServerBusy": "The server cannot service this request right now. Try again later.",
    "ErrorUnsupportedPathForSortGroup": "The property cannot be used for sorting.",
    "ErrorUnsupportedQueryFilter": "The query filter is not supported.",
}


class Fault(Exception):
    """The whole request is refused; ``values`` go into the fault's MessageXml."""

    def __init__(self, code: str, sentence: str = "", values: dict[str, str] | None = None) -> None:
        super().__init__(sentence or SENTENCES.get(code, code))
        self.code = code
        self.values = values or {}


class Refused(Exception):
    """One thing that was asked is answered with an error; ``code`` is its ResponseCode."""

    def __init__(self, code: str) -> None:
        super().__init__(SENTENCES.get(code, "An error occurred."))
        self.code = code


@dataclass(frozen=True)
class Request:
    """What somebody asked: the element in soap:Body, the schema it was written in and the zone of its bare times."""

    element: Element
    schema: str = versions.FIRST
    zone_id: str = "UTC"
    operation: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "operation", etree.QName(self.element).localname)

    def find(self, path: str) -> Element | None:
        return self.element.find(path, PREFIXES)

    def all(self, path: str) -> list[Element]:
        return list(self.element.iterfind(path, PREFIXES))


def m(name: str) -> str:
    return f"{{{MESSAGES}}}{name}"


def t(name: str) -> str:
    return f"{{{TYPES}}}{name}"


def local(element: Element) -> str:
    name: str = etree.QName(element).localname
    return name


def add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    child = etree.SubElement(parent, tag, attributes)
    if text is not None:
        child.text = _writable(text)
    return child


def _writable(text: str) -> str:
    """Without the characters that XML 1.0 has no way to write."""
    return "".join(sign for sign in text if sign >= " " or sign in "\t\n\r")


def _parse(body: bytes) -> Element:
    """No entity, no DTD, nothing from elsewhere. Raises ``Fault`` for what is no SOAP."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise Fault("ErrorSchemaValidation", f"The request failed schema validation: {exc}") from exc
    if root.tag != f"{{{SOAP}}}Envelope" or root.getroottree().docinfo.doctype:
        raise Fault("ErrorSchemaValidation", "The request failed schema validation: this is no SOAP envelope.")
    return root


def read(body: bytes) -> Request:
    """Raises ``Fault``."""
    root = _parse(body)
    asked = root.find("s:Body/*", PREFIXES)
    if asked is None:
        raise Fault("ErrorSchemaValidation", "The request failed schema validation: its Body is empty.")
    version = root.find("s:Header/t:RequestServerVersion", PREFIXES)
    schema = version.get("Version", "") if version is not None else versions.FIRST
    if not versions.understood(schema):
        raise Fault("ErrorInvalidServerVersion")
    zone = root.find("s:Header/t:TimeZoneContext/t:TimeZoneDefinition", PREFIXES)
    return Request(asked, schema, zone.get("Id", "UTC") if zone is not None else "UTC")


def _envelope() -> tuple[Element, Element]:
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap=PREFIXES)
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    add(header, t("ServerVersionInfo"), **versions.server_version())
    return envelope, etree.SubElement(envelope, f"{{{SOAP}}}Body")


def _written(envelope: Element) -> bytes:
    written: bytes = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
    return written


def answer(content: Element) -> bytes:
    envelope, body = _envelope()
    body.append(content)
    return _written(envelope)


def fault(error: Fault) -> bytes:
    """As Exchange writes one; a fault has no ServerVersionInfo."""
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP})
    told = etree.SubElement(etree.SubElement(envelope, f"{{{SOAP}}}Body"), f"{{{SOAP}}}Fault")
    code = etree.SubElement(told, "faultcode", nsmap={"a": TYPES})
    code.text = f"a:{error.code}"
    sentence = etree.SubElement(told, "faultstring", {"{http://www.w3.org/XML/1998/namespace}lang": "en-US"})
    sentence.text = str(error)
    detail = etree.SubElement(told, "detail")
    for name, text in (("ResponseCode", error.code), ("Message", str(error))):
        etree.SubElement(detail, f"{{{ERRORS}}}{name}", nsmap={"e": ERRORS}).text = text
    if error.values:
        values = etree.SubElement(detail, t("MessageXml"), nsmap={"t": TYPES})
        for name, text in error.values.items():
            add(values, t("Value"), text, Name=name)
    return _written(envelope)


# What an answer of this kind has even when it is an error (for SyncFolderItems: syncfolderitems-operation.md).
_EMPTY: dict[str, dict[str, str | None]] = {
    "GetItem": {"Items": None},
    "GetFolder": {"Folders": None},
    "SyncFolderItems": {"SyncState": None, "IncludesLastItemInRange": "true"},
}


class Answer:
    """An answer's response messages, one for each thing that was asked."""

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self.element = etree.Element(m(f"{operation}Response"), nsmap={"m": MESSAGES, "t": TYPES})
        self._messages = add(self.element, m("ResponseMessages"))

    def success(self) -> Element:
        message = self._message("Success")
        add(message, m("ResponseCode"), "NoError")
        return message

    def trouble(self, code: str, kind: str = "Error") -> Element:
        message = self._message(kind)
        add(message, m("MessageText"), str(Refused(code)))
        add(message, m("ResponseCode"), code)
        add(message, m("DescriptiveLinkKey"), "0")
        for name, text in _EMPTY.get(self._operation, {}).items():
            add(message, m(name), text)
        return message

    def _message(self, kind: str) -> Element:
        return add(self._messages, m(f"{self._operation}ResponseMessage"), ResponseClass=kind)
