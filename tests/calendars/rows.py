"""Meetings as tests write them: rows of a connection, named by their subject."""

from datetime import UTC, date, datetime, timedelta

from calendars import attendance
from calendars.models import Meeting
from integrations.models import CalendarConnection
from sally.models import User


def meeting(connection: CalendarConnection, id: str, start: datetime, hours: float = 1, **fields: object) -> Meeting:
    defaults: dict[str, object] = {"subject": id, "kind": "single", "response": "none", "show_as": "busy"}
    return Meeting.objects.create(
        connection=connection, external_id=id, start=start, end=start + timedelta(hours=hours), **(defaults | fields)
    )


def all_day(connection: CalendarConnection, id: str, first: date, days: int = 1) -> Meeting:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return meeting(
        connection, id, start, 24 * days, all_day=True, start_date=first, end_date=first + timedelta(days=days)
    )


def confirm(user: User, now: datetime, **values: object) -> None:
    """They set a rule, the first time by confirming it; the plans of their meetings follow."""
    attendance.save_terms(user, {"rule": "all"} | values, now)
