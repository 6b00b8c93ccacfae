"""What is kept of calendars: meetings and what happened to them."""

from calendars.models.meetings import DRAFT_FIELDS as DRAFT_FIELDS
from calendars.models.meetings import OWN_ANSWERS as OWN_ANSWERS
from calendars.models.meetings import Answer as Answer
from calendars.models.meetings import Change as Change
from calendars.models.meetings import GuestKind as GuestKind
from calendars.models.meetings import LookedAt as LookedAt
from calendars.models.meetings import Meeting as Meeting
from calendars.models.meetings import MeetingQuerySet as MeetingQuerySet
from calendars.models.meetings import Place as Place
from calendars.models.meetings import ShowAs as ShowAs
from calendars.models.meetings import midnight_of as midnight_of
