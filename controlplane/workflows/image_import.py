"""Import an image: fetch its file, then verify it as an uploaded one. `args`: file, its incoming name."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from andromede_core.documents.messages import Message
from controlplane.catalog import image_quota, image_source, image_store
from controlplane.catalog.errors import ImageSourceFailed, ImageSourceUnavailable
from controlplane.catalog.models import Image
from controlplane.kernel import clock
from controlplane.operations import leases
from controlplane.operations.errors import Cancelled
from controlplane.operations.models import Operation
from controlplane.workflows import image_verify
from controlplane.workflows.image_verify import discard, image_of
from controlplane.workflows.workflow_types import Effect, Step, Workflow

FETCH_ATTEMPTS = 5
LOOK_UP_EVERY = timedelta(seconds=2)


def steps(operation: Operation) -> Sequence[Step]:
    return (Step("fetch", fetch, undo=discard), *image_verify.steps(operation))


def fetch(operation: Operation) -> Effect:
    image = image_of(operation)
    try:
        with image_source.fetch(image.source_url, check=_checker(operation)) as chunks:
            received = image_store.receive(
                image_quota.limit_chunks(image, chunks), operation.args["file"], sha256=image.sha256
            )
    except ImageSourceUnavailable as exc:
        if operation.attempts + 1 < FETCH_ATTEMPTS:
            raise
        raise ImageSourceFailed(reason=exc.facts["reason"]) from exc
    return lambda: set_received(image, received)


def _checker(operation: Operation) -> Callable[[], None]:
    """Return a function that ends the transfer, by raising, when the image is deleted or the deadline is over.

    It reads the rows every LOOK_UP_EVERY, however often it is called.
    """
    next_look = clock.now()

    def check() -> None:
        nonlocal next_look
        if (now := clock.now()) >= next_look:
            _check_wanted(operation, now)
            next_look = now + LOOK_UP_EVERY

    return check


def _check_wanted(operation: Operation, now: datetime) -> None:
    if leases.is_cancel_requested(operation) or image_of(operation).state == "deleted":
        raise Cancelled()
    if now >= operation.deadline_at:
        raise ImageSourceFailed(reason=Message("the server is too slow."))


def set_received(image: Image, received: image_store.ReceivedFile) -> None:
    """Set the received size, unless the image was deleted meanwhile."""
    rows = Image.objects.filter(pk=image.pk).exclude(state="deleted")
    if rows.update(sha256=received.sha256, size_bytes=received.size_bytes):
        image_quota.claim_quota(image, received.size_bytes)


WORKFLOW = Workflow("image.import", steps, image_verify.on_success, image_verify.on_failure)
