"""Routes of images: a project's own, and the public ones."""

from collections.abc import Iterable
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.images.schemas import ImageIn, ImageOut, ImagePatch
from controlplane.api.v1.operations.schemas import add_operation, with_operation
from controlplane.catalog import selectors, services
from controlplane.catalog.errors import ImageManySources
from controlplane.catalog.models import IMAGE, Image
from controlplane.identity.actor import Actor
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, in_state, labelled
from controlplane.kernel.request_transaction import is_dry_run
from controlplane.kernel.views import OCTET_STREAM, Body, created, route, uploaded
from controlplane.operations.models import Operation
from controlplane.operations.selectors import current_operations
from controlplane.placement import classifications, images
from controlplane.placement.selectors import classifications_of
from controlplane.storage import image_sources
from controlplane.storage.selectors import snapshot_get, volume_get

OF_DATA = ("name", "firmware", "min_memory_mib", "labels")
OF_FILE = ("source_url", "sha256", "volume")
IMAGES = Listing(
    {
        "name": exactly("name", "The image of this name."),
        "state": in_state(IMAGE),
        "created_after": created_after(),
        "labels": labelled(),
    }
)
ImageWithOperation = with_operation(ImageOut, allow_null=True)
BYTES_ARRIVE = "the upload may take long, and its bytes are in files; no transaction waits for either"


class ImageList(ProjectView):
    @route("image_list", ImageOut, listing=IMAGES)
    def get(self, request: Request) -> Response:
        page = IMAGES.page(request, selectors.images(self.actor, self.project))
        return page.answer(ImageOut, context=_about(self.actor, page.rows))

    @route("image_create", ImageWithOperation, body=ImageIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        chosen = self.all_named(
            classifications.usable_classification, body.pop("classifications"), at="classifications"
        )
        names = [classification.pk for classification in chosen]
        if "snapshot" in body or "volume" in body:
            image, operation = self._of_data(body, names)
        else:
            body = {"firmware": "bios", "min_memory_mib": 0, **body}
            new = services.NewImage(**body)
            image, operation = images.image_create(self.actor, self.project, new, classifications=names)
        return created(add_operation(_document(self.actor, image), operation), request=request)

    def _of_data(self, body: Body, classifications: list[str]) -> tuple[Image, Operation | None]:
        """Make the image of the snapshot or the volume that the body names."""
        source: Any
        if "snapshot" in body:
            source = self.named(snapshot_get, body.pop("snapshot"), at="snapshot")
        else:
            source = self.named(volume_get, body.pop("volume"), at="volume")
        _require_no_file(body)
        fields = {name: body[name] for name in OF_DATA if name in body}
        return image_sources.image_create(
            self.actor, source, image_sources.NewImageOf(classifications=classifications, **fields)
        )


class ImageView(ProjectView):
    def image(self) -> Image:
        return selectors.image_get(self.actor, self.project, self.kwargs["image"])

    def versioned(self) -> Image:
        return self.image()


class ImageDetail(ImageView):
    @route("image_get", ImageOut)
    def get(self, request: Request) -> Response:
        return Response(_document(self.actor, self.image()))

    @route("image_update", ImageOut, body=ImagePatch)
    def patch(self, request: Request, body: Body) -> Response:
        image = self.image()
        labels = merge_labels(image.labels, body.get("labels", {}))
        image = services.image_update(self.actor, image, name=body.get("name", image.name), labels=labels)
        return Response(_document(self.actor, image))

    @route("image_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.image_delete(self.actor, self.image())
        return Response(status=204)


class ImageFile(ImageView):
    @route(
        "image_upload",
        ImageWithOperation,
        status=202,
        upload=OCTET_STREAM,
        own_transactions=BYTES_ARRIVE,
        error_statuses=(507,),
    )
    def put(self, request: Request) -> Response:
        image, chunks = self.image(), uploaded(request)
        services.image_check_upload(self.actor, image, size_bytes=int(request.META["CONTENT_LENGTH"]))
        if is_dry_run(request):
            return Response(add_operation(_document(self.actor, image), None))
        operation = services.image_upload(self.actor, image, chunks)
        return Response(add_operation(_document(self.actor, image), operation), status=202)


def _require_no_file(body: Body) -> None:
    """Raise ImageManySources if the body of an image that is made of data also describes a file, or a second source."""
    given = {"format": body.get("format") == "raw", **{name: bool(body.get(name)) for name in OF_FILE}}
    for name, is_given in given.items():
        if is_given:
            raise ImageManySources(field=name, name=name)


def _document(actor: Actor, image: Image) -> dict[str, Any]:
    document: dict[str, Any] = ImageOut(image, context=_about(actor, [image])).data
    return document


def _about(actor: Actor, rows: Iterable[Image]) -> dict[str, Any]:
    ids = [image.pk for image in rows]
    return {
        "current_operations": current_operations(ids),
        "classifications": classifications_of(ids),
        "sees_urls": actor.is_writer,
    }
