"""The Outlook page in plain HTTP: what a person does there is what Graph answers afterwards."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import SignedIn
from tests.sandbox_process import Sandbox, session

EMAIL = "ines@quay.example"
INES = f"mailboxes/{EMAIL}"
SPAN = ("2027-04-26T00:00:00Z", "2027-06-01T00:00:00Z")
WEEK = "2027-W18"  # 3 to 9 May
EMPTY = "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n"
FORM = {
    "subject": "Crane",
    "start_day": "2027-05-04",
    "start_time": "09:00",
    "end_day": "2027-05-04",
    "end_time": "10:00",
    "location": "",
    "online": "none",
    "invite": "",
}
WEEKLY = {
    "uid": "weekly",
    "subject": "Berth plan",
    "start": "2027-05-03T09:00:00+02:00",
    "end": "2027-05-03T10:00:00+02:00",
    "rrule": "FREQ=WEEKLY;COUNT=3",
    "organizer": "Tomas Ruy <tomas@quay.example>",
    "attendees": [EMAIL],
}


@dataclass
class Outlook:
    """Ines at her Outlook page, and what Graph says of her calendar."""

    ines: SignedIn
    http: requests.Session

    @property
    def address(self) -> str:
        return f"{self.ines.sandbox.pages_url}/outlook/{EMAIL}/"

    def events(self) -> list[dict[str, Any]]:
        return self.ines.view(*SPAN)

    def open(self, path: str = "", status: int = 200) -> str:
        response = self.http.get(f"{self.address}{path}")
        assert response.status_code == status
        return response.text

    def send(self, path: str, fields: dict[str, str]) -> requests.Response:
        return self.http.post(f"{self.address}{path}", data=fields)

    def add(self, **fields: str) -> str:
        """The sentence after adding."""
        return _said(self.send(f"new?week={WEEK}", FORM | fields))

    def save(self, event_id: str, **fields: str) -> str:
        """The sentence after saving the form with ``fields`` as the only ones different from what it showed."""
        path = f"meetings/{event_id}?week={WEEK}"
        return _said(self.send(path, _shown(self.open(path)) | fields | {"do": "save"}))

    def press(self, event_id: str, button: str) -> str:
        return _said(self.send(f"meetings/{event_id}?week={WEEK}", {"do": button}))


def _said(response: requests.Response) -> str:
    found = re.search(r'<p class="said" role="status">([^<]*)</p>', response.text)
    assert found, response.text
    assert [step.status_code for step in response.history] == [302]
    return found[1]


def _shown(page: str) -> dict[str, str]:
    """What the form's inputs hold; the link's choice is left as it is."""
    shown = {"online": "keep"}
    for tag in re.findall(r"<input [^>]*>", page):
        values = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if values["type"] != "checkbox" or " checked" in tag:
            shown[values["name"]] = values.get("value", "on" if values["type"] == "checkbox" else "")
    return shown


@pytest.fixture
def outlook(ines: SignedIn) -> Iterator[Outlook]:
    """An empty calendar, and a browser's session without a browser."""
    ines.sandbox.control("PUT", INES, text=EMPTY)
    with session(ines.sandbox.ca_bundle) as http:
        yield Outlook(ines, http)


@pytest.fixture
def series(outlook: Outlook) -> Outlook:
    """Three Mondays at nine in Berlin, to which Tomas invites."""
    outlook.ines.sandbox.control("POST", f"{INES}/events", json=WEEKLY)
    return outlook


def _rows(outlook: Outlook) -> list[tuple[str, str, str]]:
    return [(e["start"]["dateTime"][:16], e["end"]["dateTime"][11:16], e["subject"]) for e in outlook.events()]


def test_the_people_are_listed(sandbox: Sandbox) -> None:
    with session(sandbox.ca_bundle) as http:
        page = http.get(f"{sandbox.pages_url}/outlook")

    assert page.url == f"{sandbox.pages_url}/outlook/"
    assert re.findall(r'href="/outlook/([^"]+)/"', page.text) == [
        "ines@quay.example",
        "tomas@quay.example",
        "ada@quay.example",
        "ines.falk@outlook.example",
        "luisa@hotmail.example",
    ]
    assert "Sandbox – not Microsoft" in page.text


def test_every_operation_on_a_meeting_changes_what_graph_answers(outlook: Outlook) -> None:
    assert outlook.add() == "The meeting was added."
    (event,) = outlook.events()
    id = event["id"]
    assert _rows(outlook) == [("2027-05-04T07:00", "08:00", "Crane")]
    assert (event["isOrganizer"], event["originalStartTimeZone"]) == (True, "W. Europe Standard Time")

    assert outlook.save(id, subject="Big crane", location="Gate 3") == "The meeting was changed."
    (event,) = outlook.events()
    assert (event["subject"], event["location"]["displayName"]) == ("Big crane", "Gate 3")

    outlook.save(id, start_day="2027-05-12", end_day="2027-05-12", start_time="22:30", end_time="23:45")
    assert _rows(outlook) == [("2027-05-12T20:30", "21:45", "Big crane")]

    outlook.save(id, all_day="on", start_day="2027-05-13", end_day="2027-05-14")
    (event,) = outlook.events()
    assert (event["isAllDay"], event["start"]["dateTime"][:10], event["end"]["dateTime"][:10]) == (
        True,
        "2027-05-13",
        "2027-05-15",
    )

    outlook.save(id, invite="mara@quay.example")
    (event,) = outlook.events()
    (guest,) = event["attendees"]
    assert (guest["emailAddress"]["address"], guest["status"]["response"]) == ("mara@quay.example", "notResponded")
    assert event["organizer"]["emailAddress"] == {"name": "Ines Falk", "address": EMAIL}

    assert outlook.press(id, "private") == "The meeting is private now."
    assert outlook.events()[0]["sensitivity"] == "private"
    assert outlook.press(id, "public") == "The meeting is not private any more."
    assert outlook.events()[0]["sensitivity"] == "normal"

    outlook.press(id, "cancel")
    assert [(e["isCancelled"], e["subject"]) for e in outlook.events()] == [(True, "Canceled: Big crane")]
    assert outlook.press(id, "restore") == "The meeting takes place again."
    assert [(e["isCancelled"], e["subject"]) for e in outlook.events()] == [(False, "Big crane")]

    assert outlook.press(id, "delete") == "The meeting was deleted."
    assert outlook.events() == []


def test_every_operation_on_an_occurrence_leaves_the_others(series: Outlook) -> None:
    first, second, third = (event["id"] for event in series.events())
    assert series.save(second, start_time="15:00", end_time="15:30") == "The occurrence was changed."
    assert _rows(series) == [
        ("2027-05-03T07:00", "08:00", "Berth plan"),
        ("2027-05-10T13:00", "13:30", "Berth plan"),
        ("2027-05-17T07:00", "08:00", "Berth plan"),
    ]

    assert series.press(third, "accept") == "The occurrence was accepted."
    series.press(third, "cancel")
    series.press(second, "private")
    assert [
        (e["type"], e["sensitivity"], e["isCancelled"], e["responseStatus"]["response"]) for e in series.events()
    ] == [
        ("occurrence", "normal", False, "notResponded"),
        ("exception", "private", False, "notResponded"),
        ("exception", "normal", True, "accepted"),
    ]

    assert series.press(first, "delete") == "The occurrence was deleted."
    assert [e["id"] for e in series.events()] == [second, third]


def test_every_operation_on_a_series_reaches_all_its_occurrences(series: Outlook) -> None:
    second, master = series.events()[1]["id"], series.events()[1]["seriesMasterId"]
    series.save(second, start_time="15:00", end_time="15:30")

    assert series.save(master, subject="Berths") == "The series was changed."
    assert _rows(series) == [
        ("2027-05-03T07:00", "08:00", "Berths"),
        ("2027-05-10T13:00", "13:30", "Berths"),
        ("2027-05-17T07:00", "08:00", "Berths"),
    ]
    for button, answer in (("accept", "accepted"), ("tentative", "tentativelyAccepted"), ("decline", "declined")):
        series.press(master, button)
        assert [e["responseStatus"]["response"] for e in series.events()] == [answer] * 3
    series.press(master, "private")
    assert [e["sensitivity"] for e in series.events()] == ["private"] * 3

    series.save(master, start_day="2027-05-04", end_day="2027-05-04")
    assert [start for start, _, _ in _rows(series)] == ["2027-05-04T07:00", "2027-05-11T07:00", "2027-05-18T07:00"]

    assert series.press(master, "delete") == "The series was deleted."
    assert series.events() == []


def test_each_service_puts_its_link_where_its_users_have_it(outlook: Outlook) -> None:
    outlook.add(location="Pier room 2")
    id = outlook.events()[0]["id"]

    def places(service: str) -> tuple[str, str, str]:
        outlook.save(id, online=service)
        (event,) = outlook.events()
        online = event["onlineMeeting"] or {"joinUrl": ""}
        return online["joinUrl"][:46], event["location"]["displayName"][:38], event["body"]["content"]

    assert places("teams") == ("https://teams.microsoft.com/l/meetup-join/19%3", "Pier room 2", "")
    assert places("zoom")[:2] == ("", "Pier room 2; https://us02web.zoom.us/j")
    in_body = places("meet")
    assert in_body[:2] == ("", "Pier room 2")
    assert re.search(r"https://meet\.google\.com/[a-p]{3}-[a-p]{4}-[a-p]{3}<", places("meet")[2])
    rewritten = places("webex")
    assert rewritten[:2] == ("", "Pier room 2")
    assert (
        "safelinks.protection.outlook.com/?url=https%3A%2F%2Fquay.webex.com%2Fquay%2Fj.php%3FMTID%3Dm" in rewritten[2]
    )
    assert "meet.google.com" not in rewritten[2]
    assert places("none") == ("", "Pier room 2", "")


def test_an_agenda_survives_a_change_of_the_link(ines: SignedIn) -> None:
    text = EMPTY.replace(
        "END:V",
        "BEGIN:VEVENT\nUID:a\nSUMMARY:Tender\nDTSTART:20270504T070000Z\nDTEND:20270504T080000Z\n"
        "DESCRIPTION:Agenda: <dredging>\\nhttps://meet.google.com/old-link-abc\nEND:VEVENT\nEND:V",
    )
    ines.sandbox.control("PUT", INES, text=text)
    for service in ("webex", "meet"):
        ines.sandbox.control("POST", f"{INES}/change", json={"uid": "a", "online": service})
        (event,) = ines.view(*SPAN)
        assert "Agenda: &lt;dredging&gt;" in event["body"]["content"]
        assert "old-link-abc" not in event["body"]["content"]


def test_an_end_without_a_day_is_on_the_first(outlook: Outlook) -> None:
    outlook.add(end_day="")
    outlook.add(subject="Fair", start_day="2027-05-05", end_day="", all_day="on")

    assert _rows(outlook) == [("2027-05-04T07:00", "08:00", "Crane"), ("2027-05-05T00:00", "00:00", "Fair")]


def test_an_end_that_nobody_touched_moves_along_with_the_start(outlook: Outlook) -> None:
    outlook.add()
    id = outlook.events()[0]["id"]
    outlook.save(id, start_day="2027-05-06")
    assert _rows(outlook) == [("2027-05-06T07:00", "08:00", "Crane")]
    outlook.save(id, start_time="23:30")
    assert _rows(outlook) == [("2027-05-06T21:30", "22:30", "Crane")]
    outlook.save(id, start_time="22:00", end_time="23:45", end_day="2027-05-06")
    assert _rows(outlook) == [("2027-05-06T20:00", "21:45", "Crane")]


def test_an_unchanged_form_changes_nothing(series: Outlook) -> None:
    master = series.events()[0]["seriesMasterId"]
    before = series.ines.sandbox.control("GET", INES)

    assert series.save(master) == "The series is as it was: nothing in the form was different."
    assert series.ines.sandbox.control("GET", INES) == before


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"end_time": "08:00"}, "It would end before it starts."),
        ({"end_day": "2027-05-02"}, "It would end before it starts."),
        ({"all_day": "on", "end_day": "2027-05-02"}, "It would end before it starts."),
        ({"start_day": "tomorrow"}, "This is no date; write it like 2026-11-23."),
        ({"start_day": "0001-01-01"}, "Choose a day between 2000 and 2099."),
        ({"start_time": "25:00"}, "This is no time; write it like 09:30."),
        ({"end_time": ""}, "Say at what time it ends, or tick “All day”."),
        ({"start_day": "", "end_day": ""}, "Say on which day it starts."),
        ({"start_day": "2027-03-28", "start_time": "02:30"}, "That night the clocks skip this time"),
        ({"online": "carrier pigeon"}, "Choose one of these."),
        ({"invite": "mara"}, "This is no e-mail address"),
        ({"invite": "INES@quay.example"}, "ines@quay.example already takes part."),
        ({"subject": "x" * 256}, "This is longer than 255 characters."),
        ({"subject": "a\x0bb"}, "This has a character that no calendar can keep."),
    ],
)
@pytest.mark.parametrize("new", [True, False], ids=["new", "known"])
def test_nonsense_is_told_in_words_and_what_was_typed_stays(
    outlook: Outlook, fields: dict[str, str], words: str, new: bool
) -> None:
    path = f"new?week={WEEK}"
    if not new:
        outlook.add()
        path = f"meetings/{outlook.events()[0]['id']}"
    before = outlook.ines.sandbox.control("GET", INES)
    response = outlook.send(path, FORM | {"location": "Quay <7>", "do": "save"} | fields)

    assert response.status_code == 422
    assert words.lower() in response.text.lower()
    assert 'value="Quay &lt;7&gt;"' in response.text
    typed = [value for name, value in fields.items() if name != "online" and value.isprintable()]
    assert all(value in response.text for value in typed)
    assert outlook.ines.sandbox.control("GET", INES) == before


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://localhost:1"])
def test_a_form_of_another_site_changes_nothing(outlook: Outlook, origin: str) -> None:
    outlook.add()
    id = outlook.events()[0]["id"]
    for path, fields in (("new", FORM), (f"meetings/{id}", {"do": "delete"})):
        answer = outlook.http.post(f"{outlook.address}{path}", data=fields, headers={"Origin": origin})
        assert (answer.status_code, "sent by another site’s page" in answer.text) == (403, True)
    assert len(outlook.events()) == 1

    own = {"Origin": outlook.ines.sandbox.pages_url}
    assert outlook.http.post(f"{outlook.address}meetings/{id}", data={"do": "delete"}, headers=own).ok
    assert outlook.events() == []


def test_what_is_not_there_is_said(outlook: Outlook) -> None:
    sandbox = outlook.ines.sandbox
    assert "not in the calendar any more" in outlook.open("meetings/AAMkADnothing=", 404)
    assert "nobody with the address" in outlook.http.get(f"{sandbox.pages_url}/outlook/x@quay.example/").text
    outlook.add()
    id = outlook.events()[0]["id"]
    assert outlook.send(f"meetings/{id}", {"do": "explode"}).status_code == 404
    outlook.press(id, "delete")
    assert outlook.send(f"meetings/{id}", {"do": "cancel"}).status_code == 404
    assert outlook.http.delete(outlook.address).status_code == 405


def test_the_week_can_be_chosen(series: Outlook) -> None:
    page = series.open(f"?week={WEEK}")
    assert "Monday 3 May to Sunday 9 May 2027" in page
    assert page.count("Berth plan") == 1
    assert "09:00 – 10:00" in page
    assert "Europe/Berlin" in page
    assert re.findall(r'href="\?week=([^"]+)"', page) == ["2027-W17", "2027-W19"]
    assert "Week 2027-W20." in series.open("?day=2027-05-19")
    for nonsense in ("?week=2027-W54", "?week=soon", "?day=2027-02-30", "?week=9999-W52"):
        assert "this is the current one" in series.open(nonsense)
    assert "this is the current one" not in series.open()


def test_an_address_cannot_make_the_page_say_things(outlook: Outlook) -> None:
    page = outlook.open("?done=<b>Pay+now</b>&of=meeting&week=%3Cb%3Enow")

    assert "<b>" not in page
    assert 'role="status"' not in page


def test_days_are_those_of_berlin_and_all_day_events_keep_their_dates(outlook: Outlook) -> None:
    outlook.add(subject="Late", start_day="2027-05-09", start_time="23:30", end_day="2027-05-10", end_time="00:30")
    outlook.add(subject="Fair", all_day="on", start_day="2027-05-10", end_day="2027-05-10")
    outlook.add(subject="Trip", all_day="on", start_day="2027-05-01", end_day="2027-05-03")
    page = outlook.open(f"?week={WEEK}")

    assert re.findall(r'<a href="[^"]*/meetings/[^"]*"\s*>([^<]*)</a>', page) == ["Trip", "Late"]
    assert "23:30 – Monday 10 May 00:30" in page
    assert "All day, Saturday 1 May to Monday 3 May" in page


def test_an_occurrence_of_all_day_events_and_one_after_this_and_later_are_changed(ines: SignedIn) -> None:
    text = EMPTY.replace(
        "END:V",
        "X-WR-TIMEZONE:America/New_York\n"
        "BEGIN:VEVENT\nUID:m\nSUMMARY:Market\nDTSTART;VALUE=DATE:20270503\nDTEND;VALUE=DATE:20270504\n"
        "RRULE:FREQ=WEEKLY;COUNT=2\nEND:VEVENT\n"
        "BEGIN:VEVENT\nUID:r\nSUMMARY:Round\nDTSTART;TZID=Europe/Berlin:20270505T080000\n"
        "DTEND;TZID=Europe/Berlin:20270505T090000\nRRULE:FREQ=WEEKLY;COUNT=3\nEND:VEVENT\n"
        "BEGIN:VEVENT\nUID:r\nSUMMARY:Round\\, later\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:"
        "20270512T080000\nDTSTART;TZID=Europe/Berlin:20270512T093000\nDTEND;TZID=Europe/Berlin:20270512T100000\n"
        "END:VEVENT\nEND:V",
    )
    ines.sandbox.control("PUT", INES, text=text)
    with session(ines.sandbox.ca_bundle) as http:
        outlook = Outlook(ines, http)
        by_start = {event["start"]["dateTime"][:10]: event["id"] for event in outlook.events()}
        outlook.press(by_start["2027-05-10"], "delete")
        outlook.press(by_start["2027-05-19"], "private")

    assert [(e["start"]["dateTime"][:16], e["subject"], e["sensitivity"]) for e in outlook.events()] == [
        ("2027-05-03T00:00", "Market", "normal"),
        ("2027-05-05T06:00", "Round", "normal"),
        ("2027-05-12T07:30", "Round, later", "normal"),
        ("2027-05-19T07:30", "Round, later", "private"),
    ]


def test_who_is_not_invited_cannot_answer(outlook: Outlook) -> None:
    outlook.add()
    id = outlook.events()[0]["id"]

    assert 'value="accept"' not in outlook.open(f"meetings/{id}")
    assert "is not invited to this." in outlook.send(f"meetings/{id}", {"do": "accept"}).text


def test_what_is_done_here_is_neither_logged_nor_disturbed(outlook: Outlook) -> None:
    outlook.ines.sandbox.control("DELETE", "log")
    outlook.ines.sandbox.control("POST", "faults", json={"path": ".", "status": 503, "times": None})
    outlook.add()

    assert outlook.ines.sandbox.log() == []


def test_names_and_subjects_are_shown_as_text(outlook: Outlook) -> None:
    outlook.add(subject="<b>Q4</b>", location="<i>here</i>")
    page = outlook.open(f"?week={WEEK}") + outlook.open(f"meetings/{outlook.events()[0]['id']}")

    assert "&lt;b&gt;Q4&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "<i>" not in page
