"""Exchange asked with hand-written SOAP, so that no client's habits stand between a test and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import requests
from lxml import etree
from requests.auth import HTTPBasicAuth

from tests.sandbox_process import Sandbox

NAMES = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
}
INES = "ines@quay.example"
CALENDAR = '<t:DistinguishedFolderId Id="calendar"/>'
ROOT = '<t:DistinguishedFolderId Id="root"/>'
EMPTY = "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n"
SPRING = ("2027-03-15T00:00:00Z", "2027-04-12T00:00:00Z")


def envelope(body: str, version: str = "Exchange2013_SP1") -> bytes:
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in NAMES.items() if prefix != "e")
    named = f'<t:RequestServerVersion Version="{version}"/>' if version else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n'
        f"<s:Envelope {spaces}><s:Header>{named}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def shape(base: str = "IdOnly", *fields: str, body_type: str = "", extended: str = "") -> str:
    uris = "".join(f"<t:FieldURI FieldURI={quoteattr(field)}/>" for field in fields) + extended
    more = f"<t:AdditionalProperties>{uris}</t:AdditionalProperties>" if uris else ""
    kind = f"<t:BodyType>{body_type}</t:BodyType>" if body_type else ""
    return f"<m:ItemShape><t:BaseShape>{base}</t:BaseShape>{kind}{more}</m:ItemShape>"


def public_string(name: str) -> str:
    return (
        f'<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="{name}" PropertyType="String"/>'
    )


def get_folder(folder: str = CALENDAR, base: str = "Default") -> str:
    kind = f"<m:FolderShape><t:BaseShape>{base}</t:BaseShape></m:FolderShape>"
    return f"<m:GetFolder>{kind}<m:FolderIds>{folder}</m:FolderIds></m:GetFolder>"


def find_item(view: str = "", wanted: str = "", folder: str = CALENDAR, more: str = "") -> str:
    parents = f"<m:ParentFolderIds>{folder}</m:ParentFolderIds>"
    return f'<m:FindItem Traversal="Shallow">{wanted or shape()}{view}{more}{parents}</m:FindItem>'


def view(start: str = SPRING[0], end: str = SPRING[1], most: int | None = None) -> str:
    limit = f' MaxEntriesReturned="{most}"' if most is not None else ""
    return f'<m:CalendarView{limit} StartDate="{start}" EndDate="{end}"/>'


def get_item(*ids: str, wanted: str = "") -> str:
    items = "".join(f"<t:ItemId Id={quoteattr(id)}/>" for id in ids)
    return f"<m:GetItem>{wanted or shape('AllProperties')}<m:ItemIds>{items}</m:ItemIds></m:GetItem>"


def sync(state: str = "", most: int = 512, wanted: str = "", folder: str = CALENDAR) -> str:
    known = f"<m:SyncState>{escape(state)}</m:SyncState>" if state else ""
    return (
        f"<m:SyncFolderItems>{wanted or shape()}<m:SyncFolderId>{folder}</m:SyncFolderId>{known}"
        f"<m:MaxChangesReturned>{most}</m:MaxChangesReturned></m:SyncFolderItems>"
    )


def convert_id(id: str, mailbox: str = INES) -> str:
    source = f'<t:AlternateId Format="EwsId" Id={quoteattr(id)} Mailbox="{mailbox}"/>'
    return f'<m:ConvertId DestinationFormat="EwsId"><m:SourceIds>{source}</m:SourceIds></m:ConvertId>'


def resolve(word: str) -> str:
    return (
        f'<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>{escape(word)}</m:UnresolvedEntry>'
        "</m:ResolveNames>"
    )


@dataclass(frozen=True)
class Answer:
    """One answer, and what a test looks for in it."""

    response: requests.Response

    @property
    def root(self) -> Any:
        return etree.fromstring(self.response.content)

    @property
    def body(self) -> Any:
        return self.root.find("s:Body/*", NAMES)

    def all(self, path: str) -> list[Any]:
        return list(self.body.iterfind(path, NAMES))

    def text(self, path: str) -> str | None:
        found: str | None = self.body.findtext(path, None, NAMES)
        return found

    def texts(self, path: str) -> list[str]:
        return [one.text or "" for one in self.all(path)]

    @property
    def codes(self) -> list[str]:
        """The response code of each response message."""
        return self.texts("m:ResponseMessages/*/m:ResponseCode")

    @property
    def items(self) -> list[Any]:
        return self.all(".//t:CalendarItem")

    @property
    def rows(self) -> list[dict[str, str]]:
        """Every item as its plain properties."""
        return [row(item) for item in self.items]

    @property
    def fault(self) -> str:
        return self.text("detail/e:ResponseCode") or ""

    @property
    def page(self) -> Mapping[str, str]:
        attributes: Mapping[str, str] = self.all(".//m:RootFolder")[0].attrib
        return attributes

    @property
    def state(self) -> str:
        return self.text(".//m:SyncState") or ""

    @property
    def changes(self) -> list[tuple[str, str]]:
        """Each change as its kind and the id that it is about."""
        return [
            (etree.QName(change).localname, change.find(".//t:ItemId", NAMES).get("Id"))
            for change in self.all(".//m:Changes/*")
        ]


def row(item: Any) -> dict[str, str]:
    said = {etree.QName(child).localname: child.text or "" for child in item if not len(child)}
    id = item.find("t:ItemId", NAMES)
    return said | ({"ItemId": id.get("Id"), "ChangeKey": id.get("ChangeKey")} if id is not None else {})


@dataclass
class Mailbox:
    """Somebody's mailbox, asked over one session."""

    sandbox: Sandbox
    http: requests.Session

    def post(self, body: str | bytes, version: str = "Exchange2013_SP1", **options: Any) -> Answer:
        content = body if isinstance(body, bytes) else envelope(body, version)
        headers = {"Content-Type": "text/xml; charset=utf-8"} | options.pop("headers", {})
        return Answer(self.http.post(self.sandbox.exchange_url, data=content, headers=headers, timeout=30, **options))

    def ask(self, body: str, version: str = "Exchange2013_SP1") -> Answer:
        """An answer that is none of a fault."""
        answer = self.post(body, version)
        assert answer.response.status_code == 200, answer.response.text
        return answer

    def view(self, start: str = SPRING[0], end: str = SPRING[1], *fields: str) -> list[dict[str, str]]:
        return self.ask(find_item(view(start, end), shape("AllProperties", *fields))).rows

    def put(self, text: str) -> None:
        self.sandbox.control("PUT", f"mailboxes/{INES}", text=text)

    def add(self, **event: Any) -> str:
        uid: str = self.sandbox.control("POST", f"mailboxes/{INES}/events", json=event)["uid"]
        return uid

    def change(self, **change: Any) -> None:
        self.sandbox.control("POST", f"mailboxes/{INES}/change", json=change)

    def turn(self, **switches: object) -> None:
        self.sandbox.control("POST", "settings", json=switches)


def basic(sandbox: Sandbox, user: str = INES, password: str | None = None) -> Mailbox:
    http = sandbox.session()
    http.auth = HTTPBasicAuth(user, sandbox.exchange_password if password is None else password)
    return Mailbox(sandbox, http)
