"""The services that hold online meetings: which addresses join one, and which of those lack their passcode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import SplitResult

_HOST = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z0-9-]+", re.ASCII)
# What may follow a name or number that has to end there.
_END = r"(?=[/?#]|$)"


@dataclass(frozen=True)
class Service:
    """One line of the table.

    ``hosts`` count with every host below them. ``join`` is matched with what follows the host: path, query and
    fragment. Where ``passcode`` is given, an address without it is incomplete, and ``(?P<id>)`` in ``join`` tells
    two addresses of one meeting from those of two. ``room_in_host``: the room is the host below.
    """

    key: str
    hosts: str
    join: str
    passcode: str = ""
    room_in_host: bool = False

    @cached_property
    def joins(self) -> re.Pattern[str]:
        return re.compile(self.join, re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Match:
    """What the table knows of one address. A low ``rank`` goes first; ``meeting`` is "" where it does not matter."""

    service: str
    rank: int
    complete: bool
    meeting: str


# Ranked: of several links in one text the one whose service stands first is taken. After the five that companies
# meet with, those of https://github.com/leits/MeetingBar, except phone numbers and FaceTime calls, which have no
# https address.
SERVICES = (
    # Short links carry the passcode as "p": https://mc.merill.net/message/MC772556
    Service(
        "teams",
        "teams.microsoft.com teams.microsoft.us teams.cloud.microsoft teams.microsoftonline.cn teams.live.com",
        r"(?:/_?#|/v2/?(?:\?[^#]*#|#)?)?/meet/(?P<id>\d+)" + _END,
        passcode=r"[?&]p=[^&#]",
    ),
    Service(
        "teams",
        "teams.microsoft.com teams.microsoft.us teams.cloud.microsoft teams.microsoftonline.cn teams.live.com",
        r"(?:/_?#|/v2/?(?:\?[^#]*#|#)?)?/l/meetup-join/[^/?#]|/light-meetings/launch\?(?:[^#]*&)?coords=[^&#]",
    ),
    Service("meet", "meet.google.com", rf"/(?:_meet/)?[a-z]{{3}}-?[a-z]{{4}}-?[a-z]{{3}}{_END}|/lookup/[\w-]+"),
    Service("meet", "stream.meet.google.com", r"/stream/[\w-]+"),
    Service("meet", "g.co", r"/meet/[\w-]+"),
    # "pwd" is the passcode, "tk" a registrant's own key. Almost all meetings have one:
    # https://medium.com/zoom-developer-blog/required-passwords-and-your-zoom-integration-1c02828c5e68
    Service(
        "zoom",
        "zoom.us zoom.com zoom.com.cn zoom-x.de zoomgov.com",
        r"/(?:[jsw]|wc/join|wc)/(?P<id>\d[\d-]*)(?:/(?:join|start))?/?(?=[?#]|$)",
        passcode=r"[?&](?:pwd|tk)=[^&#]",
    ),
    Service("zoom", "zoom.us zoom.com zoom.com.cn zoom-x.de zoomgov.com", r"/(?:my|ej)/[\w.%-]+"),
    Service(
        "webex",
        "webex.com webex.com.cn",
        r"(?:/[\w.-]+){0,3}/[egjw]\.php\?(?:[^#]*&)?MTID=\w+|/(?:meet|join)/[\w.@%+-]+|/m/[\da-f-]{20,}"
        r"|/(?:wbxmjs/joinservice|webappng)/sites/[\w.-]+/meeting/(?:download|info)/\w+",
    ),
    Service("goto", "meet.goto.com", rf"/(?!(?:install|downloads?|login|support){_END})[\w.-]+"),
    Service("goto", "app.goto.com meeting.goto.com", r"/(?:meeting|join)/[\w-]+"),
    Service("goto", "gotomeet.me", rf"/(?!(?:install|downloads?|login|support){_END})[\w.-]+"),
    Service("goto", "gotomeeting.com", r"/(?:meeting/)?join/\d+|/(?:[\w.]+)?\?(?:[^#]*&)?meetingId=\d+"),
    Service("goto", "gotowebinar.com gototraining.com", r"/join/\d+"),
    Service("jitsi", "meet.jit.si", rf"/(?!static/|downloads?{_END})[^/?#]+"),
    Service("skype-business", "meet.lync.com", r"/[\w.-]+/[\w.-]+/\w+"),
    Service("skype", "join.skype.com", rf"/(?!download{_END})(?:invite/)?\w{{6,}}"),
    Service("around", "meet.around.co", r"/[\w-]+/?[\w-]*"),
    Service("around", "around.co", r"/r/[\w-]+"),
    Service("bbcollab", "bbcollab.com", r"/(?:guest|invite|collab|launch|v\d?|m)/[\w./-]+"),
    Service("blizz", "go.blizz.com", r"/[\w-]+"),
    Service("bluejeans", "bluejeans.com", rf"/\d{{3,}}{_END}|/(?:meet|m|a2m/live-event)/[\w-]+"),
    Service("cal-video", "cal.com", r"/video/\w+"),
    Service("chime", "chime.aws", rf"/(?:meetings/)?(?!(?:dialinnumbers|downloads?){_END})[\w.-]+"),
    Service("chorus", "go.chorus.ai", r"/[\w-]+"),
    Service("coscreen", "join.coscreen.co", r"/[\w-]+"),
    Service("demio", "event.demio.com", r"/(?:ref/)?[\w-]+"),
    Service("demodesk", "demodesk.com", rf"/(?:meet/|m/)?(?:(?=[\w-]*\d)[\w-]+|(?-i:[A-Z]{{6,}}){_END})"),
    Service("dialpad", "uberconference.com", rf"/(?:room/)?(?!(?:pricing|login|signup|support|about){_END})[\w-]+"),
    Service("dialpad", "meetings.dialpad.com", r"/(?:room/)?[\w-]+"),
    Service("discord", "discord.com discordapp.com", r"/(?:channels/\d+/\d+|invite/[\w-]+|events/\d+)"),
    Service("discord", "discord.gg", r"/[\w-]+"),
    Service(
        "doxy-me",
        "doxy.me",
        rf"/(?:room/)?(?!(?:account|about|blog|contact|en|features|pricing|privacy|sign-in|sign-up|terms){_END})[\w-]+",
    ),
    Service("duo", "duo.app.goo.gl", r"/[\w-]+"),
    Service("8x8", "8x8.vc", r"/[\w.-]+/[^/?#]+"),
    Service("facetime", "facetime.apple.com", r"/join" + _END),
    Service("feishu", "vc.feishu.cn", r"/j/\d+"),
    Service("gather", "gather.town", r"/app/\w+/[^/?#]+"),
    Service("gong", "join.gong.io", r"/[\w-]+"),
    Service("hangouts", "hangouts.google.com", r"/(?:hangouts/_|call|group)/[\w./-]+"),
    Service("jam", "jam.systems", r"/[\w-]+"),
    Service("join-me", "join.me", rf"/(?!(?:downloads?|help|login|pricing|privacy|support|terms){_END})[\w.-]+"),
    Service("lark", "vc.larksuite.com", r"/j/\d+"),
    Service("lifesize", "call.lifesizecloud.com", r"/(?:otp/)?\w+"),
    Service("livekit", "meet.livekit.io meet.staging.livekit.io", r"/rooms/[\w-]+"),
    Service("livestorm", "app.livestorm.co app.livestorm.com", r"/p/[\w-]+"),
    Service("luma", "lu.ma luma.com", r"/join/[\w-]+"),
    Service("meetecho", "meetings.conf.meetecho.com", r"/[\w./-]*(?:\w|\?\w+=\w+)"),
    Service("ovice", "app.ovice.com", r"/[\w-]+/@\d"),
    Service("ovice", "ovice.in ovice.com", r"", room_in_host=True),
    Service("pop", "pop.com", r"/j/[\d-]+"),
    Service("preply", "preply.com", r"(?:/[\w-]+)*/(?:classroom|(?:\w-)?room|video-?chat)/?[\w-]*"),
    Service("proton", "meet.proton.me", r"/join/(?P<id>[\w-]+)", passcode=r"#pwd-\w"),
    Service("pumble", "meet.pumble.com", r"/[\w-]+"),
    Service("reclaim", "reclaim.ai", r"/z/[\w.-]+"),
    Service("ringcentral", "ringcentral.com", r"/(?:join|j|my|conf/on|webinar/join)/[\w-]+"),
    Service("riverside", "riverside.fm riverside.com", r"/studio/[\w-]+"),
    Service("slack", "app.slack.com", r"/huddle/\w+/\w+"),
    Service("starleaf", "meet.starleaf.com", r"/\d+"),
    Service("streamyard", "streamyard.com", r"/(?:guest/)?(?=[a-z]*\d)[a-z\d]{8,13}" + _END),
    Service("suit", "conference.istesuit.com", r"/[\w./-]*\w"),
    Service("teamviewer", "go.teamviewer.com", r"/(?:v\d+/)?m[\d-]+"),
    Service("teemyco", "app.teemyco.com", r"/room/[\w-]+"),
    Service("tuple", "tuple.app", r"/c/[\w-]+"),
    Service("userzoom", "go.userzoom.com", r"/participate/[\w-]+"),
    Service("venue", "app.venue.live", r"/app/[\w-]+"),
    # A video is no meeting: only what is on the air.
    Service("vimeo", "vimeo.com", r"/event/\d+"),
    Service("vimeo", "venues.vimeo.com", r"/[\w-]+"),
    Service("vonage", "meetings.vonage.com", r"/(?:join/)?[\w-]+"),
    Service("voov", "voovmeeting.com meeting.tencent.com", r"/(?:dm|p|r|s)/\w+"),
    Service("vowel", "vowel.com", r"/#/g/[\w-]+"),
    Service("vsee", "vsee.com", r"/(?:c|r|u|join|room)/[\w-]+"),
    Service(
        "whereby",
        "whereby.com",
        rf"/(?!(?:blog|information|login|org|pricing|sign-up|user){_END})[\w-]+",
    ),
    Service("workplace", "workplace.com", r"/(?:groupcall|meet)/[\w-]+"),
    Service("youtube", "youtube.com", rf"/live/[\w-]+|/(?:@|c/|channel/|user/)[\w.-]+/live{_END}"),
    Service("zhumu", "zhumu.com", r"/(?:j|wc/join)/\d+"),
    Service("zm-page", "zm.page", r"", room_in_host=True),
    Service("zoho", "cliq.zoho.com cliq.zoho.eu cliq.zoho.in", r"/meetings/[\w-]+"),
)

# As their makers write them.
NAMES = {
    "teams": "Microsoft Teams",
    "meet": "Google Meet",
    "zoom": "Zoom",
    "webex": "Webex",
    "goto": "GoTo",
    "jitsi": "Jitsi",
    "skype-business": "Skype for Business",
    "skype": "Skype",
    "around": "Around",
    "bbcollab": "Blackboard Collaborate",
    "blizz": "Blizz",
    "bluejeans": "BlueJeans",
    "cal-video": "Cal Video",
    "chime": "Amazon Chime",
    "chorus": "Chorus",
    "coscreen": "CoScreen",
    "demio": "Demio",
    "demodesk": "Demodesk",
    "dialpad": "Dialpad Meetings",
    "discord": "Discord",
    "doxy-me": "Doxy.me",
    "duo": "Google Duo",
    "8x8": "8x8",
    "facetime": "FaceTime",
    "feishu": "Feishu",
    "gather": "Gather",
    "gong": "Gong",
    "hangouts": "Google Hangouts",
    "jam": "Jam",
    "join-me": "join.me",
    "lark": "Lark",
    "lifesize": "Lifesize",
    "livekit": "LiveKit",
    "livestorm": "Livestorm",
    "luma": "Luma",
    "meetecho": "Meetecho",
    "ovice": "oVice",
    "pop": "Pop",
    "preply": "Preply",
    "proton": "Proton Meet",
    "pumble": "Pumble",
    "reclaim": "Reclaim.ai",
    "ringcentral": "RingCentral",
    "riverside": "Riverside",
    "slack": "Slack",
    "starleaf": "StarLeaf",
    "streamyard": "StreamYard",
    "suit": "Suit Conference",
    "teamviewer": "TeamViewer Meeting",
    "teemyco": "Teemyco",
    "tuple": "Tuple",
    "userzoom": "UserZoom",
    "venue": "Venue",
    "vimeo": "Vimeo",
    "vonage": "Vonage Meetings",
    "voov": "VooV Meeting",
    "vowel": "Vowel",
    "vsee": "VSee",
    "whereby": "Whereby",
    "workplace": "Workplace",
    "youtube": "YouTube",
    "zhumu": "Zhumu",
    "zm-page": "zm.page",
    "zoho": "Zoho Cliq",
}

# Services on a company's own host, known by the first part of its name. After all others.
_PAGES = (
    r"about|admin|blog|book|contact|dashboard|docs|downloads?|faq|help|home|imprint|impressum|index|install|legal|log-?in"
    r"|logout|new|pricing|privacy|register|schedule|settings|sign-?in|sign-?up|static|support|terms"
)
_OWN_HOSTS = (
    # https://learn.microsoft.com/en-us/powershell/module/skypeforbusiness/new-cssimpleurl
    (
        re.compile(r"(?:meet|join|lync[\w-]*|skype[\w-]*|sfb[\w-]*)\."),
        Service("skype-business", "", r"(?:/[\w.-]+)?/meet/[\w.-]+/\w+"),
    ),
    (
        re.compile(r"meet\."),
        Service("skype-business", "", r"/[\w.-]+/(?-i:(?=[A-Z]*\d)[A-Z\d]{6,10})/?(?=[?#]|$)"),
    ),
    (
        re.compile(r"(?:meet|jitsi|jitsi-meet|meet-jitsi)\."),
        Service("jitsi", "", rf"/(?!(?:{_PAGES}){_END})[^/?#.]{{3,}}/?(?=[?#]|$)"),
    ),
)


def _by_host() -> dict[str, list[Service]]:
    table: dict[str, list[Service]] = {}
    for service in SERVICES:
        for host in service.hosts.split():
            table.setdefault(host, []).append(service)
    return table


_BY_HOST = _by_host()
_RANKS = {key: rank for rank, key in enumerate(dict.fromkeys(service.key for service in SERVICES))}


def host_of(parts: SplitResult) -> str:
    """The host in lower case; empty where it is not plainly one, as with a name and password before it."""
    host, _, port = parts.netloc.partition(":")
    # Only ASCII: U+212A becomes a "k" in lower case.
    host = host.lower() if host.isascii() else ""
    return host if _HOST.fullmatch(host) and (not port or port.isdigit()) else ""


def service_of(host: str) -> str:
    """The service that a host belongs to, whatever the rest of the address; empty if to none that is known."""
    rows = _rows(host)
    return rows[0].key if rows else ""


def may_hold_meetings(host: str) -> bool:
    """Whether a closer look at an address on ``host`` (in lower case) can be worth while."""
    return bool(_rows(host)) or any(name.match(host) for name, _ in _OWN_HOSTS)


def match(parts: SplitResult) -> Match | None:
    """What the table knows of an address, None if it joins no meeting."""
    host = host_of(parts)
    rest = parts._replace(scheme="", netloc="").geturl()
    rows = _rows(host)
    if rows:
        # A foreign port is a foreign program; only a company's own service may run on one.
        return None if ":" in parts.netloc else _first(rows, host, rest)
    own = [service for name, service in _OWN_HOSTS if name.match(host)]
    if own and any(f".{known}." in f".{host}" for known in _BY_HOST):
        # "meet.google.com.evil.example" only looks like one.
        return None
    return _first(own, host, rest, own=True)


def _rows(host: str) -> list[Service]:
    while host:
        if host in _BY_HOST:
            return _BY_HOST[host]
        host = host.partition(".")[2]
    return []


def _first(rows: list[Service], host: str, rest: str, own: bool = False) -> Match | None:
    for service in rows:
        joined = service.joins.match(rest)
        if joined and (not service.room_in_host or _names_room(host, service)):
            meeting = joined["id"].replace("-", "").lower() if service.passcode else ""
            complete = not service.passcode or re.search(service.passcode, rest) is not None
            return Match(service.key, len(_RANKS) if own else _RANKS[service.key], complete, meeting)
    return None


def _names_room(host: str, service: Service) -> bool:
    return host not in service.hosts.split() and host.partition(".")[0] not in ("www", "help", "support", "app")
