"""Routes of snapshot schedules."""

from datetime import time

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.snapshot_schedules.schemas import (
    SnapshotScheduleIn,
    SnapshotScheduleOut,
    SnapshotSchedulePatch,
)
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, labelled, referring
from controlplane.kernel.views import Body, created, route
from controlplane.storage import snapshot_schedules as services
from controlplane.storage.models import SnapshotSchedule, Volume
from controlplane.storage.schedule_times import ScheduleTimes
from controlplane.storage.selectors import snapshot_schedule_get, snapshot_schedules, volume_get
from controlplane.storage.snapshot_schedules import ScheduleSpec

SCHEDULES = Listing(
    {
        "name": exactly("name", "The schedule of this name."),
        "volume": referring("volume", "The schedules of this volume, by id or name."),
        "created_after": created_after(),
        "labels": labelled(),
    }
)


class ScheduleView(ProjectView):
    def volume(self, ref: str | None) -> Volume | None:
        return self.named(volume_get, ref, at="volume") if ref else None


class SnapshotScheduleList(ScheduleView):
    @route("snapshot_schedule_list", SnapshotScheduleOut, listing=SCHEDULES)
    def get(self, request: Request) -> Response:
        return SCHEDULES.page(request, snapshot_schedules(self.actor, self.project)).answer(SnapshotScheduleOut)

    @route("snapshot_schedule_create", SnapshotScheduleOut, body=SnapshotScheduleIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        spec = ScheduleSpec(
            name=body["name"],
            times=_times(body),
            keep=body["keep"],
            volume=self.volume(body.get("volume")),
            selector=body["selector"],
            is_paused=body["is_paused"],
            labels=body["labels"],
        )
        schedule = services.snapshot_schedule_create(self.actor, self.project, spec)
        return created(SnapshotScheduleOut(schedule).data, request=request)


class SnapshotScheduleDetail(ScheduleView):
    def schedule(self) -> SnapshotSchedule:
        return snapshot_schedule_get(self.actor, self.project, self.kwargs["snapshot_schedule"])

    def versioned(self) -> SnapshotSchedule:
        return self.schedule()

    @route("snapshot_schedule_get", SnapshotScheduleOut)
    def get(self, request: Request) -> Response:
        return Response(SnapshotScheduleOut(self.schedule()).data)

    @route("snapshot_schedule_update", SnapshotScheduleOut, body=SnapshotSchedulePatch)
    def patch(self, request: Request, body: Body) -> Response:
        schedule = self.schedule()
        schedule = services.snapshot_schedule_update(self.actor, schedule, self._changed(schedule, body))
        return Response(SnapshotScheduleOut(schedule).data)

    @route("snapshot_schedule_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.snapshot_schedule_delete(self.actor, self.schedule())
        return Response(status=204)

    def _changed(self, schedule: SnapshotSchedule, body: Body) -> ScheduleSpec:
        """Return the schedule with the changes: of `volume` and `selector`, the one that is given replaces both."""
        present = services.spec_of(schedule)
        is_of_other = "volume" in body or "selector" in body
        return ScheduleSpec(
            name=body.get("name", present.name),
            times=_changed_times(present.times, body),
            keep=body.get("keep", present.keep),
            volume=self.volume(body.get("volume")) if is_of_other else present.volume,
            selector=body.get("selector", "") if is_of_other else present.selector,
            is_paused=body.get("is_paused", present.is_paused),
            labels=merge_labels(present.labels, body.get("labels", {})),
        )


def _changed_times(present: ScheduleTimes, body: Body) -> ScheduleTimes:
    """Return the times with the given changes: another frequency has a weekday and a day of its own, or none."""
    fields: dict[str, object] = {"frequency": present.frequency, "timezone": present.timezone}
    fields["at"] = present.at.isoformat("minutes")
    if body.get("frequency", present.frequency) == present.frequency:
        fields |= {"weekday": present.weekday or None, "day": present.day or None}
    return _times(fields | body)


def _times(body: Body) -> ScheduleTimes:
    return services.schedule_times(
        frequency=body["frequency"],
        at=time.fromisoformat(body["at"]),
        timezone=body["timezone"],
        weekday=body.get("weekday"),
        day=body.get("day"),
    )
