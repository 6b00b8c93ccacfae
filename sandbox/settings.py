"""The sandbox's own Django settings: one process, one SQLite file, no accounts of its own."""

from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent

# Protects nothing: the sandbox has no sessions and signs nothing with it, and answers on the loopback only.
SECRET_KEY = "a-stand-in-has-nothing-to-protect-and-signs-nothing"  # noqa: S105
DEBUG = False
# Also keeps a web page from reaching the control API under a name of its own (DNS rebinding).
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = ["sandbox"]
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "sandbox.requestlog.RequestLogMiddleware",
    "sandbox.faults.FaultMiddleware",
]
ROOT_URLCONF = "sandbox.urls"
APPEND_SLASH = False
TEMPLATES: list[dict[str, Any]] = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [BASE_DIR / "templates"], "OPTIONS": {}}
]

# The name is set by the command, which knows the directory; nothing opens the database before.
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

# A mailbox put through the control API may be large, and only tests send it.
DATA_UPLOAD_MAX_MEMORY_SIZE = None

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    # Answers of 500 are wanted (a SOAP fault is one): what is printed is bugs, which come with their traceback.
    "filters": {
        "bugs": {"()": "django.utils.log.CallbackFilter", "callback": lambda record: record.exc_info is not None}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "level": "ERROR", "filters": ["bugs"]}},
    "loggers": {
        # Refused requests are the sandbox's daily bread; GET /control/log has them all.
        "django.server": {"handlers": [], "propagate": False},
        "django.request": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        "django.security": {"handlers": ["console"], "level": "ERROR", "propagate": False},
    },
}
