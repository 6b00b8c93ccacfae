"""Where the sandbox answers. Graph's, Entra's and Exchange's paths are theirs, to the letter."""

from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from sandbox import admin_consent, authorize, batch, control, discovery, graph, graph_delta, outlook, token_endpoint
from sandbox.exchange.endpoint import exchange

_STYLES = Path(__file__).parent / "static" / "sandbox"
_DELTA = r"calendarView/(?:microsoft\.graph\.)?delta(?:\(\))?$"
# IIS cares for no case; a flag in the expression would be one that Django cannot reverse.
_ANY_CASE = "".join(f"[{one}{one.upper()}]" if one.isalpha() else f"[{one}]" for one in "ews/exchange.asmx")


def styles(_request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse((_STYLES / name).read_bytes(), content_type="text/css; charset=utf-8")


urlpatterns = [
    path("pages.css", styles, {"name": "pages.css"}),
    path("outlook.css", styles, {"name": "outlook.css"}),
    path("outlook", outlook.to_people),
    path("outlook/", outlook.people_list, name="outlook"),
    path("outlook/<str:email>/", outlook.week, name="outlook-week"),
    path("outlook/<str:email>/new", outlook.new_meeting, name="outlook-new"),
    path("outlook/<str:email>/meetings/<str:event_id>", outlook.meeting, name="outlook-meeting"),
    path("control/reset", control.reset),
    path("control/mailboxes/<str:email>", control.mailbox),
    path("control/mailboxes/<str:email>/events", control.add_event),
    path("control/mailboxes/<str:email>/change", control.change_event),
    path("control/log", control.log),
    path("control/faults", control.faults),
    path("control/revoke", control.revoke),
    path("control/settings", control.settings),
    path("control/consent", control.consent),
    path("control/exchange/<str:email>", control.exchange_account),
    path("control/<path:rest>", control.unknown),
    re_path(rf"^{_ANY_CASE}$", exchange),
    path("v1.0/$batch", batch.batch),
    path("v1.0/me", graph.me),
    path("v1.0/me/", graph.me),
    path("v1.0/me/calendar", graph.calendar),
    path("v1.0/me/calendars", graph.calendars),
    path("v1.0/me/calendarView", graph.calendar_view),
    path("v1.0/me/calendar/calendarView", graph.calendar_view),
    path("v1.0/me/calendars/<str:calendar_id>", graph.calendar),
    path("v1.0/me/calendars/<str:calendar_id>/calendarView", graph.calendar_view),
    re_path(rf"^v1\.0/me/(?:calendar/)?{_DELTA}", graph_delta.changes),
    re_path(rf"^v1\.0/me/calendars/(?P<calendar_id>[^/]+)/{_DELTA}", graph_delta.changes),
    path("v1.0/me/events/<str:event_id>", graph.event),
    path("v1.0/me/events/<str:event_id>/instances", graph.instances),
    re_path(r"^(?:v1\.0|beta)/(?P<rest>.*)$", graph.unknown_segment),
    path("common/discovery/instance", discovery.instances),
    path("<str:tenant>/v2.0/.well-known/openid-configuration", discovery.openid_configuration),
    path("<str:tenant>/discovery/v2.0/keys", discovery.keys),
    path("<str:tenant>/oauth2/v2.0/authorize", authorize.authorize),
    path("<str:tenant>/v2.0/adminconsent", admin_consent.admin_consent),
    path("<str:tenant>/oauth2/v2.0/token", token_endpoint.token),
    path("<str:tenant>/oauth2/v2.0/logout", authorize.signed_out),
]
