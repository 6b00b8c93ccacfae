"""What follows from the one of Microsoft's clouds that Sally works in (``MICROSOFT_CLOUD``)."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

# OpenID Connect's own scopes, which belong to no resource
# (https://learn.microsoft.com/entra/identity-platform/scopes-oidc).
OF_NO_RESOURCE = frozenset({"openid", "profile", "email", "offline_access"})


def is_global() -> bool:
    return bool(settings.MICROSOFT_CLOUD == "global")


def has_personal_accounts() -> bool:
    """Microsoft keeps their calendars in the global cloud alone (https://learn.microsoft.com/graph/deployments)."""
    return is_global()


def full_name(scope: str) -> str:
    """A permission with the address of Graph in front, which has to be that of the cloud in use."""
    return scope if scope in OF_NO_RESOURCE else f"{settings.MICROSOFT_GRAPH_URL}/{scope}"


def full_names(scopes: Iterable[str]) -> list[str]:
    return [full_name(scope) for scope in scopes]


def asked_name(scope: str) -> str:
    """A permission as Entra is asked for it: by its short name in the global cloud, else by the full one.

    Microsoft calls both the same (https://learn.microsoft.com/graph/sdks/national-clouds), but the government's two
    clouds share one sign-in service, which cannot tell by a short name whose Graph is meant.
    """
    return scope if is_global() else full_name(scope)


def short_name(scope: str) -> str:
    """Entra may answer with either."""
    return scope.rpartition("/")[2]
