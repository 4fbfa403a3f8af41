from ipaddress import ip_address
from typing import Any

from django.core.management.base import CommandError, CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes.selectors import node_get
from controlplane.nodes.storage_addresses import known_to_storage, node_storage_addresses_set


class Command(OperatorCommand):
    help = "Set the addresses from which a node reaches storage clusters: they refuse these while the node is fenced."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("node", help="name or id of the node")
        parser.add_argument(
            "addresses",
            nargs="*",
            metavar="ADDRESS",
            help="IPv4 or IPv6 address; default: the host of the agent's address, and the underlay address",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        node = node_get(SYSTEM, options["node"])
        node_storage_addresses_set(SYSTEM, node, addresses=[_address(each) for each in options["addresses"]])
        self.stdout.write(
            f"Storage clusters see {node.name} at {', '.join(known_to_storage(node)) or 'no known address'}."
        )


def _address(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError as exc:
        raise CommandError(f"{text!r} is not an IP address.") from exc
    if address.is_unspecified or address.is_multicast:
        raise CommandError(f"{text!r} is not the address of one machine.")
    return str(address)
