"""Signed inventories: a node's running guests and stored resources, compared with the expected ones.

A resource without an allocation on the node is an incident, unless an operator has released it; reconcilers/orphans.py
decides about it, and is woken up. A genuine inventory is also the node's attestation of its hook, as long as it is new:
an old one, sent again, would hide later changes.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from andromede_core.documents.parsing import instant
from controlplane.compute import expected_resources
from controlplane.compute.models import Attachment, Instance, Rebuild
from controlplane.kernel import clock
from controlplane.kernel.names import as_uuid
from controlplane.nodes import incidents, pools
from controlplane.nodes.models import Node, NodeRemoval
from controlplane.nodes.orphans import released_names, wake_reconciler
from controlplane.nodes.pki import CLOCK_SKEW
from controlplane.storage.models import Volume
from controlplane.watcher.receipts import verified_document

KIND = "inventory"
FORGED, STALE = "inventory-forged", "inventory-stale"
DOMAIN, VOLUME, IMAGE = "unknown-domain", "unknown-volume", "unknown-image"
PLUGGED, UNPERMITTED = "unknown-attachment", "guest-unpermitted"
UNMANAGED_KINDS = (DOMAIN, VOLUME, IMAGE)
RUNS = ("running", "paused")


def compare(node: Node, document: bytes) -> None:
    envelope = verified_document(node, KIND, document)
    if envelope is None:
        incidents.report(node, FORGED, "inventory")
        return
    at = instant(envelope.payload.get("at"))
    if at is None or envelope.payload.get("boot_id") != node.boot_id or not _is_news(node, at):
        incidents.end(node, FORGED)
        incidents.report(node, STALE, "inventory", at=str(envelope.payload.get("at")))
        return
    new = incidents.reconcile(node, {FORGED: (), STALE: (), **_wrong(node, envelope.payload)})
    if not new.isdisjoint(UNMANAGED_KINDS):
        wake_reconciler()  # once for each new orphan: the reconciler polls the known ones
    hook = envelope.payload.get("hook")
    if isinstance(hook, dict) and hook.get("is_active") is True:
        Node.objects.filter(pk=node.pk).update(attested_at=at)


def _wrong(node: Node, inventory: Mapping[str, object]) -> dict[str, Collection[str]]:
    """Return, by kind of incident, the problems in the inventory."""
    guests, unmanaged = _ids(inventory.get("domains")), _texts(inventory.get("unknown_domains"))
    volumes, images, staying = _texts(inventory.get("volumes")), _texts(inventory.get("images")), released_names(node)
    domains = _objects(inventory.get("domains"))
    plugged = _plugged(domains)
    wrong: dict[str, Collection[str]] = {
        DOMAIN: (unmanaged | (guests - _expected(node, guests, expected_resources.instances))) - staying,
        VOLUME: volumes - _expected(node, volumes, expected_resources.volumes) - staying,
        IMAGE: images - expected_resources.images(node, images) - staying,
        UNPERMITTED: {str(each.get("id")) for each in domains if _is_unpermitted(each)},
        PLUGGED: plugged - _attached(node, plugged, inventory),
    }
    return wrong if inventory.get("pools") else {**wrong, **dict.fromkeys(pools.INCIDENTS, ())}


def _is_news(node: Node, at: datetime) -> bool:
    """Tell if the inventory was signed a moment ago, and after the last one that counted."""
    if abs(clock.now() - at) > CLOCK_SKEW:
        return False
    older = Q(inventoried_at=None) | Q(inventoried_at__lt=at)
    return Node.objects.filter(older, pk=node.pk).update(inventoried_at=at) == 1


def _texts(value: object) -> set[str]:
    return {str(item) for item in value} if isinstance(value, list) else set()


def _objects(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _ids(value: object) -> set[str]:
    return {str(item.get("id")) for item in _objects(value)}


def _is_unpermitted(domain: Mapping[str, object]) -> bool:
    """Tell if the resource has no permit. Older agents report no permits."""
    return domain.get("power") in RUNS and domain.get("permit") == ""


def _plugged(domains: Iterable[Mapping[str, object]]) -> set[str]:
    """Return INSTANCE DISK for each disk of each guest."""
    return {f"{domain.get('id')} {disk}" for domain in domains for disk in _texts(domain.get("disks"))}


def _attached(node: Node, plugged: Collection[str], inventory: Mapping[str, object]) -> set[str]:
    """Return the expected ones of these disks.

    A disk is expected if it is, or becomes, the guest's root disk, is attached, has just changed, or is still to be
    detached.
    """
    guests = {guest_id for each in plugged if (guest_id := as_uuid(each.partition(" ")[0])) is not None}
    instances = Instance.objects.filter(pk__in=guests)
    pairs = set(instances.values_list("pk", "root_volume_id"))
    pairs |= set(Rebuild.objects.filter(instance_id__in=guests).values_list("instance_id", "root_volume_id"))
    pairs |= set(Attachment.objects.filter(instance_id__in=guests).values_list("instance_id", "volume_id"))
    reported = {str(each.get("id")): each for each in _objects(inventory.get("attachments"))}
    removals = NodeRemoval.objects.filter(node=node, kind="attachment").values_list("resource_id", flat=True)
    leaving = [reported[str(each)] for each in removals if str(each) in reported]
    expected = {f"{instance} {volume}" for instance, volume in pairs}
    expected |= {f"{each.get('instance')} {each.get('volume')}" for each in leaving}
    volumes = {volume_id for each in plugged if (volume_id := as_uuid(each.partition(" ")[2])) is not None}
    just_now = Volume.objects.filter(expected_resources.just_now(), pk__in=volumes).values_list("pk", flat=True)
    moving = {str(each) for each in just_now}
    return expected | {each for each in plugged if each.partition(" ")[2] in moving}


def _expected(node: Node, names: Collection[str], rows: Callable[[Node, Collection[UUID]], set[UUID]]) -> set[str]:
    ids = {resource_id for name in names if (resource_id := as_uuid(name)) is not None}
    return {str(each) for each in rows(node, ids)} if ids else set()
