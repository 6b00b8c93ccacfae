"""Items as an Exchange server writes them, for tests that need no server."""

from __future__ import annotations

from typing import Any

import lxml.etree

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"


def item(content: str = "", *, id: str = "AAA=", key: str = "BBB=", kind: str = "Single", **fields: str) -> Any:
    """A calendar item of 2 November 2026, 14:00 to 15:00 UTC, with these fields changed and ``content`` added."""
    known = {
        "Subject": "Harbour review",
        "Sensitivity": "Normal",
        "UID": "uid-1",
        "Start": "2026-11-02T14:00:00Z",
        "End": "2026-11-02T15:00:00Z",
        "IsAllDayEvent": "false",
        "LegacyFreeBusyStatus": "Busy",
        "Location": "Room 7",
        "IsCancelled": "false",
        "MyResponseType": "Accept",
        "AppointmentState": "3",
    }
    written = "".join(f"<t:{name}>{text}</t:{name}>" for name, text in (known | fields).items() if text)
    return element(
        f'<t:ItemId Id="{id}" ChangeKey="{key}"/><t:CalendarItemType>{kind}</t:CalendarItemType>{written}{content}'
    )


def element(content: str, name: str = "CalendarItem") -> Any:
    return lxml.etree.fromstring(f'<t:{name} xmlns:t="{TYPES}">{content}</t:{name}>')
