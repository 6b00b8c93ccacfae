"""Codes and tokens: made, kept as digests, and looked up."""

import base64
import hashlib
import json
import secrets
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sandbox.certificates import load_token_key
from sandbox.installation import installation, switches
from sandbox.models import AccessToken, AuthorizationCode, Person, RefreshToken
from sandbox.people import tenant_of

CODE_LIFE = timedelta(minutes=10)
_GRAPH_APP = "00000003-0000-0000-c000-000000000000"


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


@cache
def _signing_key() -> RSAPrivateKey:
    return load_token_key(installation().directory)


def _key_id() -> str:
    numbers = _signing_key().public_key().public_numbers()
    return digest(str(numbers.n))[:27]


def public_keys() -> dict[str, list[dict[str, Any]]]:
    """The JSON Web Key Set that id tokens can be checked with."""
    key: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_signing_key().public_key()))
    return {"keys": [{"kty": "RSA", "use": "sig", "kid": _key_id(), "n": key["n"], "e": key["e"]}]}


def _signed(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, _signing_key(), algorithm="RS256", headers={"kid": _key_id()})


def client_info(person: Person) -> str:
    info = json.dumps({"uid": person.oid, "utid": tenant_of(person)})
    return base64.urlsafe_b64encode(info.encode()).decode().rstrip("=")


def id_token(person: Person, client_id: str, scopes: set[str], nonce: str, now: datetime) -> str:
    """``sub`` differs per application, and ``oid`` comes with the profile scope only, as at Entra."""
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "aud": client_id,
        "iss": f"{installation().services_url}/{tenant_of(person)}/v2.0",
        "iat": issued,
        "nbf": issued,
        "exp": issued + 3600,
        "sub": base64.urlsafe_b64encode(hashlib.sha256(f"{client_id} {person.oid}".encode()).digest())
        .decode()
        .rstrip("="),
        "tid": tenant_of(person),
        "uti": secrets.token_urlsafe(16),
        "ver": "2.0",
    }
    if nonce:
        claims["nonce"] = nonce
    if "profile" in scopes:
        claims |= {"oid": person.oid, "name": person.name, "preferred_username": person.email}
    if "email" in scopes:
        claims["email"] = person.email
    return _signed(claims)


def issue_code(
    person: Person, client_id: str, redirect_uri: str, scopes: str, proof: tuple[str, str], nonce: str, now: datetime
) -> str:
    """A new code; ``proof`` is PKCE's challenge and its method, both empty without PKCE."""
    value = f"M.C501_BL2.2.U.{secrets.token_urlsafe(24)}" if person.personal else f"1.{secrets.token_urlsafe(48)}"
    AuthorizationCode.objects.create(
        digest=digest(value),
        person=person,
        client_id=client_id,
        redirect_uri=redirect_uri,
        scopes=scopes,
        challenge=proof[0],
        challenge_method=proof[1],
        nonce=nonce,
        expires_at=now + CODE_LIFE,
    )
    return value


def issue_access_token(person: Person, client_id: str, scopes: str, now: datetime) -> tuple[str, int]:
    """A new access token and its life in seconds: a JWT for Graph, or what no client can read for a personal account.

    Source of the latter: entra-docs, access-tokens.md; its first letters are what Microsoft's tokens have.
    """
    seconds = switches().access_token_seconds
    expires_at = now + timedelta(seconds=seconds)
    claims = {
        "aud": _GRAPH_APP,
        "appid": client_id,
        "oid": person.oid,
        "tid": tenant_of(person),
        "scp": scopes,
        "exp": int(expires_at.timestamp()),
        "uti": secrets.token_urlsafe(16),
    }
    value = f"EwB{secrets.token_urlsafe(900)}" if person.personal else _signed(claims)
    AccessToken.objects.create(digest=digest(value), person=person, scopes=scopes, expires_at=expires_at)
    return value, seconds


def issue_refresh_token(person: Person, client_id: str, scopes: str) -> str:
    value = f"M.C501_BL2.0.U.-{secrets.token_urlsafe(192)}" if person.personal else f"1.{secrets.token_urlsafe(96)}"
    RefreshToken.objects.create(digest=digest(value), person=person, client_id=client_id, scopes=scopes)
    return value
