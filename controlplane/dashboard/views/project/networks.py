"""Networks."""

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context
from controlplane.dashboard.forms import NAME_FIELD, split_lines
from controlplane.dashboard.views.crud import CrudCreate, CrudDelete, CrudDetail, CrudEdit, CrudList, ResourceKind
from controlplane.dashboard.views.project.subnet_forms import (
    SUBNET_FIELDS,
    DhcpOptionsForm,
    gateway_field,
    ipv6_cidr_field,
    ipv6_pool_field,
    reserved_ranges_field,
)

NETWORK = ResourceKind(
    "networks",
    "network",
    "network",
    {
        "many": _("Networks"),
        "new": _("New network"),
        "none": _("No networks yet"),
        "what": _(
            "A network is private to the project. It connects instances within a zone; there is no traffic "
            "between zones."
        ),
        "lost": _("The network is permanently deleted, and its CIDR range can be reused."),
        "kept": _("Only a network without ports can be deleted."),
        "icon": "network",
    },
)
PARTS_MAX = 200


class NetworkForm(DhcpOptionsForm):
    cidr = forms.CharField(
        label=_("CIDR range"),
        help_text=_("Such as 10.10.0.0/24. The range cannot be changed later."),
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    gateway_ip = gateway_field()
    ipv6_cidr = ipv6_cidr_field()
    ipv6_pool = ipv6_pool_field()
    reserved_ranges = reserved_ranges_field()
    mtu = forms.IntegerField(
        label=_("MTU"),
        help_text=_(
            "The largest packet of the instances, in bytes: 1280 to 8950. Above 1500, they are placed in zones whose "
            "underlay carries it. The MTU cannot be changed later."
        ),
        initial=1500,
        required=False,
    )
    field_order = (*SUBNET_FIELDS, "mtu", "labels")

    def body(self) -> Context:
        return super().body() | {"reserved_ranges": split_lines(self.cleaned_data["reserved_ranges"])}


class NetworkList(CrudList):
    noun = NETWORK
    template = "dashboard/project/networks/list.html"


class NetworkDetail(CrudDetail):
    """A network with its subnets and its ports."""

    noun = NETWORK
    template = "dashboard/project/networks/detail.html"
    live = "network subnet port operation"

    def context(self) -> Context:
        network = self.thing["id"]
        subnets = self.get_in_project("networks", network, "subnets", limit=PARTS_MAX)["items"]
        ports = self.get_in_project("ports", network=network, sort="name", limit=PARTS_MAX)["items"]
        at = {"thing": network}
        return super().context() | {
            "subnets": [each | self._urls("subnet", each) for each in subnets],
            "ports": [each | self._urls("port", each) for each in ports],
            "topology": self.at("-topology"),
            "subnet_new": self.url("subnet-new", **at),
            "port_new": self.url("port-new", **at),
        }

    def _urls(self, part: str, thing: Context) -> Context:
        """Return the URLs of the forms of a subnet or a port."""
        path = {"thing": self.thing["id"], part: thing["id"]}
        return {verb: self.url(f"{part}-{verb}", **path) for verb in ("edit", "delete")}


class NetworkCreate(CrudCreate):
    noun = NETWORK
    form_class = NetworkForm


class NetworkEdit(CrudEdit):
    noun = NETWORK


class NetworkDelete(CrudDelete):
    noun = NETWORK
