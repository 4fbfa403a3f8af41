"""Subnets and ports: forms on a network's page, and the ports of an instance."""

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.base_views import Action, Context, FormPage, Text
from controlplane.dashboard.forms import (
    NAME_FIELD,
    TEXT,
    ApiForm,
    NamedForm,
    id_choices,
    initial_values,
    split_lines,
)
from controlplane.dashboard.views.crud import CrudPage
from controlplane.dashboard.views.project.instance_create import described_port
from controlplane.dashboard.views.project.instances import CHOICES_MAX, InstancePage
from controlplane.dashboard.views.project.networks import NETWORK
from controlplane.dashboard.views.project.public_addresses import public_addresses_of, public_ipv6
from controlplane.dashboard.views.project.subnet_forms import (
    DHCP_FIELDS,
    SUBNET_FIELDS,
    DhcpOptionsForm,
    gateway_field,
    ipv6_cidr_field,
    ipv6_pool_field,
    reserved_ranges_field,
)

LIMITS = ("to_guest_mbit", "from_guest_mbit")
IPV6 = ("ipv6_cidr", "ipv6_pool")


class SubnetForm(DhcpOptionsForm):
    cidr = forms.CharField(
        label=_("CIDR range"),
        help_text=_("Such as 10.20.0.0/24. It must not overlap another subnet of the network."),
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    gateway_ip = gateway_field()
    ipv6_cidr = ipv6_cidr_field()
    ipv6_pool = ipv6_pool_field()
    reserved_ranges = reserved_ranges_field()
    field_order = (*SUBNET_FIELDS, "labels")

    def body(self) -> Context:
        return super().body() | {"reserved_ranges": split_lines(self.cleaned_data["reserved_ranges"])}


class SubnetEditForm(DhcpOptionsForm):
    ipv6_cidr = ipv6_cidr_field()
    ipv6_pool = ipv6_pool_field()
    reserved_ranges = reserved_ranges_field()
    field_order = (*("name", "ipv6_cidr", "ipv6_pool"), *DHCP_FIELDS, "reserved_ranges", "labels")

    def body(self) -> Context:
        body = super().body() | {"reserved_ranges": split_lines(self.cleaned_data["reserved_ranges"])}
        chosen = {name: body.pop(name) for name in IPV6 if name in body}
        if not {*IPV6} & {*self.changed_data}:
            return body
        return body | (chosen or {"ipv6_cidr": ""})


class PortForm(NamedForm):
    addresses = forms.CharField(
        label=_("Addresses"),
        help_text=_(
            "One per line: an address, a subnet for free ones of it, or ipv4 or ipv6 for a free one of that family. "
            "Leave empty for free addresses."
        ),
        required=False,
        widget=forms.Textarea(attrs=TEXT),
    )
    security_groups = forms.MultipleChoiceField(
        label=_("Security groups"),
        help_text=_("Leave empty for the default group."),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    field_order = ("name", "addresses", "security_groups", "labels")

    def __init__(self, *args: Any, groups: list[Context], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(group["id"], group["name"]) for group in groups]
        self.fields["security_groups"].choices = names  # type: ignore[attr-defined]

    def body(self) -> Context:
        body = super().body()
        addresses, groups = _addresses(body.pop("addresses", "")), body.pop("security_groups", [])
        return body | ({"addresses": addresses} if addresses else {}) | ({"security_groups": groups} if groups else {})


def _limit(label: Any) -> forms.IntegerField:
    help_text = _("What exceeds the limit is dropped. Leave empty for no limit.")
    return forms.IntegerField(label=label, help_text=help_text, required=False, min_value=1)


class PortEditForm(NamedForm):
    addresses = forms.CharField(
        label=_("Addresses"),
        help_text=_(
            "One per line: an address, a subnet for free ones of it, or ipv4 or ipv6 for a free one of that family."
        ),
        widget=forms.Textarea(attrs=TEXT),
    )
    security_groups = forms.MultipleChoiceField(
        label=_("Security groups"),
        help_text=_("The rules of all selected groups add up. Without any group, all traffic is blocked."),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    allowed_addresses = forms.CharField(
        label=_("Allowed addresses"),
        help_text=_(
            "Ranges that the port may use beside its own, one per line; a MAC address after it if it is not the "
            "port's, such as 10.20.0.100 00:00:5e:00:01:01."
        ),
        required=False,
        widget=forms.Textarea(attrs=TEXT),
    )
    to_guest_mbit = _limit(_("Bandwidth to the guest (Mbit/s)"))
    from_guest_mbit = _limit(_("Bandwidth from the guest (Mbit/s)"))
    field_order = (
        *("name", "addresses", "security_groups", "allowed_addresses"),
        *("to_guest_mbit", "from_guest_mbit", "labels"),
    )

    def __init__(self, *args: Any, groups: list[Context], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["security_groups"].choices = id_choices(groups)  # type: ignore[attr-defined]

    def body(self) -> Context:
        body = super().body()
        pairs = (line.split(maxsplit=1) for line in split_lines(body.pop("allowed_addresses", "")))
        body["allowed_addresses"] = [{"cidr": pair[0], "mac": pair[1] if pair[1:] else None} for pair in pairs]
        body["bandwidth"] = {name: self.cleaned_data[name] for name in LIMITS}
        for name in (*LIMITS, "addresses", "security_groups"):
            body.pop(name, None)
        if "addresses" in self.changed_data:
            body["addresses"] = _addresses(self.cleaned_data["addresses"])
        if "security_groups" in self.changed_data:
            body["security_groups"] = self.cleaned_data["security_groups"]
        return body


def _addresses(text: str) -> list[Context]:
    """Return the requested addresses, one per line."""
    return [_requested(line) for line in split_lines(text)]


def _requested(text: str) -> Context:
    """Parse a line: no name of a subnet has a dot or a colon."""
    if "." in text or ":" in text:
        return {"ip": text}
    return {"family": text} if text in ("ipv4", "ipv6") else {"subnet": text}


class OfNetwork(CrudPage):
    """A page of a part of a network."""

    noun = NETWORK
    part = ""

    @classmethod
    def right_at(cls, path: Any) -> str:
        return cls.part

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.thing["name"], self.at())]


class SubnetCreate(FormPage, OfNetwork):
    template = "dashboard/forms/page.html"
    part = "subnet_create"
    form_class = SubnetForm
    submit = _("Create")

    def context(self) -> Context:
        lead = _("A subnet is another address range of the network, with a gateway of its own.")
        return {"title": _("New subnet"), "lead": lead, "back": self.at()}

    def send(self, form: ApiForm) -> str:
        subnet = self.api.post(*self.path(), "subnets", body=form.body(), key=self.key)
        self.notify(_("{name} created.").format(name=subnet["name"]))
        return self.at()


class OfSubnet(OfNetwork):
    """A page of a subnet."""

    @cached_property
    def subnet(self) -> Context:
        subnet: Context = self.get_in_project("networks", self.kwargs["thing"], "subnets", self.kwargs["subnet"])
        return subnet


class SubnetEdit(FormPage, OfSubnet):
    template = "dashboard/forms/page.html"
    part = "subnet_update"
    form_class = SubnetEditForm
    submit = _("Save")

    def initial(self) -> Context:
        pool = self.subnet["ipv6_pool"]
        return initial_values(self.subnet) | {
            "ipv6_cidr": "" if pool else self.subnet["ipv6_cidr"],
            "ipv6_pool": pool["name"] if pool else "",
            **{name: ", ".join(self.subnet[name]) for name in ("dns_servers", "ntp_servers", "domain_search")},
            "static_routes": "\n".join(
                f"{each['destination']} {each['next_hop']}" for each in self.subnet["static_routes"]
            ),
            "reserved_ranges": "\n".join(self.subnet["reserved_ranges"]),
        }

    def context(self) -> Context:
        lead = _(
            "Instances learn of other servers, domains and routes when they renew their lease. New ports get an "
            "address of the IPv6 range; give one to each existing port on its form."
        )
        return {"title": _("Edit {name}").format(name=self.subnet["name"]), "lead": lead, "back": self.at()}

    def send(self, form: ApiForm) -> str:
        self.save(self.subnet, form, *self.path(), "subnets", self.subnet["id"])
        return self.at()


class SubnetDelete(FormPage, OfSubnet):
    template = "dashboard/shared/confirm.html"
    part = "subnet_delete"
    submit = _("Delete")

    def context(self) -> Context:
        return {
            "title": _("Delete {name}").format(name=self.subnet["name"]),
            "lost": _("The subnet is permanently deleted, and its CIDR range can be reused."),
            "kept": _("Only a subnet without addresses in use can be deleted."),
            "back": self.at(),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete(*self.path(), "subnets", self.subnet["id"])
        self.notify(_("{name} deleted.").format(name=self.subnet["name"]))
        return self.at()


class PortCreate(FormPage, OfNetwork):
    template = "dashboard/forms/page.html"
    part = "port_create"
    form_class = PortForm
    submit = _("Create")

    def context(self) -> Context:
        lead = _("A port is a network card with addresses that outlive instances. Attach it on an instance's page.")
        return {"title": _("New port"), "lead": lead, "back": self.at()}

    def choices(self) -> Context:
        return {"groups": self.get_in_project("security-groups", sort="name", limit=CHOICES_MAX)["items"]}

    def send(self, form: ApiForm) -> str:
        body = form.body() | {"network": self.thing["id"]}
        port = self.api.post("projects", self.kwargs["project"], "ports", body=body, key=self.key)
        self.notify(_("{name} created.").format(name=port["name"]))
        return self.at()


class OfPort(OfNetwork):
    """A page of a port."""

    @cached_property
    def port(self) -> Context:
        port: Context = self.get_in_project("ports", self.kwargs["port"])
        return port


class PortEdit(FormPage, OfPort):
    template = "dashboard/forms/page.html"
    part = "port_update"
    form_class = PortEditForm
    submit = _("Save")

    def choices(self) -> Context:
        groups = self.get_in_project("security-groups", sort="name", limit=CHOICES_MAX)["items"]
        return {"groups": groups}

    def initial(self) -> Context:
        allowed = [f"{each['cidr']} {each['mac'] or ''}".strip() for each in self.port["allowed_addresses"]]
        lists = {"addresses": [each["ip"] for each in self.port["addresses"]], "allowed_addresses": allowed}
        chosen = [each["id"] for each in self.port["security_groups"] or [] if not each["is_selected"]]
        texts = {name: "\n".join(lines) for name, lines in lists.items()}
        limits: Context = self.port["bandwidth"]
        return initial_values(self.port) | texts | limits | {"security_groups": chosen}

    def context(self) -> Context:
        title = _("Edit {name}").format(name=self.port["name"])
        lead = _("While the port is attached, it keeps its addresses and can get more.")
        return {"title": title, "lead": lead, "back": self.at()}

    def send(self, form: ApiForm) -> str:
        self.save(self.port, form, "projects", self.kwargs["project"], "ports", self.port["id"])
        return self.at()


class PortDelete(FormPage, OfPort):
    template = "dashboard/shared/confirm.html"
    part = "port_delete"
    submit = _("Delete")

    def context(self) -> Context:
        return {
            "title": _("Delete {name}").format(name=self.port["name"]),
            "lost": _("The port is permanently deleted, and its addresses are released."),
            "kept": _("Only a port that is not attached can be deleted."),
            "back": self.at(),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("projects", self.kwargs["project"], "ports", self.port["id"])
        self.notify(_("{name} deleted.").format(name=self.port["name"]))
        return self.at()


class PortAttachForm(ApiForm):
    port = forms.ChoiceField(label=_("Port"), help_text=_("Ports of the project that are not attached."))

    def __init__(self, *args: Any, ports: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["port"].choices = ports  # type: ignore[attr-defined]


class InstanceNetwork(FormPage, InstancePage):
    """The ports of an instance, with a form that attaches a free one."""

    template = "dashboard/project/instances/network.html"
    tab = "instance-network"
    form_class = PortAttachForm
    right = "port_attach"

    @cached_property
    def free(self) -> list[Context]:
        ports = self.get_in_project("ports", sort="name", limit=CHOICES_MAX)["items"]
        return [port for port in ports if port["state"] == "free"]

    def choices(self) -> Context:
        return {"ports": [(port["id"], described_port(port)) for port in self.free]}

    def context(self) -> Context:
        ports = self.get_in_project("ports", instance=self.instance["id"], limit=CHOICES_MAX)["items"]
        order = [each["port"]["id"] for each in self.instance["addresses"]]
        ports.sort(key=lambda port: order.index(port["id"]) if port["id"] in order else len(order))
        why = {"why_no_attach": self.why_no("attach-port"), "why_no_detach": self.why_no("detach-port")}
        filtered = self.get_in_project("instances", self.instance["id"], "security-groups")["ports"]
        groups = {
            "filtered": [self._with_groups(port) for port in filtered],
            "edit_groups": self.url("instance-security-groups", instance=self.instance["id"]),
        }
        reachability = f"{self.url('reachability')}?target=instance:{self.instance['id']}"
        own_public = [ip for port in ports for ip in public_ipv6(port)]
        more = {**why, **groups, **public_addresses_of(self), "own_public": own_public}
        return {"ports": ports, "free": self.free, "reachability": reachability, **more}

    def _with_groups(self, port: Context) -> Context:
        groups = port["security_groups"]
        linked = groups and [group | {"url": self.url("security-group", thing=group["id"])} for group in groups]
        return port | {"security_groups": linked, "applied": labels.applied_rules(port["rules"])}

    def send(self, form: ApiForm) -> str:
        path = ("projects", self.project["id"], "ports", form.cleaned_data["port"], "actions", "attach")
        self.api.post(*path, body={"instance": self.instance["id"]}, key=self.key)
        self.notify(_("Attaching the port."))
        return self.page_of("instance-network")


class InstancePortDetach(Action):
    done = _("Detaching the port.")
    right = "port_detach"

    def perform(self) -> None:
        self.api.post("projects", self.kwargs["project"], "ports", self.kwargs["port"], "actions", "detach")
