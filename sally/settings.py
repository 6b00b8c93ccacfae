"""All of Sally's settings, read from the environment (and ``.env``); a bad value stops the start with its name."""

import ipaddress
import os
import warnings
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent

# ENV_FILE="" reads none: tests and containers bring their own environment.
env_file = os.environ.get("ENV_FILE", str(BASE_DIR / ".env"))
if env_file and Path(env_file).is_file():
    environ.Env.read_env(env_file)


def _text(name: str, default: str = "") -> str:
    """Word for word: django-environ's own reader takes a value that begins with $ for another variable's name."""
    return os.environ.get(name, "").strip() or default


def _required(name: str, hint: str) -> str:
    value = _text(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {hint}")
    return value


def _switch(name: str) -> bool:
    value = _text(name, "false").lower()
    if value not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
        raise ImproperlyConfigured(f"{name}={value!r} must be true or false.")
    return value in ("true", "yes", "on", "1")


def _number(name: str, default: int, low: int, high: int) -> int:
    value = _text(name, str(default))
    if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
        raise ImproperlyConfigured(f"{name}={value!r} must be a whole number between {low} and {high}.")
    return int(value)


def _choice(name: str, choices: Collection[str]) -> str:
    """One of the words; the first is the default."""
    value = _text(name, next(iter(choices))).lower()
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} must be one of {', '.join(choices)}.")
    return value


def _address(name: str, default: str) -> str:
    """An http(s) address without a trailing slash."""
    value = _text(name, default)
    if not _is_address(value):
        raise ImproperlyConfigured(f"{name}={value!r} must be an address such as {default}")
    return value.rstrip("/")


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        strange = parts.query or parts.fragment or parts.username is not None or parts.port == 0
    except ValueError:  # a port that is no number
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not strange


def _networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    networks = []
    for text in filter(None, map(str.strip, _text(name).split(","))):
        try:
            network = ipaddress.ip_network(text)
        except ValueError as exc:  # its words name the text, and bits that are set behind the mask
            raise ImproperlyConfigured(f"{name}: {exc}. Write networks such as 10.1.2.0/24,fd12:3456::/48") from exc
        if network.prefixlen == 0:
            raise ImproperlyConfigured(
                f"{name}: {text} would let whoever connects a calendar reach every machine that Sally can. "
                "Name the networks that your Exchange servers are in."
            )
        networks.append(network)
    return networks


def _sandbox(name: str) -> str:
    value = _text(name).lower()
    host, _, port = value.rpartition(":")
    is_place = host in ("localhost", "127.0.0.1") and port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if value and not (is_place and port == str(int(port))):
        raise ImproperlyConfigured(f"{name}={value!r} must be localhost or 127.0.0.1 and a port: localhost:8443")
    return value


def _field_keys() -> list[str]:
    keys = [key.strip() for key in _required("FIELD_KEYS", _KEYS_HINT).split(",") if key.strip()]
    for position, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError as exc:
            raise ImproperlyConfigured(f"FIELD_KEYS: key {position} is no Fernet key. {_KEYS_HINT}") from exc
    return keys


_KEYS_HINT = "`python3 manage.py demo` writes a .env with fresh keys; .env.example explains each line."

# --- Django ----------------------------------------------------------------------------------------------------

SECRET_KEY = _required("SECRET_KEY", _KEYS_HINT)
DEBUG = _switch("DEBUG")
PORT = _number("PORT", 8000, 1, 65535)
PUBLIC_URL = _address("PUBLIC_URL", f"http://localhost:{PORT}")
_public = urlsplit(PUBLIC_URL)
ALLOWED_HOSTS = [host.strip() for host in _text("ALLOWED_HOSTS", str(_public.hostname)).split(",") if host.strip()]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_q",
    "csp",
    "axes",
    "sally.apps.SallyConfig",
    "integrations.apps.IntegrationsConfig",
    "calendars.apps.CalendarsConfig",
]

MIDDLEWARE = [
    # Above all that may answer or fail, so that every answer has its id and its headers; static files too.
    "sally.middleware.give_id",
    "sally.middleware.protect",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Above the checks of host and scheme: a load balancer asks by IP address, and over http.
    "sally.health.answer_probes",
    "django.middleware.security.SecurityMiddleware",
    "sally.middleware.refuse_unreadable_forms",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "sally.middleware.PersonMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "sally.middleware.refresh_when_signed_out",
    "sally.middleware.end_old_sessions",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "sally.urls"
WSGI_APPLICATION = "sally.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "integrations.banners.banners",
            ],
        },
    },
]

# --- Database, queue, cache ------------------------------------------------------------------------------------

SQLITE_OPTIONS: dict[str, Any] = {
    # IMMEDIATE: a transaction that may write takes the write lock at its start and waits for it; a DEFERRED one
    # that upgrades later fails at once with "database is locked", whatever the timeout.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # secure_delete: what is deleted is overwritten, not just forgotten; private appointments, above all.
    "init_command": "PRAGMA secure_delete=ON;"
    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY;"
    "PRAGMA mmap_size=134217728;PRAGMA journal_size_limit=27103364;PRAGMA cache_size=2000;",
}


def _database() -> dict[str, Any]:
    try:
        with warnings.catch_warnings(action="ignore"):  # it would print the address, password included
            database: dict[str, Any] = environ.Env.db_url_config(_text("DATABASE_URL", "sqlite:///db.sqlite3"))
    except ValueError:
        database = {}
    engine = database.get("ENGINE", "")
    if engine.endswith("sqlite3") and database["NAME"] != ":memory:":
        # One file, wherever a command is started from.
        database["NAME"] = str(BASE_DIR / database["NAME"])
        database["OPTIONS"] = SQLITE_OPTIONS
        # A file, not memory: browser tests and workers in processes of their own read it too.
        database["TEST"] = {"NAME": str(Path(database["NAME"]).with_name("test.sqlite3"))}
    elif engine.endswith("postgresql"):
        # django-q's ORM broker closes old connections before every operation: without persistent ones it
        # reconnects each time.
        database |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
        # Seconds; otherwise a host that does not answer keeps /readyz, and every page, waiting for minutes. Compiling a
        # statement (jit) costs more than any of ours takes.
        database["OPTIONS"] = {"connect_timeout": 5, "options": "-c jit=off"} | database.get("OPTIONS", {})
        # Two runs of the tests at once must not share a database.
        database["TEST"] = {"NAME": f"test_{database['NAME']}_{os.getpid()}"}
    else:
        raise ImproperlyConfigured(
            "DATABASE_URL must be an address such as sqlite:///file or postgres://user@host/name"
        )
    return database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = _text("REDIS_URL")
if REDIS_URL and not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
    raise ImproperlyConfigured("REDIS_URL must be a redis:// address.")
# The queue is only a wake-up (the connection's row is the truth), so it never retries and never keeps successes.
Q_CLUSTER: dict[str, Any] = {
    "name": "sally",
    "label": _("Tasks"),
    "workers": 2,
    "queue_limit": 2,
    "bulk": 1,
    "recycle": 500,
    "timeout": 120,
    "retry": 300,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "guard_cycle": 1,
    "log_level": "WARNING",
    "ALT_CLUSTERS": {},
} | ({"redis": REDIS_URL} if REDIS_URL else {"orm": "default", "poll": 0.5})
CACHES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# --- People, languages, mail -----------------------------------------------------------------------------------

AUTH_USER_MODEL = "sally.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "meetings"
LOGOUT_REDIRECT_URL = "sign-in"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "sally.formats"

try:
    vars().update(environ.Env.email_url_config(_text("EMAIL_URL", "consolemail://")))
except (ValueError, ImproperlyConfigured) as exc:
    raise ImproperlyConfigured("EMAIL_URL must be an address such as smtp+tls://user:password@host:587") from exc
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = _text("DEFAULT_FROM_EMAIL", "Sally <sally@localhost>")

# --- Static files ----------------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / _text("STATIC_ROOT", "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Safe house ------------------------------------------------------------------------------------------------

_https = _public.scheme == "https"
BEHIND_PROXY = _switch("BEHIND_PROXY")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_SSL_REDIRECT = _https
SECURE_HSTS_SECONDS = 31536000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
HSTS = f"max-age={SECURE_HSTS_SECONDS}; includeSubDomains; preload"
SECURE_REFERRER_POLICY = "same-origin"
# What a page could ask of the browser and none of ours does: all that Chromium knows (it complains of others).
_UNUSED = (
    "accelerometer autoplay browsing-topics camera clipboard-read clipboard-write compute-pressure "
    "cross-origin-isolated display-capture encrypted-media fullscreen gamepad geolocation gyroscope hid "
    "identity-credentials-get idle-detection interest-cohort keyboard-map local-fonts local-network-access "
    "magnetometer microphone midi otp-credentials payment picture-in-picture private-state-token-issuance "
    "private-state-token-redemption publickey-credentials-create publickey-credentials-get screen-wake-lock serial "
    "speaker-selection storage-access sync-xhr usb window-management xr-spatial-tracking"
)
# On every answer (sally.middleware.protect), unless it says otherwise.
ANSWER_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": SECURE_REFERRER_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _UNUSED.split()),
    "Cache-Control": "no-store, private",
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_NAME = "__Host-sessionid" if _https else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if _https else "csrftoken"
CSRF_COOKIE_HTTPONLY = True
SESSION_ENGINE = "sally.sessions"
SESSION_IDLE_HOURS = _number("SESSION_IDLE_HOURS", 8, 1, 720)
SESSION_DAYS = _number("SESSION_DAYS", 7, 1, 90)
# The row ends a session (end_old_sessions); the cookie outlives it, so that the person can be told why.
SESSION_COOKIE_AGE = (SESSION_DAYS + 7) * 24 * 60 * 60
# Who may try how often (sally/throttling.py): the same address from the same place, five times.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # else whoever goes on trying is never told the right time
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "sally.throttling.username"
AXES_CLIENT_IP_CALLABLE = "sally.throttling.counted_address"
AXES_LOCKOUT_CALLABLE = "sally.throttling.locked_out"
AXES_DISABLE_ACCESS_LOG = True  # sign-ins are log lines (sally/access_log.py)
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False  # else its log lines name browsers
VISIT_COOKIE_NAME = "__Host-visit" if _https else "visit"
LANGUAGE_COOKIE_NAME = "__Host-language" if _https else "language"
LANGUAGE_COOKIE_SECURE = _https
LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
# Not in a cookie of their own, whose name Django fixes.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- Providers and syncing -------------------------------------------------------------------------------------

DEMO_PASSWORD = _text("DEMO_PASSWORD")
FIELD_KEYS = _field_keys()
CA_BUNDLE = _text("CA_BUNDLE")
MICROSOFT_CLIENT_ID = _text("MICROSOFT_CLIENT_ID")
MICROSOFT_CLIENT_SECRET = _text("MICROSOFT_CLIENT_SECRET")
MICROSOFT_CLIENT_CERTIFICATE = _text("MICROSOFT_CLIENT_CERTIFICATE")
# Where people sign in and where Graph is (https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud,
# https://learn.microsoft.com/graph/deployments). GCC, other than GCC High, is in the global cloud.
MICROSOFT_CLOUDS = {
    "global": ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    "us-gov": ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    "us-dod": ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    "china": ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
}
MICROSOFT_CLOUD = _choice("MICROSOFT_CLOUD", MICROSOFT_CLOUDS)
MICROSOFT_LOGIN_URL = _address("MICROSOFT_LOGIN_URL", MICROSOFT_CLOUDS[MICROSOFT_CLOUD][0])
MICROSOFT_GRAPH_URL = _address("MICROSOFT_GRAPH_URL", MICROSOFT_CLOUDS[MICROSOFT_CLOUD][1])
# What people are asked for: the product guide's permissions, or the least that Sally needs.
MICROSOFT_SCOPES = _choice("MICROSOFT_SCOPES", ("guide", "minimal"))
# Where people's browsers reach the sign-in service: elsewhere only at the stand-in, whose pages need no TLS.
MICROSOFT_PAGES_URL = _address("MICROSOFT_PAGES_URL", MICROSOFT_LOGIN_URL)
# Private networks that people's Exchange servers may be in; the internet is allowed, the machine itself never is.
EXCHANGE_ALLOWED_NETWORKS = _networks("EXCHANGE_ALLOWED_NETWORKS")
# The one place on this machine that may be an Exchange server all the same; `check --deploy` refuses it.
EXCHANGE_SANDBOX = _sandbox("EXCHANGE_SANDBOX")

for _name, _path in (("CA_BUNDLE", CA_BUNDLE), ("MICROSOFT_CLIENT_CERTIFICATE", MICROSOFT_CLIENT_CERTIFICATE)):
    if _path and not Path(_path).is_file():
        raise ImproperlyConfigured(f"{_name}: there is no file {_path}")

SYNC_EVERY = _number("SYNC_EVERY", 5, 1, 1440)  # minutes
SYNC_DAYS_BACK = _number("SYNC_DAYS_BACK", 1, 0, 365)
SYNC_DAYS_AHEAD = _number("SYNC_DAYS_AHEAD", 90, 1, 365)
DORMANT_DAYS = _number("DORMANT_DAYS", 90, 1, 3650)
if DORMANT_DAYS <= SESSION_DAYS:
    raise ImproperlyConfigured(f"DORMANT_DAYS={DORMANT_DAYS} must be greater than SESSION_DAYS={SESSION_DAYS}.")
# How long a meeting is kept after its end. No sync looks back further: it would fetch again what was deleted.
KEEP_DAYS = _number("KEEP_DAYS", 30, 1, 3650)
if KEEP_DAYS < SYNC_DAYS_BACK:
    raise ImproperlyConfigured(f"KEEP_DAYS={KEEP_DAYS} must not be smaller than SYNC_DAYS_BACK={SYNC_DAYS_BACK}.")

# Online meetings that Sally can take part in, by the keys of calendars/services.py.
JOINABLE_SERVICES = _text("JOINABLE_SERVICES", "teams,meet,zoom,webex").replace(",", " ").split()

# --- Logging ---------------------------------------------------------------------------------------------------

LOG_FORMAT = _text("LOG_FORMAT", "json")
if LOG_FORMAT not in ("json", "line"):
    raise ImproperlyConfigured(f"LOG_FORMAT={LOG_FORMAT!r} must be json or line.")
LOG_LEVEL = _text("LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
    raise ImproperlyConfigured(f"LOG_LEVEL={LOG_LEVEL!r} must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secrets": {"()": "sally.logs.SecretFilter"}},
    "formatters": {"json": {"()": "sally.logs.JSONFormatter"}, "line": {"()": "sally.logs.LineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["secrets"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # They write whole requests at DEBUG, Authorization header included (exchangelib the XML at ERROR too): not
        # even the filter should have to find a secret in there.
        "exchangelib": {"level": "CRITICAL"},
        "spnego": {"level": "WARNING"},
        "django-q": {"level": "WARNING"},
        # A wrong Host header, or a nonsensical filter in Django admin, is anybody's to send, and no alarm.
        "django.security": {"level": "CRITICAL"},
        "axes": {"level": "ERROR"},  # sally.access_log says it in fewer words
        "msal": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "requests": {"level": "WARNING"},
        "django.db.backends": {"level": "INFO"},
        # Django's own goes to a console in DEBUG and to ADMINS by mail; ours goes where all goes.
        "django": {"level": "INFO", "handlers": [], "propagate": True},
        # Servers' own handlers know no filter, and their lines hold addresses with their query.
        "django.server": {"handlers": ["console"], "propagate": False},
        "gunicorn.error": {"handlers": ["console"], "propagate": False},
        "gunicorn.access": {"handlers": ["console"], "propagate": False},
    },
}
DEFAULT_EXCEPTION_REPORTER = "sally.reports.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "sally.reports.ReporterFilter"
