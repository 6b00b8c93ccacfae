"""ConvertId: an id in another format, and whose mailbox it is of."""

from urllib.parse import quote, unquote

from sandbox.exchange import folders, ids
from sandbox.exchange.soap import INSTANCE, Answer, Refused, Request, add, m
from sandbox.mailbox import open_mailbox
from sandbox.models import Person

_FORMATS = ("EwsId", "EwsLegacyId", "OwaId")


def _check(id: str, person: Person) -> None:
    """Raises ``Refused`` for an id that is none of this mailbox."""
    if folders.by_id(id, person) is not None:
        return
    try:
        found = ids.find(open_mailbox(person), id)
    except ValueError as exc:
        raise Refused("ErrorInvalidIdMalformed") from exc
    if found is None:
        raise Refused("ErrorItemNotFound")


def convert_id(request: Request, person: Person, answer: Answer) -> None:
    target = request.element.get("DestinationFormat", "")
    for source in request.all("m:SourceIds/*"):
        given = source.get("Id", "")
        id = unquote(given) if source.get("Format") == "OwaId" else given
        try:
            if target not in _FORMATS or source.get("Format") not in _FORMATS:
                raise Refused("ErrorInvalidIdMalformed")
            _check(id, person)
        except Refused as exc:
            answer.trouble(exc.code)
            continue
        written = quote(id, safe="") if target == "OwaId" else id
        alternate = add(answer.success(), m("AlternateId"), Format=target, Id=written, Mailbox=person.email)
        alternate.set(f"{{{INSTANCE}}}type", "t:AlternateIdType")
