"""Meetings in Django admin: times and subject, nothing else, and nothing to change."""

from django.contrib import admin
from django.http import HttpRequest

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

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
