"""Where people land once a calendar is connected."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from integrations.models import CalendarConnection


def arrive(connection: CalendarConnection) -> HttpResponse:
    """With a calendar that was never read at the choice of a rule, which leads on whoever chose before."""
    if connection.problem:
        return redirect("integrations")
    if connection.last_synced_at:
        return redirect("meetings")
    return redirect(f"{reverse('assistant-start')}?connected")
