"""Where the sandbox answers. Graph's and Entra's paths are theirs, to the letter."""

from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from sandbox import authorize, batch, control, discovery, graph, token_endpoint

_STYLES = Path(__file__).parent / "static" / "sandbox" / "pages.css"


def styles(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(_STYLES.read_bytes(), content_type="text/css; charset=utf-8")


urlpatterns = [
    path("pages.css", styles),
    path("control/reset", control.reset),
    path("control/mailboxes/<str:email>", control.mailbox),
    path("control/mailboxes/<str:email>/events", control.add_event),
    path("control/mailboxes/<str:email>/change", control.change_event),
    path("control/log", control.log),
    path("control/faults", control.faults),
    path("control/revoke", control.revoke),
    path("control/settings", control.settings),
    path("control/<path:rest>", control.unknown),
    path("v1.0/$batch", batch.batch),
    path("v1.0/me", graph.me),
    path("v1.0/me/", graph.me),
    path("v1.0/me/calendar", graph.calendar),
    path("v1.0/me/calendars", graph.calendars),
    path("v1.0/me/calendarView", graph.calendar_view),
    path("v1.0/me/calendar/calendarView", graph.calendar_view),
    path("v1.0/me/calendars/<str:calendar_id>", graph.calendar),
    path("v1.0/me/calendars/<str:calendar_id>/calendarView", graph.calendar_view),
    path("v1.0/me/events/<str:event_id>", graph.event),
    path("v1.0/me/events/<str:event_id>/instances", graph.instances),
    re_path(r"^(?:v1\.0|beta)/(?P<rest>.*)$", graph.unknown_segment),
    path("common/discovery/instance", discovery.instances),
    path("<str:tenant>/v2.0/.well-known/openid-configuration", discovery.openid_configuration),
    path("<str:tenant>/discovery/v2.0/keys", discovery.keys),
    path("<str:tenant>/oauth2/v2.0/authorize", authorize.authorize),
    path("<str:tenant>/oauth2/v2.0/token", token_endpoint.token),
    path("<str:tenant>/oauth2/v2.0/logout", authorize.signed_out),
]
