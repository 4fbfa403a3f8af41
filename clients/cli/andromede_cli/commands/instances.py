"""Instances."""

from __future__ import annotations

import base64
from gettext import gettext as _
from pathlib import Path
from typing import Annotated, Any

import typer

from andromede_cli.columns import CREATED, ID, LABELS, NAME, STATE
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
    Zones,
    command,
    group,
    labels_of,
    parameter,
)
from andromede_cli.commands import (
    console,
    console_log,
    instance_identity,
    instance_snapshot,
    metrics,
    ssh,
    tunnel,
)
from andromede_cli.commands.public_addresses import public_addresses_of
from andromede_cli.completion import names
from andromede_cli.declared_commands import (
    LABEL,
    NEW_NAME,
    action_command,
    argument,
    call_command,
    delete_command,
    given,
    list_command,
    option,
    rows,
    show_answer,
)
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_sdk import models

SHOWN_OF_ADDRESS = ("name", "ip", "state", "reason", "mode")
MIGRATIONS = [
    STATE,
    Column(_("from"), "source.name"),
    Column(_("to"), "destination.name"),
    Column(_("bytes"), "total_bytes"),
    Column(_("pause (ms)"), "pause_ms"),
    Column(_("began"), "created_at"),
    Column(_("ended"), "ended_at"),
    Column(_("reason"), "reason", is_wide=True),
    ID,
]
COLUMNS = [
    NAME,
    STATE,
    Column(_("power"), "power_state"),
    Column(_("zone"), "zone"),
    Column(_("addresses"), "addresses.*.ip"),
    Column(_("flavor"), "flavor"),
    Column(_("image"), "image", is_wide=True),
    Column(_("guest agent"), "guest_agent", is_wide=True),
    LABELS,
    Column(_("classifications"), "classifications", is_wide=True),
    CREATED,
    ID,
]
FlavorOption = Annotated[
    str,
    typer.Option("--flavor", help=_("Size of the instance; see flavor list."), autocompletion=names("flavors.list")),
]
ImageOption = Annotated[
    str | None,
    typer.Option("--image", help=_("Image of its root disk, by name or id."), autocompletion=names("images.list")),
]
Networks = Annotated[
    list[str] | None,
    typer.Option("--network", help=_("Network; repeatable."), autocompletion=names("networks.list")),
]
SecurityGroups = Annotated[
    list[str] | None,
    typer.Option(
        "--security-group",
        help=_("Security group; repeatable. Without it: default."),
        autocompletion=names("security_groups.list"),
    ),
]
Ports = Annotated[
    list[str] | None,
    typer.Option("--port", help=_("Free port; repeatable."), autocompletion=names("ports.list")),
]
SshKeys = Annotated[
    list[str] | None,
    typer.Option("--ssh-key", help=_("SSH key; repeatable."), autocompletion=names("ssh_keys.list")),
]
Volumes = Annotated[
    list[str] | None,
    typer.Option("--volume", help=_("Volume to attach; repeatable."), autocompletion=names("volumes.list")),
]
UserData = Annotated[
    Path | None,
    typer.Option("--user-data", help=_("A file for its first boot."), exists=True, dir_okay=False, readable=True),
]
GroupOption = Annotated[
    str | None,
    typer.Option("--affinity-group", help=_("The group it belongs to."), autocompletion=names("affinity_groups.list")),
]
RebuildImage = Annotated[
    str,
    typer.Option("--image", help=_("Image of its root disk, by name or id."), autocompletion=names("images.list")),
]
BootVolume = Annotated[
    str | None,
    typer.Option(
        "--boot-volume",
        help=_("Volume to boot from, in place of an image; it outlives the instance."),
        autocompletion=names("volumes.list"),
    ),
]
RootType = Annotated[
    str | None,
    typer.Option("--root-type", help=_("The volume type of its root disk."), autocompletion=names("volume_types.list")),
]
KEEP_ROOT = "--keep-root-volume/--no-keep-root-volume"
KEEP_HELP = _("Keep the volume that is its root disk when it is deleted.")
KeepRoot = Annotated[bool | None, typer.Option(KEEP_ROOT, help=KEEP_HELP)]
RESTART_HELP = _("Restart policy of the guest: on-failure or never.")
Restart = Annotated[str | None, typer.Option("--restart-policy", help=RESTART_HELP)]
Metadata = Annotated[
    str | None, typer.Option("--metadata", help=_("Who in the guest may read its metadata: token, open or off."))
]
ZoneOption = Annotated[
    str, typer.Option("--zone", help=_("Zone to which it moves."), autocompletion=names("zones.list"))
]

Start = Annotated[bool, typer.Option("--start/--no-start", help=_("Start it, or create it stopped."))]


def register(app: typer.Typer) -> None:
    instances = group(_("Instances: virtual machines."))
    filters = ("name", "state", "zone", "labels", "created_after")
    list_command(instances, _("The instances of the project."), "instances.list", COLUMNS, *filters)
    subject = given("instance", "INSTANCE", completes="instances.list")
    call_command(instances, "show", _("An instance."), "instances.get", subject, show=show_instance)
    command(instances, "create", _("Create an instance."), WAIT, DRY_RUN)(create)
    restart = option("restart_policy", "--restart-policy", RESTART_HELP, default=None)
    keep = option("keep_root_volume", KEEP_ROOT, KEEP_HELP, bool, None)
    changes = (NEW_NAME, LABEL, restart, keep)
    help = _("Change its name, labels or restart policy, or keep its root volume.")
    call_command(instances, "update", help, "instances.update", subject, *changes)
    question = _("Delete {names}? The data on a root disk that is not kept is lost; other volumes are kept.")
    delete_command(instances, _("Delete instances."), "instances.delete", "INSTANCE...", question, WAIT)
    for name, call, help in (
        ("start", "instances.start", _("Start instances.")),
        ("shutdown", "instances.shutdown", _("Shut the guests down cleanly.")),
        ("power-off", "instances.power_off", _("Power instances off at once.")),
        ("reboot", "instances.reboot", _("Reboot the guests cleanly.")),
        ("reset", "instances.reset", _("Reset instances at once.")),
    ):
        action_command(instances, name, help, call, "INSTANCE...")
    command(instances, "resize", _("Change its flavor; it must be stopped."), WAIT, DRY_RUN)(resize)
    command(instances, "rebuild", _("Rebuild its root disk from an image."), WAIT, SURE, DRY_RUN)(rebuild)
    help = _("Relocate it to another zone, with its local volumes; it must be stopped.")
    command(instances, "relocate", help, WAIT, DRY_RUN)(relocate)
    help = _("Other zones, and why some do not admit the instance.")
    call_command(instances, "relocation-plan", help, "instances.relocation_plan", subject)
    instance_snapshot.register(instances)
    _register_groups(instances)
    _register_moves(instances)
    console.register(instances)
    console_log.register(instances)
    instance_identity.register(instances)
    ssh.register(instances)
    tunnel.register(instances)
    metrics.register_instance(instances)
    app.add_typer(instances, name="instance")


def _register_groups(instances: typer.Typer) -> None:
    subject = given("instance", "INSTANCE", completes="instances.list")
    help = _("The security groups of an instance.")
    columns = [
        Column(_("network"), "network.name"),
        Column(_("address"), "ip"),
        Column(_("groups"), "security_groups.*.name"),
        Column(_("rules"), "rules.state"),
        Column(_("reason"), "rules.reason"),
    ]
    call_command(
        instances, "security-groups", help, "security_groups.of_instance", subject, show=rows(columns, "ports")
    )
    help = _("Replace the security groups of an instance.")
    named = parameter("security_groups", argument("GROUP...", several=True, completes="security_groups.list"))
    call_command(
        instances,
        "set-security-groups",
        help,
        "security_groups.of_instance_set",
        subject,
        named,
        show=rows(columns, "ports"),
    )


def _register_moves(instances: typer.Typer) -> None:
    moved = given("instance", "INSTANCE")
    node = option("node", "--node", _("Destination node."), default=None)
    reason = option("reason", "--reason", _("Reason, for the tenant."), default=None)
    deadline = option("deadline_s", "--deadline", _("Timeout of the migration, in seconds."), int, None)
    help = _("If it writes faster than it can be sent: auto_converge (it is slowed down) or none.")
    convergence = option("convergence", "--convergence", help, default=None)
    help = _("Migrate an instance, by id, to another node, running or stopped; for operators.")
    call_command(instances, "migrate", help, "instances.migrate", moved, node, reason, deadline, convergence)
    help = _("Obstacles to a migration, or possible nodes, by instance id; for operators and auditors.")
    call_command(instances, "migration-plan", help, "instances.migration_plan", moved)
    help = _("Cancel its migration, by instance id, before the guest has left; for operators.")
    call_command(instances, "cancel-migrate", help, "instances.migrate_cancel", moved)
    help = _("List its migrations, by instance id; for operators and auditors.")
    call_command(instances, "migrations", help, "instances.migration_list", moved, show=rows(MIGRATIONS))


def show_instance(me: Session, instance: models.InstanceWithActions) -> None:
    """Show an instance with its public addresses, which are resources of their own."""
    addresses = [{name: each.raw[name] for name in SHOWN_OF_ADDRESS} for each in public_addresses_of(me, instance.id)]
    me.show({**instance.raw, "public_addresses": addresses})


def create(
    me: Session,
    name: Name,
    flavor: FlavorOption,
    image: ImageOption = None,
    boot_volume: BootVolume = None,
    network: Networks = None,
    port: Ports = None,
    ssh_key: SshKeys = None,
    volume: Volumes = None,
    zone: Zones = None,
    label: LabelsOption = None,
    user_data: UserData = None,
    affinity_group: GroupOption = None,
    classification: Classifications = None,
    host: Host = None,
    exemption: Exemption = None,
    restart_policy: Restart = None,
    metadata: Metadata = None,
    root_type: RootType = None,
    keep_root_volume: KeepRoot = None,
    security_group: SecurityGroups = None,
    start: Start = True,
) -> None:
    body: dict[str, Any] = {
        "flavor": flavor,
        "image": image,
        "boot_volume": boot_volume,
        "networks": network,
        "ports": port,
        "ssh_keys": ssh_key,
        "volumes": volume,
        "zones": zone,
        "labels": labels_of(label),
        "affinity_group": affinity_group,
        "classifications": classification,
        "host": host,
        "exemption": exemption,
        "restart_policy": restart_policy,
        "metadata": metadata,
        "root_volume_type": root_type,
        "keep_root_volume": keep_root_volume,
        "security_groups": security_group,
        "start": None if start else False,
        **_user_data(user_data),
    }
    _send(me, name, body)


def _send(me: Session, name: str, body: dict[str, Any]) -> None:
    if me.is_dry_run:
        show_answer(me, me.client.instances.create(name=name, **body, dry_run=True))
        return
    answer = me.client.instances.create(name=name, **body)
    me.finish(answer, lambda: me.client.instances.get(answer.id))


def _user_data(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    return {"user_data_base64": base64.b64encode(file.read_bytes()).decode()}


def resize(me: Session, name: Instance, flavor: FlavorOption) -> None:
    answer = me.client.instances.resize(name, flavor=flavor, dry_run=me.is_dry_run)
    me.finish(answer, lambda: me.client.instances.get(answer.id))


def relocate(me: Session, name: Instance, zone: ZoneOption) -> None:
    answer = me.client.instances.relocate(name, zone=zone, dry_run=me.is_dry_run)
    me.finish(answer, lambda: me.client.instances.get(answer.id))


def rebuild(
    me: Session, name: Instance, image: RebuildImage, ssh_key: SshKeys = None, user_data: UserData = None
) -> None:
    question = _("Rebuild {name}? The data on its root disk or root volume is lost; other volumes are kept.")
    me.confirm(question.format(name=name))
    body: dict[str, Any] = {"image": image, "ssh_keys": ssh_key, **_user_data(user_data)}
    answer = me.client.instances.rebuild(name, **body, dry_run=me.is_dry_run)
    me.finish(answer, lambda: me.client.instances.get(answer.id))
