"""Calendar items written: the properties that a request wants, in the order of the schema."""

import copy

from lxml import etree

from sandbox.exchange import schema
from sandbox.exchange.folders import Folder
from sandbox.exchange.shape import Shape
from sandbox.exchange.soap import PREFIXES, Element, add, t
from sandbox.exchange.times import TIMES, write_id
from sandbox.exchange.words import WORDS, Seen, Write, public_string
from sandbox.mailbox import Item, OpenMailbox


class Writer:
    """Writes the items of one folder for one request."""

    def __init__(self, mailbox: OpenMailbox, folder: Folder, shape: Shape) -> None:
        self._mailbox = mailbox
        self._folder = folder
        self._shape = shape
        self._words: dict[tuple[int, str], dict[str, list[Element]]] = {}
        known: dict[str, Write] = {
            **WORDS,
            **TIMES,
            "ItemId": write_id,
            "ParentFolderId": self._parent,
            "ExtendedProperty": self._extended,
        }
        wanted = shape.names | ({"ItemId", "ExtendedProperty"} if shape.extended else {"ItemId"})
        self._writes = [(name, known[name]) for name in schema.ORDER if name in wanted and name in known]

    def write(self, item: Item, parent: Element) -> None:
        seen = Seen(item, self._mailbox, self._shape)
        element = add(parent, t("CalendarItem"))
        words = self._words_of(seen)
        for name, write in self._writes:
            if name in WORDS:
                element.extend(copy.deepcopy(words[name]))
            else:
                write(seen, element, name)

    def _words_of(self, seen: Seen) -> dict[str, list[Element]]:
        """The words of a series are written once and copied for each of its occurrences."""
        key = (id(seen.event), seen.item.kind)
        found = self._words.get(key)
        if found is None:
            found = self._words[key] = {}
            for name, write in self._writes:
                if name in WORDS:
                    apart = etree.Element("apart", nsmap=PREFIXES)
                    write(seen, apart, name)
                    found[name] = list(apart)
        return found

    def write_id(self, item: Item, parent: Element) -> None:
        write_id(Seen(item, self._mailbox, self._shape), parent, "ItemId")

    def _parent(self, _seen: Seen, parent: Element, name: str) -> None:
        add(parent, t(name), Id=self._folder.id, ChangeKey=self._folder.key)

    def _extended(self, seen: Seen, parent: Element, name: str) -> None:
        """What an item does not have is left out, as any property."""
        for field in self._shape.extended:
            value = public_string(seen, field.public_name) if field.public_name else ""
            if value:
                element = add(parent, t(name))
                add(element, t("ExtendedFieldURI"), **dict(field.attributes))
                add(element, t("Value"), self._shape.cut(value))
