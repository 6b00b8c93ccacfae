"""What can go wrong with a provider: the class says what happens next, the code finds the words.

    ProviderError
    ├── Temporary             try again later, with a growing pause
    │   ├── Unavailable       network, 5xx, a proxy's page, a truncated answer
    │   │   └── NotReached    an organization's own server: nobody answers there, or Sally may not go there
    │   ├── RateLimited       429: not before ``retry_after`` seconds
    │   └── UnexpectedAnswer  readable but nonsensical; also logged as an error
    ├── ReconnectNeeded       rests until the user acts
    │   ├── PasswordRefused   never tried again by itself: directories lock accounts
    │   ├── PermissionMissing
    │   ├── ApprovalNeeded
    │   ├── WrongDoor         a mailbox of another kind
    │   └── OnlyHere          looked like the operator's problem, but everybody else works
    ├── SignInCancelled       the person said no at the provider's page
    ├── CursorExpired         start again without the cursor, at once
    ├── OperatorProblem       Sally's administrator has to act
    └── InternalError         a bug of ours, as it is recorded; also raised

``code`` is stable, short and free of secrets: it is stored, shown small beside the words of
``integrations.problems`` and quoted to support. ``detail`` is for the log only.
"""


class ProviderError(Exception):
    code = "PROVIDER"

    def __init__(self, detail: str = "", *, code: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


class Temporary(ProviderError):
    """``retry_after``: seconds in which nothing is sent, whoever asks for it; 0 where the usual pause will do."""

    code = "TEMP"

    def __init__(self, detail: str = "", *, code: str = "", retry_after: float = 0.0) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class Unavailable(Temporary):
    code = "NET-1"


class NotReached(Unavailable):
    """One class and one code for both causes, since a person must not learn which: Sally would be a port scanner.

    ``detail`` has the true cause, and ``remedy`` the setting's line that would help, if one does: for operators only.
    """

    code = "NET-2"

    def __init__(self, detail: str = "", *, code: str = "", host: str = "", remedy: str = "") -> None:
        super().__init__(detail, code=code)
        self.host = host
        self.remedy = remedy


class RateLimited(Temporary):
    """The provider asks for patience; ``retry_after`` is 0 where it says not for how long."""

    code = "RATE"


class UnexpectedAnswer(Temporary):
    code = "ANSWER"


class ReconnectNeeded(ProviderError):
    """``claims``: what the provider wants proved at the next sign-in, as JSON; "" where it named nothing."""

    code = "SIGNIN-1"

    def __init__(self, detail: str = "", *, code: str = "", claims: str = "") -> None:
        super().__init__(detail, code=code)
        self.claims = claims


class PasswordRefused(ReconnectNeeded):
    code = "PASSWORD"


class PermissionMissing(ReconnectNeeded):
    code = "PERMISSION"


class ApprovalNeeded(ReconnectNeeded):
    code = "APPROVAL"


class WrongDoor(ReconnectNeeded):
    """``account`` is the address for the right door, "" where it is unknown. For its owner's eyes, not for a log."""

    code = "DOOR"

    def __init__(self, detail: str = "", *, code: str = "", claims: str = "", account: str = "") -> None:
        super().__init__(detail, code=code, claims=claims)
        self.account = account


class OnlyHere(ReconnectNeeded):
    code = "HERE"


class SignInCancelled(ProviderError):
    code = "CANCELLED"


class CursorExpired(ProviderError):
    code = "CURSOR"


class OperatorProblem(ProviderError):
    code = "OPERATOR"


class InternalError(ProviderError):
    code = "INTERNAL"


def kinds() -> dict[str, type[ProviderError]]:
    """Every class of the tree by its name, which is how a row keeps it."""
    found: dict[str, type[ProviderError]] = {}
    waiting = [ProviderError]
    while waiting:
        kind = waiting.pop()
        found[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return found
