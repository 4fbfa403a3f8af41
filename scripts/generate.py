"""Write the documents that are generated from the code, or with --check list the outdated ones."""

import argparse
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import django
from django.core.management import call_command

from scripts.api_pages import Reference

Documents = dict[str, str]  # file in the reference → its text
REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", nargs="+", choices=sorted(DOCUMENTS))
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.config.settings")
    django.setup()
    old = []
    for name in arguments.documents:
        documents = DOCUMENTS[name]()
        for path in strange(documents):
            old.append(str(path.relative_to(REFERENCE)))
            if not arguments.check:
                path.unlink()
        for file_name, text in documents.items():
            path = REFERENCE / file_name
            if not path.exists() or path.read_text() != text:
                old.append(file_name)
            if not arguments.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    if arguments.check and old:
        print(f"Out of date: {', '.join(old)}. Run `make openapi docs` and review the difference.")
        return 1
    return 0


def strange(documents: Documents) -> list[Path]:
    """Return pages in the folders of these documents that are not generated any more."""
    folders = {(REFERENCE / name).parent for name in documents} - {REFERENCE}
    expected = {REFERENCE / name for name in documents}
    return sorted(path for folder in folders for path in folder.glob("*.md") if path not in expected)


def openapi() -> Documents:
    out = io.StringIO()
    call_command("openapi", stdout=out)
    return {"openapi.json": out.getvalue()}


def reference() -> Documents:
    """Return a page for each tag of the OpenAPI document, with examples."""
    from controlplane.api import examples, problem_pages
    from controlplane.identity.authorization_rules import TABLE

    document = json.loads(openapi()["openapi.json"])
    kinds = {operation_id: rule.kind for operation_id, rule in TABLE.items()}
    errors = {code: problem_pages.page(code) for code in problem_pages.codes()}
    return Reference(document, examples=examples.recorded(), kinds=kinds, errors=errors).pages()


def states() -> Documents:
    """Return the tables of all state machines."""
    from controlplane.catalog.models import IMAGE
    from controlplane.compute.models import INSTANCE
    from controlplane.nodes.models import ADMIN_STATE, DRAIN, DRAIN_GUEST, NODE, ORPHAN
    from controlplane.operations.models import OPERATION
    from controlplane.quotas.models import QUOTA_REQUEST
    from controlplane.storage.models import SNAPSHOT, VOLUME

    lines = ["# States", "", "Made from the code by `make docs`. A state moves only as these tables allow.", ""]
    of_nodes = (NODE, ADMIN_STATE, DRAIN, DRAIN_GUEST, ORPHAN)
    for machine in (OPERATION, INSTANCE, VOLUME, SNAPSHOT, IMAGE, *of_nodes, QUOTA_REQUEST):
        lines += [f"## {machine.name}", "", f"New: `{machine.initial}`.", "", "| from | to |", "|---|---|"]
        for state, following in machine.moves.items():
            lines.append(
                f"| `{state}` | {', '.join(f'`{to}`' for to in sorted(following)) or 'nothing: it is the end'} |"
            )
        lines.append("")
    return {"states.md": "\n".join(lines)}


def errors() -> Documents:
    """Return all error codes, with their HTTP status and meaning, and a page for each."""
    import controlplane.api.v1.urls  # noqa: F401 - every app's errors are known once its routes are
    from controlplane.api import problem_pages

    lines = [
        "# Errors",
        "",
        "Made from the code by `make docs`. A code is never renamed and never reused. Words in braces are facts.",
        "The API answers each page too: `GET /v1/problems/{code}`, in English or French.",
        "",
        "| code | HTTP | again? | meaning |",
        "|---|---|---|---|",
    ]
    pages = {}
    for code in problem_pages.codes():
        problem = problem_pages.page(code)
        retryable = "yes" if problem["retryable"] else "no"
        lines.append(f"| [`{code}`](errors/{code}.md) | {problem['status']} | {retryable} | {problem['detail']} |")
        pages[f"errors/{code}.md"] = problem_pages.text(code)
    return {"errors.md": "\n".join([*lines, ""]), **pages}


def authorization() -> Documents:
    """Return the authorization table."""
    from controlplane.identity.authorization_rules import TABLE
    from controlplane.identity.authorization_terms import OWN, PUBLIC, SIGNED_IN, VERBS

    roles = {
        "owner": "owner",
        "admin": "admin",
        "member": "member",
        "viewer": "viewer",
        "billing": "billing",
        "sovereignty_officer": "officer",
        "operator": "operator",
        "support": "support",
        "auditor": "auditor",
    }
    lines = [
        "# Authorization",
        "",
        "Made from the code by `make docs`. Who may what, by the role in the organization or the duty for the",
        "platform. It holds for every route, before anything else of a request is looked at;",
        "[Identity](../explanation/identity.md) explains it. Scopes of tokens are `kind:verb`.",
        "",
        "● may; ○ about what is one's own; ¹ not with a token for some projects alone.",
        "",
        "| verb | |",
        "|---|---|",
        *(f"| `{verb}` | {meaning} |" for verb, meaning in VERBS.items()),
    ]
    for kind in sorted({rule.kind for rule in TABLE.values()}):
        lines += ["", f"## {kind}", "", f"| operation | verb | {' | '.join(roles.values())} |", "|---" * 11 + "|"]
        for name, rule in sorted(TABLE.items()):
            if rule.kind == kind:
                everybody = rule.roles in (PUBLIC, SIGNED_IN)
                own = "○" if rule.roles >= OWN else ""
                marks = ["●" if everybody or role in rule.roles else own for role in roles]
                note = " (no credential needed)" if rule.roles == PUBLIC else "¹" * rule.is_of_organization
                lines.append(f"| `{name}`{note} | {rule.verb} | {' | '.join(marks)} |")
    return {"authorization.md": "\n".join([*lines, ""])}


DOCUMENTS: dict[str, Callable[[], Documents]] = {
    "openapi": openapi,
    "reference": reference,
    "states": states,
    "errors": errors,
    "authorization": authorization,
}

if __name__ == "__main__":
    sys.exit(main())
