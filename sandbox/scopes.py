"""The permissions that an application may ask for, and the sentence by which a person agrees to each."""

from collections.abc import Iterable

SENTENCES = {
    "openid": "Sign you in",
    "profile": "View your basic profile: your name and your account",
    "email": "View your e-mail address",
    "offline_access": "Keep access to data you have given it access to, until you or your administrator end it",
    "User.Read": "Sign you in and read your profile",
    "Calendars.Read": "Read your calendars",
    "Calendars.ReadBasic": "Read the times of your calendars, without what is written in the events",
    "Calendars.ReadWrite": "Have full access to your calendars",
    "Calendars.Read.Shared": "Read your calendars and calendars shared with you",
    "Calendars.ReadWrite.Shared": "Read and write to your calendars and calendars shared with you",
    "Contacts.Read": "Read your contacts",
    "Contacts.ReadWrite": "Have full access to your contacts",
    "Contacts.Read.Shared": "Read your contacts and contacts shared with you",
    "Contacts.ReadWrite.Shared": "Read and write to your contacts and contacts shared with you",
    "OnlineMeetings.Read": "Read your online meetings",
    "OnlineMeetings.ReadWrite": "Read and create online meetings for you",
    "MailboxSettings.Read": "Read your mailbox settings, such as your time zone",
}
# What people may not agree to under the policy that Microsoft manages (entra-docs, manage-app-consent-policies.md).
FOR_ADMINS_TO_GRANT = frozenset(
    name
    for name in SENTENCES
    if name.startswith(("Calendars.", "OnlineMeetings.", "MailboxSettings."))
    or name in ("Contacts.ReadWrite", "Contacts.Read.Shared", "Contacts.ReadWrite.Shared")
)
SIGN_IN_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
# What personal accounts cannot give: Graph's permissions reference marks it as not supported there.
_WORK_ONLY = frozenset({name for name in SENTENCES if name.endswith(".Shared") or name.startswith("OnlineMeetings.")})
_RESOURCE = "https://graph.microsoft.com/"
_BY_LOWER_NAME = {name.lower(): name for name in SENTENCES}


def lines(names: Iterable[str]) -> list[dict[str, str]]:
    """What a page says of each permission."""
    return [{"name": name, "sentence": SENTENCES[name]} for name in names]


def full_name(name: str, graph_url: str) -> str:
    """The permission as an address of this cloud's Graph; those to sign in belong to none."""
    return name if name in SIGN_IN_SCOPES else f"{graph_url}/{name}"


def of_personal_account(names: list[str]) -> list[str]:
    """What a personal account gives of these; nothing tells the application what was left out."""
    return [name for name in names if name not in _WORK_ONLY]


def _short(word: str, graph_url: str) -> str:
    return word.removeprefix(_RESOURCE).removeprefix(f"{graph_url}/")


def as_asked(names: Iterable[str], requested: str, graph_url: str) -> list[str]:
    """These scopes, each with Graph's address in front where it was asked for so."""
    prefixes: dict[str, str] = {}
    for word in requested.split():
        short = _short(word, graph_url)
        prefixes[short.lower()] = word[: len(word) - len(short)]
    return [name if name in SIGN_IN_SCOPES else prefixes.get(name.lower(), "") + name for name in names]


def normalized(requested: str, graph_url: str) -> tuple[list[str], list[str]]:
    """The short names of the requested scopes in their order, and those that do not exist.

    Entra takes short names, names with Graph's address in front, and any case.
    """
    known: list[str] = []
    unknown: list[str] = []
    for word in requested.split():
        name = _BY_LOWER_NAME.get(_short(word, graph_url).lower())
        if name is None:
            unknown.append(word)
        elif name not in known:
            known.append(name)
    return known, unknown
