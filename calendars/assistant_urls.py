"""Addresses below Settings → Meeting Assistant."""

from django.urls import path

from calendars import assistant_pages, organization_page

urlpatterns = [
    path("", assistant_pages.assistant, name="meeting-assistant"),
    path("start/", assistant_pages.start, name="assistant-start"),
    path("organization/", organization_page.organization, name="assistant-organization"),
]
