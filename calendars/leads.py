"""How long before or after the start of a meeting Sally comes, in words."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calendars.models.participation import EARLIEST, LATEST


def lead_in_words(lead: int) -> str:
    """``lead`` in minutes from the start, before it where negative."""
    if lead == 0:
        return _("at the start")
    if lead < 0:
        before = ngettext("%(count)s minute before the start", "%(count)s minutes before the start", -lead)
        return before % {"count": -lead}
    after = ngettext("%(count)s minute after the start", "%(count)s minutes after the start", lead)
    return after % {"count": lead}


def lead_choices(unset: str) -> list[tuple[str, str]]:
    """For a list to choose from; ``unset`` stands for no choice of one's own."""
    return [("", unset), *((str(lead), lead_in_words(lead)) for lead in range(EARLIEST, LATEST + 1))]
