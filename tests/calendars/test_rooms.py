"""Which links lead into one room and which into two, written out by hand."""

from __future__ import annotations

import base64
import json
import time
from itertools import combinations
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calendars import links
from calendars.rooms import room_of
from calendars.services import NAMES
from tests.calendars import link_tables as tables
from tests.calendars.hostile import HOSTILE, in_safelinks, of_size
from tests.memory import event


def coordinates(**told: object) -> str:
    return base64.b64encode(json.dumps(told).encode()).decode()


_THREAD = "19:meeting_ZjQ0NzYyYzAtMWE0Yi00@thread.v2"
_CHANNEL = "19%3ab2b5a1c04e@thread.tacv2"
_CONTEXT = "context=%7b%22Tid%22%3a%227e6b2c1a%22%2c%22Oid%22%3a%221d0c7a52%22%7d"
_GUEST = "https://teams.microsoft.com/light-meetings/launch?agent=web&version=22"
_LAUNCHER = "https://teams.microsoft.com/dl/launcher/launcher.html?url="

# Every link of a line leads into one room, and no two lines into the same.
ROOMS: list[list[str]] = [
    # Zoom: the number counts, wherever it stands and whatever follows it.
    [
        "https://zoom.us/j/84512345678",
        "https://zoom.us/j/84512345678?pwd=x1",
        "https://zoom.us/j/84512345678?pwd=x2#success",
        "https://us02web.zoom.us/j/84512345678?pwd=x1&from=addon",
        "https://QUAY.zoom.us/j/845-1234-5678",
        "https://us06web.zoom.com/j/84512345678",
        "https://zoom.us/s/84512345678",
        "https://zoom.us/w/84512345678?tk=Qx7.DQ&pwd=x1",
        "https://zoom.us/wc/join/84512345678",
        "https://app.zoom.us/wc/84512345678/join?pwd=x1",
        "https://zoom.us:443/j/84512345678/",
        "zoommtg://zoom.us/join?action=join&confno=84512345678&pwd=x1",
        "https://eur02.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F84512345678&data=05",
    ],
    ["https://zoom.us/j/84512345679?pwd=x1"],
    ["https://zoom.us/j/8451234567"],
    ["https://www.zoomgov.com/j/84512345678?pwd=x1", "https://agency.zoomgov.com/j/84512345678"],
    ["https://zoom.us:8443/j/84512345678"],
    ["https://quay.zoom.us/my/ines.falk", "https://quay.zoom.us/my/ines.falk/?pwd=x1", "https://Quay.zoom.us/my/ines%2Efalk"],
    ["https://zoom.us/my/ines.falk"],
    ["https://pier.zoom.us/my/ines.falk"],
    ["https://quay.zoom.us/my/tomas.ruy"],
    ["https://zoom.us/my/84512345678"],
    ["https://events.zoom.us/ej/AbCdEf12", "https://events.zoom.us/ej/AbCdEf12?utm_source=mail"],
    ["https://events.zoom.us/ej/abcdef12"],
    # Teams, short: the number, one for each cloud.
    [
        "https://teams.microsoft.com/meet/2345678901234",
        "https://teams.microsoft.com/meet/2345678901234?p=Ab3dEf6hIj",
        "https://teams.microsoft.com:443/meet/2345678901234/?p=other",
        "https://teams.cloud.microsoft/meet/2345678901234?p=Ab3",
        "https://teams.microsoft.com/v2/?meetingjoin=true#/meet/2345678901234?p=Ab3",
        f"{_LAUNCHER}%2F_%23%2Fmeet%2F2345678901234%3Fp%3DAb3%26anon%3Dtrue&type=meet",
        f"{_GUEST}&coords={coordinates(meetingCode='2345678901234', passcode='Ab3dEf6hIj')}",
    ],
    [
        "https://teams.live.com/meet/2345678901234",
        "https://teams.live.com/v2/?meetingjoin=true#/meet/2345678901234?p=Ab3",
        f"https://teams.live.com/light-meetings/launch?coords={coordinates(meetingCode='2345678901234')}",
    ],
    ["https://gov.teams.microsoft.us/meet/2345678901234?p=Ab3"],
    ["https://dod.teams.microsoft.us/meet/2345678901234?p=Ab3"],
    ["https://teams.microsoft.com/meet/2345678901235?p=Ab3dEf6hIj"],
    # Teams, long: the thread.
    [
        f"https://teams.microsoft.com/l/meetup-join/{_THREAD}/0",
        f"https://teams.microsoft.com/l/meetup-join/{_THREAD}",
        f"https://teams.microsoft.com/l/meetup-join/{_THREAD}/0?{_CONTEXT}",
        f"https://teams.microsoft.com/l/meetup-join/{quote(_THREAD, safe='')}/0?{_CONTEXT.upper()}",
        f"https://teams.microsoft.com/l/meetup-join/{quote(_THREAD, safe='').replace('%3A', '%3a')}/0?context=%7b%7d",
        f"https://teams.microsoft.com/l/meetup-join/{quote(quote(_THREAD, safe=''), safe='')}/0",
        f"https://teams.microsoft.com:443/l/meetup-join/{_THREAD}/0",
        f"https://TEAMS.microsoft.com/l/meetup-join/{_THREAD}/0/",
        f"https://teams.cloud.microsoft/l/meetup-join/{_THREAD}/0",
        f"https://teams.microsoft.com/_#/l/meetup-join/{_THREAD}/0?{_CONTEXT}",
        f"https://teams.microsoft.com/v2/#/l/meetup-join/{_THREAD}/0",
        f"https://teams.microsoft.com/v2/?meetingjoin=true#/l/meetup-join/{_THREAD}/0?{_CONTEXT}&anon=true",
        f"{_LAUNCHER}{quote(f'/_#/l/meetup-join/{_THREAD}/0?{_CONTEXT}&anon=true', safe='')}&type=meetup-join",
        f"msteams://teams.microsoft.com/l/meetup-join/{_THREAD}/0",
        f"{_GUEST}&coords={coordinates(conversationId=_THREAD, tenantId='7e', organizerId='1d', messageId='0')}",
        f"{_GUEST}&anon=true&coords={quote(coordinates(conversationId=_THREAD, tenantId='7e'), safe='')}&correlation=9",
        f"{_GUEST}&coords={coordinates(conversationId=_THREAD).rstrip('=')}",
    ],
    [f"https://teams.microsoft.com/l/meetup-join/{_THREAD.replace('Zj', 'ZJ')}/0"],
    ["https://teams.microsoft.com/l/meetup-join/19%3ameeting_Yx%40thread.v2/0"],
    # All meetings of a channel share its thread; the number of the message tells them apart.
    [
        f"https://teams.microsoft.com/l/meetup-join/{_CHANNEL}/1618487464436?{_CONTEXT}",
        f"https://teams.microsoft.com/l/meetup-join/{quote(_CHANNEL, safe='%')}/1618487464436",
        f"{_GUEST}&coords={coordinates(conversationId='19:b2b5a1c04e@thread.tacv2', messageId='1618487464436')}",
    ],
    [f"https://teams.microsoft.com/l/meetup-join/{_CHANNEL}/1618487464437?{_CONTEXT}"],
    [f"https://teams.microsoft.com/l/meetup-join/{_CHANNEL}/0?{_CONTEXT}"],
    # What cannot be decoded is its own room.
    [f"{_GUEST}&coords=eyJjb252ZXJzYXRpb25JZCI"],
    [f"{_GUEST}&coords=eyJjb252ZXJzYXRpb25JZCX"],
    [f"{_GUEST}&coords={base64.b64encode(b'[1]').decode()}"],
    [f"{_GUEST}&coords={coordinates(meetingCode='none')}"],
    # Google Meet: the code.
    [
        "https://meet.google.com/hbr-quay-wrk",
        "https://meet.google.com/hbrquaywrk",
        "https://meet.google.com/HBR-quay-wrk/",
        "https://meet.google.com/hbr-quay-wrk?authuser=0&hs=122",
        "https://meet.google.com/hbr-quay-wrk?authuser=ines@quay.example#pin",
        "https://meet.google.com/_meet/hbr-quay-wrk?ijlm=1",
        "https://www.google.com/url?q=https%3A%2F%2Fmeet.google.com%2Fhbr-quay-wrk&sa=D",
    ],
    ["https://meet.google.com/hbr-quay-wrl"],
    ["https://meet.google.com/lookup/e5f6g7h8", "https://meet.google.com/lookup/e5f6g7h8/?authuser=1"],
    ["https://meet.google.com/lookup/E5f6g7h8"],
    ["https://g.co/meet/quayworks", "https://g.co/meet/quayworks?authuser=1"],
    ["https://stream.meet.google.com/stream/quayworks"],
    # Webex: all of it belongs to a site.
    [
        "https://quay.webex.com/quay/j.php?MTID=m3f1c9a77",
        "https://quay.webex.com/quay/j.php?RGID=r1&MTID=m3f1c9a77",
        "https://Quay.webex.com/quay/k2/j.php?mtid=m3f1c9a77#top",
        "https://quay.webex.com/quay-en/e.php?MTID=m3f1c9a77&utm_source=mail",
        "https://quay.webex.com/wbxmjs/joinservice/sites/quay/meeting/download/1b2c3d?siteurl=quay&MTID=m3f1c9a77",
    ],
    ["https://pier.webex.com/quay/j.php?MTID=m3f1c9a77"],
    ["https://quay.webex.com/quay/j.php?MTID=m3f1c9a78"],
    [
        "https://quay.webex.com/meet/ines.falk",
        "https://quay.webex.com/meet/Ines.Falk/",
        "https://quay.webex.com/join/ines.falk?from=mail",
        "https://quay.webex.com/meet/ines%2Efalk",
    ],
    ["https://quay.webex.com/meet/tomas.ruy"],
    ["https://pier.webex.com/meet/ines.falk"],
    ["https://quay.webex.com.cn/meet/ines.falk"],
    [
        "https://quay.webex.com/m/1b2c3d4e-5f60-4711-9a8b-0c1d2e3f4a5b",
        "https://quay.webex.com/m/1B2C3D4E-5F60-4711-9A8B-0C1D2E3F4A5B/?utm_medium=mail",
    ],
    ["https://pier.webex.com/m/1b2c3d4e-5f60-4711-9a8b-0c1d2e3f4a5b"],
    ["https://quay.webex.com/m/1b2c3d4e-5f60-4711-9a8b-0c1d2e3f4a5c"],
    [
        "https://quay.webex.com/webappng/sites/quay/meeting/info/1b2c3d4e5f60",
        "https://quay.webex.com/wbxmjs/joinservice/sites/quay/meeting/download/1b2c3d4e5f60?siteurl=quay",
    ],
    # Any other: host, path, parameters and fragment.
    [
        "https://meet.jit.si/CargoOfficeHours",
        "https://MEET.jit.si/CargoOfficeHours/",
        "https://meet.jit.si/CargoOfficeHours#config.startWithAudioMuted=true",
        "https://meet.jit.si/CargoOfficeHours?jwt=eyJ0",
        "https://meet.jit.si/Cargo%4fffice%48ours",
    ],
    ["https://meet.jit.si/cargoofficehours"],
    ["https://meet.jit.si/Häfen", "https://meet.jit.si/H%c3%a4fen", "https://meet.jit.si/H%C3%A4fen"],
    ["https://meet.jit.si/a%2Fb"],
    ["https://jitsi.quay.example/crane-planning", "https://jitsi.quay.example/crane-planning?jwt=eyJ0"],
    ["https://jitsi.quay.example:8443/crane-planning"],
    ["https://jitsi.pier.example/crane-planning"],
    ["https://meet.proton.me/join/id-AbCdEf12", "https://meet.proton.me/join/id-AbCdEf12#pwd-GhIj34"],
    ["https://meet.proton.me/join/id-abcdef12#pwd-GhIj34"],
    ["https://v.ringcentral.com/join/123456789", "https://v.ringcentral.com/join/123456789?pw=1a2b"],
    ["https://facetime.apple.com/join#v=1&p=AbCd&k=EfGh"],
    ["https://facetime.apple.com/join#v=1&p=AbCe&k=EfGh"],
    ["https://app.gotomeeting.com/?meetingId=123456789"],
    ["https://app.gotomeeting.com/?meetingId=123456780"],
    ["https://quay.ovice.in/", "https://quay.ovice.in"],
    ["https://pier.ovice.in/"],
    [
        "https://conference.quay.example/room?a=1&b=2",
        "https://conference.quay.example/room/?b=2&a=1",
        "https://Conference.quay.example:443/room?b=2&utm_source=x&a=1&UTM_Campaign=y&fbclid=z",
    ],
    ["https://conference.quay.example/room?a=2&b=1"],
    ["https://conference.quay.example/room"],
    ["https://conference.quay.example/Room"],
    ["https://conference.quay.example/room#2"],
    ["https://conference.quay.example/room?n=1&n=2"],
    ["https://conference.quay.example/room?n=2&n=1"],
    ["https://conference.quay.example/"],
]  # fmt: skip


def room(url: str) -> str:
    """As a sync comes to it: from the link that was found in an event's own field."""
    found = links.find_in_field(event(online_url=url))
    assert found is not None, url
    return room_of(found.url, found.service)


@pytest.mark.parametrize("line", ROOMS, ids=lambda line: line[0])
def test_links_into_one_room_are_equal(line: list[str]) -> None:
    assert {room(url) for url in line} == {room(line[0])}


def test_links_into_two_rooms_never_are() -> None:
    for one, other in combinations(ROOMS, 2):
        assert not {room(url) for url in one} & {room(url) for url in other}, (one[0], other[0])


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://us02web.zoom.us/j/845-1234-5678?pwd=x1", "zoom:84512345678"),
        ("https://www.zoomgov.com/j/1612345678", "zoom:gov/1612345678"),
        ("https://quay.zoom.us/my/ines.falk", "zoom:quay.zoom.us/my/ines.falk"),
        ("https://teams.microsoft.com/meet/2345678901234?p=Ab3", "teams:2345678901234"),
        ("https://teams.live.com/meet/9312345678901", "teams:live/9312345678901"),
        ("https://teams.microsoft.com/l/meetup-join/19%3ameeting_Yx%40thread.v2/0", "teams:19:meeting_Yx@thread.v2"),
        ("https://meet.google.com/HbrQuayWrk", "meet:hbr-quay-wrk"),
        ("https://quay.webex.com/join/ines.falk", "webex:quay.webex.com/meet/ines.falk"),
    ],
)
def test_a_key_can_be_read(url: str, key: str) -> None:
    assert room(url) == key


def test_without_a_link_there_is_no_room() -> None:
    assert room_of("", "") == ""


def test_a_long_thread_fits_the_column_and_stays_apart_from_its_neighbour() -> None:
    long = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_" + "Zj" * 40
    one, other = (room(f"{long}{end}%40thread.v2/0") for end in "ab")
    assert one != other
    assert (len(one), one[:7]) == (47, "teams:#")


@pytest.mark.parametrize(("url", "service", "_complete"), tables.PLAIN)
def test_wrapping_a_link_leads_into_the_same_room(url: str, service: str, _complete: bool) -> None:
    assert room(in_safelinks(url)) == room(url) == room_of(url, service)


services = st.sampled_from([*NAMES, ""]) | st.text(max_size=30)
pieces = st.sampled_from([
    "https://", "zoommtg://", "zoom.us", "meet.google.com", "teams.live.com", "quay.webex.com", "/j/1", "/my/",
    "/meet/", "/l/meetup-join/", "19:a@thread.v2", "/light-meetings/launch?", "coords=", "eyJh", "/abc-defg-hij",
    "?pwd=", "MTID=", "/j.php?", "/m/", "%", "%25", "%3a", "%2F", "%zz", "&", "#", "[", "]", ":443", ":", "@", "/",
    "\\", " ", "\x00", "\u212a", "ü", "\ud800", "İ",
])  # fmt: skip
addresses = st.text() | st.lists(pieces | st.text(max_size=3), max_size=12).map("".join)


@given(addresses, services)
def test_any_text_has_a_key_that_fits_the_column(url: str, service: str) -> None:
    key = room_of(url, service)
    assert key.isascii()
    assert key.isprintable()
    assert len(key) <= 64
    assert (key == "") is (url == "")


beginnings = st.sampled_from([
    "https://zoom.us/j/84512345678?pwd=", "https://zoom.us/my/ines.falk?pwd=", "https://zoom.us/w/84512345678?tk=",
    "https://teams.microsoft.com/meet/2345678901234?p=", "https://teams.live.com/v2/?meetingjoin=true#/meet/93?p=",
    "https://v.ringcentral.com/join/123456789?pw=", "https://meet.proton.me/join/id-AbCdEf12#pwd-",
])  # fmt: skip


@given(beginnings, st.text(alphabet="GHJKQVWXYZ.%_-", min_size=8, max_size=60))
def test_a_passcode_neither_stands_in_the_key_nor_changes_it(beginning: str, passcode: str) -> None:
    key = room(beginning + passcode)
    assert passcode.lower() not in key.lower()
    assert key == room(beginning + "1")


@pytest.mark.parametrize(
    "url",
    [
        "https://zoom.us/j/84512345678?pwd=SesameSesame",
        "https://zoom.us/my/ines.falk?pwd=SesameSesame",
        "https://events.zoom.us/ej/AbCdEf12?pwd=SesameSesame",
        "https://teams.microsoft.com/meet/2345678901234?p=SesameSesame",
        "https://teams.live.com/v2/?meetingjoin=true#/meet/9312345678901?p=SesameSesame",
        f"{_GUEST}&coords={coordinates(meetingCode='2345678901234', passcode='SesameSesame')}",
        "https://v.ringcentral.com/join/123456789?pw=SesameSesame",
        "https://meet.proton.me/join/id-AbCdEf12#pwd-SesameSesame",
        "https://conference.quay.example/room?password=SesameSesame",
        "https://conference.quay.example/room#SesameSesame",
    ],
)
def test_no_passcode_stands_in_a_key(url: str) -> None:
    assert "sesame" not in room(url).lower()


@pytest.mark.parametrize("shape", HOSTILE)
@pytest.mark.parametrize("service", ["zoom", "teams", "webex", "meet", ""])
def test_no_address_is_slow(shape: str, service: str) -> None:
    url = of_size(shape, 8000)
    started = time.perf_counter()
    room_of(url, service)
    assert time.perf_counter() - started < 0.5
