"""Addresses below Settings → Privacy."""

from django.urls import path

from integrations import privacy_pages

urlpatterns = [
    path("", privacy_pages.privacy, name="privacy"),
    path("download/", privacy_pages.download_my_data, name="download-my-data"),
    path("delete/", privacy_pages.delete_everything, name="delete-everything"),
    path("receipt/<str:token>/", privacy_pages.receipt, name="receipt"),
]
