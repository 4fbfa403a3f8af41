"""Snapshots of volumes: list, creation, detail, edit, deletion, and the revert of the volume to one."""

from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Context, FormPage, ProjectPage, Text, is_correctable
from controlplane.dashboard.forms import ApiForm, NamedForm, initial_values
from controlplane.dashboard.views.create_base import CHOICES_MAX, by_name, unused_name
from controlplane.dashboard.views.project.instances import FILTERS, ListPage, NameForm
from controlplane.dashboard.volume_type_texts import types_with_snapshots

STATES = ("building", "available", "error")
USABLE = ("available", "in-use")


class SnapshotList(ListPage):
    template = "dashboard/project/snapshots/list.html"
    title = _("Snapshots")
    section = "snapshots"
    live = "snapshot operation"
    collection = "snapshots"
    states = STATES
    filters = (*FILTERS, "volume", "group")

    def context(self) -> Context:
        context = super().context()
        if context["snapshots"] or context["is_filtered"]:
            return context
        return context | {
            "types": types_with_snapshots(self.get_in_project("volume-types", limit=CHOICES_MAX)["items"])
        }


class SnapshotForm(NamedForm):
    expires_at = forms.DateTimeField(
        label=_("Delete at"),
        help_text=_("Date and time (UTC). Leave empty to keep the snapshot until it is deleted."),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    field_order: tuple[str, ...] = ("name", "expires_at", "labels")

    def body(self) -> Context:
        body = super().body()
        body.pop("expires_at", None)
        if "expires_at" not in self.changed_data:
            return body
        expires_at = self.cleaned_data["expires_at"]
        return body | {"expires_at": expires_at and expires_at.isoformat()}


class SnapshotCreateForm(SnapshotForm):
    volume = forms.ChoiceField(
        label=_("Volume"), help_text=_("Volumes that can have snapshots. An instance can use the volume meanwhile.")
    )
    field_order = ("volume", "name", "expires_at", "labels")

    def __init__(self, *args: Any, volumes: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["volume"].choices = volumes  # type: ignore[attr-defined]


class VolumeChoices(ProjectPage):
    """A page whose form has the volumes that can have snapshots."""

    @cached_property
    def types(self) -> list[Context]:
        types: list[Context] = self.get_in_project("volume-types", limit=CHOICES_MAX)["items"]
        return types

    @cached_property
    def volumes(self) -> list[Context]:
        """Return the volumes that can have snapshots: a retired type is not among those of the project."""
        without = {each["id"] for each in self.types if not each["has_snapshots"]}
        volumes = self.get_in_project("volumes", sort="name", limit=CHOICES_MAX)["items"]
        return [each for each in volumes if each["state"] in USABLE and each["volume_type"] not in without]


class SnapshotCreate(FormPage, VolumeChoices):
    template = "dashboard/forms/page.html"
    title = _("Take snapshot")
    section = "snapshots"
    form_class = SnapshotCreateForm
    submit = _("Take snapshot")
    right = "snapshot_create"

    def choices(self) -> Context:
        return {"volumes": by_name(self.volumes)}

    def initial(self) -> Context:
        taken = {each["name"] for each in self.get_in_project("snapshots", limit=CHOICES_MAX)["items"]}
        return {"name": unused_name("snapshot", taken), **super().initial()}

    def context(self) -> Context:
        lead = _("The snapshot keeps the content that the volume has at this moment. The volume is not interrupted.")
        return {"lead": lead, "obstacle": self.obstacle(), "back": self.url("snapshots")}

    def obstacle(self) -> Text:
        """Return why no snapshot can be taken; empty if one can."""
        if wanted := self.query("volume"):
            allowed = self.get_in_project("volumes", wanted)["allowed_actions"]
            problem = next(each["problem"] for each in allowed if each["name"] == "snapshot")
            return str(problem["detail"]) if problem else ""
        if self.volumes:
            return ""
        text = _("No volume of the project can have snapshots. Volume types whose volumes can: {types}.")
        return text.format(types=types_with_snapshots(self.types))

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Snapshots"), self.url("snapshots"))]

    def send(self, form: ApiForm) -> str:
        created = self.api.post("projects", self.project["id"], "snapshots", body=form.body(), key=self.key)
        self.notify(_("Taking the snapshot."))
        return self.url("snapshot", snapshot=created["id"])


class SnapshotPage(ProjectPage):
    section = "snapshots"
    live = "snapshot volume operation"

    @cached_property
    def snapshot(self) -> Context:
        snapshot: Context = self.get_in_project("snapshots", self.kwargs["snapshot"])
        return snapshot

    @cached_property
    def volume(self) -> Context:
        """Return the volume, which exists as long as the snapshot does."""
        volume: Context = self.get_in_project("volumes", self.snapshot["volume"]["id"])
        return volume

    def path(self) -> tuple[str, ...]:
        return ("projects", self.project["id"], "snapshots", self.snapshot["id"])

    def page_of(self, name: str) -> str:
        return self.url(name, snapshot=self.snapshot["id"])

    def why_no(self, action: str) -> str:
        """Return why the API would refuse the action now; empty if it would not."""
        problem = next(each["problem"] for each in self.snapshot["allowed_actions"] if each["name"] == action)
        return problem["detail"] if problem else ""

    def layout_context(self) -> Context:
        return super().layout_context() | {"snapshot": self.snapshot, "title": self.snapshot["name"]}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Snapshots"), self.url("snapshots"))]


class SnapshotDetail(SnapshotPage):
    template = "dashboard/project/snapshots/detail.html"

    def context(self) -> Context:
        return {
            "volume": self.volume,
            "residency": self.residency(),
            "new_volume": f"{self.url('volume-create')}?{urlencode({'snapshot': self.snapshot['name']})}",
            "why_no_volume": self.why_no("create-volume"),
            "new_image": self.page_of("image-of-snapshot"),
            "why_no_image": self.why_no("image"),
            "why_no_revert": self.why_no("revert"),
            "why_no_delete": self.why_no("delete"),
        }

    def residency(self) -> Context:
        """Return the locations of the snapshot: none before it has a permit."""
        try:
            residency: Context = self.api.get("resources", self.snapshot["id"], "residency")
        except ApiError as exc:
            if exc.status != 404:
                raise
            return {"intervals": [], "problems": []}
        return residency


class SnapshotEdit(FormPage, SnapshotPage):
    template = "dashboard/forms/page.html"
    form_class = SnapshotForm
    submit = _("Save")
    right = "snapshot_update"

    def initial(self) -> Context:
        expires_at = self.snapshot["expires_at"]
        # The field has no seconds, and an unchanged field is not sent.
        minute = datetime.fromisoformat(expires_at).replace(second=0, microsecond=0) if expires_at else None
        return initial_values(self.snapshot) | {"expires_at": minute}

    def context(self) -> Context:
        return {"title": _("Edit {name}").format(name=self.snapshot["name"]), "back": self.page_of("snapshot")}

    def send(self, form: ApiForm) -> str:
        self.save(self.snapshot, form, *self.path())
        return self.page_of("snapshot")


class RevertForm(NameForm):
    name = forms.CharField(
        label=_("Type the name of the volume to confirm"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class SnapshotRevert(FormPage, SnapshotPage):
    """Revert the volume to the snapshot; the API's dry run says what is lost."""

    template = "dashboard/project/snapshots/revert.html"
    form_class = RevertForm
    submit = _("Revert volume")
    right = "volume_revert"

    def revert_path(self) -> tuple[str, ...]:
        return ("projects", self.project["id"], "volumes", self.snapshot["volume"]["id"], "actions", "revert")

    def choices(self) -> Context:
        return {"expected_name": self.snapshot["volume"]["name"]}

    def context(self) -> Context:
        plan, why = None, ""
        try:
            plan = self.api.preview(*self.revert_path(), body={"snapshot": self.snapshot["id"]})
        except ApiError as exc:
            if not is_correctable(exc):
                raise
            why = str(exc.problem.get("detail", exc.code))
        title = _("Revert {volume} to {snapshot}")
        return {
            "title": title.format(volume=self.snapshot["volume"]["name"], snapshot=self.snapshot["name"]),
            "plan": plan,
            "why": why,
            "back": self.page_of("snapshot"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.post(*self.revert_path(), body={"snapshot": self.snapshot["id"]}, key=self.key)
        self.notify(_("Reverting the volume."))
        return self.url("volume", volume=self.snapshot["volume"]["id"])


class SnapshotDelete(FormPage, SnapshotPage):
    template = "dashboard/shared/confirm.html"
    form_class = NameForm
    submit = _("Delete")
    right = "snapshot_delete"

    def choices(self) -> Context:
        return {"expected_name": self.snapshot["name"]}

    def context(self) -> Context:
        return {
            "title": _("Delete {name}").format(name=self.snapshot["name"]),
            "lost": _("The snapshot is permanently deleted. The volume can no longer be reverted to it."),
            "kept": _("The volume keeps its present content, and volumes that were made from the snapshot stay."),
            "back": self.page_of("snapshot"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete(*self.path())
        self.notify(_("Deletion started."))
        return self.url("snapshots")
