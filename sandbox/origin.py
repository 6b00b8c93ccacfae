"""Whether a request was sent by another site's page, which a browser says in its Origin header."""

from django.http import HttpRequest


def from_elsewhere(request: HttpRequest) -> bool:
    """No header means no browser's page: every browser names the origin of a POST, if only as ``null``."""
    origin = request.headers.get("Origin")
    return bool(origin) and origin != f"{request.scheme}://{request.get_host()}"
