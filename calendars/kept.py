"""The kinds of rows about a person that this app keeps."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from calendars.models import Change, LookedAt, Meeting, MeetingQuerySet, Override, Participation
from sally.stored import Stored


def _why_meetings() -> str:
    text = ngettext(
        "So that you see what is coming up and how to join. The text of an invitation is read for a link and not kept; "
        "private appointments are here only if you have them synced. A meeting is deleted when it is gone from your "
        "calendar, when you disconnect that, and otherwise about a day after its end.",
        "So that you see what is coming up and how to join. The text of an invitation is read for a link and not kept; "
        "private appointments are here only if you have them synced. A meeting is deleted when it is gone from your "
        "calendar, when you disconnect that, and otherwise about %(days)s days after its end.",
        settings.KEEP_DAYS,
    )
    return text % {"days": settings.KEEP_DAYS}


KINDS: Sequence[Stored] = (
    Stored(
        model=Meeting,
        title=_("Your meetings"),
        why=lazy(_why_meetings, str)(),
        of=lambda user: Meeting.objects.owned_by(user),
        order=200,
        delete=MeetingQuerySet.delete_all,
    ),
    Stored(
        model=Change,
        title=_("What happened to your meetings"),
        why=_("So that you see what was added, moved or cancelled. Deleted together with the meeting."),
        of=lambda user: Change.objects.filter(meeting__connection__owner=user),
        order=210,
    ),
    Stored(
        model=LookedAt,
        title=_("Events that Sally need not read again"),
        why=_(
            "Where you have only online meetings synced: fingerprints of events without a link, one row for each "
            "calendar. They change with the calendar, and are kept until you disconnect it."
        ),
        of=lambda user: LookedAt.objects.filter(connection__owner=user),
        order=220,
        sealed=frozenset({"hashes"}),
    ),
    Stored(
        model=Participation,
        title=_("When Sally joins your meetings"),
        why=_("What you set under Meeting Assistant. Kept as long as your account."),
        of=lambda user: Participation.objects.filter(user=user),
        order=230,
    ),
    Stored(
        model=Override,
        title=_("What you decided about single meetings"),
        why=_(
            "So that Sally does as you said, also after a meeting was moved or a calendar connected anew. Deleted 400 "
            "days after you decided, if none of your calendars shows the meeting any more."
        ),
        of=lambda user: Override.objects.filter(user=user),
        order=240,
    ),
)
