"""What a person says about one meeting or its series, against the rule or with it: the form, and taking it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

from django import forms
from django.core import signing
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from calendars.attendance import Explanation, Said
from calendars.joining import LACKING, Verdict, all_the_same
from calendars.leads import lead_choices, lead_in_words
from calendars.models import Choice, Meeting, Rule
from calendars.models.participation import USUAL
from calendars.steps import Step, steps_of
from sally import returning

PARAMETER = "said"  # of the address that shows a notice with Undo
_SALT = "calendars.overriding"
_GOOD_FOR = timedelta(hours=1)


class OverrideForm(forms.Form):
    choice = forms.ChoiceField(label=gettext_lazy("You decide"), choices=Choice.choices, widget=forms.RadioSelect)
    lead = forms.TypedChoiceField(label=gettext_lazy("When"), coerce=int, empty_value=None, required=False)
    series = forms.ChoiceField(
        label=gettext_lazy("For"),
        choices=[("", gettext_lazy("Only this one")), ("series", gettext_lazy("The whole series"))],
        widget=forms.RadioSelect,
        required=False,
    )

    def __init__(self, data: Any = None, *, usual: int = USUAL, **options: Any) -> None:
        """``usual``: the lead of whoever chooses none here, in minutes from the start."""
        super().__init__(data, **options)
        lead = self.fields["lead"]
        assert isinstance(lead, forms.ChoiceField)  # noqa: S101 - this tells the type checker
        lead.choices = lead_choices(_("as usual (%(lead)s)") % {"lead": lead_in_words(usual)})


def form_for(meeting: Meeting, explanation: Explanation) -> OverrideForm:
    """With what counts of all that was said: about this one meeting, or else about its series."""
    this, series = explanation.this, explanation.series if meeting.in_series else Said()
    by_series = this == Said() and series != Said()
    lead = series.lead if this.lead is None else this.lead
    initial = {
        "choice": this.choice or series.choice or Choice.FOLLOW,
        "lead": "" if lead is None else lead,
        "series": "series" if by_series else "",
    }
    form = OverrideForm(initial=initial, usual=explanation.terms.lead if explanation.terms else USUAL)
    if not meeting.in_series:
        del form.fields["series"]
    return form


@dataclass(frozen=True)
class Card:
    """What a meeting's page says about Sally. ``form`` is None where there is nothing to decide."""

    verdict: Verdict | None
    meanwhile: str
    steps: list[Step]
    form: OverrideForm | None
    of_series: str
    is_confirmed: bool
    is_lacking: bool
    organizations_rule: str


def card_of(meeting: Meeting, verdict: Verdict | None, explanation: Explanation, *, over: bool) -> Card:
    terms, other = explanation.terms, explanation.meanwhile
    owner = meeting.connection.owner
    by_organization = terms is not None and explanation.standing.follows_organization
    return Card(
        verdict=verdict,
        meanwhile=all_the_same(other, owner) if other and not over else "",
        steps=list(steps_of(meeting, explanation)),
        form=form_for(meeting, explanation) if terms and not over else None,
        of_series=_of_series(explanation.series) if meeting.in_series else "",
        is_confirmed=terms is not None,
        is_lacking=explanation.decision.reason in LACKING,
        organizations_rule=str(Rule(terms.rule).label) if terms and by_organization else "",
    )


def _of_series(said: Said) -> str:
    words = [str(Choice(said.choice).label)] if said.choice else []
    words += [lead_in_words(said.lead)] if said.lead is not None else []
    return _("For the whole series you said: %(said)s.") % {"said": ", ".join(words)} if words else ""


def kept(choice: str, series: Said, *, whole_series: bool) -> str:
    """What is stored of a choice: to follow the rule is nothing to keep, unless something else is said of the series.

    ``series``: what is said of it.
    """
    return "" if choice == Choice.FOLLOW and (whole_series or not series.choice) else choice


# -- afterwards ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """What somebody just decided; ``before``: what Undo brings back, as it was."""

    meeting: int
    whole_series: bool
    choice: str
    before: Said

    @property
    def token(self) -> str:
        """For an address: nobody else can make one that has a person press Undo for something they never said."""
        before = self.before.choice, self.before.lead
        return signing.dumps([self.meeting, self.whole_series, self.choice, *before], salt=_SALT)

    @classmethod
    def read(cls, token: str) -> Done | None:
        """None where the token is none, or older than an hour."""
        try:
            meeting, whole_series, choice, *before = signing.loads(token, salt=_SALT, max_age=_GOOD_FOR)
        except signing.BadSignature:
            return None
        return cls(meeting, whole_series, choice, Said(*before))


@dataclass(frozen=True)
class Notice:
    meeting: int
    words: str
    token: str


def notice_of(done: Done, meeting: Meeting, verdict: Verdict | None, zone: ZoneInfo) -> Notice:
    return Notice(meeting.pk, words_of(done, meeting, verdict, zone), done.token)


def words_of(done: Done, meeting: Meeting, verdict: Verdict | None, zone: ZoneInfo) -> str:
    """What comes of a decision. Of one meeting it is told whether Sally joins, which may not be what was asked for."""
    begin = meeting.span(zone)[0].astimezone(zone)
    words = {
        "subject": meeting.subject or _("(no subject)"),
        "day": f"{date_format(begin, 'l')}, {date_format(begin, 'DATE_FORMAT')}",
        "why": verdict.sentence if verdict else "",
    }
    if done.whole_series:
        return _OF_SERIES.get(done.choice, _FOLLOWS) % words
    if verdict and verdict.joins:
        return _("Sally joins “%(subject)s” on %(day)s.") % words
    if verdict and done.choice == Choice.JOIN:
        return _("Sally does not join “%(subject)s” on %(day)s – %(why)s.") % words
    return _("Sally does not join “%(subject)s” on %(day)s.") % words


_OF_SERIES = {
    Choice.JOIN.value: gettext_lazy("Sally joins the whole series “%(subject)s”."),
    Choice.SKIP.value: gettext_lazy("Sally does not join the whole series “%(subject)s”."),
}
_FOLLOWS = gettext_lazy("The rule decides about the whole series “%(subject)s”.")


def way_back(request: HttpRequest, pk: int, done: Done | None = None) -> str:
    """Where the person came from, at the same meeting; with ``done`` it shows a notice, and Undo."""
    page = reverse("meeting", args=[pk])
    parts = urlsplit(returning.wished(request, page))
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != PARAMETER]
    if done:
        query.append((PARAMETER, done.token))
    fragment = f"meeting-{pk}" if parts.path == reverse("meetings") else "sally"
    return parts._replace(query=urlencode(query), fragment=fragment).geturl()
