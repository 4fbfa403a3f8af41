"""Everything that a caller may be told has French words."""

import ast
import gettext
import string
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

import controlplane.api.v1
import controlplane.workflows.registry  # noqa: F401 - so that the errors of all apps are known
from controlplane.kernel.errors import REGISTRY

CODE = Path(settings.BASE_DIR) / "controlplane"


@pytest.fixture(scope="module")
def french(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = tmp_path_factory.mktemp("french") / "django.mo"
    subprocess.run(["msgfmt", "-o", str(made), str(CODE / "locale/fr/LC_MESSAGES/django.po")], check=True)
    with made.open("rb") as file:
        return gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined, no-any-return]


def errors() -> set[str]:
    ours = [error for error in REGISTRY.values() if error.__module__.startswith("controlplane.")]
    return {text for error in ours for text in (error.title, error.detail)}


def marked() -> set[str]:
    """Texts in the code inside _( )."""
    trees = [ast.parse(path.read_text()) for path in CODE.rglob("*.py")]
    return {
        call.args[0].value
        for tree in trees
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "_"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def test_nothing_lacks_its_translation(french: dict[str, str]) -> None:
    assert sorted((errors() | marked()) - french.keys()) == []


def test_a_translation_speaks_of_no_other_facts(french: dict[str, str]) -> None:
    for english, translated in french.items():
        if english:
            assert placeholders(translated) == placeholders(english), english


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
