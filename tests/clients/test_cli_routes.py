"""Every route of the API has a command, and a test runs it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import andromede_cli
from andromede_cli import app
from scripts import sdk
from scripts.control_plane import ROOT
from tests.clients.test_docs_examples import CONSOLE

TESTS = Path(__file__).parent
GUIDE = re.compile(r'run\("([\w-]+\.md)"')
# A command line of a page, up to what the shell does with its output.
PRINTED = re.compile(r"(?:^ *|bin/|until |[$>|)] +|`|\$\()andromede ([a-z][^`|()<>&;#\n]*)", re.MULTILINE)
OPTION = re.compile(r"(?<= )--?[a-z][\w-]*")
LOGGED = "rule ID"  # begins the kernel's lines of rules that log
CALL_IN_SHELL = re.compile(r"andromede ([^|)\n]+)")
CODE = Path(andromede_cli.__file__).parent
TERRAFORM = "Terraform asks for it itself, to install the provider"
BROWSER = "a passkey is used in a browser, which a terminal is not"
WITHOUT_COMMAND = {
    "terraform_services": TERRAFORM,
    "terraform_provider_package_get": TERRAFORM,
    "terraform_provider_file_get": TERRAFORM,
    "terraform_provider_version_list": TERRAFORM,
    "terraform_state_write": "Terraform writes states, with its own backend",
    "passkey_sign_in_challenge": BROWSER,
    "passkey_session_create": BROWSER,
    "passkey_challenge": BROWSER,
    "passkey_register": BROWSER,
    "openid_link_begin": "an identity is linked where its owner is signed in already: on a page",
    "identity_link": "an identity is linked where its owner is signed in already: on a page",
    "evidence_export": "evidence_export_create does the same; this one answers by redirection",
    "openapi_get": "a document for what makes clients",
}
CALL = re.compile(r"[a-z_]+\.[a-z_]+")


def routes() -> dict[str, str]:
    """The operation of each call of the SDK."""
    return {f"{manager}.{route.name}": route.id for manager, each in sdk.managers().items() for route in each}


def operations() -> set[str]:
    paths = sdk.document()["paths"].values()
    return {operation["operationId"] for path in paths for name, operation in path.items() if name in sdk.METHODS}


def called() -> Iterator[str]:
    """The calls that commands declare, and those that functions make."""
    for path in CODE.rglob("*.py"):
        managers: dict[str, str] = {}
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and _is_manager(node.value) and isinstance(node.targets[0], ast.Name):
                managers[node.targets[0].id] = node.value.attr  # type: ignore[attr-defined]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CALL.fullmatch(node.value):
                yield node.value
            elif isinstance(node, ast.Attribute) and _is_manager(node.value):
                yield f"{node.value.attr}.{node.attr}"  # type: ignore[attr-defined]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in managers:
                yield f"{managers[node.value.id]}.{node.attr}"


def _is_manager(node: ast.expr) -> bool:
    """`client.things`, of a variable or an attribute."""
    return isinstance(node, ast.Attribute) and "client" in (
        getattr(node.value, "attr", ""),
        getattr(node.value, "id", ""),
    )


def test_every_operation_of_the_api_is_reached_by_a_command() -> None:
    known = routes()
    reached = {known[each] for each in called() if each in known}
    assert sorted(operations() - reached - WITHOUT_COMMAND.keys()) == []
    assert sorted(WITHOUT_COMMAND.keys() & reached) == []
    assert sorted(WITHOUT_COMMAND.keys() - operations()) == []


def commands(group: object = None, path: str = "") -> Iterator[tuple[str, object]]:
    group = group or app.program()
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def test_each_command_has_help_and_unique_options() -> None:
    for name, command in commands():
        assert str(command.help).strip().endswith("."), name  # type: ignore[attr-defined]
        spelled = [word for each in command.params for word in (*each.opts, *each.secondary_opts)]  # type: ignore[attr-defined]
        assert len(set(spelled)) == len(spelled), name
        assert all(each.help for each in command.params if each.param_type_name == "option"), name  # type: ignore[attr-defined]


def test_each_command_is_run_by_a_test() -> None:
    begun = set(run_by_tests()) | set(run_by_guides())
    left = [
        name for name, _ in commands() if not any(each[: name.count(" ") + 1] == tuple(name.split()) for each in begun)
    ]
    assert left == []


def run_by_tests() -> Iterator[tuple[str, ...]]:
    """Return the beginnings of the command lines in the tests, as words or as one text."""
    for path in TESTS.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield _beginning([_text(each) for each in node.args])
            elif isinstance(node, ast.Tuple | ast.List):
                yield _beginning([_text(each) for each in node.elts])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield _beginning(node.value.split())


def run_by_guides() -> Iterator[tuple[str, ...]]:
    """Return the command lines of the guides whose examples a test runs."""
    for page in GUIDE.findall((TESTS / "test_docs_examples.py").read_text()):
        for block in CONSOLE.findall((ROOT / "docs/how-to" / page).read_text()):
            yield from (_beginning(line.split()) for line in CALL_IN_SHELL.findall(block))


def test_printed_command_lines_exist() -> None:
    wrong, program = [], app.program()
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for line in {*PRINTED.findall(page.read_text().replace("\\\n", " "))} - {LOGGED}:
            command, words = program, line.split()
            while words and (found := getattr(command, "commands", {}).get(words[0])):
                command, words = found, words[1:]
            options = OPTION.findall(line.partition(" -- ")[0])
            known = {word for each in getattr(command, "params", ()) for word in (*each.opts, *each.secondary_opts)}
            is_unknown = hasattr(command, "commands") and words
            if is_unknown or not {*options} <= {*known, "--help"}:
                wrong.append(f"{page.relative_to(ROOT)}: andromede {line}")
    assert wrong == []


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _beginning(words: list[str]) -> tuple[str, ...]:
    """Without what is no text, and without the options before the command."""
    while words and (not words[0] or words[0].startswith("-")):
        words = words[1 if not words[0] or words[0] == "--debug" else 2 :]
    return tuple(words[:3])
