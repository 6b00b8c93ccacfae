"""The control API: what tests and demonstrations do to the tenant from behind, as JSON, on the loopback only."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from sandbox import changes, consents, people
from sandbox.delta import SYNC_STATES
from sandbox.edits import UnknownEvent
from sandbox.exchange.accounts import DIRECTORY
from sandbox.exchange.sync_folder_items import STATES
from sandbox.faults import FAULTS, read_fault
from sandbox.ics import read_series
from sandbox.installation import installation, reset_switches, turn_switches
from sandbox.models import AccessToken, Consent, Mailbox, Person, RefreshToken
from sandbox.origin import from_elsewhere
from sandbox.requestlog import LOG
from sandbox.scopes import SENTENCES, normalized

_View = Callable[..., HttpResponse]


class _Unknown(LookupError):
    """There is nobody of that name here."""


def _told(error: Exception, status: int) -> JsonResponse:
    return JsonResponse({"error": str(error)}, status=status)


def controlling(*methods: str) -> Callable[[_View], _View]:
    """A view of the control API: its methods, its refusals as a sentence, and no foreign web page as its caller."""

    def decorate(view: _View) -> _View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if from_elsewhere(request):
                return JsonResponse({"error": "The control API answers no other site's pages."}, status=403)
            if request.method not in methods:
                return JsonResponse({"error": f"Use {' or '.join(methods)}."}, status=405)
            try:
                return view(request, *args, **kwargs)
            except (UnknownEvent, _Unknown) as exc:
                return _told(exc, 404)
            except (ValueError, TypeError) as exc:
                return _told(exc, 400)

        return answer

    return decorate


def _json(request: HttpRequest) -> dict[str, Any]:
    body = json.loads(request.body or b"{}")
    if not isinstance(body, dict):
        raise ValueError("A JSON object is wanted.")
    return body


def _person(email: str) -> Person:
    person = people.find(email)
    if person is None:
        raise _Unknown(f"There is nobody with the address {email}.")
    return person


def _done() -> JsonResponse:
    return JsonResponse({"ok": True})


@controlling("POST")
def reset(_request: HttpRequest) -> HttpResponse:
    FAULTS.clear()
    reset_switches()
    SYNC_STATES.empty()
    STATES.empty()
    DIRECTORY.reset()
    with transaction.atomic():
        people.reset()
    LOG.empty()
    return _done()


@controlling("GET", "PUT")
def mailbox(request: HttpRequest, email: str) -> HttpResponse:
    if request.method == "GET":
        text = Mailbox.objects.filter(person=_person(email)).values_list("text", flat=True).first() or ""
        return HttpResponse(text, content_type="text/calendar; charset=utf-8")
    text = request.body.decode()
    count = len(read_series(text, people.MAILBOX_ZONE))
    kind = request.GET.get("kind", "")
    if kind and kind not in Person.Kind.values:
        raise ValueError(f"There is no kind of account {kind}.")
    changes.fill(people.find_or_create(email, kind), text)
    return JsonResponse({"events": count})


@controlling("POST")
def add_event(request: HttpRequest, email: str) -> HttpResponse:
    uid = changes.add_event(_person(email), _json(request), datetime.now(UTC))
    return JsonResponse({"uid": uid})


@controlling("POST")
def change_event(request: HttpRequest, email: str) -> HttpResponse:
    changes.change_event(_person(email), _json(request), datetime.now(UTC))
    return _done()


@controlling("GET", "DELETE")
def log(request: HttpRequest) -> HttpResponse:
    if request.method == "DELETE":
        LOG.empty()
        return _done()
    return JsonResponse(LOG.read(), safe=False)


@controlling("POST", "DELETE")
def faults(request: HttpRequest) -> HttpResponse:
    if request.method == "DELETE":
        FAULTS.clear()
    else:
        FAULTS.add(read_fault(_json(request)))
    return _done()


@controlling("POST")
def revoke(request: HttpRequest) -> HttpResponse:
    wanted = _json(request)
    person = _person(str(wanted.get("email", "")))
    # All that is dead of a personal account's is refused with the one number.
    code = wanted.get("code", 70000 if person.personal else 50173)
    if not isinstance(code, int):
        raise TypeError("The code is an AADSTS number.")
    RefreshToken.objects.filter(person=person).update(dead_code=code)
    if wanted.get("access_tokens"):
        AccessToken.objects.filter(person=person).update(revoked=True)
    return _done()


@controlling("POST")
def settings(request: HttpRequest) -> HttpResponse:
    turn_switches(_json(request))
    return _done()


def _scopes(wanted: object) -> list[str]:
    """Those named, or all that there are. Raises ``ValueError`` for one that there is not."""
    if wanted is None:
        return list(SENTENCES)
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise TypeError("The scopes are a list of names, or null for all.")
    known, unknown = normalized(" ".join(wanted), installation().services_url)
    if unknown:
        raise ValueError(f"There is no scope {unknown[0]}.")
    return known


def _told_consents() -> JsonResponse:
    """What is granted: for everybody, since when, and by each person for themselves."""
    tenants = consents.tenants_consent()
    own = Consent.objects.exclude(scopes="").select_related("person").order_by("person__pk")
    return JsonResponse(
        {
            "domain": people.TENANT_DOMAIN,
            "tenant": tenants.scopes.split() if tenants else [],
            "granted_at": tenants.granted_at.isoformat() if tenants else None,
            "people": {one.person.email: one.scopes.split() for one in own},
        }
    )


@controlling("GET", "POST")
def consent(request: HttpRequest) -> HttpResponse:
    """Grant for the tenant, or take it back, with what its people granted themselves unless ``people`` is false."""
    if request.method == "GET":
        return _told_consents()
    wanted = _json(request)
    scopes, granted, of_people = _scopes(wanted.get("scopes")), wanted.get("granted"), wanted.get("people", True)
    if not isinstance(granted, bool) or not isinstance(of_people, bool):
        raise TypeError("Say whether it is granted: true or false; and so of the people.")
    if wanted.get("domain", people.TENANT_DOMAIN) != people.TENANT_DOMAIN:
        raise _Unknown(f"There is no tenant {wanted['domain']}.")
    if granted:
        consents.grant_to_tenant(scopes, datetime.now(UTC))
    else:
        consents.withdraw(scopes, of_people=of_people)
    return _done()


@controlling("POST")
def exchange_account(request: HttpRequest, email: str) -> HttpResponse:
    DIRECTORY.change(_person(email), _json(request))
    return _done()


@csrf_exempt
def unknown(_request: HttpRequest, rest: str) -> HttpResponse:
    return JsonResponse({"error": f"The control API has no {rest}."}, status=404)
