"""Networks, their subnets, and ports."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated, Any

import typer

from andromede_cli.command import (
    DRY_RUN,
    SURE,
    WAIT,
    Instance,
    LabelsOption,
    Name,
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
    filters,
    given,
    list_command,
    one,
    option,
    rows,
    show_command,
)
from andromede_cli.error_reports import Misuse
from andromede_cli.output import Column
from andromede_cli.session import Session

NAME, ID = Column(_("name"), "name"), Column("id", "id", is_wide=True)
CREATED = Column(_("created"), "created_at", is_wide=True)
LABELS = Column(_("labels"), "labels", is_wide=True)
SUBNET_COLUMNS = [NAME, Column("CIDR", "cidr"), Column(_("gateway"), "gateway_ip"), Column("DNS", "dns_servers")]
PORT_COLUMNS = [
    NAME,
    Column(_("state"), "state"),
    Column(_("network"), "network"),
    Column(_("addresses"), "addresses.*.ip"),
    Column(_("instance"), "instance"),
    Column("MAC", "mac", is_wide=True),
    LABELS,
    CREATED,
    ID,
]
Network = Annotated[str, typer.Argument(metavar="NETWORK", show_default=False, autocompletion=names("networks.list"))]
Subnet = Annotated[str, typer.Argument(metavar="SUBNET", show_default=False)]
Port = Annotated[str, typer.Argument(metavar="PORT", show_default=False, autocompletion=names("ports.list"))]
Cidr = Annotated[str, typer.Option("--cidr", help=_("Address range (CIDR), such as 10.0.0.0/24."))]
Dns = Annotated[list[str] | None, typer.Option("--dns", help=_("Name server; repeatable."))]
Reserved = Annotated[
    list[str] | None,
    typer.Option("--reserved", help=_("Addresses that no port gets, as 10.0.0.2-10.0.0.9; repeatable.")),
]
OnNetwork = Annotated[
    str, typer.Option("--network", help=_("Network of the port."), autocompletion=names("networks.list"))
]
Addresses = Annotated[
    list[str] | None,
    typer.Option("--address", help=_("Address, or subnet for a free one of it; repeatable. Default: a free one.")),
]
Allowed = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-address",
        help=_("Range that it may use besides, as 10.0.0.9 or 10.0.0.9=00:00:5e:00:01:01; repeatable."),
    ),
]

TOPOLOGY = [
    Column(_("port"), "name"),
    Column(_("addresses"), "addresses"),
    Column(_("instance"), "instance.name"),
    Column(_("state"), "instance.state"),
    Column(_("zone"), "instance.zone"),
    Column(_("security groups"), "security_groups"),
    Column(_("public addresses"), "public_addresses"),
    ID,
]


def register(app: typer.Typer) -> None:
    app.add_typer(_networks(), name="network")
    app.add_typer(_subnets(), name="subnet")
    app.add_typer(_ports(), name="port")


def _networks() -> typer.Typer:
    networks = group(_("Networks of the project."))
    columns = [
        NAME,
        Column("CIDR", "cidr"),
        Column(_("gateway"), "gateway_ip"),
        Column("DNS", "dns_servers"),
        LABELS,
        CREATED,
        ID,
    ]
    list_command(
        networks, _("The networks of the project."), "networks.list", columns, "name", "labels", "created_after"
    )
    show_command(networks, _("A network."), "networks.get", "NETWORK")
    command(networks, "create", _("Create a network."), DRY_RUN)(network_create)
    subject = given("network", "NETWORK", completes="networks.list")
    call_command(networks, "update", _("Change its name or labels."), "networks.update", subject, NEW_NAME, LABEL)
    help = _("The ports of a network, with their instances, security groups and public addresses.")
    call_command(networks, "topology", help, "networks.topology", subject, show=rows(TOPOLOGY, "ports"))
    delete_command(networks, _("Delete networks."), "networks.delete", "NETWORK...", _("Delete {names}?"))
    return networks


def network_create(
    me: Session,
    name: Name,
    cidr: Annotated[str, typer.Option("--cidr", help=_("Address range (CIDR), such as 10.0.0.0/24."))],
    dns: Annotated[list[str] | None, typer.Option("--dns", help=_("Name server; repeatable."))] = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {"cidr": cidr, "dns_servers": dns, "labels": labels_of(label)}
    me.show(me.client.networks.create(name=name, **body, dry_run=me.is_dry_run))


def _subnets() -> typer.Typer:
    subnets = group(_("Subnets: the address ranges of a network."))
    network, subnet = given("network", "NETWORK", completes="networks.list"), given("subnet", "SUBNET")
    columns = [*SUBNET_COLUMNS, Column(_("reserved"), "reserved_ranges"), LABELS, CREATED, ID]
    call_command(subnets, "list", _("The subnets of a network."), "subnets.list", network, show=rows(columns))
    call_command(subnets, "show", _("A subnet."), "subnets.get", network, subnet)
    command(subnets, "create", _("Create a subnet of a network."), DRY_RUN)(subnet_create)
    command(subnets, "update", _("Change its name, labels, DNS servers or reserved ranges."), DRY_RUN)(subnet_update)
    command(subnets, "delete", _("Delete a subnet without addresses in use."), SURE, DRY_RUN)(subnet_delete)
    return subnets


def subnet_create(
    me: Session,
    network: Network,
    name: Name,
    cidr: Cidr,
    gateway: Annotated[str | None, typer.Option("--gateway", help=_("Gateway; default: its first address."))] = None,
    dns: Dns = None,
    reserved: Reserved = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "cidr": cidr,
        "gateway_ip": gateway,
        "dns_servers": dns,
        "reserved_ranges": reserved,
        "labels": labels_of(label),
    }
    me.show(me.client.subnets.create(network, name=name, **body, dry_run=me.is_dry_run))


def subnet_update(
    me: Session,
    network: Network,
    subnet: Subnet,
    name: Annotated[str | None, typer.Option("--name", help=_("The new name."))] = None,
    dns: Dns = None,
    reserved: Reserved = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "name": name,
        "dns_servers": dns,
        "reserved_ranges": reserved,
        "labels": labels_of(label, is_patch=True),
    }
    me.show(me.client.subnets.update(network, subnet, **body, dry_run=me.is_dry_run))


def subnet_delete(me: Session, network: Network, subnet: Subnet) -> None:
    me.confirm(_("Delete {names}?").format(names=subnet))
    me.client.subnets.delete(network, subnet, dry_run=me.is_dry_run)
    one(me, None)


def _ports() -> typer.Typer:
    ports = group(_("Ports: network cards with their addresses."))
    wanted = (
        option("network", "--network", _("Filter by network."), default=None),
        option("instance", "--instance", _("Filter by instance."), default=None),
        option("address", "--address", _("Filter by address."), default=None),
        *filters("name", "labels", "created_after"),
    )
    call_command(ports, "list", _("The ports of the project."), "ports.list", *wanted, show=rows(PORT_COLUMNS))
    show_command(ports, _("A port."), "ports.get", "PORT")
    command(ports, "create", _("Create a port, which keeps its addresses."), DRY_RUN)(port_create)
    command(ports, "update", _("Change its name, labels or addresses."), DRY_RUN)(port_update)
    command(ports, "attach", _("Attach a port to an instance, running or stopped."), WAIT, DRY_RUN)(port_attach)
    command(ports, "detach", _("Detach a port from its instance."), WAIT, SURE, DRY_RUN)(port_detach)
    delete_command(ports, _("Delete free ports."), "ports.delete", "PORT...", _("Delete {names}?"))
    return ports


def port_create(
    me: Session,
    name: Name,
    network: OnNetwork,
    address: Addresses = None,
    allowed_address: Allowed = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "network": network,
        "addresses": _addresses(address),
        "allowed_addresses": _allowed(allowed_address),
        "labels": labels_of(label),
    }
    me.show(me.client.ports.create(name=name, **body, dry_run=me.is_dry_run))


def port_update(
    me: Session,
    port: Port,
    name: Annotated[str | None, typer.Option("--name", help=_("The new name."))] = None,
    address: Addresses = None,
    allowed_address: Allowed = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "name": name,
        "addresses": _addresses(address),
        "allowed_addresses": _allowed(allowed_address),
        "labels": labels_of(label, is_patch=True),
    }
    me.show(me.client.ports.update(port, **body, dry_run=me.is_dry_run))


def port_attach(me: Session, port: Port, instance: Instance) -> None:
    answer = me.client.ports.attach(port, instance=instance, dry_run=me.is_dry_run)
    me.finish(answer, lambda: me.client.ports.get(answer.id))


def port_detach(me: Session, port: Port) -> None:
    """Detach the port; one that came with the instance is deleted."""
    found = me.client.ports.get(port)
    if found.instance is None:
        raise Misuse(_("{name} is not attached to an instance.").format(name=found.name))
    kept, deleted = _("Detach {name} from {instance}?"), _("Detach {name} from {instance} and delete it?")
    question = kept if found.is_own else deleted
    me.confirm(question.format(name=found.name, instance=found.instance.name))
    answer = me.client.ports.detach(found.id, dry_run=me.is_dry_run)
    me.finish(answer, (lambda: me.client.ports.get(found.id)) if found.is_own else None)


def _addresses(texts: list[str] | None) -> list[dict[str, str]] | None:
    """Parse addresses: an IPv4 address has dots, which no name of a subnet has."""
    if not texts:
        return None
    return [{"ip": each} if "." in each else {"subnet": each} for each in texts]


def _allowed(texts: list[str] | None) -> list[dict[str, str | None]] | None:
    if not texts:
        return None
    pairs = (each.partition("=") for each in texts)
    return [{"cidr": cidr, "mac": mac or None} for cidr, _equals, mac in pairs]
