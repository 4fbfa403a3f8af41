"""Route that answers whether one end reaches another; nothing is written."""

from ipaddress import ip_address
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from andromede_core.permits.security_group import FAMILIES, WITH_PORTS
from andromede_core.reachability.question import Traffic
from controlplane.api.base_views import ProjectView
from controlplane.api.v1.reachability.schemas import FAMILY_NAMES, ReachabilityIn, ReachabilityOut
from controlplane.compute.reachability import Named, Reachability, reachability
from controlplane.compute.selectors import instance_get
from controlplane.kernel.error_messages import translated
from controlplane.kernel.errors import InvalidRequest
from controlplane.kernel.views import Body, route
from controlplane.network.models import Port
from controlplane.network.selectors import port_get

ENDS = ("instance", "port", "address", "outside")


class ReachabilityCheck(ProjectView):
    """Answer whether traffic from one end reaches another, and what lets it pass or stops it."""

    @route("reachability_check", ReachabilityOut, body=ReachabilityIn)
    def post(self, request: Request, body: Body) -> Response:
        source, target = self._end(body["source"], "source"), self._end(body["target"], "target")
        traffic = _traffic(body)
        family = FAMILIES.get(body.get("family", ""))
        _check_families(body, source, target, family)
        result = reachability(self.project, source, target, traffic, family=family)
        return Response(_document(result, body, source, target))

    def _end(self, body: Body, at: str) -> Named:
        given = [name for name in ENDS if body.get(name)]
        if len(given) != 1:
            raise InvalidRequest(field=at, reason=Message("Give one of instance, port, address and outside."))
        instance, port, address = body.get("instance"), body.get("port"), body.get("address")
        return Named(
            at,
            self.named(instance_get, instance, at=f"{at}/instance") if instance else None,
            self.named(port_get, port, at=f"{at}/port") if port else None,
            ip_address(address) if address else None,
        )


def _traffic(body: Body) -> Traffic:
    """Return the traffic. Raises InvalidRequest: a port is missing, or does not belong to the protocol."""
    protocol, port = body["protocol"], body.get("port")
    if protocol in WITH_PORTS and port is None:
        raise InvalidRequest(field="port", reason=Message("Give the port of tcp or udp."))
    if protocol not in WITH_PORTS and port is not None:
        raise InvalidRequest(field="port", reason=Message("Ports belong to the protocols tcp and udp."))
    return Traffic(protocol, port)


def _check_families(body: Body, source: Named, target: Named, family: int | None) -> None:
    """Raises InvalidRequest: an address is not of the family, or not of that of the other one."""
    addresses = [each.address for each in (source, target) if each.address is not None]
    families = {address.version for address in addresses} | ({family} if family else set())
    if len(families) > 1:
        raise InvalidRequest(field="family" if family else "target", reason=Message("The addresses differ in family."))


def _document(result: Reachability, body: Body, source: Named, target: Named) -> Any:
    answer = {
        "verdict": result.answer.verdict,
        "source": _end_document(result, result.source, source),
        "target": _end_document(result, result.target, target),
        "protocol": body["protocol"],
        "port": body.get("port"),
        "family": FAMILY_NAMES[result.answer.family],
        "steps": result.answer.steps,
        "next_steps": [translated(each) for each in result.answer.next_steps],
    }
    return ReachabilityOut(answer, context={"groups": result.groups}).data


def _end_document(result: Reachability, port: Port | None, named: Named) -> dict[str, Any]:
    address = None if named.address is None else str(named.address)
    if port is None:
        return {"instance": None, "port": None, "network": None, "address": address}
    instance = None if port.instance_id is None else result.instances.get(port.instance_id)
    return {"instance": instance, "port": port, "network": port.network, "address": address}
