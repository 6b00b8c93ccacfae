"""SyncFolderItems: what happened since, in masters and single items, and states that are understood or not."""

from typing import Any

import pytest

from tests.sandbox import ews
from tests.sandbox.ews import Mailbox
from tests.sandbox.exceptions import CALENDAR

WEEKLY: dict[str, Any] = {
    "uid": "weekly",
    "subject": "Crane",
    "start": "2027-05-03T07:00:00Z",
    "end": "2027-05-03T08:00:00Z",
    "rrule": "FREQ=WEEKLY;COUNT=3",
}


def _kinds(changes: list[tuple[str, str]]) -> list[str]:
    return [kind for kind, _ in changes]


@pytest.fixture
def series(exchange: Mailbox) -> Mailbox:
    """A mailbox with one series and one single event."""
    exchange.put(ews.EMPTY)
    exchange.add(**WEEKLY)
    exchange.add(uid="fair", subject="Fair", start="2027-05-08", end="2027-05-10")
    return exchange


def test_first_everything_is_new_and_nothing_is_an_occurrence(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    answer = exchange.ask(ews.sync(wanted=ews.shape("Default")))

    kinds = [row["CalendarItemType"] for row in answer.rows]
    assert (kinds.count("RecurringMaster"), kinds.count("Single"), len(kinds)) == (7, 8, 15)
    assert set(_kinds(answer.changes)) == {"Create"}
    assert answer.text(".//m:IncludesLastItemInRange") == "true"


def test_then_nothing_happened(series: Mailbox) -> None:
    first = series.ask(ews.sync())
    then = series.ask(ews.sync(first.state))

    assert (then.changes, then.text(".//m:IncludesLastItemInRange")) == ([], "true")
    assert series.ask(ews.sync(then.state)).changes == []


def test_what_is_added_changed_and_deleted_is_told(series: Mailbox) -> None:
    first = series.ask(ews.sync(wanted=ews.shape("Default")))
    ids = {row["Subject"]: row["ItemId"] for row in first.rows}
    series.change(uid="weekly", subject="Big crane")
    series.change(uid="fair", deleted=True)
    series.add(subject="New", start="2027-05-11", end="2027-05-12")
    then = series.ask(ews.sync(first.state, wanted=ews.shape("Default")))

    assert dict(then.changes).keys() == {"Update", "Create", "Delete"}
    assert dict(then.changes)["Update"] == ids["Crane"]
    assert dict(then.changes)["Delete"] == ids["Fair"]
    assert {row["Subject"] for row in then.rows} == {"Big crane", "New"}


def test_an_edited_occurrence_is_a_change_of_its_master(series: Mailbox) -> None:
    first = series.ask(ews.sync(wanted=ews.shape("Default")))
    master = next(row["ItemId"] for row in first.rows if row["CalendarItemType"] == "RecurringMaster")
    series.change(uid="weekly", occurrence="2027-05-10T07:00:00Z", subject="Crane, later")
    moved = series.ask(ews.sync(first.state))
    series.change(uid="weekly", occurrence="2027-05-17T07:00:00Z", deleted=True)

    assert moved.changes == [("Update", master)]
    assert series.ask(ews.sync(moved.state)).changes == [("Update", master)]


def test_an_older_state_still_tells_what_happened_since(series: Mailbox) -> None:
    first = series.ask(ews.sync())
    series.change(uid="fair", deleted=True)

    assert _kinds(series.ask(ews.sync(first.state)).changes) == ["Delete"]
    assert _kinds(series.ask(ews.sync(first.state)).changes) == ["Delete"]


def test_many_changes_come_in_several_answers(exchange: Mailbox) -> None:
    exchange.put(CALENDAR.read_text())
    state, seen, answers = "", list[str](), 0
    while True:
        answer = exchange.ask(ews.sync(state, most=4))
        state, answers = answer.state, answers + 1
        seen += [id for _, id in answer.changes]
        if answer.text(".//m:IncludesLastItemInRange") == "true":
            break

    assert (len(seen), len(set(seen)), answers) == (15, 15, 4)
    assert exchange.ask(ews.sync(state)).changes == []


def test_the_server_has_a_limit_of_its_own(exchange: Mailbox) -> None:
    exchange.turn(exchange_sync_limit=3)

    assert len(exchange.ask(ews.sync()).changes) == 3


@pytest.mark.parametrize("most", [0, 513])
def test_the_schema_has_limits_too(exchange: Mailbox, most: int) -> None:
    assert exchange.post(ews.sync(most=most)).fault == "ErrorSchemaValidation"


def test_a_state_that_is_none_is_refused(exchange: Mailbox) -> None:
    assert exchange.ask(ews.sync("H4sIAAAAnonsense")).codes == ["ErrorInvalidSyncStateData"]


def test_somebody_elses_state_is_refused(exchange: Mailbox) -> None:
    state = exchange.ask(ews.sync()).state
    tomas = ews.basic(exchange.sandbox, "tomas@quay.example")
    with tomas.http:
        assert tomas.ask(ews.sync(state)).codes == ["ErrorInvalidSyncStateData"]


def test_another_folders_state_is_refused(exchange: Mailbox) -> None:
    state = exchange.ask(ews.sync(folder='<t:DistinguishedFolderId Id="inbox"/>')).state

    assert exchange.ask(ews.sync(state)).codes == ["ErrorInvalidSyncStateData"]


def test_a_reset_forgets_all_states(exchange: Mailbox) -> None:
    state = exchange.ask(ews.sync()).state
    exchange.sandbox.control("POST", "reset")

    assert exchange.ask(ews.sync(state)).codes == ["ErrorInvalidSyncStateData"]


def test_a_server_forgets_the_states_of_before(exchange: Mailbox) -> None:
    before = exchange.ask(ews.sync()).state
    exchange.turn(exchange_forget_sync_states=True)
    assert exchange.ask(ews.sync(before)).codes == ["ErrorInvalidSyncStateData"]

    after = exchange.ask(ews.sync()).state
    assert exchange.ask(ews.sync(after)).codes == ["NoError"]


def test_a_moved_mailbox_has_other_ids_and_knows_no_state(exchange: Mailbox) -> None:
    state, folder = exchange.ask(ews.sync()).state, exchange.ask(ews.get_folder()).all(".//t:FolderId")[0].get("Id")
    before = {row["ItemId"]: row for row in exchange.view()}
    exchange.turn(exchange_moved=1)
    after = {row["ItemId"]: row for row in exchange.view()}

    assert not before.keys() & after.keys()
    assert not {row["ChangeKey"] for row in before.values()} & {row["ChangeKey"] for row in after.values()}
    assert exchange.ask(ews.sync(state)).codes == ["ErrorInvalidSyncStateData"]
    assert exchange.ask(ews.get_folder(f'<t:FolderId Id="{folder}"/>')).codes == ["ErrorFolderNotFound"]
    assert exchange.ask(ews.get_item(*before)).codes == ["ErrorItemNotFound"] * len(before)
    assert [row["UID"] for row in before.values()] == [row["UID"] for row in after.values()]
