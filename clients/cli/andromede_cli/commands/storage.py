"""Volumes and their attachments."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated, Any

import typer

from andromede_cli.columns import ID, LABELS, NAME, STATE
from andromede_cli.command import (
    DRY_RUN,
    SURE,
    WAIT,
    Classifications,
    Exemption,
    Host,
    Instance,
    LabelsOption,
    Name,
    Volume,
    Zones,
    command,
    group,
    labels_of,
)
from andromede_cli.completion import names
from andromede_cli.declared_commands import (
    LABEL,
    NEW_NAME,
    call_command,
    delete_command,
    given,
    list_command,
    show_answer,
    show_command,
)
from andromede_cli.error_reports import Misuse
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_cli.terminal import print_note
from andromede_sdk import models

COLUMNS = [
    NAME,
    STATE,
    Column("GiB", "size_gib"),
    Column(_("zone"), "zone"),
    Column(_("instance"), "instances"),
    Column(_("type"), "volume_type", is_wide=True),
    LABELS,
    Column(_("classifications"), "classifications", is_wide=True),
    ID,
]
ATTACHMENT_COLUMNS = [
    Column(_("volume"), "volume"),
    Column("GiB", "size_gib"),
    Column(_("read only"), "is_read_only"),
    Column(_("plugged"), "is_plugged"),
    Column(_("boot"), "is_boot"),
    Column(_("shared"), "share"),
    Column("id", "id"),
]
Size = Annotated[int, typer.Option("--size", help=_("In GiB."), min=1)]
NewSize = Annotated[
    int | None,
    typer.Option("--size", help=_("In GiB; default: the snapshot's size."), min=1, show_default=False),
]
TypeOption = Annotated[
    str | None, typer.Option("--type", help=_("See volume-type list."), autocompletion=names("volume_types.list"))
]
From = Annotated[
    str | None,
    typer.Option("--image", help=_("Image to copy to it, by name or id."), autocompletion=names("images.list")),
]
FromSnapshot = Annotated[
    str | None,
    typer.Option(
        "--snapshot",
        help=_("Snapshot whose content it begins with, by name or id."),
        autocompletion=names("snapshots.list"),
    ),
]
Near = Annotated[
    str | None, typer.Option("--near", help=_("On the node of this instance."), autocompletion=names("instances.list"))
]
ReadOnly = Annotated[bool, typer.Option("--read-only", help=_("The guest may not write to it."))]
Share = Annotated[
    bool,
    typer.Option(
        "--share", help=_("Other instances can have it, too; for types with multi-attach and file systems for that.")
    ),
]
HadBy = Annotated[
    str | None,
    typer.Option(
        "--instance", help=_("Needed when several instances have it."), autocompletion=names("instances.list")
    ),
]


def register(app: typer.Typer) -> None:
    volumes = group(_("Volumes: disks that outlive instances."))
    filters = ("name", "state", "zone", "labels", "created_after")
    list_command(volumes, _("The volumes of the project."), "volumes.list", COLUMNS, *filters)
    show_command(volumes, _("A volume."), "volumes.get", "VOLUME")
    command(volumes, "create", _("Create a volume."), WAIT, DRY_RUN)(create)
    subject = given("volume", "VOLUME", completes="volumes.list")
    call_command(volumes, "update", _("Change its name or labels."), "volumes.update", subject, NEW_NAME, LABEL)
    command(volumes, "grow", _("Grow a volume."), WAIT, DRY_RUN)(grow)
    command(volumes, "retype", _("Change the type of a volume, and with it its limits or its place."), WAIT, DRY_RUN)(
        retype
    )
    help = _("Relocate it to another zone; it must be on a node's own disk, and detached.")
    command(volumes, "relocate", help, WAIT, DRY_RUN)(relocate)
    help = _("Other zones, and why some do not admit the volume.")
    call_command(volumes, "relocation-plan", help, "volumes.relocation_plan", subject)
    command(volumes, "revert", _("Revert a volume to a snapshot of it."), WAIT, SURE, DRY_RUN)(revert)
    command(volumes, "attach", _("Attach a volume to an instance."), WAIT, DRY_RUN)(attach)
    command(volumes, "detach", _("Detach a volume from its instance."), WAIT, SURE, DRY_RUN)(detach)
    command(volumes, "attachments", _("List the volumes of an instance."))(attachments)
    question = _("Delete {names}? The data on it is lost.")
    delete_command(volumes, _("Delete volumes."), "volumes.delete", "VOLUME...", question, WAIT)
    app.add_typer(volumes, name="volume")


def create(
    me: Session,
    name: Name,
    size: NewSize = None,
    type: TypeOption = None,
    image: From = None,
    snapshot: FromSnapshot = None,
    zone: Zones = None,
    near: Near = None,
    label: LabelsOption = None,
    classification: Classifications = None,
    host: Host = None,
    exemption: Exemption = None,
) -> None:
    body: dict[str, Any] = {
        "size_gib": size,
        "volume_type": type,
        "image": image,
        "snapshot": snapshot,
        "zones": zone,
        "near_instance": near,
        "labels": labels_of(label),
        "classifications": classification,
        "host": host,
        "exemption": exemption,
    }
    if me.is_dry_run:
        show_answer(me, me.client.volumes.create(name=name, **body, dry_run=True))
        return
    answer = me.client.volumes.create(name=name, **body)
    me.finish(answer, lambda: me.client.volumes.get(answer.id))


def grow(me: Session, name: Volume, size: Size) -> None:
    answer = me.client.volumes.grow(name, size_gib=size, dry_run=me.is_dry_run)
    me.finish(answer, lambda: me.client.volumes.get(answer.id))


def retype(
    me: Session,
    name: Volume,
    type: Annotated[
        str,
        typer.Option("--type", help=_("See volume-type list."), autocompletion=names("volume_types.usable_list")),
    ],
    max_mb_per_s: Annotated[
        int | None,
        typer.Option("--max-mb-per-s", min=1, help=_("Limit of the copy to another place, in MB per second.")),
    ] = None,
) -> None:
    if me.is_dry_run:
        show_answer(me, me.client.volumes.retype(name, volume_type=type, max_mb_per_s=max_mb_per_s, dry_run=True))
        return
    answer = me.client.volumes.retype(name, volume_type=type, max_mb_per_s=max_mb_per_s)
    me.finish(answer, lambda: me.client.volumes.get(answer.id))


def relocate(
    me: Session,
    name: Volume,
    zone: Annotated[str, typer.Option("--zone", help=_("Zone to which it moves."), autocompletion=names("zones.list"))],
    max_mb_per_s: Annotated[
        int | None, typer.Option("--max-mb-per-s", min=1, help=_("Limit of the copy, in MB per second."))
    ] = None,
) -> None:
    answer = me.client.volumes.relocate(name, zone=zone, max_mb_per_s=max_mb_per_s, dry_run=me.is_dry_run)
    me.finish(answer, lambda: me.client.volumes.get(answer.id))


def revert(
    me: Session,
    volume: Volume,
    snapshot: Annotated[
        str,
        typer.Argument(
            metavar="SNAPSHOT", help=_("By name or id."), show_default=False, autocompletion=names("snapshots.list")
        ),
    ],
) -> None:
    plan = me.client.volumes.revert(volume, snapshot=snapshot, dry_run=True)
    if me.is_dry_run:
        me.show(plan)
        return
    print_note(_lost(plan))
    me.confirm(_("Revert {name} to {snapshot}?").format(name=plan.volume.name, snapshot=plan.snapshot.name))
    answer = me.client.volumes.revert(plan.volume.id, snapshot=plan.snapshot.id)
    me.finish(answer, lambda: me.client.volumes.get(answer.id))


def _lost(plan: models.RevertPlan) -> str:
    """Return what a revert loses, and what stays."""
    text = _("Everything written to {name} since {moment} is lost. Its size stays: {size} GiB.")
    moment = plan.lost_since.isoformat(timespec="seconds")
    lines = [text.format(name=plan.volume.name, moment=moment, size=plan.size_gib)]
    if plan.younger_snapshots:
        younger = ", ".join(each.name for each in plan.younger_snapshots)
        lines.append(_("Younger snapshots stay: {names}.").format(names=younger))
    return " ".join(lines)


def attach(me: Session, volume: Volume, instance: Instance, read_only: ReadOnly = False, share: Share = False) -> None:
    answer = me.client.attachments.create(
        instance, volume=volume, is_read_only=read_only, share=share or None, dry_run=me.is_dry_run
    )
    me.finish(answer, lambda: me.client.attachments.get(instance, answer.id))


def detach(me: Session, volume: Volume, instance: HadBy = None) -> None:
    current = me.client.volumes.get(volume)
    holder = _holder(current, instance)
    me.confirm(_("Detach {name} from {instance}?").format(name=current.name, instance=holder.name))
    attached = me.client.attachments.list(holder.id)
    attachment = next(each for each in attached if each.volume.id == current.id)
    answer = me.client.attachments.delete(holder.id, attachment.id, dry_run=me.is_dry_run)
    me.finish(answer, lambda: me.client.volumes.get(current.id))


def _holder(volume: models.VolumeWithActions, instance: str | None) -> Any:
    """Return the instance that has the volume: the named one, or the only one."""
    if not volume.instances:
        raise Misuse(_("{name} is not attached to an instance.").format(name=volume.name))
    found = [each for each in volume.instances if instance in (None, each.name, str(each.id))]
    if not found:
        raise Misuse(_("{name} is not attached to {instance}.").format(name=volume.name, instance=instance))
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise Misuse(
            _("{name} is attached to {names}: choose one with --instance.").format(name=volume.name, names=names)
        )
    return found[0]


def attachments(me: Session, instance: Instance) -> None:
    me.list(me.client.attachments.list(instance), ATTACHMENT_COLUMNS)
