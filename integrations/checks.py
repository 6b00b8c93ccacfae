"""What `manage.py check --deploy` says about connections: nothing that is for testing may be left on."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def sandbox_is_off(**_: Any) -> list[CheckMessage]:
    if not settings.EXCHANGE_SANDBOX:
        return []
    return [
        Error(
            f"EXCHANGE_SANDBOX={settings.EXCHANGE_SANDBOX} lets everybody reach a port of this machine.",
            hint="Take the line out of .env; it is for trying and testing.",
            id="integrations.E001",
        )
    ]
