"""Signed inventories: what a node runs and holds, compared with what is meant to be there.

What nobody placed on the node is an incident, and stays where it is: somebody has to look. A genuine inventory is also
the node's attestation of its hook, as long as it is new: an old one, sent again, would hide what came since.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from controlplane.compute.models import MOVING, Attachment, Instance, Rebuild
from controlplane.kernel import clock
from controlplane.kernel.names import as_uuid
from controlplane.nodes import incidents, pools
from controlplane.nodes.models import Node, NodeRemoval
from controlplane.nodes.pki import CLOCK_SKEW
from controlplane.placement.core.reading import instant
from controlplane.placement.models import Allocation, Permit
from controlplane.storage.models import Volume
from controlplane.watcher.receipts import genuine

KIND = "inventory"
FORGED, STALE = "inventory-forged", "inventory-stale"
DOMAIN, VOLUME, IMAGE = "unknown-domain", "unknown-volume", "unknown-image"
PLUGGED, UNPERMITTED = "unknown-attachment", "guest-unpermitted"
RUNS = ("running", "paused")
# What was removed or placed so short a time ago may be missing here and still be there, or the other way round.
IN_TRANSIT = timedelta(minutes=2)


def compare(node: Node, document: bytes) -> None:
    found = genuine(node, KIND, document)
    if found is None:
        incidents.report(node, FORGED, "inventory")
        return
    incidents.end(node, FORGED)
    at = instant(found.payload.get("at"))
    if at is None or found.payload.get("boot_id") != node.boot_id or not _is_news(node, at):
        incidents.report(node, STALE, "inventory", at=str(found.payload.get("at")))
        return
    incidents.end(node, STALE)
    guests, strangers = _ids(found.payload.get("domains")), _texts(found.payload.get("unknown_domains"))
    volumes = _texts(found.payload.get("volumes"))
    _settle(node, DOMAIN, strangers | (guests - _meant(node, guests, _instances)))
    _settle(node, VOLUME, volumes - _meant(node, volumes, _volumes))
    images = _texts(found.payload.get("images"))
    _settle(node, IMAGE, images - _images(node, images))
    domains = _objects(found.payload.get("domains"))
    _settle(node, UNPERMITTED, {str(each.get("id")) for each in domains if _is_unpermitted(each)})
    _settle(node, PLUGGED, _plugged(domains) - _attached(node, _plugged(domains), found.payload))
    if not found.payload.get("pools"):
        pools.end_of(node)
    hook = found.payload.get("hook")
    if isinstance(hook, dict) and hook.get("is_active") is True:
        Node.objects.filter(pk=node.pk).update(attested_at=at)


def _is_news(node: Node, at: datetime) -> bool:
    """Signed a moment ago, and after the last one that counted."""
    if abs(clock.now() - at) > CLOCK_SKEW:
        return False
    older = Q(inventoried_at=None) | Q(inventoried_at__lt=at)
    return Node.objects.filter(older, pk=node.pk).update(inventoried_at=at) == 1


def _settle(node: Node, kind: str, unknown: Collection[str]) -> None:
    for name in sorted(unknown):
        incidents.report(node, kind, name)
    incidents.end(node, kind, but=unknown)


def _texts(value: object) -> set[str]:
    return {str(item) for item in value} if isinstance(value, list) else set()


def _objects(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _ids(value: object) -> set[str]:
    return {str(item.get("id")) for item in _objects(value)}


def _is_unpermitted(domain: Mapping[str, object]) -> bool:
    """Agents of before say nothing of permits."""
    return domain.get("power") in RUNS and domain.get("permit") == ""


def _plugged(domains: Iterable[Mapping[str, object]]) -> set[str]:
    """INSTANCE DISK for each disk of each guest."""
    return {f"{domain.get('id')} {disk}" for domain in domains for disk in _texts(domain.get("disks"))}


def _attached(node: Node, plugged: Collection[str], said: Mapping[str, object]) -> set[str]:
    """Of these, what is the guest's root disk or is to become it, is attached to it, has changed just now, or is still
    to be unplugged."""
    guests = {found for each in plugged if (found := as_uuid(each.partition(" ")[0])) is not None}
    instances = Instance.objects.filter(pk__in=guests)
    pairs = set(instances.values_list("pk", "root_volume_id"))
    pairs |= set(Rebuild.objects.filter(instance_id__in=guests).values_list("instance_id", "root_volume_id"))
    pairs |= set(Attachment.objects.filter(instance_id__in=guests).values_list("instance_id", "volume_id"))
    told = {str(each.get("id")): each for each in _objects(said.get("attachments"))}
    going = NodeRemoval.objects.filter(node=node, kind="attachment").values_list("resource_id", flat=True)
    leaving = [told[str(each)] for each in going if str(each) in told]
    known = {f"{instance} {volume}" for instance, volume in pairs}
    known |= {f"{each.get('instance')} {each.get('volume')}" for each in leaving}
    volumes = {found for each in plugged if (found := as_uuid(each.partition(" ")[2])) is not None}
    just_now = Volume.objects.filter(_just_now(), pk__in=volumes).values_list("pk", flat=True)
    moving = {str(each) for each in just_now}
    return known | {each for each in plugged if each.partition(" ")[2] in moving}


def _images(node: Node, names: Collection[str]) -> set[str]:
    """Of these, what something needs that is here, or was ever permitted here. It stays in the cache afterwards."""
    permits = Permit.objects.filter(node=node, state="signed").values("resource_id")
    here = Q(node=node) | Q(pk__in=permits)
    found: set[str] = set()
    coming = Q(migratedvolume__migration__destination=node, migratedvolume__migration__state__in=MOVING)
    for rows in (Instance.objects.filter(here), Volume.objects.filter(here | coming)):
        found |= set(rows.filter(image__sha256__in=names).values_list("image__sha256", flat=True))
    return found


def _meant(node: Node, names: Collection[str], rows: Callable[[Node, Collection[UUID]], Iterable[UUID]]) -> set[str]:
    """Of these ids, what has its place here, is on its way, or is still to be removed from here."""
    ids = {found for name in names if (found := as_uuid(name)) is not None}
    places = Allocation.objects.filter(Q(consumer_id__in=ids) | Q(moving_id__in=ids), node=node)
    here = {found for pair in places.values_list("consumer_id", "moving_id") for found in pair}
    going = set(NodeRemoval.objects.filter(node=node, resource_id__in=ids).values_list("resource_id", flat=True))
    return {str(each) for each in here | going | set(rows(node, ids))}


def _moving(node: Node) -> Q:
    return Q(node=node) | _just_now()


def _migrating(node: Node) -> Q:
    """Of an instance: it comes from this node or goes to it."""
    ends = Q(migrations__source=node) | Q(migrations__destination=node)
    return ends & Q(migrations__state__in=MOVING)


def _just_now() -> Q:
    return Q(updated_at__gt=clock.now() - IN_TRANSIT)


def _instances(node: Node, ids: Collection[UUID]) -> Iterable[UUID]:
    return Instance.objects.filter(_moving(node) | _migrating(node), pk__in=ids).values_list("pk", flat=True)


def _volumes(node: Node, ids: Collection[UUID]) -> Iterable[UUID]:
    """Root disks are known by their instance."""
    having = _moving(node) | _migrating(node)
    roots = Instance.objects.filter(having, root_volume_id__in=ids).values_list("root_volume_id", flat=True)
    coming = Rebuild.objects.filter(instance__node=node, root_volume_id__in=ids).values_list(
        "root_volume_id", flat=True
    )
    return [*roots, *coming, *Volume.objects.filter(_moving(node), pk__in=ids).values_list("pk", flat=True)]
