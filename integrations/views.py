"""Settings → Integrations: the connections, adding one, signing in at the provider, options, disconnecting."""

from __future__ import annotations

import logging
import uuid

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations import admin_consent, approval_pages, hints, problems, providers, saying, waiting
from integrations.arriving import arrive
from integrations.errors import ProviderError, ReconnectNeeded, WrongDoor
from integrations.models import (
    ApprovalRequest,
    CalendarConnection,
    OperatorTrouble,
    OtherAccount,
    SignIn,
    SyncOption,
)
from integrations.models.sign_ins import CONNECTED
from integrations.providers import BY_SIGN_IN
from sally.access import for_person
from sally.models import User

logger = logging.getLogger(__name__)


def _own(user: User, pk: uuid.UUID) -> CalendarConnection:
    return get_object_or_404(CalendarConnection, pk=pk, owner=user)


@require_safe
@for_person
def index(request: HttpRequest, user: User) -> HttpResponse:
    connections = list(CalendarConnection.objects.filter(owner=user))
    now_waiting = waiting.of(user, timezone.now())
    unsettled = now_waiting is not None or any(one.unsettled for one in connections)
    context = {"connections": connections, "waiting": now_waiting, "unsettled": unsettled}
    return render(request, "integrations/index.html", context)


@require_safe
@for_person
def card(request: HttpRequest, user: User, pk: uuid.UUID) -> HttpResponse:
    """One connection as a fragment, which its page fetches while a sync is under way.

    A page that shows one that is gone (disconnected in another tab) gets nothing in its place.
    """
    connection = CalendarConnection.objects.filter(pk=pk, owner=user).first()
    if connection is None:
        if request.htmx:  # type: ignore[attr-defined]
            return HttpResponse()
        raise Http404
    if request.GET.get("seen") == connection.appearance:
        return HttpResponse(status=204)  # htmx leaves the page, the focus and the screen reader alone
    return render(request, "integrations/_connection.html", {"connection": connection})


@require_safe
@for_person
def add(request: HttpRequest, user: User) -> HttpResponse:
    """The tiles; from a connection that another tile is right for, with its account filled in there."""
    if "from" in request.GET:
        connection = _own(user, _uuid(request.GET["from"]))
        problem = connection.problem
        if problem and problem.tile:
            hints.remember(request, problem.tile, connection.account_email)
    context = {
        "hint": hints.current(request),
        "providers": providers.offered(),
        "troubled": OperatorTrouble.objects.everybodys().exists(),
    }
    return render(request, "integrations/add.html", context)


@require_POST
@for_person
def connect(request: HttpRequest, user: User, key: str) -> HttpResponse:
    """Start a sign-in at the provider; with a connection's id, one that mends it."""
    if key not in BY_SIGN_IN or not BY_SIGN_IN[key].offered:
        raise Http404
    known = request.POST.get("connection")
    return _begin(request, user, key, _own(user, _uuid(known)) if known else None)


def _begin(
    request: HttpRequest, user: User, key: str, connection: CalendarConnection | None, claims: str = ""
) -> HttpResponse:
    account = hints.account_for(request, key) or ApprovalRequest.objects.address_of(user, key)
    try:
        sign_in = SignIn.objects.begin(
            user, key, redirect_uri=admin_consent.callback(), connection=connection, account=account, claims=claims
        )
    except ProviderError as error:
        _say(request, error, key)
        return redirect("integrations" if connection else "add-calendar")
    return redirect("leaving", pk=sign_in.pk)


@require_safe
@for_person
def leaving(request: HttpRequest, user: User, pk: uuid.UUID) -> HttpResponse:
    """Lead the person to the provider, by a page that moves on by itself.

    Not by a redirect: Chromium applies form-action to every redirect that follows a form, and to which company's own
    sign-in service Microsoft passes on nobody knows. Whoever comes back here afterwards is led to the connections.
    """
    sign_in = get_object_or_404(SignIn, pk=pk, user=user)
    if not sign_in.is_open:
        return redirect("integrations")
    return render(request, "integrations/leaving.html", {"address": sign_in.address})


@require_safe
def callback(request: HttpRequest) -> HttpResponseBase:
    """Where Microsoft sends people back to: who signed in, and admins who have no account here."""
    return approval_pages.answered(request) if approval_pages.is_answer(request) else _signed_in(request)


@for_person
def _signed_in(request: HttpRequest, user: User) -> HttpResponse:
    """The parameters are used up and leave the address bar at once."""
    sign_in = SignIn.objects.take(user, request.GET.get("state", ""))
    if sign_in is None:
        messages.error(request, str(problems.SIGN_IN_USED_UP))
        return redirect("integrations")
    challenged = sign_in.challenged
    try:
        connection = sign_in.finish(request.GET.dict())
    except OtherAccount:
        return redirect("other-account", pk=sign_in.pk)
    except ProviderError as error:
        if isinstance(error, ReconnectNeeded) and error.claims and not challenged:
            # Microsoft says what it wants proved: back there at once, with just that.
            return _begin(request, user, sign_in.provider, sign_in.connection, error.claims)
        if SignIn.objects.stopped(user) == sign_in:  # said there, with what can be done
            logger.warning("sign-in of user %s: %s: %s", user.pk, type(error).__name__, error)
            return redirect(reverse("integrations") + "#waiting")
        _say(request, error, sign_in.provider, sign_in.connection)
        return redirect("integrations" if sign_in.connection else "add-calendar")
    return _connected(request, connection)


def _connected(request: HttpRequest, connection: CalendarConnection) -> HttpResponse:
    hints.forget(request)
    messages.success(request, _("%(account)s is connected.") % {"account": connection.account_email})
    return arrive(connection)


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def other_account(request: HttpRequest, user: User, pk: uuid.UUID) -> HttpResponse:
    """Another account than the one to be mended signed in: connect it besides, or leave it."""
    sign_in = get_object_or_404(SignIn.objects.select_related("connection"), pk=pk, user=user)
    account = sign_in.other_account
    if account is None:
        if sign_in.outcome != CONNECTED:  # as after a second click
            messages.error(request, str(problems.SIGN_IN_USED_UP))
        return redirect("integrations")
    if request.method != "POST":
        known = CalendarConnection.objects.filter(
            owner=user, provider=sign_in.provider, account_id=account.account_id
        ).exists()
        return render(request, "integrations/other_account.html", {"sign_in": sign_in, "known": known})
    if "leave" in request.POST:
        sign_in.dismiss_other()
        return redirect("integrations")
    return _connected(request, sign_in.accept_other())


@require_POST
@for_person
def sync_now(request: HttpRequest, user: User, pk: uuid.UUID) -> HttpResponse:
    connection = _own(user, pk)
    connection.request_sync()
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "integrations/_connection.html", {"connection": connection})
    return redirect("integrations")


@require_POST
@for_person
def set_option(request: HttpRequest, user: User, pk: uuid.UUID) -> HttpResponse:
    """Flip a switch. The button's name is the option and its value the new state: a second click changes nothing."""
    connection = _own(user, pk)
    option = next((option for option in SyncOption if option in request.POST), None)
    if option is None or request.POST[option] not in ("on", "off"):
        raise BadRequest("no such switch")
    on = request.POST[option] == "on"
    deleted = connection.set_option(option, on)
    said = "" if deleted is None else _said_of_option(option, on, deleted)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "integrations/_connection_said.html", {"connection": connection, "said": said})
    if said:
        messages.success(request, f"{connection.account_email}: {said}")
    return redirect("integrations")


def _said_of_option(option: SyncOption, on: bool, deleted: int) -> str:
    if option is SyncOption.PRIVATE and not on:
        text = ngettext(
            "Private appointments are not synced any more. %(count)s was deleted here.",
            "Private appointments are not synced any more. %(count)s were deleted here.",
            deleted,
        )
        return text % {"count": deleted}
    if option is SyncOption.ONLY_ONLINE and on:
        text = ngettext(
            "Only online meetings are synced now. %(count)s meeting without a link was deleted here.",
            "Only online meetings are synced now. %(count)s meetings without a link were deleted here.",
            deleted,
        )
        return text % {"count": deleted}
    if option is SyncOption.PRIVATE:
        return _("Private appointments are synced from now on.")
    return _("Meetings without a link are synced too from now on.")


@require_http_methods(["GET", "POST"])
@for_person
def disconnect(request: HttpRequest, user: User, pk: uuid.UUID) -> HttpResponse:
    connection = _own(user, pk)
    if request.method == "GET":
        return render(request, "integrations/disconnect.html", {"connection": connection})
    deleted = connection.disconnect().get("meetings", 0)
    text = ngettext(
        "%(account)s is disconnected. Deleted: the access to it and %(count)s meeting.",
        "%(account)s is disconnected. Deleted: the access to it and %(count)s meetings.",
        deleted,
    )
    messages.success(request, text % {"account": connection.account_email, "count": deleted})
    return redirect("integrations")


def _say(request: HttpRequest, error: ProviderError, key: str, connection: CalendarConnection | None = None) -> None:
    """What ended a sign-in at this door; where another one is right, with a way there and the account filled in."""
    problem = problems.of_sign_in(error, key)
    logger.warning("sign-in of user %s: %s: %s", request.user.pk, type(error).__name__, error)
    if problem.tile:
        account = error.account if isinstance(error, WrongDoor) else ""
        hints.remember(request, problem.tile, account or (connection.account_email if connection else ""))
    messages.error(request, saying.said(problem))


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404 from None
