"""Items read into events: what is usual, and every oddity that servers were seen to send."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.events import Kind, RemoteEvent, Response, ShowAs
from integrations.providers.exchange import reading
from tests.integrations.ews.items import item

BERLIN = ZoneInfo("Europe/Berlin")


def read(*args: str, **fields: str) -> RemoteEvent:
    event = reading.event_of(item(*args, **fields), BERLIN)
    assert event is not None
    return event


def at(hour: int, minute: int = 0, day: int = 2) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def test_a_usual_item() -> None:
    event = read("<t:Organizer><t:Mailbox><t:Name>Tomas Ruy</t:Name></t:Mailbox></t:Organizer>")
    assert (event.id, event.ical_uid, event.kind, event.series_id) == ("AAA=", "uid-1", Kind.SINGLE, "")
    assert (event.subject, event.location, event.organizer.name) == ("Harbour review", "Room 7", "Tomas Ruy")
    assert (event.start, event.end, event.all_day, event.original_start) == (at(14), at(15), False, None)
    assert (event.response, event.show_as, event.is_organizer) == (Response.ACCEPTED, ShowAs.BUSY, False)
    assert (event.private, event.confidential, event.cancelled) == (False, False, False)
    assert (event.body, event.partial, event.attendees) == (None, True, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-02T14:00:00Z", at(14)),
        ("2026-11-02T14:00:51.5Z", datetime(2026, 11, 2, 14, 0, 51, tzinfo=UTC)),
        ("2026-11-02T14:00:00.1234567Z", at(14)),
        ("2026-11-02T15:00:00+01:00", at(14)),
        ("2026-11-02T14:00:00", at(14)),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_times_as_servers_write_them(text: str, expected: datetime | None) -> None:
    assert reading.moment_of(text) == expected


@pytest.mark.parametrize("fields", [{"Start": ""}, {"End": "never"}, {"id": ""}, {"id": "A" * 513}])
def test_an_item_without_usable_times_or_id_is_none(fields: dict[str, str]) -> None:
    assert reading.event_of(item(**fields), BERLIN) is None


def test_an_end_before_the_start_is_mended() -> None:
    assert read(End="2026-11-02T13:00:00Z").end == at(14)


@pytest.mark.parametrize(
    ("zone", "start", "end", "days"),
    [
        # Berlin is at +1 in November, New York at -5, Auckland at +13, Kiritimati at +14, Kolkata at +5:30.
        ('Id="W. Europe Standard Time"', "2026-11-06T23:00:00Z", "2026-11-07T23:00:00Z", (7, 8)),
        ('Id="Eastern Standard Time"', "2026-11-07T05:00:00Z", "2026-11-09T05:00:00Z", (7, 9)),
        ('Id="New Zealand Standard Time"', "2026-11-06T11:00:00Z", "2026-11-07T11:00:00Z", (7, 8)),
        ('Id="Line Islands Standard Time"', "2026-11-06T10:00:00Z", "2026-11-07T10:00:00Z", (7, 8)),
        ('Id="India Standard Time"', "2026-11-06T18:30:00Z", "2026-11-07T18:30:00Z", (7, 8)),
        ('Id="Europe/Paris"', "2026-11-06T23:00:00Z", "2026-11-07T23:00:00Z", (7, 8)),
        ('Id="UTC"', "2026-11-07T00:00:00Z", "2026-11-08T00:00:00Z", (7, 8)),
        # Zones that nobody knows: the owner's (Berlin), where a day begins there at that instant ...
        ('Id="Customized Time Zone"', "2026-11-06T23:00:00Z", "2026-11-07T23:00:00Z", (7, 8)),
        ('Id="tzone://Microsoft/Custom"', "2026-11-06T23:00:00Z", "2026-11-07T23:00:00Z", (7, 8)),
        ('Id="(UTC+01:00) Amsterdam, Berlin"', "2026-11-06T23:00:00Z", "2026-11-07T23:00:00Z", (7, 8)),
        ('Id=""', "2026-11-06T23:00:00Z", "2026-11-07T23:00:00Z", (7, 8)),
        ('Id="../../etc/passwd"', "2026-11-06T23:00:00Z", "2026-11-07T23:00:00Z", (7, 8)),
        # ... else the nearest midnight, east and west.
        ('Id="Customized Time Zone"', "2026-11-07T05:00:00Z", "2026-11-08T05:00:00Z", (7, 8)),
        ('Id="Customized Time Zone"', "2026-11-06T14:00:00Z", "2026-11-07T14:00:00Z", (7, 8)),
    ],
)
def test_an_all_day_event_is_on_its_own_days(zone: str, start: str, end: str, days: tuple[int, int]) -> None:
    event = read(f"<t:StartTimeZone {zone}/>", Start=start, End=end, IsAllDayEvent="true")
    assert (event.start_date, event.end_date) == tuple(date(2026, 11, day) for day in days)
    assert (event.start, event.end) == (at(0, day=days[0]), at(0, day=days[1]))


def test_an_all_day_event_over_the_end_of_summer_time_keeps_its_days() -> None:
    event = read(
        '<t:StartTimeZone Id="W. Europe Standard Time"/>',
        Start="2026-10-23T22:00:00Z",
        End="2026-10-25T23:00:00Z",
        IsAllDayEvent="true",
    )
    assert (event.start_date, event.end_date) == (date(2026, 10, 24), date(2026, 10, 26))


def test_an_all_day_event_without_a_length_lasts_a_day() -> None:
    event = read(Start="2026-11-06T23:00:00Z", End="2026-11-06T23:00:00Z", IsAllDayEvent="true")
    assert (event.start_date, event.end_date) == (date(2026, 11, 7), date(2026, 11, 8))


def test_an_occurrence_knows_its_slot() -> None:
    event = read(kind="Occurrence", RecurrenceId="2026-11-02T14:00:00Z")
    assert (event.kind, event.series_id, event.original_start) == (Kind.OCCURRENCE, "uid-1", at(14))


def test_an_exception_keeps_the_slot_it_came_from() -> None:
    event = read(kind="Exception", RecurrenceId="2026-11-01T09:30:00Z")
    assert (event.kind, event.original_start) == (Kind.EXCEPTION, at(9, 30, day=1))


def test_an_occurrence_without_a_slot_has_its_start() -> None:
    assert read(kind="Occurrence").original_start == at(14)


@pytest.mark.parametrize(
    ("sensitivity", "expected"),
    [
        ("Normal", (False, False)),
        ("Private", (True, False)),
        ("Personal", (True, False)),
        ("Confidential", (False, True)),
        ("", (False, False)),
    ],
)
def test_sensitivity(sensitivity: str, expected: tuple[bool, bool]) -> None:
    event = read(Sensitivity=sensitivity)
    assert (event.private, event.confidential) == expected


@pytest.mark.parametrize(
    ("answer", "state", "expected"),
    [
        ("Organizer", "1", (Response.ORGANIZER, True)),
        ("Accept", "3", (Response.ACCEPTED, False)),
        ("Tentative", "3", (Response.TENTATIVE, False)),
        ("Decline", "3", (Response.DECLINED, False)),
        ("NoResponseReceived", "3", (Response.NONE, False)),
        ("Unknown", "0", (Response.ORGANIZER, True)),  # an appointment of one's own
        ("Unknown", "", (Response.NONE, False)),  # a server that does not tell
    ],
)
def test_the_owners_answer(answer: str, state: str, expected: tuple[Response, bool]) -> None:
    event = read(MyResponseType=answer, AppointmentState=state)
    assert (event.response, event.is_organizer) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"IsCancelled": "true"}, True),
        ({"AppointmentState": "7"}, True),
        ({"AppointmentState": "3"}, False),
        ({"AppointmentState": "nonsense"}, False),
    ],
)
def test_cancelled(fields: dict[str, str], expected: bool) -> None:
    assert read(**fields).cancelled is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Free", ShowAs.FREE),
        ("Tentative", ShowAs.TENTATIVE),
        ("Busy", ShowAs.BUSY),
        ("OOF", ShowAs.OUT_OF_OFFICE),
        ("WorkingElsewhere", ShowAs.ELSEWHERE),
        ("NoData", ShowAs.UNKNOWN),
        ("", ShowAs.UNKNOWN),
    ],
)
def test_shown_as(status: str, expected: ShowAs) -> None:
    assert read(LegacyFreeBusyStatus=status).show_as is expected


def test_people_and_body_of_an_item_read_alone() -> None:
    event = read(
        '<t:Body BodyType="HTML">&lt;p&gt;Agenda&lt;/p&gt;</t:Body>'
        "<t:Organizer><t:Mailbox><t:Name>Tomas Ruy</t:Name><t:EmailAddress>tomas@quay.example</t:EmailAddress>"
        "</t:Mailbox></t:Organizer>"
        "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:Name>Ines Falk</t:Name>"
        "<t:EmailAddress>ines@quay.example</t:EmailAddress></t:Mailbox><t:ResponseType>Accept</t:ResponseType>"
        "</t:Attendee></t:RequiredAttendees>"
        "<t:OptionalAttendees><t:Attendee><t:Mailbox><t:Name>Old</t:Name>"
        "<t:EmailAddress>/O=QUAY/OU=EXCHANGE/CN=OLD</t:EmailAddress><t:RoutingType>EX</t:RoutingType></t:Mailbox>"
        "</t:Attendee></t:OptionalAttendees>"
        "<t:Resources><t:Attendee><t:Mailbox><t:Name>Room 7</t:Name><t:EmailAddress>room7@quay.example"
        "</t:EmailAddress></t:Mailbox></t:Attendee></t:Resources>"
    )
    assert (event.body, event.partial) == ("<p>Agenda</p>", False)
    assert event.organizer.address == "tomas@quay.example"
    assert [(one.name, one.address, one.kind, one.response) for one in event.attendees] == [
        ("Ines Falk", "ines@quay.example", "required", Response.ACCEPTED),
        ("Old", "", "optional", Response.NONE),
        ("Room 7", "room7@quay.example", "resource", Response.NONE),
    ]


@pytest.mark.parametrize(
    ("element", "mailbox_type", "kind"),
    [
        ("RequiredAttendees", "PublicDL", "list"),
        ("OptionalAttendees", "PublicDL", "list"),
        ("Resources", "PublicDL", "list"),
        ("RequiredAttendees", "PrivateDL", "required"),
        ("OptionalAttendees", "GroupMailbox", "optional"),
        ("RequiredAttendees", "Mailbox", "required"),
        ("RequiredAttendees", "OneOff", "required"),
        ("Resources", "Mailbox", "resource"),
    ],
)
def test_a_public_list_is_told_from_people(element: str, mailbox_type: str, kind: str) -> None:
    event = read(
        f"<t:{element}><t:Attendee><t:Mailbox><t:Name>Works</t:Name><t:EmailAddress>works@quay.example</t:EmailAddress>"
        f"<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>{mailbox_type}</t:MailboxType></t:Mailbox></t:Attendee>"
        f"</t:{element}>"
    )
    assert [(one.address, one.kind) for one in event.attendees] == [("works@quay.example", kind)]


def named(name: str, value: str) -> str:
    return (
        f'<t:ExtendedProperty><t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="{name}"'
        f' PropertyType="String"/><t:Value>{value}</t:Value></t:ExtendedProperty>'
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ""),
        ("<t:JoinOnlineMeetingUrl>https://join.example/1</t:JoinOnlineMeetingUrl>", "https://join.example/1"),
        (named("SkypeTeamsMeetingUrl", "https://teams.example/2"), "https://teams.example/2"),
        (named("OnlineMeetingExternalLink", "https://meet.example/3"), "https://meet.example/3"),
        (named("OnlineMeetingConfLink", "conf:sip:ines@quay.example;gruu"), ""),
        ("<t:NetShowUrl>http://show.example/4</t:NetShowUrl>", "http://show.example/4"),
        (
            "<t:JoinOnlineMeetingUrl>https://join.example/1</t:JoinOnlineMeetingUrl>"
            + named("SkypeTeamsMeetingUrl", "https://teams.example/2"),
            "https://join.example/1",
        ),
        (
            "<t:MeetingWorkspaceUrl>https://sites.example/5</t:MeetingWorkspaceUrl>"
            + named("SkypeTeamsMeetingUrl", "https://teams.example/2"),
            "https://teams.example/2",
        ),
    ],
)
def test_the_link_in_fields_of_its_own(content: str, expected: str) -> None:
    assert read(content).online_url == expected


class TestVersion:
    def test_it_is_the_same_for_the_same(self) -> None:
        assert reading.version_of(item()) == reading.version_of(item())

    @pytest.mark.parametrize(
        "fields",
        [
            {"key": "CCC="},
            {"Subject": "Harbour tour"},
            {"Start": "2026-11-02T14:05:00Z"},
            {"End": "2026-11-02T15:05:00Z"},
            {"Location": "Room 8"},
            {"Sensitivity": "Private"},
            {"IsCancelled": "true"},
            {"MyResponseType": "Decline"},
            {"LegacyFreeBusyStatus": "Free"},
            {"IsAllDayEvent": "true"},
        ],
    )
    def test_it_changes_with_what_is_listed(self, fields: dict[str, str]) -> None:
        assert reading.version_of(item(**fields)) != reading.version_of(item())

    def test_a_text_that_the_listing_cuts_counts_as_cut(self) -> None:
        assert reading.version_of(item(Location="x" * 300)) == reading.version_of(item(Location="x" * 255))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20))
def test_no_text_anywhere_stops_the_reading(text: str) -> None:
    one = item()
    for found in one:
        if not found.tag.endswith(("Start", "End", "ItemId")):
            found.text = text
    event = reading.event_of(one, BERLIN)
    assert event is not None
    assert event.start == at(14)
