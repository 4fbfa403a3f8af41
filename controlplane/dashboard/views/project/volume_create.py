"""A volume is made: where it may be is shown while one fills in the form."""

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
from controlplane.dashboard.widgets import multiple_choice

SIZE_GIB = 10


class VolumeForm(DraftForm):
    name = forms.CharField(label=_("Name"), max_length=63, widget=forms.TextInput(attrs=NAME_FIELD))
    size_gib = forms.IntegerField(label=_("Size in GiB"), min_value=1, help_text=_("It can grow later, never shrink."))
    volume_type = forms.ChoiceField(label=_("Type"))
    near_instance = forms.ChoiceField(
        label=_("Beside an instance"),
        required=False,
        help_text=_("A local volume can be attached only to instances on its own machine: choose the one it is for."),
    )
    image = forms.ChoiceField(label=_("Image"), required=False, help_text=_("What it begins with; none: empty."))
    zones = multiple_choice(_("Zones"), _("None ticked: any that the policies admit."))
    classifications = multiple_choice(
        _("Classifications"), _("What they demand holds for the data of this volume as long as it exists.")
    )
    labels = forms.CharField(
        label=_("Labels"), help_text=_("One a line: env=prod"), required=False, widget=forms.Textarea(attrs=TEXT)
    )

    @property
    def simple(self) -> list[BoundField]:
        return [self[name] for name in ("name", "size_gib", "volume_type", "near_instance")]

    @property
    def folded(self) -> list[tuple[Text, list[BoundField], bool]]:
        """Title, fields, and whether they are to be seen: something stands in them, or is wrong with it."""
        groups = (
            (_("What it begins with"), ("image",)),
            (_("Where it may be"), ("zones",)),
            (_("What its data is"), ("classifications",)),
            (_("Labels"), ("labels",)),
        )
        return [
            (title, [self[name] for name in names], any(self[name].errors or self[name].value() for name in names))
            for title, names in groups
        ]


class VolumeCreate(CreatePage):
    template = "dashboard/project/create/form_page.html"
    title = _("Create a volume")
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
        self.notify(_("It is being made: you see here what becomes of it."))
        return page

    @cached_property
    def types(self) -> list[tuple[str, str]]:
        types = self.api.get("volume-types", limit=CHOICES_MAX)["items"]
        return [(each["id"], f"{each['id']}: {each['description']}") for each in types]

    def choices(self) -> dict[str, Any]:
        instances = self.get_in_project("instances", sort="name", limit=CHOICES_MAX)["items"]
        images = self.get_in_project("images", sort="name", limit=CHOICES_MAX)["items"]
        return {
            "offers": {
                "volume_type": self.types,
                "near_instance": [NOWHERE, *by_name([each for each in instances if each["zone"]])],
                "image": [NOWHERE, *by_name([each for each in images if each["state"] == "available"])],
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
            **super().initial(),
        }

    def size(self, body: Mapping[str, Any]) -> dict[str, int] | None:
        return {"disk_gib": body["size_gib"]} if "size_gib" in body else None

    def claims(self, body: Mapping[str, Any]) -> dict[str, int]:
        return {"volumes": 1, "storage_gib": body.get("size_gib", 0)}
