"""Why something is where it is, or nowhere; and what would be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from gettext import gettext as _
from gettext import ngettext
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from andromede_cli import output
from andromede_cli.command import command, group
from andromede_cli.completion import names
from andromede_cli.output import Format
from andromede_cli.session import Session
from andromede_cli.terminal import console, harmless, say
from andromede_sdk import NotFound
from andromede_sdk.model import Model
from andromede_sdk.models import Decision, PlacementSimulation

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Subject = Annotated[
    str,
    typer.Argument(metavar="INSTANCE|DECISION", help=_("An instance, or the id of a decision."), show_default=False),
]
OperationOption = Annotated[str, typer.Option("--operation", help=_("What is to be done, such as volume.create."))]
Vcpus = Annotated[int | None, typer.Option(help=_("Virtual CPUs."), min=0)]
Memory = Annotated[int | None, typer.Option(help=_("Memory in MiB."), min=0)]
Disk = Annotated[int | None, typer.Option(help=_("Disk in GiB."), min=0)]
FlavorOption = Annotated[
    str | None, typer.Option("--flavor", help=_("The size of this flavor."), autocompletion=names("flavors.list"))
]
Zones = Annotated[
    list[str] | None,
    typer.Option(
        "--zone", help=_("A zone that will do; may be said several times."), autocompletion=names("zones.list")
    ),
]
Classifications = Annotated[
    list[str] | None,
    typer.Option(
        "--classification",
        help=_("What the data is; may be said several times."),
        autocompletion=names("classifications.list"),
    ),
]


def register(app: typer.Typer) -> None:
    placement = group(_("Where things are placed, and why."))
    command(placement, "explain", _("Why an instance is where it is, or why a request was refused."))(explain)
    command(placement, "simulate", _("What would be decided now. Nothing is made."))(simulate)
    app.add_typer(placement, name="placement")


def explain(me: Session, subject: Subject) -> None:
    show_answer(me, _decision(me, subject))


def _decision(me: Session, subject: str) -> Decision:
    """The id of an instance and that of a decision look alike."""
    if not UUID.fullmatch(subject):
        return me.client.instances.placement(subject)
    try:
        return me.client.decisions.get(subject)
    except NotFound:
        return me.client.instances.placement(subject)


def simulate(
    me: Session,
    operation: OperationOption = "instance.create",
    flavor: FlavorOption = None,
    vcpus: Vcpus = None,
    memory: Memory = None,
    disk: Disk = None,
    zone: Zones = None,
    classification: Classifications = None,
) -> None:
    if flavor is not None:
        found = next((each for each in me.client.flavors.list() if each.id == flavor), None)
        if found is None:
            raise typer.BadParameter(_("There is no flavor {name!r}.").format(name=flavor))
        vcpus, memory, disk = vcpus or found.vcpus, memory or found.memory_mib, disk or found.disk_gib
    show_answer(
        me,
        me.client.placement.simulate(
            operation=operation,
            project=me.client.project,
            vcpus=vcpus,
            memory_mib=memory,
            disk_gib=disk,
            zones=zone,
            classifications=classification,
        ),
    )


def show_answer(me: Session, answer: Model) -> None:
    """A decision as a tree; anything else that a dry run answers as what it is."""
    is_decision = isinstance(answer, Decision | PlacementSimulation)
    if me.form in (Format.JSON, Format.YAML) or not is_decision:
        me.show(answer)
        if not is_decision:
            say(_("Nothing was made: this is what would be."))
        return
    out = console()
    with out.capture() as captured:
        out.print(tree(answer))  # type: ignore[arg-type]
    for line in captured.get().splitlines():
        print(line.rstrip())  # noqa: T201 - the result


def tree(decision: Decision | PlacementSimulation) -> Tree:
    word, colour = (_("admitted"), "green") if decision.is_admitted else (_("refused"), "red")
    root = Tree(Text.assemble((word, f"bold {colour}"), f"  {harmless(decision.operation)}"))
    for sentence in decision.explanation:
        root.add(Text(harmless(sentence)))
    document = decision.document
    for title, lines in (
        (_("Asked for"), _asked(document, decision)),
        (_("Nodes that were left out"), _eliminated(document)),
        (_("Zones"), _zones(document)),
        (_("Nearest"), _nearest(document)),
        (_("What would help"), _relaxations(document)),
        (_("Clauses that contradict each other"), _conflict(document)),
    ):
        _branch(root, title, lines)
    return root


HOLDS = "T"
Line = tuple[Text, list[Text]]


def _branch(root: Tree, title: str, lines: Iterator[Line]) -> None:
    branch = None
    for line, below in lines:
        branch = branch or root.add(Text(title, style="bold"))
        twig = branch.add(line)
        for each in below:
            twig.add(each)


def _asked(document: Mapping[str, Any], decision: Decision | PlacementSimulation) -> Iterator[Line]:
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
    """Those that have something to say."""
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
