"""The admin consent endpoint: an admin grants permissions for everybody of the tenant; nobody gets a code from it.

Source: entra-docs, v2-admin-consent.md; that ``tenant`` is missing from errors: MicrosoftDocs/azure-docs#114009.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from sandbox import approval, consents, people
from sandbox.entra import (
    EntraError,
    check_client_id,
    check_redirect_uri,
    check_scopes,
    check_tenant_of_admins,
    error_fields,
    refused_page,
    takes,
    to_application,
    wrong_door_sentence,
)
from sandbox.installation import installation, switches
from sandbox.models import Person
from sandbox.scopes import full_name, lines, normalized
from sandbox.sign_in import pick_account


@dataclass(frozen=True)
class _Request:
    """What an application asks the tenant's admin for."""

    tenant: str
    client_id: str
    redirect_uri: str
    state: str
    scope: str

    @property
    def scopes(self) -> list[str]:
        return normalized(self.scope, installation().services_url)[0]


def _read(query: QueryDict, tenant: str) -> _Request:
    return _Request(
        tenant=tenant,
        client_id=query.get("client_id", ""),
        redirect_uri=query.get("redirect_uri", ""),
        state=query.get("state", ""),
        scope=query.get("scope", ""),
    )


def _check_target(asked: _Request) -> None:
    """What must be right before anything is sent to the redirect URI. Raises ``EntraError``, shown on a page."""
    check_tenant_of_admins(asked.tenant)
    check_client_id(asked.client_id)
    check_redirect_uri(asked.redirect_uri)


def _back(asked: _Request, fields: dict[str, str]) -> HttpResponse:
    state = {"state": asked.state} if asked.state else {}
    return to_application(asked.redirect_uri, fields | state)


def _back_with_error(asked: _Request, error: EntraError) -> HttpResponse:
    return _back(asked, error_fields(error) | {"admin_consent": "True"})


def _declined() -> EntraError:
    """The words are the documentation's; its ``error`` is ``consent_required``, what people get is this one."""
    return EntraError(65004, "access_denied", "The resource owner or authorization server denied the request.")


def _grant(asked: _Request, scopes: list[str]) -> HttpResponse:
    consents.grant_to_tenant(scopes, datetime.now(UTC))
    fields = {"admin_consent": "True"}
    if not switches().approval_omits_tenant:
        fields["tenant"] = people.TENANT_ID
    fields["scope"] = " ".join(full_name(name, installation().services_url) for name in scopes)
    return _back(asked, fields)


def _ask(request: HttpRequest, asked: _Request, person: Person, sentence: str = "") -> HttpResponse:
    """The page with the decision.

    Microsoft's has Cancel and Accept. "Accept some" stands for an admin who grants a part of it afterwards, in the
    Entra portal: that leaves no other trace than a tenant with fewer permissions than were asked for, which is what
    tests need, and a stand-in has no portal.
    """
    context = {"person": person, "scopes": lines(asked.scopes), "sentence": sentence}
    return render(request, "sandbox/admin_consent.html", context)


def _decided(request: HttpRequest, asked: _Request, person: Person) -> HttpResponse:
    chosen = [name for name in asked.scopes if name in request.POST.getlist("scope")]
    match request.POST.get("decision", ""):
        case "cancel":
            return _back_with_error(asked, _declined())
        case "accept":
            return _grant(asked, asked.scopes)
        case "partly" if chosen:
            return _grant(asked, chosen)
        case "partly":
            return _ask(request, asked, person, "Choose the permissions that you accept.")
        case _:
            return _ask(request, asked, person)


def _next_page(request: HttpRequest, asked: _Request) -> HttpResponse:
    """An admin alone gets as far as the permissions; whoever else signs in stops here (v2-admin-consent.md)."""
    person = people.find(request.POST.get("account", ""))
    if person is None:
        return pick_account(request, asked.tenant)
    if not takes(asked.tenant, person):
        return pick_account(request, asked.tenant, wrong_door_sentence(person))
    if not person.admin:
        return approval.need_approval(request, person, can_return=False)
    return _decided(request, asked, person)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def admin_consent(request: HttpRequest, tenant: str) -> HttpResponse:
    asked = _read(request.GET, tenant)
    try:
        _check_target(asked)
    except EntraError as exc:
        return refused_page(request, exc)
    try:
        check_scopes(asked.client_id, asked.scope)
    except EntraError as exc:
        return _back_with_error(asked, exc)
    response = _next_page(request, asked)
    response["Cache-Control"] = "no-store"
    return response
