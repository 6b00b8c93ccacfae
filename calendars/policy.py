"""What is kept of a calendar: the two sync options, as a pure decision with its reason."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from calendars.links import MeetingLink
from integrations.events import RemoteEvent


class LeftOut(enum.StrEnum):
    PRIVATE = "private"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class SyncOptions:
    private: bool
    only_online: bool


def left_out(event: RemoteEvent, link: MeetingLink | None, options: SyncOptions) -> LeftOut | None:
    """Why the options exclude an event, or None when it is kept. Private comes first: it leaves least behind."""
    if event.private and not options.private:
        return LeftOut.PRIVATE
    if options.only_online and link is None:
        return LeftOut.OFFLINE
    return None
