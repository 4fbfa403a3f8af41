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
    check_root_disk(flavor, field=field, needed_gib=image.min_disk_gib, given_gib=disk_gib or size.disk_gib)
    _check_size(flavor, "memory_mib", field=field, needed=image.min_memory_mib, given=size.memory_mib)


def check_root_disk(flavor: str, *, field: str, needed_gib: int, given_gib: int) -> None:
    """Check that there is a root disk, and that it has the size that is needed.

    Raises:
        FlavorWithoutDisk, FlavorTooSmall
    """
    if not given_gib:
        raise FlavorWithoutDisk(field=field, flavor=flavor)
    _check_size(flavor, "disk_gib", field=field, needed=needed_gib, given=given_gib)


def _check_size(flavor: str, dimension: str, *, field: str, needed: int, given: int) -> None:
    if given < needed:
        raise FlavorTooSmall(field=field, flavor=flavor, dimension=dimension, needed=needed, given=given)


def lock_affinity_group(group: AffinityGroup | None) -> None:
    """Lock the group against deletion until the caller's transaction ends.

    Raises:
        AffinityGroupNotFound: the group is deleted.
    """
    if group and AffinityGroup.objects.select_for_update(no_key=True).filter(pk=group.pk).first() is None:
        raise AffinityGroupNotFound(field="affinity_group", name=group.name)
