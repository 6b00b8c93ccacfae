"""GetItem: the words of an item, its people, its links, and what a series consists of."""

from typing import Any

import pytest

from tests.sandbox import ews
from tests.sandbox.ews import NAMES, Mailbox
from tests.sandbox.exceptions import CALENDAR

YEARS = ("2026-06-01T00:00:00Z", "2028-05-01T00:00:00Z")
WITH_A_LIST = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:1
SUMMARY:Town hall
DTSTART:20270511T120000Z
ORGANIZER:mailto:tomas@quay.example
ATTENDEE;CN=The works;CUTYPE=GROUP:mailto:works@quay.example
ATTENDEE;CN=Ines Falk;PARTSTAT=ACCEPTED:mailto:ines@quay.example
END:VEVENT
END:VCALENDAR
"""
LINKS = ("SkypeTeamsMeetingUrl", "OnlineMeetingExternalLink", "OnlineMeetingConfLink", "UCMeetingSetting")


def _id(mailbox: Mailbox, subject: str) -> str:
    return next(row["ItemId"] for row in mailbox.view(*YEARS) if row["Subject"] == subject)


def _get(mailbox: Mailbox, subject: str, **wanted: Any) -> Any:
    base, fields = wanted.pop("base", "AllProperties"), wanted.pop("fields", ())
    answer = mailbox.ask(ews.get_item(_id(mailbox, subject), wanted=ews.shape(base, *fields, **wanted)))
    (item,) = answer.items
    return item


def _people(item: Any, kind: str) -> list[tuple[str, str]]:
    return [
        (one.findtext("t:Mailbox/t:EmailAddress", "", NAMES), one.findtext("t:ResponseType", "", NAMES))
        for one in item.iterfind(f"t:{kind}/t:Attendee", NAMES)
    ]


def _master(mailbox: Mailbox, subject: str) -> Any:
    """The master as the folder keeps it."""
    for change in mailbox.ask(ews.sync(wanted=ews.shape("Default"))).items:
        row = ews.row(change)
        if row["Subject"] == subject and row["CalendarItemType"] == "RecurringMaster":
            (item,) = mailbox.ask(ews.get_item(row["ItemId"])).items
            return item
    raise AssertionError(f"There is no series {subject}.")


def test_the_people_of_a_meeting_are_told_with_their_answers(exchange: Mailbox) -> None:
    item = _get(exchange, "Tender for the north mole")

    assert item.findtext("t:Organizer/t:Mailbox/t:EmailAddress", None, NAMES) == "ines@quay.example"
    assert _people(item, "RequiredAttendees") == [
        ("adaeze@partner.example", "Accept"),
        ("luc@partner.example", "Tentative"),
        ("mara@quay.example", "Decline"),
    ]
    assert _people(item, "OptionalAttendees") == [("jonas@quay.example", "NoResponseReceived")]
    assert _people(item, "Resources") == [("pier2@quay.example", "Accept")]


def test_a_distribution_list_is_told_from_people(exchange: Mailbox) -> None:
    exchange.put(WITH_A_LIST)
    item = _get(exchange, "Town hall")

    assert [
        (one.findtext("t:EmailAddress", None, NAMES), one.findtext("t:MailboxType", None, NAMES))
        for one in item.iterfind("t:RequiredAttendees/t:Attendee/t:Mailbox", NAMES)
    ] == [("works@quay.example", "PublicDL"), ("ines@quay.example", "Mailbox")]


@pytest.mark.parametrize(
    ("subject", "response"),
    [
        ("Tender for the north mole", "Organizer"),
        ("Harbour fair", "Organizer"),
        ("Diving inspection, berth 4", "Accept"),
        ("Newsletter topics", "Decline"),
        ("First aid course", "Tentative"),
        ("Survey results", "NoResponseReceived"),
    ],
)
def test_ones_own_answer_is_told(exchange: Mailbox, subject: str, response: str) -> None:
    assert ews.row(_get(exchange, subject))["MyResponseType"] == response


@pytest.mark.parametrize(
    ("subject", "name", "value"),
    [
        ("Dr. Brandt", "Sensitivity", "Private"),
        ("School concert", "Sensitivity", "Personal"),
        ("Salary round", "Sensitivity", "Confidential"),
        ("Harbour fair", "Sensitivity", "Normal"),
        ("Holiday", "LegacyFreeBusyStatus", "OOF"),
        ("Writing day", "LegacyFreeBusyStatus", "WorkingElsewhere"),
        ("On the ferry to the island", "LegacyFreeBusyStatus", "Free"),
        ("First aid course", "LegacyFreeBusyStatus", "Tentative"),
        ("Hand over the keys", "LegacyFreeBusyStatus", "Busy"),
        ("Canceled: Audit, first meeting", "IsCancelled", "true"),
        ("Harbour fair", "IsAllDayEvent", "true"),
        ("Harbour fair", "IsMeeting", "false"),
        ("Survey results", "IsMeeting", "true"),
        ("Survey results", "Location", "https://meet.google.com/hbr-quay-wrk"),
        ("Tender for the north mole", "IsOnlineMeeting", "true"),
        ("Tender for the north mole", "Importance", "High"),
        ('<b>Q4</b> & "plans"', "Subject", '<b>Q4</b> & "plans"'),
        ("Grüße aus dem Hafen ⚓ – شحنة الميناء – 港の会議", "Location", "Café Möwe"),
    ],
)
def test_an_item_tells_what_it_is(exchange: Mailbox, subject: str, name: str, value: str) -> None:
    assert ews.row(_get(exchange, subject))[name] == value


def test_a_body_comes_as_html_or_as_text(exchange: Mailbox) -> None:
    subject = "Diving inspection, berth 4"
    best, html, text = (
        _get(exchange, subject, base="IdOnly", fields=["item:Body"], body_type=kind).find("t:Body", NAMES)
        for kind in ("Best", "HTML", "Text")
    )

    assert best.get("BodyType") == html.get("BodyType") == "HTML"
    assert best.text == html.text
    assert html.text.startswith("<html><body><p>Please join here: <a href=")
    assert (text.get("BodyType"), text.text.split("<")[0]) == ("Text", "Please join here: Zoom meeting ")


def test_a_text_body_is_text_whatever_else_is_wanted(exchange: Mailbox) -> None:
    item = _get(exchange, "Mooring lines: offers", base="IdOnly", fields=["item:TextBody", "item:Body"])

    assert item.find("t:TextBody", NAMES).get("BodyType") == "Text"
    assert item.findtext("t:TextBody", None, NAMES).startswith("Bring the offers.\nOr dial in: https://meet")
    assert item.find("t:Body", NAMES).get("BodyType") == "HTML"


def test_a_teams_link_is_in_its_own_fields(exchange: Mailbox) -> None:
    wanted = "".join(map(ews.public_string, LINKS))
    item = _get(exchange, "Tender for the north mole", fields=["calendar:JoinOnlineMeetingUrl"], extended=wanted)
    told = {
        one.find("t:ExtendedFieldURI", NAMES).get("PropertyName"): one.findtext("t:Value", None, NAMES)
        for one in item.iterfind("t:ExtendedProperty", NAMES)
    }

    link = item.findtext("t:JoinOnlineMeetingUrl", None, NAMES)
    assert link.startswith("https://teams.microsoft.com/l/meetup-join/")
    assert told == {"SkypeTeamsMeetingUrl": link}


def test_another_services_link_is_in_the_other_fields(exchange: Mailbox) -> None:
    exchange.put(
        "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nSUMMARY:Call\nDTSTART:20270101T100000Z\n"
        "CONFERENCE;VALUE=URI:https://calls.example/1\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    item = _get(exchange, "Call", extended="".join(map(ews.public_string, LINKS)))

    assert {one.get("PropertyName") for one in item.iterfind(".//t:ExtendedFieldURI", NAMES)} == {
        "OnlineMeetingExternalLink",
        "OnlineMeetingConfLink",
    }


def test_no_link_is_no_property(exchange: Mailbox) -> None:
    item = _get(
        exchange, "Harbour fair", fields=["calendar:JoinOnlineMeetingUrl"], extended=ews.public_string(LINKS[0])
    )

    assert item.findall("t:JoinOnlineMeetingUrl", NAMES) == []
    assert item.findall("t:ExtendedProperty", NAMES) == []


def test_each_listed_item_is_found_by_its_id(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    listed = exchange.view()
    found = exchange.ask(ews.get_item(*(row["ItemId"] for row in listed))).rows

    for one, other in zip(listed, found, strict=True):
        assert one.items() <= other.items() | {("Organizer", "")}


def test_each_id_has_an_answer_of_its_own(exchange: Mailbox) -> None:
    id = _id(exchange, "Harbour fair")
    other = id.replace(id[20], "A" if id[20] != "A" else "B", 1)
    answer = exchange.ask(ews.get_item(id, "no id", other, id, wanted=ews.shape("Default")))

    assert answer.codes == ["NoError", "ErrorInvalidIdMalformed", "ErrorItemNotFound", "NoError"]
    assert [row["Subject"] for row in answer.rows] == ["Harbour fair"] * 2


def test_ids_are_case_sensitive(exchange: Mailbox) -> None:
    id = _id(exchange, "Harbour fair")

    assert exchange.ask(ews.get_item(id.swapcase())).codes == ["ErrorInvalidIdMalformed"]
    assert exchange.ask(ews.get_item(id[:8] + id[8:40].swapcase() + id[40:])).codes == ["ErrorItemNotFound"]


def test_what_was_deleted_is_not_found(exchange: Mailbox) -> None:
    id = _id(exchange, "Harbour fair")
    exchange.change(uid="fair@quay.example", deleted=True)

    assert exchange.ask(ews.get_item(id)).codes == ["ErrorItemNotFound"]


def test_a_deleted_occurrence_is_not_found(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text().replace("EXDATE;VALUE=DATE:20270402\n", ""))
    ids = {row.get("RecurrenceId", ""): row["ItemId"] for row in exchange.view() if row["Subject"] == "Market day"}
    exchange.put(CALENDAR.read_text())

    assert exchange.ask(ews.get_item(ids["2027-04-01T22:00:00Z"])).codes == ["ErrorItemNotFound"]


def test_somebody_elses_item_is_not_found(exchange: Mailbox) -> None:
    tomas = ews.basic(exchange.sandbox, "tomas@quay.example")
    with tomas.http:
        assert tomas.ask(ews.get_item(_id(exchange, "Harbour fair"))).codes == ["ErrorItemNotFound"]


def test_a_master_has_an_id_that_no_occurrence_has(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    master = ews.row(_master(exchange, "Berth plan"))
    occurrences = [row for row in exchange.view() if row["UID"] == master["UID"]]

    assert master["CalendarItemType"] == "RecurringMaster"
    assert master["ItemId"] not in {row["ItemId"] for row in occurrences}
    assert {master["ChangeKey"]} == {row["ChangeKey"] for row in occurrences}


def test_a_master_and_its_occurrence_are_of_different_classes(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    master = ews.row(_master(exchange, "Choir"))["ItemId"]
    occurrence = next(row["ItemId"] for row in exchange.view() if row["Subject"] == "Choir")
    rows = exchange.ask(ews.get_item(master, occurrence)).rows

    assert [row["ItemClass"] for row in rows] == ["IPM.Appointment", "IPM.Appointment.Occurrence"]


def test_an_occurrence_leads_to_its_master(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    master = ews.row(_master(exchange, "Berth plan"))
    occurrence = next(row["ItemId"] for row in exchange.view() if row["UID"] == "berth-plan")
    asked = ews.get_item(occurrence).replace("t:ItemId Id=", "t:RecurringMasterItemId OccurrenceId=")

    assert [row["ItemId"] for row in exchange.ask(asked).rows] == [master["ItemId"]]


def _times(item: Any, name: str) -> list[tuple[str, ...]]:
    return [
        tuple(one.findtext(f"t:{field}", "-", NAMES) for field in ("Start", "End", "OriginalStart"))
        for one in item.iterfind(f"t:{name}", NAMES)
    ]


def test_a_master_tells_what_its_series_consists_of(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    item = _master(exchange, "Berth plan")

    assert _times(item, "FirstOccurrence") == [("2027-03-15T09:00:00Z", "2027-03-15T09:30:00Z", "2027-03-15T09:00:00Z")]
    assert _times(item, "LastOccurrence") == [("2027-05-03T08:00:00Z", "2027-05-03T08:30:00Z", "2027-05-03T08:00:00Z")]
    assert _times(item, "ModifiedOccurrences/t:Occurrence") == [
        ("2027-03-23T13:00:00Z", "2027-03-23T14:00:00Z", "2027-03-22T09:00:00Z")
    ]
    assert _times(item, "DeletedOccurrences/t:DeletedOccurrence") == [("2027-04-05T08:00:00Z", "-", "-")]


def test_a_series_without_end_has_no_last_occurrence(exchange: Mailbox) -> None:
    item = _master(exchange, "1:1 Ines and Tomas")

    assert (len(_times(item, "FirstOccurrence")), _times(item, "LastOccurrence")) == (1, [])


PATTERNS = [
    (
        "FREQ=DAILY;INTERVAL=3;COUNT=4",
        "DailyRecurrence Interval=3",
        "NumberedRecurrence StartDate=2027-05-03 NumberOfOccurrences=4",
    ),
    (
        "FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20270701T000000Z",
        "WeeklyRecurrence Interval=1 DaysOfWeek=Monday Wednesday FirstDayOfWeek=Monday",
        "EndDateRecurrence StartDate=2027-05-03 EndDate=2027-07-01",
    ),
    (
        "FREQ=MONTHLY;BYMONTHDAY=3",
        "AbsoluteMonthlyRecurrence Interval=1 DayOfMonth=3",
        "NoEndRecurrence StartDate=2027-05-03",
    ),
    (
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=1MO",
        "RelativeMonthlyRecurrence Interval=2 DaysOfWeek=Monday DayOfWeekIndex=First",
        "NoEndRecurrence StartDate=2027-05-03",
    ),
    (
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "RelativeMonthlyRecurrence Interval=1 DaysOfWeek=Weekday DayOfWeekIndex=Last",
        "NoEndRecurrence StartDate=2027-05-03",
    ),
    ("FREQ=YEARLY", "AbsoluteYearlyRecurrence DayOfMonth=3 Month=May", "NoEndRecurrence StartDate=2027-05-03"),
    (
        "FREQ=YEARLY;BYMONTH=5;BYDAY=1MO",
        "RelativeYearlyRecurrence DaysOfWeek=Monday DayOfWeekIndex=First Month=May",
        "NoEndRecurrence StartDate=2027-05-03",
    ),
]


@pytest.mark.parametrize(("rule", "pattern", "span"), PATTERNS)
def test_a_rule_is_told_as_exchange_keeps_it(exchange: Mailbox, rule: str, pattern: str, span: str) -> None:
    exchange.put(ews.EMPTY)
    exchange.add(subject="Series", start="2027-05-03T07:00:00Z", end="2027-05-03T08:00:00Z", rrule=rule)
    recurrence = _master(exchange, "Series").find("t:Recurrence", NAMES)
    told = [
        " ".join([part.tag.rpartition("}")[2], *(f"{one.tag.rpartition('}')[2]}={one.text}" for one in part)])
        for part in recurrence
    ]

    assert told == [pattern, span]
