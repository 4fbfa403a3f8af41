"""The router of a tenant network: a network namespace with the gateway's address and a way out.

Its device `lan` is plugged into the network's bridge, its device `wan` leads to the node by a /31 of its own.
It hides the tenant's addresses behind its transit address, and the node hides that one behind its own: so
two tenants may use the same addresses on one node.
"""

from ipaddress import IPv4Network

from agents.node.adapters.base import NetworkSpec
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.tools import inside, ip_batch, nft, nft_json
from agents.node.process import run

LAN, WAN = "lan", "wan"
TABLE = "ip andromede"
SWITCHES = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")


def ensure(network: NetworkSpec, *, transit: IPv4Network, renew: bool = False) -> None:
    """Configure the router, whose namespace has both devices.

    The rules come last and at once: a router that has some has all that came before. `renew` replaces them in
    any case: this agent may have other rules than the one that made them.
    """
    layout = Layout.of(network.id)
    plen = network.cidr.prefixlen
    ip_batch(
        (
            "link set lo up",
            f"link set {LAN} mtu {network.mtu} up",
            f"link set {WAN} mtu {network.mtu} up",
            f"addr replace {network.gateway_ip}/{plen} dev {LAN}",
            f"addr replace {transit[1]}/31 dev {WAN}",
            f"route replace default via {transit[0]} dev {WAN}",
        ),
        namespace=layout.namespace,
    )
    if renew or not _has_rules(layout):
        # -e: a kernel without IPv6 lacks its switches
        run([*inside(layout.namespace), "sysctl", "-q", "-e", "-w", *SWITCHES])
        nft(ruleset(network.cidr), namespace=layout.namespace)


def ruleset(cidr: IPv4Network) -> str:
    """Replaces the table in one step."""
    return f"""\
table {TABLE} {{
}}
delete table {TABLE}
table {TABLE} {{
  chain input {{
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    iifname "{LAN}" icmp type echo-request accept
    iifname "{LAN}" udp sport 68 udp dport 67 accept
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    iifname "{LAN}" oifname "{WAN}" ip saddr {cidr} accept
    iifname "{WAN}" oifname "{LAN}" ct state established,related accept
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "{WAN}" masquerade
  }}
}}
"""


def _has_rules(layout: Layout) -> bool:
    tables = [each["table"] for each in nft_json(["tables"], namespace=layout.namespace)]
    return any(f"{table['family']} {table['name']}" == TABLE for table in tables)
