"""Ask again for what failed or was cancelled: a new operation with the same wish, through the door of the first one.

Whether it may be, and where, is decided anew; and it takes the rights that the door takes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from andromede_core.documents.messages import Reason
from controlplane.catalog.selectors import flavor_get, image_get, usable_image
from controlplane.catalog.services import image_import_again
from controlplane.compute import services as compute
from controlplane.compute.again import instance_create_again
from controlplane.compute.attachments import volume_attach, volume_detach
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.selectors import instance_get
from controlplane.compute.services import Around
from controlplane.identity.actor import Actor
from controlplane.identity.authorization import admitted
from controlplane.identity.models import Project
from controlplane.kernel.errors import NotFound
from controlplane.network.selectors import network_get
from controlplane.operations.errors import NotRetryable
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_follows, operation_hasten
from controlplane.storage.models import Volume
from controlplane.storage.selectors import volume_get
from controlplane.storage.services import volume_create_again, volume_grow


@dataclass(frozen=True)
class Asked:
    """Who asks again, and for what: the arguments of the operation that ended badly."""

    actor: Actor
    project: Project
    operation: Operation

    def given(self, name: str) -> Any:
        """Raises NotRetryable: an older release did not write it down."""
        if name not in self.operation.args:
            raise NotRetryable(reason=Reason("it is too old: what it was asked with was not kept."))
        return self.operation.args[name]

    @property
    def instance(self) -> Instance:
        return instance_get(self.actor, self.project, str(self.operation.resource_id))

    @property
    def volume(self) -> Volume:
        return volume_get(self.actor, self.project, str(self.operation.resource_id))

    def each(self, get: Callable[[Actor, Project, str], Any], name: str) -> tuple[Any, ...]:
        return tuple(get(self.actor, self.project, ref) for ref in self.given(name))


@dataclass(frozen=True)
class Door:
    """`route`: the API's operation by which it was asked for, whose rights it takes."""

    route: str
    ask: Callable[[Asked], Operation]


def operation_retry(actor: Actor, operation: Operation) -> Operation:
    """What ended badly is asked for again, and the new operation returned. What waits for its next try is tried now.

    Raises:
        NotRetryable: it succeeded; or what it was asked with is gone, or its kind cannot be asked for again.
        RoleNeeded, ScopeNeeded, and whatever the service raises that is asked.
    """
    actor.may_write()
    with transaction.atomic():
        if operation_hasten(operation):
            return operation
        operation.refresh_from_db()
        if operation.state == "succeeded":
            raise NotRetryable(reason=Reason("it has succeeded."))
        new = _ask(actor, operation)
        operation_follows(new, operation)
        return new


def _ask(actor: Actor, operation: Operation) -> Operation:
    door = DOORS.get(operation.kind)
    if door is None or operation.project is None:
        raise NotRetryable(reason=INSTEAD.get(operation.kind, OTHERWISE))
    admitted(actor, door.route)
    try:
        return door.ask(Asked(actor, operation.project, operation))
    except NotFound as exc:
        raise NotRetryable(reason=exc.reason) from exc


def _instance_create(asked: Asked) -> Operation:
    instance = asked.instance
    usable_image(asked.actor, asked.project, str(instance.image_id))
    networks, volumes = asked.each(network_get, "networks"), asked.each(volume_get, "volumes")
    around = Around(networks, volumes, tuple(asked.given("zones")), asked.given("host"))
    return instance_create_again(asked.actor, instance, around)


def _instance_resize(asked: Asked) -> Operation:
    flavor = flavor_get(asked.given("to")["flavor"])
    return compute.instance_resize(asked.actor, asked.instance, flavor=flavor)


def _power(change: Callable[[Actor, Instance], Operation]) -> Callable[[Asked], Operation]:
    return lambda asked: change(asked.actor, asked.instance)


def _volume_create(asked: Asked) -> Operation:
    volume = asked.volume
    if volume.image is not None:
        usable_image(asked.actor, asked.project, str(volume.image_id))
    near = tuple(UUID(consumer) for consumer in asked.given("near"))
    zones = tuple(asked.given("zones"))
    return volume_create_again(asked.actor, volume, zones=zones, near=near, host=asked.given("host"))


def _volume_grow(asked: Asked) -> Operation:
    return volume_grow(asked.actor, asked.volume, size_gib=asked.given("size_gib"))


def _volume_attach(asked: Asked) -> Operation:
    instance = instance_get(asked.actor, asked.project, asked.given("instance"))
    is_read_only = asked.given("is_read_only")
    return volume_attach(asked.actor, instance, volume=asked.volume, is_read_only=is_read_only)[1]


def _volume_detach(asked: Asked) -> Operation:
    attachment = Attachment.objects.select_related("instance").filter(pk=asked.given("attachment")).first()
    if attachment is None:
        raise NotRetryable(reason=Reason("the volume is out of the instance already."))
    return volume_detach(asked.actor, attachment)


def _image_import(asked: Asked) -> Operation:
    image = image_get(asked.actor, asked.project, str(asked.operation.resource_id))
    return image_import_again(asked.actor, image, sha256=asked.given("sha256"))


# kind of operation → how it is asked for again
DOORS: Mapping[str, Door] = {
    "image.import": Door("image_create", _image_import),
    "instance.create": Door("instance_create", _instance_create),
    "instance.power-off": Door("instance_power_off", _power(compute.instance_power_off)),
    "instance.reboot": Door("instance_reboot", _power(compute.instance_reboot)),
    "instance.reset": Door("instance_reset", _power(compute.instance_reset)),
    "instance.resize": Door("instance_resize", _instance_resize),
    "instance.shutdown": Door("instance_shutdown", _power(compute.instance_shutdown)),
    "instance.start": Door("instance_start", _power(compute.instance_start)),
    "volume.attach": Door("attachment_create", _volume_attach),
    "volume.create": Door("volume_create", _volume_create),
    "volume.detach": Door("attachment_delete", _volume_detach),
    "volume.grow": Door("volume_grow", _volume_grow),
}
# kind of operation → why it is not, and what to do instead
INSTEAD: Mapping[str, Reason] = {
    "image.verify": Reason("the uploaded file was not kept. Create another image and upload the file to that."),
    "instance.evacuate": Reason("it is tried again by itself, as part of the recovery of its node."),
    "instance.migrate": Reason("operators move instances. Ask for the move again."),
    "node.fence": Reason("ask for the fencing again."),
    "instance.rebuild": Reason("what it was asked with was not kept. Ask for the rebuild again."),
}
OTHERWISE = Reason("ask for the change itself again.")
