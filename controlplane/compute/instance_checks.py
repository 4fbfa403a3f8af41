"""Checks of new and rebuilt instances that several requests share."""

from collections.abc import Sequence

from controlplane.catalog.models import Flavor, Image
from controlplane.compute.errors import (
    AffinityGroupNotFound,
    FlavorTooSmall,
    FlavorWithoutDisk,
    TooManyPorts,
    UserDataTooLarge,
)
from controlplane.compute.models import AffinityGroup, Instance
from controlplane.network.models import Network, Port
from controlplane.network.ports import require_free

USER_DATA_MAX_BYTES = 64 * 1024
PORTS_MAX = 8


def check_ports(networks: Sequence[Network], ports: Sequence[Port]) -> None:
    """Raise TooManyPorts, or PortAttached unless the ports are free."""
    if len(networks) + len(ports) > PORTS_MAX:
        raise TooManyPorts(field="ports", limit=PORTS_MAX)
    for number, port in enumerate(ports):
        require_free(port, field=f"ports/{number}")


def check_user_data(value: bytes) -> None:
    """Check the size. Raises UserDataTooLarge."""
    if len(value) > USER_DATA_MAX_BYTES:
        raise UserDataTooLarge(field="user_data", size_bytes=len(value), limit_bytes=USER_DATA_MAX_BYTES)


def check_image(image: Image, size: Flavor | Instance, *, field: str, disk_gib: int | None = None) -> None:
    """Check that a guest of this size can run from the image. `disk_gib`: of a disk that exists.

    Raises:
        FlavorWithoutDisk, FlavorTooSmall
    """
    flavor = size.pk if isinstance(size, Flavor) else size.flavor
    if not (disk_gib or size.disk_gib):
        raise FlavorWithoutDisk(field=field, flavor=flavor)
    for dimension, needed, given in (
        ("disk_gib", image.min_disk_gib, disk_gib or size.disk_gib),
        ("memory_mib", image.min_memory_mib, size.memory_mib),
    ):
        if given < needed:
            raise FlavorTooSmall(field=field, flavor=flavor, dimension=dimension, needed=needed, given=given)


def lock_affinity_group(group: AffinityGroup | None) -> None:
    """Lock the group against deletion until the caller's transaction ends.

    Raises:
        AffinityGroupNotFound: the group is deleted.
    """
    if group and AffinityGroup.objects.select_for_update(no_key=True).filter(pk=group.pk).first() is None:
        raise AffinityGroupNotFound(field="affinity_group", name=group.name)
