"""GetFolder: what there is to know of a folder, its id above all."""

from collections.abc import Callable

from sandbox.exchange import folders
from sandbox.exchange.folders import Folder
from sandbox.exchange.soap import Answer, Element, Refused, Request, add, m, t
from sandbox.exchange.words import write_rights
from sandbox.mailbox import open_mailbox
from sandbox.models import Person

_ELEMENTS = {"calendar": "CalendarFolder", "contacts": "ContactsFolder", "tasks": "TasksFolder"}
_DEFAULT = ("FolderId", "DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount")


def _count(folder: Folder) -> int:
    mailbox = open_mailbox(folder.person)
    return sum(len(mailbox.stored(one)) for one in mailbox.series) if folder.name == "calendar" else 0


def _id(folder: Folder, parent: Element, name: str) -> None:
    add(parent, t(name), Id=folder.id, ChangeKey=folder.key)


def _parent_id(folder: Folder, parent: Element, name: str) -> None:
    if folder.parent is not None:
        _id(folder.parent, parent, name)


def _plain(read: Callable[[Folder], str]) -> Callable[[Folder, Element, str], None]:
    def write(folder: Folder, parent: Element, name: str) -> None:
        text = read(folder)
        if text:
            add(parent, t(name), text)

    return write


# In the order of the schema.
_PROPERTIES: dict[str, Callable[[Folder, Element, str], None]] = {
    "FolderId": _id,
    "ParentFolderId": _parent_id,
    "FolderClass": _plain(lambda folder: folder.folder_class),
    "DisplayName": _plain(lambda folder: folder.display_name),
    "TotalCount": _plain(lambda folder: str(_count(folder))),
    "ChildFolderCount": _plain(lambda folder: str(folder.children)),
    "EffectiveRights": write_rights,
    "DistinguishedFolderId": _plain(lambda folder: folder.name),
    "UnreadCount": _plain(lambda folder: "" if folder.name == "calendar" else "0"),
}


def _wanted(request: Request) -> set[str]:
    base = request.element.findtext(f"{m('FolderShape')}/{t('BaseShape')}")
    names = set(_PROPERTIES if base == "AllProperties" else _DEFAULT if base == "Default" else _DEFAULT[:1])
    named = request.all("m:FolderShape/t:AdditionalProperties/t:FieldURI")
    return names | {one.get("FieldURI", "").partition(":")[2] for one in named}


def get_folder(request: Request, person: Person, answer: Answer) -> None:
    wanted = _wanted(request)
    for element in request.all("m:FolderIds/*"):
        try:
            folder = folders.find(element, person)
        except Refused as exc:
            answer.trouble(exc.code)
            continue
        group = add(answer.success(), m("Folders"))
        written = add(group, t(_ELEMENTS.get(folder.name, "Folder")))
        for name, write in _PROPERTIES.items():
            if name in wanted:
                write(folder, written, name)
