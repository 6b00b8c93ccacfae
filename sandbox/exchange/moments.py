"""Times as Exchange keeps and writes them."""

from datetime import UTC, datetime, time
from typing import Any

from sandbox.exchange.soap import Fault
from sandbox.ics import Wall
from sandbox.installation import switches
from sandbox.mailbox import Item
from sandbox.zones import load


def kept(value: Wall, zone: Any) -> datetime:
    """The moment of a wall time; an all-day event begins at its zone's midnight, unlike in Graph's answers."""
    local = value if isinstance(value, datetime) else datetime.combine(value, time.min)
    return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)


def start_of(item: Item) -> datetime:
    return kept(item.start, item.timing.zone)


def end_of(item: Item) -> datetime:
    return kept(item.end, item.timing.zone)


def slot_of(item: Item, slot: datetime) -> datetime:
    """Where in its series it belongs, as a moment."""
    timing = item.series.timing
    return kept(slot.date(), timing.zone) if timing.all_day else slot


def write(value: datetime) -> str:
    """A moment in UTC, to the second."""
    fraction = ".0" if switches().exchange_fractions else ""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def write_stamp(value: datetime) -> str:
    """When something was done, which has fractions where a server writes them."""
    fraction = ".5" if switches().exchange_fractions else ""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def read(text: str, zone_id: str) -> datetime:
    """A moment of a request; without an offset it is in the zone of the request. Raises ``Fault``."""
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise Fault("ErrorSchemaValidation", f"The request failed schema validation: {text!r} is no dateTime.") from exc
    return (value if value.tzinfo else value.replace(tzinfo=load(zone_id) or UTC)).astimezone(UTC)
