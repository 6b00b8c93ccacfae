"""The pages a person sees while signing in: pick an account, agree or not, and back to the application."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from sandbox import approval, consents, people, tokens
from sandbox.entra import (
    EntraError,
    check_client_id,
    check_redirect_uri,
    check_scopes,
    check_tenant,
    error_fields,
    refused_page,
    takes,
    to_application,
    wrong_door,
    wrong_door_sentence,
)
from sandbox.installation import installation, switches
from sandbox.models import Person
from sandbox.scopes import lines, normalized
from sandbox.sign_in import pick_account

_PROMPTS = frozenset({"", "login", "none", "consent", "select_account"})


@dataclass(frozen=True)
class _Request:
    """An authorization request that may be answered by a redirect to its application."""

    tenant: str
    client_id: str
    redirect_uri: str
    state: str
    response_mode: str
    scopes: tuple[str, ...]
    prompt: str
    login_hint: str
    nonce: str
    challenge: str
    challenge_method: str
    wants_client_info: bool


class _Refused(Exception):
    """An error that the application is told through the redirect."""

    def __init__(self, error: EntraError) -> None:
        super().__init__(error.text)
        self.error = error


def _read(query: QueryDict, tenant: str) -> _Request:
    return _Request(
        tenant=tenant,
        client_id=query.get("client_id", ""),
        redirect_uri=query.get("redirect_uri", ""),
        state=query.get("state", ""),
        response_mode=query.get("response_mode", "query"),
        scopes=tuple(normalized(query.get("scope", ""), installation().services_url)[0]),
        prompt=query.get("prompt", ""),
        login_hint=query.get("login_hint", ""),
        nonce=query.get("nonce", ""),
        challenge=query.get("code_challenge", ""),
        challenge_method=query.get("code_challenge_method", "plain") if "code_challenge" in query else "",
        wants_client_info=query.get("client_info") == "1",
    )


def _check_target(asked: _Request) -> None:
    """What must be right before anything is sent to the redirect URI. Raises ``EntraError``, shown on a page."""
    check_tenant(asked.tenant)
    check_client_id(asked.client_id)
    check_redirect_uri(asked.redirect_uri)


def _check(asked: _Request, query: QueryDict) -> None:
    """Raises ``_Refused`` for a request that the application has to mend."""
    if query.get("response_type") != "code":
        text = "The app requested an unsupported response type. This sandbox knows only 'code'."
        raise _Refused(EntraError(700054, "unsupported_response_type", text))
    if asked.response_mode not in ("query", "form_post"):
        text = f"The value '{asked.response_mode}' for the parameter 'response_mode' is not supported here."
        raise _Refused(EntraError(900144, "invalid_request", text))
    if asked.prompt not in _PROMPTS:
        raise _Refused(EntraError(90023, "invalid_request", f"Unsupported 'prompt' value '{asked.prompt}'."))
    try:
        check_scopes(asked.client_id, query.get("scope", ""))
    except EntraError as exc:
        raise _Refused(exc) from exc
    if asked.challenge and asked.challenge_method not in ("S256", "plain"):
        text = "Invalid Code_Challenge_Method: it must be 'S256' or 'plain'."
        raise _Refused(EntraError(501491, "invalid_request", text))


def _back(request: HttpRequest, asked: _Request, fields: dict[str, str]) -> HttpResponse:
    """Back to the application, in the way it asked for."""
    if asked.state:
        fields["state"] = asked.state
    if asked.response_mode == "form_post":
        context = {"action": asked.redirect_uri, "fields": fields}
        return render(request, "sandbox/form_post.html", context)
    return to_application(asked.redirect_uri, fields)


def _back_with_error(request: HttpRequest, asked: _Request, error: EntraError) -> HttpResponse:
    return _back(request, asked, error_fields(error))


def _refusal_wanted() -> EntraError | None:
    """What the control API wants every sign-in to end with."""
    error, _, rest = switches().refuse_sign_in.partition(" ")
    code, _, text = rest.partition(" ")
    return EntraError(int(code), error, text) if error else None


def _back_with_code(request: HttpRequest, asked: _Request, person: Person) -> HttpResponse:
    proof = (asked.challenge, asked.challenge_method)
    scopes = " ".join(asked.scopes)
    now = datetime.now(UTC)
    code = tokens.issue_code(person, asked.client_id, asked.redirect_uri, scopes, proof, asked.nonce, now)
    fields = {"code": code, "session_state": secrets.token_hex(16)}
    if asked.wants_client_info:
        fields["client_info"] = tokens.client_info(person)
    return _back(request, asked, fields)


def _agreed(person: Person, asked: _Request) -> bool:
    return set(asked.scopes) <= consents.agreed(person, asked.client_id)


def _remember_consent(request: HttpRequest, asked: _Request, person: Person) -> None:
    """An admin may agree for everybody in the same breath, and then needs no consent of their own."""
    if person.admin and request.POST.get("for_organization"):
        consents.grant_to_tenant(asked.scopes, datetime.now(UTC))
    else:
        consents.remember(person, asked.client_id, asked.scopes)


def _without_page(request: HttpRequest, asked: _Request, person: Person | None) -> HttpResponse:
    """prompt=none: the application wants no page, so whatever needs one is an error."""
    if person is None:
        text = "A silent sign-in request was sent but no user is signed in."
        return _back_with_error(request, asked, EntraError(50058, "login_required", text))
    if not _agreed(person, asked):
        text = (
            f"The user or administrator has not consented to use the application with ID '{asked.client_id}'. "
            "Send an interactive authorization request for this user and resource."
        )
        return _back_with_error(request, asked, EntraError(65001, "interaction_required", text))
    return _back_with_code(request, asked, person)


def _at_the_wrong_door(request: HttpRequest, asked: _Request, person: Person) -> HttpResponse | None:
    """What an account of the other kind gets; None where it may go on."""
    if takes(asked.tenant, person) or switches().wrong_door == "open":
        return None
    if switches().wrong_door == "redirect":
        return _back_with_error(request, asked, wrong_door(person))
    return pick_account(request, asked.tenant, wrong_door_sentence(person))


def _ask_consent(request: HttpRequest, asked: _Request, person: Person) -> HttpResponse:
    """An admin is offered to agree for everybody, which is off at first (application-consent-experience.md)."""
    return render(request, "sandbox/consent.html", {"person": person, "scopes": lines(asked.scopes)})


def _stop(request: HttpRequest, asked: _Request, person: Person) -> HttpResponse:
    if switches().approval_returns == "redirect":
        return _back_with_error(request, asked, approval.error())
    return approval.stop(request, person, asked.scopes)


def _next_page(request: HttpRequest, asked: _Request) -> HttpResponse:
    hinted = people.find(asked.login_hint) if asked.prompt not in ("select_account", "login") else None
    if asked.prompt == "none":
        return _without_page(request, asked, hinted if hinted and takes(asked.tenant, hinted) else None)
    person = people.find(request.POST["account"]) if "account" in request.POST else hinted
    if person is None:
        return pick_account(request, asked.tenant)
    turned_away = _at_the_wrong_door(request, asked, person)
    if turned_away:
        return turned_away
    decision = request.POST.get("decision", "")
    if decision == "cancel":
        text = "User declined to consent to access the app."
        return _back_with_error(request, asked, EntraError(65004, "access_denied", text))
    if approval.is_needed(person, asked.client_id, asked.scopes):
        return _stop(request, asked, person)
    if decision == "accept":
        _remember_consent(request, asked, person)
    elif asked.prompt == "consent" or not _agreed(person, asked):
        return _ask_consent(request, asked, person)
    refusal = _refusal_wanted()
    return _back_with_error(request, asked, refusal) if refusal else _back_with_code(request, asked, person)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def authorize(request: HttpRequest, tenant: str) -> HttpResponse:
    asked = _read(request.GET, tenant)
    try:
        _check_target(asked)
        _check(asked, request.GET)
        response = _next_page(request, asked)
    except EntraError as exc:
        response = refused_page(request, exc)
    except _Refused as exc:
        response = _back_with_error(request, asked, exc.error)
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD"])
def signed_out(request: HttpRequest, tenant: str) -> HttpResponse:
    """Signing out, where there is no session to end; back to the application if it left its address."""
    after = request.GET.get("post_logout_redirect_uri", "")
    try:
        check_tenant(tenant)
        if after:
            check_redirect_uri(after)
            return HttpResponseRedirect(after)
    except EntraError as exc:
        return refused_page(request, exc)
    return render(request, "sandbox/signed_out.html")
