"""Opening a mailbox: with a first look at how its server lets people in, what it speaks and whose mailbox it is.

What was found out is stored with the connection, so that no later sync has to ask for it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import requests
from django.utils import timezone

from integrations.accounts import SignedIn
from integrations.errors import NotReached, PasswordRefused, ReconnectNeeded, Unavailable, UnexpectedAnswer
from integrations.events import LONGEST_ADDRESS, Window, clean
from integrations.http import IN_A_PAGE
from integrations.outbound import PinnedSession
from integrations.providers.exchange import Typed, failures
from integrations.providers.exchange.client import ExchangeClient
from integrations.providers.exchange.library import AUTH_TYPES, HEADERS, NEWEST_FIRST, Channel
from integrations.providers.exchange.operations import Mailbox
from integrations.trail import Trail

LONGEST_ACCOUNT_ID = 200
# Seconds, to which the last answer is added: a thread of the pages is free again before a trial counts as dead, and a
# worker before its task is killed.
LONGEST_LOOK, LONGEST_READ = 40, 60
# The least that every version understands; nothing in it says who asks.
_QUESTION = (
    b'<?xml version="1.0" encoding="utf-8"?>'
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
    b' xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    b' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Body><m:GetFolder>'
    b"<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>"
    b'<m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds>'
    b"</m:GetFolder></s:Body></s:Envelope>"
)


def look(typed: Typed, api_version: str, trail: Trail) -> SignedIn:
    """Sign in once and read the calendar. ``api_version`` is the only one to be used, "" to find out.

    A refused password costs one login: nothing is sent again in another way. Raises any ``ProviderError``.
    """
    url, host = typed.address.url, typed.address.host
    auth = _offered(url, host, trail)
    channel = Channel(
        url,
        username=typed.username,
        password=typed.password,
        auth=auth,
        versions=[api_version] if api_version else NEWEST_FIRST,
        trail=trail,
        before_each=_in_time(LONGEST_LOOK),
        patience=IN_A_PAGE,
    )
    with closing(Mailbox(channel, host)) as mailbox:
        _read(mailbox, any_version=not api_version)
        address = _address(mailbox, typed.username)
    return SignedIn(
        account_id=f"{host}/{(address or typed.username).lower()}"[:LONGEST_ACCOUNT_ID],
        email=clean(address or typed.username, LONGEST_ADDRESS),
        secret={"password": typed.password},
        server={
            "url": url,
            "username": typed.username,
            "auth": auth,
            "version": channel.version,
            "build": channel.build,
            "chosen": typed.version,
        },
    )


def open_client(
    server: Mapping[str, Any], password: str, home: ZoneInfo, before_each: Callable[[], None], trail: Trail
) -> ExchangeClient:
    """``server`` is what ``connecting.look`` found out: nothing is probed again.

    Where the person left the version to Sally, others are tried should the server one day refuse the stored one.
    """
    version = server["version"]
    others = [] if server["chosen"] else [one for one in NEWEST_FIRST if one != version]
    channel = Channel(
        server["url"],
        username=server["username"],
        password=password,
        auth=server["auth"],
        versions=[version, *others],
        trail=trail,
        before_each=_in_time(LONGEST_READ, before_each),
    )
    return ExchangeClient(Mailbox(channel, urlsplit(server["url"]).hostname or ""), home)


def _in_time(seconds: float, before_each: Callable[[], None] = lambda: None) -> Callable[[], None]:
    """What runs before each request, until so many seconds have passed. Raises ``requests.Timeout`` from then on.

    Every answer has its time limit, but a slow server may be asked a hundred times.
    """
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise requests.Timeout("too slow as a whole")
        before_each()

    return check


def _offered(url: str, host: str, trail: Trail) -> str:
    """How the server lets people in, by one question that carries no name and no password."""
    with failures.translated(host), PinnedSession(trail, patience=IN_A_PAGE) as session:
        response = session.post(url, data=_QUESTION, headers=HEADERS)
        if response.status_code != 401:
            failures.check(response)
            raise Unavailable("EWS: an answer without a sign-in", code="EWS-AUTH")
        schemes = _schemes(response)
    found = next((name for name in AUTH_TYPES if name in schemes), "")
    if not found:
        raise Unavailable(f"EWS: offers only {' '.join(sorted(schemes))[:60]}", code="EWS-AUTH")
    return found


def _schemes(response: requests.Response) -> set[str]:
    values = response.raw.headers.getlist("WWW-Authenticate")
    return {part.strip().split(" ")[0].lower() for value in values for part in value.split(",") if part.strip()}


def _read(mailbox: Mailbox, *, any_version: bool) -> None:
    """Really read it: a server may let people in and show them nothing."""
    now = timezone.now().replace(microsecond=0)
    try:
        mailbox.view(Window(now, now + timedelta(days=7)), most=10)
    except ReconnectNeeded as error:
        if any_version and error.code == "EWS-VERSION":
            raise ReconnectNeeded("EWS: knows no version that Sally speaks", code="EWS-OLD") from None
        raise


def _address(mailbox: Mailbox, username: str) -> str:
    """The mailbox's own address, by what the server tells; else the user name, where it is one."""
    plain = username.rpartition("\\")[2]
    for ask in (mailbox.address, lambda: mailbox.resolve(plain)):
        try:
            address = ask()
        except (PasswordRefused, NotReached):
            raise  # no answer is none: who it is must not depend on a bad moment
        except (UnexpectedAnswer, Unavailable, ReconnectNeeded):
            continue  # a server that does not answer this has shown its calendar all the same
        if "@" in address:
            return address
    return plain if "@" in plain else ""
