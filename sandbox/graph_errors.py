"""Refusals as Graph words them."""

import uuid
from datetime import UTC, datetime

from django.http import HttpRequest, JsonResponse


class GraphError(Exception):
    """A refusal with its HTTP status and Graph's code for it."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def not_found() -> GraphError:
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def bad_parameter(message: str) -> GraphError:
    return GraphError(400, "ErrorInvalidParameter", message)


def unauthenticated(message: str) -> GraphError:
    challenge = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
        'client_id="00000003-0000-0000-c000-000000000000"'
    )
    return GraphError(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": challenge})


def access_denied() -> GraphError:
    return GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def mark(request: HttpRequest, response: JsonResponse) -> JsonResponse:
    """The two ids that every answer of Graph carries."""
    response["request-id"] = str(uuid.uuid4())
    response["client-request-id"] = request.headers.get("client-request-id", response["request-id"])
    return response


def as_json(request: HttpRequest, error: GraphError) -> JsonResponse:
    response = mark(request, JsonResponse({}, status=error.status, headers=error.headers))
    inner = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": response["request-id"],
        "client-request-id": response["client-request-id"],
    }
    body = JsonResponse({"error": {"code": error.code, "message": error.message, "innerError": inner}})
    response.content = body.content
    return response
