from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes.management import offers
from controlplane.nodes.selectors import node_get


class Command(OperatorCommand):
    help = "Change the capacity that a node offers: overcommit ratios and reserved amounts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("node", help="name or id of the node")
        offers.add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        node = node_get(SYSTEM, options["node"])
        offers.apply(node, options)
        vcpus, memory_mib, disk_gib = offers.offered(node_get(SYSTEM, options["node"]).inventory)
        self.stdout.write(f"{node.name} offers {vcpus} vCPUs, {memory_mib} MiB of memory and {disk_gib} GiB of disk.")
