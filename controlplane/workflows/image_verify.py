"""Verify an image: check the uploaded file, then release it to nodes. `args`: file, its incoming name."""

from collections.abc import Sequence

from controlplane.catalog import image_store
from controlplane.catalog.errors import ImageFileMissing
from controlplane.catalog.inspection import inspect
from controlplane.catalog.models import IMAGE, Image
from controlplane.kernel.db import move
from controlplane.operations.models import Operation
from controlplane.quotas import services as quotas
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return (Step("inspect", inspect_file, undo=discard), Step("publish", publish))


def on_success(operation: Operation) -> None:
    image = image_of(operation)
    if image.state != "deleted":
        move(image, IMAGE, "available", last_error=None)


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    image = image_of(operation)
    quotas.release(image.pk)
    if image.state != "deleted":
        move(image, IMAGE, "error", last_error=error)


def inspect_file(operation: Operation) -> Effect:
    image = image_of(operation)
    try:
        inspection = inspect(image_store.incoming_path(operation.args["file"]), image.format)
    except FileNotFoundError as exc:
        raise ImageFileMissing() from exc
    return lambda: _set(image, virtual_size_bytes=inspection.virtual_size_bytes)


def publish(operation: Operation) -> None:
    sha256 = image_of(operation).sha256  # "" if the image was deleted meanwhile
    if not sha256 or not image_store.publish(operation.args["file"], sha256):
        raise ImageFileMissing()


def discard(operation: Operation) -> None:
    image_store.discard(operation.args["file"])


def image_of(operation: Operation) -> Image:
    return Image.objects.get(pk=operation.resource_id)


def _set(image: Image, **fields: object) -> None:
    Image.objects.filter(pk=image.pk).update(**fields)


WORKFLOW = Workflow("image.verify", steps, on_success, on_failure)
