"""Snapshots of the disks of an instance at one moment."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context, FormPage, Text
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.create_base import CHOICES_MAX, unused_name
from controlplane.dashboard.views.project.instances import InstancePage
from controlplane.dashboard.views.project.snapshots import SnapshotForm, VolumeChoices

CRASH, FILESYSTEM = "crash", "filesystem"
OFF = _(
    "The instance is off. File systems are refused unless a shutdown was the last change of the instance and its "
    "disks; else start it and shut it down first."
)


class InstanceSnapshotForm(SnapshotForm):
    """`why_not_filesystem`: empty if the consistency may be had now. `is_off`: only after a shutdown of the guest."""

    consistency = forms.ChoiceField(
        label=_("Consistency"),
        choices=[(CRASH, _("crash: as after a power cut")), (FILESYSTEM, _("file systems: frozen by the guest agent"))],
        widget=forms.RadioSelect,
    )
    volumes = forms.MultipleChoiceField(
        label=_("Disks"),
        help_text=_("All snapshots are of one moment. Disks that cannot have snapshots are not listed."),
        widget=forms.CheckboxSelectMultiple,
    )
    field_order = ("name", "consistency", "volumes", "expires_at", "labels")

    def __init__(
        self, *args: Any, disks: list[tuple[str, str]], why_not_filesystem: Text, is_off: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["volumes"].choices = disks  # type: ignore[attr-defined]
        if why_not_filesystem:
            self.fields["consistency"].choices = self.fields["consistency"].choices[:1]  # type: ignore[attr-defined]
            self.fields["consistency"].help_text = str(why_not_filesystem)
        elif is_off:
            self.fields["consistency"].help_text = str(OFF)


class InstanceSnapshot(FormPage, InstancePage, VolumeChoices):
    template = "dashboard/forms/page.html"
    title = _("Take snapshots")
    form_class = InstanceSnapshotForm
    submit = _("Take snapshots")
    right = "instance_snapshot"

    def disks(self) -> list[tuple[str, str]]:
        """Return the disks that can have snapshots."""
        can = {each["id"] for each in self.volumes}
        attached = [each["volume"] for each in self.instance["attachments"]]
        return [(each["id"], each["name"]) for each in attached if each["id"] in can]

    def choices(self) -> Context:
        is_off = self.instance["power_state"] == "off"
        return {"disks": self.disks(), "why_not_filesystem": self.why_not_filesystem(), "is_off": is_off}

    def why_not_filesystem(self) -> Text:
        """Return why the consistency `filesystem` cannot be had now; empty if it may be."""
        if self.instance["power_state"] == "off" or self.instance["guest_agent"] == "connected":
            return ""
        if self.instance["state"] == "stopped":
            return _("The guest did not shut down. Start the instance and shut it down first.")
        return _(
            "File systems cannot be frozen: no guest agent is connected. Install qemu-guest-agent in the instance and "
            "start it."
        )

    def initial(self) -> Context:
        taken = {each["name"] for each in self.get_in_project("snapshots", limit=CHOICES_MAX)["items"]}
        disks = [disk for disk, _name in self.disks()]
        return {"name": unused_name("snapshot", taken), "consistency": CRASH, "volumes": disks, **super().initial()}

    def context(self) -> Context:
        lead = _(
            "All snapshots have the content of one moment, for which the guest is frozen or paused: less than a second."
        )
        return {"lead": lead, "obstacle": self.why_no("snapshot"), "back": self.page_of("instance-volumes")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.instance["name"], self.page_of("instance"))]

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.project["id"], "instances", self.instance["id"], "actions", "snapshot")
        taken = self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Taking the snapshots."))
        return f"{self.url('snapshots')}?group={taken['group']}"
