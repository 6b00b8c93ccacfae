"""Addresses below Settings → Privacy."""

from django.urls import path

from integrations import privacy_pages

urlpatterns = [
    path("", privacy_pages.privacy, name="privacy"),
    path("download/", privacy_pages.download_my_data, name="download-my-data"),
]
