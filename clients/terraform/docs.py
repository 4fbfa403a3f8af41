"""Write the pages of the provider from its schemas and examples, or with --check list the outdated ones.

`python -m clients.terraform.docs [--check]`.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clients.terraform.main import AndromedeProvider
from clients.terraform.runtime.provider import Resource
from clients.terraform.runtime.rpc_base import complete
from clients.terraform.runtime.schema import Attribute, Nested, Schema, Type

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE / "examples"
PAGES = HERE.parent.parent / "docs" / "reference" / "terraform"
GENERATED = "Made from the code by `make terraform-docs`."
IMPORTS = {
    "policy": "PROJECT",
    "project": "ID`, `NAME` or `ORGANIZATION/NAME",
    "quota": "PROJECT",
    "service_account": "ID`, `NAME` or `ORGANIZATION/NAME",
    "service_account_token": "ACCOUNT/TOKEN` or `ORGANIZATION/ACCOUNT/TOKEN",
    "subnet": "NETWORK/SUBNET` or `PROJECT/NETWORK/SUBNET",
    "volume_attachment": "INSTANCE/VOLUME` or `PROJECT/INSTANCE/VOLUME",
}


@dataclass(frozen=True)
class Page:
    folder: str
    name: str
    title: str
    schema: Schema
    resource: Resource | None = None

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    texts = dict(documents())
    strange = {str(path.relative_to(PAGES)) for path in PAGES.rglob("*.md")} - texts.keys()
    old = [path for path, text in texts.items() if not (PAGES / path).exists() or (PAGES / path).read_text() != text]
    if is_check:
        if old or strange:
            sys.stderr.write(f"Not as the code says: {', '.join([*old, *strange])}. Run `make terraform-docs`.\n")
        return 1 if old or strange else 0
    for path in strange:
        (PAGES / path).unlink()
    for path in old:
        (PAGES / path).parent.mkdir(parents=True, exist_ok=True)
        (PAGES / path).write_text(texts[path])
    return 0


def pages(provider: AndromedeProvider) -> Iterator[Page]:
    for resource in provider.resources:
        yield Page("resources", resource.name, "andromede_" + resource.name, complete(resource), resource)
    for source in provider.data_sources:
        yield Page("data-sources", source.name, f"andromede_{source.name} (data source)", source.schema)
    for action in provider.actions:
        yield Page("actions", action.name, f"andromede_{action.name} (action)", action.schema)
    for ephemeral in provider.ephemeral_resources:
        title = f"andromede_{ephemeral.name} (ephemeral resource)"
        yield Page("ephemeral-resources", ephemeral.name, title, ephemeral.schema)


def documents() -> Iterator[tuple[str, str]]:
    provider = AndromedeProvider()
    all_pages = list(pages(provider))
    yield "index.md", _index(provider, all_pages)
    for page in all_pages:
        yield page.path, _document(page)


def _index(provider: AndromedeProvider, all_pages: list[Page]) -> str:
    lines = ["# The Terraform provider", "", GENERATED, ""]
    lines += ["[How to use it](../../how-to/use-terraform.md) comes first; this is the reference.", ""]
    lines += _example(EXAMPLES / "provider.tf")
    lines += ["## Configuration", "", *_table(provider.schema.attributes), ""]
    for folder in dict.fromkeys(page.folder for page in all_pages):
        lines += [f"## {folder.replace('-', ' ').capitalize()}", ""]
        lines += [f"- [{page.title}]({page.path})" for page in all_pages if page.folder == folder]
        lines += [""]
    return "\n".join(lines)


def _document(page: Page) -> str:
    lines = [f"# {page.title}", "", GENERATED, "", page.schema.description, ""]
    lines += _example(EXAMPLES / page.folder / f"{page.name}.tf")
    chosen = {name: each for name, each in page.schema.attributes.items() if not _is_result(each)}
    results = {name: each for name, each in page.schema.attributes.items() if _is_result(each)}
    lines += ["## Arguments", "", *_table(chosen), ""] if chosen else []
    lines += ["## Read-only attributes", "", *_table(results), ""] if results else []
    if page.resource is not None:
        lines += _import(page.resource)
    return "\n".join(lines)


def _is_result(attribute: Attribute) -> bool:
    return attribute.computed and not attribute.optional


def _example(path: Path) -> list[str]:
    return ["```hcl", path.read_text().rstrip(), "```", ""]


def _table(attributes: Mapping[str, Attribute]) -> list[str]:
    lines = ["| attribute | type | |", "|---|---|---|"]
    return [*lines, *_rows(attributes, prefix="")]


def _rows(attributes: Mapping[str, Attribute], *, prefix: str) -> Iterator[str]:
    for name, attribute in attributes.items():
        yield f"| `{prefix}{name}` | {_type(attribute.type)} | {_text(attribute)} |"
        if isinstance(attribute.type, Nested):
            within = "." if attribute.type.nesting == "single" else "[*]."
            yield from _rows(attribute.type.attributes, prefix=f"{prefix}{name}{within}")


def _type(of: Type | Nested) -> str:
    if isinstance(of, Nested):
        return "object" if of.nesting == "single" else f"{of.nesting} of objects"
    return f"{of.kind} of {of.of.kind}s" if of.of else of.kind


def _text(attribute: Attribute) -> str:
    words = ["**Required.**"] if attribute.required else []
    words.append(attribute.description.replace("|", "\\|"))
    if attribute.has_default:
        words.append(f"Default: `{str(attribute.default).lower()}`.")
    if attribute.write_only:
        words.append("Write-only.")
    elif attribute.sensitive:
        words.append("Sensitive.")
    return " ".join(words)


def _import(resource: Resource) -> list[str]:
    form = IMPORTS.get(resource.name, "ID` or `PROJECT/NAME")
    lines = ["## Import", "", f"`terraform import andromede_{resource.name}.ADDRESS` with `{form}`, or", ""]
    lines += ["```hcl", "import {", f"  to = andromede_{resource.name}.ADDRESS", "  identity = {"]
    width = max(map(len, resource.identity))
    lines += [
        f'    {name:<{width}} = "…"{"" if each.is_required else " # optional"}'
        for name, each in resource.identity.items()
    ]
    return [*lines, "  }", "}", "```", ""]


if __name__ == "__main__":
    sys.exit(main())
