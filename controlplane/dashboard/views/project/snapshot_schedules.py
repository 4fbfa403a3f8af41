"""Snapshot schedules: list, creation, detail, edit, pause and deletion."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.base_views import Action, Context
from controlplane.dashboard.forms import NAME_FIELD, ApiForm, NamedForm, initial_values
from controlplane.dashboard.snapshot_schedule_texts import WEEKDAY_NAMES
from controlplane.dashboard.views.create_base import by_name
from controlplane.dashboard.views.crud import (
    CrudCreate,
    CrudDelete,
    CrudDetail,
    CrudEdit,
    CrudList,
    CrudPage,
    ResourceKind,
)
from controlplane.dashboard.views.project.instance_create import NOWHERE
from controlplane.dashboard.views.project.snapshots import VolumeChoices

SNAPSHOT_SCHEDULE = ResourceKind(
    "snapshot-schedules",
    "snapshot-schedule",
    "snapshot_schedule",
    {
        "many": _("Snapshot schedules"),
        "new": _("New snapshot schedule"),
        "none": _("No snapshot schedules yet"),
        "what": _(
            "A schedule takes snapshots of a volume, or of all volumes with certain labels, at regular times, and "
            "deletes the oldest ones that it took."
        ),
        "lost": _("The schedule is permanently deleted and takes no more snapshots."),
        "kept": _("The snapshots that it took stay, until they are deleted or expire."),
        "icon": "clock",
    },
)
SENT = ("selector", "frequency", "at", "timezone", "weekday", "day", "keep")


class SnapshotScheduleForm(NamedForm):
    volume = forms.ChoiceField(label=_("Volume"), required=False, help_text=_("Either a volume, or a selector."))
    selector = forms.CharField(
        label=_("Selector"),
        help_text=_("Labels of the volumes, such as env=prod. Volumes that cannot have snapshots are left out."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    frequency = forms.ChoiceField(label=_("Frequency"), choices=list(labels.FREQUENCIES.items()), initial="daily")
    at = forms.CharField(
        label=_("At"),
        help_text=_("Of an hourly schedule, only the minutes count."),
        initial="02:00",
        widget=forms.TextInput(attrs={"type": "time"}),
    )
    timezone = forms.CharField(
        label=_("Time zone"),
        help_text=_("A name of the IANA database, such as Europe/Paris or UTC."),
        initial="UTC",
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    weekday = forms.ChoiceField(
        label=_("Day of the week"),
        help_text=_("Of a weekly schedule."),
        choices=[NOWHERE, *WEEKDAY_NAMES.items()],
        required=False,
    )
    day = forms.IntegerField(
        label=_("Day of the month"), help_text=_("Of a monthly schedule: 1 to 28."), required=False, min_value=1
    )
    keep = forms.IntegerField(
        label=_("Snapshots to keep"),
        help_text=_("Of each volume. Older ones that the schedule took are deleted."),
        min_value=1,
        initial=7,
    )
    field_order = ("name", "volume", *SENT, "labels")

    def __init__(self, *args: Any, volumes: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["volume"].choices = [NOWHERE, *volumes]  # type: ignore[attr-defined]

    def body(self) -> Context:
        """Return the fields that go with the frequency."""
        body = super().body()
        frequency, at = body["frequency"], body["at"]
        others = {"weekly": "day", "monthly": "weekday"}
        for name in (others[frequency],) if frequency in others else ("weekday", "day"):
            body.pop(name, None)
        return body | ({"at": f"00:{at.partition(':')[2]}"} if frequency == "hourly" else {})


class SnapshotScheduleList(CrudList):
    noun = SNAPSHOT_SCHEDULE
    template = "dashboard/project/snapshot_schedules/list.html"


class SnapshotScheduleDetail(CrudDetail):
    noun = SNAPSHOT_SCHEDULE
    live = "snapshot_schedule"
    template = "dashboard/project/snapshot_schedules/detail.html"


class SnapshotScheduleCreate(VolumeChoices, CrudCreate):
    noun = SNAPSHOT_SCHEDULE
    form_class = SnapshotScheduleForm

    def choices(self) -> Context:
        return {"volumes": by_name(self.volumes)}


class SnapshotScheduleEdit(VolumeChoices, CrudEdit):
    noun = SNAPSHOT_SCHEDULE
    form_class = SnapshotScheduleForm

    @property
    def volume(self) -> str | None:
        return self.thing["volume"] and str(self.thing["volume"]["name"])

    def choices(self) -> Context:
        """Return the volumes, also that of the schedule, whatever its state."""
        own = [(self.volume, self.volume)] if self.volume else []
        return {"volumes": list(dict.fromkeys([*by_name(self.volumes), *own]))}

    def initial(self) -> Context:
        return initial_values(self.thing) | {name: self.thing[name] for name in SENT} | {"volume": self.volume}

    def send(self, form: ApiForm) -> str:
        self.save(self.thing | {"volume": self.volume}, form, *self.path())
        return self.at()


class SnapshotSchedulePause(Action, CrudPage):
    noun = SNAPSHOT_SCHEDULE
    verb = "update"
    done = _("The schedule is paused.")
    is_paused = True

    def perform(self) -> None:
        self.api.patch(*self.path(), body={"is_paused": self.is_paused})

    def back(self) -> str:
        return self.at()


class SnapshotScheduleResume(SnapshotSchedulePause):
    done = _("The schedule is active again, from its next time on.")
    is_paused = False


class SnapshotScheduleDelete(CrudDelete):
    noun = SNAPSHOT_SCHEDULE
