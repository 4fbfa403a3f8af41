"""The documents say what is there: links lead somewhere, commands, settings, calls and codes exist."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from agents.lab.ceph import POOL
from agents.node import errors
from agents.node.main import _parser
from agents.protocol import agent_pb2, storage_pb2
from agents.storage import errors as storage_errors
from agents.storage.__main__ import _parser as storage_parser
from agents.storage.capabilities import of_agent
from controlplane.events.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
GENERATED = frozenset({"openapi.json", "states.md", "errors.md", "authorization.md"})

FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
SETTING = re.compile(r'env\.(?:text|secret|integer|boolean|words|networks|path|addresses|choice)\("([A-Z_]+)"')
# An absolute path: not a part of a longer word, a relative path or a URL.
ABSOLUTE = re.compile(r"(?<![\w./:}>$*…\]-])/([a-z]+)(?=/)")
# Where every Debian has what these documents speak of; v1 is the API, latest and nocloud are the metadata service.
PUBLIC_ROOTS = {"dev", "etc", "latest", "nocloud", "opt", "proc", "run", "sys", "usr", "v1", "var"}


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def written_pages() -> list[Path]:
    return [page for page in pages() if page.name not in GENERATED and page.parent.name != "errors"]


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that usual renderers make of headings."""
    headings = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def make_targets_named(text: str) -> Iterator[str]:
    """In code only: prose may use the verb."""
    for code in [*FENCE.findall(text), *re.findall(r"`[^`\n]+`", FENCE.sub("", text))]:
        yield from MAKE.findall(code)


def broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def test_links_have_existing_targets() -> None:
    assert [(page, link) for page in pages() for link in broken_links(page)] == []


def test_make_targets_exist() -> None:
    known = set(TARGET.findall((ROOT / "Makefile").read_text()))
    named = {(page, target) for page in written_pages() for target in make_targets_named(page.read_text())}
    assert {each for each in named if each[1] not in known} == set()


def test_pages_have_no_private_path() -> None:
    roots = {(page, root) for page in written_pages() for root in ABSOLUTE.findall(page.read_text())}
    assert {each for each in roots if each[1] not in PUBLIC_ROOTS} == set()


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    provider, api = REFERENCE / "terraform" / "index.md", REFERENCE / "api" / "index.md"
    within = (index, REFERENCE / "errors.md", provider, api)
    linked = {
        (page.parent / link.partition("#")[0]).resolve() for page in within for link in LINK.findall(page.read_text())
    }
    assert set((ROOT / "docs").rglob("*.md")) - {index} <= linked


def test_the_settings_are_listed() -> None:
    read = set(SETTING.findall((ROOT / "controlplane/config/settings.py").read_text()))
    listed = set(re.findall(r"^\| `ANDROMEDE_([A-Z_]+)`", (REFERENCE / "settings.md").read_text(), re.MULTILINE))
    assert listed == read


def test_the_kinds_of_events_are_listed() -> None:
    table = (REFERENCE / "events.md").read_text().partition("## Kinds")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_-]+\.[a-z_-]+)` \| (.+) \| (.*)\|$", table, re.MULTILINE)
    listed = {kind: (meaning, tuple(re.findall(r"`([a-z0-9_]+)`", data))) for kind, meaning, data in rows}
    assert listed == {kind: (known.meaning, known.data) for kind, known in KINDS.items()}


def test_the_commands_are_listed() -> None:
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "controlplane/*/management/commands/*.py"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    commands = {Path(file).stem for file in files} - {"__init__"}
    listed = set(re.findall(r"^\| `([a-z_]+)", (REFERENCE / "cli-of-manage-py.md").read_text(), re.MULTILINE))
    assert listed == commands | {"migrate"}


def test_the_agents_calls_codes_and_options_are_listed() -> None:
    text = (REFERENCE / "agent.md").read_text()
    calls = {method.name for method in agent_pb2.DESCRIPTOR.services_by_name["Agent"].methods}
    options = {option for action in _parser()._actions for option in action.option_strings} - {"-h", "--help"}
    words = set(re.findall(r"`([^`\n]+)`", text))
    assert calls | options <= words
    assert set(re.findall(r"^\| `(agent\.[a-z_]+)`", text.partition("## Errors")[2], re.MULTILINE)) == set(
        codes(errors.AgentError)
    )


def test_the_storage_agents_calls_codes_and_options_are_listed() -> None:
    text = (REFERENCE / "storage-agent.md").read_text()
    calls = {method.name for method in storage_pb2.DESCRIPTOR.services_by_name["Storage"].methods}
    actions = storage_parser()._actions
    options = {option for action in actions for option in action.option_strings} - {"-h", "--help"}
    words = set(re.findall(r"`([^`\n]+)`", text))
    assert calls | options <= words
    sent = {*storage_errors.OF_WORKERS, storage_errors.CallerGone.code}
    listed = set(re.findall(r"^\| `(storage\.[a-z_]+)`", text, re.MULTILINE))
    assert listed == {code for code in sent if code.startswith("storage.")}


def test_the_storage_agents_user_is_made_with_the_capabilities_that_tests_give_it() -> None:
    page = (ROOT / "docs/how-to/operate-ceph.md").read_text()
    made = re.search(r"^ *ceph auth get-or-create client.andromede(.*?) > ", page, re.MULTILINE | re.DOTALL)
    assert made is not None, "the page does not make the user"
    assert shlex.split(made[1].replace("\\\n", " ")) == of_agent([POOL])


def codes(error: type[errors.AgentError]) -> Iterator[str]:
    """Return the codes of a node's agent: a storage agent's have a page of their own."""
    if error.code.startswith("agent."):
        yield error.code
    for kind in error.__subclasses__():
        yield from codes(kind)


def test_the_reasons_against_a_permit_are_listed() -> None:
    sources = [*(ROOT / "andromede_core").rglob("*.py"), *(ROOT / "agents/node/trust").glob("*.py")]
    raised = re.compile(r"(?:PermitRejected|NotApproved|BadDocument)\(\s*\"([A-Z_]+)\"")
    codes = {code.lower() for path in sources for code in raised.findall(path.read_text())}
    table = (REFERENCE / "permits.md").read_text().partition("## What the node checks")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[a-z_` ,]+`)(?: †)? \|", table, re.MULTILINE)
    assert {word for row in rows for word in re.findall(r"[a-z_]+", row)} == codes
