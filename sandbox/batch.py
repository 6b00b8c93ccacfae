"""Graph's ``$batch``: up to twenty requests in one, each run through the same middleware and views as any other."""

import base64
import json
from functools import cache
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from sandbox import graph_query as asked
from sandbox.graph_errors import GraphError, as_json, mark
from sandbox.requestlog import BATCH_MARK

_MOST = 20


@cache
def _application() -> WSGIHandler:
    return WSGIHandler()


def _bad(message: str) -> GraphError:
    return GraphError(400, "BadRequest", message)


def _steps(request: HttpRequest) -> list[dict[str, Any]]:
    """The requests of a batch. Raises ``GraphError`` for a batch that Graph refuses whole."""
    if request.method != "POST":
        raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    try:
        steps = json.loads(request.body)["requests"]
    except (ValueError, KeyError, TypeError) as exc:
        raise _bad("Invalid batch payload format.") from exc
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps) or not steps:
        raise _bad("Invalid batch payload format.")
    if len(steps) > _MOST:
        raise _bad(f"Number of batch request steps exceeds the maximum value of {_MOST}.")
    ids = [step.get("id") for step in steps]
    if not all(isinstance(id, str) and id for id in ids):
        raise _bad("Invalid batch request: every step needs an id.")
    if len(set(ids)) < len(ids):
        raise _bad("Invalid batch request: the ids of its steps are not unique.")
    if not all(isinstance(step.get("url"), str) and isinstance(step.get("method"), str) for step in steps):
        raise _bad("Invalid batch request: every step needs a method and a url.")
    return steps


def _environ(outer: HttpRequest, step: dict[str, Any]) -> dict[str, Any]:
    version = outer.path.removesuffix("/$batch")
    target = urlsplit(f"{version}/{step['url'].lstrip('/')}")
    body = step.get("body")
    content = json.dumps(body).encode() if body is not None else b""
    kept = {name: value for name, value in outer.META.items() if name.startswith(("SERVER_", "wsgi.", "REMOTE_"))}
    environ = {
        **kept,
        "HTTP_HOST": outer.get_host(),
        "HTTP_AUTHORIZATION": outer.headers.get("Authorization", ""),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "REQUEST_METHOD": step["method"].upper(),
        # WSGI's path is unquoted, one character a byte.
        "PATH_INFO": unquote(target.path).encode().decode("latin-1"),
        "QUERY_STRING": target.query,
        "CONTENT_LENGTH": str(len(content)),
        "CONTENT_TYPE": "application/json",
        "wsgi.input": BytesIO(content),
        BATCH_MARK: True,
    }
    for name, value in (step.get("headers") or {}).items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = str(value)
    return environ


def _body(response: HttpResponse) -> Any:
    """JSON as it is, anything else as base64 (json-batching.md)."""
    try:
        return json.loads(response.content)
    except ValueError:
        return base64.b64encode(response.content).decode()


def _run(outer: HttpRequest, step: dict[str, Any], statuses: dict[str, int]) -> dict[str, Any]:
    needed = step.get("dependsOn") or []
    if any(statuses.get(id, 424) >= 400 for id in needed):
        error = {"code": "FailedDependency", "message": "A request that this one depends on failed."}
        return {"id": step["id"], "status": 424, "headers": {}, "body": {"error": error}}
    response = _application().get_response(WSGIRequest(_environ(outer, step)))
    answer = {"id": step["id"], "status": response.status_code, "headers": dict(response.items())}
    if isinstance(response, HttpResponse) and response.content:
        answer["body"] = _body(response)
    return answer


@csrf_exempt
def batch(request: HttpRequest) -> JsonResponse:
    try:
        asked.caller(request)
        steps = _steps(request)
    except GraphError as exc:
        return as_json(request, exc)
    answers: list[dict[str, Any]] = []
    statuses: dict[str, int] = {}
    for step in steps:
        answer = _run(request, step, statuses)
        statuses[step["id"]] = answer["status"]
        answers.append(answer)
    return mark(request, JsonResponse({"responses": answers}))
