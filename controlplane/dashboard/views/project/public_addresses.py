"""Public addresses of a project, and those of an instance."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Action, Context, FormPage, Text
from controlplane.dashboard.forms import NAME_FIELD, ApiForm, NamedForm, initial_values
from controlplane.dashboard.views.crud import (
    CrudCreate,
    CrudDelete,
    CrudDetail,
    CrudEdit,
    CrudList,
    CrudPage,
    ResourceKind,
)
from controlplane.dashboard.views.project.instances import InstancePage
from controlplane.kernel import clock

PUBLIC_ADDRESS = ResourceKind(
    "public-addresses",
    "public-address",
    "public_address",
    {
        "many": _("Public addresses"),
        "new": _("Reserve address"),
        "none": _("No public addresses yet"),
        "what": _(
            "A public address is reachable from outside the cloud. The project keeps it until it is released, also "
            "when the instance that it is attached to is deleted."
        ),
        "lost": _(
            "The address is released, and another project may get it; a suspended one only when an operator resumes it."
        ),
        "kept": _("Only an address that is not attached can be released."),
        "icon": "earth",
    },
)
CHOICES_MAX = 200
UNIQUE_LOCAL = ip_network("fd00::/8")  # ranges that projects choose; other IPv6 ranges are of an operator's pool
RESIDENCY_SHOWN = timedelta(days=30)
PTR = forms.CharField(
    label=_("Reverse name"),
    help_text=_("Host name in the reverse zone of the operator, such as www.example.org."),
    required=False,
    widget=forms.TextInput(attrs=NAME_FIELD),
)


class ReserveForm(NamedForm):
    pool = forms.ChoiceField(label=_("Pool"))
    ip = forms.CharField(
        label=_("Address"),
        help_text=_("Leave empty for a free address."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    ptr = PTR
    field_order = ("name", "pool", "ip", "ptr", "labels")

    def __init__(self, *args: Any, pools: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pool"].choices = pools  # type: ignore[attr-defined]


class EditForm(NamedForm):
    ptr = PTR
    field_order = ("name", "ptr", "labels")

    def body(self) -> Context:
        return super().body() | {"ptr": self.cleaned_data["ptr"]}


class PublicAddressList(CrudList):
    noun = PUBLIC_ADDRESS
    template = "dashboard/project/public_addresses/list.html"

    def context(self) -> Context:
        context = super().context()
        return context | {"items": [_shown(item) for item in context["items"]]}


class PublicAddressDetail(CrudDetail):
    noun = PUBLIC_ADDRESS
    template = "dashboard/project/public_addresses/detail.html"
    live = "public_address instance"

    def context(self) -> Context:
        actions = {each["name"]: each["problem"] for each in self.thing["allowed_actions"]}
        why = actions["delete"]
        return super().context() | {
            "thing": _shown(self.thing),
            "attach": self.at("-attach"),
            "attach_network": self.at("-attach-network") if self.thing["family"] == "ipv4" else "",
            "why_no_delete": why["detail"] if why else "",
            **self.residency(),
        }

    def residency(self) -> Context:
        """Return where the address was lately, the newest first; `has_earlier`: there is more of it."""
        since = (clock.now() - RESIDENCY_SHOWN).isoformat()
        try:
            residency = self.api.get("resources", self.thing["id"], "residency", **{"from": since})
        except ApiError as exc:
            if exc.status != 404:  # nothing has ever had it
                raise
            return {"intervals": [], "has_earlier": False}
        return {"intervals": residency["intervals"][::-1], "has_earlier": residency["next_to"] is not None}


class PublicAddressCreate(CrudCreate):
    noun = PUBLIC_ADDRESS
    form_class = ReserveForm
    submit = _("Reserve")

    @cached_property
    def pools(self) -> list[Context]:
        found = self.get_in_project("address-pools", purpose="addresses", sort="name", limit=CHOICES_MAX)
        pools: list[Context] = found["items"]
        return pools

    def choices(self) -> Context:
        return {"pools": [(pool["id"], f"{pool['name']}, {pool['zone']}, {pool['family']}") for pool in self.pools]}

    def context(self) -> Context:
        why = "" if self.pools else _("There is no pool that this project may use. Ask an operator for one.")
        return super().context() | {"obstacle": why}


class PublicAddressEdit(CrudEdit):
    noun = PUBLIC_ADDRESS
    form_class = EditForm

    def initial(self) -> Context:
        return initial_values(self.thing) | {"ptr": self.thing["ptr"]}


class PublicAddressDelete(CrudDelete):
    noun = PUBLIC_ADDRESS
    submit = _("Release")


class AttachForm(ApiForm):
    port = forms.ChoiceField(label=_("Port"))
    mode = forms.ChoiceField(
        label=_("Mode"),
        help_text=_("Routed: the operating system of the instance must have the address itself."),
        required=False,
        choices=[
            ("", _("translated, or routed for IPv6")),
            ("nat", _("translated to the address of the port")),
            ("routed", _("routed to the port")),
        ],
    )

    def __init__(self, *args: Any, ports: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["port"].choices = ports  # type: ignore[attr-defined]


class AttachPage(FormPage, CrudPage):
    """A form that attaches the address to one of `targets`, or moves it. `collection`: where these are; `missing`: what
    to do when there is none."""

    noun = PUBLIC_ADDRESS
    collection = ""
    missing: Text = ""
    template = "dashboard/forms/page.html"
    verb = "attach"
    submit = _("Attach")

    @cached_property
    def targets(self) -> list[Context]:
        targets: list[Context] = self.get_in_project(self.collection, sort="name", limit=CHOICES_MAX)["items"]
        return targets

    def context(self) -> Context:
        return {"back": self.at(), "obstacle": "" if self.targets else self.missing}

    def send(self, form: ApiForm) -> str:
        self.api.post(*self.path(), "actions", "attach", body=form.body() | {"move": True}, key=self.key)
        self.notify(_("{name} attached.").format(name=self.thing["name"]))
        return self.at()


class PublicAddressAttach(AttachPage):
    """A form that attaches the address to any port of the project, or moves it there."""

    form_class = AttachForm
    collection = "ports"
    missing = _("The project has no port. Create an instance with a network first.")

    def choices(self) -> Context:
        return {"ports": [(port["id"], described_port(port)) for port in self.targets]}

    def context(self) -> Context:
        lead = _("Existing connections by the address end if it is attached to another port.")
        return super().context() | {"title": _("Attach {name}").format(name=self.thing["name"]), "lead": lead}


class NetworkAttachForm(ApiForm):
    network = forms.ChoiceField(label=_("Network"))

    def __init__(self, *args: Any, networks: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["network"].choices = networks  # type: ignore[attr-defined]


class PublicAddressAttachNetwork(AttachPage):
    """A form that makes the address the egress address of a network, or moves it there."""

    form_class = NetworkAttachForm
    collection = "networks"
    missing = _("The project has no network. Create one first.")

    def choices(self) -> Context:
        return {"networks": [(each["id"], each["name"]) for each in self.targets]}

    def context(self) -> Context:
        lead = _(
            "The address becomes the source of what leaves the network in the zone {zone}, from instances without a "
            "public address. Their open connections to the outside end."
        ).format(zone=self.thing["zone"])
        title = _("Attach {name} to a network").format(name=self.thing["name"])
        return super().context() | {"title": title, "lead": lead}


class PublicAddressDetach(Action):
    done = _("Address detached. It stays reserved.")
    right = "public_address_detach"

    def perform(self) -> None:
        path = ("projects", self.kwargs["project"], "public-addresses", self.kwargs["thing"], "actions", "detach")
        self.api.post(*path)


class InstanceAttachForm(AttachForm):
    address = forms.ChoiceField(label=_("Public address"), help_text=_("Addresses that are not attached."))
    field_order = ("address", "port", "mode")

    def __init__(self, *args: Any, addresses: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address"].choices = addresses  # type: ignore[attr-defined]


class InstancePublicAddress(FormPage, InstancePage):
    template = "dashboard/forms/page.html"
    tab = "instance-network"
    form_class = InstanceAttachForm
    right = "public_address_attach"
    submit = _("Attach")

    def choices(self) -> Context:
        ports = self.get_in_project("ports", instance=self.instance["id"], limit=CHOICES_MAX)["items"]
        addresses = self.get_in_project("public-addresses", sort="name", limit=CHOICES_MAX)["items"]
        return {
            "ports": [(port["id"], described_port(port)) for port in ports],
            "addresses": [
                (each["id"], f"{each['name']}, {each['ip']}") for each in addresses if not _is_attached(each)
            ],
        }

    def context(self) -> Context:
        title = _("Attach a public address to {name}").format(name=self.instance["name"])
        lead = _("Reserve an address first if none is offered. Security groups still decide about its traffic.")
        return {"title": title, "lead": lead}

    def send(self, form: ApiForm) -> str:
        body = form.body()
        path = ("projects", self.kwargs["project"], "public-addresses", body.pop("address"), "actions", "attach")
        self.api.post(*path, body=body, key=self.key)
        self.notify(_("Address attached."))
        return self.url("instance-network", instance=self.instance["id"])


def public_addresses_of(page: InstancePage) -> Context:
    """Return what the network page of an instance shows of its public addresses."""
    instance = page.instance["id"]
    addresses = page.get_in_project("public-addresses", instance=instance, sort="name", limit=CHOICES_MAX)["items"]
    return {
        "public_addresses": [_shown(each) for each in addresses],
        "attach_public": page.url("instance-public-address", instance=instance),
    }


def public_ipv6(port: Mapping[str, Any]) -> Iterable[str]:
    """Yield the port's own addresses that are of a pool, so that it is reached from outside by them."""
    for ip in (each["ip"] for each in port["addresses"]):
        if ":" in ip and ip_address(ip) not in UNIQUE_LOCAL:
            yield ip


def _is_attached(address: Mapping[str, Any]) -> bool:
    return address["port"] is not None or address["network"] is not None


def described_port(port: Mapping[str, Any]) -> str:
    addresses = ", ".join(each["ip"] for each in port["addresses"])
    instance = f", {port['instance']['name']}" if port["instance"] else ""
    return f"{port['name']}{instance}, {addresses}"


def _shown(address: Context) -> Context:
    return address | {"standing": labels.public_address(address)}
