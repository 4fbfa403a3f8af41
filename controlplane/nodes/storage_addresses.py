"""Addresses from which nodes reach storage clusters, which refuse these while a node is fenced."""

from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address

from django.db import transaction

from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.nodes.models import Node


def known_to_storage(node: Node) -> list[str]:
    """Return the addresses that monitors of storage clusters may see; empty: none is known.

    Unless they are set, these are the host of the address of the node's agent, and its underlay address.
    """
    if node.storage_addresses:
        return sorted(node.storage_addresses)
    known = {node.underlay_ip} if node.underlay_ip else set()
    with suppress(ValueError):  # the host is a name
        known.add(str(ip_address(node.address.rpartition(":")[0].strip("[]"))))
    return sorted(known)


@transaction.atomic
def node_storage_addresses_set(actor: Actor, node: Node, *, addresses: Sequence[str]) -> None:
    """Set the addresses from which the node reaches storage clusters; none: those of its agent and its underlay.

    A fence that a cluster has already changes with the next run of the fences.
    """
    actor.may_operate()
    node.storage_addresses = sorted(set(addresses))
    node.save(update_fields=["storage_addresses"])
    record(actor, "node.storage-addresses", node.pk, addresses=known_to_storage(node))
