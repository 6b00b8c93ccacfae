"""Exchange.asmx: one address for all operations."""

import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from sandbox.exchange import login, misbehaviour, soap
from sandbox.exchange.convert_id import convert_id
from sandbox.exchange.find_item import find_item
from sandbox.exchange.get_folder import get_folder
from sandbox.exchange.get_item import get_item
from sandbox.exchange.resolve_names import resolve_names
from sandbox.exchange.sync_folder_items import sync_folder_items
from sandbox.installation import switches
from sandbox.models import Person
from sandbox.requestlog import LOGIN_MARK, OPERATION_MARK

_OPERATIONS: dict[str, Callable[[soap.Request, Person, soap.Answer], None]] = {
    "ConvertId": convert_id,
    "FindItem": find_item,
    "GetFolder": get_folder,
    "GetItem": get_item,
    "ResolveNames": resolve_names,
    "SyncFolderItems": sync_folder_items,
}
_ASKED = {
    "ConvertId": "m:SourceIds/*",
    "FindItem": "m:ParentFolderIds/*",
    "GetFolder": "m:FolderIds/*",
    "GetItem": "m:ItemIds/*",
}


def _answered(request: HttpRequest, person: Person, schema_code: str) -> bytes:
    """Raises ``soap.Fault``."""
    asked = soap.read(request.body)
    request.META[OPERATION_MARK] = asked.operation
    if asked.operation not in _OPERATIONS or asked.element.tag != soap.m(asked.operation):
        raise soap.Fault("ErrorInvalidRequest")
    answer = soap.Answer(asked.operation)
    if schema_code:
        for _ in range(len(asked.all(_ASKED[asked.operation])) if asked.operation in _ASKED else 1):
            answer.trouble(schema_code)
    else:
        _OPERATIONS[asked.operation](asked, person, answer)
    return soap.answer(answer.element)


def _soap(request: HttpRequest, person: Person) -> HttpResponse:
    try:
        instead, code = misbehaviour.after_login()
        if instead is not None:
            return instead
        body, status = _answered(request, person, code), 200
    except soap.Fault as exc:
        body, status = soap.fault(exc), 500
    return HttpResponse(body, status=status, content_type=switches().exchange_content_type)


def _dressed(response: HttpResponseBase) -> HttpResponseBase:
    response["Server"] = "Microsoft-IIS/10.0"
    response["request-id"] = str(uuid.uuid4())
    response["X-Powered-By"] = "ASP.NET"
    response["X-FEServer"] = "SANDBOX"
    return response


@csrf_exempt
def exchange(request: HttpRequest) -> HttpResponseBase:
    if not request.is_secure():
        return HttpResponse(status=404)
    instead = misbehaviour.in_front()
    if instead is not None:
        return _dressed(instead)
    outcome = login.authenticate(request)
    request.META[LOGIN_MARK] = outcome.login
    if outcome.person is None:
        return _dressed(outcome.refusal or HttpResponse(status=401))
    if request.method != "POST":
        return _dressed(HttpResponse(status=405, headers={"Allow": "POST"}))
    response = _soap(request, outcome.person)
    if outcome.through_ntlm:
        response["Persistent-Auth"] = "true"
    return _dressed(response)
