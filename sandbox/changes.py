"""A mailbox changed: read, edited and written in one transaction, for the control API and the Outlook page alike."""

from datetime import datetime
from typing import Any

from django.db import transaction

from sandbox import edits, people
from sandbox.mailbox import open_mailbox
from sandbox.models import Mailbox, Person


def fill(person: Person, text: str) -> None:
    """Keep the text and read it at once, so that the first listing does not have to."""
    people.fill_mailbox(person, text)
    open_mailbox(person)


def add_event(person: Person, wanted: dict[str, Any], now: datetime) -> str:
    """Add an event, and return its UID. Raises ``Unreadable``."""
    with transaction.atomic():
        text, uid = edits.add_event(Mailbox.objects.get(person=person).text, wanted, str(person), now)
        fill(person, text)
    return uid


def change_event(person: Person, wanted: dict[str, Any], now: datetime) -> None:
    """Change one series, or one occurrence of it. Raises ``UnknownEvent`` and ``Unreadable``."""
    with transaction.atomic():
        fill(person, edits.change_event(Mailbox.objects.get(person=person).text, wanted, str(person), now))
