"""The forms of the Meeting Assistant: what a person sets, and what admins set for everybody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from calendars.attendance import Standing
from calendars.leads import lead_choices, lead_in_words
from calendars.models import OrganizationParticipation, Participation, Rule
from calendars.models.participation import SETTINGS, USUAL
from calendars.people import canonical_domain
from integrations.events import clean
from sally.models import Organization, plain_domain

SWITCHES = ("only_accepted", "skip_confidential", "skip_free", "skip_all_day")
MOST_DOMAINS = 500


class LeadForm(forms.ModelForm):  # type: ignore[type-arg]  # generic to the type checker only
    """When Sally joins: all that is left to choose where the organization set the rule for everybody."""

    lead = forms.TypedChoiceField(label=gettext_lazy("When Sally joins"), coerce=int, empty_value=None, required=False)

    class Meta:
        model = Participation
        fields: Sequence[str] = ["lead"]

    def __init__(self, data: Any = None, *, standing: Standing, typed: Mapping[str, Any] | None = None) -> None:
        """``typed`` is shown again as it was, and not judged."""
        own, default = standing.participation or Participation(), standing.default
        self.default = Rule(default.rule) if default and default.rule else None
        known = {name: getattr(own, name) for name in SETTINGS}
        known["rule"] = own.rule or ("" if self.default else Rule.ALL.value)
        super().__init__(data, initial={**known, **(typed or {})})
        set_by_organization = default.lead if default else None
        lead = lead_in_words(USUAL if set_by_organization is None else set_by_organization)
        unset = _("Usual (%(lead)s)") if set_by_organization is None else _("As my organization has set (%(lead)s)")
        _offer(self, "lead", lead_choices(unset % {"lead": lead}))

    @property
    def values(self) -> dict[str, Any]:
        """What the valid form would store, by the names in ``SETTINGS``."""
        return {name: self.cleaned_data.get(name, self.initial[name]) for name in SETTINGS}


class ParticipationForm(LeadForm):
    """Rule, switches and lead. An empty rule follows the organization's, where it has set one."""

    class Meta(LeadForm.Meta):
        fields = SETTINGS
        widgets = {"rule": forms.RadioSelect}

    def __init__(self, data: Any = None, *, standing: Standing, typed: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, standing=standing, typed=typed)
        rules: list[tuple[str, str]] = [(value, str(label)) for value, label in Rule.choices]
        if self.default:
            follow = _("As my organization has set: %(rule)s") % {"rule": self.default.label}
            rules.insert(0, ("", follow))
        _offer(self, "rule", rules)
        self.fields["rule"].required = not self.default

    @property
    def switches(self) -> list[forms.BoundField]:
        return [self[name] for name in SWITCHES]


@dataclass(frozen=True)
class DomainRow:
    """A line of the whitelist as it stands on the page; ``error`` says why it is refused."""

    number: int
    text: str
    error: str = ""


class DomainsField(forms.Field):
    """The whitelist, a domain a line. A line may hold several, and addresses, of which the domain is taken."""

    widget = forms.MultipleHiddenInput
    hidden_widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[str]:
        lines = value if isinstance(value, list) else []
        texts = [text for line in lines for text in _split(line)]
        if len(texts) > MOST_DOMAINS:
            many = ngettext("Only %(count)s domain fits here.", "Only %(count)s domains fit here.", MOST_DOMAINS)
            raise ValidationError(many % {"count": MOST_DOMAINS})
        if any(map(refusal, texts)):
            raise ValidationError(_("Please correct the marked domains, or remove them."))
        found: dict[str, str] = {}
        for domain in map(_domain, texts):
            found.setdefault(canonical_domain(domain), domain)
        return list(found.values())


def _split(line: object) -> list[str]:
    return [text for text in re.split(r"[\s,;]+", str(line)) if text]


def _domain(text: str) -> str:
    """Of a domain or an e-mail address, as organizations keep it; "" where it is none."""
    domain = plain_domain(text.rpartition("@")[2].removesuffix("."))
    return domain if canonical_domain(domain) else ""


def refusal(text: str) -> str:
    """Why this is no domain for the whitelist; "" where it is one."""
    if _domain(text):
        return ""
    shown = clean(text, 60)
    if re.fullmatch(r"@?[\w-]+\.?", text):
        return _("“%(domain)s” is not a whole domain. Write it as in company.com.") % {"domain": shown}
    return _("“%(domain)s” is no domain. Write it as in company.com.") % {"domain": shown}


class OrganizationForm(forms.ModelForm):  # type: ignore[type-arg]  # generic to the type checker only
    """The whitelist, and what counts for everybody without a choice of their own, or who made none."""

    domains = DomainsField(label=gettext_lazy("White list for internal meetings"), required=False)
    lead = forms.TypedChoiceField(label=gettext_lazy("When Sally joins"), coerce=int, empty_value=None, required=False)

    class Meta:
        model = OrganizationParticipation
        fields = [*SETTINGS, "locked", "lock_reason"]
        widgets = {"lock_reason": forms.Textarea(attrs={"rows": 3})}

    def __init__(
        self,
        data: Any = None,
        *,
        organization: Organization,
        default: OrganizationParticipation | None,
        typed: Mapping[str, Any] | None = None,
    ) -> None:
        """``typed`` is shown again as it was, and not judged."""
        known = default or OrganizationParticipation()
        stored = {name: getattr(known, name) for name in self._meta.fields or ()}
        super().__init__(data, initial={"domains": organization.internal_domains, **stored, **(typed or {})})
        rules = [(value, str(label)) for value, label in Rule.choices]
        _offer(self, "rule", [("", _("No default: everybody chooses")), *rules])
        self.fields["rule"].label = _("Default rule")
        self.fields["only_accepted"].label = _("Only meetings that the person accepted")
        _offer(self, "lead", lead_choices(_("No default")))

    @property
    def switches(self) -> list[forms.BoundField]:
        return [self[name] for name in SWITCHES]

    @property
    def rows(self) -> list[DomainRow]:
        """The whitelist as it is shown, with what is wrong with each line where the form was judged."""
        lines = self["domains"].value() or [""]
        texts = [_split(line) for line in lines]
        # Too many are refused as a whole: to say of each what is wrong with it would take half a minute.
        is_judged = self.is_bound and sum(map(len, texts)) <= MOST_DOMAINS
        return [
            DomainRow(number, line, next(filter(None, map(refusal, texts[number])), "") if is_judged else "")
            for number, line in enumerate(lines)
        ]

    @property
    def values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self._meta.fields or ()}

    def clean_lock_reason(self) -> str:
        return " ".join(clean(self.cleaned_data["lock_reason"], 300).split())

    def clean(self) -> dict[str, Any]:
        told = super().clean() or self.cleaned_data
        if told.get("locked") and told.get("rule") == "":
            self.add_error("rule", _("Choose the rule that counts for everybody."))
        if told.get("locked") and told.get("lock_reason") == "":
            self.add_error("lock_reason", _("Say why: everybody sees it beside the rule."))
        return told


def typed_in(form: forms.BaseForm) -> dict[str, Any]:
    """What stands in the fields of a form that came back, as it is, to show it again unjudged."""
    return {name: form[name].data for name in form.fields}


def _offer(form: forms.BaseForm, name: str, choices: Sequence[tuple[str, str]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
    field.choices = choices
