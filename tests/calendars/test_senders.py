"""One Sally per room and time: who sends her, each case written out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calendars.senders import Candidate, covered

NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def meeting(pk: int, begins: int = 0, minutes: int = 60, **fields: object) -> Candidate:
    """Of an owner of its own, ``begins`` minutes after nine; Sally would come a minute before."""
    start = NINE + timedelta(minutes=begins)
    known: dict[str, Any] = {"pk": pk, "owner": pk, "room": "zoom:1", "is_organizer": False, "asked": False}
    known |= {"start": start, "end": start + timedelta(minutes=minutes), "join_at": start - timedelta(minutes=1)}
    return Candidate(**(known | fields))


@pytest.mark.parametrize(
    ("meetings", "expected"),
    [
        ([], {}),
        ([meeting(1)], {}),
        ([meeting(1), meeting(2)], {2: 1}),
        # another room, another time
        ([meeting(1), meeting(2, room="zoom:2")], {}),
        ([meeting(1), meeting(2, begins=60)], {}),
        ([meeting(1), meeting(2, begins=59)], {2: 1}),
        # the organizer goes before who asked, who asked before who has her first, that before the older account
        ([meeting(1), meeting(2, is_organizer=True)], {1: 2}),
        ([meeting(1, asked=True), meeting(2, is_organizer=True)], {1: 2}),
        ([meeting(1), meeting(2, asked=True)], {1: 2}),
        ([meeting(1), meeting(2, join_at=NINE - timedelta(minutes=5))], {1: 2}),
        ([meeting(1, owner=9), meeting(2, owner=3)], {1: 2}),
        ([meeting(2, owner=3), meeting(1, owner=3)], {2: 1}),
        # two events of one person with one link
        ([meeting(1, owner=3), meeting(2, begins=30, owner=3)], {2: 1}),
        # a chain: the first and the last do not overlap, so both send her, and the one between needs not
        ([meeting(1), meeting(2, begins=30, minutes=60), meeting(3, begins=70)], {2: 1}),
        # whoever goes first in a chain takes both neighbours along
        ([meeting(1), meeting(2, begins=30, minutes=60, is_organizer=True), meeting(3, begins=70)], {1: 2, 3: 2}),
        # the same start always overlaps, also of a meeting without a length
        ([meeting(1, minutes=0), meeting(2, minutes=0)], {2: 1}),
        ([meeting(1), meeting(2, minutes=0)], {2: 1}),
    ],
)
def test_who_is_covered_by_whom(meetings: list[Candidate], expected: dict[int, int]) -> None:
    assert covered(meetings) == expected
    assert covered(reversed(meetings)) == expected


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 90), st.sampled_from(["a", "b"])), max_size=12))
def test_no_two_senders_are_in_one_room_at_once_and_nobody_is_left_alone(
    drawn: list[tuple[int, int, str]],
) -> None:
    meetings = {
        pk: meeting(pk, begins=begins, minutes=minutes, room=room)
        for pk, (begins, minutes, room) in enumerate(drawn, start=1)
    }
    found = covered(meetings.values())
    senders = [one for pk, one in meetings.items() if pk not in found]
    for one in senders:
        for other in senders:
            at_once = one.start < other.end and other.start < one.end
            assert one is other or one.room != other.room or not at_once
    for pk, sender in found.items():
        assert sender not in found
        assert meetings[pk].room == meetings[sender].room
        assert meetings[pk].start <= meetings[sender].end
        assert meetings[sender].start <= meetings[pk].end


def beside_by_asking_all(meetings: list[Candidate]) -> dict[int, int]:
    found: dict[int, int] = {}
    senders: list[Candidate] = []
    for one in sorted(meetings, key=lambda meeting: (meeting.join_at, meeting.pk)):
        beside = [
            other.pk
            for other in senders
            if one.start == other.start or (one.start < other.end and other.start < one.end)
        ]
        if beside:
            found[one.pk] = beside[0]
        else:
            senders.append(one)
    return found


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.integers(0, 3)), max_size=12))
def test_it_is_as_if_all_had_been_asked(drawn: list[tuple[int, int, int]]) -> None:
    """Short ones, long ones and such without a length, and some that are chosen before others which begin earlier."""
    meetings = [
        meeting(pk, begins, minutes, owner=1, join_at=NINE + timedelta(minutes=joins))
        for pk, (begins, minutes, joins) in enumerate(drawn, start=1)
    ]
    assert covered(meetings) == beside_by_asking_all(meetings)
