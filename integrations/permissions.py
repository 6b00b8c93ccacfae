"""Every permission that Sally asks for, in words: what Microsoft allows with it, and what Sally does with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from integrations.clouds import OF_NO_RESOURCE
from integrations.providers import BY_SIGN_IN
from integrations.rows import Words


@dataclass(frozen=True)
class Permission:
    """``allows``: what Microsoft technically allows with it; ``use``: what Sally does with it."""

    name: str
    allows: Words
    use: Words


_CALENDARS = "Calendars"
_READ = f"{_CALENDARS}.Read"
# Each covers those before it.
_LEVELS = ("ReadBasic", "Read", "ReadWrite")
_LEVELLED = re.compile(rf"(?P<of>\w+)\.(?P<level>{'|'.join(_LEVELS)})(?P<shared>\.Shared)?")
_ALWAYS_NEEDED = ("offline_access", "openid")

_PERMISSIONS = (
    Permission(
        "offline_access",
        _("Sally may renew her access by herself, without you, until it is withdrawn."),
        _("Sally gets a refresh token, keeps it encrypted, and reads your calendar on schedule with it."),
    ),
    Permission(
        "openid",
        _("Microsoft tells Sally which account signed in."),
        _("Sally keeps the account's ID, which never changes, and knows the account again by it."),
    ),
    Permission(
        "profile",
        _("Microsoft tells Sally the account's name and user name."),
        _("Sally shows both beside the calendar, so that you can tell your calendars apart."),
    ),
    Permission(
        "email",
        _("Microsoft tells Sally the account's e-mail address."),
        _("Sally shows it beside the calendar, so that you can tell your calendars apart."),
    ),
    Permission(
        "User.Read",
        _("Reading your own profile, such as your position and telephone number."),
        _("Not used: the sign-in itself tells who you are, and Sally sends no request for your profile."),
    ),
    Permission(
        "Calendars.Read",
        _("Reading all events of your own calendars."),
        _(
            "Sally reads the events of your main calendar, their texts included, to list your meetings and find the "
            "links."
        ),
    ),
    Permission(
        "Calendars.ReadWrite",
        _("Reading, creating, changing and deleting events in your own calendars."),
        _(
            "Sally only reads the events of your main calendar, their texts included, to list your meetings and find "
            "the links. She has no code that writes."
        ),
    ),
    Permission(
        "Calendars.ReadWrite.Shared",
        _(
            "Reading, creating, changing and deleting events in your own calendars and in those that others share with "
            "you."
        ),
        _(
            "Sally only reads the events of your own main calendar, their texts included, to list your meetings and "
            "find the links. She opens no shared calendar, and has no code that writes."
        ),
    ),
    Permission(
        "Contacts.ReadWrite",
        _("Reading, creating, changing and deleting your contacts."),
        _("Not used: it is only part of the set that is asked for. Sally sends no request for contacts."),
    ),
    Permission(
        "Contacts.ReadWrite.Shared",
        _("Reading, creating, changing and deleting your contacts and those that others share with you."),
        _("Not used: it is only part of the set that is asked for. Sally sends no request for contacts."),
    ),
    Permission(
        "OnlineMeetings.ReadWrite",
        _("Reading, creating and changing online meetings in your name."),
        _(
            "Not used: it is only part of the set that is asked for. Sally takes the links from your calendar, and "
            "sends no request for online meetings."
        ),
    ),
)
_BY_NAME: Mapping[str, Permission] = {one.name: one for one in _PERMISSIONS}

NEVER: Sequence[Words] = (
    _("Sally never creates, changes, answers or deletes anything in a calendar: she has no code that writes."),
    _("Sally never opens calendars of other people, not even those that are shared with you."),
    _("Sally never fetches mail, files, contacts or online meetings."),
    _("Sally never reads the calendar of anybody who has not connected it."),
)
# Of a server that knows no permissions. The names are those of exchange/library.py, one class for each.
WHOLE_MAILBOX: Sequence[Words] = (
    _(
        "An Exchange server knows no such permissions: with your password, everything in your mailbox can be read and "
        "changed. Sally keeps it encrypted."
    ),
    _(
        "Sally sends six operations, and none of them writes: FindItem and GetItem (read your main calendar), "
        "SyncFolderItems (asks whether something changed in it), and, when you connect it, GetFolder, ConvertId and "
        "ResolveNames (find out how the server lets people in, and your mailbox's own address)."
    ),
)


def requested(key: str) -> list[Permission]:
    """What the door with this key asks for, in that order, by the settings in force; nothing where it has a form."""
    return named(BY_SIGN_IN[key].scopes) if key in BY_SIGN_IN else []


def named(names: Iterable[str]) -> list[Permission]:
    """These, in that order; without words where Sally asked for them once and knows them no more."""
    return [_BY_NAME.get(name) or Permission(name, "", "") for name in names]


def missing(requested: Iterable[str], granted: Iterable[str]) -> list[str]:
    """The names asked for that nothing granted covers."""
    given = set(granted)
    return [name for name in requested if not _covered(name, given)]


def unapproved(requested: Iterable[str], granted: Iterable[str]) -> list[str]:
    """The same without OpenID Connect's own scopes, which nobody has to approve and which answers may leave out."""
    return [name for name in missing(requested, granted) if name not in OF_NO_RESOURCE]


def is_needed(name: str, granted: Iterable[str]) -> bool:
    """Whether Sally cannot do without this one, given those: any that lets her read the calendar will do."""
    if name.startswith(f"{_CALENDARS}."):
        return not _covered(_READ, set(granted))
    return name in _ALWAYS_NEEDED


def _covered(name: str, given: set[str]) -> bool:
    return any(_covers(one, name) for one in given)


def _covers(granted: str, wanted: str) -> bool:
    """Whether one permission includes another: writing reading, and shared things one's own."""
    if granted == wanted:
        return True
    has, wants = _LEVELLED.fullmatch(granted), _LEVELLED.fullmatch(wanted)
    if not (has and wants and has["of"] == wants["of"]):
        return False
    enough = _LEVELS.index(has["level"]) >= _LEVELS.index(wants["level"])
    return enough and wants["shared"] in (None, has["shared"])
