"""``sandbox``: runs the stand-in Microsoft until it is told to stop."""

import json
import os
import signal
import sys
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections, transaction

from sandbox import certificates, people, server
from sandbox.ics import Unreadable, read_series
from sandbox.installation import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_EXCHANGE_PASSWORD,
    Installation,
    install,
)

_REFUSED = 2


def _read_calendars(files: list[str]) -> str:
    """The text of all files. Raises ``CommandError`` with a sentence for one that cannot be used."""
    texts = []
    for name in files:
        try:
            text = Path(name).read_text(encoding="utf-8-sig")
            read_series(text, people.MAILBOX_ZONE)
        except OSError as exc:
            raise CommandError(f"Cannot read the calendar {name}: {exc.strerror}.", returncode=_REFUSED) from exc
        except UnicodeDecodeError as exc:
            raise CommandError(f"The calendar {name} is not UTF-8 text.", returncode=_REFUSED) from exc
        except Unreadable as exc:
            raise CommandError(f"Cannot use the calendar {name}: {exc}", returncode=_REFUSED) from exc
        texts.append(text.strip())
    return "\r\n".join(texts)


def _read_certificate(name: str) -> str:
    try:
        return Path(name).read_text(encoding="ascii") if name else ""
    except (OSError, UnicodeDecodeError) as exc:
        raise CommandError(f"Cannot read the client certificate {name}: {exc}.", returncode=_REFUSED) from exc


def _open_directory(name: str) -> Path:
    directory = Path(name).resolve()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        (directory / "sandbox.json").unlink(missing_ok=True)
    except OSError as exc:
        raise CommandError(f"Cannot use the directory {name}: {exc.strerror}.", returncode=_REFUSED) from exc
    return directory


def _open_database(directory: Path) -> None:
    # Before anything connects: every thread's connection is made from these settings.
    connections.settings["default"]["NAME"] = str(directory / "sandbox.sqlite3")
    call_command("migrate", verbosity=0, interactive=False)
    with transaction.atomic():
        people.seed()


class Command(BaseCommand):
    help = "Runs a stand-in for Microsoft's sign-in service, Graph calendar API and Exchange server on this machine."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--directory", default=".sandbox", help="where its files are kept (made, 0700)")
        parser.add_argument("--https-port", type=int, default=0, help="for programs; 0 takes any free port")
        parser.add_argument("--http-port", type=int, default=0, help="for a person's browser; 0 takes any free port")
        parser.add_argument("--calendar", action="append", default=[], metavar="FILE.ics", help="repeatable: fills "
                            "the first person's mailbox instead of the built-in calendar")  # fmt: skip
        parser.add_argument("--client-id", default=DEFAULT_CLIENT_ID)
        parser.add_argument("--client-secret", default=DEFAULT_CLIENT_SECRET)
        parser.add_argument("--exchange-password", default=DEFAULT_EXCHANGE_PASSWORD, help="everybody's, at Exchange")
        parser.add_argument("--redirect-uri", action="append", default=[], help="repeatable: registered redirect URIs")
        parser.add_argument("--client-certificate", default="", metavar="FILE.pem", help="accepted beside the secret")

    def handle(self, *_args: Any, **options: Any) -> None:
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        calendar = _read_calendars(options["calendar"])
        client_certificate = _read_certificate(options["client_certificate"])
        directory = _open_directory(options["directory"])
        ca_bundle, server_certificate = certificates.make_server_certificate(directory)
        try:
            secure, plain = server.bind(options["https_port"], options["http_port"], server_certificate)
        except (OSError, OverflowError) as exc:
            raise CommandError(f"Cannot take the port: {exc}.", returncode=_REFUSED) from exc
        installation = Installation(
            directory=directory,
            services_url=f"https://localhost:{secure.server_port}",
            pages_url=f"http://localhost:{plain.server_port}",
            client_id=options["client_id"],
            client_secret=options["client_secret"],
            redirect_uris=tuple(options["redirect_uri"]),
            client_certificate=client_certificate,
            first_mailbox=calendar,
            exchange_password=options["exchange_password"],
        )
        install(installation)
        _open_database(directory)
        self._serve(installation, ca_bundle, (secure, plain), stopped)

    def _serve(
        self, installation: Installation, ca_bundle: Path, servers: tuple[Any, ...], stopped: threading.Event
    ) -> None:
        for one in servers:
            threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        announcement = {
            "login_url": installation.services_url,
            "graph_url": installation.services_url,
            "pages_url": installation.pages_url,
            "ca_bundle": str(ca_bundle),
            "client_id": installation.client_id,
            "client_secret": installation.client_secret,
            "exchange_url": installation.exchange_url,
            "exchange_password": installation.exchange_password,
            "pid": os.getpid(),
        }
        path = installation.directory / "sandbox.json"
        certificates.write_private(path, json.dumps(announcement, indent=2).encode())
        self.stdout.write(f"The sandbox answers at {installation.services_url} and {installation.pages_url}.")
        self.stdout.flush()
        stopped.wait()
        path.unlink(missing_ok=True)
        for one in servers:
            one.shutdown()
            one.server_close()
        # A connection that is kept alive has a thread that waits for its next request; nobody waits for it.
        sys.exit(0)
