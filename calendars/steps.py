"""Tells step by step how Sally decided about a meeting: what was asked, what the answer was, and which one decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from calendars.attendance import Explanation
from calendars.joining import sentence
from calendars.models import Choice, Meeting, Participation, Rule
from calendars.policy import Check, Reason, Terms
from sally.models import User


@dataclass(frozen=True)
class Step:
    words: str
    decided: bool


@dataclass(frozen=True)
class _Asked:
    """One check of a meeting. ``stopped``: it is the one that kept Sally away, or had her come whatever follows."""

    meeting: Meeting
    owner: User
    explanation: Explanation
    terms: Terms
    stopped: bool

    @property
    def reason(self) -> Reason:
        return self.explanation.decision.reason

    @property
    def sentence(self) -> str:
        organization = self.owner.organization.name if self.owner.organization else ""
        about = self.explanation.decision.about
        return sentence(self.reason, about, organization=organization, host=self.meeting.join_host)


def steps_of(meeting: Meeting, explanation: Explanation) -> Sequence[Step]:
    """The checks that were made, in their order. The one marked is the one that the reason is about.

    Where Sally joins by a rule, that is the rule, though the switches were asked after it.
    """
    terms = explanation.terms
    if terms is None:
        return [Step(_("No rule is confirmed yet, so nothing is planned."), decided=True)]
    joins_by_rule = explanation.decision.joins and explanation.decision.reason is not Reason.ASKED
    decided = Check.RULE if joins_by_rule else explanation.checks[-1]
    owner = meeting.connection.owner
    return [
        Step(_WORDS[one](_Asked(meeting, owner, explanation, terms, one is decided)), one is decided)
        for one in explanation.checks
    ]


def _confirmed(asked: _Asked) -> str:
    day = date_format(asked.terms.confirmed_at.astimezone(asked.owner.zone), "DATE_FORMAT")
    return _("You confirmed a rule on %(day)s.") % {"day": day}


def _cancelled(asked: _Asked) -> str:
    return _("It is cancelled.") if asked.stopped else _("It is not cancelled.")


def _over(asked: _Asked) -> str:
    return _("It is over.") if asked.stopped else _("It is not over.")


def _times(asked: _Asked) -> str:
    return _("It ends before it begins.") if asked.stopped else _("It has a start and an end.")


def _link(asked: _Asked) -> str:
    if asked.reason is Reason.NO_LINK:
        return _("There is no link.")
    where = {"service": asked.meeting.service_name or asked.meeting.join_host}
    if asked.stopped:
        return _("There is a link, but Sally cannot use it: %(service)s.") % where
    return _("There is a link that Sally can use: %(service)s.") % where


def _override(asked: _Asked) -> str:
    this, series = asked.explanation.this.choice, asked.explanation.series.choice
    if this:
        return _("You said for this meeting: %(choice)s.") % {"choice": Choice(this).label}
    if series:
        return _("You said for the whole series: %(choice)s.") % {"choice": Choice(series).label}
    return _("You decided nothing for this meeting.")


def _answer(asked: _Asked) -> str:
    return _("You declined.") if asked.stopped else _("You have not declined.")


def _private(asked: _Asked) -> str:
    if asked.stopped:
        return _("It is a private appointment, and those Sally joins only if you say so for one of them.")
    return _("It is not private.")


def _begun(asked: _Asked) -> str:
    if asked.stopped:
        return _("It had begun when you confirmed a rule.")
    return _("It had not begun when you confirmed a rule.")


def _rule(asked: _Asked) -> str:
    words = {"rule": Rule(asked.terms.rule).label, "why": asked.sentence}
    by_organization = asked.explanation.standing.follows_organization
    if not asked.stopped:  # a switch said no after it
        if by_organization:
            return _("By your organization's rule “%(rule)s” Sally would join.") % words
        return _("By your rule “%(rule)s” Sally would join.") % words
    if asked.reason in (Reason.ALL, Reason.NEVER):
        text = _("Your organization's rule is “%(rule)s”.") if by_organization else _("Your rule is “%(rule)s”.")
    elif by_organization:
        text = _("Your organization's rule is “%(rule)s” – %(why)s.")
    else:
        text = _("Your rule is “%(rule)s” – %(why)s.")
    return text % words


def _accepted(asked: _Asked) -> str:
    if not asked.terms.only_accepted:
        return _off("only_accepted")
    if asked.stopped:
        return _("You have not accepted it, and “%(switch)s” is on.") % _switch("only_accepted")
    return _("You organize it.") if asked.meeting.is_organizer else _("You accepted it.")


def _confidential(asked: _Asked) -> str:
    if not asked.terms.skip_confidential:
        return _off("skip_confidential")
    if asked.stopped:
        return _("It is confidential, and “%(switch)s” is on.") % _switch("skip_confidential")
    return _("It is not confidential.")


def _free(asked: _Asked) -> str:
    if not asked.terms.skip_free:
        return _off("skip_free")
    if asked.stopped:
        return _("It is shown as free, and “%(switch)s” is on.") % _switch("skip_free")
    return _("It is not shown as free.")


def _all_day(asked: _Asked) -> str:
    if not asked.terms.skip_all_day:
        return _off("skip_all_day")
    if asked.stopped:
        return _("It lasts all day, and “%(switch)s” is on.") % _switch("skip_all_day")
    return _("It does not last all day.")


def _off(switch: str) -> str:
    return _("“%(switch)s” is off.") % _switch(switch)


def _switch(name: str) -> dict[str, object]:
    return {"switch": next(one.verbose_name for one in Participation._meta.concrete_fields if one.name == name)}


_WORDS: Mapping[Check, Callable[[_Asked], str]] = {
    Check.CONFIRMED: _confirmed,
    Check.CANCELLED: _cancelled,
    Check.OVER: _over,
    Check.TIMES: _times,
    Check.LINK: _link,
    Check.OVERRIDE: _override,
    Check.ANSWER: _answer,
    Check.PRIVATE: _private,
    Check.BEGUN: _begun,
    Check.RULE: _rule,
    Check.ACCEPTED: _accepted,
    Check.CONFIDENTIAL: _confidential,
    Check.FREE: _free,
    Check.ALL_DAY: _all_day,
}
