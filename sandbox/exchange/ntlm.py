"""NTLM as a server proves it: two messages of the client on one TCP connection, bound to that connection's TLS."""

import base64
import binascii
import os
import struct
import threading
from hashlib import md5
from typing import Any

import spnego
from spnego._ntlm_raw.crypto import ntowfv1
from spnego._ntlm_raw.messages import Authenticate, AvId, NTClientChallengeV2
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from sandbox import certificates
from sandbox.exchange import accounts
from sandbox.installation import installation
from sandbox.models import Person

_SIGNATURE = b"NTLMSSP\0"
_HASHED_RESPONSE = 24  # bytes of an NTLMv1 response; NTLMv2's are longer and say what they are bound to
_NO_LM_HASH = "0" * 32
_users_lock = threading.Lock()


class NoMessage(ValueError):
    """This is no NTLM message, or not the one whose turn it is."""


def read(value: str) -> tuple[int, bytes]:
    """The number of a message (1 or 3) and its bytes. Raises ``NoMessage``."""
    try:
        token = base64.b64decode(value, validate=True)
        signature, number = struct.unpack_from("<8sI", token)
    except (binascii.Error, struct.error) as exc:
        raise NoMessage(str(exc)) from exc
    if signature != _SIGNATURE or number not in (1, 3):
        raise NoMessage(f"message {number}")
    return number, token


def _write_user_file(line: str) -> None:
    """pyspnego reads the accounts that it knows from the file that this variable names, at every logon."""
    path = installation().directory / "ntlm-users"
    certificates.write_private(path, line.encode())
    os.environ["NTLM_USER_FILE"] = str(path)


def begin(connection: dict[str, Any], token: bytes) -> str:
    """Answer message 1 with the challenge, which the connection remembers. Raises ``NoMessage``."""
    with _users_lock:
        _write_user_file("")
        context = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    try:
        challenge = context.step(token)
    except (SpnegoError, ValueError, struct.error, IndexError) as exc:
        raise NoMessage(str(exc)) from exc
    connection["ntlm"] = context
    return base64.b64encode(challenge or b"").decode()


def _named(token: bytes) -> tuple[str, str, bytes]:
    """Domain, user and the hash of the channel binding that message 3 names; empty where it names none."""
    message = Authenticate.unpack(token)
    response = message.nt_challenge_response or b""
    binding = b""
    if len(response) > _HASHED_RESPONSE:
        binding = NTClientChallengeV2.unpack(response[16:]).av_pairs.get(AvId.channel_bindings, b"")
    return message.domain_name or "", message.user_name or "", binding


def finish(connection: dict[str, Any], token: bytes, binding: bytes | None) -> tuple[Person | None, bool]:
    """Who message 3 claims to be, and whether that is proved.

    ``binding`` is the TLS connection's own; None asks for no binding. pyspnego lets a client off that names an empty
    binding, which Extended Protection does not, so the binding is compared here. Raises ``NoMessage``.
    """
    context = connection.pop("ntlm", None)
    if context is None:
        raise NoMessage("There was no message 1 on this connection.")
    try:
        domain, user, named = _named(token)
    except (ValueError, struct.error, IndexError, KeyError) as exc:
        raise NoMessage(str(exc)) from exc
    person = accounts.find(domain, user)
    if person is None:
        return None, False
    name = f"{domain}\\{user}" if domain else user
    hash = ntowfv1(accounts.DIRECTORY.of(person).password).hex()
    with _users_lock:
        _write_user_file(f"{name}:0:{_NO_LM_HASH}:{hash}:[U]:LCT-00000000\n")
        try:
            context.step(token)
        except (SpnegoError, ValueError, struct.error, IndexError):
            return person, False
    if binding is None:
        return person, True
    expected = md5(GssChannelBindings(application_data=binding).pack(), usedforsecurity=False).digest()
    return person, named == expected
