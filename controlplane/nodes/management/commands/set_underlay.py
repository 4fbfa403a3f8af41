from ipaddress import AddressValueError, IPv4Address
from typing import Any

from django.core.management.base import CommandError, CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes.selectors import node_get
from controlplane.nodes.services import node_underlay_set


class Command(OperatorCommand):
    help = "Set the underlay address of a node, to which other nodes send tenants' frames."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("node", help="name or id of the node")
        parser.add_argument("address", nargs="?", help="IPv4 address; default: the host of the agent's address")

    def handle(self, *args: Any, **options: Any) -> None:
        node = node_get(SYSTEM, options["node"])
        node_underlay_set(SYSTEM, node, address=_address(options["address"]))
        self.stdout.write(f"Other nodes reach {node.name} at {node.underlay or 'no address'}.")


def _address(text: str | None) -> str | None:
    try:
        return str(IPv4Address(text)) if text else None
    except AddressValueError as exc:
        raise CommandError(f"{text!r} is not an IPv4 address.") from exc
