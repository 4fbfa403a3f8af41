"""andromede_snapshot_schedule."""

import re

from clients.terraform.cloud import Document, project_path
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute, one_of, refer
from clients.terraform.runtime.provider import Plan, Work
from clients.terraform.runtime.schema import BOOL, NUMBER, STRING, Attribute, Schema
from clients.terraform.runtime.values import Value, Values

TIME = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")
OF_FREQUENCY = ("weekday", "day")


class SnapshotScheduleResource(ApiResource):
    name, kind, noun = "snapshot_schedule", "snapshot-schedules", "snapshot schedule"
    patched = ("name", "selector", "frequency", "at", "timezone", *OF_FREQUENCY, "keep", "is_paused", "labels")
    sent = ("volume", *patched)
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "volume": Attribute(
                type=STRING,
                description="The id or name of the volume; either this or `selector`. A change makes a new schedule.",
                optional=True,
                replace=True,
            ),
            "selector": Attribute(
                type=STRING,
                description="Labels of the volumes, such as `env=prod`; either this or `volume`.",
                default="",
            ),
            "frequency": Attribute(
                type=STRING,
                description="`hourly`, `daily`, `weekly` or `monthly`.",
                required=True,
                checks=(one_of("hourly", "daily", "weekly", "monthly"),),
            ),
            "at": Attribute(
                type=STRING,
                description="The local time, such as `02:30`; hourly: the minute, as in `00:15`.",
                required=True,
                checks=(lambda text: _complaint(text),),
            ),
            "timezone": Attribute(
                type=STRING, description="A name of the IANA database, such as `Europe/Paris`.", default="UTC"
            ),
            "weekday": Attribute(
                type=STRING, description="The day of a weekly schedule, such as `monday`.", optional=True
            ),
            "day": Attribute(
                type=NUMBER, description="The day of the month of a monthly schedule, 1 to 28.", optional=True
            ),
            "keep": Attribute(
                type=NUMBER,
                description="The newest snapshots of each volume that are kept; older ones that it took are deleted.",
                default=7,
            ),
            "is_paused": Attribute(type=BOOL, description="It takes no snapshots.", default=False),
            "labels": LABELS,
            "created_at": CREATED_AT,
        },
        "Snapshots at regular times, of one volume or of all with certain labels. Those that it took stay when it is "
        "destroyed, and a volume cannot be destroyed while it has any.",
    )

    def refine(self, plan: Plan) -> None:
        if plan.prior is not None:
            self.keep_same(plan, "volume", project_path(self.parent_of(plan.prior), "volumes"))

    def patch(self, work: Work) -> Document:
        """Return the changes: another frequency ends the former weekday and day."""
        changes = super().patch(work)
        return {name: value for name, value in changes.items() if value is not None or name not in OF_FREQUENCY}

    def values(self, document: Document, like: Values) -> Values:
        return super().values(document, like) | {"volume": refer(like.get("volume"), document["volume"])}


def _complaint(text: Value) -> str | None:
    return None if TIME.fullmatch(text) else "It is hours and minutes, such as 02:30."
