"""Addresses below Settings → Integrations."""

from django.urls import path

from integrations import approval_pages, exchange_page, permissions_page, views

urlpatterns = [
    path("", views.index, name="integrations"),
    path("add/", views.add, name="add-calendar"),
    path("connect/<slug:key>/", views.connect, name="connect"),
    path("sign-in/<uuid:pk>/", views.leaving, name="leaving"),
    path("sign-in/<uuid:pk>/other-account/", views.other_account, name="other-account"),
    path("exchange/", exchange_page.exchange, name="exchange"),
    path("approval/", approval_pages.approval, name="approval"),
    path("approval/mail/", approval_pages.approval_mail, name="approval-mail"),
    path("approval/card/", approval_pages.approval_card, name="approval-card"),
    path("approval/dismiss/", approval_pages.dismiss, name="dismiss-approval"),
    path("microsoft/callback/", views.callback, name="microsoft-callback"),
    path("permissions/", permissions_page.permissions, name="permissions"),
    path("<uuid:pk>/", views.card, name="connection"),
    path("<uuid:pk>/sync/", views.sync_now, name="sync-now"),
    path("<uuid:pk>/options/", views.set_option, name="set-option"),
    path("<uuid:pk>/disconnect/", views.disconnect, name="disconnect"),
]
