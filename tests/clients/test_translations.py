"""Everything that the command line says has French words."""

import ast
import gettext
import inspect
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.core

import andromede_cli

CODE = Path(andromede_cli.__file__).parent
SOURCE = CODE / "locale/fr/LC_MESSAGES/andromede.po"


@pytest.fixture(scope="module")
def french(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    created = tmp_path_factory.mktemp("french") / "andromede.mo"
    subprocess.run(["msgfmt", "--check-format", "-o", str(created), str(SOURCE)], check=True)
    with created.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {english if isinstance(english, str) else english[0]: text for english, text in catalogue.items() if english}


def marked(source: str) -> Iterator[str]:
    """Texts inside _( ), and the singulars inside ngettext( )."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("_", "ngettext"):
            text = node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.value


def ours() -> set[str]:
    return {text for path in CODE.rglob("*.py") for text in marked(path.read_text())}


def typers() -> set[str]:
    return set(marked(inspect.getsource(typer.core)))


def test_every_text_is_translated(french: dict[str, str]) -> None:
    assert sorted((ours() | typers()) - set(french)) == []


def test_catalogue_has_no_unused_translation(french: dict[str, str]) -> None:
    assert sorted(set(french) - ours() - typers()) == []


def test_no_translation_is_empty_or_fuzzy(french: dict[str, str]) -> None:
    assert all(french.values())
    assert "fuzzy" not in SOURCE.read_text()


def test_translation_has_the_same_placeholders(french: dict[str, str]) -> None:
    for english, translated in french.items():
        assert fields(translated) == fields(english), english


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_help_and_errors_are_marked_for_translation() -> None:
    """A text for people that is not inside _( ) stays English for ever."""
    wrong = []
    for path in sorted(CODE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                texts = [word.value for word in node.keywords if word.arg == "help"]
                texts += node.args[:1] if called in ("Misuse", "Interrupted", "say", "BadParameter", "group") else []
                wrong += [
                    f"{path.name}:{node.lineno}" for text in texts if isinstance(text, ast.Constant | ast.JoinedStr)
                ]
    # The traces of a request are for developers, and an absent help has no text.
    assert [each for each in wrong if not each.startswith(("session.py", "command.py"))] == []
