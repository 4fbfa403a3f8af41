"""Operation retry: request a failed or cancelled operation again, as a new operation with the same arguments.

The service of the first request decides anew if and where, and requires the same rights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from andromede_core.documents.messages import Message
from controlplane.catalog.selectors import flavor_get, image_get, usable_image, zone_get
from controlplane.catalog.services import image_import_retry
from controlplane.catalog.volume_types import usable_root_type, usable_volume_type
from controlplane.compute import services as compute
from controlplane.compute.attachments import volume_attach, volume_detach
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.port_attachments import port_attach, port_detach
from controlplane.compute.recreate import instance_recreate
from controlplane.compute.relocation import instance_relocate
from controlplane.compute.resize import instance_resize
from controlplane.compute.selectors import instance_get
from controlplane.compute.services import NewAttachments
from controlplane.compute.volume_moves import volume_move
from controlplane.compute.volume_relocation import volume_relocate
from controlplane.identity.actor import Actor
from controlplane.identity.authorization import authorize
from controlplane.identity.models import Project
from controlplane.kernel.errors import NotFound
from controlplane.network.models import Port
from controlplane.network.selectors import network_get, port_get, security_group_get
from controlplane.operations.errors import NotRetryable
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_run_now, record_retry
from controlplane.storage.image_sources import image_create_retry
from controlplane.storage.models import Volume
from controlplane.storage.retype import volume_retype
from controlplane.storage.selectors import volume_get
from controlplane.storage.services import volume_grow, volume_recreate
from controlplane.workflows.instance_create import is_started


@dataclass(frozen=True)
class RetryRequest:
    """The actor and the arguments of the operation that failed."""

    actor: Actor
    project: Project
    operation: Operation

    def argument(self, name: str) -> Any:
        """Return an argument. Raises NotRetryable: an older release did not store it."""
        if name not in self.operation.args:
            raise NotRetryable(reason=Message("it is too old, and its request is no longer stored."))
        return self.operation.args[name]

    @property
    def instance(self) -> Instance:
        return instance_get(self.actor, self.project, str(self.operation.resource_id))

    @property
    def volume(self) -> Volume:
        return volume_get(self.actor, self.project, str(self.operation.resource_id))

    def each(self, get: Callable[[Actor, Project, str], Any], name: str) -> tuple[Any, ...]:
        return tuple(get(self.actor, self.project, ref) for ref in self.argument(name))


@dataclass(frozen=True)
class RetryHandler:
    """A service for retries. `route`: the API's operation of the first request, whose rights are required."""

    route: str
    request_retry: Callable[[RetryRequest], Operation]


def operation_retry(actor: Actor, operation: Operation) -> Operation:
    """Retry a failed or cancelled operation and return the new one. A waiting operation is made due now.

    Raises:
        NotRetryable: the operation succeeded; or its arguments are gone, or its kind has no retry.
        RoleNeeded,
            ScopeNeeded, and the errors of the service.
    """
    actor.may_write()
    with transaction.atomic():
        if operation_run_now(operation):
            return operation
        operation.refresh_from_db()
        if operation.state == "succeeded":
            raise NotRetryable(reason=Message("it has succeeded."))
        new = _call_handler(actor, operation)
        record_retry(new, operation)
        return new


def _call_handler(actor: Actor, operation: Operation) -> Operation:
    handler = RETRY_HANDLERS.get(operation.kind)
    if handler is None or operation.project is None:
        raise NotRetryable(reason=NOT_RETRYABLE.get(operation.kind, OTHERWISE))
    authorize(actor, handler.route)
    try:
        return handler.request_retry(RetryRequest(actor, operation.project, operation))
    except NotFound as exc:
        raise NotRetryable(reason=exc.reason) from exc


def _instance_create(request: RetryRequest) -> Operation:
    instance = request.instance
    if instance.boot_volume_id is None:
        usable_image(request.actor, request.project, str(instance.image_id))
        usable_root_type(request.project, instance.root_type)
    networks, volumes = request.each(network_get, "networks"), request.each(volume_get, "volumes")
    ports = tuple(port_get(request.actor, request.project, ref) for ref in request.operation.args.get("own_ports", ()))
    named = request.operation.args.get("security_groups")
    groups = None if named is None else request.each(security_group_get, "security_groups")
    zones, host = tuple(request.argument("zones")), request.argument("host")
    around = NewAttachments(networks, ports, volumes, zones, host, groups, is_started(request.operation))
    return instance_recreate(request.actor, instance, around)


def _instance_resize(request: RetryRequest) -> Operation:
    flavor = flavor_get(request.argument("to")["flavor"])
    return instance_resize(request.actor, request.instance, flavor=flavor)


def _instance_relocate(request: RetryRequest) -> Operation:
    return instance_relocate(request.actor, request.instance, zone=zone_get(request.argument("zone")))


def _power(change: Callable[[Actor, Instance], Operation]) -> Callable[[RetryRequest], Operation]:
    return lambda request: change(request.actor, request.instance)


def _volume_create(request: RetryRequest) -> Operation:
    volume = request.volume
    usable_volume_type(request.project, volume.volume_type_id)
    if volume.image is not None:
        usable_image(request.actor, request.project, str(volume.image_id))
    near = tuple(UUID(consumer) for consumer in request.argument("near"))
    zones = tuple(request.argument("zones"))
    return volume_recreate(request.actor, volume, zones=zones, near=near, host=request.argument("host"))


def _volume_grow(request: RetryRequest) -> Operation:
    return volume_grow(request.actor, request.volume, size_gib=request.argument("size_gib"))


def _volume_retype(request: RetryRequest) -> Operation:
    volume_type = usable_volume_type(request.project, request.argument("volume_type"))
    return volume_retype(request.actor, request.volume, volume_type=volume_type)


def _volume_move(request: RetryRequest) -> Operation:
    volume_type = usable_volume_type(request.project, request.argument("volume_type"))
    max_mb_per_s = request.argument("max_mb_per_s")
    return volume_move(request.actor, request.volume, volume_type=volume_type, max_mb_per_s=max_mb_per_s)


def _volume_relocate(request: RetryRequest) -> Operation:
    zone, max_mb_per_s = zone_get(request.argument("zone")), request.argument("max_mb_per_s")
    return volume_relocate(request.actor, request.volume, zone=zone, max_mb_per_s=max_mb_per_s)


def _volume_attach(request: RetryRequest) -> Operation:
    instance = instance_get(request.actor, request.project, request.argument("instance"))
    is_read_only = request.argument("is_read_only")
    is_shared = request.volume.is_multi_attach
    return volume_attach(
        request.actor, instance, volume=request.volume, is_read_only=is_read_only, is_shared=is_shared
    )[1]


def _volume_detach(request: RetryRequest) -> Operation:
    attachment = Attachment.objects.select_related("instance").filter(pk=request.argument("attachment")).first()
    if attachment is None:
        raise NotRetryable(reason=Message("the volume is already detached from the instance."))
    return volume_detach(request.actor, attachment)


def _port_attach(request: RetryRequest) -> Operation:
    return port_attach(request.actor, _port(request), instance=request.instance)


def _port_detach(request: RetryRequest) -> Operation:
    return port_detach(request.actor, _port(request))


def _port(request: RetryRequest) -> Port:
    return port_get(request.actor, request.project, request.argument("port"))


def _image_create(request: RetryRequest) -> Operation:
    return image_create_retry(
        request.actor, image_get(request.actor, request.project, str(request.operation.resource_id))
    )


def _image_import(request: RetryRequest) -> Operation:
    image = image_get(request.actor, request.project, str(request.operation.resource_id))
    return image_import_retry(request.actor, image, sha256=request.argument("sha256"))


# kind of operation → its retry
RETRY_HANDLERS: Mapping[str, RetryHandler] = {
    "image.create": RetryHandler("image_create", _image_create),
    "image.import": RetryHandler("image_create", _image_import),
    "instance.create": RetryHandler("instance_create", _instance_create),
    "instance.power-off": RetryHandler("instance_power_off", _power(compute.instance_power_off)),
    "instance.reboot": RetryHandler("instance_reboot", _power(compute.instance_reboot)),
    "instance.reset": RetryHandler("instance_reset", _power(compute.instance_reset)),
    "instance.relocate": RetryHandler("instance_relocate", _instance_relocate),
    "instance.resize": RetryHandler("instance_resize", _instance_resize),
    "instance.shutdown": RetryHandler("instance_shutdown", _power(compute.instance_shutdown)),
    "instance.start": RetryHandler("instance_start", _power(compute.instance_start)),
    "port.attach": RetryHandler("port_attach", _port_attach),
    "port.detach": RetryHandler("port_detach", _port_detach),
    "volume.attach": RetryHandler("attachment_create", _volume_attach),
    "volume.create": RetryHandler("volume_create", _volume_create),
    "volume.detach": RetryHandler("attachment_delete", _volume_detach),
    "volume.grow": RetryHandler("volume_grow", _volume_grow),
    "volume.move": RetryHandler("volume_retype", _volume_move),
    "volume.relocate": RetryHandler("volume_relocate", _volume_relocate),
    "volume.retype": RetryHandler("volume_retype", _volume_retype),
}
# kind of operation → why it has no retry, and what to do instead
NOT_RETRYABLE: Mapping[str, Message] = {
    "image.verify": Message("the uploaded file is no longer stored. Create another image and upload the file to it."),
    "instance.evacuate": Message("the recovery of its node retries it automatically."),
    "instance.migrate": Message("only operators migrate instances. Request the migration again."),
    "node.fence": Message("request the fencing again."),
    "snapshot.create": Message("its moment has passed. Take another snapshot."),
    "instance.snapshot": Message("its moment has passed. Take other snapshots."),
    "volume.revert": Message("the volume may have changed since. Request the revert again."),
    "instance.rebuild": Message("its request is no longer stored. Request the rebuild again."),
}
OTHERWISE = Message("request the change itself again.")
