"""Checks of volumes that were moved, and of images, for the judge: everything is in one place, and nothing is left."""

import hashlib
from collections.abc import Iterator
from pathlib import PurePath

from django.conf import settings

from agents.protocol import agent_pb2 as pb
from controlplane.audit.selectors import residency_of
from controlplane.catalog import image_store
from controlplane.catalog.models import Image
from controlplane.compute.volume_moves import MOVE, RELOCATE
from controlplane.kernel.errors import CloudError
from controlplane.nodes import agent_client
from controlplane.nodes.models import Node, NodeRemoval
from controlplane.operations.models import LIVE, Operation, ResourceLock
from controlplane.storage.models import MOVING_VOLUME, Volume, VolumeMove
from scripts.chaos.cluster_checks import THERE

# The end of a move, by that of its operation.
ENDS = {"succeeded": "done", "failed": "failed", "cancelled": "cancelled"}
UNDER_WAY = ("importing", "verifying")  # images


def moves() -> list[str]:
    """Check that each move ended as its operation did, and that no volume is still to get another type."""
    states = dict(Operation.objects.filter(kind__in=(MOVE, RELOCATE)).values_list("pk", "state"))
    findings = list[str]()
    for row in VolumeMove.objects.all():
        state = states.get(row.operation_id)
        if row.state in MOVING_VOLUME and state not in LIVE:
            findings.append(f"the move of volume {row.volume_id} was left: it is {row.state}, its operation {state}")
        elif row.state not in MOVING_VOLUME and row.state != ENDS.get(state or ""):
            findings.append(f"the move of volume {row.volume_id} is {row.state}, and its operation {state}")
    waiting = Volume.objects.exclude(next_type=None).exclude(pk__in=ResourceLock.objects.values("resource_id"))
    return findings + [f"volume {row.pk} is to get the type {row.next_type_id}, and nothing does it" for row in waiting]


def places() -> list[str]:
    """Check that the data of each volume is in the place of its type, which its node has too, and nowhere else.

    The cluster's own volumes are compared by cluster_checks.images(). Data that a node has still to erase is left out:
    the pending removal is a finding of its own.
    """
    findings = [
        f"volume {row.pk} is in the pool {_pool(row)!r}, and its type {row.volume_type_id} is not"
        for row in Volume.objects.filter(THERE).select_related("pool", "volume_type")
        if _pool(row) != row.volume_type.pool
    ]
    for node in Node.objects.filter(state="ready").order_by("name"):
        try:
            described = agent_client.describe(node)
        except CloudError as exc:
            findings.append(f"node {node.name} does not answer: {exc}")
            continue
        findings += _misplaced(node, described)
    return findings


def _pool(volume: Volume) -> str:
    return volume.pool.name if volume.pool is not None else ""


def _misplaced(node: Node, described: pb.NodeDescription) -> Iterator[str]:
    rows = Volume.objects.filter(THERE, node=node).select_related("pool")
    due = {str(key) for key in NodeRemoval.objects.filter(node=node).values_list("resource_id", flat=True)}
    pools = {str(row.pk): _pool(row) for row in rows if str(row.pk) not in due}
    for volume in described.volumes:
        pool = pools.get(volume.subject.id, volume.pool)
        if volume.pool != pool:
            yield f"volume {volume.subject.id} is in {volume.pool!r} by {node.name}, and in {pool!r} by its row"
    for copy in described.volume_copies:
        if copy.subject.id not in due:
            yield f"{node.name} has a copy of volume {copy.subject.id} that no move ends"
    for resource in described.strays:
        file = PurePath(resource.name)
        if resource.kind == pb.STRAY_KIND_FILE and file.parent.name == "volumes" and file.stem not in due:
            yield f"{node.name} has the file {resource.name} of no volume that is there"


def residency() -> list[str]:
    """Check by receipts that a moved volume is open on its node alone, and once: the copy and the source were closed.

    A deleted one is open nowhere.
    """
    moved = VolumeMove.objects.filter(state="done").values("volume_id")
    findings = list[str]()
    for row in Volume.objects.filter(pk__in=moved):
        known = (each for each in residency_of(row.pk, role="storage").intervals if each.state == "proven")
        there = sorted(each.node for each in known if each.end is None)
        expected = [] if row.state == "deleted" else [str(row.node_id)]
        if there != expected:
            findings.append(f"the moved volume {row.pk} is open on {there} by its receipts instead of {expected}")
    return findings


def image_files() -> list[str]:
    """Check that no image is still being made, and that the store has the file of each usable image, and no others.

    It keeps that of a deleted image for a day.
    """
    rows = list(Image.objects.all())
    findings = [f"image {row.pk} rests in {row.state}" for row in rows if row.state in UNDER_WAY]
    for row in rows:
        path = image_store.path_of(row.sha256)
        if row.state != "available":
            continue
        if not path.is_file():
            findings.append(f"the store has lost the file of image {row.pk}")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != row.sha256:
            findings.append(f"the file of image {row.pk} has other bytes than it had")
    files = {path.name for path in settings.IMAGES_DIR.iterdir() if path.is_file()}
    unknown = files - {row.sha256 for row in rows}
    return findings + [f"the store has the file {name}, which is of no image" for name in sorted(unknown)]
