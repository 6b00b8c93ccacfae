"""The folders of a mailbox, and which of them a request means."""

from dataclasses import dataclass

from sandbox import people
from sandbox.exchange import ids
from sandbox.exchange.soap import TYPES, Element, Refused, local
from sandbox.models import Person

_CLASSES = {"calendar": "IPF.Appointment", "contacts": "IPF.Contact", "tasks": "IPF.Task", "notes": "IPF.StickyNote"}
_NAMES = {
    "root": "root",
    "msgfolderroot": "Top of Information Store",
    "calendar": "Calendar",
    "contacts": "Contacts",
    "deleteditems": "Deleted Items",
    "drafts": "Drafts",
    "inbox": "Inbox",
    "journal": "Journal",
    "junkemail": "Junk Email",
    "notes": "Notes",
    "outbox": "Outbox",
    "sentitems": "Sent Items",
    "tasks": "Tasks",
}


@dataclass(frozen=True)
class Folder:
    """One folder of one person's mailbox; ``name`` is its distinguished one."""

    person: Person
    name: str

    @property
    def id(self) -> str:
        return ids.folder_id(self.person.oid, self.name)

    @property
    def key(self) -> str:
        return ids.folder_key(self.person.oid, self.name)

    @property
    def display_name(self) -> str:
        return _NAMES[self.name]

    @property
    def folder_class(self) -> str:
        return "" if self.name in ("root", "msgfolderroot") else _CLASSES.get(self.name, "IPF.Note")

    @property
    def parent(self) -> "Folder | None":
        if self.name == "root":
            return None
        return Folder(self.person, "root" if self.name == "msgfolderroot" else "msgfolderroot")

    @property
    def children(self) -> int:
        return 1 if self.name == "root" else len(_NAMES) - 2 if self.name == "msgfolderroot" else 0


def _by_name(element: Element, person: Person) -> Folder:
    """Raises ``Refused``."""
    address = element.findtext(f"{{{TYPES}}}Mailbox/{{{TYPES}}}EmailAddress") or person.email
    owner = people.find(address)
    if owner is None:
        raise Refused("ErrorNonExistentMailbox")
    if owner.pk != person.pk:
        raise Refused("ErrorAccessDenied")
    if element.get("Id") not in _NAMES:
        raise Refused("ErrorFolderNotFound")
    return Folder(owner, element.get("Id"))


def by_id(id: str, person: Person) -> Folder | None:
    return next((folder for name in _NAMES if (folder := Folder(person, name)).id == id), None)


def find(element: Element, person: Person) -> Folder:
    """The folder of a FolderId or DistinguishedFolderId, for somebody who may read their own. Raises ``Refused``."""
    if local(element) == "DistinguishedFolderId":
        return _by_name(element, person)
    id = element.get("Id", "")
    folder = by_id(id, person)
    if folder is None:
        raise Refused("ErrorFolderNotFound" if ids.is_folder_id(id) else "ErrorInvalidIdMalformed")
    return folder
