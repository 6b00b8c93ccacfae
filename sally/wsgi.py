"""The door for gunicorn."""

import os
from typing import Any

import django
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest


class Request(WSGIRequest):
    """What names an unreadable type, or a codec that is none for text (base64), fails in Django before any view."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # not in the stubs
        except (LookupError, ValueError, SuspiciousOperation):  # the last: of "idna", which it takes for many fields
            # sally.middleware.refuse_unreadable_forms answers it
            self._encoding, self.content_type, self.content_params = None, "", {"charset": "unreadable"}


class Handler(WSGIHandler):
    request_class = Request


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sally.settings")
django.setup(set_prefix=False)
application = Handler()
