"""Limits of a port's bandwidth: nftables rules on the bridge, as text.

A limit is a token bucket: what exceeds it is dropped, and TCP adapts to that. The rules are keyed by the name of the
tap, so they stand before the guest does, come back with the others after a flush, and need no more of the kernel than
those do. A queue (`tc`) would delay packets instead of dropping them, but it is lost with the tap, which the hypervisor
makes and removes.
"""

from agents.node.adapters.network import port_counters
from agents.node.adapters.network_specs import PortSpec, tap_name

# A burst of a tenth of a second, and at least two packets of the largest size that the kernel hands over at once.
BURST_S, BURST_MIN_BYTES = 0.1, 128 * 1024


def from_guest(port: PortSpec) -> str:
    """Return the first rules of the chain of what the guest sends; empty: no limit."""
    limit = port.bandwidth.from_guest if port.bandwidth else None
    return _excess(limit, port_counters.dropped("out", tap_name(port.id))) if limit else ""


def to_guest(table: str, port: PortSpec) -> str:
    """Return the rules of what the guest receives; empty: no limit, and a former one needs `removal`."""
    limit, tap = port.bandwidth.to_guest if port.bandwidth else None, tap_name(port.id)
    if not limit:
        return ""
    return f"""\
add chain {table} {_chain(tap)}
flush chain {table} {_chain(tap)}
add rule {table} {_chain(tap)} {_excess(limit, port_counters.dropped("in", tap))}\
add element {table} limits {{ "{tap}" : jump {_chain(tap)} }}
"""


def removal(table: str, tap: str) -> str:
    """Return the rules that remove the limit of what the guest receives. Adding first makes deleting succeed."""
    return f"""\
add chain {table} {_chain(tap)}
add element {table} limits {{ "{tap}" : jump {_chain(tap)} }}
delete element {table} limits {{ "{tap}" }}
flush chain {table} {_chain(tap)}
delete chain {table} {_chain(tap)}
"""


def counters(table: str, tap: str, *, verb: str = "add") -> str:
    """Return the statements that add or delete the counters of what limits of the port drop; it may have none."""
    return "".join(f"{verb} counter {table} {port_counters.dropped(each, tap)}\n" for each in port_counters.ENDS)


def _excess(mbit: int, counter: str) -> str:
    rate_bytes = mbit * 125_000
    burst_bytes = max(int(rate_bytes * BURST_S), BURST_MIN_BYTES)
    return f'limit rate over {rate_bytes} bytes/second burst {burst_bytes} bytes counter name "{counter}" drop\n'


def _chain(tap: str) -> str:
    return f"to_{tap}"
