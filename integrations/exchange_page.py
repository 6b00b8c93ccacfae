"""The page on which a person connects a calendar of an organization's own Exchange server, or mends the connection."""

from __future__ import annotations

import logging
import math
import uuid

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from integrations import hints, problems
from integrations.accounts import SignedIn
from integrations.arriving import arrive
from integrations.errors import NotReached, ProviderError
from integrations.forms import ExchangeForm
from integrations.models import AccessRecord, CalendarConnection, PasswordTrial, UnreachableServer, Why
from integrations.models.trials import AlreadyTrying, NotTried, NotYet, RefusedLately, TooManyTrials
from integrations.providers.exchange import EXCHANGE
from integrations.trail import Trail
from sally.access import for_person
from sally.models import User
from sally.reauthentication import recently_confirmed

logger = logging.getLogger(__name__)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def exchange(request: HttpRequest, user: User) -> HttpResponse:
    connection = _to_mend(request, user)
    if connection is None:
        return _form(request, user, None)
    # Whoever got hold of a session must not put another password, or another server, into a connection.
    return recently_confirmed(_form)(request, user, connection)


def _to_mend(request: HttpRequest, user: User) -> CalendarConnection | None:
    """The person's own connection that is to get another password, if the address names one. Raises ``Http404``."""
    named = request.GET.get("connection")
    if not named:
        return None
    try:
        pk = uuid.UUID(named)
    except ValueError:
        raise Http404 from None
    return get_object_or_404(CalendarConnection, pk=pk, owner=user, provider=EXCHANGE.key)


def _form(request: HttpRequest, user: User, connection: CalendarConnection | None) -> HttpResponse:
    posted = request.POST if request.method == "POST" else None
    form = ExchangeForm(posted, connection=connection, hint=hints.account_for(request, EXCHANGE.key))
    if not form.is_valid():
        return _show(request, form, connection)
    with AccessRecord.objects.trail_of(user, Why.CONNECTING, connection) as trail:
        return _try(request, user, connection, form, trail)


def _try(
    request: HttpRequest, user: User, connection: CalendarConnection | None, form: ExchangeForm, trail: Trail
) -> HttpResponse:
    typed = form.typed
    try:
        account = PasswordTrial.objects.attempt(user, typed, lambda typed: EXCHANGE.look(typed, trail))
    except NotTried as refusal:
        return _not_tried(request, form, connection, refusal)
    except ProviderError as error:
        # In brackets: what stands behind "password…:" is masked.
        logger.warning("sign-in of user %s at an Exchange server: %s (%s)", user.pk, type(error).__name__, error)
        if isinstance(error, NotReached):
            UnreachableServer.objects.notice(error, timezone.now())
        form.refuse(problems.of_form(error))
        return _show(request, form, connection)
    UnreachableServer.objects.reached(typed.address.host)
    if connection and not _is_the_same(connection, account):
        hints.remember(request, EXCHANGE.key, typed.username.strip())
        return _show(request, form, connection, other=account)
    return _connect(request, user, connection, account, trail)


def _connect(
    request: HttpRequest, user: User, connection: CalendarConnection | None, account: SignedIn, trail: Trail
) -> HttpResponse:
    connections = CalendarConnection.objects
    with transaction.atomic():
        made = connections.mend(connection, account) if connection else connections.connect(user, EXCHANGE.key, account)
        AccessRecord.objects.keep(trail, user.pk, Why.CONNECTING, made)
    trail.clear()
    hints.forget(request)
    text = _("%(account)s is connected. Sally reads it at %(address)s.")
    messages.success(request, text % {"account": made.account_email, "address": account.server["url"]})
    if connection and made.pk != connection.pk:
        text = _(
            "%(account)s was connected at this server already, and that connection has the new password now. The one "
            "with the server's old address is still there; you can disconnect it."
        )
        messages.warning(request, text % {"account": made.account_email})
    return arrive(made)


def _is_the_same(connection: CalendarConnection, account: SignedIn) -> bool:
    """By the mailbox's address; or by server and user name, since the address may change or not be told."""
    known, now = connection.server, account.server
    same_name = str(known.get("username")).casefold() == str(now.get("username")).casefold()
    same_place = known.get("url") == now.get("url") and same_name
    return account.email.casefold() == connection.account_email.casefold() or same_place


def _show(
    request: HttpRequest,
    form: ExchangeForm,
    connection: CalendarConnection | None,
    *,
    other: SignedIn | None = None,
    status: int = 200,
) -> HttpResponse:
    if form.tile:
        hints.remember(request, form.tile, str(form["username"].value() or "").strip())
    form.set_focus()
    context = {"form": form, "connection": connection, "provider": EXCHANGE, "other": other}
    return render(request, "integrations/exchange.html", context, status=status)


def _not_tried(
    request: HttpRequest, form: ExchangeForm, connection: CalendarConnection | None, refusal: NotTried
) -> HttpResponse:
    """Say that nothing was sent, and until when nothing will be."""
    seconds = max(1.0, (refusal.until - timezone.now()).total_seconds()) if isinstance(refusal, NotYet) else 0.0
    form.add_error("password" if isinstance(refusal, RefusedLately) else None, _why(refusal, math.ceil(seconds / 60)))
    response = _show(request, form, connection, status=429 if isinstance(refusal, TooManyTrials) else 200)
    if isinstance(refusal, TooManyTrials):
        response.headers["Retry-After"] = str(math.ceil(seconds))
    return response


def _why(refusal: NotTried, minutes: int) -> str:
    if isinstance(refusal, AlreadyTrying):
        return _(
            "Sally is already trying this sign-in in another window, so nothing was sent a second time. Look there, or "
            "under Integrations, what came of it."
        )
    if isinstance(refusal, RefusedLately):
        text = ngettext(
            "The server refused this password a moment ago, so Sally did not send it again: repeated attempts lock "
            "accounts. Check it, or try again in %(minutes)d minute.",
            "The server refused this password a moment ago, so Sally did not send it again: repeated attempts lock "
            "accounts. Check it, or try again in %(minutes)d minutes.",
            minutes,
        )
    else:
        text = ngettext(
            "Too many sign-ins were tried within a short time, so nothing was sent. Please wait %(minutes)d minute.",
            "Too many sign-ins were tried within a short time, so nothing was sent. Please wait %(minutes)d minutes.",
            minutes,
        )
    return text % {"minutes": minutes}
