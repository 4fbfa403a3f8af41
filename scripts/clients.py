"""Write the parts of the clients and their documents that are made from the OpenAPI document and from the code, or with
--check say which of them are old."""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scripts import client_pages, sdk

ROOT = Path(__file__).resolve().parent.parent
RUFF = str(Path(sys.executable).parent / "ruff")
PACKAGE = "clients/sdk/andromede_sdk"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    old = []
    for name, make in FILES.items():
        path, text = ROOT / name, make()
        if name.endswith(".py"):
            text = formatted(text, path)
        if not path.exists() or path.read_text() != text:
            old.append(name)
            if not arguments.check:
                path.write_text(text)
    if arguments.check and old:
        print(f"Not as the API or the code says: {', '.join(old)}. Run `make clients` and look at the difference.")
        return 1
    return 0


def formatted(text: str, path: Path) -> str:
    """As ruff has it: without the imports that nothing needs."""
    for command in (["check", "--quiet", "--select", "F401,I", "--fix"], ["format", "--quiet"]):
        line = [RUFF, *command, "--stdin-filename", str(path), "-"]
        text = subprocess.run(line, input=text, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return text


FILES: dict[str, Callable[[], str]] = {
    f"{PACKAGE}/models.py": sdk.models,
    f"{PACKAGE}/resources.py": sdk.resources,
    "docs/reference/cli.md": client_pages.cli,
    "docs/reference/sdk.md": client_pages.sdk_page,
}

if __name__ == "__main__":
    sys.exit(main())
