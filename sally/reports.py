"""Reports of exceptions, for whoever may get one (a page under DEBUG, a mail): the same names are hidden as in logs."""

from __future__ import annotations

from collections.abc import Mapping
from pprint import pformat
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from sally.masking import MASK, is_secret, mask, mask_text

LONGEST_VALUE = 4096  # characters; Django trims there too, but only what it has made


class _Shown:
    """A variable as a report prints it."""

    def __init__(self, value: object) -> None:
        try:
            self._text = mask_text(pformat(mask(value))[:LONGEST_VALUE])
        except Exception as exc:  # noqa: BLE001 - a repr may do anything, and the report must come out
            self._text = f"<{type(value).__name__}: {type(exc).__name__} in its repr>"

    def __repr__(self) -> str:
        return self._text


class ReporterFilter(SafeExceptionReporterFilter):
    """Hides by name everywhere, with DEBUG on or off, and does not rely on views to say what is sensitive."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        if is_secret(key):
            return MASK
        cleansed = super().cleanse_setting(key, value)
        return mask_text(cleansed) if isinstance(cleansed, str) else cleansed

    def get_safe_cookies(self, request: Any) -> dict[str, Any]:
        """No cookie's value helps to find a mistake."""
        return dict.fromkeys(getattr(request, "COOKIES", {}), MASK)

    def get_post_parameters(self, request: HttpRequest | None) -> MultiValueDict[str, Any]:
        return masked_form(super().get_post_parameters(request))

    def get_traceback_frame_variables(self, request: Any, tb_frame: Any) -> Any:
        found = super().get_traceback_frame_variables(request, tb_frame)
        return [(name, MASK if is_secret(name) else _Shown(value)) for name, value in found]


class Reporter(ExceptionReporter):
    """Django's, without what it takes from the request and the exception unfiltered."""

    def get_traceback_data(self) -> dict[str, Any]:
        told: dict[str, Any] = super().get_traceback_data()
        if self.request is not None:
            told["request_GET_items"] = masked_form(self.request.GET).items()
            told["request_FILES_items"] = ()
            told["request_insecure_uri"] = mask_text(told["request_insecure_uri"])
        for name in ("exception_value", "exception_notes", "unicode_hint"):
            if name in told:
                told[name] = mask_text(str(told[name]))
        return told

    def get_traceback_frames(self) -> list[dict[str, Any]]:
        frames: list[dict[str, Any]] = super().get_traceback_frames()
        for frame in frames:
            if frame.get("exc_cause"):
                frame["exc_cause"] = mask_text(str(frame["exc_cause"]))
        return frames

    def get_traceback_text(self) -> SafeString:
        return mark_safe(mask_text(super().get_traceback_text()))  # noqa: S308 - plain text, never a page


def masked_form(form: Mapping[str, Any] | MultiValueDict[str, Any]) -> MultiValueDict[str, Any]:
    hidden: MultiValueDict[str, Any] = QueryDict(mutable=True)
    for name in form:
        values = form.getlist(name) if isinstance(form, MultiValueDict) else [form[name]]
        hidden.setlist(name, [MASK if is_secret(name) else mask(value) for value in values])
    return hidden
