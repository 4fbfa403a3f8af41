"""Build verify.py, the verifier in one file: the modules of the pure core unchanged, and a loader of ten lines.

    python -m controlplane.audit.build_verifier > verify.py

An auditor can build it from sources already read, and compare it with the one in an export.
"""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

MAIN = "andromede_core.evidence.verify"
ROOT = "andromede_core"
QUOTES = "'''"

HEAD = '''#!/usr/bin/env python3
"""{doc}

This file is made of modules of Andromède, each as it is in its sources; the loader is at the end.
"""

MODULES = {{}}
'''
LOADER = """
import importlib.abc
import importlib.util
import sys


class Modules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        is_package = any(other.startswith(name + ".") for other in MODULES)
        if name in MODULES or is_package:
            return importlib.util.spec_from_loader(name, self, is_package=is_package)

    def exec_module(self, module):
        exec(compile(MODULES.get(module.__name__, ""), module.__name__, "exec"), module.__dict__)


sys.meta_path.insert(0, Modules())

from {main} import main

if __name__ == "__main__":
    sys.exit(main())
"""


def source() -> str:
    parts = []
    for name in modules():
        text = _text(name)
        assert QUOTES not in text, f"{name} cannot be quoted"
        parts.append(f'\n# ---- {name}\nMODULES["{name}"] = r{QUOTES}{text}{QUOTES}\n')
    doc = ast.get_docstring(ast.parse(_text(MAIN)))
    return HEAD.format(doc=doc) + "".join(parts) + LOADER.replace("{main}", MAIN)


def modules() -> list[str]:
    """Return all modules of the verifier, each after those that it imports."""
    module_names: list[str] = []

    def visit(name: str) -> None:
        if name not in module_names:
            for imported in _imports(name):
                visit(imported)
            module_names.append(name)

    visit(MAIN)
    return module_names


def _imports(name: str) -> Iterator[str]:
    package = name.rpartition(".")[0]
    for node in ast.walk(ast.parse(_text(name))):
        if not isinstance(node, ast.ImportFrom):
            continue
        origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
        if origin.partition(".")[0] != ROOT:
            continue
        if _is_package(origin):
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        else:
            yield origin


def _is_package(name: str) -> bool:
    return _path(name).name == "__init__.py"


def _text(name: str) -> str:
    return _path(name).read_text()


def _path(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None, f"there is no module {name}"
    return Path(spec.origin)


if __name__ == "__main__":
    sys.stdout.write(source())
