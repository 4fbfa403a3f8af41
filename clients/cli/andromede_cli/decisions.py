"""Print a placement decision as a tree: the request, the rejected nodes with reasons, and relaxations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from gettext import gettext as _
from gettext import ngettext
from typing import TYPE_CHECKING, Any

from rich.text import Text
from rich.tree import Tree

from andromede_cli import output
from andromede_cli.terminal import harmless

if TYPE_CHECKING:
    from andromede_sdk.models import Decision, PlacementSimulation

HOLDS = "T"
Line = tuple[Text, list[Text]]


def tree(decision: Decision | PlacementSimulation) -> Tree:
    word, colour = (_("admitted"), "green") if decision.is_admitted else (_("refused"), "red")
    root = Tree(Text.assemble((word, f"bold {colour}"), f"  {harmless(decision.operation)}"))
    for sentence in decision.explanation:
        root.add(Text(harmless(sentence)))
    document = decision.document
    for title, lines in (
        (_("Requested"), _request_lines(document, decision)),
        (_("Nodes that were left out"), _eliminated(document)),
        (_("Zones"), _zones(document)),
        (_("Nearest"), _nearest(document)),
        (_("Relaxations"), _relaxations(document)),
        (_("Clauses that contradict each other"), _conflict(document)),
    ):
        _branch(root, title, lines)
    return root


def _branch(root: Tree, title: str, lines: Iterator[Line]) -> None:
    branch = None
    for line, below in lines:
        branch = branch or root.add(Text(title, style="bold"))
        twig = branch.add(line)
        for each in below:
            twig.add(each)


def _request_lines(document: Mapping[str, Any], decision: Decision | PlacementSimulation) -> Iterator[Line]:
    request = document.get("request") or {}
    if text := output.worded(request.get("resources")):
        yield _text(text), []
    if request.get("zones"):
        yield _text(_("in {zones}").format(zones=output.worded(request["zones"]))), []
    if decision.classifications:
        yield _text(_("for data that is {names}").format(names=", ".join(decision.classifications))), []


def _eliminated(document: Mapping[str, Any]) -> Iterator[Line]:
    for each in document.get("eliminated") or []:
        if count := each.get("count"):
            counted = ngettext("{count} node", "{count} nodes", count).format(count=count)
            below = [_text(output.worded(each["nodes"]))] if each.get("nodes") else []
            yield _text(f"{counted}: {each.get('filter')} ({each.get('code')})"), below


def _zones(document: Mapping[str, Any]) -> Iterator[Line]:
    """Return the zones with reasons."""
    for each in document.get("zones") or []:
        is_admitted = each.get("is_admitted", bool(each.get("admitted")))
        failing = [result for result in each.get("results") or [] if _is_failing(result)]
        codes = [] if failing else list(each.get("codes") or [])
        if is_admitted or failing or codes:
            mark = Text.assemble(("✓ ", "green") if is_admitted else ("✗ ", "red"), harmless(str(each.get("zone"))))
            yield mark, [*(_clause(result) for result in failing), *(_text(code) for code in codes)]


def _is_failing(result: Any) -> bool:
    return isinstance(result, Mapping) and result.get("result") != HOLDS


def _clause(result: Mapping[str, Any]) -> Text:
    detail = output.worded(result.get("detail"))
    clause = f"{result.get('level')}/{result.get('atom')}: {result.get('code') or result.get('result')}"
    return _text(f"{clause}  {detail}" if detail else clause)


def _nearest(document: Mapping[str, Any]) -> Iterator[Line]:
    for each in document.get("nearest") or []:
        yield _text(output.worded(each)), []


def _relaxations(document: Mapping[str, Any]) -> Iterator[Line]:
    for each in document.get("relaxations") or []:
        facts = output.worded(each.get("facts"))
        yield _text(f"{each.get('change')}: {facts}" if facts else str(each.get("change"))), []


def _conflict(document: Mapping[str, Any]) -> Iterator[Line]:
    for each in document.get("unsatisfiable") or []:
        yield _text(output.worded(each)), []


def _text(text: str) -> Text:
    return Text(harmless(text))
