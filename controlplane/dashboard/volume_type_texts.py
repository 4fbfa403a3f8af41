"""Volume types and limits of disks in plain words."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def describe_type(volume_type: Mapping[str, Any]) -> str:
    """Return the type as a choice of a form: its id, its description, its place and its limits."""
    place = _("shared storage") if volume_type["pool"] else _("on the node's own disk")
    when = _("gets its place when it is first attached") if volume_type["binding"] == "first_use" else ""
    many = _("for several instances at once") if volume_type["is_multi_attach"] else ""
    about = (place, when, many, describe_durability(volume_type), describe_type_limits(volume_type))
    facts = ", ".join(filter(None, about))
    return f"{volume_type['id']}: {volume_type['description']} ({facts})"


def describe_durability(volume_type: Mapping[str, Any]) -> str:
    """Return how many copies of the data there are; empty: not reported."""
    replicas = volume_type["replicas"]
    if not replicas:
        return ""
    return ngettext("{count} copy of the data", "{count} copies of the data", replicas).format(count=replicas)


def types_with_snapshots(volume_types: Iterable[Mapping[str, Any]]) -> str:
    """Return the types whose volumes can have snapshots, as a list for a sentence."""
    return ", ".join(each["id"] for each in volume_types if each["has_snapshots"]) or _("none")


def describe_type_limits(volume_type: Mapping[str, Any]) -> str:
    iops = _bounded(
        volume_type["iops"],
        volume_type["iops_per_gib"],
        _("{count} IOPS"),
        _("{count} IOPS per GiB"),
        _("{count} IOPS per GiB, at least {least}"),
    )
    rate = _bounded(
        volume_type["mb_per_s"],
        volume_type["mb_per_s_per_gib"],
        _("{count} MB/s"),
        _("{count} MB/s per GiB"),
        _("{count} MB/s per GiB, at least {least}"),
    )
    return ", ".join(filter(None, (iops, rate))) or _("no limit")


def describe_limits(limits: Mapping[str, int | None]) -> str:
    """Return the limits of one disk."""
    texts = {"iops": _("{count} IOPS"), "mb_per_s": _("{count} MB/s")}
    present = [text.format(count=limits[name]) for name, text in texts.items() if limits[name]]
    return ", ".join(present) or _("no limit")


def _bounded(fixed: int, per_gib: int, of_fixed: str, by_size: str, by_size_at_least: str) -> str:
    if not per_gib:
        return of_fixed.format(count=fixed) if fixed else ""
    return (by_size_at_least if fixed else by_size).format(count=per_gib, least=fixed)
