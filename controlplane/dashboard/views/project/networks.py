"""Networks."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context
from controlplane.dashboard.forms import NamedForm
from controlplane.dashboard.views.crud import CrudCreate, CrudDelete, CrudDetail, CrudEdit, CrudList, ResourceKind

NETWORK = ResourceKind(
    "networks",
    "network",
    "network",
    {
        "many": _("Networks"),
        "new": _("New network"),
        "none": _("No network yet"),
        "what": _(
            "A network is private to the project. Instances on it reach one another within a zone; there is no traffic "
            "between zones."
        ),
        "lost": _("The network is gone for good, and its range of addresses is free again."),
        "kept": _("It can be deleted when no instance is in it any more."),
        "icon": "network",
    },
)


class NetworkForm(NamedForm):
    cidr = forms.CharField(
        label=_("Range of addresses"),
        help_text=_("For example 10.10.0.0/24. It cannot be changed later, and the first address is the gateway's."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    dns_servers = forms.CharField(
        label=_("Name servers"),
        help_text=_("Their IPv4 addresses, with commas. Left empty: the guests have no name resolution (DNS)."),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ("name", "cidr", "dns_servers", "labels")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.DEFAULT_DNS_SERVERS:
            said = gettext("Their IPv4 addresses, with commas. Left empty: those of the platform, {servers}.")
            self.fields["dns_servers"].help_text = said.format(servers=", ".join(settings.DEFAULT_DNS_SERVERS))

    def body(self) -> Context:
        body = super().body()
        if "dns_servers" in body:
            body["dns_servers"] = [server.strip() for server in body["dns_servers"].split(",") if server.strip()]
        return body


class NetworkList(CrudList):
    noun = NETWORK
    template = "dashboard/project/networks/list.html"


class NetworkDetail(CrudDetail):
    noun = NETWORK
    template = "dashboard/project/networks/detail.html"


class NetworkCreate(CrudCreate):
    noun = NETWORK
    form_class = NetworkForm


class NetworkEdit(CrudEdit):
    noun = NETWORK


class NetworkDelete(CrudDelete):
    noun = NETWORK
