"""The table of forged frames: every kind once, and the page of the documentation about them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

from tests.agents.network import forged_beyond, forged_ethernet, forged_ipv4, forged_ipv6, forged_nodes
from tests.agents.network.forged_kinds import Group, Kind

HONEST = forged_ethernet.HONEST | forged_ipv4.HONEST | forged_ipv6.HONEST
HONEST_FOR_ROUTER = forged_ipv4.HONEST_FOR_ROUTER | forged_ipv6.HONEST_FOR_ROUTER
CONTROLS = (
    HONEST | HONEST_FOR_ROUTER | forged_beyond.HONEST | forged_beyond.HONEST_OF_OUTSIDE | forged_nodes.HONEST_OUTER
)


def kinds(groups: Iterable[Group]) -> tuple[Kind, ...]:
    return tuple(chain.from_iterable(group.kinds() for group in groups))


OF_GUESTS = kinds((*forged_ethernet.GROUPS, *forged_ipv4.GROUPS, *forged_ipv6.GROUPS))
ROUTED_OF_GUESTS = kinds(forged_beyond.OF_GUESTS)
OF_NODES = (*forged_nodes.INNER, *forged_nodes.OUTER.kinds())
OF_OUTSIDE = kinds(forged_beyond.OF_OUTSIDE)
# By the test that tries them.
TABLE = {
    "a hostile guest, against neighbours and its router": ("test_forged_frames.py", OF_GUESTS),
    "a hostile guest, against the node and beyond": ("test_forged_packets.py", ROUTED_OF_GUESTS),
    "a hostile node, against guests on other nodes": ("test_forged_frames.py", OF_NODES),
    "a host outside, against guests with public addresses": ("test_forged_packets.py", OF_OUTSIDE),
}
INTRODUCTION = """\
# Forged frames

Each kind of a forged frame or packet that the tests try, for auditors. None gets through. The table is
`tests/agents/network/forged_table.py`; a test compares this page with it (`tests/agents/network/test_forged_table.py`).

- **A guest** tries all kinds of its first table from a port with nothing else, from one with allowed address pairs, one
  with a security group that allows everything, and one with public addresses, and against a neighbour on another node.
  Its second table is tried from a port with public addresses. **A node** is one that carries the network. **A host
  outside** sends to public addresses.
- Each is tried twice: before and after a flush of the rules (`nft flush ruleset`) that the agent has restored.
- **Each kind has an honest frame beside it**, which passes in the same runs. Without the rules, all frames of a guest's
  first table arrive, but for five that the kernel's bridge itself refuses: so the test sees what gets through.
- What a guest sends with its own addresses is no forgery, and passes: options of IP, tunnels, unusual protocols.
- What a hostile node sends in the name of guests cannot be told from what these send, and passes to the network's other
  nodes. So does what a host on the underlay sends with the address of such a node: the underlay must be
  [isolated](../how-to/prepare-the-underlay.md#isolate-the-underlay).
"""


def page() -> str:
    """Return the page about these kinds."""
    lines = [INTRODUCTION, *_counts(), *chain.from_iterable(_table(title) for title in TABLE)]
    return "\n".join(lines).rstrip() + "\n"


def _counts() -> Iterator[str]:
    yield "| sender | kinds | IPv4 | IPv6 | below IP | got through | test |\n|---|---|---|---|---|---|---|"
    total: Counter[str] = Counter()
    for title, (test, found) in TABLE.items():
        by_family = Counter(kind.family for kind in found)
        total += by_family
        yield f"| {title} | {_figures(by_family)} | 0 | `{test}` |"
    yield f"| **all** | {_figures(total)} | **0** | |\n"


def _figures(by_family: Counter[str]) -> str:
    return " | ".join(str(by_family[family] if family else by_family.total()) for family in ("", "IPv4", "IPv6", "any"))


def _table(title: str) -> Iterator[str]:
    yield f"## Of {title}\n\n| family | layer | tries to | kinds | passes beside them |\n|---|---|---|---|---|"
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for kind in TABLE[title][1]:
        rows.setdefault((kind.family, kind.layer, kind.aim, kind.control), []).append(kind.name)
    for (family, layer, aim, control), names in rows.items():
        yield f"| {family} | {layer} | {aim} | {len(names)}: {'; '.join(names)} | {control} |"
    yield ""
