"""The gateway nodes of networks with an egress address change when a node can be it no more."""

from controlplane.network.egress_gateways import egress_gateways_refresh
from controlplane.network.models import EgressAddress

PART = 200  # so many are locked at a time


def reconcile() -> int:
    """Return how many gateways changed."""
    rows = list(EgressAddress.objects.order_by("pk"))
    return sum(egress_gateways_refresh(rows[start : start + PART]) for start in range(0, len(rows), PART))
