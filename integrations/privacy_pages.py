"""Settings → Privacy: what is stored about a person, for them to read, to take along and to delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from sally import download, stored
from sally.access import for_person
from sally.models import User
from sally.reauthentication import recently_confirmed
from sally.stored import Stored


@dataclass(frozen=True)
class Counted:
    kind: Stored
    count: int


def _counted(user: User) -> Sequence[Counted]:
    return [Counted(kind, kind.of(user).count()) for kind in stored.kinds()]


@require_safe
@for_person
def privacy(request: HttpRequest, user: User) -> HttpResponse:
    return render(request, "integrations/privacy.html", {"counted": _counted(user)})


@require_POST
@for_person
@recently_confirmed
def download_my_data(request: HttpRequest, user: User) -> StreamingHttpResponse:
    now = timezone.now()
    response = StreamingHttpResponse(download.document(user, now), content_type="application/json")
    name = f"sally-my-data-{now.astimezone(user.zone):%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
