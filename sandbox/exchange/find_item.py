"""FindItem: what a window of the calendar shows (CalendarView), or what the folder keeps (IndexedPageItemView)."""

from datetime import datetime, timedelta

from sandbox.exchange import folders, moments, shape
from sandbox.exchange.items import Writer
from sandbox.exchange.soap import Answer, Element, Fault, Refused, Request, add, m, t
from sandbox.installation import switches
from sandbox.mailbox import Item, OpenMailbox, open_mailbox
from sandbox.models import Person

_MARGIN = timedelta(days=2)  # an all-day event lies elsewhere here than in the mailbox, by its zone's offset


def _most(view: Element | None) -> int:
    """How many items the answer may have at most. Raises ``Fault``."""
    wanted = view.get("MaxEntriesReturned") if view is not None else None
    if wanted is None:
        return switches().exchange_find_limit
    if not wanted.isdigit() or int(wanted) < 1:
        raise Fault("ErrorSchemaValidation", "The request failed schema validation: MaxEntriesReturned.")
    return min(int(wanted), switches().exchange_find_limit)


def _window(view: Element, zone_id: str) -> tuple[datetime, datetime]:
    """Raises ``Refused`` and ``Fault``."""
    start, end = (moments.read(view.get(name, ""), zone_id) for name in ("StartDate", "EndDate"))
    if end < start:
        raise Refused("ErrorCalendarEndDateIsEarlierThanStartDate")
    try:
        limit = start.replace(year=start.year + 2)
    except ValueError:  # 29 February
        limit = start.replace(year=start.year + 2, day=28) + timedelta(days=1)
    if end > limit:
        raise Refused("ErrorCalendarViewRangeTooBig")
    return start, end


def _expanded(mailbox: OpenMailbox, start: datetime, end: datetime) -> list[Item]:
    """What ends at ``start`` or later and begins before ``end``; earliest first."""
    near = mailbox.between(start - _MARGIN, end + _MARGIN)
    inside = [item for item in near if moments.end_of(item) >= start and moments.start_of(item) < end]
    return sorted(inside, key=lambda item: (moments.start_of(item), moments.end_of(item), item.series.uid))


def _as_kept(mailbox: OpenMailbox, start: datetime, end: datetime) -> list[Item]:
    """As grommunio's server does (exch/ews/structures.cpp, tCalendarView::restriction): a filter over what the folder
    keeps, in its order, both ends included. The times of a series are those of its first occurrence, so that one which
    began before the window is not there at all."""
    return [item for item in _kept(mailbox) if moments.end_of(item) >= start and moments.start_of(item) <= end]


def _kept(mailbox: OpenMailbox) -> list[Item]:
    return [item for series in mailbox.series for item in mailbox.stored(series)]


def _write_page(message: Element, items: list[Item], first: int, most: int, writer: Writer, *, paged: bool) -> None:
    page = items[first : first + most]
    attributes = {"TotalItemsInView": str(len(items))}
    attributes["IncludesLastItemInRange"] = "true" if first + len(page) >= len(items) else "false"
    if paged:
        attributes["IndexedPagingOffset"] = str(first + len(page))
    group = add(add(message, m("RootFolder"), **attributes), t("Items"))
    for item in page:
        writer.write(item, group)


def _find(request: Request, folder: folders.Folder, answer: Answer) -> None:
    view, paging = request.find("m:CalendarView"), request.find("m:IndexedPageItemView")
    mailbox = open_mailbox(folder.person)
    writer = Writer(mailbox, folder, shape.read(request, listing=switches().exchange_expand))
    if request.find("m:Restriction") is not None or request.find("m:QueryString") is not None:
        raise Refused("ErrorUnsupportedQueryFilter")
    if request.find("m:SortOrder") is not None or request.find("m:GroupBy") is not None:
        raise Refused("ErrorUnsupportedPathForSortGroup")
    most = _most(view if view is not None else paging)
    if view is not None:
        if folder.name != "calendar":
            raise Refused("ErrorCalendarFolderIsInvalidForCalendarView")
        window = _window(view, request.zone_id)
        found = _expanded(mailbox, *window) if switches().exchange_expand else _as_kept(mailbox, *window)
        _write_page(answer.success(), found, 0, most, writer, paged=False)
        return
    kept = _kept(mailbox) if folder.name == "calendar" else []
    offset = int(paging.get("Offset", "0")) if paging is not None else 0
    if paging is not None and paging.get("BasePoint") == "End":
        kept.reverse()
    _write_page(answer.success(), kept, offset, most, writer, paged=paging is not None)


def find_item(request: Request, person: Person, answer: Answer) -> None:
    for element in request.all("m:ParentFolderIds/*"):
        try:
            _find(request, folders.find(element, person), answer)
        except Refused as exc:
            answer.trouble(exc.code)
