"""The rules to choose from, each with what it means for one person, and to how many meetings Sally would come by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calendars.forms import ParticipationForm
from calendars.models import Rule
from sally.models import Organization

FOLLOWED = "organization-default"  # the name on pages of what has no rule of its own
_MOST_NAMED = 5


@dataclass(frozen=True)
class Option:
    """``name`` tells its elements on the page; ``value`` is what the form sends."""

    name: str
    value: str
    label: str
    meaning: str
    count: str
    chosen: bool


def options_of(
    form: ParticipationForm, organization: Organization | None, counts: Mapping[str, int]
) -> Iterator[Option]:
    """``counts``: of the coming week, by rule; by "" for the organization's default."""
    chosen = form["rule"].value()
    for value, label in form.fields["rule"].choices:  # type: ignore[attr-defined]  # a ChoiceField
        yield Option(
            name=value or FOLLOWED,
            value=value,
            label=label,
            meaning=_meaning(value, organization),
            count=count_in_words(counts.get(value, 0)),
            chosen=value == chosen,
        )


def count_in_words(count: int) -> str:
    return ngettext("%(count)s meeting in the next 7 days", "%(count)s meetings in the next 7 days", count) % {
        "count": count
    }


def _meaning(rule: str, organization: Organization | None) -> str:
    if rule == Rule.INTERNAL:
        return _internal(organization)
    if rule == Rule.ORGANIZATION:
        if organization is None:
            return _("You belong to no organization here: only meetings that nobody else is invited to.")
        text = _("Everybody who takes part is an active user of %(organization)s in Sally.")
        return text % {"organization": organization}
    if rule == Rule.EXTERNAL and organization is None:
        return _("Somebody else takes part.")
    meanings = {
        "": _("With the organization's switches. What it sets later counts for you too."),
        Rule.ALL: _("Every meeting with a link that Sally can use."),
        Rule.EXTERNAL: _("At least one person is neither on the whitelist nor an active user of your organization."),
        Rule.HOST: _("Outlook says that you are the organizer."),
        Rule.NEVER: _("Only the meetings for which you say so yourself."),
    }
    return meanings[rule]


def _internal(organization: Organization | None) -> str:
    if organization is None:
        return _("You belong to no organization here, so there is no whitelist: only meetings without anybody else.")
    domains = organization.internal_domains
    if not domains:
        return _("Your organization's whitelist is still empty, so nobody else counts as internal. Its admins fill it.")
    if len(domains) > _MOST_NAMED:
        text = ngettext(
            "The address of everybody who takes part is on your organization's whitelist (%(count)s domain).",
            "The address of everybody who takes part is on your organization's whitelist (%(count)s domains).",
            len(domains),
        )
        return text % {"count": len(domains)}
    text = _("The address of everybody who takes part is on your organization's whitelist: %(domains)s.")
    return text % {"domains": ", ".join(domains)}
