"""Networks."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context
from controlplane.dashboard.forms import NamedForm, split_commas
from controlplane.dashboard.views.crud import CrudCreate, CrudDelete, CrudDetail, CrudEdit, CrudList, ResourceKind

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


def ipv6_cidr_field() -> forms.CharField:
    return forms.CharField(
        label=_("IPv6 range"),
        help_text=_("A /64 within fd00::/8, such as fd12:3456:789a:1::/64. Leave empty for no IPv6."),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


def ipv6_pool_field() -> forms.CharField:
    return forms.CharField(
        label=_("IPv6 pool"),
        help_text=_(
            "In place of a range: the name of a pool that gives a public /64. Instances with an address of it are "
            "placed in the zone of the pool."
        ),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class DnsServersForm(NamedForm):
    """A name and labels, and the DNS servers of a subnet."""

    dns_servers = forms.CharField(
        label=_("DNS servers"),
        help_text=_("IP addresses, separated by commas. Leave empty for the resolver at the gateway."),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.DEFAULT_DNS_SERVERS:
            help_text = gettext("IP addresses, separated by commas. Leave empty for those of the platform: {servers}.")
            self.fields["dns_servers"].help_text = help_text.format(servers=", ".join(settings.DEFAULT_DNS_SERVERS))

    def body(self) -> Context:
        return super().body() | {"dns_servers": split_commas(self.cleaned_data["dns_servers"])}


class NetworkForm(DnsServersForm):
    cidr = forms.CharField(
        label=_("CIDR range"),
        help_text=_("Such as 10.10.0.0/24. The range cannot be changed later. The first address is the gateway."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    ipv6_cidr = ipv6_cidr_field()
    ipv6_pool = ipv6_pool_field()
    mtu = forms.IntegerField(
        label=_("MTU"),
        help_text=_(
            "The largest packet of the instances, in bytes: 1280 to 8950. Above 1500, they are placed in zones whose "
            "underlay carries it. The MTU cannot be changed later."
        ),
        initial=1500,
        required=False,
    )
    field_order = ("name", "cidr", "ipv6_cidr", "ipv6_pool", "dns_servers", "mtu", "labels")


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
