"""Check names and docstrings against docs/reference/glossary.md.

    python -m scripts.vocabulary

A single word of the glossary's table "Retired terms" fails wherever it is a part of the name of a module, class,
function, parameter, variable or attribute; the message has the term to use. Rows with parentheses restrict a word to
one meaning and are not checked. A docstring fails when its first word is neither a verb nor a subject.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
FIRST_WORDS = re.compile(
    "and|as|because|but|by|for|how|inside|it|nobody|of|or|so|somebody|that|there|they|this|those|what|when|where|whether"
    "|which|who|whoever|whom|whose"
)
# Names of the OpenAPI document and of the agent protocol.
PUBLIC = frozenset({"DeedOut", "wished", "starts_again", "said_at_ms", "heard_at_ms"})
# Generated files. Of tests, parameters and variables are not checked.
LEFT_OUT = ("clients/sdk/andromede_sdk/models/", "clients/sdk/andromede_sdk/resources/")


def main() -> int:
    retired = retired_terms(GLOSSARY.read_text())
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    complaints = [
        complaint
        for name in listed.split()
        if is_checked(name) and (ROOT / name).exists()
        for complaint in complaints_of(name, (ROOT / name).read_text(), retired)
    ]
    print("\n".join(complaints))
    return 1 if complaints else 0


def is_checked(name: str) -> bool:
    return "_pb2" not in name and "/migrations/" not in name and not name.startswith(LEFT_OUT)


def retired_terms(glossary: str) -> dict[str, str]:
    """The single words of the table "Retired terms" and what to use instead; no word that is retired in one meaning."""
    table = glossary.partition("\n## Retired terms\n")[2].partition("\n|---|---|\n")[2]
    return {
        word: term
        for words, term in ROW.findall(table)
        if "(" not in words
        for word in words.split(", ")
        if word.isalpha()
    }


def complaints_of(name: str, text: str, retired: dict[str, str]) -> Iterator[str]:
    tree = ast.parse(text)
    yield from _of_name(name, Path(name).stem, retired)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _of_name(f"{name}:{node.lineno}", node.name, retired)
            yield from _of_docstring(f"{name}:{node.lineno} {node.name}", node)
        elif not name.startswith("tests/") and isinstance(node, ast.arg | ast.expr | ast.alias | ast.ExceptHandler):
            yield from _of_name(f"{name}:{node.lineno}", _bound_name(node), retired)
    yield from _of_docstring(f"{name}:1", tree)


def _bound_name(node: ast.AST) -> str:
    """Return the name of a parameter, of an assigned variable or attribute, or of an import's alias; or nothing."""
    match node:
        case ast.arg():
            return node.arg
        case ast.Name(ctx=ast.Store()):
            return node.id
        case ast.Attribute(ctx=ast.Store()):
            return node.attr
        case ast.alias():
            return node.asname or ""
        case ast.ExceptHandler():
            return node.name or ""
        case _:
            return ""


def _of_name(where: str, name: str, retired: dict[str, str]) -> Iterator[str]:
    parts = {part.lower() for part in PART.findall(name)} if name not in PUBLIC else set()
    for part in sorted(parts & retired.keys()):
        yield f"{where} {name}: {part!r} is retired; use: {retired[part]} (docs/reference/glossary.md)"


def _of_docstring(
    where: str, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[str]:
    word = (ast.get_docstring(node) or "").partition(" ")[0].strip(".,:;").lower()
    if FIRST_WORDS.fullmatch(word):
        yield f"{where}: the docstring begins with {word!r}; begin with a verb or the subject (CONTRIBUTING.md)"


if __name__ == "__main__":
    sys.exit(main())
