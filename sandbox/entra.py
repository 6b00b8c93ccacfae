"""Errors as Entra words them, and what both of its endpoints check about the application and the tenant."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.http import JsonResponse

from sandbox.installation import installation
from sandbox.people import TENANT_DOMAIN, TENANT_ID

CONSUMERS = ("consumers", "9188040d-6c67-4c5b-b112-36a304b66dad")
_WORK = ("organizations", "common", TENANT_ID, TENANT_DOMAIN)
ONLY_WORK_ACCOUNTS = "This version of the sandbox has only work and school accounts, no personal ones."


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


def check_tenant(tenant: str) -> None:
    """Raises ``EntraError`` for a tenant that is not here."""
    if tenant.lower() in CONSUMERS:
        raise EntraError(90002, "invalid_request", ONLY_WORK_ACCOUNTS)
    if tenant.lower() not in _WORK:
        text = (
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
            "the correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant."
        )
        raise EntraError(90002, "invalid_request", text)


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
