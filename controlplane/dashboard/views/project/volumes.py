"""Volumes: list, detail tabs, snapshots, growth, change of type and deletion."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Context, FormPage, ProjectPage, Text, is_correctable
from controlplane.dashboard.forms import ApiForm, NamedForm, initial_values
from controlplane.dashboard.views.create_base import CHOICES_MAX
from controlplane.dashboard.views.project.instances import ListPage, NameForm
from controlplane.dashboard.volume_type_texts import describe_type
from controlplane.dashboard.zone_verdicts import verdicts

STATES = ("building", "available", "in-use", "error")
HAS_SNAPSHOTS, UNSUPPORTED = "storage.volume.has_snapshots", "storage.volume.snapshots_unsupported"
BUSY = _("an operation is in progress; wait until it has ended")
TABS = (
    ("volume", _("Overview")),
    ("volume-snapshots", _("Snapshots")),
    ("volume-placement", _("Placement and residency")),
    ("volume-activity", _("Activity")),
    ("volume-settings", _("Settings")),
)


class VolumeList(ListPage):
    template = "dashboard/project/volumes/list.html"
    title = _("Volumes")
    section = "volumes"
    live = "volume operation"
    collection = "volumes"
    states = STATES


class VolumePage(ProjectPage):
    section = "volumes"
    live = "volume operation"
    tab = ""

    @cached_property
    def volume(self) -> dict[str, Any]:
        volume: dict[str, Any] = self.get_in_project("volumes", self.kwargs["volume"])
        return volume

    def page_of(self, name: str) -> str:
        return self.url(name, volume=self.volume["id"])

    def layout_context(self) -> dict[str, Any]:
        tabs = [(name, words, self.page_of(name)) for name, words in TABS]
        more = {"volume": self.volume, "title": self.volume["name"], "tabs": tabs, "tab": self.tab}
        reasons = {"why_no_delete": self.why_no_delete(), "why_no_image": self.problem_of("image").get("detail", "")}
        return super().layout_context() | more | reasons

    def why_no_delete(self) -> Text:
        if self.volume["instance"]:
            return _("attached; detach it first")
        if self.problem_of("delete").get("code") == HAS_SNAPSHOTS:
            return _("has snapshots; delete them first")
        return BUSY if self.volume["current_operation"] else ""

    def problem_of(self, action: str) -> Mapping[str, Any]:
        """Return the error that the action would give now; empty if none."""
        problems = {each["name"]: each["problem"] for each in self.volume["allowed_actions"]}
        return problems[action] or {}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Volumes"), self.url("volumes"))]


class VolumeOverview(VolumePage):
    template = "dashboard/project/volumes/detail.html"
    tab = "volume"

    def context(self) -> dict[str, Any]:
        return {"source": self.source()}

    def source(self) -> dict[str, Any] | None:
        """Return the snapshot that the volume was made from; None: there is none, or it was deleted."""
        if self.volume["snapshot"] is None:
            return None
        try:
            snapshot: dict[str, Any] = self.get_in_project("snapshots", self.volume["snapshot"])
        except ApiError as exc:
            if exc.status != 404:
                raise
            return None
        return snapshot


class VolumeSnapshots(VolumePage):
    template = "dashboard/project/volumes/snapshots.html"
    tab = "volume-snapshots"
    live = "volume snapshot operation"

    def context(self) -> dict[str, Any]:
        page = self.get_in_project(
            "snapshots", volume=self.volume["id"], sort="-created_at", page_token=self.query("page_token")
        )
        problem = self.problem_of("snapshot")
        return {
            "snapshots": page["items"],
            "next_page_token": page["next_page_token"],
            "create": f"{self.url('snapshot-create')}?{urlencode({'volume': self.volume['name']})}",
            "why": problem.get("detail", ""),
            "is_unsupported": problem.get("code") == UNSUPPORTED,
            "schedules": self.get_in_project("snapshot-schedules", volume=self.volume["name"], sort="name")["items"],
            "new_schedule": f"{self.url('snapshot-schedule-new')}?{urlencode({'volume': self.volume['name']})}",
        }


class VolumePlacement(VolumePage):
    template = "dashboard/project/volumes/placement.html"
    tab = "volume-placement"

    def context(self) -> dict[str, Any]:
        residency = self.api.get("resources", self.volume["id"], "residency")
        decision = self.decision(residency["intervals"])
        return {
            "decision": decision,
            "zones": verdicts(decision["document"]) if decision else [],
            "residency": residency,
            "chosen": self.volume["zone"],
        }

    def decision(self, intervals: list[dict[str, Any]]) -> Any:
        """Return the placement decision of the volume."""
        of_disk = [each["decision"] for each in intervals if each["role"] == "storage" and each["decision"]]
        try:
            return self.get_in_project("decisions", of_disk[-1]) if of_disk else None
        except ApiError as exc:
            if exc.status != 404:
                raise
            return None


class VolumeActivity(VolumePage):
    template = "dashboard/project/volumes/activity.html"
    tab = "volume-activity"

    def context(self) -> dict[str, Any]:
        page = self.get_in_project(
            "operations", resource=self.volume["id"], sort="-created_at", page_token=self.query("page_token")
        )
        return {"operations": page["items"], "next_page_token": page["next_page_token"]}


class VolumeSettings(FormPage, VolumePage):
    template = "dashboard/project/volumes/settings.html"
    tab = "volume-settings"
    form_class = NamedForm
    submit = _("Save")
    right = "volume_update"

    def initial(self) -> dict[str, Any]:
        return initial_values(self.volume)

    def context(self) -> dict[str, Any]:
        return {"why_no_relocate": self.problem_of("relocate").get("detail", "")}

    def send(self, form: ApiForm) -> str:
        self.save(self.volume, form, "projects", self.project["id"], "volumes", self.volume["id"])
        return self.page_of("volume-settings")


class GrowForm(ApiForm):
    size_gib = forms.IntegerField(label=_("New size in GiB"), min_value=1)


class VolumeGrow(FormPage, VolumePage):
    template = "dashboard/project/volumes/grow.html"
    tab = "volume-settings"
    form_class = GrowForm
    submit = _("Grow")
    right = "volume_grow"

    def initial(self) -> dict[str, Any]:
        return {"size_gib": self.volume["size_gib"] + 1}

    def context(self) -> dict[str, Any]:
        limits = {limit["dimension"]: limit for limit in self.get_in_project("limits")["items"]}
        why = BUSY if self.volume["current_operation"] else ""
        return {"left": limits.get("storage_gib"), "why": why, "back": self.page_of("volume-settings")}

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.project["id"], "volumes", self.volume["id"], "actions", "grow")
        self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Growing the volume."))
        return self.page_of("volume")


class RetypeForm(ApiForm):
    volume_type = forms.ChoiceField(label=_("Type"))
    max_mb_per_s = forms.IntegerField(
        label=_("Limit of the copy, in MB/s"),
        required=False,
        min_value=1,
        help_text=_("For a type in another place. Without it there is no limit."),
    )

    def __init__(self, *args: Any, types: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["volume_type"]).choices = types


class VolumeRetype(FormPage, VolumePage):
    """Change the type; the button "Check" shows the effect, by a dry run of the API."""

    template = "dashboard/project/volumes/retype.html"
    tab = "volume-settings"
    form_class = RetypeForm
    submit = _("Change type")
    right = "volume_retype"
    plan: Context | None = None

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        if "check" not in request.POST:
            return super().post(request, **path)
        form = self.form(request.POST)
        if form.is_valid():
            self.check(form)
        return self.render_form(form)

    def check(self, form: ApiForm) -> None:
        try:
            self.plan = self.api.preview(*self.retype_path(), body=form.body())
        except ApiError as exc:
            if not is_correctable(exc):
                raise
            form.show_problem(exc.problem)

    def retype_path(self) -> tuple[str, ...]:
        return ("projects", self.project["id"], "volumes", self.volume["id"], "actions", "retype")

    def choices(self) -> dict[str, Any]:
        """Return all types; those of another place than the volume's tell what is moved."""
        types = self.get_in_project("volume-types", limit=CHOICES_MAX)["items"]
        pools = {each["id"]: each["pool"] for each in types}
        pool = pools.get(self.volume["volume_type"])
        return {"types": [(each["id"], self._described(each, pool)) for each in types]}

    def _described(self, volume_type: dict[str, Any], pool: str | None) -> str:
        text = describe_type(volume_type)
        if pool in (None, volume_type["pool"]) or not self.volume["zone"]:
            return text
        return _("{type}. Moves {size} GiB there").format(type=text, size=self.volume["size_gib"])

    def initial(self) -> dict[str, Any]:
        return {"volume_type": self.volume["volume_type"]}

    def context(self) -> dict[str, Any]:
        why = BUSY if self.volume["current_operation"] else ""
        return {"why": why, "plan": self.plan, "back": self.page_of("volume-settings")}

    def send(self, form: ApiForm) -> str:
        self.api.post(*self.retype_path(), body=form.body(), key=self.key)
        self.notify(_("Changing the type of the volume."))
        return self.page_of("volume")


class VolumeDelete(FormPage, VolumePage):
    template = "dashboard/shared/confirm.html"
    form_class = NameForm
    submit = _("Delete")
    right = "volume_delete"

    def choices(self) -> dict[str, Any]:
        return {"expected_name": self.volume["name"]}

    def context(self) -> dict[str, Any]:
        return {
            "title": _("Delete {name}").format(name=self.volume["name"]),
            "lost": _("All data on the volume is permanently erased."),
            "back": self.page_of("volume"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("projects", self.project["id"], "volumes", self.volume["id"])
        self.notify(_("Deletion started."))
        return self.url("volumes")
