"""`make check`: run every check, also after a failure, with one line each."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
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
    "tests",
]
PATHS = ("clients/sdk", "clients/cli")
AT_ONCE = 2
DOCUMENTS = ["openapi", "reference", "states", "errors", "authorization"]
# The longest first: each begins when one before it has ended.
CHECKS = {
    "types": [str(BIN / "mypy"), *(word for package in TYPED for word in ("-p", package))],
    "playbook": [str(BIN / "ansible-lint"), "--offline", "--nocolor", "-q", "--project-dir", "ansible", "ansible"],
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
    "lint": [str(BIN / "ruff"), "check", "--quiet", "--no-cache", "."],
    "lengths": [PYTHON, "-m", "scripts.size_check"],
    "vocabulary": [PYTHON, "-m", "scripts.vocabulary"],
    "imports": [PYTHON, "-m", "scripts.import_check"],
    "layers": [str(BIN / "lint-imports"), "--no-cache"],
    "clients": [PYTHON, "-m", "scripts.clients", "--check"],
    "migrations": [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"],
    "bearable": [PYTHON, "-m", "scripts.migration_compatibility"],
    "documents": [PYTHON, "-m", "scripts.generate", "--check", *DOCUMENTS],
    "compatible": [PYTHON, "-m", "scripts.api_compatibility"],
    "protocol": [PYTHON, "-m", "scripts.protocol_compatibility"],
    "provider": [PYTHON, "-m", "clients.terraform.docs", "--check"],
}


@dataclass(frozen=True)
class Result:
    name: str
    is_ok: bool
    output: str
    took_s: float


def main() -> int:
    failed = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for ended in as_completed([pool.submit(run, name) for name in CHECKS]):
            result = ended.result()
            verdict = "ok" if result.is_ok else "FAILED"
            print(f"check: {result.name:<11} {verdict:<7} {result.took_s:5.1f} s", flush=True)
            if not result.is_ok:
                failed.append(result.name)
                print(result.output, flush=True)
    return 1 if failed else 0


def run(name: str) -> Result:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(PATHS)}  # for the linter of layers, which imports them
    started = time.monotonic()
    done = subprocess.run(
        CHECKS[name], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return Result(name, done.returncode == 0, done.stdout, time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
