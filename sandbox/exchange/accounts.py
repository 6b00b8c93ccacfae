"""The directory: under which names somebody may log on, their password, and whether the account is barred."""

import threading
from dataclasses import dataclass, replace

from sandbox import people
from sandbox.installation import installation
from sandbox.models import Person

STATES = ("", "locked", "expired", "disabled")
# What Windows says of an account that may not be used (system error codes 1909, 1330 and 1331). That IIS refuses an
# expired password like a wrong one is our reading: Windows makes no logon of it.
SENTENCES = {
    "locked": "The referenced account is currently locked out and may not be logged on to.",
    "expired": "The password for this account has expired.",
    "disabled": "This user can't sign in because this account is currently disabled.",
}


@dataclass(frozen=True)
class Account:
    """``password`` is this very person's; ``state`` is one of ``STATES``."""

    password: str
    state: str = ""


class _Directory:
    """Who was given a password or a state of their own since the last reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own: dict[str, Account] = {}

    def of(self, person: Person) -> Account:
        return self._own.get(person.oid) or Account(installation().exchange_password)

    def change(self, person: Person, wanted: dict[str, object]) -> None:
        """Give the person another password, another state or both. Raises ``ValueError`` with a sentence."""
        for name, value in wanted.items():
            if name not in ("password", "state") or not isinstance(value, str):
                raise ValueError(f"An account has no {name} that could be {value!r}.")
        if wanted.get("state", "") not in STATES:
            raise ValueError(f"An account cannot be {wanted['state']!r}; use one of {STATES}.")
        if wanted.get("password", "-") == "":
            raise ValueError("A password cannot be empty.")
        with self._lock:
            self._own[person.oid] = replace(self.of(person), **wanted)  # type: ignore[arg-type]

    def reset(self) -> None:
        with self._lock:
            self._own.clear()


DIRECTORY = _Directory()


def find(domain: str, user: str) -> Person | None:
    """Who logs on under this name: ``DOMAIN\\user`` with the domain's short or long name, or an address alone."""
    if not domain:
        return people.find(user) if "@" in user else None
    if "@" in user:
        return None
    for person in Person.objects.filter(email__istartswith=f"{user}@"):
        local, _, mail_domain = person.email.lower().partition("@")
        if local == user.lower() and domain.lower() in (mail_domain, mail_domain.partition(".")[0]):
            return person
    return None
