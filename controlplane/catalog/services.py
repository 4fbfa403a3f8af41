"""Image services for requests. workflows/image_*.py carry the operations out."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import Q

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.catalog import image_quota, image_source, image_store
from controlplane.catalog.errors import ImageFileMissing, ImageHasContent, ImageNameTaken, ImageNotOwned
from controlplane.catalog.inspection import inspect
from controlplane.catalog.models import IMAGE, Image
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Project
from controlplane.identity.roles import OPERATOR
from controlplane.kernel import clock
from controlplane.kernel.db import edit, move, raise_on_violation
from controlplane.kernel.errors import InvalidRequest
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import check_labels, check_name
from controlplane.operations.models import LIVE, Operation
from controlplane.operations.services import OperationRequest, enqueue
from controlplane.quotas import services as quotas

FORMATS = ("qcow2", "raw")
FIRMWARES = ("bios", "uefi")
SHA256 = re.compile(r"[0-9a-f]{64}")
MEMORY_MAX_MIB = 2**24
CHUNK_BYTES = 2**20
IMPORT_LIMIT = timedelta(hours=6)
VERIFY_LIMIT = timedelta(hours=1)
WITH_FILES = ("image.create", "image.import", "image.verify")  # kinds of operations whose args name an incoming file
# Retention of the file of a deleted image for operations that began before; longer than any of them takes.
LINGERS = timedelta(days=1)


@dataclass(frozen=True)
class NewImage:
    """A new image.

    `sha256` (hex), if declared, is checked against the bytes. With `source_url` the control plane downloads them.
    """

    name: str
    format: str
    firmware: str = "bios"
    sha256: str = ""
    min_memory_mib: int = 0
    source_url: str = ""
    labels: dict[str, str] = field(default_factory=dict)


@transaction.atomic
def image_create(actor: Actor, project: Project | None, new: NewImage) -> tuple[Image, Operation | None]:
    """Create an image that awaits its upload or, with a source, its import. Without a project it is public.

    Raises:
        ImageNotOwned: a public image, and the actor is no operator.
        InvalidName, InvalidLabels, InvalidRequest, ImageSourceRefused, ImageNameTaken, QuotaExceeded
    """
    image = new_image(project, new)
    may_change(actor, image)
    image.state = "importing" if new.source_url else "awaiting-upload"
    insert_image(actor, image)
    if not new.source_url:
        return image, None
    return image, _import(actor, image)


@transaction.atomic
def image_import_retry(actor: Actor, image: Image, *, sha256: str) -> Operation:
    """Retry the import of an image. `sha256`: as declared before, or empty.

    Raises:
        ImageHasContent: it is not in `error`.
        ImageSourceRefused, ImageNotOwned, QuotaExceeded, Busy
    """
    may_change(actor, image)
    image_source.check_url(image.source_url)
    image.refresh_from_db(fields=["state"], from_queryset=Image.objects.select_for_update(no_key=True))
    if image.state != "error":
        raise ImageHasContent(name=image.name, state=image.state)
    move(image, IMAGE, "importing", sha256=sha256, size_bytes=None, virtual_size_bytes=None, last_error=None)
    operation = _import(actor, image)
    if image.project_id is not None:
        quotas.claim(image.project_id, image.pk, images=1)
    record(actor, "image.create", image.pk, project_id=image.project_id, name=image.name, format=image.format)
    return operation


def _import(actor: Actor, image: Image) -> Operation:
    args = {"file": str(new_id()), "sha256": image.sha256}
    return enqueue(actor, _request("image.import", image, args, deadline=IMPORT_LIMIT))


def _request(kind: str, image: Image, args: Mapping[str, object], *, deadline: timedelta) -> OperationRequest:
    return OperationRequest(kind, image.project_id, [image.pk], args, resource_name=image.name, deadline=deadline)


def image_upload(actor: Actor, image: Image, chunks: Iterable[bytes]) -> Operation:
    """Store the bytes of an image that awaits them; the returned operation inspects them.

    After an error no bytes are kept and the image still awaits them.

    Raises:
        ImageHasContent: it awaits no upload, or another upload was faster.
        ImageTooLarge, ImageDigestMismatch, ImageStoreFull, ImageNotOwned, QuotaExceeded
    """
    image_check_upload(actor, image)
    name = str(new_id())
    received = image_store.receive(image_quota.limit_chunks(image, chunks), name, sha256=image.sha256)
    try:
        return _write_upload(actor, image, name, received)
    except BaseException:
        image_store.discard(name)
        raise


def image_check_upload(actor: Actor, image: Image, *, size_bytes: int = 0) -> None:
    """Check an upload before its first byte; `size_bytes`: the announced size.

    Raises:
        ImageNotOwned, ImageHasContent, QuotaExceeded
    """
    may_change(actor, image)
    _need_awaiting(image)
    image_quota.need_room(image, size_bytes)


def _need_awaiting(image: Image) -> None:
    if image.state != "awaiting-upload":
        raise ImageHasContent(name=image.name, state=image.state)


@transaction.atomic(durable=True)
def _write_upload(actor: Actor, image: Image, name: str, received: image_store.ReceivedFile) -> Operation:
    image.refresh_from_db(fields=["state"])
    _need_awaiting(image)
    move(image, IMAGE, "verifying", sha256=received.sha256, size_bytes=received.size_bytes)
    record(actor, "image.upload", image.pk, project_id=image.project_id, sha256=received.sha256)
    operation = enqueue(actor, _request("image.verify", image, {"file": name}, deadline=VERIFY_LIMIT))
    image_quota.claim_quota(image, received.size_bytes)
    return operation


def image_import_file(
    actor: Actor, project: Project | None, new: NewImage, *, path: Path, replace: bool = False
) -> Image:
    """Create an available image from a file on this machine, inspected like any other.

    The same file again changes nothing.

    `replace`: an image of that name with other bytes is deleted in its favour.

    Raises:
        ImageRefused, ImageTooLarge, ImageDigestMismatch, ImageNameTaken, and the errors of image_create()
    """
    image = new_image(project, new)
    may_change(actor, image)
    with path.open("rb") as file:
        content = (hashlib.file_digest(file, "sha256").hexdigest(), new.format, "available")
    namesake = Image.objects.filter(project=project, name=new.name).exclude(state="deleted").first()
    if namesake is not None and (namesake.sha256, namesake.format, namesake.state) == content:
        return namesake
    if namesake is not None and not replace:
        raise ImageNameTaken(field="name", name=new.name)
    _take_file(image, path)
    _write_import(actor, image, instead_of=namesake)
    return image


def _take_file(image: Image, path: Path) -> None:
    """Copy the file into the store and make `image`, which is not written here, available."""
    name = str(image.pk)
    with path.open("rb") as file:
        received = image_store.receive(iter(lambda: file.read(CHUNK_BYTES), b""), name, sha256=image.sha256)
    try:
        inspection = inspect(image_store.incoming_path(name), image.format)
        if not image_store.publish(name, received.sha256):
            raise ImageFileMissing()
    finally:
        image_store.discard(name)
    image.sha256, image.size_bytes = received.sha256, received.size_bytes
    image.virtual_size_bytes = inspection.virtual_size_bytes
    image.state = "available"


@transaction.atomic(durable=True)
def _write_import(actor: Actor, image: Image, *, instead_of: Image | None) -> None:
    if instead_of is not None:
        _delete(actor, instead_of)
    insert_image(actor, image)


@transaction.atomic
def image_update(actor: Actor, image: Image, *, name: str, labels: dict[str, str]) -> Image:
    may_change(actor, image)
    with raise_on_violation("catalog_image_name_taken", ImageNameTaken(field="name", name=name)):
        edit(image, name=name, labels=labels)
    record(actor, "image.update", image.pk, project_id=image.project_id, name=name)
    return image


@transaction.atomic
def image_delete(actor: Actor, image: Image) -> None:
    """Delete an image: it cannot be used any more, and its name is free. Idempotent.

    Disks made from it are not affected: a node keeps the base images of its disks. The row stays for rows that refer to
    it, and the file for running operations; images_collect() removes the file when no image needs it. A running import
    or verification ends without making the image available.
    """
    may_change(actor, image)
    image.refresh_from_db(fields=["state"])
    if image.state != "deleted":
        _delete(actor, image)


def _delete(actor: Actor, image: Image) -> None:
    move(image, IMAGE, "deleted")
    quotas.release(image.pk)
    record(actor, "image.delete", image.pk, project_id=image.project_id, name=image.name)


def images_collect() -> int:
    """Remove files that no image and no operation needs. Returns the number of removed files."""
    in_use = Image.objects.filter(~Q(state__in=["deleted", "error"]) | Q(updated_at__gt=clock.now() - LINGERS))
    digests = set(in_use.exclude(sha256="").values_list("sha256", flat=True))
    incoming = Operation.objects.filter(kind__in=WITH_FILES, state__in=LIVE)
    return image_store.collect_garbage(keep=digests | set(incoming.values_list("args__file", flat=True)))


def new_image(project: Project | None, new: NewImage) -> Image:
    """Return a new image.

    Raises:
        InvalidName, InvalidLabels, InvalidRequest, ImageSourceRefused
    """
    if new.format not in FORMATS:
        raise InvalidRequest(
            field="format", reason=Message("The format must be one of {known}.", known=", ".join(FORMATS))
        )
    if new.firmware not in FIRMWARES:
        raise InvalidRequest(
            field="firmware", reason=Message("The firmware must be one of {known}.", known=", ".join(FIRMWARES))
        )
    if new.sha256 and not SHA256.fullmatch(new.sha256):
        raise InvalidRequest(field="sha256", reason=Message("A SHA-256 is 64 lower-case hexadecimal digits."))
    if not 0 <= new.min_memory_mib <= MEMORY_MAX_MIB:
        raise InvalidRequest(
            field="min_memory_mib",
            reason=Message("The memory must be from 0 to {limit_mib} MiB.", limit_mib=MEMORY_MAX_MIB),
        )
    if new.source_url:
        image_source.check_url(new.source_url)
    return Image(
        id=new_id(),
        project=project,
        name=check_name(new.name),
        labels=check_labels(new.labels),
        format=new.format,
        firmware=new.firmware,
        sha256=new.sha256,
        min_memory_mib=new.min_memory_mib,
        source_url=new.source_url,
    )


def may_change(actor: Actor, image: Image) -> None:
    """Raise ImageNotOwned or RoleNeeded unless the actor may change the image."""
    actor.may_write()
    if image.project_id is None and not actor.is_operator:
        raise ImageNotOwned()
    if image.project_id is not None and actor.role == OPERATOR and actor != SYSTEM:
        raise RoleNeeded(role="member")


def insert_image(actor: Actor, image: Image) -> None:
    """Write the new image, and claim its quota. Raises ImageNameTaken, QuotaExceeded."""
    with raise_on_violation("catalog_image_name_taken", ImageNameTaken(field="name", name=image.name)):
        image.save(force_insert=True)
    if image.project_id is not None:
        quotas.claim(image.project_id, image.pk, images=1)
    if image.size_bytes is not None:
        image_quota.claim_quota(image, image.size_bytes)
    record(actor, "image.create", image.pk, project_id=image.project_id, name=image.name, format=image.format)
