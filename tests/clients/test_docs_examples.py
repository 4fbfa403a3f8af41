"""Every example in the guides to the clients runs, in the order of its page, as a reader would run it."""

import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from andromede_sdk import Client
from scripts.control_plane import ROOT
from scripts.polling import wait_until
from tests.clients.conftest import Live
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.slow

GUIDES = ROOT / "docs" / "how-to"
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
INSTALL = re.compile(r"^```\n(pip install .*?)^```", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"(bob)?\$ ")
EXAMPLE_URL = "https://cloud.example.org"
KEY = f"ssh-ed25519 {'AAAAC3NzaC1lZDI1NTE5AAAAI' + 'A' * 43} me@here\n"
POLICY = "atoms:\n- {id: fr, attr: zone.id, op: in, value: [fr-idf-1, fr-idf-2]}\n"


@pytest.fixture
def folder(tmp_path: Path, live: Live) -> Path:
    """Create the files that a reader has before the guide."""
    token = tmp_path / "token-file"
    token.touch(mode=0o600)
    token.write_text(f"{live.token}\n")
    (tmp_path / "key.pub").write_text(KEY)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "disk.raw").write_bytes(bytes(2**20))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, line in (
        ("ssh", 'echo "ssh $*"'),
        ("jq", "python3 -c \"import json, sys; print(json.load(sys.stdin)['id'])\""),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    return tmp_path


def run(page: str, folder: Path, commands: Path, live: Live) -> str:
    """Run the lines of a page. Lines of bob$ are of another user, who has no configuration."""
    lines = [line for block in CONSOLE.findall((GUIDES / page).read_text()) for line in block.splitlines()]
    assert lines and all(PROMPT.match(line) for line in lines)
    typed = [line.replace("bob$ ", "HOME=$PWD/bob ", 1).removeprefix("$ ") for line in lines]
    script = "\n".join(f"echo '>>>' {number}\n{line}" for number, line in enumerate(typed))
    environment = {
        "PATH": os.pathsep.join([str(folder / "bin"), str(commands), os.environ["PATH"]]),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
    }
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(EXAMPLE_URL, live.url)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )
    reached = lines[int(result.stdout.rpartition(">>> ")[2].split()[0])]
    assert result.returncode == 0, f"{reached}\n{result.stderr}"
    return result.stdout


def test_cli_guide_runs(commands: Path, folder: Path, live: Live, client: Client) -> None:
    output = run("use-the-cli.md", folder, commands, live)
    for expected in ("exit code 3", "there is web", "admitted  instance.create", "The fake guest has booted."):
        assert expected in output
    assert "-o HostKeyAlias=andromede-" in output
    assert client.instances.list().first() is None


def test_tutorial_of_a_private_database_runs(commands: Path, folder: Path, live: Live, client: Client) -> None:
    (folder / "operator-token").write_text(live.operator)
    output = run("../tutorial/private-database.md", folder, commands, live)
    assert output.count("exit status 1") == 3
    assert "198.51.100.1" in output and "nslookup shop-db.internal" in output
    assert client.instances.list().first() is None
    assert "shop" not in [network.name for network in client.networks.list()]


@pytest.fixture(scope="module")
def ada(live: Live) -> str:
    """The token of an owner of acme, made as the page about members says."""
    page = (GUIDES / "manage-members-and-tokens.md").read_text()
    lines = [line.split()[1:] for line in page.splitlines() if line.startswith("manage.py ")]
    assert [line[0] for line in lines][-1] == "create_token"
    return [live.cloud.stack.manage(*line) for line in lines][-1]


@pytest.mark.nightly
def test_organization_guide_runs(commands: Path, folder: Path, live: Live, ada: str) -> None:
    """Three pages, in this order: the second looks at what the first has done."""
    (folder / "token-file").write_text(f"{ada}\n")
    output = run("manage-members-and-tokens.md", folder, commands, live)
    assert "ada@acme.example" in output and "runner-1" in output
    assert (folder / "secret").read_text().startswith("andromede_")
    assert "project.create" in run("read-the-audit.md", folder, commands, live)
    assert (folder / "audit.jsonl").is_file()
    output = run("receive-webhooks.md", folder, commands, live)
    assert output.count("whsec_") == 2 and "webhook.pinged" in output


def test_sdk_guide_runs(folder: Path, live: Live, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ANDROMEDE_TOKEN", live.token)
    blocks = PYTHON.findall((GUIDES / "use-the-sdk.md").read_text())
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block.replace(EXAMPLE_URL, live.url), "use-the-sdk.md", "exec"), names)
    assert client.instances.list().first() is None
    assert getattr(names["simulated"], "is_admitted") is True  # noqa: B009 - its type is nobody's here
    assert getattr(names["change"], "change") == "tighter"  # noqa: B009


@pytest.mark.nightly
def test_metrics_guide_runs(
    commands: Path, folder: Path, live: Live, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = client.instances.create(name="web", flavor="tiny", image="tiny")
    created.operation.wait(timeout_s=60)
    client.ports.create(name="web-lan", network="lan")
    wait_until(lambda: rates(client, "web") != [], limit_s=PATIENCE_S)
    monkeypatch.setenv("ANDROMEDE_TOKEN", live.token)
    login = [commands / "andromede", "login", live.url, "--token"]
    subprocess.run(
        login, input=live.token, text=True, check=True, env={"PATH": os.environ["PATH"], "HOME": str(folder)}
    )
    output = run("read-metrics.md", folder, commands, live)
    assert output.count("cpu_used_ratio ") == 3
    assert output.count("network_in_dropped_per_s ") == 1
    assert json.loads((folder / "web.json").read_text())["series"][0]["name"] == "cpu_used_ratio"
    (block,) = PYTHON.findall((GUIDES / "read-metrics.md").read_text())
    names: dict[str, Any] = {}
    exec(compile(block.replace(EXAMPLE_URL, live.url), "read-metrics.md", "exec"), names)
    until = datetime.now(UTC)
    rows = names["fetch"](client, until - timedelta(minutes=5), until)
    assert {(row[0], row[1]) for row in rows} >= {(created.id, "cpu_used_ratio"), (created.id, "memory_used_mib")}


def rates(client: Client, name: str) -> list[float]:
    found = client.instances.metrics(name, resolution="10s").series[0]
    return [value for _, value in found.points if value is not None]


@pytest.mark.parametrize("readme", ["clients/sdk/README.md", "clients/cli/README.md"])
def test_commands_of_the_readme_exist(readme: str, commands: Path) -> None:
    """Their examples are those of the guides in short; they are not run, but what they call exists."""
    text = (ROOT / readme).read_text()
    for line in re.findall(r"^andromede (\w+) (\w+)?", text, re.MULTILINE):
        words = [word for word in line if word and not word.startswith("http")]
        help_of = subprocess.run(
            [commands / "andromede", *words, "--help"], capture_output=True, text=True, check=False
        )
        assert help_of.returncode == 0, words
    with Client("http://127.0.0.1:1", project="demo") as client:
        for manager, call in re.findall(r"client\.(\w+)\.(\w+)\(", text):
            assert callable(getattr(getattr(client, manager), call))


@pytest.mark.parametrize("page", ["use-the-cli.md", "use-the-sdk.md"])
def test_packages_to_install_exist(page: str) -> None:
    lines = INSTALL.findall((GUIDES / page).read_text())
    assert lines
    for path in re.findall(r"\./(\S+)", "".join(lines)):
        assert (ROOT / path / "pyproject.toml").is_file()
