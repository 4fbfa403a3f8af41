"""Picture of a network: its subnets and ports, with a table that says the same."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Context, Text, is_correctable
from controlplane.dashboard.views.crud import CrudPage
from controlplane.dashboard.views.project.networks import NETWORK
from controlplane.dashboard.views.project.public_addresses import public_ipv6


class NetworkTopology(CrudPage):
    noun = NETWORK
    template = "dashboard/project/networks/topology.html"
    live = "network subnet port instance security_group operation"

    def context(self) -> Context:
        title = _("Topology of {name}").format(name=self.thing["name"])
        try:
            topology = self.get_in_project("networks", self.thing["id"], "topology")
        except ApiError as exc:
            if not is_correctable(exc):
                raise
            return {"title": title, "thing": self.thing, "problem": exc.problem["detail"]}
        ports = [self._with_urls(port) for port in topology["ports"]]
        return {
            "title": title,
            "thing": self.thing,
            "ports": ports,
            "public": [(each, port) for port in ports for each in port["public_addresses"]],
            "own_public": [(ip, port) for port in ports for ip in public_ipv6(port)],
            "egress": topology["egress_addresses"],
            "subnets": [subnet | {"ports": list(_ports_of(subnet, ports))} for subnet in topology["subnets"]],
        }

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.thing["name"], self.at())]

    def _with_urls(self, port: Context) -> Context:
        instance = port["instance"]
        url = instance and self.url("instance-network", instance=instance["id"])
        groups = port["security_groups"]
        linked = groups and [group | {"url": self.url("security-group", thing=group["id"])} for group in groups]
        return port | {"url": url, "security_groups": linked}


def _ports_of(subnet: Context, ports: list[Context]) -> Any:
    """Yield the ports with addresses in the subnet, with these addresses."""
    for port in ports:
        inside = [each["ip"] for each in port["addresses"] if each["subnet"]["id"] == subnet["id"]]
        if inside:
            yield port | {"inside": inside}
