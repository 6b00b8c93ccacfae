"""The log: one line for each record, as JSON or for people, with the request's id and without secrets."""

from __future__ import annotations

import json
import logging
import re
import secrets
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from sally.masking import MASK, mask, mask_text

LONGEST_TEXT = 32_000  # characters, of a message or a traceback
# Where a line may end, for whatever reads the log; what moves a terminal's cursor, or turns what one reads around.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_QUOTED_TEXT = re.compile(r"'[^']*+'?")

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_user: ContextVar[str] = ContextVar("user", default="")


def new_id() -> str:
    return secrets.token_hex(8)


@contextmanager
def marked(id: str) -> Iterator[str]:
    """All that is logged inside carries this id, of a request or of a task's run; nothing that comes later does."""
    id_token, user_token = _request_id.set(id), _user.set("")
    try:
        yield id
    finally:
        _request_id.reset(id_token)
        _user.reset(user_token)


def note_user(pk: object) -> None:
    """Who the current request is from, as soon as that is known."""
    _user.set(str(pk))


class SecretFilter(logging.Filter):
    """Finishes a record: message, traceback and ``extra`` become texts without secrets. Sits on every handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "is_masked", False):
            return True
        if record.name.startswith("django.db.backends"):
            _drop_values(record)
        message = mask_text(_message(record))
        record.msg, record.args = message[:LONGEST_TEXT], None
        if record.exc_info and record.exc_info[0]:
            record.exc_type = record.exc_info[0].__name__
            record.exc_text = mask_text("".join(traceback.format_exception(*record.exc_info)).rstrip())[:LONGEST_TEXT]
        elif record.exc_text:
            record.exc_text = mask_text(record.exc_text)[:LONGEST_TEXT]
        record.exc_info = None  # the exception itself still holds all
        if record.stack_info:
            record.stack_info = mask_text(record.stack_info)[:LONGEST_TEXT]
        for name, value in _extra(record).items():
            # By a name of its own first: the value alone does not say what it is.
            setattr(record, name, mask({name: value})[name])
        record.is_masked = True
        record.request_id = _request_id.get()
        record.user = _user.get()
        return True


def _message(record: logging.LogRecord) -> str:
    args: Any = record.args
    try:
        if type(args) is dict or (type(args) is tuple and args):
            return str(str(record.msg) % _masked_args(args))
        return record.getMessage()  # args of a kind of its own, as gunicorn's access log has
    except (TypeError, ValueError, KeyError):  # arguments that do not fit must not cost the line, nor print them
        return str(record.msg)


def _masked_args(args: Any) -> Any:
    """Dictionaries and lists go by their names; anything else by the text that it becomes."""
    if type(args) is dict:
        return mask(args)
    return tuple(mask(one) if type(one) in (dict, list, tuple) else one for one in args)


def _drop_values(record: logging.LogRecord) -> None:
    """SQL is logged with its values in it; which of them is a session or a token, only the database knows."""
    if isinstance(record.args, tuple):
        record.args = tuple(_QUOTED_TEXT.sub("?", one) if isinstance(one, str) else one for one in record.args)
        if len(record.args) == 4:  # duration, sql, params, alias (django.db.backends.utils.CursorDebugWrapper)
            duration, sql, _params, alias = record.args
            record.args = (duration, sql, MASK, alias)
    for name in ("sql", "params"):
        record.__dict__.pop(name, None)


_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    *("message", "asctime", "taskName", "exc_type", "request_id", "user", "is_masked")
}


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    """What a call added to its record, as far as it is plain: ``request`` and sockets stay out."""
    plain = (str, int, float, bool, list, tuple, dict, type(None))
    return {name: value for name, value in vars(record).items() if name not in _STANDARD and isinstance(value, plain)}


class JSONFormatter(logging.Formatter):
    """One object a line, ASCII only, so that nothing in it can end the line."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", ""),
            "user": getattr(record, "user", ""),
            "exception": getattr(record, "exc_type", ""),
            "traceback": record.exc_text or "",
            "stack": record.stack_info or "",
        }
        told = {name: value for name, value in told.items() if value or name == "message"}
        extra = {name: value for name, value in _extra(record).items() if name not in told}
        return json.dumps(told | extra, default=str)


class LineFormatter(logging.Formatter):
    """For people: one line, and a traceback below it, indented by a bar that no other line begins with."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d %H:%M:%S")
        id = getattr(record, "request_id", "")
        words = [time, record.levelname, record.name, *([f"[{id}]"] if id else []), one_line(record.getMessage())]
        below = [line for text in (record.exc_text, record.stack_info) if text for line in text.split("\n")]
        return "\n".join([" ".join(words), *(f"  | {one_line(line)}" for line in below)])


def one_line(text: str) -> str:
    """Control characters, line ends above all, as escapes."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
