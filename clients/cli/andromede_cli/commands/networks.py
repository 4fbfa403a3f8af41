"""Networks, their subnets, and ports."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated, Any

import typer

from andromede_cli.columns import CREATED, ID, LABELS, NAME, STATE
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
from andromede_cli.commands import metrics
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

FAMILIES = ("ipv4", "ipv6")
IPV6_COLUMNS = [Column("IPv6", "ipv6_cidr"), Column(_("IPv6 pool"), "ipv6_pool", is_wide=True)]
SUBNET_COLUMNS = [
    NAME,
    Column("CIDR", "cidr"),
    Column(_("gateway"), "gateway_ip"),
    *IPV6_COLUMNS,
    Column("DNS", "dns_servers"),
]
OPTION_COLUMNS = [
    Column("NTP", "ntp_servers", is_wide=True),
    Column(_("search domains"), "domain_search", is_wide=True),
    Column(_("static routes"), "static_routes.*.destination", is_wide=True),
]
PORT_COLUMNS = [
    NAME,
    STATE,
    Column(_("network"), "network"),
    Column(_("addresses"), "addresses.*.ip"),
    Column(_("instance"), "instance"),
    Column("MAC", "mac", is_wide=True),
    Column(_("groups"), "security_groups.*.name", is_wide=True),
    LABELS,
    CREATED,
    ID,
]
Network = Annotated[str, typer.Argument(metavar="NETWORK", show_default=False, autocompletion=names("networks.list"))]
Subnet = Annotated[str, typer.Argument(metavar="SUBNET", show_default=False)]
Port = Annotated[str, typer.Argument(metavar="PORT", show_default=False, autocompletion=names("ports.list"))]
Cidr = Annotated[str, typer.Option("--cidr", help=_("Address range (CIDR), such as 10.0.0.0/24."))]
Gateway = Annotated[str | None, typer.Option("--gateway", help=_("Gateway; default: its first address."))]
Dns = Annotated[list[str] | None, typer.Option("--dns", help=_("Name server; repeatable."))]
Ntp = Annotated[list[str] | None, typer.Option("--ntp-server", help=_("NTP server; repeatable."))]
DomainSearch = Annotated[
    list[str] | None, typer.Option("--domain-search", help=_("Search domain of the guests; repeatable."))
]
StaticRoutes = Annotated[
    list[str] | None,
    typer.Option(
        "--static-route", help=_("Route of the guests, as 10.40.0.0/16=10.0.0.4 (range=next hop); repeatable.")
    ),
]
Ipv6Cidr = Annotated[
    str | None, typer.Option("--ipv6-cidr", help=_("IPv6 range: a /64 within fd00::/8, such as fd12:3456:789a:1::/64."))
]
Ipv6Pool = Annotated[
    str | None, typer.Option("--ipv6-pool", help=_("Pool that gives the subnet a public /64, routed to its zone."))
]
Reserved = Annotated[
    list[str] | None,
    typer.Option("--reserved", help=_("Addresses that no port gets, as 10.0.0.2-10.0.0.9; repeatable.")),
]
OnNetwork = Annotated[
    str, typer.Option("--network", help=_("Network of the port."), autocompletion=names("networks.list"))
]
Addresses = Annotated[
    list[str] | None,
    typer.Option(
        "--address",
        help=_(
            "Address, or subnet for free ones of it; ipv4, ipv6, SUBNET/ipv4 or SUBNET/ipv6 for one of that family; "
            "repeatable. Default: a free one of each family of the subnet."
        ),
    ),
]
Allowed = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-address",
        help=_("Range that it may use besides, as 10.0.0.9 or 10.0.0.9=00:00:5e:00:01:01; repeatable."),
    ),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--security-group", help=_("Security group; repeatable."), autocompletion=names("security_groups.list")
    ),
]
ToGuest = Annotated[
    int | None, typer.Option("--to-guest-mbit", help=_("Limit in Mbit/s of what its guest receives; 0: none."), min=0)
]
FromGuest = Annotated[
    int | None, typer.Option("--from-guest-mbit", help=_("Limit in Mbit/s of what its guest sends; 0: none."), min=0)
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
        *IPV6_COLUMNS,
        Column("DNS", "dns_servers"),
        Column("MTU", "mtu", is_wide=True),
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
    cidr: Cidr,
    ipv6_cidr: Ipv6Cidr = None,
    ipv6_pool: Ipv6Pool = None,
    gateway: Gateway = None,
    dns: Dns = None,
    ntp_server: Ntp = None,
    domain_search: DomainSearch = None,
    static_route: StaticRoutes = None,
    reserved: Reserved = None,
    mtu: Annotated[int | None, typer.Option("--mtu", help=_("The largest packet, in bytes; default: 1500."))] = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "cidr": cidr,
        "ipv6_cidr": ipv6_cidr,
        "ipv6_pool": ipv6_pool,
        "gateway_ip": gateway,
        "dns_servers": dns,
        "ntp_servers": ntp_server,
        "domain_search": domain_search,
        "static_routes": _routes(static_route),
        "reserved_ranges": reserved,
        "mtu": mtu,
        "labels": labels_of(label),
    }
    me.show(me.client.networks.create(name=name, **body, dry_run=me.is_dry_run))


def _subnets() -> typer.Typer:
    subnets = group(_("Subnets: the address ranges of a network."))
    network, subnet = given("network", "NETWORK", completes="networks.list"), given("subnet", "SUBNET")
    columns = [*SUBNET_COLUMNS, Column(_("reserved"), "reserved_ranges"), *OPTION_COLUMNS, LABELS, CREATED, ID]
    call_command(subnets, "list", _("The subnets of a network."), "subnets.list", network, show=rows(columns))
    call_command(subnets, "show", _("A subnet."), "subnets.get", network, subnet)
    command(subnets, "create", _("Create a subnet of a network."), DRY_RUN)(subnet_create)
    command(subnets, "update", _("Change its name, labels, DHCP options, reserved ranges or IPv6."), DRY_RUN)(
        subnet_update
    )
    command(subnets, "delete", _("Delete a subnet without addresses in use."), SURE, DRY_RUN)(subnet_delete)
    return subnets


def subnet_create(
    me: Session,
    network: Network,
    name: Name,
    cidr: Cidr,
    gateway: Gateway = None,
    ipv6_cidr: Ipv6Cidr = None,
    ipv6_pool: Ipv6Pool = None,
    dns: Dns = None,
    ntp_server: Ntp = None,
    domain_search: DomainSearch = None,
    static_route: StaticRoutes = None,
    reserved: Reserved = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "cidr": cidr,
        "gateway_ip": gateway,
        "ipv6_cidr": ipv6_cidr,
        "ipv6_pool": ipv6_pool,
        "dns_servers": dns,
        "ntp_servers": ntp_server,
        "domain_search": domain_search,
        "static_routes": _routes(static_route),
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
    no_dns: Annotated[bool, typer.Option("--no-dns", help=_("No name servers of its own: the default ones."))] = False,
    ntp_server: Ntp = None,
    no_ntp_server: Annotated[bool, typer.Option("--no-ntp-server", help=_("No NTP servers."))] = False,
    domain_search: DomainSearch = None,
    no_domain_search: Annotated[bool, typer.Option("--no-domain-search", help=_("No search domains."))] = False,
    static_route: StaticRoutes = None,
    no_static_route: Annotated[bool, typer.Option("--no-static-route", help=_("No static routes."))] = False,
    reserved: Reserved = None,
    no_reserved: Annotated[bool, typer.Option("--no-reserved", help=_("Reserve no addresses."))] = False,
    ipv6_cidr: Ipv6Cidr = None,
    ipv6_pool: Ipv6Pool = None,
    no_ipv6: Annotated[bool, typer.Option("--no-ipv6", help=_("Take its IPv6 range away."))] = False,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "name": name,
        "dns_servers": dns or ([] if no_dns else None),
        "ntp_servers": ntp_server or ([] if no_ntp_server else None),
        "domain_search": domain_search or ([] if no_domain_search else None),
        "static_routes": _routes(static_route) or ([] if no_static_route else None),
        "reserved_ranges": reserved or ([] if no_reserved else None),
        "ipv6_cidr": "" if no_ipv6 else ipv6_cidr,
        "ipv6_pool": ipv6_pool,
        "labels": labels_of(label, is_patch=True),
    }
    me.show(me.client.subnets.update(network, subnet, **body, dry_run=me.is_dry_run))


def subnet_delete(me: Session, network: Network, subnet: Subnet) -> None:
    me.confirm(_("Delete {names}?").format(names=subnet))
    me.client.subnets.delete(network, subnet, dry_run=me.is_dry_run)
    one(me, None)


def _ports() -> typer.Typer:
    ports = group(_("Ports: network cards with their addresses."))
    port_filters = (
        option("network", "--network", _("Filter by network."), default=None),
        option("instance", "--instance", _("Filter by instance."), default=None),
        option("address", "--address", _("Filter by address."), default=None),
        *filters("name", "labels", "created_after"),
    )
    call_command(ports, "list", _("The ports of the project."), "ports.list", *port_filters, show=rows(PORT_COLUMNS))
    show_command(ports, _("A port."), "ports.get", "PORT")
    command(ports, "create", _("Create a port, which keeps its addresses."), DRY_RUN)(port_create)
    command(ports, "update", _("Change its name, labels, addresses, security groups or bandwidth."), DRY_RUN)(
        port_update
    )
    command(ports, "attach", _("Attach a port to an instance, running or stopped."), WAIT, DRY_RUN)(port_attach)
    command(ports, "detach", _("Detach a port from its instance."), WAIT, SURE, DRY_RUN)(port_detach)
    metrics.register_port(ports)
    delete_command(ports, _("Delete free ports."), "ports.delete", "PORT...", _("Delete {names}?"))
    return ports


def port_create(
    me: Session,
    name: Name,
    network: OnNetwork,
    address: Addresses = None,
    allowed_address: Allowed = None,
    security_group: Groups = None,
    to_guest_mbit: ToGuest = None,
    from_guest_mbit: FromGuest = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "network": network,
        "addresses": _addresses(address),
        "allowed_addresses": _allowed(allowed_address),
        "security_groups": security_group or None,
        "bandwidth": _bandwidth(to_guest_mbit, from_guest_mbit),
        "labels": labels_of(label),
    }
    me.show(me.client.ports.create(name=name, **body, dry_run=me.is_dry_run))


def port_update(
    me: Session,
    port: Port,
    name: Annotated[str | None, typer.Option("--name", help=_("The new name."))] = None,
    address: Addresses = None,
    allowed_address: Allowed = None,
    no_allowed_address: Annotated[
        bool, typer.Option("--no-allowed-address", help=_("No ranges beside its own addresses."))
    ] = False,
    security_group: Groups = None,
    to_guest_mbit: ToGuest = None,
    from_guest_mbit: FromGuest = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "name": name,
        "addresses": _addresses(address),
        "allowed_addresses": _allowed(allowed_address) or ([] if no_allowed_address else None),
        "security_groups": security_group or None,
        "bandwidth": _bandwidth(to_guest_mbit, from_guest_mbit),
        "labels": labels_of(label, is_patch=True),
    }
    me.show(me.client.ports.update(port, **body, dry_run=me.is_dry_run))


def port_attach(me: Session, port: Port, instance: Instance) -> None:
    answer = me.client.ports.attach(port, instance=instance, dry_run=me.is_dry_run)
    me.finish(answer, lambda: me.client.ports.get(answer.id))


def port_detach(me: Session, port: Port) -> None:
    """Detach the port; one that came with the instance is deleted."""
    current = me.client.ports.get(port)
    if current.instance is None:
        raise Misuse(_("{name} is not attached to an instance.").format(name=current.name))
    kept, deleted = _("Detach {name} from {instance}?"), _("Detach {name} from {instance} and delete it?")
    question = kept if current.is_own else deleted
    me.confirm(question.format(name=current.name, instance=current.instance.name))
    answer = me.client.ports.detach(current.id, dry_run=me.is_dry_run)
    me.finish(answer, (lambda: me.client.ports.get(current.id)) if current.is_own else None)


def _addresses(texts: list[str] | None) -> list[dict[str, str]] | None:
    return [_address(each) for each in texts] if texts else None


def _address(text: str) -> dict[str, str]:
    """Parse an address, a subnet, a family, or SUBNET/FAMILY: no name of a subnet has a dot, a colon or a slash."""
    if "." in text or ":" in text:
        return {"ip": text}
    subnet, _slash, family = text.rpartition("/")
    if family in FAMILIES:
        return {"family": family, **({"subnet": subnet} if subnet else {})}
    return {"subnet": text}


def _bandwidth(to_guest: int | None, from_guest: int | None) -> dict[str, int | None] | None:
    """Return the limits that are given; 0 stands for none."""
    given = {"to_guest_mbit": to_guest, "from_guest_mbit": from_guest}
    return {name: limit or None for name, limit in given.items() if limit is not None} or None


def _routes(texts: list[str] | None) -> list[dict[str, str]] | None:
    pairs = (each.partition("=") for each in texts or ())
    return [{"destination": destination, "next_hop": next_hop} for destination, _equals, next_hop in pairs] or None


def _allowed(texts: list[str] | None) -> list[dict[str, str | None]] | None:
    if not texts:
        return None
    pairs = (each.partition("=") for each in texts)
    return [{"cidr": cidr, "mac": mac or None} for cidr, _equals, mac in pairs]
