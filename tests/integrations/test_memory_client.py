"""The fake keeps the contract too, so that tests with it are worth something."""

from datetime import UTC, date, datetime, timedelta

import pytest

from integrations.events import Attendee, Kind, Person, Response
from tests.contracts import ClientContract, utc
from tests.memory import MemoryClient, all_day, event

SERIES = {"series_id": "series", "ical_uid": "series@contract"}


class TestMemoryClient(ClientContract):
    @pytest.fixture
    def client(self) -> MemoryClient:
        client = MemoryClient(
            event("1", utc(11, 2, 14), subject="Single", location="Room 7",
                  attendees=(Attendee("Ines Falk", "ines@quay.example", "required", Response.ACCEPTED),)),
            event("2", utc(11, 4, 14, 30), 30, subject="Series", kind=Kind.OCCURRENCE,
                  original_start=utc(11, 4, 14, 30), **SERIES),
            event("3", utc(11, 19, 19), 30, subject="Series moved", kind=Kind.EXCEPTION,
                  original_start=utc(11, 18, 14, 30), **SERIES),
            event("4", utc(11, 25, 14, 30), 30, subject="Series", kind=Kind.OCCURRENCE,
                  original_start=utc(11, 25, 14, 30), **SERIES),
            all_day("5", date(2026, 11, 20), 2, subject="All day"),
            event("6", utc(11, 23, 10), subject="Private", private=True),
            event("7", utc(11, 24, 10), subject="Cancelled", cancelled=True),
            event("8", utc(10, 31, 23), subject="Ends as the window begins"),
            event("9", utc(12, 1, 0), subject="Begins as the window ends", organizer=Person("", "")),
        )  # fmt: skip
        client.bodies = {
            "1": "The single one's text",
            "2": "The series' text",
            "3": "The moved one's text",
            "4": "The series' text",
        }
        return client

    @pytest.fixture
    def large(self) -> MemoryClient:
        first = datetime(2026, 11, 1, tzinfo=UTC)
        return MemoryClient(
            *(
                event(str(number), first + timedelta(minutes=18 * number), 15, subject=f"Number {number}")
                for number in range(2100)
            )
        )
