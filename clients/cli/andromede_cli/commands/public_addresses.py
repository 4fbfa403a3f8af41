"""Public addresses, and the pools that they come from."""

from __future__ import annotations

import sys
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from andromede_cli.columns import ID, LABELS, NAME, STATE
from andromede_cli.command import DRY_RUN, SURE, LabelsOption, command, group, labels_of
from andromede_cli.completion import names
from andromede_cli.declared_commands import (
    LABEL,
    NEW_NAME,
    PROJECT,
    call_command,
    delete_command,
    filters,
    given,
    list_command,
    option,
    rows,
    show_command,
)
from andromede_cli.error_reports import Misuse
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_sdk import Forbidden

if TYPE_CHECKING:
    from andromede_sdk.models import PublicAddress

POOLS = {PROJECT: "address_pools.usable_list", "platform": "address_pools.list"}
POOL_COLUMNS = [
    NAME,
    Column(_("zone"), "zone"),
    Column(_("family"), "family"),
    Column(_("purpose"), "purpose"),
    Column(_("free"), "free"),
    ID,
]
ADDRESSES = {PROJECT: "public_addresses.list", "platform": "platform.public_address_list"}
ADDRESS_COLUMNS = [
    NAME,
    Column(_("address"), "ip"),
    STATE,
    Column(_("instance"), "instance.name"),
    Column(_("port"), "port.name"),
    Column(_("network"), "network.name"),
    Column(_("mode"), "mode", is_wide=True),
    Column(_("translated to"), "fixed_ip"),
    Column(_("zone"), "zone", is_wide=True),
    Column(_("pool"), "pool.name"),
    Column(_("reverse name"), "ptr", is_wide=True),
    LABELS,
    ID,
]
USES = {PROJECT: "public_address_uses.list", "platform": "platform.public_address_use_list"}
USE_COLUMNS = [
    Column(_("address"), "ip"),
    Column(_("from"), "since"),
    Column(_("until"), "until"),
    Column(_("project"), "project.name"),
    Column(_("instance"), "instance"),
    Column(_("network"), "network"),
    Column(_("port"), "port", is_wide=True),
]
Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", show_default=False, autocompletion=names("public_addresses.list"))
]
Ranges = Annotated[list[str] | None, typer.Option("--cidr", help=_("Range of addresses; repeatable."))]
Reserved = Annotated[
    list[str] | None,
    typer.Option("--reserved", help=_("Addresses that no project gets, as 192.0.2.0-192.0.2.9; repeatable.")),
]
Community = Annotated[str | None, typer.Option(help=_("BGP community of the announcements, as 64500:100."))]
Preference = Annotated[
    int | None, typer.Option("--local-preference", help=_("BGP local preference of the announcements."))
]


def register(app: typer.Typer) -> None:
    app.add_typer(_addresses(), name="public-address")
    app.add_typer(_pools(), name="address-pool")


def _addresses() -> typer.Typer:
    addresses = group(_("Public addresses of the project."))
    parameters = (
        option("pool", "--pool", _("Filter by pool."), default=None),
        option("instance", "--instance", _("Filter by instance."), default=None),
        option("network", "--network", _("Filter by network."), default=None),
        option("ip", "--address", _("Filter by address."), default=None),
        *filters("name", "labels", "created_after"),
    )
    help = _("The public addresses of the project.")
    call_command(addresses, "list", help, ADDRESSES, *parameters, show=rows(ADDRESS_COLUMNS))
    show_command(addresses, _("A public address."), "public_addresses.get", "ADDRESS")
    command(addresses, "create", _("Reserve a public address."), DRY_RUN)(public_address_create)
    subject = given("public_address", "ADDRESS", completes="public_addresses.list")
    ptr = option("ptr", "--ptr", _("Name in the reverse zone, such as www.example.org."), default=None)
    help = _("Change its name, labels or reverse name.")
    call_command(addresses, "update", help, "public_addresses.update", subject, NEW_NAME, ptr, LABEL)
    help = _("Attach a public address to an instance, a port or a network.")
    command(addresses, "attach", help, DRY_RUN)(public_address_attach)
    command(addresses, "detach", _("Detach a public address; it stays reserved."), SURE, DRY_RUN)(public_address_detach)
    help, question = _("Release public addresses to their pools."), _("Release {names}?")
    delete_command(addresses, help, "public_addresses.delete", "ADDRESS...", question)
    parameters = (
        option("ip", "--address", _("Filter by address."), default=None),
        option("instance", "--instance", _("Filter by instance: its id."), default=None),
        option("at", "--at", _("In use at this moment (RFC 3339)."), default=None),
        *filters("created_after"),
    )
    help = _("Which instance or network had which public address when.")
    call_command(addresses, "history", help, USES, *parameters, show=rows(USE_COLUMNS))
    reason = option("reason", "--reason", _("The project sees it."))
    help = _("Withdraw a public address of any project; for operators.")
    call_command(addresses, "suspend", help, "public_addresses.suspend", subject, reason)
    help = _("End the suspension of a public address; for operators.")
    call_command(addresses, "resume", help, "public_addresses.resume", subject)
    return addresses


def public_address_create(
    me: Session,
    pool: Annotated[str, typer.Option("--pool", help=_("Pool."), autocompletion=names("address_pools.usable_list"))],
    name: Annotated[str | None, typer.Option("--name", help=_("Name; default: one is made of its id."))] = None,
    address: Annotated[str | None, typer.Option("--address", help=_("This address; default: a free one."))] = None,
    ptr: Annotated[
        str | None, typer.Option("--ptr", help=_("Name in the reverse zone, such as www.example.org."))
    ] = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {"name": name, "ip": address, "ptr": ptr, "labels": labels_of(label)}
    me.show(me.client.public_addresses.create(pool=pool, **body, dry_run=me.is_dry_run))


def public_address_attach(
    me: Session,
    address: Address,
    instance: Annotated[
        str | None,
        typer.Option(
            "--instance", help=_("Instance; its first port gets the address."), autocompletion=names("instances.list")
        ),
    ] = None,
    port: Annotated[str | None, typer.Option("--port", help=_("Port."), autocompletion=names("ports.list"))] = None,
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            help=_("Network; the address is the source of what leaves it."),
            autocompletion=names("networks.list"),
        ),
    ] = None,
    mode: Annotated[str | None, typer.Option("--mode", help=_("nat or routed; default: nat, of IPv6 routed."))] = None,
    fixed_ip: Annotated[
        str | None, typer.Option("--to", help=_("Address of the port to translate to; default: its first one."))
    ] = None,
    move: Annotated[bool, typer.Option("--move", help=_("Take the address from what has it."))] = False,
) -> None:
    if sum(holder is not None for holder in (instance, port, network)) != 1:
        raise Misuse(_("Pass one of --instance, --port and --network."))
    body: dict[str, Any] = {"network": network, "mode": mode, "fixed_ip": fixed_ip, "move": move or None}
    to = port if instance is None else _first_port(me, instance)
    me.show(me.client.public_addresses.attach(address, port=to, **body, dry_run=me.is_dry_run))


def public_address_detach(me: Session, address: Address) -> None:
    current = me.client.public_addresses.get(address)
    me.confirm(_("Detach {name}?").format(name=f"{current.name} ({current.ip})"))
    me.show(me.client.public_addresses.detach(current.id, dry_run=me.is_dry_run))


def public_addresses_of(me: Session, instance: str) -> list[PublicAddress]:
    """List the public addresses of an instance, by its id; none if the token does not allow to see them."""
    try:
        return list(me.client.public_addresses.list(instance=instance))
    except Forbidden:  # a token limited to instances
        return []


def _first_port(me: Session, instance: str) -> str:
    addresses = me.client.instances.get(instance).addresses
    if not addresses:
        raise Misuse(_("{name} has no port.").format(name=instance))
    return str(addresses[0].port.id)


def _pools() -> typer.Typer:
    pools = group(_("Pools of public addresses."))
    help = _("The pools that the project may use, or all.")
    list_command(pools, help, POOLS, POOL_COLUMNS, "name", "zone", "created_after")
    show_command(pools, _("A pool, for operators."), "address_pools.get", "POOL")
    command(pools, "create", _("Create a pool; for operators."), DRY_RUN)(address_pool_create)
    command(pools, "update", _("Change a pool; for operators."), DRY_RUN)(address_pool_update)
    pool = given("address_pool", "POOL", completes="address_pools.list")
    servers = option("name_servers", "--name-servers", _("Names of its name servers, with commas, the primary first."))
    origin = option("origin", "--origin", _("Name of the zone; default: the only one of the pool."), default=None)
    help = _("Print a reverse zone of a pool, as a zone file; for operators.")
    call_command(pools, "reverse-zone", help, "address_pools.reverse_zone", pool, servers, origin, show=_as_it_is)
    help = _("Delete pools of which nothing is in use; for operators.")
    delete_command(pools, help, "address_pools.delete", "POOL...", _("Delete {names}?"))
    return pools


def _as_it_is(me: Session, text: str) -> None:
    sys.stdout.write(text)


def address_pool_create(
    me: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    zone: Annotated[str, typer.Option("--zone", help=_("Zone."), autocompletion=names("zones.list"))],
    cidr: Annotated[list[str], typer.Option("--cidr", help=_("Range of addresses; repeatable."))],
    purpose: Annotated[str, typer.Option(help=_("addresses, or subnets for /64 ranges of IPv6."))] = "addresses",
    owner: Annotated[
        str | None, typer.Option("--only-for", help=_("The only organization that may use it; default: all."))
    ] = None,
    reserved: Reserved = None,
    community: Community = None,
    local_preference: Preference = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "family": "ipv6" if ":" in cidr[0] else "ipv4",
        "purpose": purpose,
        "organization": owner,
        "reserved_ranges": reserved,
        "community": community,
        "local_preference": local_preference,
        "labels": labels_of(label),
    }
    me.show(me.client.address_pools.create(name=name, zone=zone, cidrs=cidr, **body, dry_run=me.is_dry_run))


def address_pool_update(
    me: Session,
    pool: Annotated[str, typer.Argument(metavar="POOL", show_default=False)],
    name: Annotated[str | None, typer.Option("--name", help=_("The new name."))] = None,
    cidr: Ranges = None,
    reserved: Reserved = None,
    community: Community = None,
    local_preference: Preference = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {
        "name": name,
        "cidrs": cidr or None,
        "reserved_ranges": reserved or None,
        "community": community,
        "local_preference": local_preference,
        "labels": labels_of(label, is_patch=True),
    }
    me.show(me.client.address_pools.update(pool, **body, dry_run=me.is_dry_run))
