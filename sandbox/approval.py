"""Where an admin has to approve first: who is stopped, and the pages that say so."""

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sandbox import consents
from sandbox.entra import EntraError, trace_ids
from sandbox.installation import switches
from sandbox.models import Person
from sandbox.scopes import FOR_ADMINS_TO_GRANT, lines

_WORKFLOW = "workflow"


def is_needed(person: Person, client_id: str, scopes: Iterable[str]) -> bool:
    """Whether the tenant's policy keeps this person from agreeing to something that nobody agreed to yet.

    Source: entra-docs, manage-app-consent-policies.md for what people may not agree to,
    application-consent-experience.md for what admins may.
    """
    if not switches().approval or person.personal or person.admin:
        return False
    return bool(FOR_ADMINS_TO_GRANT & set(scopes) - consents.agreed(person, client_id))


def _only_an_admin() -> EntraError:
    text = (
        "The application needs permission to access resources in your organization that only an admin can grant. "
        "Ask an admin to grant permission to this app before you can use it."
    )
    return EntraError(90094, "access_denied", text)


def _ask_an_admin() -> EntraError:
    text = "Admin consent is required. Ask an admin for it before you can use this app."
    return EntraError(90095, "access_denied", text)


def error() -> EntraError:
    """What stops a person, as it stands on Microsoft's page and, where it is told, in the redirect.

    Source: entra-docs, reference-error-codes.md for the numbers, application-sign-in-unexpected-user-consent-error.md
    for the words of 90094; those of 90095 are made from its description.
    """
    return _ask_an_admin() if switches().approval == _WORKFLOW else _only_an_admin()


def _other_account(request: HttpRequest) -> str:
    """The same request for somebody else, whom a hint would rule out."""
    query = request.GET.copy()
    query.pop("login_hint", None)
    query["prompt"] = "select_account"
    return f"?{query.urlencode()}"


def need_approval(request: HttpRequest, person: Person, *, can_return: bool) -> HttpResponse:
    """Microsoft's page "Need admin approval" with its two links.

    Source: its texts as people quote them, microsoftgraph/microsoft-graph-docs#3917 and
    Azure-Samples/active-directory-aspnetcore-webapp-openidconnect-v2#44.
    """
    context = {"person": person, "error": _only_an_admin(), "ids": trace_ids(), "can_return": can_return}
    return render(request, "sandbox/need_approval.html", context | {"other_account": _other_account(request)})


def stop(request: HttpRequest, person: Person, scopes: Iterable[str]) -> HttpResponse:
    """The page that the person stops at; nothing is sent to the application from here.

    Source for the workflow's pages: entra-docs, admin-consent-workflow-overview.md. Whom the request goes to, and
    whether they ever look at it, nobody here tells.
    """
    if switches().approval != _WORKFLOW:
        return need_approval(request, person, can_return=True)
    if request.POST.get("decision") == "request":
        return render(request, "sandbox/request_sent.html", {"person": person})
    context = {"person": person, "error": _ask_an_admin(), "ids": trace_ids(), "scopes": lines(scopes)}
    return render(request, "sandbox/approval_required.html", context)
