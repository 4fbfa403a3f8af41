"""Flavors and volume types: the sizes and kinds to choose from."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated, Any

import typer

from andromede_cli.command import DRY_RUN, command, group
from andromede_cli.declared_commands import delete_command, list_command, show_command
from andromede_cli.output import Column
from andromede_cli.session import Session

TYPE_COLUMNS = [
    Column("id", "id"),
    Column(_("description"), "description"),
    Column(_("storage pool"), "pool"),
    Column("IOPS", "iops"),
    Column("IOPS/GiB", "iops_per_gib"),
    Column("MB/s", "mb_per_s"),
    Column("MB/s/GiB", "mb_per_s_per_gib"),
    Column(_("binding"), "binding"),
    Column(_("multi-attach"), "is_multi_attach"),
    Column(_("copies"), "replicas"),
    Column(_("snapshots"), "has_snapshots"),
    Column(_("retired"), "is_retired"),
]
Iops = Annotated[int | None, typer.Option("--iops", help=_("Limit of operations per second; 0: none."), min=0)]
IopsPerGib = Annotated[int | None, typer.Option("--iops-per-gib", help=_("The same for each GiB."), min=0)]
MbPerS = Annotated[
    int | None, typer.Option("--mb-per-s", help=_("Limit in MB (10^6 bytes) per second; 0: none."), min=0)
]
MbPerSPerGib = Annotated[int | None, typer.Option("--mb-per-s-per-gib", help=_("The same for each GiB."), min=0)]
Owners = Annotated[
    list[str] | None,
    typer.Option("--only-for", help=_("Only this organization may use it; repeatable. Default: all.")),
]


def register(app: typer.Typer) -> None:
    flavors = group(_("Sizes of instances."))
    sizes = [
        Column("id", "id"),
        Column("vCPU", "vcpus"),
        Column("MiB", "memory_mib"),
        Column("GiB", "disk_gib"),
        Column(_("volumes"), "max_volumes"),
    ]
    list_command(flavors, _("List flavors."), "flavors.list", sizes)
    app.add_typer(flavors, name="flavor")
    app.add_typer(_types(), name="volume-type")


def _types() -> typer.Typer:
    types = group(_("Kinds of volumes."))
    list_command(types, _("List volume types."), "volume_types.list", TYPE_COLUMNS)
    show_command(types, _("A volume type."), "volume_types.get", "TYPE")
    command(types, "create", _("Create a volume type; for operators."), DRY_RUN)(create)
    command(types, "update", _("Change or retire a volume type; for operators."), DRY_RUN)(update)
    help = _("Delete volume types that no volume has or had; for operators.")
    delete_command(types, help, "volume_types.delete", "TYPE...", _("Delete {names}?"))
    return types


def create(
    me: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    description: Annotated[str, typer.Option("--description", help=_("For those who choose a type."))],
    pool: Annotated[
        str | None, typer.Option("--pool", help=_("Pool of its volumes; default: the disk of one node."))
    ] = None,
    binding: Annotated[
        str | None, typer.Option("--binding", help=_("When a volume gets its place: immediate (default) or first_use."))
    ] = None,
    multi_attach: Annotated[
        bool, typer.Option("--multi-attach", help=_("Several instances can have a volume attached at once."))
    ] = False,
    iops: Iops = None,
    iops_per_gib: IopsPerGib = None,
    mb_per_s: MbPerS = None,
    mb_per_s_per_gib: MbPerSPerGib = None,
    owner: Owners = None,
) -> None:
    limits = _limits(iops, iops_per_gib, mb_per_s, mb_per_s_per_gib)
    place = {"pool": pool, "binding": binding, "is_multi_attach": multi_attach or None}
    body = {**place, **limits, "organizations": owner or None}
    me.show(me.client.volume_types.create(id=name, description=description, **body, dry_run=me.is_dry_run))


def update(
    me: Session,
    name: Annotated[str, typer.Argument(metavar="TYPE", show_default=False)],
    description: Annotated[str | None, typer.Option("--description", help=_("For those who choose a type."))] = None,
    iops: Iops = None,
    iops_per_gib: IopsPerGib = None,
    mb_per_s: MbPerS = None,
    mb_per_s_per_gib: MbPerSPerGib = None,
    owner: Owners = None,
    for_all: Annotated[bool, typer.Option("--for-all", help=_("All organizations may use it."))] = False,
    retired: Annotated[
        bool | None, typer.Option("--retired/--not-retired", help=_("Whether new volumes are refused."))
    ] = None,
) -> None:
    body = {
        "description": description,
        **_limits(iops, iops_per_gib, mb_per_s, mb_per_s_per_gib),
        "organizations": [] if for_all else owner or None,
        "is_retired": retired,
    }
    me.show(me.client.volume_types.update(name, **body, dry_run=me.is_dry_run))


def _limits(
    iops: int | None, iops_per_gib: int | None, mb_per_s: int | None, mb_per_s_per_gib: int | None
) -> dict[str, Any]:
    return {
        "iops": iops,
        "iops_per_gib": iops_per_gib,
        "mb_per_s": mb_per_s,
        "mb_per_s_per_gib": mb_per_s_per_gib,
    }
