"""SyncFolderItems: what was added, changed or deleted since a state; masters and single items, never occurrences."""

import base64
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.exchange import folders, ids, shape
from sandbox.exchange.items import Writer
from sandbox.exchange.soap import Answer, Element, Fault, Refused, Request, add, m, t
from sandbox.installation import switches
from sandbox.mailbox import Item, open_mailbox
from sandbox.models import Person

_KEPT_STATES = 2048
_MOST = 512  # of the schema's MaxSyncChangesReturnedType
_HEAD = b"\x1f\x8b\x08\x00"  # a real state is compressed, and so begins with H4sI


def _new_token() -> str:
    return base64.b64encode(_HEAD + secrets.token_bytes(60)).decode()


@dataclass(frozen=True)
class State:
    """What a client was told: the change key of every item by its id, in one folder of one mailbox."""

    folder_id: str
    known: Mapping[str, str]
    since_forgotten: bool
    token: str = field(default_factory=_new_token)

    @property
    def usable(self) -> bool:
        return self.since_forgotten or not switches().exchange_forget_sync_states


class _States:
    """The states that are out; the ones not used for longest are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: OrderedDict[str, State] = OrderedDict()

    def add(self, state: State) -> None:
        with self._lock:
            self._states[state.token] = state
            if len(self._states) > _KEPT_STATES:
                self._states.popitem(last=False)

    def find(self, token: str) -> State | None:
        with self._lock:
            found = self._states.get(token)
            if found is not None:
                self._states.move_to_end(token)
            return found

    def empty(self) -> None:
        with self._lock:
            self._states.clear()


STATES = _States()


def _most(request: Request) -> int:
    """Raises ``Fault``."""
    wanted = request.element.findtext(m("MaxChangesReturned")) or ""
    if not wanted.strip().isdigit() or not 1 <= int(wanted) <= _MOST:
        said = f"The 'MaxChangesReturned' element is invalid - The value '{wanted}' is invalid."
        raise Fault("ErrorSchemaValidation", f"The request failed schema validation: {said}")
    return min(int(wanted), switches().exchange_sync_limit)


def _state(request: Request, folder: folders.Folder) -> State:
    """Where the client stands. Raises ``Refused``."""
    token = (request.element.findtext(m("SyncState")) or "").strip()
    if not token:
        return State(folder.id, {}, True)
    found = STATES.find(token)
    if found is None or found.folder_id != folder.id or not found.usable:
        raise Refused("ErrorInvalidSyncStateData")
    return found


def _changes(known: Mapping[str, str], keys: Mapping[str, str]) -> list[tuple[str, str]]:
    """What happened, as pairs of a kind and an id."""
    written = [("Update" if id in known else "Create", id) for id, key in keys.items() if known.get(id) != key]
    return [*written, *(("Delete", id) for id in known if id not in keys)]


def _told(known: Mapping[str, str], keys: Mapping[str, str], told: list[tuple[str, str]]) -> dict[str, str]:
    after = dict(known)
    for kind, id in told:
        if kind == "Delete":
            del after[id]
        else:
            after[id] = keys[id]
    return after


def _write(message: Element, told: list[tuple[str, str]], items: Mapping[str, Item], writer: Writer) -> None:
    group = add(message, m("Changes"))
    for kind, id in told:
        change = add(group, t(kind))
        if kind == "Delete":
            add(change, t("ItemId"), Id=id)
        else:
            writer.write(items[id], change)


def _sync(request: Request, folder: folders.Folder, answer: Answer) -> None:
    mailbox = open_mailbox(folder.person)
    writer = Writer(mailbox, folder, shape.read(request, listing=switches().exchange_expand))
    most, state = _most(request), _state(request, folder)
    series = mailbox.series if folder.name == "calendar" else ()
    items = {ids.item_id(mailbox, item): item for one in series for item in mailbox.stored(one)}
    keys = {id: ids.change_key(mailbox, item.series) for id, item in items.items()}
    changes = _changes(state.known, keys)
    told = changes[:most]
    if told or not state.known:
        since_forgotten = switches().exchange_forget_sync_states
        state = State(folder.id, _told(state.known, keys, told), since_forgotten)
        STATES.add(state)
    message = answer.success()
    add(message, m("SyncState"), state.token)
    add(message, m("IncludesLastItemInRange"), "true" if len(told) == len(changes) else "false")
    _write(message, told, items, writer)


def sync_folder_items(request: Request, person: Person, answer: Answer) -> None:
    element = request.find("m:SyncFolderId/*")
    try:
        if element is None:
            raise Fault("ErrorSchemaValidation", "The request failed schema validation: it has no SyncFolderId.")
        _sync(request, folders.find(element, person), answer)
    except Refused as exc:
        answer.trouble(exc.code)
