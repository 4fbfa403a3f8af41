"""Benchmark of the ways to change links and packet filter rules on a node.

For nftables: the nft process and libnftables in this process, each with text and JSON, for one element of a set, for a
table of 1000 elements, and the agent's change of a segment by elements and as a whole table. For links: pyroute2 and
the processes ip and bridge. All in a network namespace of its own, as root.

`ARGS="--networks 100"` takes fewer.
"""

import argparse
import ctypes
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from agents.node.adapters.network import namespaces, overlay_rules
from agents.node.adapters.network.netlink import Netlink, link_names
from agents.node.adapters.network_specs import SegmentSpec
from bench.common import report, spread

NAMESPACE = "bench-node-network"
LOCAL = IPv4Address("192.0.2.1")
FAMILY, TABLE = overlay_rules.TABLE.split()
# Flags of nft_ctx_output_set_flags, of nftables/libnftables.h.
STATELESS, JSON = 1 << 1, 1 << 4
DEVICE, EVERYBODY = "vxl0", "00:00:00:00:00:00"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--peers", type=int, default=50)
    parser.add_argument("--links", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    namespaces.remove(NAMESPACE)
    namespaces.create(NAMESPACE)
    try:
        report(namespaces.inside(NAMESPACE, lambda: measure(arguments)))
    finally:
        namespaces.remove(NAMESPACE)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    rounds = arguments.rounds
    return {
        "one_element": one_element(5 * rounds),
        "table_of_1000_elements": whole_table(segments(20, 50), 2 * rounds),
        "segment": segment_change(segments(arguments.networks, arguments.peers), rounds),
        "links": links(arguments.links, rounds),
    }


def segments(networks: int, peers: int) -> list[SegmentSpec]:
    return [
        SegmentSpec(vni, LOCAL, tuple(IPv4Address("10.0.0.0") + number for number in range(peers)))
        for vni in range(1, networks + 1)
    ]


# ---- nftables


def process(text: str, *options: str) -> bytes:
    return subprocess.run(["nft", *options, "-f", "-"], input=text.encode(), check=True, capture_output=True).stdout


def process_json(text: str) -> bytes:
    return process(text, "-j")


class Library:
    """libnftables in this process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libnftables.so.1")
        self._library.nft_ctx_new.restype = ctypes.c_void_p
        for name in ("output", "error"):
            getattr(self._library, f"nft_ctx_get_{name}_buffer").restype = ctypes.c_char_p

    def run(self, text: str, flags: int = 0) -> bytes:
        context = ctypes.c_void_p(self._library.nft_ctx_new(0))
        try:
            self._library.nft_ctx_output_set_flags(context, flags)
            self._library.nft_ctx_buffer_output(context)
            self._library.nft_ctx_buffer_error(context)
            code = self._library.nft_run_cmd_from_buffer(context, text.encode())
            assert code == 0, self._library.nft_ctx_get_error_buffer(context)
            answer: bytes = self._library.nft_ctx_get_output_buffer(context)
            return answer
        finally:
            self._library.nft_ctx_free(context)

    def run_json(self, text: str) -> bytes:
        return self.run(text, JSON)


def one_element(rounds: int) -> dict[str, Any]:
    """Add an element to a set, and delete it. The time is that of one of these."""
    first, second = segments(2, 1)
    process(overlay_rules.ruleset([first, second]))
    longer = replace(second, peers=(*second.peers, LOCAL))
    there, back = overlay_rules.change(second, longer), overlay_rules.change(longer, second)
    element = {"family": FAMILY, "table": TABLE, "name": "peers", "elem": [{"concat": [str(LOCAL), second.vni]}]}
    as_json = [json.dumps({"nftables": [{verb: {"element": element}}]}) for verb in ("add", "delete")]
    return _in_turns(rounds, {"text": [there, back], "json": as_json})


def whole_table(known: list[SegmentSpec], rounds: int) -> dict[str, Any]:
    """Replace the table by an equal one."""
    text = overlay_rules.ruleset(known)
    process(text)
    present = json.loads(Library().run("list ruleset", JSON | STATELESS))["nftables"]
    objects = [
        {kind: {key: field for key, field in value.items() if key != "handle"}}
        for each in present
        for kind, value in each.items()
        if kind != "metainfo"
    ]
    head = {"table": {"family": FAMILY, "name": TABLE}}
    commands = [{"add": head}, {"delete": head}, *({"add": each} for each in objects)]
    as_json = json.dumps({"nftables": commands})
    figures = _in_turns(rounds, {"text": [text], "json": [as_json]})
    return {**figures, "text_bytes": len(text), "json_bytes": len(as_json)}


def _in_turns(rounds: int, texts: dict[str, list[str]]) -> dict[str, Any]:
    library = Library()
    ways: dict[str, tuple[Callable[[str], bytes], list[str]]] = {
        "process_text": (process, texts["text"]),
        "process_json": (process_json, texts["json"]),
        "library_text": (library.run, texts["text"]),
        "library_json": (library.run_json, texts["json"]),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (call, commands) in ways.items():
            for command in commands:
                taken[name].append(_seconds(lambda call=call, command=command: call(command)))  # type: ignore[misc]
    return {name: spread(times) for name, times in taken.items()}


def segment_change(known: list[SegmentSpec], rounds: int) -> dict[str, Any]:
    """Add a peer to one segment, and remove it."""
    last = known[-1]
    longer = replace(last, peers=(*last.peers, LOCAL))
    process(overlay_rules.ruleset(known))
    taken: dict[str, list[float]] = {"by_elements": [], "as_a_whole": [], "listing": []}
    for _ in range(rounds):
        for old, new in ((last, longer), (longer, last)):
            taken["by_elements"].append(_seconds(lambda old=old, new=new: process(overlay_rules.change(old, new))))  # type: ignore[misc]
        taken["as_a_whole"].append(_seconds(lambda: process(overlay_rules.ruleset(known))))
        taken["listing"].append(_seconds(lambda: json.loads(process("list ruleset", "-j", "-s"))))
    return {name: spread(times) for name, times in taken.items()}


# ---- links


def links(number: int, rounds: int) -> dict[str, Any]:
    """Change one link, with so many beside it, and list all of them."""
    others = "".join(f"link add br{each} type bridge\n" for each in range(number))
    subprocess.run(["ip", "-batch", "-"], input=others.encode(), check=True)
    with Netlink() as netlink:
        netlink.add_link(DEVICE, "vxlan", vxlan_id=1, vxlan_local=str(LOCAL), vxlan_port=4789)
        ways: dict[str, Callable[[], object]] = {
            "open_socket": lambda: Netlink().__exit__(),
            "set_mtu_netlink": lambda: netlink.change_link(DEVICE, mtu=1400),
            "set_mtu_ip": lambda: _output("ip", "link", "set", DEVICE, "mtu", "1400"),
            "show_link_netlink": lambda: netlink.link(DEVICE),
            "show_link_ip": lambda: json.loads(_output("ip", "-d", "-j", "link", "show", DEVICE)),
            "names_netlink": lambda: link_names(),
            "dump_netlink": lambda: [netlink.link(name) for name in link_names().values()],
            "dump_ip": lambda: json.loads(_output("ip", "-d", "-j", "link", "show")),
            "entry_netlink": lambda: netlink.add_forwarding_entry(DEVICE, EVERYBODY, LOCAL),
            "entry_bridge": lambda: _output("bridge", "fdb", "append", EVERYBODY, "dev", DEVICE, "dst", str(LOCAL)),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, call in ways.items():
                taken[name].append(_seconds(call))
    return {name: spread(times) for name, times in taken.items()}


def _output(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
