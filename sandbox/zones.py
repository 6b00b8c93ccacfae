"""Windows' names of time zones, which Graph writes, and IANA's, which the rest of the world does."""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

_TO_WINDOWS = {"UTC": "UTC", "Etc/UTC": "UTC"} | {
    iana: windows for windows, iana in WINDOWS_TO_OLSON.items() if windows != "UTC"
}


def load(name: str) -> ZoneInfo | None:
    """The zone of either kind of name, or None if there is no such zone."""
    try:
        return ZoneInfo(WINDOWS_TO_OLSON.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _offsets(zone: ZoneInfo, year: int) -> tuple[object, ...]:
    moments = (datetime(year, month, 15, tzinfo=UTC) for month in range(1, 13))
    return tuple(moment.astimezone(zone).utcoffset() for moment in moments)


@cache
def windows_name(name: str) -> str:
    """The Windows name of a zone; where Windows has none of its own for a city, that of a city with the same clock."""
    if name in WINDOWS_TO_OLSON or name in ("UTC", "Z"):
        return name.replace("Z", "UTC") if name == "Z" else name
    if name in _TO_WINDOWS:
        return _TO_WINDOWS[name]
    zone = load(name)
    if zone is None:
        return "tzone://Microsoft/Custom"
    year = datetime.now(UTC).year
    same_continent = sorted(_TO_WINDOWS.items(), key=lambda pair: pair[0].split("/")[0] != name.split("/")[0])
    wanted = _offsets(zone, year)
    for iana, windows in same_continent:
        candidate = load(iana)
        if candidate is not None and _offsets(candidate, year) == wanted:
            return windows
    return "tzone://Microsoft/Custom"
