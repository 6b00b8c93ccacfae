"""How pages say a problem: its words, its code, and the way to the right door."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from integrations.problems import Problem


def said(problem: Problem) -> SafeString:
    """In the language of now."""
    text = format_html('{} <span class="code">{}</span>', problem.text, problem.code)
    if problem.tile:
        to_tile = f"{reverse('add-calendar')}#tile-{problem.tile}"
        text = format_html('{} <a href="{}">{}</a>', text, to_tile, _("To the right tile"))
    return text
