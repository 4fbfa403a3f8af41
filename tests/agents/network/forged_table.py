"""The table of forged frames: every kind once."""

from tests.agents.network import forged_ethernet, forged_ipv4, forged_ipv6
from tests.agents.network.forged_kinds import Kind

HONEST = forged_ethernet.HONEST | forged_ipv4.HONEST | forged_ipv6.HONEST
HONEST_FOR_ROUTER = forged_ipv4.HONEST_FOR_ROUTER | forged_ipv6.HONEST_FOR_ROUTER
OF_GUESTS: tuple[Kind, ...] = tuple(
    kind
    for group in (*forged_ethernet.GROUPS, *forged_ipv4.GROUPS, *forged_ipv6.GROUPS)
    for kind in group.kinds()
)
