"""Signed inventories: what a node runs and holds, compared with what is meant to be there.

What nobody placed on the node is an incident, and stays where it is: somebody has to look. A genuine inventory is also
the node's attestation of its hook.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from uuid import UUID

from django.db.models import Q

from controlplane.compute.models import Instance, Rebuild
from controlplane.kernel import clock
from controlplane.kernel.names import as_uuid
from controlplane.nodes import incidents
from controlplane.nodes.models import Node, NodeRemoval
from controlplane.placement.models import Allocation
from controlplane.storage.models import Volume
from controlplane.watcher.receipts import genuine

KIND = "inventory"
FORGED, DOMAIN, VOLUME = "inventory-forged", "unknown-domain", "unknown-volume"
# What was removed or placed so short a time ago may be missing here and still be there, or the other way round.
IN_TRANSIT = timedelta(minutes=2)


def compare(node: Node, document: bytes) -> None:
    found = genuine(node, KIND, document)
    if found is None:
        incidents.report(node, FORGED, "inventory")
        return
    incidents.end(node, FORGED)
    guests, strangers = _ids(found.payload.get("domains")), _texts(found.payload.get("unknown_domains"))
    volumes = _texts(found.payload.get("volumes"))
    _settle(node, DOMAIN, strangers | (guests - _meant(node, guests, _instances)))
    _settle(node, VOLUME, volumes - _meant(node, volumes, _volumes))
    hook = found.payload.get("hook")
    if isinstance(hook, dict) and hook.get("is_active") is True:
        Node.objects.filter(pk=node.pk).update(attested_at=clock.now())


def _settle(node: Node, kind: str, unknown: Collection[str]) -> None:
    for name in sorted(unknown):
        incidents.report(node, kind, name)
    incidents.end(node, kind, but=unknown)


def _texts(value: object) -> set[str]:
    return {str(item) for item in value} if isinstance(value, list) else set()


def _ids(value: object) -> set[str]:
    """Of a list of objects."""
    return {str(item.get("id")) for item in value if isinstance(item, dict)} if isinstance(value, list) else set()


def _meant(node: Node, names: Collection[str], rows: Callable[[Node, Collection[UUID]], Iterable[UUID]]) -> set[str]:
    """Of these ids, what has its place here, is on its way, or is still to be removed from here."""
    ids = {found for name in names if (found := as_uuid(name)) is not None}
    here = set(Allocation.objects.filter(node=node, consumer_id__in=ids).values_list("consumer_id", flat=True))
    going = set(NodeRemoval.objects.filter(node=node, resource_id__in=ids).values_list("resource_id", flat=True))
    return {str(each) for each in here | going | set(rows(node, ids))}


def _moving(node: Node) -> Q:
    return Q(node=node) | Q(updated_at__gt=clock.now() - IN_TRANSIT)


def _instances(node: Node, ids: Collection[UUID]) -> Iterable[UUID]:
    return Instance.objects.filter(_moving(node), pk__in=ids).values_list("pk", flat=True)


def _volumes(node: Node, ids: Collection[UUID]) -> Iterable[UUID]:
    """Root disks are known by their instance."""
    roots = Instance.objects.filter(_moving(node), root_volume_id__in=ids).values_list("root_volume_id", flat=True)
    coming = Rebuild.objects.filter(instance__node=node, root_volume_id__in=ids).values_list(
        "root_volume_id", flat=True
    )
    return [*roots, *coming, *Volume.objects.filter(_moving(node), pk__in=ids).values_list("pk", flat=True)]
