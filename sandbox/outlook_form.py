"""The form of a meeting on the Outlook page: what was typed, checked in words, as the change that ``edits`` takes."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import RegexValidator

from sandbox.mailbox import Item
from sandbox.people import MAILBOX_ZONE

ZONE = ZoneInfo(MAILBOX_ZONE)
KEEP = "keep"
_YEARS = range(2000, 2100)
_ONLINE = [
    ("none", "No link"),
    ("teams", "Teams, in the meeting’s own field"),
    ("zoom", "Zoom, in the location"),
    ("meet", "Google Meet, in the body"),
    ("webex", "Webex, rewritten by SafeLinks in the body"),
]
_printable = RegexValidator(r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$", "This has a character that no calendar can keep.")


def _day(label: str, missing: str = "") -> forms.DateField:
    return forms.DateField(
        label=label,
        required=bool(missing),
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": missing, "invalid": "This is no date; write it like 2026-11-23."},
    )


def _clock(label: str) -> forms.TimeField:
    return forms.TimeField(
        label=label,
        required=False,
        input_formats=["%H:%M"],
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        error_messages={"invalid": "This is no time; write it like 09:30."},
    )


def _text(label: str, longest: int) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=longest,
        validators=[_printable],
        # Not as an attribute of the input: a browser would cut what is pasted without a word.
        widget=forms.TextInput({"maxlength": None}),
        error_messages={"max_length": f"This is longer than {longest} characters."},
    )


def _moment(day: date, clock: time) -> datetime:
    """Raises ``ValueError`` for a time that the clocks skip."""
    moment = datetime.combine(day, clock, ZONE)
    if moment.astimezone(UTC).astimezone(ZONE).time() != clock:
        raise ValueError
    return moment


def _moments(values: Mapping[str, Any]) -> tuple[datetime, datetime]:
    start, end = ((values[f"{which}_day"], values[f"{which}_time"]) for which in ("start", "end"))
    return datetime.combine(*start, ZONE), datetime.combine(*end, ZONE)


def _checked_day(day: date) -> date:
    if day.year not in _YEARS:
        raise forms.ValidationError("Choose a day between 2000 and 2099.")
    return day


class MeetingForm(forms.Form):
    """``taken`` are the addresses that cannot be invited any more; a ``new`` meeting has nothing to keep."""

    use_required_attribute = False

    subject = _text("Subject", 255)
    start_day = _day("Starts on", "Say on which day it starts.")
    start_time = _clock("Start time")
    end_day = _day("Ends on (empty: the same day)")
    end_time = _clock("End time")
    all_day = forms.BooleanField(label="All day (the times do not count)", required=False)
    location = _text("Location", 2000)
    online = forms.ChoiceField(label="Online link", error_messages={"invalid_choice": "Choose one of these."})
    invite = forms.EmailField(
        label="Invite somebody (e-mail address)",
        required=False,
        error_messages={"invalid": "This is no e-mail address; write it like mara@quay.example."},
    )

    def __init__(
        self, posted: Mapping[str, Any] | None = None, *, taken: frozenset[str] = frozenset(), new: bool, **values: Any
    ) -> None:
        super().__init__(posted, initial=values)
        self._taken = taken
        self._new = new
        choices = _ONLINE if new else [(KEEP, "As it is"), *_ONLINE]
        self.fields["online"].choices = choices  # type: ignore[attr-defined]
        self._when: tuple[str, str] | None = None

    def clean_invite(self) -> str:
        address: str = self.cleaned_data["invite"]
        if address.lower() in self._taken:
            raise forms.ValidationError(f"{address} already takes part.")
        return address

    def clean_start_day(self) -> date:
        return _checked_day(self.cleaned_data["start_day"])

    def clean_end_day(self) -> date | None:
        """The end of a known meeting that nobody touched moves along with the start, as in Outlook."""
        day: date | None = self.cleaned_data["end_day"]
        start: date | None = self.cleaned_data.get("start_day")
        if day is None or start is None:
            return start
        if not self._new and "end_day" not in self.changed_data:
            day += start - self.initial["start_day"]
        return _checked_day(day)

    def _clean_moment(self, which: str, missing: str) -> datetime | None:
        day, clock = self.cleaned_data.get(f"{which}_day"), self.cleaned_data.get(f"{which}_time")
        if f"{which}_time" in self.cleaned_data and clock is None:
            self.add_error(f"{which}_time", missing)
        if day is None or clock is None:
            return None
        try:
            return _moment(day, clock)
        except ValueError:
            self.add_error(f"{which}_time", "That night the clocks skip this time; choose another one.")
            return None

    def clean(self) -> None:
        if self.cleaned_data["all_day"]:
            first, last = self.cleaned_data.get("start_day"), self.cleaned_data.get("end_day")
            if first and last and last < first:
                self.add_error("end_day", "It would end before it starts.")
            elif first and last:
                self._when = whole_days(first, last)
            return
        start = self._clean_moment("start", "Say at what time it starts, or tick “All day”.")
        end = self._clean_moment("end", "Say at what time it ends, or tick “All day”.")
        touched = {"start_time", "end_day", "end_time"}.intersection(self.changed_data)
        if start and not self._new and touched == {"start_time"} and not self.initial["all_day"]:
            first, last = _moments(self.initial)
            end = start + (last - first)
        if start and end and end < start:
            self.add_error("end_day" if end.date() < start.date() else "end_time", "It would end before it starts.")
        elif start and end:
            self._when = start.isoformat(), end.isoformat()

    def _when_before(self) -> tuple[str, str]:
        values = self.initial
        if values["all_day"]:
            return whole_days(values["start_day"], values["end_day"])
        first, last = _moments(values)
        return first.isoformat(), last.isoformat()

    def _start_and_end(self) -> dict[str, str]:
        if self._when is None:
            raise RuntimeError("The form was not checked.")
        return {"start": self._when[0], "end": self._when[1]}

    def wanted(self) -> dict[str, Any]:
        """The new event, after the form was found valid."""
        values = self.cleaned_data
        words = {name: values[name] for name in ("subject", "location", "online", "invite")}
        return {**words, **self._start_and_end(), "zone": MAILBOX_ZONE}

    def changes(self) -> dict[str, Any]:
        """Only what is different: a series that is not moved keeps its exceptions."""
        values = self.cleaned_data
        found: dict[str, Any] = {name: values[name] for name in self.changed_data if name in ("subject", "location")}
        if self._when != self._when_before():
            found |= self._start_and_end()
        if values["online"] != KEEP:
            found["online"] = values["online"]
        if values["invite"]:
            found["invite"] = values["invite"]
        return found


def whole_days(first: date, last: date) -> tuple[str, str]:
    """A person names the last day, a calendar the day after it."""
    return first.isoformat(), (last + timedelta(days=1)).isoformat()


def values_of(item: Item) -> dict[str, Any]:
    """What the form shows of an event that there is."""
    # One line each, as an input keeps it: what nobody touched must not look changed.
    named = {"subject": "SUMMARY", "location": "LOCATION"}
    words = {field: " ".join(str(item.event.get(name, "")).split()) for field, name in named.items()}
    if item.timing.all_day:
        last = max(item.start_at, item.end_at - timedelta(days=1))
        return {**words, "start_day": item.start_at.date(), "end_day": last.date(), "all_day": True}
    start, end = item.start_at.astimezone(ZONE), item.end_at.astimezone(ZONE)
    # To the minute, as the form shows it, for the same reason.
    times = {"start_time": start.time().replace(second=0), "end_time": end.time().replace(second=0)}
    return {**words, **times, "start_day": start.date(), "end_day": end.date(), "all_day": False}
