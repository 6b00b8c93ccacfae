"""Addresses of the access log, below Settings → Privacy."""

from django.urls import path

from integrations import access_log_page

urlpatterns = [
    path("", access_log_page.access_log, name="access-log"),
    path("export/", access_log_page.export, name="access-log-export"),
]
