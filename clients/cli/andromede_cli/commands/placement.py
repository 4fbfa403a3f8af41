"""Placement decisions and simulations."""

from __future__ import annotations

import re
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from andromede_cli.command import command, group
from andromede_cli.completion import names
from andromede_cli.declared_commands import show_answer
from andromede_cli.session import Session
from andromede_sdk import NotFound

if TYPE_CHECKING:
    from andromede_sdk.models import Decision

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Subject = Annotated[
    str,
    typer.Argument(metavar="INSTANCE|DECISION", help=_("An instance, or the id of a decision."), show_default=False),
]
OperationOption = Annotated[str, typer.Option("--operation", help=_("Action, such as volume.create."))]
Vcpus = Annotated[int | None, typer.Option(help=_("Virtual CPUs."), min=0)]
Memory = Annotated[int | None, typer.Option(help=_("Memory in MiB."), min=0)]
Disk = Annotated[int | None, typer.Option(help=_("Disk in GiB."), min=0)]
FlavorOption = Annotated[
    str | None, typer.Option("--flavor", help=_("The size of this flavor."), autocompletion=names("flavors.list"))
]
Zones = Annotated[
    list[str] | None,
    typer.Option("--zone", help=_("Allowed zone; repeatable."), autocompletion=names("zones.list")),
]
Classifications = Annotated[
    list[str] | None,
    typer.Option(
        "--classification",
        help=_("Classification of the data; repeatable."),
        autocompletion=names("classifications.list"),
    ),
]


def register(app: typer.Typer) -> None:
    placement = group(_("Placement decisions."))
    command(placement, "explain", _("Explain the placement of an instance, or a refusal."))(explain)
    command(placement, "simulate", _("Simulate a placement decision; nothing is created."))(simulate)
    app.add_typer(placement, name="placement")


def explain(me: Session, subject: Subject) -> None:
    show_answer(me, _decision(me, subject))


def _decision(me: Session, subject: str) -> Decision:
    """Find the decision of an id, which may be an instance's or a decision's."""
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
        chosen = next((each for each in me.client.flavors.list() if each.id == flavor), None)
        if chosen is None:
            raise typer.BadParameter(_("There is no flavor {name!r}.").format(name=flavor))
        vcpus, memory, disk = vcpus or chosen.vcpus, memory or chosen.memory_mib, disk or chosen.disk_gib
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
