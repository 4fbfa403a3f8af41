"""Check that what tests, benches and scripts import from this repository exists.

    python -m scripts.import_check

mypy does not check the tests in `make check`, and a test module is imported only when the tests run. This check reads
the source alone: each `from module import name` and `import module` of a module of this repository must name a module,
or something that the module defines.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKED = ("tests/*.py", "bench/*.py", "scripts/*.py")
# Folders on the path of modules, relative to the root of the repository.
PATHS = ("", "clients/sdk", "clients/cli")
# Stands for every name in a module whose names the source does not tell.
ANY = "*"


def main() -> int:
    listed = subprocess.run(["git", "ls-files", *CHECKED], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    modules = Modules(ROOT)
    complaints = [
        complaint
        for name in listed.split()
        if (ROOT / name).exists()
        for complaint in complaints_of(name, (ROOT / name).read_text(), modules)
    ]
    print("\n".join(complaints))
    return 1 if complaints else 0


class Modules:
    """The modules of a repository and the names that they define; reads each file at most once."""

    def __init__(self, root: Path) -> None:
        self._roots = [root / path for path in PATHS]
        self.is_own = cache(self._is_own)
        self.file_of = cache(self._file_of)
        self.names_of = cache(self._names_of)

    def _is_own(self, package: str) -> bool:
        """Return whether a top-level package or module is of this repository."""
        return any((root / package).is_dir() or (root / f"{package}.py").exists() for root in self._roots)

    def _file_of(self, module: str) -> Path | None:
        """Return the file of a module, preferring the stub of generated code; None if there is no such module.

        The file of a package without `__init__.py` is its folder.
        """
        for root in self._roots:
            path = root.joinpath(*module.split("."))
            for file in (path.with_suffix(".pyi"), path.with_suffix(".py"), path / "__init__.py", path):
                if file.exists():
                    return file
        return None

    def _names_of(self, module: str) -> frozenset[str]:
        """Return the names that a module defines or imports at its top level; with ANY if these are not all."""
        file = self.file_of(module)
        if file is None or file.is_dir():
            return frozenset()
        names = set(_bound_names(ast.parse(file.read_text())))
        for source in [name.removesuffix(".*") for name in names if name.endswith(".*")]:
            names |= self.names_of(source) if self.is_own(source.partition(".")[0]) else {ANY}
        return frozenset({*names, ANY} if "__getattr__" in names else names)


def complaints_of(name: str, text: str, modules: Modules) -> Iterator[str]:
    for node in _statements(ast.parse(text)):
        match node:
            case ast.ImportFrom(module=str(module), level=0) if modules.is_own(module.partition(".")[0]):
                for fault in _faults(module, [alias.name for alias in node.names], modules):
                    yield f"{name}:{node.lineno}: {fault}"
            case ast.Import():
                for alias in node.names:
                    if modules.is_own(alias.name.partition(".")[0]) and modules.file_of(alias.name) is None:
                        yield f"{name}:{node.lineno}: there is no module {alias.name}"


def _statements(parent: ast.AST) -> Iterator[ast.AST]:
    """Yield every statement under a node; skips expressions, which hold no import and are most of a tree."""
    for node in ast.iter_child_nodes(parent):
        if not isinstance(node, ast.expr):
            yield node
            yield from _statements(node)


def _faults(module: str, names: Iterable[str], modules: Modules) -> Iterator[str]:
    if modules.file_of(module) is None:
        yield f"there is no module {module}"
        return
    defined = modules.names_of(module)
    for name in names:
        if name != "*" and not defined & {name, ANY} and modules.file_of(f"{module}.{name}") is None:
            yield f"{module} does not define {name}"


def _bound_names(scope: ast.AST) -> Iterator[str]:
    """Yield the names that a module's statements bind, without those of inner scopes; `module.*` for a star import."""
    for node in ast.iter_child_nodes(scope):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                yield f"{node.module}.*"
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.comprehension() | ast.Lambda():
                pass
            case _:
                yield from _bound_names(node)


if __name__ == "__main__":
    sys.exit(main())
