"""Tenant networks of a node with plain Linux tools: bridges, router namespaces, dnsmasq and nftables."""

from agents.node.adapters.network.layout import namespace_name
from agents.node.adapters.network.node_rules import UplinkPolicy
from agents.node.adapters.network.switch import LinuxSwitch

__all__ = ["LinuxSwitch", "UplinkPolicy", "namespace_name"]
