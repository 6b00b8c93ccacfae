"""The page on which a person says who they are."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sandbox.entra import invitation
from sandbox.models import Person


def pick_account(request: HttpRequest, tenant: str, sentence: str = "") -> HttpResponse:
    """Whoever signed in in this browser, of either kind: Microsoft's own list shows both too."""
    context = {"people": Person.objects.all(), "invitation": invitation(tenant), "sentence": sentence}
    return render(request, "sandbox/pick_account.html", context)
