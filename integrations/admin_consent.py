"""Entra's page on which an admin approves Sally for a whole organization: the way there, and what comes back.

https://learn.microsoft.com/entra/identity-platform/v2-admin-consent. What comes back is a browser's word and no proof:
it has no code, anybody can make it up, and ``tenant`` is missing on errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from django.conf import settings
from django.urls import reverse

from integrations import clouds

# Which any admin can use whose mail domain is not one that Entra knows.
ANY_TENANT = "organizations"
_TENANT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SCOPE = re.compile(r"[A-Za-z][A-Za-z._]{0,60}")
_MOST_SCOPES = 50
# "denied the request": how Microsoft's documentation has an admin's no, under error=consent_required.
_DENIED = re.compile(r"AADSTS65004\b")


@dataclass(frozen=True)
class Answer:
    """``approved`` or ``declined``, or neither: then it says nothing about the request. All of it as reported."""

    approved: bool
    declined: bool
    tenant: str
    scopes: tuple[str, ...]


def callback() -> str:
    """Where Microsoft sends people back to: from a sign-in and from here, for each must be registered."""
    return settings.PUBLIC_URL + reverse("microsoft-callback")


def address(tenant: str, scopes: Sequence[str], state: str) -> str:
    """The page itself. The names of Graph's permissions are spelt out for the cloud in use."""
    asked = {
        "client_id": settings.MICROSOFT_CLIENT_ID,
        "scope": " ".join(clouds.full_names(scopes)),
        "redirect_uri": callback(),
        "state": state,
    }
    page = f"{settings.MICROSOFT_PAGES_URL}/{quote(tenant, safe='')}/v2.0/adminconsent"
    return f"{page}?{urlencode(asked, quote_via=quote)}"


def read(answer: Mapping[str, str]) -> Answer:
    tenant = answer.get("tenant", "")
    short = (one.rpartition("/")[2] for one in answer.get("scope", "").split()[:_MOST_SCOPES])
    return Answer(
        approved="error" not in answer and answer.get("admin_consent", "").lower() == "true",
        declined=answer.get("error") == "access_denied" or _denied(answer),
        tenant=tenant.lower() if _TENANT.fullmatch(tenant) else "",
        scopes=tuple(one for one in short if _SCOPE.fullmatch(one)),
    )


def _denied(answer: Mapping[str, str]) -> bool:
    return "error" in answer and bool(_DENIED.match(answer.get("error_description", "")))
