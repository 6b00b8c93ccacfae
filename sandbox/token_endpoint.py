"""The token endpoint: a code or a refresh token in, tokens out, refusals as Entra words them."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import jwt
from cryptography.x509 import load_pem_x509_certificate
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from sandbox import consents, tokens
from sandbox import scopes as known_scopes
from sandbox.entra import EntraError, as_json, check_client_id, check_tenant
from sandbox.installation import installation, switches
from sandbox.models import AuthorizationCode, Person, RefreshToken
from sandbox.scopes import SIGN_IN_SCOPES

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DEAD_TEXTS = {
    70000: (
        "The user could not be authenticated or the grant is expired. The user must first sign in and if needed grant "
        "the client application access to the requested scope."
    ),
    50173: (
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have "
        "changed or reset their password."
    ),
    700082: "The refresh token has expired due to inactivity.",
    70008: "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive "
    "authorization request for this user and resource.",
    50076: (
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
        "use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'."
    ),
    53003: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    50057: "The user account is disabled.",
    65001: "The user or administrator has not consented to use the application.",
}
_SUBERRORS = {70000: "", 50076: "basic_action", 53003: "message_only", 65001: "consent_required", 50057: ""}
# What is to be proved, as Entra words it (entra-docs, claims-challenge.md).
_CLAIMS = {50076: '{"access_token":{"capolids":{"essential":true,"values":["5c1ea7ba-0000-4000-8000-000000000001"]}}}'}


@dataclass(frozen=True)
class _Grant:
    """Whose tokens are to be made, and with which scopes of those granted that were not taken back meanwhile."""

    person: Person
    granted: str
    nonce: str = ""
    taken_back: frozenset[str] = frozenset()


def _dead(code: int) -> EntraError:
    text = _DEAD_TEXTS.get(code, "The provided grant is no longer valid.")
    suberror, claims = _SUBERRORS.get(code, "bad_token"), _CLAIMS.get(code, "")
    return EntraError(code, "invalid_grant", text, suberror=suberror, claims=claims)


def _basic_credentials(header: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(header.removeprefix("Basic "), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote(name), unquote(secret)


def _check_assertion(assertion: str, request: HttpRequest) -> None:
    certificate = installation().client_certificate
    refused = EntraError(700027, "invalid_client", "The certificate with identifier used to sign the client "
                         "assertion is not registered on application.", status=401)  # fmt: skip
    if not certificate:
        raise refused
    key: Any = load_pem_x509_certificate(certificate.encode()).public_key()
    audience = f"{installation().services_url}{request.path}"
    try:
        claims = jwt.decode(assertion, key, algorithms=["PS256", "RS256"], audience=audience, options={
            "require": ["exp", "iss", "sub", "jti"]})  # fmt: skip
    except jwt.PyJWTError as exc:
        raise refused from exc
    if not claims["iss"] == claims["sub"] == installation().client_id:
        raise refused


def _check_client(request: HttpRequest) -> str:
    """The id of the application, once it has proven itself. Raises ``EntraError``."""
    form = request.POST
    basic_id, basic_secret = _basic_credentials(request.headers.get("Authorization", ""))
    client_id = form.get("client_id", "") or basic_id
    check_client_id(client_id)
    if form.get("client_assertion_type") == _ASSERTION_TYPE:
        _check_assertion(form.get("client_assertion", ""), request)
        return client_id
    secret = form.get("client_secret", "") or basic_secret
    if not secret:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise EntraError(7000218, "invalid_client", text, status=401)
    if not hmac.compare_digest(secret.encode(), switches().client_secret.encode()):
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{client_id}'."
        )
        raise EntraError(7000215, "invalid_client", text, status=401)
    return client_id


def _proves(verifier: str, code: AuthorizationCode) -> bool:
    if not code.challenge:
        return True
    if code.challenge_method == "plain":
        return hmac.compare_digest(verifier.encode(), code.challenge.encode())
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return hmac.compare_digest(made, code.challenge.rstrip("="))


@transaction.atomic
def _redeem_code(form: Any, client_id: str, now: datetime) -> _Grant:
    code = AuthorizationCode.objects.select_related("person").filter(digest=tokens.digest(form.get("code", ""))).first()
    if code is None or code.client_id != client_id:
        raise EntraError(9002313, "invalid_grant", "Invalid request. Request is malformed or invalid.")
    if code.used:
        text = (
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing "
            "refresh token."
        )
        raise EntraError(54005, "invalid_grant", text)
    if code.expires_at <= now:
        raise _dead(70008)
    if form.get("redirect_uri", "") != code.redirect_uri:
        text = (
            "The reply URL specified in the request does not match the reply URLs configured for the application: "
            "the redirect_uri of the token request must be that of the authorization request."
        )
        raise EntraError(500112, "invalid_client", text)
    if not _proves(form.get("code_verifier", ""), code):
        text = "The Code_Verifier does not match the code_challenge supplied in the authorization request."
        raise EntraError(501481, "invalid_grant", text)
    AuthorizationCode.objects.filter(pk=code.pk).update(used=True)
    return _Grant(code.person, code.scopes, code.nonce)


@transaction.atomic
def _redeem_refresh_token(form: Any, client_id: str) -> _Grant:
    """A refresh token works again and again, since using it does not revoke it (entra-docs, refresh-tokens.md)."""
    digest = tokens.digest(form.get("refresh_token", ""))
    token = RefreshToken.objects.select_related("person").filter(digest=digest).first()
    if token is None or token.client_id != client_id:
        raise _dead(700082)
    if token.dead_code is not None:
        raise _dead(token.dead_code)
    if switches().one_time_refresh_tokens:
        RefreshToken.objects.filter(pk=token.pk).update(dead_code=700082)
    return _Grant(token.person, token.scopes, taken_back=_taken_back(token))


def _taken_back(token: RefreshToken) -> frozenset[str]:
    """What nobody agrees to any more.

    The token itself lives on, since it is good for whatever the application has consent for
    (v2-oauth2-auth-code-flow.md); that it works again after another consent is our reading.
    """
    still = consents.agreed(token.person, token.client_id)
    return frozenset(token.scopes.split()) - SIGN_IN_SCOPES - still


def _not_consented() -> EntraError:
    text = (
        "The user or administrator has not consented to use the application with ID "
        f"'{installation().client_id}'. Send an interactive authorization request for this user and resource."
    )
    return EntraError(65001, "invalid_grant", text, suberror="consent_required")


def _effective(requested: str, grant: _Grant) -> list[str]:
    """The scopes of the new access token: those asked for, or all. Raises ``EntraError`` for one not consented to."""
    wanted, unknown = known_scopes.normalized(requested, installation().services_url)
    has = [name for name in grant.granted.split() if name not in grant.taken_back]
    if unknown:
        text = (
            f"The provided value for the input parameter 'scope' is not valid. The scope {unknown[0]} does not exist."
        )
        raise EntraError(70011, "invalid_scope", text)
    if set(wanted) - SIGN_IN_SCOPES - set(has) or (grant.taken_back and not set(has) - SIGN_IN_SCOPES):
        raise _not_consented()
    resource_scopes = [name for name in wanted if name not in SIGN_IN_SCOPES]
    return [name for name in has if name in SIGN_IN_SCOPES or not resource_scopes or name in resource_scopes]


def _cut(scopes: list[str]) -> list[str]:
    """What is left of them where the tenant grants less than was agreed to."""
    only = {*switches().grants_only.split(), *SIGN_IN_SCOPES}
    return [name for name in scopes if name in only] if switches().grants_only else scopes


def _spelled(named: str, requested: str) -> str:
    """The scopes as the answer spells them: by their short names, or as they were asked for.

    No page of Microsoft's says which it is, in its national clouds least of all. The example of
    v2-oauth2-auth-code-flow.md asks for an address and is answered with one, that of Graph's auth-v2-user.md asks
    for a short name and is answered with one.
    """
    if not switches().full_scope_names:
        return named
    return " ".join(known_scopes.as_asked(named.split(), requested, installation().services_url))


def _answer(grant: _Grant, form: Any, client_id: str, now: datetime, *, first: bool) -> dict[str, Any]:
    scopes = _cut(_effective(form.get("scope", ""), grant))
    if grant.person.personal:
        scopes = known_scopes.of_personal_account(scopes)
    # Entra's answer names what the token is good for; offline_access shows in the refresh token itself.
    named = " ".join(name for name in scopes if name != "offline_access")
    access_token, seconds = tokens.issue_access_token(grant.person, client_id, named, now)
    body: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": _spelled(named, form.get("scope", "")),
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": access_token,
    }
    if "offline_access" in scopes and (first or switches().rotate_refresh_tokens):
        body["refresh_token"] = tokens.issue_refresh_token(grant.person, client_id, grant.granted)
    if "openid" in scopes:
        body["id_token"] = tokens.id_token(grant.person, client_id, set(scopes), grant.nonce, now)
    if form.get("client_info") == "1":
        body["client_info"] = tokens.client_info(grant.person)
    return body


def _exchange(request: HttpRequest, tenant: str, now: datetime) -> dict[str, Any]:
    check_tenant(tenant)
    if request.method != "POST":
        text = "Endpoint /token only accepts POST requests."
        raise EntraError(900561, "invalid_request", text)
    client_id = _check_client(request)
    form = request.POST
    match form.get("grant_type"):
        case "authorization_code":
            grant = _redeem_code(form, client_id, now)
        case "refresh_token":
            grant = _redeem_refresh_token(form, client_id)
        case other:
            text = f"The app requested an unsupported grant type '{other}'."
            raise EntraError(70003, "unsupported_grant_type", text)
    return _answer(grant, form, client_id, now, first=form.get("grant_type") == "authorization_code")


@csrf_exempt
def token(request: HttpRequest, tenant: str) -> JsonResponse:
    try:
        response = JsonResponse(_exchange(request, tenant, datetime.now(UTC)))
    except EntraError as exc:
        response = as_json(exc, request.headers.get("client-request-id", ""))
    response["Cache-Control"] = "no-store, no-cache"
    response["Pragma"] = "no-cache"
    return response
