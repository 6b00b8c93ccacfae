"""Tells in words what happened to a meeting, and all that is stored about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from calendars.joining import why_in_words
from calendars.models import Change, Meeting, Place

What = Change.What


def marks_of(meeting: Meeting, changes: Mapping[str, Change], zone: ZoneInfo) -> list[str]:
    """What to say softly of a meeting to somebody who last saw it before ``changes``.

    These are the first of each kind, by kind and in their order.
    """
    if What.ADDED in changes:
        return [_("new")]
    words = []
    moved = changes.get(What.MOVED)
    if moved and moved.place != meeting.place:
        words.append(_moved_from(moved, meeting, zone))
    turned = next((what for what in changes if what in (What.CANCELLED, What.RESTORED)), None)
    if turned == What.CANCELLED and meeting.cancelled:
        words.append(_("cancelled since your last visit"))
    if turned == What.RESTORED and not meeting.cancelled:
        words.append(_("takes place again"))
    return words


def _moved_from(before: Change, meeting: Meeting, zone: ZoneInfo) -> str:
    """Where a meeting was: as little of it as tells it from where it is now."""
    was, now = before.start.astimezone(zone), meeting.start.astimezone(zone)
    if before.start_date and before.end_date:
        if before.start_date == meeting.start_date:
            last = before.end_date - timedelta(days=1)
            return _("was until %(when)s") % {"when": date_format(last, "DATE_FORMAT")}
        moment = date_format(before.start_date, "DATE_FORMAT")
    elif was == now and not meeting.start_date:
        return _("was until %(when)s") % {"when": date_format(before.end.astimezone(zone), "TIME_FORMAT")}
    else:
        same_day = was.date() == now.date() and not meeting.start_date
        moment = date_format(was, "TIME_FORMAT" if same_day else "DATETIME_FORMAT")
    return _("moved from %(when)s") % {"when": moment}


def when(place: Place, zone: ZoneInfo) -> str:
    """A place in time as a person reads it, with the end as short as it can be."""
    start, end, first, after = place
    if first and after:
        last = after - timedelta(days=1)
        begins = f"{date_format(first, 'l')}, {date_format(first, 'DATE_FORMAT')}"
        if last == first:
            return _("%(day)s, all day") % {"day": begins}
        return f"{begins} – {date_format(last, 'l')}, {date_format(last, 'DATE_FORMAT')}"
    start, end = start.astimezone(zone), end.astimezone(zone)
    ends = date_format(end, "TIME_FORMAT" if end.date() == start.date() else "DATETIME_FORMAT")
    return f"{date_format(start, 'l')}, {date_format(start, 'DATETIME_FORMAT')} – {ends}"


@dataclass(frozen=True)
class Told:
    at: datetime
    words: str


def history_of(meeting: Meeting, zone: ZoneInfo) -> list[Told]:
    """What happened to a meeting since Sally first saw it, the earliest first."""
    changes = list(meeting.changes.all())
    told = [Told(meeting.created_at, _("First seen by Sally"))]
    for change in changes:
        if change.what == What.MOVED:
            told.append(Told(change.at, _("Moved; before: %(when)s") % {"when": when(change.place, zone)}))
        elif change.what != What.ADDED:
            told.append(Told(change.at, capfirst(change.get_what_display())))
    return told


def stored_of(meeting: Meeting) -> list[tuple[str, str]]:
    """Every stored field with its name and value, for the person whose meeting it is."""
    return [(capfirst(str(field.verbose_name)), _value(meeting, field.name)) for field in Meeting._meta.concrete_fields]


def _value(meeting: Meeting, name: str) -> str:
    if name == "attendees":
        told = [[one.name, one.address, str(one.kind.label), str(one.answer)] for one in meeting.guests]
        return "; ".join(", ".join(filter(None, words)) for words in told) or "–"
    if name == "decision":
        return why_in_words(meeting) or "–"
    if name == "sender":
        return str(meeting.sender_id or "–")  # a number: what else that meeting has is a colleague's
    if name == "service":
        return meeting.service_name or "–"
    display = getattr(meeting, f"get_{name}_display", None)
    value: Any = display() if display else getattr(meeting, name)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value, "DATE_FORMAT")
    return str(value) if value not in (None, "") else "–"
