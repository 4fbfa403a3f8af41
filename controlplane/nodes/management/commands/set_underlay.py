from ipaddress import AddressValueError, IPv4Address
from typing import Any

from django.core.management.base import CommandError, CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes.selectors import node_get
from controlplane.nodes.services import node_underlay_set


class Command(OperatorCommand):
    help = "Say at which of its addresses other nodes reach a node with tenants' frames."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("node", help="its name or id")
        parser.add_argument("address", nargs="?", help="IPv4; without it, the host of the address of its agent")

    def handle(self, *args: Any, **options: Any) -> None:
        node = node_get(SYSTEM, options["node"])
        node_underlay_set(SYSTEM, node, address=_address(options["address"]))
        self.stdout.write(f"Other nodes reach {node.name} at {node.underlay or 'no address'}.")


def _address(text: str | None) -> str | None:
    try:
        return str(IPv4Address(text)) if text else None
    except AddressValueError as exc:
        raise CommandError(f"{text!r} is no IPv4 address.") from exc
