"""The kinds of rows about a person that this app keeps, and those of Django and django-axes that come with it."""

from __future__ import annotations

from collections.abc import Sequence

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db.models import Q, QuerySet
from django.utils.functional import lazy
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from sally import throttling
from sally.models import Session, User
from sally.stored import Stored


def _in_admin(user: User) -> QuerySet[LogEntry]:
    """By the person, and about the person's account."""
    theirs = Q(content_type__app_label="sally", content_type__model="user", object_id=str(user.pk))
    return LogEntry.objects.filter(Q(user=user) | theirs)


def _why_sessions() -> str:
    use = gettext("So that you stay signed in, and find under Profile in which browsers you are.")
    hours = ngettext(
        "A session ends when it was not used for an hour,",
        "A session ends when it was not used for %(hours)s hours,",
        settings.SESSION_IDLE_HOURS,
    )
    days = ngettext(
        "and a day after the sign-in at the latest; within a day it is deleted.",
        "and %(days)s days after the sign-in at the latest; within a day it is deleted.",
        settings.SESSION_DAYS,
    )
    return f"{use} {hours % {'hours': settings.SESSION_IDLE_HOURS}} {days % {'days': settings.SESSION_DAYS}}"


KINDS: Sequence[Stored] = (
    Stored(
        model=User,
        title=_("Your account"),
        why=_(
            "So that you can sign in, and see Sally in your language and your time zone. Kept until you delete it "
            "here, or whoever runs Sally does."
        ),
        of=lambda user: User.objects.filter(pk=user.pk),
        order=0,
        sealed=frozenset({"password"}),
        words={
            "password": _("password, as a fingerprint"),
            "last_login": _("last sign-in"),
            "is_superuser": _("runs Sally"),
        },
    ),
    Stored(
        model=Session,
        title=_("Browsers you are signed in with"),
        why=lazy(_why_sessions, str)(),
        of=lambda user: Session.objects.filter(user=user),
        order=10,
        sealed=frozenset({"session_key", "session_data"}),
        words={
            "session_key": _("what opens the session"),
            "session_data": _("what the session remembers"),
            "expire_date": _("end of the cookie"),
        },
    ),
    Stored(
        model=LogEntry,
        title=_("Changes in the administration"),
        why=_(
            "What you changed as an admin, and what an admin changed in your account: so that it can be told "
            "afterwards who did it. Kept until one of the two accounts is deleted."
        ),
        of=_in_admin,
        order=20,
        words={
            "action_time": _("when"),
            "user": _("who did it (number of the account)"),
            "content_type": _("kind of what was changed (number)"),
            "object_id": _("number of what was changed"),
            "object_repr": _("name of what was changed"),
            "action_flag": _("what was done: 1 added, 2 changed, 3 deleted"),
            "change_message": _("which fields"),
        },
    ),
    Stored(
        model=AccessAttempt,
        title=_("Wrong passwords"),
        why=_(
            "So that nobody can guess your password: after too many wrong ones from one place, Sally takes none from "
            "there for a quarter of an hour. Deleted as soon as the right one is entered there, otherwise within about "
            "a day."
        ),
        of=throttling.attempts,
        order=30,
        sealed=frozenset({"username"}),
        words={
            "user_agent": _("what the browser calls itself"),
            "ip_address": _("IP address (of IPv6 the first half)"),
            "username": _("your address, as a fingerprint"),
            "http_accept": _("kinds of answers the browser takes"),
            "path_info": _("page that asked for the password"),
            "attempt_time": _("last wrong one"),
            "get_data": _("what stood in the address (always empty)"),
            "post_data": _("what was typed (always empty)"),
            "failures_since_start": _("wrong ones so far"),
        },
    ),
)
