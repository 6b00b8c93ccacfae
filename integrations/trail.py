"""What one piece of work asked of a provider, in memory until the work's own transaction keeps it.

Only kinds of things are in it: no address, no id, nothing of a request or an answer but its status and a number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from integrations.endpoints import Endpoint


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``status`` is 0 where no answer came, ``items`` None where nothing in the answer can be counted."""

    at: datetime
    method: str
    endpoint: Endpoint
    status: int = 0
    items: int | None = None


class Trail:
    """The requests in the order in which they were sent.

    ``when_closed`` is for work without a transaction of its own: it is called when the work lets go of its sessions.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = timezone.now,
        when_closed: Callable[[Trail], object] | None = None,
    ) -> None:
        self.asked: list[Asked] = []
        self._clock, self._when_closed = clock, when_closed

    def asks(self, method: str, endpoint: Endpoint) -> None:
        """A request is about to be sent."""
        self.asked.append(Asked(self._clock(), method, endpoint))

    def answered(self, status: int, endpoint: Endpoint) -> None:
        """The last one has an answer, which may tell better what it was."""
        self.asked[-1] = replace(self.asked[-1], status=status, endpoint=endpoint)

    def found(self, items: int) -> None:
        """So many items were in the last answer; whoever reads it calls this."""
        if self.asked:
            self.asked[-1] = replace(self.asked[-1], items=items)

    def clear(self) -> None:
        """All of it is kept now."""
        self.asked.clear()

    def close(self) -> None:
        if self._when_closed and self.asked:
            self._when_closed(self)
            self.clear()
