"""The two sync options, each combination written out; and the structured link."""

import pytest

from calendars.links import MeetingLink, find_in_field
from calendars.policy import LeftOut, SyncOptions, left_out
from tests.memory import event

LINK = MeetingLink("https://teams.microsoft.com/l/meetup-join/1", "teams")


@pytest.mark.parametrize(
    ("private", "link", "sync_private", "only_online", "reason"),
    [
        (False, None, False, False, None),
        (False, LINK, False, False, None),
        (False, None, False, True, LeftOut.OFFLINE),
        (False, LINK, False, True, None),
        (True, None, False, False, LeftOut.PRIVATE),
        (True, LINK, False, False, LeftOut.PRIVATE),
        (True, None, False, True, LeftOut.PRIVATE),
        (True, None, True, False, None),
        (True, None, True, True, LeftOut.OFFLINE),
        (True, LINK, True, True, None),
    ],
)
def test_what_the_options_leave_out(
    private: bool, link: MeetingLink | None, sync_private: bool, only_online: bool, reason: LeftOut | None
) -> None:
    options = SyncOptions(private=sync_private, only_online=only_online)
    assert left_out(event(private=private), link, options) is reason


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://teams.microsoft.com/l/meetup-join/19%3ameeting", "teams"),
        ("https://teams.live.com/meet/93", "teams"),
        ("https://us02web.zoom.us/j/1", "zoom"),
        ("https://meet.google.com/abc-defg-hij", "meet"),
        ("https://company.webex.com/meet/ines", "webex"),
        ("https://MEET.GOOGLE.COM/abc", "meet"),
        ("https://conference.company.example/room", ""),
        ("https://zoom.us.evil.example/j/1", ""),
        ("https://evilzoom.us/j/1", ""),
    ],
)
def test_the_field_for_it_holds_the_link(url: str, service: str) -> None:
    found = find_in_field(event(online_url=url))
    assert found is not None
    assert (found.url, found.service) == (url, service)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "http://conference.company.example/room",
        "data:text/html,x",
        "https://",
        "https:///path",
        "https://zoom.us@evil.example/j/1",
        "https://zoom.us/j/1 2",
        "https://[::1",
        "conf 12 34",
    ],
)
def test_what_is_no_safe_address_is_no_link(url: str) -> None:
    assert find_in_field(event(online_url=url)) is None
