"""Self-test: tries once after each boot whether the node can run a guest, since a broken node must get none.

Each trial does what a guest needs, with the adapters of real guests, and cleans up.
"""

import json
import logging
import threading
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from uuid import UUID

from agents.node import VERSION
from agents.node.adapters.interfaces import CONFINEMENT
from agents.node.adapters.network_specs import NetworkSpec, PortSpec, SubnetSpec
from agents.node.context import Node
from agents.node.errors import AgentError

log = logging.getLogger(__name__)

RETRY_AFTER_S = 30.0
# Always the same, so that what an agent left that was killed in the middle is found and removed by the next one.
ID = UUID("00000000-0000-7000-8000-000000000000")
DISK_BYTES = 2**20
# TEST-NET-1 (RFC 5737): no tenant's network meets it, since the trial has a network of its own.
NETWORK, GATEWAY, GUEST = IPv4Network("192.0.2.0/29"), IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
MTU = 1450
MAC = "02:00:00:00:00:02"


class SelfTest:
    """Runs beside the agent until it has passed. A pass is valid until the next boot, or another agent."""

    def __init__(self, node: Node, kept: Path) -> None:
        self._node = node
        self._kept = kept
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="self-test", daemon=True)

    def start(self) -> None:
        verdict = self._node.self_test
        verdict.has_passed = verdict.has_passed or self._had_passed()
        if not verdict.has_passed:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        verdict = self._node.self_test
        while not self._stopping.is_set():
            verdict.problem = first_problem(self._node)
            log.info("self-test", extra={"facts": {"problem": verdict.problem}})
            if not verdict.problem:
                self._remember()
                verdict.has_passed = True
                return
            self._stopping.wait(RETRY_AFTER_S)

    def _key(self) -> dict[str, str]:
        confinement = "required" if self._node.needs_confinement else "optional"
        return {"boot_id": self._node.boot_id, "version": VERSION, "confinement": confinement}

    def _had_passed(self) -> bool:
        try:
            return bool(json.loads(self._kept.read_text()) == self._key())
        except (FileNotFoundError, ValueError):
            return False

    def _remember(self) -> None:
        unfinished = self._kept.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(self._key()))
        unfinished.rename(self._kept)


def first_problem(node: Node) -> str:
    """Return the first problem, for an operator; empty if the node can run a guest."""
    for name, trial in TRIALS:
        try:
            problem = trial(node)
        except AgentError as exc:
            problem = exc.message
        except Exception as exc:
            log.exception("self-test failed unexpectedly")  # this thread must live until all have passed
            problem = repr(exc)
        if problem:
            return f"{name}: {problem}"
    return ""


def _confinement(node: Node) -> str:
    is_confined = f"{CONFINEMENT}none" not in node.adapters.hypervisor.host().traits
    if is_confined or not node.needs_confinement:
        return ""
    return "libvirt has no AppArmor or SELinux here, so that a hole in QEMU would be the whole node."


def _guest(node: Node) -> str:
    node.adapters.hypervisor.host()
    return node.adapters.hypervisor.probe()


def _disk(node: Node) -> str:
    engine = node.adapters.disks.engine()
    try:
        engine.create(ID, size_bytes=DISK_BYTES)
        size_bytes = engine.size_bytes(ID)
    finally:
        engine.remove(ID)
    return "" if size_bytes == DISK_BYTES else f"A volume of {DISK_BYTES} bytes was made, and {size_bytes} were found."


def _network(node: Node) -> str:
    network = NetworkSpec(ID, (SubnetSpec(NETWORK, GATEWAY),), mtu=MTU)
    port = PortSpec(ID, network, MAC, (GUEST,), "self-test")
    try:
        node.adapters.switch.ensure_port(port, others=())
    finally:
        node.adapters.switch.remove_port(port, others=())
    return ""


TRIALS: tuple[tuple[str, Callable[[Node], str]], ...] = (
    ("Confinement", _confinement),
    ("A probe guest", _guest),
    ("A disk", _disk),
    ("A network", _network),
)
