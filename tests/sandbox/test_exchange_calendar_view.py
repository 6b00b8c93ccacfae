"""FindItem with a CalendarView: what Exchange shows of a window, as worked out by hand."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.sandbox import ews
from tests.sandbox.ews import INES, SPRING, Mailbox
from tests.sandbox.exceptions import CALENDAR, ROWS

# Exchange also shows what ends at the very moment when the window opens.
ENDED = ("2027-03-14T23:00", "2027-03-15T00:00", "Just over when the window opens", "", "singleInstance", "")
EXPECTED = sorted([*ROWS, ENDED])
TYPES = {"Single": "singleInstance", "Occurrence": "occurrence", "Exception": "exception"}
WEEKLY: dict[str, Any] = {
    "uid": "weekly",
    "subject": "Crane",
    "start": "2027-03-16T09:00:00+01:00",
    "end": "2027-03-16T10:00:00+01:00",
    "rrule": "FREQ=WEEKLY;COUNT=3",
}


@pytest.fixture
def spring(exchange: Mailbox) -> Mailbox:
    exchange.put(CALENDAR.read_text())
    return exchange


@pytest.fixture
def empty(exchange: Mailbox) -> Mailbox:
    exchange.put(ews.EMPTY)
    return exchange


def _day(moment: str) -> str:
    """All-day events begin and end at Berlin's midnight, told in UTC."""
    local = datetime.fromisoformat(moment).astimezone(ZoneInfo("Europe/Berlin"))
    assert (local.hour, local.minute) == (0, 0)
    return local.date().isoformat()


def _row(item: dict[str, str]) -> tuple[str, ...]:
    read = _day if item["IsAllDayEvent"] == "true" else lambda moment: moment[:16]
    cancelled, private = item["IsCancelled"] == "true", item["Sensitivity"] == "Private"
    return (
        read(item["Start"]),
        read(item["End"]),
        item["Subject"],
        item.get("Location", ""),
        TYPES[item["CalendarItemType"]],
        "cancelled" if cancelled else "private" if private else "",
    )


def test_a_window_shows_what_was_worked_out_by_hand(spring: Mailbox) -> None:
    assert sorted(map(_row, spring.view())) == EXPECTED


def test_a_window_is_in_order_of_time(spring: Mailbox) -> None:
    starts = [item["Start"] for item in spring.view()]

    assert starts == sorted(starts)


def test_times_are_in_utc_to_the_second(spring: Mailbox) -> None:
    for item in spring.view():
        for name in ("Start", "End", "LastModifiedTime", "DateTimeCreated"):
            assert datetime.strptime(item[name], "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007


def test_an_occurrence_names_its_place_in_the_series(spring: Mailbox) -> None:
    places = {
        (item["Subject"], item["RecurrenceId"]) for item in spring.view() if item["CalendarItemType"] == "Exception"
    }

    assert places == {
        ("Accounts", "2027-03-10T11:00:00Z"),
        ("Canceled: New York call", "2027-03-18T13:00:00Z"),
        ("Berth plan", "2027-03-22T09:00:00Z"),
        ("London desk: reviews", "2027-03-25T16:00:00Z"),
        ("Market day", "2027-03-25T23:00:00Z"),
        ("Sunday round, later", "2027-03-28T06:00:00Z"),
        ("Sunday round, later", "2027-04-04T06:00:00Z"),
        ("London desk", "2027-04-01T15:00:00Z"),
    }


def test_uid_and_place_tell_all_occurrences_apart(spring: Mailbox) -> None:
    items = spring.view()

    assert len({(item["UID"], item.get("RecurrenceId")) for item in items}) == len(items)
    assert len({item["ItemId"] for item in items}) == len(items)
    assert all("RecurrenceId" not in item for item in items if item["CalendarItemType"] == "Single")


def test_occurrences_share_a_uid_and_a_change_key(empty: Mailbox) -> None:
    empty.add(**WEEKLY)
    items = empty.view()

    assert [item["UID"] for item in items] == ["weekly"] * 3
    assert len({item["ChangeKey"] for item in items}) == 1


def test_a_change_of_one_occurrence_changes_the_key_of_all(empty: Mailbox) -> None:
    empty.add(**WEEKLY)
    empty.add(subject="Other", start="2027-03-16T09:00:00Z", end="2027-03-16T10:00:00Z")
    before = {item["ItemId"]: item["ChangeKey"] for item in empty.view()}
    empty.change(uid="weekly", occurrence="2027-03-23T08:00:00Z", location="Gate 3")
    after = {item["ItemId"]: item["ChangeKey"] for item in empty.view()}

    assert set(before) == set(after)
    assert sum(before[id] != after[id] for id in before) == 3


def test_all_days_say_in_which_zone_they_are_days(spring: Mailbox) -> None:
    answer = spring.ask(
        ews.find_item(ews.view(), ews.shape("IdOnly", "calendar:StartTimeZone", "calendar:IsAllDayEvent"))
    )
    zones = {
        zone.get("Id")
        for item in answer.items
        if item.findtext("t:IsAllDayEvent", None, ews.NAMES) == "true"
        for zone in item.iterfind("t:StartTimeZone", ews.NAMES)
    }

    assert zones == {"W. Europe Standard Time"}


def test_an_event_is_in_its_own_zone(spring: Mailbox) -> None:
    answer = spring.ask(ews.find_item(ews.view(), ews.shape("IdOnly", "item:Subject", "calendar:StartTimeZone")))
    zones = {
        item.findtext("t:Subject", None, ews.NAMES): item.find("t:StartTimeZone", ews.NAMES).get("Id")
        for item in answer.items
    }

    assert (zones["New York call"], zones["London desk"]) == ("Eastern Standard Time", "GMT Standard Time")


def test_only_the_id_is_told_unless_more_is_wanted(spring: Mailbox) -> None:
    assert {frozenset(row) for row in spring.ask(ews.find_item(ews.view())).rows} == {
        frozenset({"ItemId", "ChangeKey"})
    }


def test_a_listing_has_no_bodies_no_guests_and_no_addresses(exchange: Mailbox) -> None:
    wanted = ews.shape("AllProperties", "item:TextBody", "calendar:JoinOnlineMeetingUrl")
    answer = exchange.ask(ews.find_item(ews.view("2026-01-01T00:00:00Z", "2027-12-31T00:00:00Z"), wanted))

    assert answer.texts(".//t:Organizer/t:Mailbox/t:Name")
    for name in ("Body", "TextBody", "RequiredAttendees", "Recurrence", "JoinOnlineMeetingUrl", "EmailAddress"):
        assert answer.all(f".//t:{name}") == []


def test_a_listing_cuts_long_texts(empty: Mailbox) -> None:
    text = "Quay " * 80
    empty.add(subject=text, start="2027-03-16", end="2027-03-17", location=text)
    (listed,) = empty.view()
    (whole,) = empty.ask(ews.get_item(listed["ItemId"])).rows

    assert (listed["Subject"], listed["Location"]) == (text[:255], text[:255])
    assert (whole["Subject"], whole["Location"]) == (text, text)


def test_the_most_that_is_wanted_comes_first_in_time(spring: Mailbox) -> None:
    wanted = ews.shape("Default")
    answer = spring.ask(ews.find_item(ews.view(most=5), wanted))
    everything = spring.ask(ews.find_item(ews.view(), wanted))

    assert [row["ItemId"] for row in answer.rows] == [row["ItemId"] for row in everything.rows[:5]]
    assert answer.page == {"TotalItemsInView": "31", "IncludesLastItemInRange": "false"}
    assert everything.page == {"TotalItemsInView": "31", "IncludesLastItemInRange": "true"}


def test_the_server_has_a_limit_of_its_own(spring: Mailbox) -> None:
    spring.turn(exchange_find_limit=7)
    answer = spring.ask(ews.find_item(ews.view(most=20)))

    assert (len(answer.items), answer.page["IncludesLastItemInRange"]) == (7, "false")


def test_a_window_may_be_empty(spring: Mailbox) -> None:
    answer = spring.ask(ews.find_item(ews.view("2031-01-01T00:00:00Z", "2031-02-01T00:00:00Z")))

    assert (answer.items, answer.page["TotalItemsInView"]) == ([], "0")


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("2027-01-01T00:00:00Z", "2029-01-01T00:00:00Z", "NoError"),
        ("2027-01-01T00:00:00Z", "2029-01-01T00:00:01Z", "ErrorCalendarViewRangeTooBig"),
        ("2028-02-29T00:00:00Z", "2030-03-01T00:00:00Z", "NoError"),
        ("2027-01-02T00:00:00Z", "2027-01-01T00:00:00Z", "ErrorCalendarEndDateIsEarlierThanStartDate"),
    ],
)
def test_a_window_has_two_years_at_most(spring: Mailbox, start: str, end: str, code: str) -> None:
    assert spring.ask(ews.find_item(ews.view(start, end))).codes == [code]


def test_a_window_may_be_told_with_an_offset(spring: Mailbox) -> None:
    shifted = ews.view("2027-03-15T01:00:00+01:00", "2027-04-11T20:00:00-04:00")

    assert len(spring.ask(ews.find_item(shifted)).items) == len(EXPECTED)


def test_a_window_without_an_offset_is_in_the_requests_zone(spring: Mailbox) -> None:
    zone = b'<t:TimeZoneContext><t:TimeZoneDefinition Id="W. Europe Standard Time"/></t:TimeZoneContext></s:Header>'
    asked = ews.find_item(ews.view("2027-03-15T01:00:00", "2027-04-12T02:00:00"), ews.shape("Default"))
    bare = ews.envelope(asked)
    in_berlin, in_utc = (
        {row["Subject"] for row in spring.post(content).rows} for content in (bare.replace(b"</s:Header>", zone), bare)
    )

    assert in_berlin - in_utc == {"Just over when the window opens"}
    assert in_utc - in_berlin == {"Begins when the window closes"}


def test_an_inbox_has_no_calendar_view(exchange: Mailbox) -> None:
    inbox = '<t:DistinguishedFolderId Id="inbox"/>'

    assert exchange.ask(ews.find_item(ews.view(), folder=inbox)).codes == [
        "ErrorCalendarFolderIsInvalidForCalendarView"
    ]
    assert exchange.ask(ews.find_item(folder=inbox)).items == []


def test_several_folders_are_answered_one_by_one(spring: Mailbox) -> None:
    answer = spring.ask(ews.find_item(ews.view(), folder=ews.CALENDAR * 2))

    assert (answer.codes, len(answer.items)) == (["NoError"] * 2, 2 * len(EXPECTED))


def test_without_a_calendar_view_the_folder_shows_what_it_keeps(spring: Mailbox) -> None:
    pages = []
    for offset in (0, 10, 20):
        paging = f'<m:IndexedPageItemView MaxEntriesReturned="10" Offset="{offset}" BasePoint="Beginning"/>'
        pages.append(spring.ask(ews.find_item(paging, ews.shape("Default"))))
    kinds = [row["CalendarItemType"] for page in pages for row in page.rows]

    assert (kinds.count("RecurringMaster"), kinds.count("Single"), len(kinds)) == (7, 8, 15)
    assert [page.page["IncludesLastItemInRange"] for page in pages] == ["false", "true", "true"]
    assert pages[0].page["IndexedPagingOffset"] == "10"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (
            "<m:Restriction><t:Exists><t:FieldURI FieldURI='item:Subject'/></t:Exists></m:Restriction>",
            "ErrorUnsupportedQueryFilter",
        ),
        (
            "<m:SortOrder><t:FieldOrder Order='Ascending'><t:FieldURI FieldURI='item:Subject'/></t:FieldOrder>"
            "</m:SortOrder>",
            "ErrorUnsupportedPathForSortGroup",
        ),
    ],
)
def test_what_is_not_stood_in_for_is_said(exchange: Mailbox, more: str, code: str) -> None:
    assert exchange.ask(ews.find_item(more=more)).codes == [code]


@pytest.mark.parametrize(
    "content",
    [
        ews.find_item('<m:CalendarView StartDate="soon" EndDate="later"/>'),
        ews.find_item(ews.view(most=0)),
        ews.find_item(ews.view(), ews.shape("Everything")),
        ews.find_item(ews.view(), ews.shape("IdOnly", "calendar:Weather")),
        ews.find_item(ews.view(), " "),
    ],
)
def test_a_request_that_the_schema_does_not_know_is_a_fault(exchange: Mailbox, content: str) -> None:
    assert exchange.post(content).fault == "ErrorSchemaValidation"


def test_the_window_and_its_owner_are_logged(exchange: Mailbox) -> None:
    exchange.view(*SPRING)

    (entry,) = exchange.sandbox.log()
    assert (entry["method"], entry["path"], entry["operation"]) == ("POST", "/EWS/Exchange.asmx", "FindItem")
    assert INES not in str(entry)
