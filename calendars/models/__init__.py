"""What is kept of calendars: meetings, what happened to them, and what is decided about them."""

from calendars.models.meetings import DRAFT_FIELDS as DRAFT_FIELDS
from calendars.models.meetings import OWN_ANSWERS as OWN_ANSWERS
from calendars.models.meetings import Answer as Answer
from calendars.models.meetings import Change as Change
from calendars.models.meetings import GuestKind as GuestKind
from calendars.models.meetings import Kind as Kind
from calendars.models.meetings import LookedAt as LookedAt
from calendars.models.meetings import Meeting as Meeting
from calendars.models.meetings import MeetingQuerySet as MeetingQuerySet
from calendars.models.meetings import Place as Place
from calendars.models.meetings import ShowAs as ShowAs
from calendars.models.meetings import midnight_of as midnight_of
from calendars.models.participation import Choice as Choice
from calendars.models.participation import OrganizationParticipation as OrganizationParticipation
from calendars.models.participation import Override as Override
from calendars.models.participation import Participation as Participation
from calendars.models.participation import Rule as Rule
from calendars.models.participation import confirmed_by as confirmed_by
from calendars.models.participation import uid_of as uid_of
from calendars.models.participation import uid_of_meeting as uid_of_meeting
