"""Instance settings: name, labels, size and rebuild."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import FormPage
from controlplane.dashboard.forms import ApiForm, NamedForm, initial_values
from controlplane.dashboard.views.create_base import CHOICES_MAX, by_name
from controlplane.dashboard.views.project.instance_create import sized
from controlplane.dashboard.views.project.instances import InstancePage, NameForm
from controlplane.dashboard.widgets import Cards, multiple_choice


class SettingsForm(NamedForm):
    restart_policy = forms.ChoiceField(
        label=_("On failure"), help_text=labels.WHEN_IT_FAILS, choices=list(labels.RESTART_POLICIES.items())
    )
    keep_root_volume = forms.BooleanField(label=_("Keep the root volume"), help_text=labels.KEEP_ROOT, required=False)

    def __init__(self, *args: Any, has_root_volume: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_root_volume:
            del self.fields["keep_root_volume"]


class InstanceSettings(FormPage, InstancePage):
    template = "dashboard/project/instances/settings.html"
    tab = "instance-settings"
    form_class = SettingsForm
    submit = _("Save")
    right = "instance_update"

    def initial(self) -> dict[str, Any]:
        present = {name: self.instance[name] for name in ("restart_policy", "keep_root_volume")}
        return initial_values(self.instance) | present

    def choices(self) -> dict[str, Any]:
        return {"has_root_volume": self.boot_volume is not None}

    def context(self) -> dict[str, Any]:
        return {
            "why_no_resize": self.why_no("resize"),
            "why_no_relocate": self.why_no("relocate"),
            "why_no_rebuild": self.why_no("rebuild"),
            "lost": self.lost(),
        }

    def send(self, form: ApiForm) -> str:
        self.save(self.instance, form, "projects", self.project["id"], "instances", self.instance["id"])
        return self.page_of("instance-settings")


class FlavorForm(ApiForm):
    flavor = forms.ChoiceField(label=_("New size"), widget=Cards)

    def __init__(self, *args: Any, flavors: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["flavor"].choices = flavors  # type: ignore[attr-defined]


class InstanceResize(FormPage, InstancePage):
    template = "dashboard/project/instances/resize.html"
    tab = "instance-settings"
    form_class = FlavorForm
    submit = _("Resize")
    right = "instance_resize"

    @cached_property
    def flavors(self) -> list[dict[str, Any]]:
        """Return the other flavors, smallest first; `problem` is the API's reason to refuse one."""
        flavors = self.api.get("flavors", limit=CHOICES_MAX)["items"]
        others = [each for each in flavors if each["id"] != self.instance["flavor"]]
        ordered = sorted(others, key=lambda each: (each["vcpus"], each["memory_mib"], each["disk_gib"]))
        is_possible = not self.why_no("resize")
        return [{**each, "problem": self.problem(each["id"]) if is_possible else None} for each in ordered]

    def problem(self, flavor: str) -> Mapping[str, Any] | None:
        path = ("projects", self.project["id"], "instances", self.instance["id"], "actions", "resize")
        try:
            self.api.post(*path, body={"flavor": flavor}, dry_run="true")
        except ApiError as exc:
            return exc.problem
        return None

    def choices(self) -> dict[str, Any]:
        return {"flavors": [(each["id"], sized(each)) for each in self.flavors if each["problem"] is None]}

    def context(self) -> dict[str, Any]:
        return {
            "refused_flavors": [each for each in self.flavors if each["problem"] is not None],
            "why": self.why_no("resize"),
            "back": self.page_of("instance-settings"),
        }

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.project["id"], "instances", self.instance["id"], "actions", "resize")
        self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Resize started."))
        return self.page_of("instance")


class RebuildForm(NameForm):
    image = forms.ChoiceField(label=_("Image"))
    ssh_keys = multiple_choice(_("SSH keys"), _("None selected: keep the current ones."))
    field_order = ("image", "ssh_keys", "name")

    def __init__(self, *args: Any, images: list[Any], keys: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["image"].choices = images  # type: ignore[attr-defined]
        self.fields["ssh_keys"].choices = keys  # type: ignore[attr-defined]

    def body(self) -> dict[str, Any]:
        return {name: value for name, value in super().body().items() if name != "name"}


class InstanceRebuild(FormPage, InstancePage):
    template = "dashboard/project/instances/rebuild.html"
    tab = "instance-settings"
    form_class = RebuildForm
    submit = _("Rebuild")
    right = "instance_rebuild"

    def choices(self) -> dict[str, Any]:
        images = self.get_in_project("images", sort="-created_at", limit=CHOICES_MAX)["items"]
        keys = self.get_in_project("ssh-keys", sort="name", limit=CHOICES_MAX)["items"]
        usable = by_name([image for image in images if image["state"] == "available"])
        return {"expected_name": self.instance["name"], "images": usable, "keys": by_name(keys)}

    def initial(self) -> dict[str, Any]:
        return {"image": self.instance["image"]["name"]}

    def context(self) -> dict[str, Any]:
        return {"why": self.why_no("rebuild"), "back": self.page_of("instance-settings")}

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.project["id"], "instances", self.instance["id"], "actions", "rebuild")
        self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Rebuild started."))
        return self.page_of("instance")
