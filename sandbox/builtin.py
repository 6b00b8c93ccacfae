"""The built-in calendars: iCalendar texts made for a given day, with every kind of meeting in the weeks around it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress, vText, vUri
from icalendar.prop import vRecur

from sandbox.online import safelink, teams_url, teams_url_at_home

_ZONE = ZoneInfo("Europe/Berlin")
_INES, _TOMAS = "Ines Falk <ines@quay.example>", "Tomas Ruy <tomas@quay.example>"
_MARA, _JONAS = "Mara Lindqvist <mara@quay.example>", "Jonas Petersen <jonas@quay.example>"
_CLIENT, _DIVER = "Adaeze Okoro <adaeze@partner.example>", "Luc Moreau <luc@partner.example>"
_ROOM = "Pier room 2 <pier2@quay.example>"

_ZOOM = "https://us02web.zoom.us/j/84512345678?pwd=aGFyYm91ci1hbmQtcXVheQ.1"
_MEET = "https://meet.google.com/hbr-quay-wrk"
_WEBEX = "https://quay.webex.com/quay/j.php?MTID=m3f1c9a772f654d0793a80a1d6a2f7c33"


def _when(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), _ZONE)


def _mail(person: str, **parameters: str) -> vCalAddress:
    name, _, address = person.rstrip(">").partition(" <")
    value = vCalAddress(f"mailto:{address}")
    value.params["CN"] = vText(name)
    for key, text in parameters.items():
        value.params[key] = vText(text)
    return value


def _guest(person: str, answer: str, **parameters: str) -> vCalAddress:
    return _mail(person, PARTSTAT=answer, ROLE=parameters.pop("ROLE", "REQ-PARTICIPANT"), **parameters)


@dataclass(frozen=True)
class _Calendar:
    """The days that entries are placed on, counted from today."""

    today: date

    def workday(self, number: int) -> date:
        """The working day so many after today; 0 is today, or the next Monday on a weekend."""
        day = self.today
        while day.weekday() > 4:
            day += timedelta(days=1)
        for _ in range(number):
            day += timedelta(days=3 if day.weekday() == 4 else 1)
        return day

    @property
    def first_monday(self) -> date:
        """A Monday about a month ago, where the regular meetings began."""
        return self.today - timedelta(days=self.today.weekday() + 28)

    def meeting(self, uid: str, subject: str, day: date, clock: str, **extra: Any) -> Event:
        """An event of an hour, or as long as ``minutes`` says."""
        start = _when(day, clock)
        minutes = extra.pop("minutes", 60)
        # On the wall clock, so that a meeting over a change of the clock ends when its invitation says.
        return self._event(uid, subject, start, start + timedelta(minutes=minutes), extra)

    def all_day(self, uid: str, subject: str, day: date, days: int, **extra: Any) -> Event:
        return self._event(uid, subject, day, day + timedelta(days=days), extra)

    def _event(self, uid: str, subject: str, start: date, end: date, extra: dict[str, Any]) -> Event:
        event = Event()
        event.add("UID", f"{uid}@quay.example")
        made = datetime.combine(self.first_monday, time(8), UTC)
        for name, value in (("DTSTAMP", made), ("SUMMARY", subject), ("DTSTART", start), ("DTEND", end)):
            event.add(name, value)
        if "teams" in extra:
            event.add("X-MICROSOFT-SKYPETEAMSMEETINGURL", vUri(teams_url(extra.pop("teams"))))
        if "teams_at_home" in extra:
            event.add("X-MICROSOFT-SKYPETEAMSMEETINGURL", vUri(teams_url_at_home(extra.pop("teams_at_home"))))
        if "busy" in extra:
            event.add("X-MICROSOFT-CDO-BUSYSTATUS", extra.pop("busy"))
        if "organizer" in extra:
            event.add("ORGANIZER", _mail(extra.pop("organizer")))
        for guest in extra.pop("guests", []):
            event.add("ATTENDEE", guest)
        if "rrule" in extra:
            event.add("RRULE", vRecur.from_ical(extra.pop("rrule")))
        for name, value in extra.items():
            event.add(name, value)
        return event


def _standup(on: _Calendar) -> Iterator[Event]:
    """Every working day; one moved, one cancelled, one taken out."""
    guests = [_guest(_INES, "ACCEPTED"), _guest(_MARA, "ACCEPTED"), _guest(_JONAS, "ACCEPTED")]
    common: dict[str, Any] = {"organizer": _TOMAS, "guests": guests, "teams": "standup", "minutes": 15}
    series = on.meeting("standup", "Stand-up, quay works", on.first_monday, "09:00", **common,
                        rrule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", location="Microsoft Teams Meeting")  # fmt: skip
    series.add("EXDATE", _when(on.workday(5), "09:00"))
    yield series
    moved = on.meeting("standup", "Stand-up, quay works", on.workday(2), "10:30", location="Pier room 2", **common)
    moved.add("RECURRENCE-ID", _when(on.workday(2), "09:00"))
    yield moved
    cancelled = on.meeting("standup", "Canceled: Stand-up, quay works", on.workday(4), "09:00", status="CANCELLED",
                           **common)  # fmt: skip
    cancelled.add("RECURRENCE-ID", _when(on.workday(4), "09:00"))
    yield cancelled


def _regular(on: _Calendar) -> Iterator[Event]:
    monday = on.first_monday
    yield on.meeting("one-to-one", "1:1 Ines and Tomas", monday + timedelta(days=1), "14:00", minutes=30,
                     rrule="FREQ=WEEKLY;BYDAY=TU", organizer=_TOMAS, guests=[_guest(_INES, "ACCEPTED")],
                     teams="one-to-one")  # fmt: skip
    yield on.meeting("crane-planning", "Crane schedule", monday + timedelta(days=2), "11:00", minutes=45,
                     rrule="FREQ=WEEKLY;INTERVAL=2;BYDAY=WE", location=_ZOOM, organizer=_MARA,
                     guests=[_guest(_INES, "ACCEPTED"), _guest(_JONAS, "TENTATIVE")])  # fmt: skip
    yield on.meeting("safety", "Safety walk", monday + timedelta(days=3), "08:00", location="Gate 3",
                     rrule="FREQ=MONTHLY;BYDAY=1TH", organizer=_INES,
                     guests=[_guest(_TOMAS, "ACCEPTED"), _guest(_MARA, "NEEDS-ACTION")])  # fmt: skip
    yield on.all_day("inventory", "Stocktaking, store 7", monday, 1, rrule="FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=15",
                     transp="TRANSPARENT")  # fmt: skip


def _with_links(on: _Calendar) -> Iterator[Event]:
    """Where a join link can be: a field of its own, the location, the body, rewritten, in several languages."""
    yield on.meeting("tender", "Tender for the north mole", on.workday(1), "13:00", organizer=_INES, teams="tender",
                     guests=[_guest(_CLIENT, "ACCEPTED"), _guest(_DIVER, "TENTATIVE"), _guest(_MARA, "DECLINED"),
                             _guest(_JONAS, "NEEDS-ACTION", ROLE="OPT-PARTICIPANT"),
                             _guest(_ROOM, "ACCEPTED", CUTYPE="ROOM")],
                     description="Agenda: dredging, sheet piling, open questions.", priority=1,
                     location="Microsoft Teams Meeting; Pier room 2")  # fmt: skip
    yield on.meeting("survey", "Survey results", on.workday(1), "15:00", organizer=_DIVER, location=_MEET,
                     guests=[_guest(_INES, "NEEDS-ACTION")])  # fmt: skip
    link = safelink(_ZOOM)
    page = f'<html><body><p>Please join here: <a href="{link}">Zoom meeting</a></p><p>Luc</p></body></html>'
    dive = on.meeting("dive", "Diving inspection, berth 4", on.workday(3), "10:00", organizer=_DIVER,
                      guests=[_guest(_INES, "ACCEPTED")], location="Online",
                      description=f"Please join here: Zoom meeting <{link}>\n\nLuc")  # fmt: skip
    dive.add("X-ALT-DESC", vText(page), parameters={"FMTTYPE": "text/html"})
    yield dive
    yield on.meeting("insurance", "Insurance renewal", on.workday(4), "16:00", organizer=_CLIENT, location=_WEBEX,
                     guests=[_guest(_INES, "TENTATIVE")])  # fmt: skip
    yield on.meeting("mooring", "Mooring lines: offers", on.workday(6), "09:30", organizer=_JONAS,
                     guests=[_guest(_INES, "ACCEPTED")], location="Office 12",
                     description=f"Bring the offers.\nOr dial in: {_MEET}")  # fmt: skip
    yield on.meeting("ferry", "Ferry terminal: opening hours", on.workday(7), "11:00", organizer=_INES,
                     guests=[_guest(_TOMAS, "ACCEPTED")], location="Town hall")  # fmt: skip


def _answers_and_secrets(on: _Calendar) -> Iterator[Event]:
    yield on.meeting("newsletter", "Newsletter topics", on.workday(2), "14:00", organizer=_MARA, busy="FREE",
                     guests=[_guest(_INES, "DECLINED")], teams="newsletter")  # fmt: skip
    yield on.meeting("training", "First aid course", on.workday(8), "09:00", organizer=_JONAS, minutes=240,
                     guests=[_guest(_INES, "TENTATIVE")], location="Canteen")  # fmt: skip
    yield on.meeting("doctor", "Dr. Brandt", on.workday(3), "08:15", minutes=45, location="Seestraße 4",
                     **{"class": "PRIVATE"})  # fmt: skip
    yield on.meeting("school", "School concert", on.workday(6), "17:30", minutes=90, **{"class": "X-PERSONAL"})
    yield on.meeting("salaries", "Salary round", on.workday(5), "13:00", organizer=_INES, teams="salaries",
                     guests=[_guest(_TOMAS, "ACCEPTED")], **{"class": "CONFIDENTIAL"})  # fmt: skip
    yield on.meeting("audit", "Canceled: Audit, first meeting", on.workday(2), "16:00", organizer=_CLIENT,
                     guests=[_guest(_INES, "NEEDS-ACTION")], status="CANCELLED", location=_ZOOM)  # fmt: skip


def _days_and_odd_ones(on: _Calendar) -> Iterator[Event]:
    yield on.all_day("fair", "Harbour fair", on.workday(9), 1, location="Old harbour")
    yield on.all_day("holiday", "Holiday", on.workday(15), 8, busy="OOF")
    yield on.meeting("commute", "On the ferry to the island", on.workday(10), "07:30", minutes=90, busy="FREE")
    yield on.meeting("away", "Site visit, island works", on.workday(10), "09:00", minutes=360, busy="OOF")
    yield on.meeting("remote", "Writing day", on.workday(11), "09:00", minutes=480, busy="WORKINGELSEWHERE")
    yield on.meeting("key", "Hand over the keys", on.workday(1), "08:00", minutes=5)
    yield on.meeting("overlap", "Site managers", on.workday(1), "13:30", organizer=_JONAS, teams="site-managers",
                     guests=[_guest(_INES, "NEEDS-ACTION")])  # fmt: skip
    yield on.meeting("night", "Night work on the lock gate", on.workday(4), "22:00", minutes=480, organizer=_INES,
                     guests=[_guest(_JONAS, "ACCEPTED")])  # fmt: skip
    yield on.meeting("markup", '<b>Q4</b> & "plans"', on.workday(7), "14:00", organizer=_MARA, teams="plans",
                     guests=[_guest(_INES, "ACCEPTED")])  # fmt: skip
    yield on.meeting("letters", "Grüße aus dem Hafen ⚓ – شحنة الميناء – 港の会議", on.workday(8), "15:00",
                     organizer=_TOMAS, guests=[_guest(_INES, "ACCEPTED")], location="Café Möwe")  # fmt: skip
    long = "Coordination of the works at the north mole, the ferry terminal, berths 4 to 9 and the old lock: " * 3
    yield on.meeting("long", long.strip()[:255], on.workday(12), "10:00", organizer=_MARA, location=_ZOOM,
                     guests=[_guest(_INES, "ACCEPTED")])  # fmt: skip
    # The clocks of Berlin change on Sundays: a yearly night shift over the autumn change, and one over the spring's.
    for uid, month in (("clock-autumn", 10), ("clock-spring", 3)):
        day = date(on.today.year - 1, month, 31)
        saturday = day - timedelta(days=(day.weekday() + 1) % 7 + 1)
        yield on.meeting(uid, "Night watch while the clocks change", saturday, "23:00", minutes=360, organizer=_INES,
                         rrule=f"FREQ=YEARLY;BYMONTH={month};BYDAY=SA;BYMONTHDAY=24,25,26,27,28,29,30")  # fmt: skip


def _text(name: str, events: Iterator[Event]) -> str:
    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", "-//Sally//Sandbox//EN")
    calendar.add("X-WR-CALNAME", name)
    for event in events:
        calendar.add_component(event)
    text: str = calendar.to_ical().decode()
    return text


def calendar_of_ines(today: date) -> str:
    """The first person's calendar: about thirty entries of every kind."""
    on = _Calendar(today)

    def events() -> Iterator[Event]:
        for part in (_standup, _regular, _with_links, _answers_and_secrets, _days_and_odd_ones):
            yield from part(on)

    return _text("Ines Falk", events())


def calendar_of_ines_at_home(today: date) -> str:
    """The calendar of her personal account: evenings, a family, and links of services that families use."""
    on = _Calendar(today)
    me, aunt = "Ines F. <ines.falk@outlook.example>", "Luisa Brandt <luisa@hotmail.example>"

    def events() -> Iterator[Event]:
        yield on.meeting("choir", "Choir", on.first_monday + timedelta(days=2), "19:30", minutes=90,
                         rrule="FREQ=WEEKLY;BYDAY=WE", location="St. Mary’s, parish hall")  # fmt: skip
        yield on.meeting("family-call", "Call with the family", on.first_monday + timedelta(days=6), "18:00",
                         rrule="FREQ=WEEKLY;BYDAY=SU", organizer=aunt, guests=[_guest(me, "ACCEPTED")], minutes=45,
                         teams_at_home="9478812345670")  # fmt: skip
        yield on.meeting("home-parents", "Parents’ evening", on.workday(2), "18:00", organizer=_JONAS,
                         guests=[_guest(me, "TENTATIVE")], location=_ZOOM)  # fmt: skip
        yield on.meeting("home-dentist", "Dentist", on.workday(3), "07:45", minutes=30, location="Dr. Sander",
                         **{"class": "PRIVATE"})  # fmt: skip
        yield on.meeting("tax", "Tax adviser", on.workday(4), "17:30", organizer=me, location="Online",
                         guests=[_guest(_CLIENT, "ACCEPTED")], description=f"Join here: {_MEET}")  # fmt: skip
        yield on.all_day("birthday", "Luisa’s birthday", on.workday(6), 1, rrule="FREQ=YEARLY", transp="TRANSPARENT")
        yield on.meeting("boat", "Boat inspection", on.workday(8), "16:00", minutes=120, location="Marina, berth 31")

    return _text("Ines F.", events())


def calendar_of_luisa(today: date) -> str:
    on = _Calendar(today)

    def events() -> Iterator[Event]:
        yield on.meeting("garden", "Allotment association", on.workday(2), "18:30", location=_MEET)
        yield on.meeting("train", "Train to Ines", on.workday(7), "10:12", minutes=200)

    return _text("Luisa Brandt", events())


def calendar_of_tomas(today: date) -> str:
    on = _Calendar(today)

    def events() -> Iterator[Event]:
        yield on.meeting("board", "Board", on.workday(1), "10:00", organizer=_TOMAS, teams="board",
                         guests=[_guest(_INES, "ACCEPTED")])  # fmt: skip
        yield on.meeting("bank", "Bank", on.workday(2), "11:30", location="Harbour bank, first floor")
        yield on.meeting("pilot", "Pilots’ round table", on.workday(3), "17:00", location=_MEET, organizer=_TOMAS,
                         guests=[_guest(_MARA, "ACCEPTED")])  # fmt: skip

    return _text("Tomas Ruy", events())


def calendar_of_ada(today: date) -> str:
    """The admin's."""
    on = _Calendar(today)

    def events() -> Iterator[Event]:
        yield on.meeting("patch-day", "Patch day", on.workday(2), "07:00", minutes=120, busy="OOF")
        yield on.meeting("approvals", "Approvals of the week", on.workday(3), "13:00", teams="approvals",
                         organizer="Ada Quint <ada@quay.example>", guests=[_guest(_TOMAS, "ACCEPTED")])  # fmt: skip

    return _text("Ada Quint", events())
