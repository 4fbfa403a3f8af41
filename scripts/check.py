"""`make check`: every check, all of them even when one fails, with one line each."""

import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
PYTHON = str(BIN / "python")
CHECKS = {
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
    "lint": [str(BIN / "ruff"), "check", "--quiet", "--no-cache", "."],
    "lengths": [PYTHON, "-m", "scripts.lengths"],
    "types": [str(BIN / "mypy"), "controlplane", "agents", "clients", "scripts", "bench"],
    "layers": [str(BIN / "lint-imports"), "--no-cache"],
    "migrations": [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"],
    "documents": [PYTHON, "-m", "scripts.generate", "--check", "openapi", "states", "errors"],
    "provider": [PYTHON, "-m", "clients.terraform.docs", "--check"],
}


def main() -> int:
    failed = []
    for name, command in CHECKS.items():
        started = time.monotonic()
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        verdict = "ok" if result.returncode == 0 else "FAILED"
        print(f"check: {name:<11} {verdict:<7} {time.monotonic() - started:5.1f} s", flush=True)
        if result.returncode != 0:
            failed.append(name)
            print(result.stdout, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
