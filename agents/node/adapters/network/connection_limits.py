"""Limits of a network's connections, as rules of nftables. Pure.

All networks share the node's connection tracking table, and a full table refuses new connections of everybody.

- Each network has at most so many connections open at once. The kernel leaves closed TCP connections out of this count,
  though their entries stay for some seconds, and it compares a new connection with each one that it counts.
- So a network may also open no more than BURST_SHARES of its limit at once and RATE_SHARE of it per second, which is
  judged first. With SWITCHES, its entries are at most 1 + BURST_SHARES + RATE_SHARE x CLOSED_S times the limit.
"""

from collections.abc import Mapping

CONNECTIONS = 8192
BURST_SHARES, RATE_SHARE = 1, 0.25
# An established TCP connection that has been silent for so long is forgotten; the kernel's default is five days.
ESTABLISHED_S = 3600
# The entry of a TCP connection that one end closed; the kernel's defaults are 120 s, and 10 s after a reset.
CLOSED_S = 10
SWITCHES: Mapping[str, int] = {
    "net/netfilter/nf_conntrack_tcp_timeout_established": ESTABLISHED_S,
    "net/netfilter/nf_conntrack_tcp_timeout_time_wait": CLOSED_S,
    "net/netfilter/nf_conntrack_tcp_timeout_close": CLOSED_S,
}


def sets(connections: int) -> tuple[str, str]:
    """Return the names of the two dynamic sets that the rules use: of new connections, and of open ones.

    The kernel copies the limit into each element: another limit needs other sets. The sets stay when the rules are
    written again, since new ones would count from zero.
    """
    return f"new_connections_{connections}", f"connections_{connections}"


def rules(match: str, key: str, connections: int, *, verdict: str = "counter drop") -> tuple[str, str]:
    """Return the rules that refuse packets of `match` that open a connection beyond the limits of their `key`."""
    new, counted = sets(connections)
    rate = f"limit rate over {max(1, int(connections * RATE_SHARE))}/second burst {connections * BURST_SHARES} packets"
    opens = f"{match} ct state new".lstrip()
    return (
        f"{opens} update @{new} {{ {key} {rate} }} {verdict}",
        f"{opens} add @{counted} {{ {key} ct count over {connections} }} {verdict}",
    )


def lines(match: str, key: str, connections: int) -> str:
    """Return the rules as text, one on each line."""
    return "".join(f"{rule}\n" for rule in rules(match, key, connections))
