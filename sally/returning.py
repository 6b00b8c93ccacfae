"""Where a person comes back to after signing in or confirming: to pages of Sally's own, and nowhere else."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

HOME = "meetings"


def is_own(request: HttpRequest, address: str) -> bool:
    """An address as browsers write it: a bare word would be taken for the name of a page.

    Nor with tabs or line breaks: who takes the address apart drops them, and "/\\t///host" becomes "//host".
    """
    is_plain = address.startswith(("/", "http://", "https://")) and address.isprintable()
    return is_plain and url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def wished(request: HttpRequest, otherwise: str = HOME) -> str:
    """What ``next`` says, or ``otherwise`` where that leads away from Sally."""
    address = request.POST.get("next", request.GET.get("next", ""))
    return address if is_own(request, address) else resolve_url(otherwise)


def page_of(request: HttpRequest) -> str:
    """The page that the person looks at: a form's answer has an address that often cannot be opened."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    referer = request.headers.get("Referer", "")
    if not referer or not is_own(request, referer):
        return resolve_url(HOME)
    parts = urlsplit(referer)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
