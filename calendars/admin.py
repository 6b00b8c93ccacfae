"""In Django admin: meetings (times and subject only) and the queue, with nothing to change."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django_q.models import Failure, OrmQ, Schedule, Success

from calendars.models import Meeting
from sally.admin import ForOrganization


@admin.register(Meeting)
class MeetingAdmin(ForOrganization):
    organization_path = "connection__owner__organization"
    list_display = ["subject", "start", "end", "connection"]
    list_select_related = ["connection"]
    fields = readonly_fields = ("connection", "subject", "start", "end", "all_day", "cancelled")
    search_fields = ["subject", "connection__account_email"]
    date_hierarchy = "start"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Meeting]:
        """A private appointment is its owner's alone, also where they let Sally sync it."""
        return super().get_queryset(request).filter(private=False)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class QueueAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic to the type checker only
    """The queue, for superusers to look at. With django-q2's own pages a session could run any function of Python's."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


for model, columns, more in (
    (Schedule, ["name", "func", "schedule_type", "minutes", "next_run"], []),
    (Failure, ["name", "func", "started", "stopped"], ["args", "result"]),
    (OrmQ, ["key", "task_id", "lock"], []),
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
    admin.site.register(model, QueueAdmin, list_display=columns, fields=columns + more, readonly_fields=columns + more)
admin.site.unregister(Success)  # none are kept
