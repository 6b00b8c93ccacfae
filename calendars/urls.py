"""Addresses of the meetings."""

from django.urls import path

from calendars import views

urlpatterns = [
    path("", views.agenda, name="meetings"),
    path("<int:pk>/", views.meeting, name="meeting"),
    path("<int:pk>/sally/", views.decide, name="meeting-sally"),
]
