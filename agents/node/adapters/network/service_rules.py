"""Rules of a router for what it serves to guests: who may ask the network's resolver and the metadata, and how much.

A guest is known by its MAC address, which the bridge has checked. The limits stand before the acceptance in the
router's input chains, since later datagrams of one flow belong to an established connection.

Metadata are for the sender's address. A port may use ranges beside its own addresses, in which other ports' addresses
may be: so each address is answered only with the MAC address of its port.
"""

from collections.abc import Iterable

from agents.node.adapters.network.metadata import ADDRESS, ADDRESS6
from agents.node.adapters.network.metadata import PORT as METADATA_PORT
from agents.node.adapters.network.names import DNS_PORT
from agents.node.adapters.network_specs import PortSpec

TABLE = "inet andromede-services"
QUERIES_PER_S, QUERIES_BURST = 100, 200
TCP_QUERIES_AT_ONCE = 4  # dnsmasq serves 20, of all guests
METADATA_PER_S, METADATA_BURST = 50, 100  # new connections
METADATA_AT_ONCE = 8
METADATA = {4: f"ip daddr {ADDRESS} tcp dport {METADATA_PORT}", 6: f"ip6 daddr {ADDRESS6} tcp dport {METADATA_PORT}"}
MAX_GUESTS = 4096  # MAC addresses of a network whose use is counted
DNS_QUERIES = f"meta l4proto {{ tcp, udp }} th dport {DNS_PORT}"


def accepted(lan: str, version: int) -> str:
    """Return the rules of the input chain of IP version 4 or 6."""
    return f'''\
    iifname "{lan}" {DNS_QUERIES} accept
    iifname "{lan}" {METADATA[version]} accept
'''


def ruleset(lan: str, ports: Iterable[PortSpec]) -> str:
    """Return the table; applying it again keeps what is counted. `ports`: of the network on this node."""
    known = list(ports)
    return f"""\
table {TABLE} {{
{_counted("queries", "dynamic,timeout", "timeout 1m")}\
{_counted("tcp_queries", "dynamic")}\
{_counted("metadata_rate", "dynamic,timeout", "timeout 1m")}\
{_counted("metadata_open", "dynamic")}\
  set guests4 {{
    type ether_addr . ipv4_addr
  }}
  set guests6 {{
    type ether_addr . ipv6_addr
  }}
  chain metadata {{
  }}
  chain input {{
    type filter hook input priority filter - 10; policy accept;
  }}
}}
flush table {TABLE}
flush set {TABLE} guests4
flush set {TABLE} guests6
table {TABLE} {{
{_guests(known, 4)}\
{_guests(known, 6)}\
  chain input {{
    iifname != "{lan}" accept
    udp dport {DNS_PORT} {_rate("queries", QUERIES_PER_S, QUERIES_BURST)} counter drop
    tcp dport {DNS_PORT} ct state new {_at_once("tcp_queries", TCP_QUERIES_AT_ONCE)} counter drop
    {METADATA[4]} ether saddr . ip saddr != @guests4 counter drop
    {METADATA[6]} ether saddr . ip6 saddr != @guests6 counter drop
    tcp dport {METADATA_PORT} tcp flags & (syn | ack) == syn jump metadata
  }}
  chain metadata {{
    {_rate("metadata_rate", METADATA_PER_S, METADATA_BURST)} counter drop
    {_at_once("metadata_open", METADATA_AT_ONCE)} counter drop
  }}
}}
"""


def _counted(name: str, flags: str, *more: str) -> str:
    lines = ("type ether_addr", f"size {MAX_GUESTS}", f"flags {flags}", *more)
    return f"  set {name} {{\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"


def _guests(ports: Iterable[PortSpec], version: int) -> str:
    pairs = [f"{port.mac} . {address}" for port in ports for address in port.of_family(version)]
    kind = {4: "ipv4_addr", 6: "ipv6_addr"}[version]
    elements = f"    elements = {{ {', '.join(sorted(pairs))} }}\n" if pairs else ""
    return f"  set guests{version} {{\n    type ether_addr . {kind}\n{elements}  }}\n"


def _rate(name: str, per_s: int, burst: int) -> str:
    return f"update @{name} {{ ether saddr limit rate over {per_s}/second burst {burst} packets }}"


def _at_once(name: str, limit: int) -> str:
    return f"add @{name} {{ ether saddr ct count over {limit} }}"
