"""The address that people send to their IT."""

from django.urls import path

from integrations import approval_pages

urlpatterns = [path("<str:token>/", approval_pages.approve, name="approve")]
