"""Capacity options of the node commands, and their effect on the capacity inventory."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from django.core.management.base import CommandError, CommandParser
from django.db import IntegrityError, transaction
from django.db.models import F

from controlplane.audit.services import record
from controlplane.identity.actor import SYSTEM
from controlplane.nodes.models import Inventory, Node

RATIOS = ("vcpus_ratio", "memory_mib_ratio", "disk_gib_ratio")
RESERVES = ("vcpus_reserved", "memory_mib_reserved", "disk_gib_reserved")
RATIO_MIN, RATIO_MAX = Decimal("0.01"), Decimal(100)


def add_options(parser: CommandParser) -> None:
    parser.add_argument("--vcpus-ratio", type=ratio, help="vCPUs offered per core")
    parser.add_argument(
        "--memory-ratio", type=ratio, dest="memory_mib_ratio", help="memory offered per MiB of the node"
    )
    parser.add_argument("--disk-ratio", type=ratio, dest="disk_gib_ratio", help="disk offered per GiB of the node")
    parser.add_argument("--vcpus-reserved", type=amount, help="cores reserved for the node itself")
    parser.add_argument("--memory-reserved-mib", type=amount, dest="memory_mib_reserved")
    parser.add_argument("--disk-reserved-gib", type=amount, dest="disk_gib_reserved")


def apply(node: Node, options: Mapping[str, object]) -> None:
    """Write the given options.

    Raises:
        CommandError: the node would offer less than is allocated on it.
    """
    changes = {name: options[name] for name in (*RATIOS, *RESERVES) if options[name] is not None}
    if not changes:
        return
    try:
        with transaction.atomic():
            Inventory.objects.filter(pk=node.pk).update(**changes, generation=F("generation") + 1)
            texts = {name: str(value) for name, value in changes.items()}
            record(SYSTEM, "node.inventory-set", node.pk, name=node.name, changes=texts)
    except IntegrityError as exc:
        raise CommandError(f"{node.name} would offer less capacity than is allocated on the node.") from exc


def offered(inventory: Inventory) -> tuple[int, int, int]:
    """Return vCPUs, MiB of memory and GiB of disk; 0 for a node that has not reported yet."""
    capacity = (inventory.vcpus_capacity, inventory.memory_mib_capacity, inventory.disk_gib_capacity)
    return max(0, capacity[0]), max(0, capacity[1]), max(0, capacity[2])


def ratio(text: str) -> Decimal:
    try:
        value = Decimal(text)
        is_within = RATIO_MIN <= value <= RATIO_MAX
    except InvalidOperation as exc:
        raise ValueError(text) from exc
    if not is_within:
        raise ValueError(text)
    return value


def amount(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**31:
        raise ValueError(text)
    return value
