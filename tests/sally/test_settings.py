"""What the environment may say, and what stops the start."""

import os
import re
import runpy
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

REPOSITORY = Path(__file__).parent.parent.parent
ONE_KEY = "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdC0="
ENVIRONMENT = {"ENV_FILE": "", "SECRET_KEY": "a-key-for-tests", "FIELD_KEYS": ONE_KEY}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what Sally cannot do without."""
    for name in set(os.environ) - {"PATH", "HOME"}:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(REPOSITORY / "sally" / "settings.py"))


BAD = [
    ("DEBUG", "ture"),
    ("BEHIND_PROXY", "perhaps"),
    ("PORT", "http"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "8000.5"),
    ("PUBLIC_URL", "sally.company.com"),
    ("PUBLIC_URL", "ftp://sally.company.com"),
    ("PUBLIC_URL", "https://sally.company.com:port"),
    ("PUBLIC_URL", "https://sally.company.com/?a=b"),
    ("PUBLIC_URL", "https://user:word@sally.company.com"),
    ("DATABASE_URL", "nonsense"),
    ("DATABASE_URL", "mysql://sally@localhost/sally"),
    ("DATABASE_URL", "postgres://sally@localhost:port/sally"),
    ("DATABASE_URL", "sqlite://:memory:"),
    ("REDIS_URL", "localhost:6379"),
    ("EMAIL_URL", "nonsense"),
    ("EMAIL_URL", "smtp://mail.company.com:port"),
    ("FIELD_KEYS", "short"),
    ("FIELD_KEYS", f"{ONE_KEY},short"),
    ("CA_BUNDLE", "/no/such/file.pem"),
    ("MICROSOFT_CLIENT_CERTIFICATE", "/no/such/file.pem"),
    ("MICROSOFT_LOGIN_URL", "login.microsoftonline.com"),
    ("MICROSOFT_GRAPH_URL", "graph"),
    ("MICROSOFT_CLOUD", "germany"),
    ("MICROSOFT_CLOUD", "https://login.microsoftonline.us"),
    ("MICROSOFT_SCOPES", "Calendars.Read"),
    ("EXCHANGE_ALLOWED_NETWORKS", "office"),
    ("EXCHANGE_ALLOWED_NETWORKS", "10.1.2.0/33"),
    ("EXCHANGE_ALLOWED_NETWORKS", "10.1.2.0-10.1.2.9"),
    ("EXCHANGE_ALLOWED_NETWORKS", "10.1.2.0/24;10.1.3.0/24"),
    ("EXCHANGE_SANDBOX", "localhost"),
    ("EXCHANGE_SANDBOX", ":8443"),
    ("EXCHANGE_SANDBOX", "localhost:"),
    ("EXCHANGE_SANDBOX", "localhost:0"),
    ("EXCHANGE_SANDBOX", "localhost:08443"),
    ("EXCHANGE_SANDBOX", "localhost:65536"),
    ("EXCHANGE_SANDBOX", "localhost:https"),
    ("EXCHANGE_SANDBOX", "10.1.2.3:8443"),
    ("EXCHANGE_SANDBOX", "mail.company.com:443"),
    ("EXCHANGE_SANDBOX", "https://localhost:8443"),
    ("SESSION_IDLE_HOURS", "0"),
    ("SESSION_IDLE_HOURS", "8h"),
    ("SESSION_DAYS", "0"),
    ("SESSION_DAYS", "91"),
    ("SYNC_EVERY", "0"),
    ("SYNC_EVERY", "five"),
    ("SYNC_DAYS_BACK", "-1"),
    ("SYNC_DAYS_BACK", "366"),
    ("SYNC_DAYS_AHEAD", "0"),
    ("SYNC_DAYS_AHEAD", "1e3"),
    ("KEEP_DAYS", "0"),
    ("KEEP_DAYS", "3651"),
    ("LOG_FORMAT", "xml"),
    ("LOG_LEVEL", "loud"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_stops_the_start_with_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name}\b"):
        read(monkeypatch, **{name: value})


CLOUDS = [
    ("", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
    ("global", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
    ("us-gov", "https://login.microsoftonline.us", "https://graph.microsoft.us"),
    ("us-dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    ("china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
    (" China ", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
]


@pytest.mark.parametrize(("cloud", "login", "graph"), CLOUDS)
def test_microsofts_cloud_decides_where_one_signs_in_and_where_graph_is(
    monkeypatch: pytest.MonkeyPatch, cloud: str, login: str, graph: str
) -> None:
    found = read(monkeypatch, MICROSOFT_CLOUD=cloud)
    assert (found["MICROSOFT_LOGIN_URL"], found["MICROSOFT_GRAPH_URL"]) == (login, graph)


def test_an_address_that_is_set_wins_over_the_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, MICROSOFT_CLOUD="us-dod", MICROSOFT_LOGIN_URL="https://login.company.example/")
    assert found["MICROSOFT_LOGIN_URL"] == "https://login.company.example"
    assert found["MICROSOFT_GRAPH_URL"] == "https://dod-graph.microsoft.us"


@pytest.mark.parametrize(("written", "meant"), [("", "guide"), ("guide", "guide"), ("Minimal", "minimal")])
def test_people_are_asked_for_the_guides_permissions_unless_it_says_minimal(
    monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    assert read(monkeypatch, MICROSOFT_SCOPES=written)["MICROSOFT_SCOPES"] == meant


def test_private_networks_of_exchange_servers_are_closed_unless_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch)["EXCHANGE_ALLOWED_NETWORKS"] == []
    listed = read(monkeypatch, EXCHANGE_ALLOWED_NETWORKS=" 10.1.2.0/24, fd12:3456::/48,192.168.7.8,")
    assert [str(network) for network in listed["EXCHANGE_ALLOWED_NETWORKS"]] == [
        "10.1.2.0/24",
        "fd12:3456::/48",
        "192.168.7.8/32",
    ]


@pytest.mark.parametrize("bad", ["10.1.2.3/24", "fd12::1/64"])
def test_a_network_with_bits_behind_its_mask_is_named(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^EXCHANGE_ALLOWED_NETWORKS: {bad} has host bits set\."):
        read(monkeypatch, EXCHANGE_ALLOWED_NETWORKS=f"10.9.0.0/16,{bad}")


@pytest.mark.parametrize("everything", ["0.0.0.0/0", "::/0", "10.0.0.0/0.0.0.0"])
def test_everything_is_no_network(monkeypatch: pytest.MonkeyPatch, everything: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EXCHANGE_ALLOWED_NETWORKS: "):
        read(monkeypatch, EXCHANGE_ALLOWED_NETWORKS=f"10.1.2.0/24,{everything}")


def test_a_list_that_opens_everything_says_why_it_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="would let whoever connects a calendar reach every machine"):
        read(monkeypatch, EXCHANGE_ALLOWED_NETWORKS="0.0.0.0/0")


def test_the_sandbox_is_on_this_machine_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch)["EXCHANGE_SANDBOX"] == ""
    assert read(monkeypatch, EXCHANGE_SANDBOX=" LocalHost:8443 ")["EXCHANGE_SANDBOX"] == "localhost:8443"
    assert read(monkeypatch, EXCHANGE_SANDBOX="127.0.0.1:1")["EXCHANGE_SANDBOX"] == "127.0.0.1:1"


def test_what_is_kept_covers_what_is_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each sync would fetch again what was deleted the night before."""
    with pytest.raises(ImproperlyConfigured, match=r"^KEEP_DAYS=30 must not be smaller than SYNC_DAYS_BACK=31"):
        read(monkeypatch, SYNC_DAYS_BACK="31")
    assert read(monkeypatch, SYNC_DAYS_BACK="31", KEEP_DAYS="31")["KEEP_DAYS"] == 31


def test_nobody_who_is_signed_in_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="DORMANT_DAYS=7 must be greater than SESSION_DAYS=7"):
        read(monkeypatch, DORMANT_DAYS="7", SESSION_DAYS="7")


def test_logs_are_json_unless_people_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    logging = read(monkeypatch)["LOGGING"]
    assert (logging["handlers"]["console"]["formatter"], logging["root"]["level"]) == ("json", "INFO")
    logging = read(monkeypatch, LOG_FORMAT="line", LOG_LEVEL="debug")["LOGGING"]
    assert (logging["handlers"]["console"]["formatter"], logging["root"]["level"]) == ("line", "DEBUG")


@pytest.mark.parametrize("name", ["SECRET_KEY", "FIELD_KEYS"])
def test_a_missing_key_says_where_keys_come_from(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    words = (
        f"{name} is not set. `python3 manage.py demo` writes a .env with fresh keys; .env.example explains each line."
    )
    with pytest.raises(ImproperlyConfigured, match=f"^{re.escape(words)}$"):
        read(monkeypatch, **{name: ""})


def test_a_bad_field_key_is_named_by_position_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(monkeypatch, FIELD_KEYS=f"{ONE_KEY},not-a-key-but-secret")
    assert str(refused.value).startswith("FIELD_KEYS: key 2 is no Fernet key.")
    assert "not-a-key-but-secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["mysql://sally:hunter2@host/x", "postgres://sally:hunter2@host:x/x"])
def test_a_bad_database_address_is_not_repeated_with_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(monkeypatch, DATABASE_URL=url)
    assert "hunter2" not in str(refused.value)
    assert not recwarn.list


def test_a_process_ends_with_the_name(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "PATH": os.environ["PATH"], "PORT": "http"}
    start = [sys.executable, "-c", "import django; django.setup()"]
    ended = subprocess.run(
        start,
        env={**environment, "DJANGO_SETTINGS_MODULE": "sally.settings", "PYTHONPATH": str(REPOSITORY)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.endswith("PORT='http' must be a whole number between 1 and 65535.\n")


def test_several_field_keys_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = Fernet.generate_key().decode()
    assert read(monkeypatch, FIELD_KEYS=f"{newer}, {ONE_KEY},")["FIELD_KEYS"] == [newer, ONE_KEY]


def test_a_key_that_begins_with_a_dollar_is_taken_word_for_word(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, SECRET_KEY="$PATH$")["SECRET_KEY"] == "$PATH$"


@pytest.mark.parametrize(
    "name", ["DEBUG", "BEHIND_PROXY", "PORT", "PUBLIC_URL", "DATABASE_URL", "EMAIL_URL", "SYNC_EVERY", "ALLOWED_HOSTS"]
)
def test_an_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings = read(monkeypatch, **{name: ""})
    assert (settings["DEBUG"], settings["PORT"], settings["SYNC_EVERY"]) == (False, 8000, 5)
    assert settings["PUBLIC_URL"] == "http://localhost:8000"
    assert settings["ALLOWED_HOSTS"] == ["localhost"]
    assert settings["EMAIL_BACKEND"] == "django.core.mail.backends.console.EmailBackend"


def test_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# words\nPORT=8200\nSYNC_EVERY=7\nDEMO_PASSWORD=a#b $c\n")
    for name in ("PORT", "SYNC_EVERY", "DEMO_PASSWORD"):  # django-environ sets them; monkeypatch takes them away
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    settings = read(monkeypatch, ENV_FILE=str(path), SYNC_EVERY="9")
    assert (settings["PORT"], settings["SYNC_EVERY"], settings["DEMO_PASSWORD"]) == (8200, 9, "a#b $c")


def test_the_port_is_part_of_the_default_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, PORT="8123")["PUBLIC_URL"] == "http://localhost:8123"


def test_public_url_decides_hosts_and_trusted_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, PUBLIC_URL="https://sally.company.com/")
    assert settings["PUBLIC_URL"] == "https://sally.company.com"
    assert settings["ALLOWED_HOSTS"] == ["sally.company.com"]
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://sally.company.com"]


def test_sqlite_waits_for_locks_instead_of_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    options = read(monkeypatch)["DATABASES"]["default"]["OPTIONS"]
    assert (options["transaction_mode"], options["timeout"]) == ("IMMEDIATE", 20)
    assert "journal_mode=WAL" in options["init_command"]


def test_a_relative_sqlite_file_is_the_same_from_every_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    name = read(monkeypatch, DATABASE_URL="sqlite:///kept/sally.sqlite3")["DATABASES"]["default"]["NAME"]
    assert name == str(REPOSITORY / "kept" / "sally.sqlite3")


def test_postgresql_keeps_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    database = read(monkeypatch, DATABASE_URL="postgres://sally:a%40b@db:5433/sally")["DATABASES"]["default"]
    assert (database["HOST"], database["PORT"], database["PASSWORD"]) == ("db", 5433, "a@b")
    assert (database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"]) == (60, True)


def test_redis_carries_queue_and_cache_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, REDIS_URL="redis://localhost:6379/0")
    assert settings["Q_CLUSTER"]["redis"] == "redis://localhost:6379/0"
    assert settings["CACHES"]["default"]["BACKEND"] == "django.core.cache.backends.redis.RedisCache"


def test_without_redis_the_database_carries_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch)["Q_CLUSTER"]["orm"] == "default"


def test_a_task_is_never_taken_twice_because_it_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = read(monkeypatch)["Q_CLUSTER"]
    assert queue["retry"] > queue["timeout"] * (1 + queue["queue_limit"] / queue["workers"])


def test_https_switches_cookie_and_transport_protection_on(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, PUBLIC_URL="https://sally.company.com")
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["CSRF_COOKIE_SECURE"] is True
    assert settings["SESSION_COOKIE_NAME"] == "__Host-sessionid"
    assert settings["CSRF_COOKIE_NAME"] == "__Host-csrftoken"
    assert settings["SECURE_SSL_REDIRECT"] is True
    assert settings["SECURE_HSTS_SECONDS"] == 31_536_000
    assert settings["SECURE_HSTS_INCLUDE_SUBDOMAINS"] is True


def test_plain_http_on_a_laptop_works_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)
    assert settings["SESSION_COOKIE_SECURE"] is False
    assert settings["SECURE_SSL_REDIRECT"] is False
    assert settings["SECURE_HSTS_SECONDS"] == 0


def test_a_proxy_is_believed_only_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch)["SECURE_PROXY_SSL_HEADER"] is None
    assert read(monkeypatch, BEHIND_PROXY="true")["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")


def test_what_is_deleted_from_sqlite_is_gone_from_its_file(tmp_path: Path) -> None:
    """By default SQLite only forgets where it was; once the journal is written back, not a byte may be left."""
    path = tmp_path / "db.sqlite3"
    canary = "canary-oncologist"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA secure_delete=OFF")  # some distributions build it on
        database.executescript(settings.SQLITE_OPTIONS["init_command"])
        database.execute("CREATE TABLE meeting (subject TEXT)")
        database.executemany("INSERT INTO meeting VALUES (?)", [(f"{canary} {n}",) for n in range(200)])
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert canary.encode() in path.read_bytes()
        database.execute("DELETE FROM meeting")
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert canary.encode() not in path.read_bytes()
