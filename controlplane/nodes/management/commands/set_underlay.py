from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

from django.core.management.base import CommandError, CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes.models import DEFAULT_MTU, LARGEST_MTU
from controlplane.nodes.selectors import node_get
from controlplane.nodes.services import node_underlay_set


class Command(OperatorCommand):
    help = (
        "Set the addresses of a node to which other nodes send tenants' frames, and routers public addresses' packets, "
        "and the largest packet of a guest between nodes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("node", help="name or id of the node")
        parser.add_argument("address", nargs="?", help="IPv4 address; default: the host of the agent's address")

        parser.add_argument(
            "--ipv6", metavar="ADDRESS", help="IPv6 address for packets of public IPv6 addresses; default: none"
        )

        parser.add_argument(
            "--mtu",
            type=int,
            default=DEFAULT_MTU,
            choices=range(DEFAULT_MTU, LARGEST_MTU + 1),
            metavar="BYTES",
            help="largest packet of a guest, 50 less than the MTU of the underlay: 1500 (the default) to 8950",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        node = node_get(SYSTEM, options["node"])
        address, ipv6_address = _address(options["address"]), _ipv6(options["ipv6"])
        node_underlay_set(SYSTEM, node, address=address, ipv6_address=ipv6_address, max_mtu=options["mtu"])
        self.stdout.write(f"Other nodes reach {node.name} at {node.underlay or 'no address'}.")
        if node.ipv6_address:
            self.stdout.write(f"Routers reach its public IPv6 addresses at {node.ipv6_address}.")


def _address(text: str | None) -> str | None:
    try:
        return str(IPv4Address(text)) if text else None
    except AddressValueError as exc:
        raise CommandError(f"{text!r} is not an IPv4 address.") from exc


def _ipv6(text: str | None) -> str | None:
    try:
        return str(IPv6Address(text)) if text else None
    except AddressValueError as exc:
        raise CommandError(f"{text!r} is not an IPv6 address.") from exc
