"""Both languages are complete, and what is compiled is what is written."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).resolve().parent.parent
CATALOG = ROOT / "locale/de/LC_MESSAGES/django.po"
PLACEHOLDER = re.compile(r"%\([a-z_]+\)[sd]")
# The same word in both languages.
ALIKE = {
    "Code: %(code)s",
    "Link",
    "Name",
    "UID (iCalendar)",
    "optional",
    "Version",
    "Meetings",
    "Meeting",
    "meeting",
    "meetings",
    "Admin",
    "Worker",
    "OK",
    "Domain",
}


@pytest.fixture(scope="module")
def entries() -> list[polib.POEntry]:
    return [entry for entry in polib.pofile(str(CATALOG)) if not entry.obsolete]


def translations(entry: polib.POEntry | polib.MOEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_every_text_is_translated_and_none_is_a_guess(entries: list[polib.POEntry]) -> None:
    assert [one.msgid for one in entries if "fuzzy" in one.flags or not all(translations(one))] == []


def test_placeholders_are_the_same(entries: list[polib.POEntry]) -> None:
    for entry in entries:
        # German has its forms where English has: one, and the others.
        originals = [entry.msgid, entry.msgid_plural] if entry.msgid_plural else [entry.msgid]
        for original, text in zip(originals, translations(entry), strict=True):
            assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(original)), entry.msgid


def test_no_text_was_left_in_english(entries: list[polib.POEntry]) -> None:
    assert {one.msgid for one in entries if one.msgid in translations(one)} <= ALIKE


def test_people_are_addressed_formally(entries: list[polib.POEntry]) -> None:
    informal = re.compile(r"\b(du|dich|dir|dein\w*)\b", re.IGNORECASE)
    assert [one.msgid for one in entries if any(informal.search(text) for text in translations(one))] == []


def test_the_compiled_catalog_is_the_written_one(entries: list[polib.POEntry]) -> None:
    compiled = {
        (one.msgid, one.msgid_plural): translations(one) for one in polib.mofile(str(CATALOG.with_suffix(".mo")))
    }
    assert compiled == {(one.msgid, one.msgid_plural): translations(one) for one in entries}


@pytest.mark.needs("gettext")
def test_the_catalog_holds_every_text_of_code_and_templates(tmp_path: Path, entries: list[polib.POEntry]) -> None:
    for name in ("sally", "integrations", "calendars", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    (tmp_path / "locale").mkdir()
    command = [sys.executable, "manage.py", "makemessages", "--locale", "de", "--no-location"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    found = {one.msgid for one in polib.pofile(str(tmp_path / "locale/de/LC_MESSAGES/django.po"))}
    assert found == {one.msgid for one in entries}
