"""The volumes of an instance: list, attach, detach."""

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Action, FormPage
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.templatetags.dashboard import gib
from controlplane.dashboard.views.create_base import unused_name
from controlplane.dashboard.views.project.instances import CHOICES_MAX, InstancePage

MADE_WITHIN = "20s"


class AttachForm(ApiForm):
    volume = forms.ChoiceField(
        label=_("Volume"), help_text=_("Detached volumes in the zone of the instance, or without a place yet.")
    )
    is_read_only = forms.BooleanField(label=_("Read-only"), required=False)
    share = forms.BooleanField(
        label=_("Share with other instances"),
        required=False,
        help_text=_(
            "For a volume that several instances can have at once. The guests need a file system for that, such as "
            "GFS2 or OCFS2; a usual one is destroyed."
        ),
    )

    def __init__(self, *args: Any, volumes: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["volume"].choices = volumes  # type: ignore[attr-defined]


class NewVolumeForm(ApiForm):
    name = forms.CharField(label=_("Name"), max_length=63)
    size_gib = forms.IntegerField(label=_("Size in GiB"), min_value=1, initial=10)


class InstanceVolumes(FormPage, InstancePage):
    """The attached volumes, with a form that attaches an existing one."""

    template = "dashboard/project/instances/volumes.html"
    tab = "instance-volumes"
    form_class: type[ApiForm] = AttachForm
    right = "attachment_create"

    @cached_property
    def free(self) -> list[dict[str, Any]]:
        """Return the volumes in the zone of the instance, and those that have no place yet."""
        zone = self.instance["zone"]
        if not zone:
            return []
        query = {"state": "available", "sort": "name", "limit": CHOICES_MAX}
        here = self.get_in_project("volumes", zone=zone, **query)["items"]
        unbound = [each for each in self.get_in_project("volumes", **query)["items"] if not each["zone"]]
        return [*here, *unbound, *self.shareable(zone)]

    def shareable(self, zone: str) -> list[dict[str, Any]]:
        """Return the volumes that other instances have, and this one may have, too."""
        query = {"state": "in-use", "zone": zone, "sort": "name", "limit": CHOICES_MAX}
        attached = {each["volume"]["id"] for each in self.instance["attachments"]}
        found = self.get_in_project("volumes", **query)["items"]
        return [each for each in found if each["is_multi_attach"] and each["id"] not in attached]

    def choices(self) -> dict[str, Any]:
        return {"volumes": [(volume["id"], _described(volume)) for volume in self.free]}

    def context(self) -> dict[str, Any]:
        taken = {volume["name"] for volume in self.get_in_project("volumes", limit=CHOICES_MAX)["items"]}
        name = unused_name(self.instance["name"][:50], taken)
        new_form = NewVolumeForm(auto_id="new_%s", initial={"name": name})
        why = {f"why_no_{action}": self.why_no(action) for action in ("attach", "detach", "snapshot")}
        return {"free": self.free, "new_form": new_form, **why}

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.project["id"], "instances", self.instance["id"], "attachments")
        self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("Attaching the volume."))
        return self.page_of("instance-volumes")


def _described(volume: dict[str, Any]) -> str:
    size = gib(volume["size_gib"])
    if not volume["is_multi_attach"]:
        return f"{volume['name']}, {size}"
    return gettext("{name}, {size}, for several instances").format(name=volume["name"], size=size)


class InstanceNewVolume(InstanceVolumes):
    """Create a volume on the instance's node and attach it when it is available."""

    form_class = NewVolumeForm
    right = "volume_create"

    def choices(self) -> dict[str, Any]:
        return {}

    def form(self, data: Any = None) -> ApiForm:
        return NewVolumeForm(data, auto_id="new_%s")

    def render_form(self, form: ApiForm) -> Any:
        attach = AttachForm(**InstanceVolumes.choices(self))
        return self.page({**self.context(), "form": attach, "new_form": form})

    def send(self, form: ApiForm) -> str:
        project = ("projects", self.project["id"])
        body = form.body() | {"near_instance": self.instance["id"]}
        volume = self.api.post(*project, "volumes", body=body, key=self.key)
        operation = self.api.get(*project, "operations", volume["operation"]["id"], wait=MADE_WITHIN)
        if operation["state"] != "succeeded":
            self.notify(_("Creating the volume. Attach it here when it is available."))
            return self.page_of("instance-volumes")
        attachments = (*project, "instances", self.instance["id"], "attachments")
        self.api.post(*attachments, body={"volume": volume["id"]}, key=f"{self.key}-attach" if self.key else "")
        self.notify(_("Volume created. Attaching it."))
        return self.page_of("instance-volumes")


class InstanceDetach(Action):
    done = _("Detaching the volume.")
    right = "attachment_delete"

    def perform(self) -> None:
        path = ("projects", self.kwargs["project"], "instances", self.kwargs["instance"])
        self.api.delete(*path, "attachments", self.kwargs["attachment"])
