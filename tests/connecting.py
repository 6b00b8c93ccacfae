"""Sally pointed at the sandbox, and a calendar connected there as a person does it; needs no development packages."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.test import Client

from integrations.models import CalendarConnection
from tests.sandbox_process import Sandbox

INES = "ines@quay.example"
# Her personal account.
INES_AT_HOME = "ines.falk@outlook.example"
WORK, PERSONAL = "microsoft-work", "microsoft-personal"

# Pages need no collectstatic with it.
UNCOLLECTED = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


def settings_for(sandbox: Sandbox) -> dict[str, Any]:
    """The same settings that point to a national cloud."""
    return {
        "MICROSOFT_LOGIN_URL": sandbox.login_url,
        "MICROSOFT_GRAPH_URL": sandbox.graph_url,
        "MICROSOFT_PAGES_URL": sandbox.pages_url,
        "MICROSOFT_CLIENT_ID": sandbox.client_id,
        "MICROSOFT_CLIENT_SECRET": sandbox.client_secret,
        "CA_BUNDLE": sandbox.ca_bundle,
        "EXCHANGE_SANDBOX": urlsplit(sandbox.exchange_url).netloc,
    }


def address_of(page: str) -> str:
    """Where the page "Taking you to Microsoft" leads."""
    found = re.search(r'content="0; url=([^"]+)"', page)
    assert found, page
    return found[1].replace("&amp;", "&")


def sign_in_at_microsoft(
    client: Client, sandbox: Sandbox, email: str = INES, *, accept: bool = True, tile: str = WORK
) -> str:
    """From the tile through Microsoft's pages; the callback's path and query, not yet visited."""
    page = client.post(f"/settings/integrations/connect/{tile}/", follow=True).content.decode()
    parts = urlsplit(sandbox.sign_in(address_of(page), email, accept))
    return f"{parts.path}?{parts.query}"


def connect(client: Client, sandbox: Sandbox, email: str = INES, *, tile: str = WORK) -> CalendarConnection:
    """A connection made the way a person makes it."""
    response = client.get(sign_in_at_microsoft(client, sandbox, email, tile=tile))
    assert response.status_code == 302, response.content
    return CalendarConnection.objects.get(account_email=email)


def connect_exchange(client: Client, sandbox: Sandbox, username: str = INES) -> CalendarConnection:
    """The same through the form."""
    typed = {"username": username, "password": sandbox.exchange_password, "server": sandbox.exchange_url, "version": ""}
    response = client.post("/settings/integrations/exchange/", typed)
    assert response.status_code == 302, response.content
    return CalendarConnection.objects.filter(provider="exchange").latest("created_at")
