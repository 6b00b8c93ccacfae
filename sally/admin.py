"""People and system health in Django admin, and the rule that an admin sees only their own organization."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.core.exceptions import BadRequest, FieldDoesNotExist, PermissionDenied, ValidationError
from django.db import DataError, transaction
from django.db.models import JSONField, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sally import health, invitations
from sally.forms import DomainsField
from sally.models import Condition, Heartbeat, Organization, User
from sally.reauthentication import recently_confirmed

admin.site.unregister(Group)  # roles are a field of the user

MOST_WORDS = 20


@contextmanager
def _bad_input(request: HttpRequest | None = None) -> Iterator[None]:
    """Django admin trips over parameters and ids that are no such thing; they are the sender's mistake, not ours.

    With a request only where it reads: what goes wrong while something is saved may well be ours.
    """
    try:
        yield
    except (ValueError, ValidationError, KeyError, FieldDoesNotExist, DataError) as exc:
        if request is not None and request.method == "POST":
            raise
        raise BadRequest("nonsensical parameters") from exc


class ForOrganization(admin.ModelAdmin):  # type: ignore[type-arg]  # generic to the type checker only
    """Rows of the admin's own organization; a superuser sees all. No model permissions are needed."""

    organization_path = "organization"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The filters on the page only. Django allows every field: ?password__startswith= would spell the hash out."""
        offered = {*self.list_filter, self.date_hierarchy}
        return lookup.partition("__")[0] in offered and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if isinstance(request.user, User) and not request.user.is_superuser:
            return rows.filter(**{self.organization_path: request.user.organization_id or -1})
        return rows

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        """Of so many words only: SQLite has a limit to what one statement may ask."""
        return super().get_search_results(request, queryset, " ".join(search_term.split()[:MOST_WORDS]))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        with _bad_input():
            for chosen in request.POST.getlist("_selected_action"):
                self.model._meta.pk.to_python(chosen)
        with _bad_input(request):
            return super().changelist_view(request, extra_context)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        with _bad_input(request):
            return super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        with _bad_input(request):
            return super().delete_view(request, *args, **kwargs)

    def _is_admin(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.is_staff

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._is_admin(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_admin(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_admin(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._is_admin(request)


@admin.register(Organization)
class OrganizationAdmin(ForOrganization):
    organization_path = "pk"
    list_display = ["name"]
    formfield_overrides = {JSONField: {"form_class": DomainsField}}
    search_fields = ["name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.is_superuser

    def get_readonly_fields(self, request: HttpRequest, obj: Organization | None = None) -> list[str]:
        """What a change of the domains means for meetings is shown elsewhere, before it is saved."""
        return ["internal_domains"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        if obj:
            page = f"{reverse('assistant-organization')}?organization={obj.pk}"
            text = _("They are changed on the page of the Meeting Assistant, which shows first what that means.")
            options["help_texts"] = {"internal_domains": format_html('<a href="{}">{}</a>', page, text)}
        return super().get_form(request, obj, change, **options)


@admin.register(User)
class UserAdmin(ForOrganization):
    """Adding a user sends an invitation; passwords are the users' own business."""

    list_display = ["email", "name", "organization", "role", "is_active", "last_login"]
    list_select_related = ["organization"]
    list_filter = ["role", "is_active"]
    search_fields = ["email", "name"]
    actions = ["invite_again"]
    fields = ["email", "name", "organization", "role", "is_active", "language", "time_zone", "last_login"]
    readonly_fields = ["last_login"]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Looking is free; what is chosen from the list of actions is not."""
        view = super().changelist_view
        confirmed = recently_confirmed(view) if request.method == "POST" else view
        return confirmed(request, extra_context)

    @method_decorator(recently_confirmed)
    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().delete_view(request, *args, **kwargs)

    @method_decorator(recently_confirmed)
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """A session that somebody else got hold of must not give out roles."""
        return super().changeform_view(request, *args, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Whoever could change an address could have the password reset sent there, and act as the member."""
        fixed = obj is not None and not self._is_superuser(request)
        return [*self.readonly_fields, *(["email"] if fixed else [])]

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        names = list(super().get_fields(request, obj))
        if isinstance(request.user, User) and request.user.is_superuser:
            return [*names, "is_superuser"]
        names.remove("organization")  # an admin invites into their own, and moves nobody
        return names

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (self._is_superuser(request) or obj is None or not obj.is_superuser)

    def has_add_permission(self, request: HttpRequest) -> bool:
        belongs = isinstance(request.user, User) and request.user.organization_id is not None
        return super().has_add_permission(request) and (belongs or self._is_superuser(request))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Oneself not, lest nobody is left."""
        return self._is_superuser(request) and obj != request.user

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        # One by one: what is locked for one of them is let go before the next (calendars/planning.py).
        for user in queryset.exclude(pk=request.user.pk or 0):
            user.delete()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A person's connections and meetings go along, although nobody may delete them one by one here."""
        listed, counts, _forbidden, protected = super().get_deleted_objects(objs, request)
        return listed, counts, set(), protected

    def _is_superuser(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.is_superuser

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        if not change:
            obj.set_unusable_password()
            if isinstance(request.user, User) and not request.user.is_superuser:
                obj.organization = request.user.organization
        super().save_model(request, obj, form, change)
        if not obj.is_active:
            obj.sessions.all().delete()  # else they would be good again once the user is
        if not change and obj.is_active:
            # Not before the user is there for the link to find, and with no lock held while the mail server answers.
            transaction.on_commit(partial(self._invite, request, obj))

    @admin.action(description=gettext_lazy("Send the invitation again"))
    def invite_again(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            if not user.is_active:
                text = _("No invitation for %(user)s, who is not active.") % {"user": user}
                self.message_user(request, text, messages.WARNING)
            elif user.has_usable_password():
                text = _("No invitation for %(user)s, who can reset the password instead.") % {"user": user}
                self.message_user(request, text, messages.WARNING)
            else:
                self._invite(request, user)

    def _invite(self, request: HttpRequest, user: User) -> None:
        if invitations.send(user):
            self.message_user(request, _("An invitation was sent to %(user)s.") % {"user": user})
        else:
            text = _("The invitation of %(user)s could not be sent: the mail server refused it. Send it again later.")
            self.message_user(request, text % {"user": user}, messages.ERROR)


@admin.register(Condition)
class HealthAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic to the type checker only
    """One page with what each check finds now and since when. For superusers: reasons concern no organization."""

    def get_urls(self) -> list[URLPattern]:
        """Fewer than usual: there are no rows to open."""
        return [path("", self.admin_site.admin_view(self.changelist_view), name="sally_condition_changelist")]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return isinstance(request.user, User) and request.user.is_active and request.user.is_superuser

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = health.findings()
        known = {(one.name, one.ok): one.since for one in Condition.objects.all()}
        beat = Heartbeat.objects.filter(name=health.WORKER).first()
        rows = [
            # What the worker has not noticed yet came after it last looked.
            {"finding": one, "since": known.get((one.check.name, one.ok)), "after": beat and beat.at}
            for one in found
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": _("System health"),
            "opts": self.model._meta,
            "rows": rows,
            "ready": all(one.ok for one in found),
            "beat": beat,
        }
        return TemplateResponse(request, "admin/sally/health.html", context)
