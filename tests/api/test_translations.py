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
from controlplane.kernel.wording import PROSE

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


def calls(*names: str) -> list[tuple[Path, ast.Call]]:
    """Where the code calls one of these."""
    found = []
    for path in sorted(CODE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(node, "func", None)
            if isinstance(node, ast.Call) and getattr(called, "id", getattr(called, "attr", None)) in names:
                found.append((path, node))
    return found


def reasons() -> set[str]:
    """The templates of all reasons. Two places make one anew of what was a reason or an error before."""
    written = {path: [call.args[0] for at, call in calls("Reason") if at == path] for path, _ in calls("Reason")}
    again = {"kernel/errors.py": ["self.detail"], "kernel/wording.py": ["facts['template']"]}
    for name, templates in again.items():
        assert [ast.unparse(each) for each in written.pop(CODE / name)] == templates
    for path, templates in written.items():
        assert all(isinstance(each, ast.Constant) for each in templates), path
    return {str(each.value) for templates in written.values() for each in templates if isinstance(each, ast.Constant)}


def is_said(text: str) -> bool:
    """It has words besides its facts."""
    return any(literal.strip(" :.;,") for literal, _, _, _ in string.Formatter().parse(text))


def test_nothing_lacks_its_translation(french: dict[str, str]) -> None:
    texts = errors() | marked() | reasons()
    assert len(reasons()) > 150
    assert sorted(texts - french.keys()) == []
    assert sorted(text for text in texts if is_said(text) and french[text] == text) == []


def test_what_an_error_gives_as_its_reason_is_one() -> None:
    """A text put together on the spot would be looked up with its facts in it, and found in no catalogue."""
    wrong = []
    for path, call in calls(*(error.__name__ for error in REGISTRY.values())):
        for keyword in call.keywords:
            if keyword.arg in PROSE and isinstance(keyword.value, ast.Constant | ast.JoinedStr | ast.BinOp):
                wrong.append(f"{path}:{call.lineno}")
    assert wrong == []


def test_a_translation_speaks_of_no_other_facts(french: dict[str, str]) -> None:
    for english, translated in french.items():
        if english:
            assert placeholders(translated) == placeholders(english), english


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
