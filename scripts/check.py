"""`make check`: run every check, also after a failure, with one line each."""

import os
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
PYTHON = str(BIN / "python")
TYPED = [
    "andromede_core",
    "controlplane",
    "agents",
    "telemetry",
    "scripts",
    "bench",
    "andromede_sdk",
    "andromede_cli",
    "clients.terraform",
]
PATHS = ("clients/sdk", "clients/cli")
DOCUMENTS = ["openapi", "reference", "states", "errors", "authorization"]
CHECKS = {
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
    "lint": [str(BIN / "ruff"), "check", "--quiet", "--no-cache", "."],
    "lengths": [PYTHON, "-m", "scripts.size_check"],
    "types": [str(BIN / "mypy"), *(word for package in TYPED for word in ("-p", package))],
    "layers": [str(BIN / "lint-imports"), "--no-cache"],
    "clients": [PYTHON, "-m", "scripts.clients", "--check"],
    "migrations": [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"],
    "bearable": [PYTHON, "-m", "scripts.migration_compatibility"],
    "documents": [PYTHON, "-m", "scripts.generate", "--check", *DOCUMENTS],
    "compatible": [PYTHON, "-m", "scripts.api_compatibility"],
    "protocol": [PYTHON, "-m", "scripts.protocol_compatibility"],
    "playbook": [str(BIN / "ansible-lint"), "--offline", "--nocolor", "-q", "--project-dir", "ansible", "ansible"],
    "provider": [PYTHON, "-m", "clients.terraform.docs", "--check"],
}


def main() -> int:
    failed = []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(PATHS)}  # for the linter of layers, which imports them
    for name, command in CHECKS.items():
        started = time.monotonic()
        result = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        verdict = "ok" if result.returncode == 0 else "FAILED"
        print(f"check: {name:<11} {verdict:<7} {time.monotonic() - started:5.1f} s", flush=True)
        if result.returncode != 0:
            failed.append(name)
            print(result.stdout, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
