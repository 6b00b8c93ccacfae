"""The door for gunicorn."""

import os
from typing import Any

import django
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest


class Request(WSGIRequest):
    """One that names a codec for its charset which is none for text (base64) fails in Django before any view."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # not in the stubs
        except (LookupError, UnicodeError, SuspiciousOperation):  # the last: of "idna", which it takes for many fields
            self._encoding = None  # sally.middleware.refuse_unreadable_forms answers it


class Handler(WSGIHandler):
    request_class = Request


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sally.settings")
django.setup(set_prefix=False)
application = Handler()
