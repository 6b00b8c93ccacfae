"""The way to an admin's approval: for the person who waits, and for their IT, who need no account here."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from django.contrib import messages
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations import admin_consent, hints, permissions, waiting
from integrations.forms import ApprovalForm, DeclineForm
from integrations.models import ApprovalRequest, CalendarConnection, SignIn
from integrations.providers.microsoft import WORK
from sally.access import for_person
from sally.models import User


@dataclass(frozen=True)
class Mail:
    """A mail for IT, ready to be sent by the person who asks; ``link`` opens it, shortened, in their own program."""

    code: str
    language: str
    subject: str
    text: str
    link: str


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def approval(request: HttpRequest, user: User) -> HttpResponse:
    """Whose approval it takes: the work address says which organization's."""
    posted = request.POST if request.method == "POST" else None
    form = ApprovalForm(posted, initial={"address": _address_of(request, user)})
    if not form.is_valid():
        first = "admin" if "admin" in (request.GET.get("as"), *request.POST) else "ask"
        return render(request, "integrations/approval.html", {"form": form, "first": first})
    asked = ApprovalRequest.objects.ask(user, WORK.key, form.cleaned_data["address"], timezone.now())
    return redirect("approve", token=asked.token) if "admin" in request.POST else redirect("approval-mail")


def _address_of(request: HttpRequest, user: User) -> str:
    """The address to fill in: of the calendar it is about, of the last request, or the person's own here."""
    known = CalendarConnection.objects.filter(owner=user, provider=WORK.key).needing_attention().first()
    asked = ApprovalRequest.objects.filter(user=user).first()
    return (
        hints.account_for(request, WORK.key)
        or (known.account_email if known else "")
        or (asked.address if asked else "")
        or user.email
    )


@require_safe
@for_person
def approval_mail(request: HttpRequest, user: User) -> HttpResponse:
    """The link for IT, and a ready mail in each language: who reads it need not speak the person's."""
    asked = ApprovalRequest.objects.select_related("user__organization").filter(user=user).first()
    if asked is None or not asked.is_good(timezone.now()):  # withdrawn meanwhile, or too old
        return redirect("approval")
    link = _link(asked)
    mails = sorted((_mail(asked, link, code) for code, _name in settings.LANGUAGES), key=_own_language_first)
    return render(request, "integrations/approval_mail.html", {"asked": asked, "link": link, "mails": mails})


def _own_language_first(mail: Mail) -> bool:
    return mail.code != translation.get_language()


def _link(asked: ApprovalRequest) -> str:
    return settings.PUBLIC_URL + reverse("approve", args=[asked.token])


def _mail(asked: ApprovalRequest, link: str, code: str) -> Mail:
    with translation.override(code):
        values = {
            "asked": asked,
            "link": link,
            "permissions": permissions.named(asked.scopes),
            "never": permissions.NEVER,
        }
        subject = " ".join(render_to_string("integrations/approval_subject.txt", values).split())
        text = render_to_string("integrations/approval_mail.txt", values).strip()
        short = render_to_string("integrations/approval_short.txt", values).strip()
        name = translation.get_language_info(code)["name_local"]
    return Mail(code, name, subject, text, f"mailto:?subject={quote(subject)}&body={quote(short)}")


@require_safe
@for_person
def approval_card(request: HttpRequest, user: User) -> HttpResponse:
    """What Integrations says of it, as a fragment that its page asks for now and then. Nothing where all is settled."""
    now_waiting = waiting.of(user, timezone.now())
    if now_waiting is None:
        return HttpResponse()
    if request.GET.get("seen") == now_waiting.appearance:
        return HttpResponse(status=204)
    return render(request, "integrations/_waiting_said.html", {"waiting": now_waiting})


@require_POST
@for_person
def dismiss(request: HttpRequest, user: User) -> HttpResponse:
    """The person has given it up, or knows. A link that IT has already ends with it."""
    SignIn.objects.dismiss(user)
    ApprovalRequest.objects.filter(user=user).delete()
    return redirect("integrations")


# -- for IT, without an account ------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def approve(request: HttpRequest, token: str) -> HttpResponse:
    """Who asks, for what and why; then to Microsoft, or a word why not. Opening it uses nothing up."""
    asked = _good(token)
    if asked is None:
        return render(request, "integrations/approve_gone.html", status=404)
    form = DeclineForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        if not ApprovalRequest.objects.decline(asked, form.cleaned_data["reason"], timezone.now()):
            messages.info(request, _("Nothing was changed: this was answered already."))
        return redirect("approve", token=token)
    context = {
        "asked": asked,
        "permissions": permissions.named(asked.scopes),
        "never": permissions.NEVER,
        "address": admin_consent.address(asked.domain, asked.scopes, token),
        "anywhere": admin_consent.address(admin_consent.ANY_TENANT, asked.scopes, token),
        "home": settings.PUBLIC_URL,
        "client_id": settings.MICROSOFT_CLIENT_ID,
        "form": form,
    }
    return render(request, "integrations/approve.html", context)


def answered(request: HttpRequest) -> HttpResponse:
    """What Microsoft's page sent an admin back with. It is noted as reported, and leaves the address bar at once.

    A forged or repeated one changes nothing.
    """
    token = request.GET.get("state", "")
    asked = _good(token)
    if asked is None:
        return render(request, "integrations/approve_gone.html", status=404)
    answer, now = admin_consent.read(request.GET.dict()), timezone.now()
    if answer.approved:
        ApprovalRequest.objects.report(asked, answer.scopes, answer.tenant, now)
    elif answer.declined:
        ApprovalRequest.objects.decline(asked, "", now)
    else:
        messages.error(request, _("Microsoft reported a mistake instead of an answer. Nothing was changed; try again."))
    return redirect("approve", token=token)


def is_answer(request: HttpRequest) -> bool:
    """Whether this came back from the page for admins, not from a sign-in."""
    if "admin_consent" in request.GET:
        return True
    try:
        ApprovalRequest.objects.of_token(request.GET.get("state", ""))
    except BadSignature:
        return False
    return True


def _good(token: str) -> ApprovalRequest | None:
    """The request of this link or state, as long as it is good."""
    try:
        asked = ApprovalRequest.objects.of_token(token)
    except BadSignature:
        return None
    return asked if asked and asked.is_good(timezone.now()) else None
