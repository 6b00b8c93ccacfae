"""People in Django admin, and the rule that an admin sees only their own organization."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sally import invitations
from sally.models import Organization, User

admin.site.unregister(Group)  # roles are a field of the user


class ForOrganization(admin.ModelAdmin):  # type: ignore[type-arg]  # generic to the type checker only
    """Rows of the admin's own organization; a superuser sees all. No model permissions are needed."""

    organization_path = "organization"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if isinstance(request.user, User) and not request.user.is_superuser:
            return rows.filter(**{self.organization_path: request.user.organization_id or -1})
        return rows

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
    search_fields = ["name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.is_superuser


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

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        names = list(super().get_fields(request, obj))
        if isinstance(request.user, User) and request.user.is_superuser:
            return [*names, "is_superuser"]
        names.remove("organization")  # an admin invites into their own, and moves nobody
        return names

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (self._is_superuser(request) or obj is None or not obj.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_superuser(request)

    def _is_superuser(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.is_superuser

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        if not change:
            obj.set_unusable_password()
            if isinstance(request.user, User) and not request.user.is_superuser:
                obj.organization = request.user.organization
        super().save_model(request, obj, form, change)
        if not change:
            self._invite(request, obj)

    @admin.action(description=gettext_lazy("Send the invitation again"))
    def invite_again(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            if user.has_usable_password():
                text = _("%(user)s has signed in before and can reset the password.") % {"user": user}
                self.message_user(request, text, messages.WARNING)
            else:
                self._invite(request, user)

    def _invite(self, request: HttpRequest, user: User) -> None:
        if invitations.send(user):
            self.message_user(request, _("An invitation was sent to %(user)s.") % {"user": user})
        else:
            text = _("The invitation of %(user)s could not be sent: the mail server refused it. Send it again later.")
            self.message_user(request, text % {"user": user}, messages.ERROR)
