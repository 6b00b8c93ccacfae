"""Where everything is."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language

from sally import reauthentication, views

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="meetings"), name="home"),
    path("favicon.ico", views.favicon),
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("confirm/", reauthentication.confirm, name="confirm"),
    path("language/", set_language, name="language"),
    path("invitation/<uidb64>/<token>/", views.invitation, name="invitation"),
    path("password-reset/", views.password_reset, name="password-reset"),
    path("password-reset/sent/", views.password_reset_sent, name="password-reset-sent"),
    path("password-reset/done/", views.password_reset_done, name="password-reset-done"),
    path("password-reset/<uidb64>/<token>/", views.password_reset_confirm, name="password-reset-confirm"),
    path("settings/", RedirectView.as_view(pattern_name="integrations"), name="settings"),
    path("settings/profile/", views.profile, name="profile"),
    path("settings/profile/password/", views.password, name="password"),
    path("settings/profile/sessions/end-others/", views.end_other_sessions, name="end-other-sessions"),
    path("settings/profile/sessions/<uuid:public_id>/end/", views.end_session, name="end-session"),
    path("settings/integrations/", include("integrations.urls")),
    path("settings/meeting-assistant/", include("calendars.assistant_urls")),
    path("settings/privacy/log/", include("integrations.access_log_urls")),
    path("approve/", include("integrations.approve_urls")),
    path("settings/privacy/", include("integrations.privacy_urls")),
    path("meetings/", include("calendars.urls")),
    # Passwords are asked for in one place each, where wrong ones are counted.
    path("admin/login/", views.admin_sign_in),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password")),
    path("admin/", admin.site.urls),
]

handler400 = "sally.views.bad_request"

admin.site.site_header = admin.site.site_title = "Sally"
admin.site.site_url = "/meetings/"
