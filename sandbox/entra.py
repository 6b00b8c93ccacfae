"""Errors as Entra words them, and what both of its endpoints check about the application and the tenant."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render

from sandbox.installation import installation
from sandbox.models import Person
from sandbox.people import CONSUMERS_ID, CONSUMERS_NAME, TENANT_DOMAIN, TENANT_ID, tenant_of
from sandbox.scopes import normalized

# Whose accounts each name of a tenant takes (entra-docs, v2-protocols-oidc.md).
_WORK, _PERSONAL = frozenset({Person.Kind.WORK}), frozenset({Person.Kind.PERSONAL})
_TENANTS = {
    "common": _WORK | _PERSONAL,
    "organizations": _WORK,
    TENANT_ID: _WORK,
    TENANT_DOMAIN: _WORK,
    "consumers": _PERSONAL,
    CONSUMERS_ID: _PERSONAL,
}


class EntraError(Exception):
    """A refusal with its AADSTS number; ``error`` is the OAuth word for it."""

    def __init__(
        self, code: int, error: str, text: str, status: int = 400, suberror: str = "", claims: str = ""
    ) -> None:
        super().__init__(text)
        self.code = code
        self.error = error
        self.text = text
        self.status = status
        self.suberror = suberror
        self.claims = claims

    def description(self, ids: "TraceIds") -> str:
        return (
            f"AADSTS{self.code}: {self.text} Trace ID: {ids.trace} "
            f"Correlation ID: {ids.correlation} Timestamp: {ids.timestamp}"
        )


@dataclass(frozen=True)
class TraceIds:
    trace: str
    correlation: str
    timestamp: str


def trace_ids(client_request_id: str = "") -> TraceIds:
    """Ids for one answer; Entra echoes the client's own request id as the correlation id."""
    timestamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return TraceIds(str(uuid.uuid4()), client_request_id or str(uuid.uuid4()), timestamp)


def as_json(error: EntraError, client_request_id: str) -> JsonResponse:
    """Source: MicrosoftDocs/entra-docs, docs/identity-platform/reference-error-codes.md."""
    ids = trace_ids(client_request_id)
    body: dict[str, Any] = {
        "error": error.error,
        "error_description": error.description(ids),
        "error_codes": [error.code],
        "timestamp": ids.timestamp,
        "trace_id": ids.trace,
        "correlation_id": ids.correlation,
        "error_uri": f"{installation().services_url}/error?code={error.code}",
    }
    if error.suberror:
        body["suberror"] = error.suberror
    if error.claims:
        body["claims"] = error.claims
    return JsonResponse(body, status=error.status)


def error_fields(error: EntraError) -> dict[str, str]:
    """The same for an application that is told through its redirect URI."""
    return {
        "error": error.error,
        "error_description": error.description(trace_ids()),
        "error_uri": f"{installation().services_url}/error?code={error.code}",
    }


def refused_page(request: HttpRequest, error: EntraError) -> HttpResponse:
    """The same for the person, where no application may be told."""
    return render(request, "sandbox/refused.html", {"error": error, "ids": trace_ids()}, status=error.status)


def to_application(redirect_uri: str, fields: dict[str, str]) -> HttpResponseRedirect:
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return HttpResponseRedirect(f"{redirect_uri}{joint}{urlencode(fields)}")


def _no_such_tenant(tenant: str) -> EntraError:
    text = (
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
        "the correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant."
    )
    return EntraError(90002, "invalid_request", text)


def check_tenant(tenant: str) -> None:
    """Raises ``EntraError`` for a tenant that is not here."""
    if tenant.lower() not in _TENANTS:
        raise _no_such_tenant(tenant)


def check_tenant_of_admins(tenant: str) -> None:
    """Raises ``EntraError`` for a tenant that is not here or that has no admin.

    "Do not use 'common', as personal accounts cannot provide admin consent" (entra-docs, v2-admin-consent.md); with
    which number that is refused it does not say.
    """
    if _TENANTS.get(tenant.lower()) != _WORK:
        raise _no_such_tenant(tenant)


def check_scopes(client_id: str, requested: str) -> None:
    """Raises ``EntraError`` where nothing is asked for, or something that there is not."""
    known, unknown = normalized(requested, installation().services_url)
    if unknown:
        text = (
            f"The application '{client_id}' asked for scope '{unknown[0]}' that doesn't exist on the resource "
            "'00000003-0000-0000-c000-000000000000'. Contact the app vendor."
        )
        raise EntraError(650053, "invalid_client", text)
    if not known:
        text = "The request body must contain the following parameter: 'scope'."
        raise EntraError(900144, "invalid_request", text)


def takes(tenant: str, person: Person) -> bool:
    """Whether this is a door for this person's kind of account."""
    return person.kind in _TENANTS[tenant.lower()]


def invitation(tenant: str) -> str:
    """Whom the sign-in page invites."""
    kinds = _TENANTS[tenant.lower()]
    if kinds == _PERSONAL:
        return "Personal Microsoft account"
    return "Work, school, or university account" if kinds == _WORK else "Any Microsoft account"


def wrong_door_sentence(person: Person) -> str:
    """What Microsoft writes into its own page, from which nothing leads back to the application.

    Source: what people report, for personal accounts microsoftgraph/msgraph-sample-maui#55 and
    RogerSelwyn/O365-HomeAssistant#95, for work accounts MicrosoftDocs/azure-docs#57984; that nobody is sent back:
    AzureAD/azure-activedirectory-library-for-js#501.
    """
    if person.personal:
        return "You can't sign in here with a personal account. Use your work or school account instead."
    return "That Microsoft account doesn't exist. Enter a different account or get a new one."


def wrong_door(person: Person) -> EntraError:
    """The same where the application is told; the words are those of 500200 and 50020.

    Source: files-community/Files#17852; SupportArticles-docs, error-code-aadsts50020.
    """
    if person.personal:
        text = (
            f"User account '{person.email}' is a personal Microsoft account. Personal Microsoft accounts are not "
            "supported for this application unless explicitly invited to an organization. Try signing out and signing "
            "back in with an organizational account."
        )
        return EntraError(500200, "access_denied", text)
    text = (
        f"User account '{person.email}' from identity provider 'https://sts.windows.net/{tenant_of(person)}/' does not "
        f"exist in tenant '{CONSUMERS_NAME}' and cannot access the application '{installation().client_id}' in that "
        "tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again "
        "with a different Azure Active Directory user account."
    )
    return EntraError(50020, "access_denied", text)


def check_client_id(client_id: str) -> None:
    if not client_id:
        text = "The request body must contain the following parameter: 'client_id'."
        raise EntraError(900144, "invalid_request", text)
    if client_id.lower() != installation().client_id.lower():
        text = (
            f"Application with identifier '{client_id}' was not found in the directory 'Harbour & Quay'. This can "
            "happen if the application has not been installed by the administrator of the tenant or consented to by "
            "any user in the tenant. You may have sent your authentication request to the wrong tenant."
        )
        raise EntraError(700016, "unauthorized_client", text)


def _is_local(uri: str) -> bool:
    parts = urlsplit(uri)
    if parts.scheme != "http" or parts.fragment:
        return False
    return parts.hostname in ("localhost", "127.0.0.1") or parts.netloc == "testserver"


def check_redirect_uri(uri: str) -> None:
    """A registered address must match to the letter; without any registered, a local one is taken."""
    registered = installation().redirect_uris
    if uri in registered or (not registered and _is_local(uri)):
        return
    text = (
        f"The redirect URI '{uri}' specified in the request does not match the redirect URIs configured for the "
        f"application '{installation().client_id}'. Make sure the redirect URI sent in the request matches one added "
        "to your application in the Azure portal."
    )
    raise EntraError(50011, "invalid_request", text)
