"""Private images: they have classifications like other data, and resources made from them inherit these."""

from collections.abc import Sequence

from django.db import transaction

from controlplane.catalog import services as catalog
from controlplane.catalog.models import Image
from controlplane.catalog.services import NewImage
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.operations.models import Operation
from controlplane.placement import lineage
from controlplane.placement.lineage import NewData


@transaction.atomic
def image_create(
    actor: Actor, project: Project, new: NewImage, *, classifications: Sequence[str] = ()
) -> tuple[Image, Operation | None]:
    """Create the image in the catalogue, classified from the start. Raises as catalog.services.image_create."""
    image, operation = catalog.image_create(actor, project, new)
    lineage.record_data(NewData(image.pk, "image", project, classifications))
    return image, operation
