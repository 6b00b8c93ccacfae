"""The properties of a calendar item in the order of Microsoft's schema, and since when a request may name them."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# types.xsd, ItemType and CalendarItemType.
ITEM = _names(
    "MimeContent ItemId ParentFolderId ItemClass Subject Sensitivity Body Attachments DateTimeReceived Size Categories "
    "Importance InReplyTo IsSubmitted IsDraft IsFromMe IsResend IsUnmodified InternetMessageHeaders DateTimeSent "
    "DateTimeCreated ResponseObjects ReminderDueBy ReminderIsSet ReminderNextTime ReminderMinutesBeforeStart DisplayCc "
    "DisplayTo HasAttachments ExtendedProperty Culture EffectiveRights LastModifiedName LastModifiedTime IsAssociated "
    "WebClientReadFormQueryString WebClientEditFormQueryString ConversationId UniqueBody Flag StoreEntryId InstanceKey "
    "NormalizedBody EntityExtractionResult PolicyTag ArchiveTag RetentionDate Preview RightsManagementLicenseData "
    "PredictedActionReasons IsClutter BlockStatus HasBlockedImages TextBody IconIndex"
)
CALENDAR = _names(
    "UID RecurrenceId DateTimeStamp Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus Location When IsMeeting "
    "IsCancelled IsRecurring MeetingRequestWasSent IsResponseRequested CalendarItemType MyResponseType Organizer "
    "RequiredAttendees OptionalAttendees Resources ConflictingMeetingCount AdjacentMeetingCount ConflictingMeetings "
    "AdjacentMeetings Duration TimeZone AppointmentReplyTime AppointmentSequenceNumber AppointmentState Recurrence "
    "FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone StartTimeZone "
    "EndTimeZone ConferenceType AllowNewTimeProposal IsOnlineMeeting MeetingWorkspaceUrl NetShowUrl EnhancedLocation "
    "StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId IntendedFreeBusyStatus JoinOnlineMeetingUrl "
    "OnlineMeetingSettings IsOrganizer"
)
ORDER = (*ITEM, *CALENDAR)

# Each property's page in Microsoft's reference names the version that it came with.
_OF_2010 = "IsAssociated StartTimeZone EndTimeZone UniqueBody ConversationId"
_OF_2013 = (
    "Flag StoreEntryId InstanceKey NormalizedBody EntityExtractionResult PolicyTag ArchiveTag RetentionDate Preview "
    "PredictedActionReasons IsClutter BlockStatus HasBlockedImages TextBody IconIndex RightsManagementLicenseData "
    "EnhancedLocation StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId IntendedFreeBusyStatus "
    "JoinOnlineMeetingUrl OnlineMeetingSettings IsOrganizer"
)
SINCE = {
    **dict.fromkeys(_names(_OF_2010), "Exchange2010"),
    **dict.fromkeys(_names(_OF_2013), "Exchange2013"),
}

# The words of a body, who is invited and what a series consists of are not in a folder's table (finditem-operation.md).
NOT_LISTED = frozenset(
    _names(
        "MimeContent Body UniqueBody NormalizedBody TextBody Attachments InternetMessageHeaders RequiredAttendees "
        "OptionalAttendees Resources Recurrence FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences "
        "JoinOnlineMeetingUrl OnlineMeetingSettings MeetingTimeZone ConflictingMeetings AdjacentMeetings"
    )
)
DEFAULT = frozenset(
    _names(
        "ItemId Subject Sensitivity Body HasAttachments Start End IsAllDayEvent LegacyFreeBusyStatus Location "
        "CalendarItemType IsRecurring Organizer RequiredAttendees OptionalAttendees Resources Recurrence "
        "FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences"
    )
)
# Written only when a request names them.
_ON_DEMAND = frozenset(
    ("MimeContent", "ExtendedProperty", "TextBody", "UniqueBody", "NormalizedBody", "Preview", "JoinOnlineMeetingUrl")
)
ALL = frozenset(ORDER) - _ON_DEMAND

# grommunio's server (exch/ews/structures.cpp) loads what tells a series from a single item whatever is asked for, and
# has no such thing as the others.
ALWAYS_AT_GROMMUNIO = frozenset(
    _names("CalendarItemType IsRecurring Recurrence ModifiedOccurrences DeletedOccurrences")
)
NEVER_AT_GROMMUNIO = frozenset(_names("FirstOccurrence LastOccurrence TextBody JoinOnlineMeetingUrl IsOrganizer"))


def is_known(uri: str) -> bool:
    """Whether there is such a FieldURI; those of other things than calendar items are taken on trust."""
    kind, _, name = uri.partition(":")
    known = {"item": (*ITEM, "MimeContentUTF8"), "calendar": CALENDAR}.get(kind)
    return bool(name) and (known is None or name in known)
