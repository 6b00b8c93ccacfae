"""The bench itself: its data set is what it says, its output is what programs rely on, and a limit is a limit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.bench import dataset, report
from tests.bench.report import Row

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def entries() -> list[str]:
    """Each VEVENT of a calendar of 1,000 events, its lines unfolded."""
    text = re.sub(r"\r?\n[ \t]", "", dataset.calendar(1000, NOW))
    return re.findall(r"BEGIN:VEVENT.*?END:VEVENT", text, re.DOTALL)


def occurrences(entry: str) -> int:
    found = re.search(r"RRULE:.*COUNT=(\d+)", entry)
    return int(found[1]) if found else 1


class TestTheDataSet:
    def test_it_has_as_many_events_as_asked_for_thirty_per_cent_of_them_in_series(self, entries: list[str]) -> None:
        assert sum(map(occurrences, entries)) == 1000
        assert sum(occurrences(one) for one in entries if "RRULE" in one) == 300

    def test_every_body_has_three_to_six_kilobytes(self, entries: list[str]) -> None:
        for one in entries:
            (body,) = re.findall(r"X-ALT-DESC[^:]*:(.*)", one)
            meant = re.sub(r"\\([\\;,nN])", lambda found: "\n" if found[1] in "nN" else found[1], body)
            assert 3 * 1024 <= len(meant.encode()) <= 6 * 1024

    def test_nobody_invites_more_than_five(self, entries: list[str]) -> None:
        assert {0, 5} <= {len(re.findall(r"^ATTENDEE", one, re.MULTILINE)) for one in entries} <= set(range(6))

    def test_links_are_in_fields_locations_bodies_and_safelinks(self, entries: list[str]) -> None:
        field = sum("X-MICROSOFT-SKYPETEAMSMEETINGURL" in one for one in entries)
        place = sum(bool(re.search(r"^LOCATION:.*zoom\.us", one, re.MULTILINE)) for one in entries)
        safe = sum("safelinks.protection.outlook.com" in one for one in entries)
        body = sum("zoom.us" in one for one in entries) - place
        for found, of_twenty in ((field, 8), (place, 3), (body, 4), (safe, 3)):
            assert abs(found / len(entries) - of_twenty / 20) < 0.02

    def test_it_lies_inside_the_window_and_is_the_same_every_time(self, entries: list[str]) -> None:
        starts = [
            datetime.strptime(found, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            for found in re.findall(r"DTSTART:(\S+)", "\n".join(entries))
        ]
        assert NOW < min(starts) < max(starts) < NOW + timedelta(days=90)
        assert dataset.calendar(100, NOW) == dataset.calendar(100, NOW)


class TestTheReport:
    def test_the_ratio_is_held_against_the_limit_and_without_a_floor_the_value(self) -> None:
        assert Row("a", 3.1, "s", floor=1.0, limit=3.0).over
        assert not Row("a", 3.0, "s", floor=1.0, limit=3.0).over
        assert Row("a", 13, "statements", limit=12).over
        assert not Row("a", 13, "statements").over

    def test_a_row_for_programs_has_these_names_in_this_order(self) -> None:
        assert report.as_json(Row("a", 3.0, "s", floor=1.5, limit=3.0)) == (
            '{"name": "a", "value": 3.0, "unit": "s", "floor": 1.5, "ratio": 2.0, "limit": 3.0}'
        )

    def test_a_row_for_people_says_what_is_over(self) -> None:
        assert report.as_table([Row("a", 3.1, "s", floor=1.0, limit=3.0)]).splitlines()[1].endswith("OVER")
        assert report.as_table([Row("a", 2.9, "s", floor=1.0, limit=3.0)]).splitlines()[1].endswith("ok")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEST_DATABASE")}
    command = [sys.executable, "-W", "ignore", "manage.py", "bench", "--repetitions", "1", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=170, check=False)


def test_a_small_run_measures_everything() -> None:
    done = run("--events", "40", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(row) == ["name", "value", "unit", "floor", "ratio", "limit"] for row in rows), done.stderr
    for words in ("links in 1 MB", "first sync of 40: CPU", "repeat of 40: CPU", "HTTP requests", "SQL statements",
                  "change of rule over 40: CPU", "what to join next, of 40: CPU",
                  "Meetings page of 40: CPU", "memory growth per event",
                  "Exchange: listing and filling 40: CPU"):  # fmt: skip
        assert any(words in row["name"] for row in rows), words
    over = any(row["limit"] is not None and (row["ratio"] or row["value"]) > row["limit"] for row in rows)
    assert done.returncode == int(over)


@pytest.mark.parametrize("nonsense", ["0", "-1", "x", "10,,20"])
def test_nonsense_is_refused_in_one_line(nonsense: str) -> None:
    done = run("--events", nonsense)
    assert done.returncode == 2
    assert "--events" in done.stderr
    assert "Traceback" not in done.stderr
