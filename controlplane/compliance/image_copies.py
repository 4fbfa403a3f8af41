"""Copies of private images in the caches of nodes, which compliance sweeps check like allocated resources."""

from collections.abc import Collection

from django.db import transaction

from controlplane.catalog.models import Image
from controlplane.compliance.models import ImageCopy, Sweep
from controlplane.compliance.sweep import delete_watched
from controlplane.kernel import clock
from controlplane.nodes.models import Node


@transaction.atomic
def record_image_copies(node: Node, digests: Collection[str]) -> None:
    """Record the digests in the node's cache, and remove all others.

    The next sweep evaluates new ones. Bytes that are also a public image belong to no project.
    """
    Sweep.objects.select_for_update().get(pk=1)  # a sweep writes the rows that it has read
    images = list(Image.objects.filter(sha256__in=digests))
    public = {image.sha256 for image in images if image.project_id is None}
    private = {image.pk: image.project_id for image in images if image.project_id and image.sha256 not in public}
    rows = ImageCopy.objects.filter(node=node).select_related("project")
    delete_watched(list(rows.exclude(resource_id__in=private)))
    now = clock.now()
    new = [
        ImageCopy(
            resource_id=image_id,
            kind="image",
            project_id=project_id,
            node=node,
            zone=node.zone_id,
            state="compliant",
            since=now,
            checked_at=now,
        )
        for image_id, project_id in private.items()
    ]
    ImageCopy.objects.bulk_create(new, ignore_conflicts=True)
