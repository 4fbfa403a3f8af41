"""Engines of pools in which volumes can be created."""

from controlplane.catalog.models import VolumeType
from controlplane.nodes.models import SUPPORTED_ENGINES, Pool
from controlplane.storage.errors import VolumeTypeNotSupported


def require_engine_supported(volume_type: VolumeType | None, *, field: str) -> None:
    """Refuse a new disk in a pool whose engine has no workflows. `field`: that names the type.

    A type means the pools of its name in all zones: it is refused if none of them is of another engine.

    Raises:
        VolumeTypeNotSupported.
    """
    if volume_type is None or not volume_type.pool:
        return
    engines = set(Pool.objects.filter(name=volume_type.pool).values_list("engine", flat=True))
    if engines and not engines & set(SUPPORTED_ENGINES):
        raise VolumeTypeNotSupported(field=field, volume_type=volume_type.pk, pool=volume_type.pool)
