"""Check names, docstrings and texts against docs/reference/glossary.md.

    python -m scripts.vocabulary

A single word of the glossary's table "Retired terms" fails wherever it is a part of the name of a module, class,
function, parameter, variable or attribute; the message has the term to use. Rows with parentheses restrict a word to
one meaning and are not checked. A docstring fails when its first word is neither a verb nor a subject. A document, a
translated text, a docstring or a comment fails when it has a phrase of the table "Retired phrases".
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, lru_cache
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
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Generated files.
LEFT_OUT = ("clients/sdk/andromede_sdk/models/", "clients/sdk/andromede_sdk/resources/")
TEXTS = ("README.md", "docs/explanation/*.md", "docs/how-to/*.md", "*.po")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`|^msgstr .*?(?=^$|\Z)", re.MULTILINE | re.DOTALL)


def main() -> int:
    glossary = GLOSSARY.read_text()
    retired, phrases = retired_terms(glossary), retired_phrases(glossary)
    complaints = list[str]()
    for name in filter(is_checked, _listed("*.py")):
        source = (ROOT / name).read_text()
        complaints += complaints_of(name, source, retired)
        complaints += phrases_of(name, prose_of(source), phrases)
    for name in _listed(*TEXTS):
        complaints += phrases_of(name, (ROOT / name).read_text(), phrases)
    print("\n".join(complaints))
    return 1 if complaints else 0


def _listed(*patterns: str) -> list[str]:
    """Return the files of git that exist."""
    command = ["git", "ls-files", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split() if (ROOT / name).exists()]


def is_checked(name: str) -> bool:
    return "_pb2" not in name and "/migrations/" not in name and not name.startswith(LEFT_OUT)


def retired_terms(glossary: str) -> dict[str, str]:
    """The single words of the table "Retired terms" and what to use instead; no word that is retired in one meaning."""
    return {
        word: term
        for words, term in _rows(glossary, "Retired terms")
        if "(" not in words
        for word in words.split(", ")
        if word.isalpha()
    }


def retired_phrases(glossary: str) -> dict[str, str]:
    """The phrases of the table "Retired phrases" and what to write instead."""
    rows = _rows(glossary, "Retired phrases")
    return {phrase: instead for phrases, instead in rows for phrase in phrases.split(", ")}


def _rows(glossary: str, heading: str) -> list[tuple[str, str]]:
    section = glossary.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return ROW.findall(section.partition("\n|---|---|\n")[2])


def phrases_of(name: str, text: str, phrases: dict[str, str]) -> Iterator[str]:
    """Yield a complaint for each retired phrase outside code and translations; a phrase may go over a line's end."""
    prose = CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)
    for phrase, instead in phrases.items():
        pattern = phrase.replace(" ", r"\s+")
        for match in re.finditer(rf"\b{pattern}\b", prose, re.IGNORECASE):
            line = prose.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: {phrase!r} is retired; write: {instead} (docs/reference/glossary.md)"


def prose_of(source: str) -> str:
    """Return the docstrings and comments of a module on their lines; all else is blank."""
    lines = source.splitlines()
    prose = [line.partition("#")[2] if line.lstrip().startswith("#") or "  # " in line else "" for line in lines]
    for node in _nodes(source):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            first, last = docstring.lineno - 1, docstring.end_lineno
            prose[first:last] = lines[first:last]
    return "\n".join(prose)


def complaints_of(name: str, text: str, retired: dict[str, str]) -> Iterator[str]:
    yield from _of_name(name, Path(name).stem, retired)
    module, *nodes = _nodes(text)
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _of_name(f"{name}:{node.lineno}", node.name, retired)
            yield from _of_docstring(f"{name}:{node.lineno} {node.name}", node)
        elif isinstance(node, ast.arg | ast.expr | ast.alias | ast.ExceptHandler):
            yield from _of_name(f"{name}:{node.lineno}", _bound_name(node), retired)
    assert isinstance(module, ast.Module)
    yield from _of_docstring(f"{name}:1", module)


@lru_cache(maxsize=1)
def _nodes(source: str) -> list[ast.AST]:
    """Return all nodes of the module, itself first."""
    return list(ast.walk(ast.parse(source)))


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
    for part in sorted(_parts(name) & retired.keys()):
        yield f"{where} {name}: {part!r} is retired; use: {retired[part]} (docs/reference/glossary.md)"


@cache
def _parts(name: str) -> frozenset[str]:
    return frozenset() if name in PUBLIC else frozenset(part.lower() for part in PART.findall(name))


def _of_docstring(where: str, node: Documented) -> Iterator[str]:
    word = (ast.get_docstring(node) or "").partition(" ")[0].strip(".,:;").lower()
    if FIRST_WORDS.fullmatch(word):
        yield f"{where}: the docstring begins with {word!r}; begin with a verb or the subject (CONTRIBUTING.md)"


if __name__ == "__main__":
    sys.exit(main())
