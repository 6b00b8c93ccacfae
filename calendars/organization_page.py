"""What admins set for everybody: the whitelist, and the rule that counts where nobody chose another, or at all."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from calendars import attendance
from calendars.attendance import Preview
from calendars.forms import OrganizationForm, typed_in
from sally.access import for_person
from sally.models import Organization, User
from sally.reauthentication import recently_confirmed


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def organization(request: HttpRequest, user: User) -> HttpResponseBase:
    """For admins of the organization, and for superusers, who name it by ``organization`` in the address.

    A session that somebody else got hold of must not list a domain, and so have Sally join meetings with strangers.
    """
    found = _of(request, user)
    return recently_confirmed(_page)(request, found)


def _of(request: HttpRequest, user: User) -> Organization:
    """Raises ``Http404`` for an organization that is not the user's to manage."""
    named = request.GET.get("organization", str(user.organization_id or ""))
    if not user.is_staff or not (named.isascii() and named.isdecimal() and len(named) < 19):
        raise Http404
    if not user.is_superuser and int(named) != user.organization_id:
        raise Http404
    return get_object_or_404(Organization.objects.select_related("participation"), pk=int(named))


def _page(request: HttpRequest, organization: Organization) -> HttpResponse:
    now, default = timezone.now(), getattr(organization, "participation", None)
    posted = request.POST if request.method == "POST" else None
    form = OrganizationForm(posted, organization=organization, default=default)
    if {"back", "new", "remove"} & set(request.POST):
        typed = typed_in(form)
        number = _edit(typed["domains"], request)
        form = OrganizationForm(organization=organization, default=default, typed=typed)
        return _show(request, organization, form, number)
    if not form.is_bound or not form.is_valid():
        return _show(request, organization, form, None)
    values, domains = form.values, form.cleaned_data["domains"]
    if "save" in request.POST:
        attendance.save_organization(organization, values, domains, now)
        messages.success(request, _("Saved. It counts for %(name)s from now on.") % {"name": organization})
        return redirect(request.get_full_path())
    found = attendance.preview_organization(organization, values, domains, now)
    context = {"form": form, "organization": organization, "preview": found, "changes": _changes(found)}
    return render(request, "calendars/assistant_organization_preview.html", context)


def _edit(domains: list[str], request: HttpRequest) -> int | None:
    """Add or remove a line of the whitelist, as the pressed button says; which line is to have the focus."""
    if "new" in request.POST:
        domains.append("")
        return len(domains) - 1
    removed = request.POST.get("remove", "")
    if removed.isascii() and removed.isdecimal() and len(removed) < 5 and int(removed) < len(domains):
        del domains[int(removed)]
        return min(int(removed), len(domains) - 1) if domains else 0
    return None


def _show(request: HttpRequest, organization: Organization, form: OrganizationForm, focus: int | None) -> HttpResponse:
    context = {"form": form, "organization": organization, "focus": focus}
    return render(request, "calendars/assistant_organization.html", context)


def _changes(found: Preview) -> list[str]:
    """Numbers only: admins never see whose meetings, or which."""
    total = len(found.gained) + len(found.lost) + len(found.moved)
    of = {
        "meetings": ngettext("%(count)s meeting", "%(count)s meetings", total) % {"count": total},
        "people": ngettext("%(count)s person", "%(count)s people", found.people) % {"count": found.people},
    }
    kinds = (
        (_("Joined by Sally: %(count)s more"), len(found.gained)),
        (_("Joined by Sally: %(count)s fewer"), len(found.lost)),
        (_("Joined at another time: %(count)s"), len(found.moved)),
    )
    lines = [words % {"count": count} for words, count in kinds if count]
    return [_("This changes %(meetings)s of %(people)s in the next 14 days.") % of, *lines]
