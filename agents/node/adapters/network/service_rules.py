"""Rules of a router for what it serves to guests: how much one guest may ask of the network's resolver.

A guest is known by its MAC address, which the bridge has checked. The limits stand before the acceptance in the
router's input chains, since later datagrams of one flow belong to an established connection.
"""

from agents.node.adapters.network.names import DNS_PORT

TABLE = "inet andromede-services"
QUERIES_PER_S, QUERIES_BURST = 100, 200
TCP_QUERIES_AT_ONCE = 4  # dnsmasq serves 20, of all guests
MAX_GUESTS = 4096  # MAC addresses of a network whose use is counted
ASKS = f"meta l4proto {{ tcp, udp }} th dport {DNS_PORT}"


def accepted(lan: str) -> str:
    """Return the rule of an input chain, of either family."""
    return f'iifname "{lan}" {ASKS} accept\n'


def ruleset(lan: str) -> str:
    """Return the table; applying it again keeps what is counted."""
    return f"""\
table {TABLE} {{
  set queries {{
    type ether_addr
    size {MAX_GUESTS}
    flags dynamic,timeout
    timeout 1m
  }}
  set tcp_queries {{
    type ether_addr
    size {MAX_GUESTS}
    flags dynamic
  }}
  chain input {{
    type filter hook input priority filter - 10; policy accept;
  }}
}}
flush table {TABLE}
table {TABLE} {{
  chain input {{
    iifname != "{lan}" accept
    udp dport {DNS_PORT} {_rate("queries")} counter drop
    tcp dport {DNS_PORT} ct state new {_at_once("tcp_queries")} counter drop
  }}
}}
"""


def _rate(name: str) -> str:
    return f"update @{name} {{ ether saddr limit rate over {QUERIES_PER_S}/second burst {QUERIES_BURST} packets }}"


def _at_once(name: str) -> str:
    return f"add @{name} {{ ether saddr ct count over {TCP_QUERIES_AT_ONCE} }}"
