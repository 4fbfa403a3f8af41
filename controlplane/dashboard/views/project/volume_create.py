"""Create a volume, with a preview of the possible zones."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Text
from controlplane.dashboard.forms import NAME_FIELD, TEXT, ApiForm
from controlplane.dashboard.views.create_base import CHOICES_MAX, CreatePage, DraftForm, by_name, unused_name
from controlplane.dashboard.views.project.instance_create import LOCAL, NOWHERE
from controlplane.dashboard.volume_type_texts import describe_type
from controlplane.dashboard.widgets import multiple_choice

SIZE_GIB = 10


class VolumeForm(DraftForm):
    name = forms.CharField(label=_("Name"), max_length=63, widget=forms.TextInput(attrs=NAME_FIELD))
    size_gib = forms.IntegerField(
        label=_("Size in GiB"), min_value=1, help_text=_("The volume can grow later but cannot shrink.")
    )
    volume_type = forms.ChoiceField(label=_("Type"))
    near_instance = forms.ChoiceField(
        label=_("On the node of an instance"),
        required=False,
        help_text=_("A local volume can only be attached to instances on its own node: select the instance."),
    )
    image = forms.ChoiceField(label=_("Image"), required=False, help_text=_("Initial content. None: empty volume."))
    snapshot = forms.ChoiceField(
        label=_("Snapshot"),
        required=False,
        help_text=_(
            "Initial content, in place of an image: at least its size, and a type in the same storage cluster."
        ),
    )
    zones = multiple_choice(_("Zones"), _("None selected: any zone that the policies admit."))
    classifications = multiple_choice(
        _("Classifications"),
        _("The policies of these classifications apply to the data of this volume for its lifetime."),
    )
    labels = forms.CharField(
        label=_("Labels"),
        help_text=_("One per line, such as env=prod"),
        required=False,
        widget=forms.Textarea(attrs=TEXT),
    )

    @property
    def simple(self) -> list[BoundField]:
        return [self[name] for name in ("name", "size_gib", "volume_type", "near_instance")]

    @property
    def folded(self) -> list[tuple[Text, list[BoundField], bool]]:
        """Return groups of optional fields: title, fields, and whether they are open because of values or errors."""
        groups = (
            (_("Source"), ("image", "snapshot")),
            (_("Placement"), ("zones",)),
            (_("Data classification"), ("classifications",)),
            (_("Labels"), ("labels",)),
        )
        return [
            (title, [self[name] for name in names], any(self[name].errors or self[name].value() for name in names))
            for title, names in groups
        ]


class VolumeCreate(CreatePage):
    template = "dashboard/project/create/form_page.html"
    title = _("Create volume")
    section = "volumes"
    form_class = VolumeForm
    submit = _("Create volume")
    kind = "volume"
    right = "volume_create"

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Volumes"), self.url("volumes"))]

    def context(self) -> dict[str, Any]:
        return {"back": self.url("volumes")}

    def send(self, form: ApiForm) -> str:
        page = super().send(form)
        self.notify(_("Volume creation started."))
        return page

    @cached_property
    def types(self) -> list[tuple[str, str]]:
        types = self.get_in_project("volume-types", limit=CHOICES_MAX)["items"]
        return [(each["id"], describe_type(each)) for each in types]

    def choices(self) -> dict[str, Any]:
        instances = self.get_in_project("instances", sort="name", limit=CHOICES_MAX)["items"]
        images = self.get_in_project("images", sort="name", limit=CHOICES_MAX)["items"]
        return {
            "offers": {
                "volume_type": self.types,
                "near_instance": [NOWHERE, *by_name([each for each in instances if each["zone"]])],
                "image": [NOWHERE, *by_name([each for each in images if each["state"] == "available"])],
                "snapshot": [NOWHERE, *by_name(self.snapshots)],
                "zones": self.zones(),
                "classifications": self.classifications(),
            }
        }

    def initial(self) -> dict[str, Any]:
        if self.request.method == "POST":
            return {}
        taken = {item["name"] for item in self.get_in_project("volumes", limit=CHOICES_MAX)["items"]}
        types = [name for name, _ in self.types]
        return {
            "name": unused_name("volume", taken),
            "size_gib": SIZE_GIB,
            "volume_type": LOCAL if LOCAL in types else next(iter(types), ""),
            **self.initial_of_snapshot(),
            **super().initial(),
        }

    @cached_property
    def snapshots(self) -> list[dict[str, Any]]:
        page = self.get_in_project("snapshots", state="available", sort="name", limit=CHOICES_MAX)
        snapshots: list[dict[str, Any]] = page["items"]
        return snapshots

    def initial_of_snapshot(self) -> dict[str, Any]:
        """Return the size and the type of the snapshot in the URL; empty: there is none."""
        chosen = next((each for each in self.snapshots if each["name"] == self.query("snapshot")), None)
        if chosen is None:
            return {}
        return {
            "size_gib": chosen["size_gib"],
            "volume_type": self.get_in_project("volumes", chosen["volume"]["id"])["volume_type"],
        }

    def size(self, body: Mapping[str, Any]) -> dict[str, int] | None:
        return {"disk_gib": body["size_gib"]} if "size_gib" in body else None

    def claims(self, body: Mapping[str, Any]) -> dict[str, int]:
        return {"volumes": 1, "storage_gib": body.get("size_gib", 0)}
