"""GetItem: all there is of single items, each answered by itself."""

from sandbox.exchange import ids, shape
from sandbox.exchange.folders import Folder
from sandbox.exchange.items import Writer
from sandbox.exchange.soap import Answer, Element, Refused, Request, add, local, m
from sandbox.mailbox import Item, OpenMailbox, open_mailbox
from sandbox.models import Person


def _item(mailbox: OpenMailbox, element: Element) -> Item:
    """Raises ``Refused``."""
    of_occurrence = local(element) == "RecurringMasterItemId"
    try:
        item = ids.find(mailbox, element.get("OccurrenceId" if of_occurrence else "Id", ""))
    except ValueError as exc:
        raise Refused("ErrorInvalidIdMalformed") from exc
    if item is None:
        raise Refused("ErrorItemNotFound")
    return mailbox.master(item.series) if of_occurrence else item


def get_item(request: Request, person: Person, answer: Answer) -> None:
    mailbox = open_mailbox(person)
    writer = Writer(mailbox, Folder(person, "calendar"), shape.read(request, listing=False))
    for element in request.all("m:ItemIds/*"):
        try:
            item = _item(mailbox, element)
        except Refused as exc:
            answer.trouble(exc.code)
        else:
            writer.write(item, add(answer.success(), m("Items")))
