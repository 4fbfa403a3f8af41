"""French catalogue of the dashboard: complete, with French typography."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import dates

DASHBOARD = Path(__file__).parents[2] / "controlplane" / "dashboard"
PO = Path("locale/fr/LC_MESSAGES/django.po")
MADE = shutil.ignore_patterns("static", "collected", "__pycache__")
# A line break may not come before these: a narrow space that holds, and within the quotes too.
PUNCTUATION = re.compile(r"[^\s\u202f:/?]( |\u00a0)?[;!?](?=\s|$)|(?<=\w)( |\u00a0)?:(?=\s|$)")
TRANSLATED = re.compile(r"{% blocktranslate.*?{% endblocktranslate %}", re.DOTALL)
LITERAL_COLON = re.compile(r"[}>]:\s")
QUOTES = re.compile(r"«[^\u202f]|[^\u202f]»")


@pytest.fixture(scope="module")
def po(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The translations, with all that the code says now."""
    copy = tmp_path_factory.mktemp("words") / "dashboard"
    shutil.copytree(DASHBOARD, copy, ignore=MADE)
    command = [Path(sys.executable).parent / "django-admin", "makemessages", "--locale", "fr", "--no-obsolete"]
    without = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run([*command, "--no-wrap"], cwd=copy, env=without, check=True, capture_output=True)
    return copy / PO


def picked(po: Path, *which: str) -> str:
    command = ["msgattrib", "--no-obsolete", "--no-wrap", *which, str(po)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_every_text_is_translated(po: Path) -> None:
    assert picked(po, "--untranslated") == ""


def test_no_translation_is_fuzzy(po: Path) -> None:
    assert picked(po, "--only-fuzzy") == ""


def test_catalogue_has_no_unused_translation(po: Path) -> None:
    """Texts that the code no longer has are deleted from the file."""
    in_code, in_file = (set(re.findall(r'^msgid ("(?:.|\n")*")$', picked(each), re.M)) for each in (po, DASHBOARD / PO))
    assert in_file - in_code == set()


def test_month_and_day_names_are_not_retranslated(po: Path) -> None:
    """Django looks for them in all catalogues, ours first: May is a month."""
    ours = set(re.findall(r'^msgid "(.+)"$', picked(po), re.M))
    assert ours & {str(name) for name in (*dates.MONTHS.values(), *dates.WEEKDAYS.values())} == set()


def test_punctuation_is_that_of_french(po: Path) -> None:
    words = re.findall(r'^msgstr(?:\[\d\])? "(.+)"$', picked(po), re.M)
    assert len(words) > 100
    wrong = [text for text in words if PUNCTUATION.search(text) or QUOTES.search(text) or "'" in text]
    assert wrong == []


def test_templates_translate_their_colons() -> None:
    """In French a space stands before it."""
    for template in (DASHBOARD / "templates").rglob("*.html"):
        text = TRANSLATED.sub("", template.read_text())
        assert not LITERAL_COLON.search(text), template.name
