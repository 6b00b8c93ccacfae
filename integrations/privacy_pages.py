"""Settings → Privacy: what is stored about a person, for them to read, to take along and to delete."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import logout
from django.core.signing import BadSignature, SignatureExpired
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.models import AccessRecord, CalendarConnection
from integrations.providers import BY_SIGN_IN
from sally import deletion, download, mails, stored
from sally.access import for_person
from sally.deletion import Line, Receipt
from sally.models import User
from sally.reauthentication import recently_confirmed
from sally.stored import Stored

# Of the access log, which has a page of its own.
LATEST = 10


class HttpResponseSeeOther(HttpResponseRedirect):
    """What is opened next is opened with GET, and a reload of it posts nothing."""

    status_code = 303


@dataclass(frozen=True)
class Counted:
    kind: Stored
    count: int


def _counted(user: User) -> Sequence[Counted]:
    return [Counted(kind, kind.of(user).count()) for kind in stored.kinds()]


@require_safe
@for_person
def privacy(request: HttpRequest, user: User) -> HttpResponse:
    latest = AccessRecord.objects.latest_of(user, LATEST)
    return render(request, "integrations/privacy.html", {"counted": _counted(user), "latest": latest})


@require_POST
@for_person
@recently_confirmed
def download_my_data(request: HttpRequest, user: User) -> StreamingHttpResponse:
    now = timezone.now()
    response = StreamingHttpResponse(download.document(user, now), content_type="application/json")
    name = f"sally-my-data-{now.astimezone(user.zone):%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
@recently_confirmed
def delete_everything(request: HttpRequest, user: User) -> HttpResponse:
    """What will go, and the button for it. The answer to that leads to a page that needs no account."""
    if request.method != "POST":
        return render(request, "integrations/delete_everything.html", _at_stake(user))
    counts = deletion.delete_everything(user)
    logout(request)  # the session's row is gone, which would be noticed as a fault
    if counts is None:  # a double click; the first one leads to the receipt
        return redirect(settings.LOGIN_URL)
    done = Receipt(counts, timezone.now())
    mailed = mails.send(user, "receipt", {"receipt": done, "permission_pages": _permission_pages()})
    response = HttpResponseSeeOther(reverse("receipt", args=[dataclasses.replace(done, mailed=mailed).token]))
    response.delete_cookie(settings.VISIT_COOKIE_NAME, samesite="Lax")  # it holds the account's number
    return response


def _permission_pages(own: Collection[str] = BY_SIGN_IN.keys()) -> Sequence[str]:
    """Where people take back at the provider what they allowed, if these doors have such a page."""
    return sorted({door.permissions_page for key, door in BY_SIGN_IN.items() if key in own and door.offered} - {""})


def _at_stake(user: User) -> Mapping[str, object]:
    own = set(CalendarConnection.objects.filter(owner=user).values_list("provider", flat=True))
    superusers = User.objects.filter(is_superuser=True, is_active=True)
    return {
        "lines": [Line(one.kind.title, one.count) for one in _counted(user) if one.count],
        "permission_pages": _permission_pages(own),
        "is_last_superuser": user.is_superuser and not superusers.exclude(pk=user.pk).exists(),
    }


@require_safe
def receipt(request: HttpRequest, token: str) -> HttpResponse:
    """For whoever has its address: there is no account any more that it could belong to."""
    try:
        shown = deletion.receipt_of(token)
    except SignatureExpired:
        return render(request, "integrations/receipt_over.html", status=410)
    except BadSignature:
        raise Http404 from None
    return render(request, "integrations/receipt.html", {"receipt": shown, "permission_pages": _permission_pages()})
