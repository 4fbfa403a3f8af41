"""Metrics of the agent and its node, served where the option --observe says."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from agents.node.adapters.interfaces import Power
from agents.node.context import Node
from agents.node.errors import AdapterError
from agents.node.services import inventory
from telemetry.http_endpoint import HealthServer, NotReady, ProcessHealth, serve_health


class NodeCollector(Collector):
    """Collects metrics at each scrape; without its hypervisor a node does not know its guests."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def describe(self) -> list[GaugeMetricFamily]:
        """Return no descriptions, so that registration queries nothing."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            powers = Counter(status.power for status in inventory.instance_statuses(self._node))
        except AdapterError:
            yield _gauge("andromede_node_hypervisor_up", "1 if the hypervisor answers the agent, else 0.", 0)
        else:
            yield _gauge("andromede_node_hypervisor_up", "1 if the hypervisor answers the agent, else 0.", 1)
            guests = GaugeMetricFamily("andromede_node_guests", "Guests of the node, by power state.", labels=["state"])
            for power in (Power.RUNNING, Power.OFF, Power.PAUSED, Power.CRASHED):
                guests.add_metric([power.value], powers[power])
            yield guests
        hook = self._node.hook_state
        yield _gauge(
            "andromede_node_hook_up",
            "1 if libvirt calls the agent's hook before a guest starts, else 0.",
            hook.is_active,
        )
        lease = self._node.lease.status()
        yield _gauge(
            "andromede_node_self_fencing",
            "1 if the node stops its guests when its lease has expired, else 0.",
            bool(lease.fences_within_s),
        )
        if lease.is_wanted:
            yield _gauge(
                "andromede_node_lease_remaining_seconds",
                "Seconds until the node lease ends.",
                lease.remaining_ms / 1000,
            )
        waiting = self._node.permits.receipts.pending_count()
        yield _gauge("andromede_node_receipts_waiting", "Receipts not yet stored by the control plane.", waiting)


def start(listen: str, node: Node) -> HealthServer:
    def hypervisor() -> None:
        try:
            node.adapters.hypervisor.states()
        except AdapterError as exc:
            raise NotReady(exc.message) from exc

    REGISTRY.register(NodeCollector(node))
    return serve_health(listen, ProcessHealth({"hypervisor": hypervisor}))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
