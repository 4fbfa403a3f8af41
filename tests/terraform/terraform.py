"""Real Terraform without the product's provider: scripts/terraform.py runs it with one."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from scripts.terraform import TERRAFORM
from tests.limits import PATIENCE_S


@dataclass(frozen=True)
class Terraform:
    """A folder with a configuration. `settings` are environment variables."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def write(self, configuration: str) -> None:
        (self.folder / "main.tf").write_text(configuration)

    def run(self, *words: str, expected: int = 0) -> str:
        """Return the output on both streams; the status must be the expected one."""
        shim = self.folder / "terraform"
        if not shim.exists():
            shim.write_text(TERRAFORM.format(python=sys.executable))
            shim.chmod(0o755)
        done = subprocess.run(
            [str(shim), *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        output = done.stdout + done.stderr
        assert done.returncode == expected, output
        return output

    def environment(self) -> dict[str, str]:
        own = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_CLI_ARGS": "-no-color"}
        return {**os.environ, **own, **self.settings}
