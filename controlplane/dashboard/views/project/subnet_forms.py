"""Fields of subnets in forms: of a subnet itself, and of a network that is created with one."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context
from controlplane.dashboard.forms import NAME_FIELD, TEXT, NamedForm, split_commas, split_lines

COMMA_FIELDS = ("dns_servers", "ntp_servers", "domain_search")
DHCP_FIELDS = (*COMMA_FIELDS, "static_routes")
SUBNET_FIELDS = ("name", "cidr", "gateway_ip", "ipv6_cidr", "ipv6_pool", *DHCP_FIELDS, "reserved_ranges")


def gateway_field() -> forms.CharField:
    return forms.CharField(
        label=_("Gateway"),
        help_text=_("Leave empty for the first address."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )


def ipv6_cidr_field() -> forms.CharField:
    return forms.CharField(
        label=_("IPv6 range"),
        help_text=_("A /64 within fd00::/8, such as fd12:3456:789a:1::/64. Leave empty for no IPv6."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )


def ipv6_pool_field() -> forms.CharField:
    return forms.CharField(
        label=_("IPv6 pool"),
        help_text=_(
            "In place of a range: the name of a pool that gives a public /64. Instances with an address of it are "
            "placed in the zone of the pool."
        ),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )


def reserved_ranges_field() -> forms.CharField:
    return forms.CharField(
        label=_("Reserved ranges"),
        help_text=_("Addresses that no port gets, one range per line, such as 10.20.0.2-10.20.0.9."),
        required=False,
        widget=forms.Textarea(attrs=TEXT),
    )


class DhcpOptionsForm(NamedForm):
    """A name and labels, and what DHCP tells the guests of a subnet."""

    dns_servers = forms.CharField(
        label=_("DNS servers"),
        help_text=_("IP addresses, separated by commas. Leave empty for the resolver at the gateway."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    ntp_servers = forms.CharField(
        label=_("NTP servers"),
        help_text=_("IP addresses, separated by commas. Leave empty for none."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    domain_search = forms.CharField(
        label=_("Search domains"),
        help_text=_("Such as example.org, separated by commas. Leave empty for none."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    static_routes = forms.CharField(
        label=_("Static routes"),
        help_text=_("One per line: an IPv4 range and an address of the subnet, such as 10.40.0.0/16 10.20.0.4."),
        required=False,
        widget=forms.Textarea(attrs=TEXT),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.DEFAULT_DNS_SERVERS:
            help_text = gettext("IP addresses, separated by commas. Leave empty for those of the platform: {servers}.")
            self.fields["dns_servers"].help_text = help_text.format(servers=", ".join(settings.DEFAULT_DNS_SERVERS))

    def body(self) -> Context:
        routes = (line.split(maxsplit=1) for line in split_lines(self.cleaned_data["static_routes"]))
        commas = {name: split_commas(self.cleaned_data[name]) for name in COMMA_FIELDS}
        return (super().body() | commas) | {
            "static_routes": [{"destination": first, "next_hop": " ".join(rest)} for first, *rest in routes]
        }
