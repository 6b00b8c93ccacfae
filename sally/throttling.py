"""Who may try passwords how often: what django-axes asks us, and what it answers.

Five wrong passwords for one address from one place close that pair for a quarter of an hour. Every place that asks for
a password asks ``authenticate()``, and so is counted here.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max, QuerySet
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import salted_hmac

from sally import returning
from sally.forms import SignInForm
from sally.models import User


def address_of(request: HttpRequest) -> str | None:
    """The IP address that a request comes from.

    Behind a proxy it is the last one in X-Forwarded-For, which the proxy itself added; what stands before it may be
    invented. (ipware, which axes uses where it is installed, wants the proxy's own address in there too, and with one
    proxy takes the invented one.)
    """
    said = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2] if settings.BEHIND_PROXY else ""
    return _parsed(said) or _parsed(request.META.get("REMOTE_ADDR", ""))


def _parsed(text: str) -> str | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # an IPv4 address with a port, as some proxies write it
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address).partition("%")[0]


def counted_address(request: HttpRequest) -> str | None:
    """One place: an IPv6 subscriber has 2^64 addresses at hand, and counts as one."""
    address = address_of(request)
    if address is None or ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False).network_address)


def username(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """What axes keeps in place of what was typed as the address: people sometimes type their password there."""
    return _fingerprint(str((credentials or {}).get("username") or ""))


def _fingerprint(address: str) -> str:
    return salted_hmac("sally.throttling", address.strip().lower(), algorithm="sha256").hexdigest()


@receiver(pre_save, sender=AccessAttempt)
def keep_nothing_typed(sender: object, instance: AccessAttempt, **_kwargs: Any) -> None:
    instance.get_data = instance.post_data = ""


def attempts(user: User) -> QuerySet[AccessAttempt]:
    """What is counted of wrong passwords for this user's address."""
    counted: QuerySet[AccessAttempt] = AccessAttempt.objects.filter(username=_fingerprint(user.email))
    return counted


def lift(user: User, request: HttpRequest | None = None) -> None:
    """Forget the wrong passwords for this user; with a request, only those from its place."""
    counted = attempts(user)
    if request is not None:
        counted = counted.filter(ip_address=counted_address(request))
    counted.delete()


def locked_out(request: HttpRequest, _response: object, credentials: Mapping[str, Any] | None) -> HttpResponse:
    """The page in place of the one that asked for the password. It reads the same whether the address exists."""
    tried = AccessAttempt.objects.filter(username=username(request, credentials), ip_address=counted_address(request))
    last = tried.aggregate(last=Max("attempt_time"))["last"] or timezone.now()
    seconds = max(1.0, (last + settings.AXES_COOLOFF_TIME - timezone.now()).total_seconds())
    context: dict[str, Any] = {"minutes": math.ceil(seconds / 60)}
    template = "sally/locked_out.html"
    if not request.user.is_authenticated:
        template = "sally/sign_in.html"
        context |= {"form": SignInForm(request), "next": returning.wished(request)}
    response = render(request, template, context, status=429)
    response.headers["Retry-After"] = str(math.ceil(seconds))
    return response
