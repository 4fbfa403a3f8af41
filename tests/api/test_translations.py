"""Everything that a caller may be told has French words."""

import ast
import gettext
import string
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

import controlplane.api.v1.urls
import controlplane.workflows.registry  # noqa: F401 - so that the errors of all apps are known
from controlplane.kernel.error_messages import PROSE
from controlplane.kernel.errors import REGISTRY

CODE = Path(settings.BASE_DIR) / "controlplane"
CORE = Path(settings.BASE_DIR) / "andromede_core"


@pytest.fixture(scope="module")
def french(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    created = tmp_path_factory.mktemp("french") / "django.mo"
    subprocess.run(["msgfmt", "-o", str(created), str(CODE / "locale/fr/LC_MESSAGES/django.po")], check=True)
    with created.open("rb") as file:
        return gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined, no-any-return]


def errors() -> set[str]:
    ours = [error for error in REGISTRY.values() if error.__module__.startswith("controlplane.")]
    return {text for error in ours for text in (error.title, error.detail)}


@cache
def all_calls() -> list[tuple[Path, str, ast.Call]]:
    """All calls in the code, with the name of what is called."""
    result = []
    for path in sorted((*CODE.rglob("*.py"), *CORE.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                result.append((path, str(getattr(node.func, "id", getattr(node.func, "attr", ""))), node))
    return result


def calls(*names: str) -> list[tuple[Path, ast.Call]]:
    """Yield the calls of the named functions in the code."""
    return [(path, node) for path, called, node in all_calls() if called in names]


def marked() -> set[str]:
    """Texts in the code inside _( ); the dashboard has a file of its own (tests/unit/test_dashboard_french.py)."""
    texts = (call.args[0] for path, call in calls("_") if CODE / "dashboard" not in path.parents)
    return {text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)}


def reasons() -> set[str]:
    """The templates of all reasons. Two places make one anew of what was a reason or an error before."""
    written: dict[Path, list[ast.expr]] = defaultdict(list)
    for path, call in calls("Message"):
        written[path].append(call.args[0])
    passed_on = {"kernel/errors.py": ["self.detail"], "kernel/error_messages.py": ["facts['template']"]}
    for name, templates in passed_on.items():
        assert [ast.unparse(each) for each in written.pop(CODE / name)] == templates
    for path, templates in written.items():
        assert all(isinstance(each, ast.Constant) for each in templates), path
    return {str(each.value) for templates in written.values() for each in templates if isinstance(each, ast.Constant)}


def has_words(text: str) -> bool:
    """Tell if the text has words besides its placeholders."""
    return any(literal.strip(" :.;,") for literal, _, _, _ in string.Formatter().parse(text))


def test_every_text_is_translated(french: dict[str, str]) -> None:
    texts = errors() | marked() | reasons()
    assert len(reasons()) > 150
    assert sorted(texts - french.keys()) == []
    assert sorted(text for text in texts if has_words(text) and french[text] == text) == []


def test_error_reasons_are_translatable() -> None:
    """A text put together on the spot would be looked up with its facts in it, and found in no catalogue."""
    wrong = []
    for path, call in calls(*(error.__name__ for error in REGISTRY.values())):
        for keyword in call.keywords:
            if keyword.arg in PROSE and isinstance(keyword.value, ast.Constant | ast.JoinedStr | ast.BinOp):
                wrong.append(f"{path}:{call.lineno}")
    assert wrong == []


def test_translation_has_the_same_placeholders(french: dict[str, str]) -> None:
    for english, translated in french.items():
        if english:
            assert placeholders(translated) == placeholders(english), english


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
