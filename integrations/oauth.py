"""Sign-in at Microsoft, and the tokens that come of it: the only module that knows msal.

What msal 1.39 does not do is done here: it decodes the id token without checking issuer, audience or expiry
(https://github.com/AzureAD/microsoft-authentication-library-for-python/issues/911), and it raises four kinds of
exceptions, which become ``integrations.errors``.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msal
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from integrations import clouds, problems
from integrations.accounts import SignedIn
from integrations.errors import (
    OperatorProblem,
    PermissionMissing,
    ProviderError,
    ReconnectNeeded,
    Unavailable,
    UnexpectedAnswer,
    WrongDoor,
)
from integrations.events import LONGEST_ADDRESS, LONGEST_NAME, clean
from integrations.http import IN_A_PAGE, Session, check
from integrations.trail import Trail

# msal recommends form_post. A form post from another site arrives without SameSite=Lax cookies, so without the
# session that the callback must belong to; the query form keeps them.
warnings.filterwarnings("ignore", message="response_mode='form_post'", category=UserWarning)

# msal adds these by itself, refuses to be given them, and leaves out those of them that it is told to.
_RESERVED = frozenset({"openid", "profile", "offline_access"})
_GOOD_FOR = 300  # seconds; msal renews what is good for less
_DISCOVERY_SECONDS = 24 * 3600.0
T = TypeVar("T")
_discovered: dict[str, tuple[float, requests.Response]] = {}


def begin(
    scopes: Sequence[str],
    *,
    authority: str,
    redirect_uri: str,
    state: str,
    trail: Trail,
    login_hint: str = "",
    claims: str = "",
) -> dict[str, Any]:
    """A sign-in under way: what ``finish`` needs later, and in ``auth_uri`` where the person goes now.

    ``claims`` is a challenge to pass on. Raises ``Temporary`` and ``OperatorProblem``.
    """
    unwanted = _RESERVED - set(scopes)
    app = _app(authority, msal.SerializableTokenCache(), Session(trail, patience=IN_A_PAGE), unwanted)
    # Entra refuses login_hint together with prompt=select_account (entra-docs, v2-oauth2-auth-code-flow).
    choice = {"login_hint": login_hint} if login_hint else {"prompt": "select_account"}
    asked = [clouds.asked_name(scope) for scope in scopes if scope not in _RESERVED]
    flow: dict[str, Any] = app.initiate_auth_code_flow(
        asked, redirect_uri=redirect_uri, state=state, claims_challenge=claims or None, **choice
    )
    return flow


def finish(flow: Mapping[str, Any], answer: Mapping[str, str], *, authority: str, trail: Trail) -> SignedIn:
    """Redeem the callback's parameters. Raises any ``ProviderError``; nothing is stored here."""
    if "error" in answer:
        raise _refused(answer)
    cache = msal.SerializableTokenCache()
    app = _app(authority, cache, Session(trail, patience=IN_A_PAGE))
    result = _translated(lambda: app.acquire_token_by_auth_code_flow(dict(flow), dict(answer)))
    if "error" in result:
        raise _refused(result)
    claims = _checked_claims(result)
    return SignedIn(
        account_id=_account_id(result, claims),
        email=clean(_address(claims), LONGEST_ADDRESS),
        name=clean(claims.get("name"), LONGEST_NAME),
        scopes=tuple(sorted(_granted(result))),
        secret={"cache": cache.serialize()},
    )


class Tokens:
    """Access tokens for one account; hands every change of msal's cache to ``save`` at once.

    Entra rotates refresh tokens: one that was received and not saved is lost.
    """

    def __init__(
        self, cache: str, scopes: Sequence[str], save: Callable[[str], None], *, authority: str, session: Session
    ) -> None:
        self._cache = msal.SerializableTokenCache()
        self._cache.deserialize(cache)
        # Only what was granted: asking for more makes msal refresh over the network every time.
        calendars = [scope for scope in scopes if scope.startswith("Calendars.")]
        if not calendars:
            raise PermissionMissing("no calendar scope was granted")
        self._calendars, self._save, self._authority, self._session = calendars, save, authority, session
        # A renewed token is asked for nothing that the person was not asked for either.
        self._unwanted = {"profile"} - set(scopes)

    def __repr__(self) -> str:
        return "<Tokens>"

    def access_token(self, *, renew: bool = False, claims: str = "") -> str:
        """A token good for five minutes at least; with ``renew`` a new one, which proves ``claims`` if it can.

        Raises any ``ProviderError``.
        """
        app = _app(self._authority, self._cache, self._session, self._unwanted)
        account = next(iter(app.get_accounts()), None)
        if account is None:
            raise ReconnectNeeded("no account in the token cache")
        result = _translated(
            lambda: app.acquire_token_silent_with_error(
                self._asked(renew or bool(claims)),
                account=account,
                force_refresh=renew,
                claims_challenge=claims or None,
            )
        )
        if self._cache.has_state_changed:
            self._save(self._cache.serialize())
            self._cache.has_state_changed = False
        if result is None:
            raise ReconnectNeeded("no refresh token")
        if "error" in result:
            raise _refused(result)
        return str(result["access_token"])

    def _asked(self, renew: bool) -> list[str]:
        """The calendar scopes in the form in which a good token is kept, or else as Entra is asked for them.

        msal keeps a token by the scope of Entra's answer, and finds none, and so renews it every time, when asked for
        the same in the other form (https://github.com/AzureAD/microsoft-authentication-library-for-python/issues/450).
        """
        kept: dict[str, str] = {}
        for token in self._cache.search(msal.TokenCache.CredentialType.ACCESS_TOKEN):
            if not renew and int(token["expires_on"]) - time.time() > _GOOD_FOR:
                kept |= {clouds.short_name(name): name for name in token["target"].split()}
        return [kept.get(name) or clouds.asked_name(name) for name in self._calendars]


class _Transport:
    """What msal sends through: the one session, with discovery documents remembered for a day.

    msal's own http_cache would do that too, but shares refusals as well: for a minute it answers an old error
    without asking, even when the server has recovered.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, url: str, **kwargs: Any) -> requests.Response:
        known = _discovered.get(url)
        if known and time.monotonic() - known[0] < _DISCOVERY_SECONDS:
            return known[1]
        response = self._session.get(url, **kwargs)
        check(response.status_code, response.headers, "discovery")
        if response.status_code == 200:
            _discovered[url] = (time.monotonic(), response)
        return response

    def post(self, url: str, **kwargs: Any) -> requests.Response:
        response = self._session.post(url, **kwargs)
        check(response.status_code, response.headers, "token")
        return response

    def close(self) -> None:
        self._session.close()


def _app(
    authority: str, cache: msal.SerializableTokenCache, session: Session, unwanted: Iterable[str] = ()
) -> msal.ConfidentialClientApplication:
    credential = _credential()

    def build() -> msal.ConfidentialClientApplication:
        return msal.ConfidentialClientApplication(
            settings.MICROSOFT_CLIENT_ID,
            client_credential=credential,
            authority=f"{settings.MICROSOFT_LOGIN_URL}/{authority}",
            token_cache=cache,
            http_client=_Transport(session),
            # The operator named the authority; asking Microsoft's global host about it would leave the cloud in use.
            instance_discovery=False,
            exclude_scopes=sorted(unwanted),
        )

    return _translated(build)


def _credential() -> Any:
    """The secret, or the certificate in its place. Raises ``OperatorProblem`` where neither is usable."""
    if not settings.MICROSOFT_CLIENT_ID:
        raise OperatorProblem("MICROSOFT_CLIENT_ID is not set", code="OPERATOR-0")
    if settings.MICROSOFT_CLIENT_CERTIFICATE:
        try:
            pem = Path(settings.MICROSOFT_CLIENT_CERTIFICATE).read_bytes()
            load_pem_private_key(pem, password=None)
            x509.load_pem_x509_certificate(pem)
        except (OSError, ValueError, TypeError) as exc:  # TypeError: the key wants a password
            detail = f"MICROSOFT_CLIENT_CERTIFICATE: {type(exc).__name__}"
            raise OperatorProblem(detail, code="OPERATOR-1") from None
        text = pem.decode("ascii", "replace")
        return {"private_key": text, "public_certificate": text}
    if not settings.MICROSOFT_CLIENT_SECRET:
        raise OperatorProblem("MICROSOFT_CLIENT_SECRET is not set", code="OPERATOR-0")
    return settings.MICROSOFT_CLIENT_SECRET


def _translated(call: Callable[[], T]) -> T:
    """Run a call into msal; its exceptions may carry tokens or whole pages, so only their kind is kept."""
    try:
        return call()
    except ProviderError:
        raise
    except requests.RequestException as exc:
        raise Unavailable(f"sign-in service: {type(exc).__name__}") from None
    except msal.exceptions.MsalError as exc:
        raise Unavailable(f"sign-in service: {type(exc).__name__}") from None
    except RuntimeError as exc:
        # msal raises it for a nonce that is missing or another's.
        raise UnexpectedAnswer(f"sign-in service: {type(exc).__name__}", code="NONCE") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as exc:
        # What msal trips over where an answer is no JSON, or not the object it takes for granted.
        raise Unavailable(f"sign-in service: unreadable answer ({type(exc).__name__})") from None


_CODE = re.compile(r"AADSTS(\d{4,8})")
# As 50020 and 500200 begin (SupportArticles-docs, error-code-aadsts50020). It came through a browser: a hint, no proof.
_ACCOUNT = re.compile(r"User account '(\S{1,254}?)' (?:is|from|does)\b")
LONGEST_CLAIMS = 4000


def _refused(answer: Mapping[str, Any]) -> ProviderError:
    """Entra's refusal as the error that ``problems`` knows for it."""
    error, suberror = _word(answer.get("error")), _word(answer.get("suberror"))
    description = str(answer.get("error_description", ""))
    match = _CODE.search(description)
    number = int(match[1]) if match else 0
    claims = challenge(answer.get("claims"))
    # A refusal that names what is to be proved wants the person, whatever else it says.
    kind, code = problems.of_answer(error, suberror or ("basic_action" if claims else ""), number)
    detail = f"{error} {suberror} {number or ''}".strip()
    if issubclass(kind, WrongDoor):
        named = _ACCOUNT.search(description)
        return kind(detail, code=code, account=named[1] if named else "")
    return kind(detail, code=code, claims=claims) if issubclass(kind, ReconnectNeeded) else kind(detail, code=code)


def challenge(claims: object) -> str:
    """A claims challenge as msal takes it, a JSON object; "" for anything else."""
    text = str(claims or "")
    try:
        readable = len(text) <= LONGEST_CLAIMS and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        readable = False
    return text if readable else ""


def _word(value: object) -> str:
    """One of OAuth's words; what is none of its shape must not reach a log as it is."""
    text = str(value or "")
    return text if re.fullmatch(r"[a-z_]{1,60}", text) else "unreadable" if text else ""


def _checked_claims(result: Mapping[str, Any]) -> Mapping[str, Any]:
    claims = result.get("id_token_claims")
    if not isinstance(claims, dict):
        raise UnexpectedAnswer("no id token", code="IDTOKEN")
    audience, tenant = claims.get("aud"), claims.get("tid")
    if audience != settings.MICROSOFT_CLIENT_ID:
        raise UnexpectedAnswer("id token for another audience", code="IDTOKEN")
    if not tenant or claims.get("iss") != f"{settings.MICROSOFT_LOGIN_URL}/{tenant}/v2.0":
        raise UnexpectedAnswer("id token of another issuer", code="IDTOKEN")
    if not isinstance(claims.get("exp"), int) or claims["exp"] < time.time() - 300:
        raise UnexpectedAnswer("id token has expired", code="IDTOKEN")
    return claims


def _granted(result: Mapping[str, Any]) -> set[str]:
    """Short names. No answer's scope names offline_access: that it was granted shows in the refresh token."""
    named = {clouds.short_name(scope) for scope in str(result.get("scope", "")).split()}
    return named | ({"offline_access"} if result.get("refresh_token") else set())


def _address(claims: Mapping[str, Any]) -> str:
    """What people know the account by. Without the profile scope there is no name, and not every account has a mail."""
    named = (claims.get(name) for name in ("preferred_username", "email", "name"))
    return str(next(filter(None, named), "Microsoft account"))


def _account_id(result: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    text = str(result.get("client_info") or "")
    try:
        info = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        uid, utid = str(info["uid"]), str(info["utid"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise UnexpectedAnswer("no client_info", code="IDTOKEN") from None
    if utid != claims.get("tid"):
        # A guest signs in to a foreign tenant: the calendar lives at home, the token would not open it.
        raise UnexpectedAnswer("account of another tenant", code="GUEST")
    return f"{uid}.{utid}"
