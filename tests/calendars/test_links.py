"""Join links: every service, every disguise, nothing that is none, in linear time."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calendars import links, services
from calendars.links import Found, MeetingLink, Source, find_in_text
from calendars.services import SERVICES
from tests.calendars import link_tables as tables
from tests.calendars.hostile import HOSTILE, in_safelinks, of_size
from tests.calendars.test_real_calendar import entries, unescaped
from tests.memory import event

POSITIVES = [(url, url, service, complete) for url, service, complete in tables.PLAIN] + tables.IN_TEXT


@pytest.mark.parametrize(("text", "url", "service", "complete"), POSITIVES)
def test_a_join_link_is_found(text: str, url: str, service: str, complete: bool) -> None:
    assert find_in_text(text) == MeetingLink(url, service, complete)


@pytest.mark.parametrize("text", tables.NOTHING)
def test_what_is_no_join_link_is_not_found(text: str) -> None:
    assert find_in_text(text) is None


@pytest.mark.parametrize(("rewritten", "url"), tables.UNWRAPPED)
def test_a_rewritten_link_is_unwrapped(rewritten: str, url: str) -> None:
    found = find_in_text(f'<p>Join <a href="{rewritten}">here</a></p>')
    assert found is not None
    assert found.url == url


@pytest.mark.parametrize(("field", "location", "subject", "body", "url", "source"), tables.ORDER)
def test_where_to_look_first(field: str, location: str, subject: str, body: str | None, url: str, source: str) -> None:
    found = links.find(event(online_url=field, location=location, subject=subject, body=body))
    assert found is not None
    assert (found.link.url, str(found.source)) == (url, source)


def test_the_tables_are_as_large_as_promised() -> None:
    assert len({text for text, *_ in POSITIVES}) >= 120
    assert len(set(tables.NOTHING)) >= 60


def test_every_service_of_the_table_has_an_example() -> None:
    assert {service for _, service, _ in tables.PLAIN} == {one.key for one in SERVICES}


def test_every_service_has_a_name_and_every_name_a_service() -> None:
    own = {service.key for _, service in services._OWN_HOSTS}
    assert set(services.NAMES) == {one.key for one in SERVICES} | own


def test_every_service_fits_its_column() -> None:
    assert all(0 < len(one.key) <= 20 for one in SERVICES)


class TestListing:
    def test_the_body_is_left_for_later(self) -> None:
        listed = event(location="Pier room 2", body=tables.TEAMS)
        assert links.find_in_listing(listed) is None
        assert links.find(listed) == Found(MeetingLink(tables.TEAMS, "teams"), Source.BODY)

    def test_a_missing_passcode_asks_for_the_body(self) -> None:
        found = links.find_in_listing(event(location="https://zoom.us/j/84512345678", body=tables.ZOOM))
        assert found == Found(MeetingLink("https://zoom.us/j/84512345678", "zoom", complete=False), Source.LOCATION)

    def test_nothing_anywhere_is_no_link(self) -> None:
        assert links.find(event(location="Pier room 2", subject="Crane", body="<p>Agenda</p>")) is None


class TestField:
    def test_an_unknown_service_counts_there_and_only_there(self) -> None:
        url = "https://conference.quay.example/room"
        assert links.find_in_field(event(online_url=url)) == MeetingLink(url, "")
        assert find_in_text(url) is None

    def test_http_to_a_known_service_becomes_https(self) -> None:
        found = links.find_in_field(event(online_url="http://zoom.us/j/1?pwd=x1"))
        assert found == MeetingLink("https://zoom.us/j/1?pwd=x1", "zoom")

    @pytest.mark.parametrize(
        "url",
        [
            "http://conference.quay.example/room",
            "https://ines@conference.quay.example/room",
            "https://conference.quay.example:port/room",
            r"https://conference.quay.example\@evil.example/room",
            "https://conference.quay.example/a room",
            "https://conference.quay.example/\x07",
        ],
    )
    def test_what_is_no_safe_address_is_refused(self, url: str) -> None:
        assert links.find_in_field(event(online_url=url)) is None


def in_proofpoint_1(url: str) -> str:
    return f"https://urldefense.proofpoint.com/v1/url?u={quote(url, safe='')}&k=abc"


def in_proofpoint_2(url: str) -> str:
    # "-" and "_" stand for "%" and "/", so those two themselves are written as their codes.
    coded = quote(url, safe="/").replace("-", "%2D").replace("_", "%5F").replace("%", "-").replace("/", "_")
    return f"https://urldefense.proofpoint.com/v2/url?u={coded}&d=DwMFaQ&c=Vx"


def in_proofpoint_3(url: str) -> str:
    spared = "".join(one for one in url if one in "%#*")
    coded = "".join("*" if one in "%#*" else one for one in url)
    ending = base64.urlsafe_b64encode(spared.encode()).decode().rstrip("=")
    return f"https://urldefense.com/v3/__{coded}__;{ending}!!AbC!Xyz$"


def in_barracuda(url: str) -> str:
    return f"https://linkprotect.cudasvc.com/url?a={quote(url, safe='')}&c=E,1,5b&typo=1"


def in_google(url: str) -> str:
    return f"https://www.google.com/url?q={quote(url, safe='')}&sa=D"


Wrapper = Callable[[str], str]
WRAPPERS: list[Wrapper] = [in_safelinks, in_proofpoint_1, in_proofpoint_2, in_proofpoint_3, in_barracuda, in_google]
known_links = st.sampled_from(tables.PLAIN)
pieces = st.sampled_from([
    "https://", "http://", "zoommtg://", "https%3A%2F%2F", "zoom.us", "meet.google.com", "teams.live.com", "/j/1",
    "/abc-defg-hij", "?pwd=", "https://meet.jit.si/", "https://jitsi.a.example/", "https://urldefense.com/v3/__",
    "__;Iw!!", "https://eur01.safelinks.protection.outlook.com/?url=", "?url=", "%", "%25", "%3f", "&amp;", "&#58;",
    "<", ">", '"', "'", "[", "]", "(", ")", "{", '%7b"', "}", "\\", ":443", ":", "@", "#", "/", "*", "**A", ",", ";",
    " ", "\n", "\u200b", "\u212a", "ü",
])  # fmt: skip
texts = st.text() | st.lists(pieces | st.text(max_size=3), max_size=12).map("".join)


@given(texts)
@example("https://zoom.us/j/1?pwd=x\u2028y")
@example("https://meet.jit.si/\x85a")
def test_any_text_gives_a_safe_address_or_none(text: str) -> None:
    found = find_in_text(text)
    if found:
        parts = urlsplit(found.url)
        assert found.url.startswith("https://")
        assert parts.hostname
        assert "@" not in parts.netloc
        assert not any(one.isspace() or one in '\\<>"' for one in found.url)
        # What was found is found again, unchanged.
        assert find_in_text(found.url) == found


@given(texts)
def test_any_field_gives_a_safe_address_or_none(text: str) -> None:
    found = links.find_in_field(event(online_url=text))
    if found:
        assert found.url.startswith("https://")
        assert "@" not in urlsplit(found.url).netloc
        assert not any(one.isspace() for one in found.url)


@given(known_links)
def test_the_case_of_the_host_never_matters(row: tuple[str, str, bool]) -> None:
    url, service, complete = row
    scheme, _, rest = url.partition("//")
    host, slash, path = rest.partition("/")
    mixed = "".join(one.upper() if index % 2 else one for index, one in enumerate(host))
    for shape in (host.upper(), mixed):
        assert find_in_text(f"{scheme}//{shape}{slash}{path}") == MeetingLink(
            f"https://{shape}{slash}{path}", service, complete
        )


@given(known_links, st.lists(st.sampled_from(WRAPPERS), min_size=1, max_size=3))
def test_wrapping_a_link_changes_nothing(row: tuple[str, str, bool], wrappers: list[Wrapper]) -> None:
    url, service, complete = row
    wrapped = url
    for wrap in wrappers:
        wrapped = wrap(wrapped)
    assert find_in_text(f"Join {wrapped} now") == MeetingLink(url, service, complete)


@given(known_links, st.text(alphabet="abc ,.:;()\n", max_size=20), st.text(alphabet="abc ,.:;()\n", max_size=20))
def test_words_around_a_link_change_nothing(row: tuple[str, str, bool], before: str, after: str) -> None:
    url, service, complete = row
    assert find_in_text(f"{before} <{url}> {after}") == MeetingLink(url, service, complete)


def test_nesting_has_an_end() -> None:
    wrapper = "https://www.google.com/url?q="
    assert find_in_text(wrapper * 5 + tables.MEET) == MeetingLink(tables.MEET, "meet")
    assert find_in_text(wrapper * 50 + tables.MEET) is None


def seconds(text: str) -> float:
    before = time.process_time()
    find_in_text(text)
    return time.process_time() - before


@pytest.mark.parametrize("shape", HOSTILE)
def test_ten_times_the_text_is_no_hundred_times_the_work(shape: str) -> None:
    """A coarse guard that no busy machine trips; how near to ten it is, ``manage.py bench`` measures."""
    small, large = of_size(shape, 100_000), of_size(shape, 1_000_000)
    # What takes less than 30 ms says nothing; and as a busy machine can only make a measurement longer, the shortest
    # of a few is the true one.
    for _ in range(8):
        if seconds(large) <= max(30 * seconds(small), 0.03):
            return
    raise AssertionError(f"{shape}: ten times the text takes more than thirty times as long")


@pytest.mark.needs("real_calendars")
def test_every_join_link_of_a_real_calendar_is_found_and_none_invented() -> None:
    text = (Path(os.environ["SALLY_REAL_CALENDARS"]) / "rust-teams.ics").read_text(encoding="utf-8")
    services = {"https://meet.google.com/": "meet", "https://meet.jit.si/": "jitsi", ".zoom.us/j/": "zoom"}
    expected, found = [], []
    for entry in entries(text):
        place, words, subject = (
            unescaped(entry.get(name, [("", "")])[0][1]) for name in ("LOCATION", "DESCRIPTION", "SUMMARY")
        )
        expected.append(next(((place, key) for mark, key in services.items() if mark in place), None))
        one = links.find(event(subject=subject, location=place, body=words))
        found.append((one.link.url, one.link.service) if one else None)
    assert found == expected
    assert sum(one is not None for one in expected) == 27
