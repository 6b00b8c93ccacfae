"""The environment tests run in: fixed here, whatever the machine or a developer's ``.env`` says.

Loaded as a pytest plugin (``-p tests.environment``) because pytest-django reads the settings before any conftest.
"""

import os
import tempfile

# A folder of this run's own: two runs at once must not share a database file. It goes when the process ends.
_folder = tempfile.TemporaryDirectory(prefix="sally-tests-", ignore_cleanup_errors=True)

os.environ.update(
    ENV_FILE="",
    SECRET_KEY="a-key-for-tests-only-a-key-for-tests-only-a-key-for-tests",
    FIELD_KEYS="dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdC0=",
    DEBUG="false",
    ALLOWED_HOSTS="localhost,127.0.0.1,testserver",
    PUBLIC_URL="http://testserver",
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL", f"sqlite:///{_folder.name}/db.sqlite3"),
    REDIS_URL="",
    EMAIL_URL="memorymail://",
    DEFAULT_FROM_EMAIL="sally@sally.example",
    MICROSOFT_CLIENT_ID="",
    MICROSOFT_CLIENT_SECRET="",
    MICROSOFT_CLIENT_CERTIFICATE="",
    MICROSOFT_CLOUD="",
    MICROSOFT_SCOPES="",
    MICROSOFT_LOGIN_URL="",
    MICROSOFT_GRAPH_URL="",
    MICROSOFT_PAGES_URL="",
    CA_BUNDLE="",
    EXCHANGE_ALLOWED_NETWORKS="",
    EXCHANGE_SANDBOX="",
    SESSION_IDLE_HOURS="8",
    SESSION_DAYS="7",
    SYNC_EVERY="5",
    SYNC_DAYS_BACK="1",
    SYNC_DAYS_AHEAD="90",
    KEEP_DAYS="30",
    LOG_FORMAT="line",
    LOG_LEVEL="INFO",
    # Playwright's loop trips Django's guard against database access in async code; these tests are synchronous.
    DJANGO_ALLOW_ASYNC_UNSAFE="true",
)
