"""Security groups and their rules."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated, Any

import typer

from andromede_cli.columns import CREATED, ID, LABELS, NAME
from andromede_cli.command import DRY_RUN, LabelsOption, Name, command, group, labels_of
from andromede_cli.completion import names
from andromede_cli.declared_commands import (
    LABEL,
    NEW_NAME,
    call_command,
    delete_command,
    given,
    list_command,
    option,
    rows,
    show_command,
)
from andromede_cli.error_reports import Misuse
from andromede_cli.output import Column
from andromede_cli.session import Session

COLUMNS = [
    NAME,
    Column(_("default"), "is_default"),
    Column(_("description"), "description"),
    Column(_("selector"), "selector", is_wide=True),
    LABELS,
    CREATED,
    ID,
]
RULES = [
    Column("id", "id"),
    Column(_("direction"), "direction"),
    Column(_("family"), "family"),
    Column(_("protocol"), "protocol"),
    Column(_("first port"), "first_port"),
    Column(_("last port"), "last_port"),
    Column(_("ICMP type"), "icmp_type", is_wide=True),
    Column(_("ranges"), "cidrs"),
    Column(_("group"), "peer_group.name"),
    Column(_("address set"), "address_set.name"),
    Column(_("logged"), "is_logged", is_wide=True),
    Column(_("description"), "description"),
]
GROUPS = "security_groups.list"
Ports = Annotated[
    str | None, typer.Option("--port", help=_("Port, or range of ports such as 8000-8080. Without it: all."))
]
Cidrs = Annotated[list[str] | None, typer.Option("--cidr", help=_("Address range of the peer; repeatable."))]
Peer = Annotated[
    str | None,
    typer.Option("--group", help=_("The peer is in this security group."), autocompletion=names(GROUPS)),
]
PeerSet = Annotated[
    str | None,
    typer.Option(
        "--address-set", help=_("The peer is in this address set."), autocompletion=names("address_sets.list")
    ),
]


def register(app: typer.Typer) -> None:
    groups = group(_("Security groups: the traffic that instances may receive and send."))
    list_command(groups, _("The security groups of the project."), GROUPS, COLUMNS, "name", "labels", "created_after")
    show_command(groups, _("A security group."), "security_groups.get", "GROUP")
    command(groups, "create", _("Create a security group, without rules."), DRY_RUN)(security_group_create)
    subject = given("security_group", "GROUP", completes=GROUPS)
    described = option("description", "--description", _("The new description."), default=None)
    selecting = option("selector", "--selector", _("The new selector of ports, by labels; empty: none."), default=None)
    help = _("Change its name, description, selector or labels.")
    call_command(groups, "update", help, "security_groups.update", subject, NEW_NAME, described, selecting, LABEL)
    delete_command(groups, _("Delete security groups."), "security_groups.delete", "GROUP...", _("Delete {names}?"))
    rules = group(_("Rules of a security group."))
    help = _("The rules of a security group.")
    call_command(rules, "list", help, "security_groups.rule_list", subject, show=rows(RULES))
    rule = given("rule", "RULE", _("Id of the rule."))
    call_command(rules, "show", _("A rule."), "security_groups.rule", subject, rule)
    command(rules, "add", _("Allow traffic. Open connections are not affected."), DRY_RUN)(rule_add)
    help = _("Remove a rule. Connections that only this rule allowed end.")
    call_command(rules, "remove", help, "security_groups.rule_delete", subject, rule)
    groups.add_typer(rules, name="rule")
    app.add_typer(groups, name="security-group")


def security_group_create(
    me: Session,
    name: Name,
    description: Annotated[str | None, typer.Option(help=_("Purpose, for other users."))] = None,
    selector: Annotated[
        str | None, typer.Option(help=_("Ports with these labels are in it: 'env=prod,tier!=web,app in (a,b)'."))
    ] = None,
    label: LabelsOption = None,
) -> None:
    body: dict[str, Any] = {"description": description, "selector": selector, "labels": labels_of(label)}
    security_group = me.client.security_groups.create(name=name, **body, dry_run=me.is_dry_run)
    me.show(security_group)


def rule_add(
    me: Session,
    security_group: Annotated[str, typer.Argument(metavar="GROUP", show_default=False, autocompletion=names(GROUPS))],
    direction: Annotated[str, typer.Option(help=_("in or out, seen from the instance."))] = "in",
    protocol: Annotated[str, typer.Option(help=_("any, tcp, udp, icmp or icmpv6."))] = "any",
    port: Ports = None,
    cidr: Cidrs = None,
    peer: Peer = None,
    address_set: PeerSet = None,
    family: Annotated[str | None, typer.Option(help=_("ipv4 or ipv6."))] = None,
    icmp_type: Annotated[int | None, typer.Option(help=_("ICMP type. Without it: all."))] = None,
    icmp_code: Annotated[int | None, typer.Option(help=_("ICMP code. Without it: all."))] = None,
    log: Annotated[bool, typer.Option("--log", help=_("Log new connections on the node."))] = False,
    description: Annotated[str | None, typer.Option(help=_("Purpose, for other users."))] = None,
) -> None:
    body: dict[str, Any] = {
        "direction": direction,
        "protocol": protocol,
        "family": family,
        "icmp_type": icmp_type,
        "icmp_code": icmp_code,
        "cidrs": cidr,
        "peer_group": peer,
        "address_set": address_set,
        "is_logged": log or None,
        "description": description,
        **_ports(port),
    }
    me.show(me.client.security_groups.rule_create(security_group, **body, dry_run=me.is_dry_run))


def _ports(text: str | None) -> dict[str, int]:
    """Return the members of the body for 443 or 8000-8080. Raises Misuse."""
    if text is None:
        return {}
    first, _dash, last = text.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise Misuse(_("--port takes a port or a range, such as 443 or 8000-8080."))
    return {"first_port": int(first), "last_port": int(last or first)}
