"""Write the generated parts of the clients and of their documents, or with --check list the outdated ones.

They are made from the OpenAPI document and from the code.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scripts import client_pages, sdk, sdk_models

ROOT = Path(__file__).resolve().parent.parent
RUFF = str(Path(sys.executable).parent / "ruff")
PACKAGE = "clients/sdk/andromede_sdk"
MADE = ("models", "resources")  # packages of which all files are made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    old = []
    for make in (code, pages):  # the pages are made from the code
        contents = make()
        old += [name for name, text in contents.items() if text != content(name)]
        if not arguments.check:
            put(contents)
    if arguments.check and old:
        print(f"Out of date: {', '.join(old)}. Run `make clients` and review the difference.")
        return 1
    return 0


def content(name: str) -> str | None:
    """Return the content; None: the file does not exist."""
    path = ROOT / name
    return path.read_text() if path.exists() else None


def put(files: Mapping[str, str | None]) -> None:
    for name, text in files.items():
        path = ROOT / name
        if text is None:
            path.unlink(missing_ok=True)
        elif text != content(name):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)


def code() -> Mapping[str, str | None]:
    """Return the generated files; None for a file that is not generated any more."""
    there = {str(path.relative_to(ROOT)): None for each in MADE for path in (ROOT / PACKAGE / each).glob("*.py")}
    packages = {"models": sdk_models.models(), "resources": sdk.resources()}
    generated = formatted(
        {
            f"{PACKAGE}/{package}/{module}.py": text
            for package, modules in packages.items()
            for module, text in modules.items()
        }
    )
    return {**there, **generated}


def pages() -> Mapping[str, str | None]:
    return {"docs/reference/cli.md": client_pages.cli(), "docs/reference/sdk.md": client_pages.sdk_page()}


def formatted(code: Mapping[str, str]) -> dict[str, str]:
    """Format as ruff does, without unused imports."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in code.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for command in (["check", "--no-cache", "--select", "F401,I", "--fix"], ["format", "--no-cache"]):
            call = [RUFF, *command, "--quiet", "--config", str(ROOT / "pyproject.toml"), folder]
            subprocess.run(call, check=True)
        return {name: Path(folder, name).read_text() for name in code}


if __name__ == "__main__":
    sys.exit(main())
