"""Counters of ports: packets that security groups and limits of bandwidth drop, and packets that a rule that logs lets
begin a connection.

They are named counters of nftables, which stay when the rules around them are written again, and one call of nft reads
those of all ports. A port's packets are found by its MAC addresses on its bridge: its own, and those of its allowed
addresses that no other port of the node may use there. Packets with an address of several ports are dropped and allowed
alike, but counted for none.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from agents.node.adapters.network import nft
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.rule_table import Elements, NamedObject
from agents.node.adapters.network_specs import tap_name
from agents.node.adapters.port_filters import FilteredPort, PortCounters
from andromede_core.permits.security_group import MAX_COUNTED_RULES, Rule, SecurityGroup

# Of the port as a sender and as a receiver, in the tables that judge by MAC address.
SOURCE, DESTINATION = "iifname . ether saddr", "oifname . ether daddr"
ENDS = {"out": SOURCE, "in": DESTINATION}
COUNTER = NamedObject("counter")
_NAME = re.compile(r"(?:hit_(?P<rule>[0-9a-f]{32})_|(?P<direction>in|out)_)(?P<tap>tap[0-9a-f]{11})")
GROUP_TABLES = frozenset({"inet andromede-groups", "bridge andromede-groups"})
BANDWIDTH_TABLES = frozenset({"bridge andromede"})


@dataclass(slots=True)
class Counters:
    """Names of counters, and the maps that find them."""

    names: set[str] = field(default_factory=set)
    maps: dict[str, Elements] = field(default_factory=dict)

    @property
    def objects(self) -> dict[str, NamedObject]:
        return dict.fromkeys(sorted(self.names), COUNTER)


def of_drops(ports: Iterable[FilteredPort]) -> Counters:
    """Return the counters of what the ports' rules drop, by direction."""
    found, cards = Counters(), _cards(ports)
    for direction, end in ENDS.items():
        entries = {card: dropped(direction, tap_name(port.port.id)) for card, port in cards.items()}
        found.names.update(entries.values())
        found.maps[_drops_map(direction)] = _map(end, entries)
    return found


def of_closed(ports: Iterable[FilteredPort]) -> Counters:
    """Return the counters of the ports that are cut off, by the device."""
    found, taps = Counters(), [tap_name(port.port.id) for port in ports]
    for direction, end in (("out", "iifname"), ("in", "oifname")):
        entries = {f'"{tap}"': dropped(direction, tap) for tap in taps}
        found.names.update(entries.values())
        found.maps[f"closed_{direction}"] = _map(end, entries)
    return found


def of_hits(ports: Iterable[FilteredPort], groups: Mapping[str, SecurityGroup]) -> Counters:
    """Return the counters of rules that log, by port and rule: of each port, the first rules by their ids."""
    found = Counters()
    entries: dict[str, dict[str, str]] = defaultdict(dict)
    directions = {}
    for card, port in _cards(ports).items():
        for rule in _counted(port, groups):
            directions[hits_map(rule)] = ENDS[rule.direction]
            name = f"hit_{rule.id.replace('-', '')}_{tap_name(port.port.id)}"
            entries[hits_map(rule)][card] = name
            found.names.add(name)
    found.maps = {name: _map(directions[name], mine) for name, mine in entries.items()}
    return found


def hits_map(rule: Rule) -> str:
    return f"hits_{rule.direction}_{rule.id.replace('-', '')}"


def count_drop(direction: str) -> str:
    """Return the rule that drops and counts packets of ports that have a counter; others go on."""
    return f"counter name {ENDS[direction]} map @{_drops_map(direction)} drop"


def count_hit(rule: Rule) -> str:
    return f"counter name {ENDS[rule.direction]} map @{hits_map(rule)}"


def dropped(direction: str, tap: str) -> str:
    """Return the name of the counter of what is dropped, in the tables of security groups and of bandwidth."""
    return f"{direction}_{tap}"


def read() -> dict[str, PortCounters]:
    """Return the counters of the ports by device; a port without rules that drop has none.

    Raises:
        AdapterError: nft cannot list them.
    """
    found: dict[str, PortCounters] = {}
    for table, name, packets in _listed():
        if match := _NAME.fullmatch(name):
            counters = found.setdefault(match["tap"], PortCounters())
            if match["rule"]:
                counters.rule_hits[str(UUID(match["rule"]))] = packets
            elif table in GROUP_TABLES:
                counters.group_dropped[match["direction"]] += packets
            elif table in BANDWIDTH_TABLES:
                counters.bandwidth_dropped[match["direction"]] += packets
    return found


def _listed() -> Iterator[tuple[str, str, int]]:
    for each in nft.listing("counters", is_stateless=False):
        counter = each["counter"]
        yield f"{counter['family']} {counter['table']}", counter["name"], counter["packets"]


def _counted(port: FilteredPort, groups: Mapping[str, SecurityGroup]) -> list[Rule]:
    rules = {rule.id: rule for group in port.groups or () for rule in groups[group].rules if rule.is_logged}
    return [rules[key] for key in sorted(rules)[:MAX_COUNTED_RULES]]


def _cards(ports: Iterable[FilteredPort]) -> dict[str, FilteredPort]:
    """Return the ports by bridge and MAC address; without the allowed MAC addresses that several ports may use."""
    users: dict[str, list[FilteredPort]] = defaultdict(list)
    own: dict[str, FilteredPort] = {}
    for port in ports:
        own[_card(port, port.port.mac)] = port
        for mac in port.macs:
            users[_card(port, mac)].append(port)
    return {card: mine[0] for card, mine in users.items() if len(mine) == 1} | own


def _card(port: FilteredPort, mac: str) -> str:
    return f'"{Layout.for_network(port.port.network.id).bridge}" . {mac}'


def _drops_map(direction: str) -> str:
    return f"dropped_by_{direction}"


def _map(end: str, entries: Mapping[str, str]) -> Elements:
    quoted = {key: f'"{name}"' for key, name in entries.items()}
    return Elements(f"typeof {end} : counter;", quoted, is_map=True)
