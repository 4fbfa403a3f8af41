"""Fencing: prove that a node does nothing any more."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli import progress
from andromede_cli.command import SURE, WAIT, command
from andromede_cli.completion import names
from andromede_cli.declared_commands import call_command, given
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_cli.terminal import ask_secret, print_note
from andromede_sdk import models

AT_HAND = [
    Column(_("evidence"), "kind"),
    Column(_("counts"), "counts"),
    Column(_("from"), "since"),
    Column(_("because"), "error.detail"),
]
STORAGE = [
    Column(_("storage cluster"), "storage_cluster.name"),
    Column(_("addresses"), "addresses"),
    Column(_("fenced at"), "fenced_at"),
    Column(_("fenced until"), "expires_at"),
]
STORAGE_PROBLEMS = {
    "no-address": _("no address of the node is known."),
    "shared-address": _("another node has one of the addresses too; it is not refused."),
    "agent-address": _("an address is that of the storage agent's own machine; it is not refused."),
    "refused": _("the storage cluster refused to fence the addresses."),
}
Node = Annotated[str, typer.Argument(metavar="NODE", show_default=False, autocompletion=names("nodes.list"))]
Evidence = Annotated[
    str,
    typer.Option(
        "--evidence",
        help=_(
            "power: its BMC switches it off. lease: it has stopped its guests by itself. attestation: you have seen "
            "that it is off and unplugged."
        ),
    ),
]
Reason = Annotated[str, typer.Option("--reason", help=_("Reason; recorded in the evidence."))]
Address = Annotated[str, typer.Option("--address", help=_("IP address of the BMC, with the port unless it is 443."))]
Username = Annotated[str, typer.Option("--username", help=_("User name at the BMC."))]
Certificate = Annotated[
    str,
    typer.Option(
        "--certificate-sha256", help=_("SHA-256 fingerprint of the BMC's certificate; no other certificate is trusted.")
    ),
]
System = Annotated[
    str,
    typer.Option("--system", help=_("Redfish system that is the node, if the BMC has several."), show_default=False),
]


def register(nodes: typer.Typer) -> None:
    help = _("Fence an unreachable node: its guests may then be started elsewhere.")
    command(nodes, "fence", help, WAIT, SURE)(fence)
    help = _("Show the fence evidence that is possible now, and why the rest is not.")
    command(nodes, "fencing", help)(fencing)
    node = given("node", "NODE", completes="nodes.list")
    help = _("Configure the BMC of a node. The password is typed, or read from a pipe.")
    command(nodes, "bmc-set", help)(bmc_set)
    call_command(nodes, "bmc-show", _("Show the BMC configuration of a node."), "nodes.bmc", node)
    question = _("Delete the BMC configuration of {node}?")
    help = _("Delete the BMC configuration of a node.")
    call_command(nodes, "bmc-forget", help, "nodes.bmc_delete", node, question=question)


def fence(me: Session, node: Node, evidence: Evidence, reason: Reason) -> None:
    me.confirm(
        _("Fence {node}? If its guests still run, guests started elsewhere run twice on the same data.").format(
            node=node
        )
    )
    result = me.client.nodes.fence(node, evidence=evidence, reason=reason)
    if result.operation is None:
        me.show(result)
        return
    if not me.is_waiting:
        continuing = _("The BMC powers the node off. Wait with: andromede operation wait --platform {id}")
        print_note(continuing.format(id=result.operation.id))
        me.show(result)
        return
    progress.wait(result.operation, timeout_s=me.timeout_s)
    me.show(me.client.nodes.fencing(node))


def fencing(me: Session, node: Node) -> None:
    state = me.client.nodes.fencing(node)
    if me.form not in ("table", "wide"):
        me.show(state)
        return
    me.list(state.at_hand, AT_HAND)
    show_storage(me, state)
    if state.evidence is not None:
        text = _("Fenced last by {kind} on {moment}: {reason}")
        last = state.evidence
        print_note(
            text.format(kind=last.kind, moment=last.created_at.isoformat(timespec="seconds"), reason=last.reason)
        )


def show_storage(me: Session, state: models.Fencing) -> None:
    """Show the fences of the node in storage clusters, and what they refuse once the node is fenced."""
    if state.storage:
        me.list(state.storage, STORAGE)
    for each in state.storage:
        if each.problem:
            print_note(f"{each.storage_cluster.name}: {STORAGE_PROBLEMS.get(each.problem, each.problem)}")
    if state.storage_addresses:
        text = _("Storage clusters refuse these addresses when the node is fenced: {addresses}")
        print_note(text.format(addresses=", ".join(state.storage_addresses)))


def bmc_set(
    me: Session, node: Node, address: Address, username: Username, certificate_sha256: Certificate, system: System = ""
) -> None:
    bmc = me.client.nodes.bmc_set(
        node,
        address=address,
        username=username,
        password=ask_secret(_("Password:")),
        certificate_sha256=certificate_sha256,
        system_id=system,
    )
    me.show(bmc)
