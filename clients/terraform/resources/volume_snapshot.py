"""andromede_volume_snapshot."""

from datetime import datetime
from typing import Any

from clients.terraform.cloud import Document, project_path
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute, one_of, refer
from clients.terraform.runtime.durations import Timeouts
from clients.terraform.runtime.provider import Plan
from clients.terraform.runtime.schema import NUMBER, STRING, Attribute, Schema
from clients.terraform.runtime.values import Value, Values


class VolumeSnapshotResource(ApiResource):
    name, kind, noun = "volume_snapshot", "snapshots", "snapshot"
    sent = ("volume", "name", "consistency", "expires_at", "labels")
    patched = ("name", "expires_at", "labels")
    timeouts = Timeouts(create=1800, delete=1800)
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "volume": Attribute(
                type=STRING,
                description="The id or name of the volume. A change makes a new snapshot.",
                required=True,
                replace=True,
            ),
            "name": name_attribute(),
            "expires_at": Attribute(
                type=STRING,
                description="When the platform deletes it (RFC 3339); never when not given. After that Terraform plans "
                "a new one.",
                optional=True,
                checks=(lambda text: _complaint(text),),
            ),
            "labels": LABELS,
            "size_gib": Attribute(
                type=NUMBER, description="The size of the volume when the snapshot was taken, in GiB.", computed=True
            ),
            "zone": Attribute(type=STRING, description="The zone that it is in.", computed=True),
            "consistency": Attribute(
                type=STRING,
                description="`crash`: the content is as after a power cut. `filesystem`: the file systems of the guest "
                "that has the volume are frozen meanwhile, by qemu-guest-agent. A change makes a new snapshot.",
                default="crash",
                checks=(one_of("crash", "filesystem"),),
                replace=True,
            ),
            "taken_at": Attribute(type=STRING, description="When it was taken (RFC 3339).", computed=True),
            "created_at": CREATED_AT,
        },
        "The content of a volume at one moment, in the storage cluster of the volume: it is no backup. Types whose "
        "volumes have snapshots say so in `andromede_volume_types`. A volume can be destroyed once it has none.",
    )

    def refine(self, plan: Plan) -> None:
        if plan.prior is None:
            return
        self.keep_same(plan, "volume", project_path(self.parent_of(plan.prior), "volumes"))
        if _are_same(plan.planned["expires_at"], plan.prior["expires_at"]):
            plan.keep("expires_at")

    def values(self, document: Document, like: Values) -> Values:
        given = like.get("expires_at")
        return super().values(document, like) | {
            "volume": refer(like.get("volume"), document["volume"]),
            "expires_at": given if _are_same(given, document["expires_at"]) else document["expires_at"],
        }


def _moment(text: str) -> datetime | None:
    """Return the moment of an RFC 3339 text; None: it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _complaint(text: Value) -> str | None:
    return None if _moment(text) else "It is a date and time with its offset, such as 2026-12-01T12:00:00Z."


def _are_same(given: Any, other: Any) -> bool:
    """Tell if both are the same moment. `given` may be unknown or null."""
    if not isinstance(given, str) or not isinstance(other, str):
        return False
    return _moment(given) is not None and _moment(given) == _moment(other)
