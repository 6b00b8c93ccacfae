"""Connections in Django admin: how they fare, and what an admin may do about it. Secrets are not registered."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from integrations.models import CalendarConnection, OperatorTrouble, UnreachableServer
from sally.admin import ForOrganization
from sally.models import User


@admin.register(CalendarConnection)
class ConnectionAdmin(ForOrganization):
    organization_path = "owner__organization"
    list_display = ["account_email", "owner", "provider_name", "status", "last_synced_at", "next_sync_at", "last_error"]
    list_select_related = ["owner"]
    list_filter = ["status", "provider"]
    search_fields = ["account_email", "owner__email"]
    actions = ["sync_now", "pause", "resume"]
    fields = readonly_fields = (
        "owner",
        "provider_name",
        "account_email",
        "account_name",
        "granted_scopes",
        "server",
        "status",
        "pause_reason",
        "last_synced_at",
        "next_sync_at",
        "last_error",
        "last_error_at",
        "told_at",
        "failures",
        "attempts",
        "meeting_count",
        "private_left_out",
        "offline_left_out",
        "unreadable_count",
        "sync_private",
        "sync_only_online",
        "created_at",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # the person disconnects; deleting the user deletes all

    @admin.display(description=_("provider"))
    def provider_name(self, connection: CalendarConnection) -> str:
        return str(connection.door.name)

    @admin.action(description=_("Sync now"))
    def sync_now(self, request: HttpRequest, queryset: QuerySet[CalendarConnection]) -> None:
        able = [one for one in queryset if one.can_sync]
        for connection in able:
            connection.request_sync()
        self._report(request, len(able))

    @admin.action(description=_("Pause"))
    def pause(self, request: HttpRequest, queryset: QuerySet[CalendarConnection]) -> None:
        """Also what rests for its owner's absence, so that it stays so when they are back."""
        running = list(queryset.exclude(pause_reason=CalendarConnection.Pause.ADMIN))
        for connection in running:
            connection.pause()
        self._report(request, len(running))

    @admin.action(description=_("Resume"))
    def resume(self, request: HttpRequest, queryset: QuerySet[CalendarConnection]) -> None:
        """What rests for its owner's absence goes on when they sign in."""
        paused = list(queryset.filter(pause_reason=CalendarConnection.Pause.ADMIN))
        for connection in paused:
            connection.resume()
        self._report(request, len(paused))

    def _report(self, request: HttpRequest, count: int) -> None:
        text = ngettext("%(count)d connection changed.", "%(count)d connections changed.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS if count else messages.WARNING)


@admin.register(OperatorTrouble)
class OperatorTroubleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic to the type checker only
    """For every admin to read. It goes by itself when it is solved; a superuser may take it away earlier."""

    list_display = ["code", "since", "seen_at", "times"]
    fields = readonly_fields = ("code", "what_to_do", "detail", "since", "seen_at", "times", "mailed_at")

    @admin.display(description=_("what to do"))
    def what_to_do(self, trouble: OperatorTrouble) -> str:
        return str(trouble.text)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return isinstance(request.user, User) and request.user.is_staff

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return isinstance(request.user, User) and request.user.is_superuser


@admin.register(UnreachableServer)
class UnreachableServerAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic to the type checker only
    """For superusers to read: the true cause tells of networks, and the remedy is a line of this installation's."""

    list_display = ["host", "cause", "remedy", "since", "seen_at", "times"]
    fields = readonly_fields = ("host", "cause", "remedy", "since", "seen_at", "times")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return isinstance(request.user, User) and request.user.is_active and request.user.is_superuser

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
