from typing import Any

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.nodes.display_state import display_state
from controlplane.nodes.management.offers import offered
from controlplane.nodes.models import Node
from controlplane.nodes.selectors import nodes

HEADINGS = ("NAME", "ZONE", "STATE", "ADDRESS", "VCPUS", "MEMORY MIB", "DISK GIB", "ID")


class Command(OperatorCommand):
    help = "List the nodes with their used and offered capacity."

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [
            HEADINGS,
            *(_row(node) for node in nodes(SYSTEM).exclude(admin_state="retired").order_by("zone", "name")),
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


def _row(node: Node) -> tuple[str, ...]:
    inventory = node.inventory
    vcpus, memory_mib, disk_gib = offered(inventory)
    return (
        node.name,
        node.zone_id,
        display_state(node.state, node.admin_state),
        node.address,
        f"{inventory.vcpus_used}/{vcpus}",
        f"{inventory.memory_mib_used}/{memory_mib}",
        f"{inventory.disk_gib_used}/{disk_gib}",
        str(node.pk),
    )
