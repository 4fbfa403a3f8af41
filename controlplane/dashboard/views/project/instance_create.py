"""Create an instance: one page, with defaults filled in and optional fields folded."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.base_views import Text
from controlplane.dashboard.forms import NAME_FIELD, TEXT, ApiForm
from controlplane.dashboard.templatetags.dashboard import gib, mib, vcpus
from controlplane.dashboard.views.create_base import CHOICES_MAX, CreatePage, DraftForm, by_name, unused_name
from controlplane.dashboard.volume_type_texts import describe_type
from controlplane.dashboard.widgets import Cards, multiple_choice

LOCAL = "local"
NOWHERE = ("", _("none"))
STOPPED = "stopped"


class InstanceForm(DraftForm):
    name = forms.CharField(label=_("Name"), max_length=63, widget=forms.TextInput(attrs=NAME_FIELD))
    image = forms.ChoiceField(label=_("Image"), help_text=_("Content of the root disk."))
    boot_volume = forms.ChoiceField(
        label=_("Boot from"),
        required=False,
        help_text=_(
            "A volume that was made from an image becomes the root disk, and is kept when the instance is deleted. The "
            "disk of the size is unused."
        ),
    )
    flavor = forms.ChoiceField(label=_("Size"), widget=Cards)
    networks = multiple_choice(_("Networks"))
    ports = multiple_choice(
        _("Ports"), _("Free ports, whose addresses the instance gets beside those of its networks.")
    )
    security_groups = multiple_choice(
        _("Security groups"), _("None selected: the default group. For the ports that are created with the instance.")
    )
    ssh_keys = multiple_choice(_("SSH keys"), _("Holders of these keys can sign in to the instance."))
    volumes = multiple_choice(
        _("Volumes"),
        _("Attached before the first boot. The instance is placed on their node; those without a place get one."),
    )
    root_volume_type = forms.ChoiceField(
        label=_("Root disk"),
        required=False,
        help_text=_("With a storage pool, the instance can be evacuated when its node fails."),
    )
    keep_root_volume = forms.BooleanField(label=_("Keep the root volume"), help_text=labels.KEEP_ROOT, required=False)
    zones = multiple_choice(_("Zones"), _("None selected: any zone that the policies admit."))
    affinity_group = forms.ChoiceField(label=_("Affinity group"), required=False)
    start = forms.ChoiceField(
        label=_("First start"),
        help_text=_("A stopped instance has its disk, addresses and volumes, and counts in the quota."),
        required=False,
        choices=[("", _("After its creation")), (STOPPED, _("Later: create it stopped"))],
    )
    restart_policy = forms.ChoiceField(
        label=_("On failure"),
        help_text=labels.WHEN_IT_FAILS,
        required=False,
        choices=[("", labels.RESTART_POLICIES["on-failure"]), ("never", labels.RESTART_POLICIES["never"])],
    )
    metadata = forms.ChoiceField(
        label=_("Metadata"),
        help_text=labels.WHO_READS_METADATA,
        required=False,
        choices=[("", labels.METADATA_ACCESS["token"]), *list(labels.METADATA_ACCESS.items())[1:]],
    )
    classifications = multiple_choice(
        _("Classifications"),
        _("The policies of these classifications apply to the data of this instance for its lifetime."),
    )
    labels = forms.CharField(
        label=_("Labels"),
        help_text=_("One per line, such as env=prod"),
        required=False,
        widget=forms.Textarea(attrs=TEXT),
    )
    user_data = forms.CharField(
        label=_("User data"),
        help_text=_("cloud-init configuration for the first boot, at most 64 KiB."),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs=TEXT | {"rows": 8}),
    )

    def __init__(self, *args: Any, offers: Mapping[str, list[tuple[str, Any]]], **kwargs: Any) -> None:
        super().__init__(*args, offers=offers, **kwargs)
        # With neither, the API's error names both fields.
        self.fields["image"].required = bool(offers["image"]) and not self.data.get("boot_volume")

    def body(self) -> dict[str, Any]:
        """Return the body with Unix line ends: browsers send CRLF, which a guest's shell does not accept."""
        body = super().body()
        if "user_data" in body:
            body["user_data"] = body["user_data"].replace("\r\n", "\n")
        if "start" in body:
            body["start"] = body["start"] != STOPPED
        if "boot_volume" in body:
            body.pop("image", None)
        if not body.get("keep_root_volume"):
            body.pop("keep_root_volume", None)  # the default, by which a volume to boot from is kept all the same
        return body

    @property
    def simple(self) -> list[BoundField]:
        return [self[name] for name in ("name", "image", "flavor", "networks", "ssh_keys")]

    @property
    def folded(self) -> list[tuple[Text, list[BoundField], bool]]:
        """Return groups of optional fields: title, fields, and whether they are open because of values or errors."""
        groups = (
            (_("Disks"), ("boot_volume", "root_volume_type", "keep_root_volume", "volumes")),
            (_("Network"), ("ports", "security_groups")),
            (_("Placement"), ("zones", "affinity_group")),
            (_("Data classification"), ("classifications",)),
            (_("Labels and first boot"), ("labels", "user_data", "metadata")),
            (_("Start and failure"), ("start", "restart_policy")),
        )
        return [
            (title, [self[name] for name in names], any(self[name].errors or self[name].value() for name in names))
            for title, names in groups
        ]


class InstanceCreate(CreatePage):
    template = "dashboard/project/instances/create.html"
    title = _("Create instance")
    section = "instances"
    form_class = InstanceForm
    submit = _("Create instance")
    kind = "instance"
    right = "instance_create"

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Instances"), self.url("instances"))]

    def context(self) -> dict[str, Any]:
        return {
            "back": self.url("instances"),
            "has_root_disks": bool(self.images or self.bootable),
            "has_keys": bool(self.keys),
        }

    def send(self, form: ApiForm) -> str:
        page = super().send(form)
        self.notify(_("Instance creation started."))
        return page

    # Choices.

    @cached_property
    def images(self) -> list[dict[str, Any]]:
        """Return the available images, latest first."""
        images = self.get_in_project("images", sort="-created_at", limit=CHOICES_MAX)["items"]
        return [image for image in images if image["state"] == "available"]

    @cached_property
    def flavors(self) -> list[dict[str, Any]]:
        """Return flavors, smallest first."""
        flavors = self.api.get("flavors", limit=CHOICES_MAX)["items"]
        return sorted(flavors, key=lambda flavor: (flavor["vcpus"], flavor["memory_mib"], flavor["disk_gib"]))

    @cached_property
    def keys(self) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = self.get_in_project("ssh-keys", sort="name", limit=CHOICES_MAX)["items"]
        return keys

    @cached_property
    def networks(self) -> list[dict[str, Any]]:
        networks: list[dict[str, Any]] = self.get_in_project("networks", sort="created_at", limit=CHOICES_MAX)["items"]
        return networks

    def free_ports(self) -> list[dict[str, Any]]:
        ports = self.get_in_project("ports", sort="name", limit=CHOICES_MAX)["items"]
        return [port for port in ports if port["state"] == "free"]

    def root_types(self) -> list[tuple[str, str]]:
        """Return the root volume types; the default is sent as none."""
        return [("" if each["id"] == LOCAL else each["id"], describe_type(each)) for each in self.volume_types]

    @cached_property
    def volume_types(self) -> list[dict[str, Any]]:
        types: list[dict[str, Any]] = self.get_in_project("volume-types", limit=CHOICES_MAX)["items"]
        return types

    @cached_property
    def volumes(self) -> list[dict[str, Any]]:
        """Return the available volumes. Those without a place get one with the instance."""
        volumes: list[dict[str, Any]] = self.get_in_project(
            "volumes", state="available", sort="name", limit=CHOICES_MAX
        )["items"]
        return volumes

    @property
    def bootable(self) -> list[dict[str, Any]]:
        return [volume for volume in self.volumes if volume["image"]]

    def choices(self) -> dict[str, Any]:
        groups = self.get_in_project("affinity-groups", sort="name", limit=CHOICES_MAX)["items"]
        security_groups = self.get_in_project("security-groups", sort="name", limit=CHOICES_MAX)["items"]
        return {
            "offers": {
                "image": by_name(self.images),
                "boot_volume": [("", _("the image")), *described_volumes(self.bootable)],
                "flavor": [(flavor["id"], sized(flavor)) for flavor in self.flavors],
                "networks": by_name(self.networks),
                "ports": [(port["id"], described_port(port)) for port in self.free_ports()],
                "security_groups": by_name(security_groups),
                "ssh_keys": by_name(self.keys),
                "volumes": described_volumes(self.volumes),
                "affinity_group": [NOWHERE, *by_name(groups)],
                "root_volume_type": self.root_types(),
                "zones": self.zones(),
                "classifications": self.classifications(),
            }
        }

    def initial(self) -> dict[str, Any]:
        """Return the defaults, unless the query has other values."""
        if self.request.method == "POST":
            return {}
        taken = {item["name"] for item in self.get_in_project("instances", limit=CHOICES_MAX)["items"]}
        image = next(iter(self.images), None)
        flavor = smallest(self.flavors, image)
        first = [value for value, _ in by_name(self.networks)][:1]
        return {
            "name": unused_name("instance", taken),
            "image": by_name(self.images)[0][0] if image else "",
            "flavor": flavor["id"] if flavor else "",
            "networks": first,
            "ssh_keys": [value for value, _ in by_name(self.keys)],
            **{name: self.request.GET.getlist(name) for name in ("volumes", "zones") if name in self.request.GET},
            **{name: self.request.GET[name] for name in ("name", "image", "flavor") if name in self.request.GET},
        }

    # Needs.

    def size(self, body: Mapping[str, Any]) -> dict[str, int] | None:
        flavor = self.flavor(body)
        if flavor is None:
            return None
        root_gib = 0 if "boot_volume" in body else flavor["disk_gib"]
        return {**{name: flavor[name] for name in ("vcpus", "memory_mib")}, "disk_gib": root_gib + self.made_gib(body)}

    def flavor(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        return next((each for each in self.flavors if each["id"] == body.get("flavor")), None)

    def made_gib(self, body: Mapping[str, Any]) -> int:
        """Return the disk that volumes without a place take of the node: those of types without a pool."""
        named = {*body.get("volumes", ()), body.get("boot_volume")}
        on_nodes = {each["id"] for each in self.volume_types if not each["pool"]}
        made = (each for each in self.volumes if {each["id"], each["name"]} & named and not each["zone"])
        return sum(each["size_gib"] for each in made if each["volume_type"] in on_nodes)

    def claims(self, body: Mapping[str, Any]) -> dict[str, int]:
        size = self.size(body) or {}
        return {
            "instances": 1,
            "vcpus": size.get("vcpus", 0),
            "memory_mib": size.get("memory_mib", 0),
            "ports": len(body.get("networks", ())),
            "addresses": len(body.get("networks", ())),
            **self.root_volume(body),
        }

    def root_volume(self, body: Mapping[str, Any]) -> dict[str, int]:
        """Return what a root volume that is made with the instance takes."""
        with_snapshots = {each["id"] for each in self.volume_types if each["has_snapshots"]}
        is_made = body.get("keep_root_volume") or body.get("root_volume_type") in with_snapshots
        if not is_made or "boot_volume" in body:
            return {}
        return {"volumes": 1, "storage_gib": (self.flavor(body) or {}).get("disk_gib", 0)}


def described_volumes(volumes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (value, f"{name}, {gib(volume['size_gib'])}, {volume['zone'] or _('no place yet')}")
        for (value, name), volume in zip(by_name(volumes), volumes, strict=True)
    ]


def described_port(port: Mapping[str, Any]) -> str:
    addresses = ", ".join(each["ip"] for each in port["addresses"])
    return f"{port['name']}, {port['network']['name']}, {addresses}"


def sized(flavor: Mapping[str, Any]) -> Any:
    disk = gib(flavor["disk_gib"]) if flavor["disk_gib"] else _("no root disk")
    size = ", ".join((vcpus(flavor["vcpus"]), mib(flavor["memory_mib"]), str(disk)))
    return format_html('<strong translate="no">{}</strong> <small class="faint">{}</small>', flavor["id"], size)


def smallest(flavors: list[dict[str, Any]], image: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the smallest flavor that fits the image."""
    disk, memory = (image["min_disk_gib"], image["min_memory_mib"]) if image else (0, 0)
    fitting = (each for each in flavors if each["disk_gib"] >= disk and each["memory_mib"] >= memory)
    return next(fitting, None)
