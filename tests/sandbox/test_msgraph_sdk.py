"""Microsoft's own Graph SDK, which nobody here wrote, reads the sandbox."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import pytest

from tests.sandbox.conftest import SignedIn
from tests.sandbox.exceptions import CALENDAR, ROWS, WINDOW

pytestmark = [
    pytest.mark.needs("msgraph"),
    # The SDK's own dependencies, not ours to mend.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]


def _sdk(module: str) -> Any:
    """A part of the SDK, which is there only where it is tested."""
    return import_module(module)


class _Token:
    """An access token for the SDK."""

    def __init__(self, value: str) -> None:
        self._value = value

    async def get_authorization_token(self, uri: str, additional_authentication_context: Any = None) -> str:
        return self._value

    def get_allowed_hosts_validator(self) -> Any:
        return _sdk("kiota_abstractions.authentication").AllowedHostsValidator([])


def _client(person: SignedIn, http: Any) -> Any:
    authentication = _sdk("kiota_abstractions.authentication.base_bearer_token_authentication_provider")
    provider = authentication.BaseBearerTokenAuthenticationProvider(_Token(person.tokens["access_token"]))
    adapters = _sdk("msgraph.graph_request_adapter")
    # The SDK's own options: among them the one that makes /me of its placeholder for the signed-in person.
    factory = _sdk("msgraph_core").GraphClientFactory
    chain = factory.create_with_default_middleware(client=http, options=adapters.options)
    adapter = adapters.GraphRequestAdapter(provider, client=chain)
    adapter.base_url = f"{person.sandbox.graph_url}/v1.0"
    return _sdk("msgraph").GraphServiceClient(request_adapter=adapter)


def _ask(person: SignedIn, question: Callable[[Any], Awaitable[Any]]) -> Any:
    httpx = _sdk("httpx")
    trust = ssl.create_default_context(cafile=person.sandbox.ca_bundle)

    async def run() -> Any:
        # The SDK wraps the transport and never closes it.
        async with httpx.AsyncHTTPTransport(verify=trust) as transport:
            return await question(_client(person, httpx.AsyncClient(transport=transport, trust_env=False)))

    # In a thread of its own: Playwright, once started, keeps a loop running in this one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, run()).result()


def _window(top: int, *prefer: str) -> Any:
    builder = _sdk(
        "msgraph.generated.users.item.calendar_view.calendar_view_request_builder"
    ).CalendarViewRequestBuilder
    parameters = builder.CalendarViewRequestBuilderGetQueryParameters(
        start_date_time=WINDOW[0], end_date_time=WINDOW[1], top=top, orderby=["start/dateTime"]
    )
    base = _sdk("kiota_abstractions.base_request_configuration")
    configuration = base.RequestConfiguration(query_parameters=parameters)
    for value in prefer:
        configuration.headers.add("Prefer", value)
    return configuration


@pytest.fixture
def known(ines: SignedIn) -> SignedIn:
    ines.sandbox.control("PUT", "mailboxes/ines@quay.example", text=CALENDAR.read_text())
    return ines


def test_it_reads_the_person_and_the_calendars(known: SignedIn) -> None:
    async def read(client: Any) -> Any:
        return await client.me.get(), await client.me.calendars.get(), await client.me.calendar.get()

    me, calendars, calendar = _ask(known, read)

    assert (me.display_name, me.mail) == ("Ines Falk", "ines@quay.example")
    assert [(c.id, c.is_default_calendar, c.owner.address) for c in calendars.value] == [
        (calendar.id, True, "ines@quay.example")
    ]


def test_it_pages_through_a_window(known: SignedIn) -> None:
    async def read(client: Any) -> list[Any]:
        page = await client.me.calendar_view.get(_window(7))
        events = list(page.value)
        while page.odata_next_link:
            page = await client.me.calendar_view.with_url(page.odata_next_link).get()
            events += page.value
        return events

    events = _ask(known, read)

    assert sorted(event.subject for event in events) == sorted(row[2] for row in ROWS)
    assert sorted(event.type.value for event in events) == sorted(row[4] for row in ROWS)
    assert len({event.id for event in events}) == 30
    private = [event for event in events if event.sensitivity.value == "private"]
    assert [event.subject for event in private] == ["London desk: reviews"]


def test_it_reads_one_event_and_its_series(known: SignedIn) -> None:
    async def read(client: Any) -> Any:
        page = await client.me.calendar_view.get(
            _window(10, 'outlook.timezone="Europe/Berlin"', 'IdType="ImmutableId"')
        )
        listed = next(event for event in page.value if event.subject == "Berth plan")
        master = await client.me.events.by_event_id(listed.series_master_id).get()
        return listed, master, await client.me.events.by_event_id(listed.id).get()

    listed, master, event = _ask(known, read)

    assert (listed.start.date_time, listed.start.time_zone) == ("2027-03-15T10:00:00.0000000", "Europe/Berlin")
    assert (event.subject, event.start.date_time) == ("Berth plan", "2027-03-15T09:00:00.0000000")
    assert master.type.value == "seriesMaster"
    assert (master.recurrence.pattern.type.value, master.recurrence.range.number_of_occurrences) == ("weekly", 8)


def test_it_tries_again_when_it_is_throttled(known: SignedIn) -> None:
    body = json.dumps({"error": {"code": "TooManyRequests", "message": "Slow down."}})
    fault = {"path": "/me$", "status": 429, "headers": {"Retry-After": "1"}, "body": body}
    known.sandbox.control("POST", "faults", json=fault)
    known.sandbox.control("DELETE", "log")

    assert _ask(known, lambda client: client.me.get()).display_name == "Ines Falk"
    assert [entry["status"] for entry in known.sandbox.log()] == [429, 200]


def test_it_understands_a_refusal(known: SignedIn) -> None:
    error = _sdk("msgraph.generated.models.o_data_errors.o_data_error").ODataError
    with pytest.raises(error) as refused:
        _ask(known, lambda client: client.me.events.by_event_id("nothing").get())

    assert (refused.value.response_status_code, refused.value.error.code) == (404, "ErrorItemNotFound")
    assert refused.value.error.inner_error.request_id


def _tracked(*prefer: str) -> Any:
    """The first request of a round: all that lies in the window of ``exceptions.ics``."""
    builder = _sdk("msgraph.generated.users.item.calendar_view.delta.delta_request_builder").DeltaRequestBuilder
    parameters = builder.DeltaRequestBuilderGetQueryParameters(start_date_time=WINDOW[0], end_date_time=WINDOW[1])
    base = _sdk("kiota_abstractions.base_request_configuration")
    configuration = base.RequestConfiguration(query_parameters=parameters)
    for value in prefer:
        configuration.headers.add("Prefer", value)
    return configuration


async def _follow(delta: Any, page: Any) -> tuple[list[Any], str]:
    """The events of a round from this page on, and the address of the next round."""
    events = list(page.value)
    while page.odata_next_link:
        page = await delta.with_url(page.odata_next_link).get()
        events += page.value
    return events, page.odata_delta_link


def test_it_follows_changes(known: SignedIn) -> None:
    async def read(client: Any) -> Any:
        delta = client.me.calendar_view.delta
        first = await delta.get(_tracked("odata.maxpagesize=5", 'IdType="ImmutableId"'))
        events, link = await _follow(delta, first)
        change = {"uid": "berth-plan", "subject": "Berths"}
        known.sandbox.control("POST", "mailboxes/ines@quay.example/change", json=change)
        again, link = await _follow(delta, await delta.with_url(link).get())
        known.sandbox.control("POST", "mailboxes/ines@quay.example/change", json={**change, "deleted": True})
        return first.value, events, again, (await _follow(delta, await delta.with_url(link).get()))[0]

    first_page, events, again, gone = _ask(known, read)

    assert first_page == []
    kinds = [event.type.value for event in events]
    listed = [row[4] for row in ROWS]
    assert [kinds.count(kind) for kind in ("singleInstance", "occurrence", "exception")] == [
        listed.count(kind) for kind in ("singleInstance", "occurrence", "exception")
    ]
    assert {event.subject for event in events if event.type.value == "occurrence"} == {None}
    assert [(event.type.value, event.subject) for event in again] == [
        ("seriesMaster", "Berths"),
        ("occurrence", None),
        ("exception", "Berths"),
        ("occurrence", None),
    ]
    (removed,) = gone
    assert (removed.id, removed.additional_data["@removed"]) == (again[0].id, {"reason": "deleted"})


def test_it_follows_the_changes_of_one_calendar(known: SignedIn) -> None:
    async def read(client: Any) -> Any:
        calendar = await client.me.calendar.get()
        delta = client.me.calendars.by_calendar_id(calendar.id).calendar_view.delta
        events, link = await _follow(delta, await delta.get(_tracked()))
        return events, (await _follow(delta, await delta.with_url(link).get()))[0]

    events, again = _ask(known, read)

    assert len([event for event in events if event.type.value != "seriesMaster"]) == 30
    assert again == []


def test_it_understands_that_a_token_is_dead(known: SignedIn) -> None:
    error = _sdk("msgraph.generated.models.o_data_errors.o_data_error").ODataError
    dead = f"{known.sandbox.graph_url}/v1.0/me/calendarView/delta?$deltatoken=made-up"
    with pytest.raises(error) as refused:
        _ask(known, lambda client: client.me.calendar_view.delta.with_url(dead).get())

    assert (refused.value.response_status_code, refused.value.error.code) == (410, "SyncStateNotFound")


def test_it_minds_no_more_than_it_knows_of_a_personal_mailbox(signed_in: Callable[..., SignedIn]) -> None:
    email = "ines.falk@outlook.example"
    at_home = signed_in(email, "openid User.Read Calendars.ReadWrite", "consumers")
    at_home.sandbox.control("PUT", f"mailboxes/{email}", text=CALENDAR.read_text())

    page = _ask(at_home, lambda client: client.me.calendar_view.get(_window(100)))

    assert sorted(event.subject for event in page.value) == sorted(row[2] for row in ROWS)
    undeclared = {"IsRoomRequested", "AutoRoomBookingStatus", "uid"}
    assert all(undeclared <= set(event.additional_data) for event in page.value)
