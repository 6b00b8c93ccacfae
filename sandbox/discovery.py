"""What the sign-in service publishes about itself: its endpoints and its keys."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from sandbox import tokens
from sandbox.entra import EntraError, as_json, check_tenant
from sandbox.installation import installation
from sandbox.people import CONSUMERS_ID, TENANT_ID

_CLAIMS = [
    "sub",
    "iss",
    "cloud_instance_name",
    "cloud_instance_host_name",
    "cloud_graph_host_name",
    "msgraph_host",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "nonce",
    "preferred_username",
    "name",
    "tid",
    "ver",
    "at_hash",
    "c_hash",
    "email",
]

_MANY = ("organizations", "common", "consumers", CONSUMERS_ID)  # those that belong to no region


def _issuer(tenant: str) -> str:
    """Entra's endpoints for many tenants have the placeholder itself in the issuer, not a tenant."""
    names = dict.fromkeys(("organizations", "common"), "{tenantid}")
    names |= dict.fromkeys(("consumers", CONSUMERS_ID), CONSUMERS_ID)
    return f"{installation().services_url}/{names.get(tenant, TENANT_ID)}/v2.0"


def _document(tenant: str) -> dict[str, Any]:
    """Source: Entra's own document, fields and order."""
    services, pages = f"{installation().services_url}/{tenant}", f"{installation().pages_url}/{tenant}"
    return {
        "token_endpoint": f"{services}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{services}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": _issuer(tenant),
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{installation().services_url}/oidc/userinfo",
        "authorization_endpoint": f"{pages}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{services}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{pages}/oauth2/v2.0/logout",
        "claims_supported": _CLAIMS,
        "kerberos_endpoint": f"{services}/kerberos",
        "tenant_region_scope": None if tenant in _MANY else "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }


@require_safe
def openid_configuration(request: HttpRequest, tenant: str) -> JsonResponse:
    try:
        check_tenant(tenant)
    except EntraError as exc:
        return as_json(exc, request.headers.get("client-request-id", ""))
    return JsonResponse(_document(tenant.lower()))


@require_safe
def keys(_request: HttpRequest, tenant: str) -> JsonResponse:
    return JsonResponse(tokens.public_keys())


@require_safe
def instances(_request: HttpRequest) -> JsonResponse:
    """msal asks the common endpoint which host names mean the same service; here there is one."""
    document = f"{installation().services_url}/organizations/v2.0/.well-known/openid-configuration"
    return JsonResponse({"tenant_discovery_endpoint": document, "api-version": "1.1", "metadata": []})
