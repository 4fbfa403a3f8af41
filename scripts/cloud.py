"""A whole cloud on this machine: a control plane (control_plane.py) and nodes, real ones of a lab or fake ones."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from agents.lab import Lab, LabNode
from agents.lab.images import build
from agents.lab.process import NodeProcess, pid_below
from agents.lab.shell import PATIENCE_S
from agents.node import enrol
from agents.node.adapters import pools
from agents.node.adapters.network.layout import namespace_name
from scripts.control_plane import ROOT, STOP_LIMIT_S, Stack

AGENT_PORT = 7443
ARRIVALS_PORT = 7441
FAKE_PORT = 17443
POOL = "shared"
# Shared by all clouds of this checkout, since building takes time.
BUILT_IMAGES = ROOT / "var" / "images"
IMAGE_MEMORY_MIB = {"tiny": 128, "debian-13": 512}
AGENT = [sys.executable, "-m", "agents.node.main"]

Log = Callable[[str], None]


@dataclass
class Cloud:
    """A cloud. `zones` maps the names of the nodes to their zones.

    `agent_options`: further options of all agents. `pools`: the folder of the pool POOL, for each node that has it.
    `fake_port`: of the first agent over the fake adapter. `log` receives progress messages.
    """

    stack: Stack
    zones: Mapping[str, str]
    is_fake: bool = False
    agent_options: Sequence[str] = ()
    pools: Mapping[str, Path] = field(default_factory=dict)
    fake_port: int = FAKE_PORT
    log: Log = field(default=lambda line: None)
    agents: dict[str, NodeProcess] = field(default_factory=dict)

    @property
    def lab(self) -> Lab:
        return Lab(self.stack.var / "lab")

    def up(self, *images: str) -> None:
        """Start everything, wait, and make the images usable; running parts are left alone."""
        self.up_nodes(*images)
        self.up_control_plane()

    def up_nodes(self, *images: str) -> None:
        """Start the database and the nodes with their agents, and make the images usable."""
        self.log("database, queue and certificates")
        self.stack.prepare()
        for image in images:
            self.add_image(image)
        if self.is_fake:
            self._make_pools()
        else:
            self.log("lab: switching the nodes on")
            self.lab.up(self.zones)
        for name in self.zones:
            self.log(f"{name}: agent in {self.zones[name]}")
            self.enrol(name)
            self.start_agent(name)

    def up_control_plane(self) -> None:
        """Start the control plane, whose database runs."""
        self.log("API, workers, signer and watcher")
        self.stack.start()

    def down(self) -> None:
        """Stop everything; the folder stays."""
        self.stack.stop()
        self.lab.down()
        for name in list(self.agents):
            self._reap(name)

    def repair(self) -> None:
        """Restart the dead processes."""
        if not self.is_fake:
            self.lab.up(self.zones)
        for name in self.zones:
            self.start_agent(name)
        self.stack.start()

    def forget(self) -> None:
        """Remove the folder of a cloud that is down."""
        shutil.rmtree(self.stack.var, ignore_errors=True)

    def add(self, name: str, zone: str) -> None:
        """Add one node to a running cloud."""
        self.zones = {**self.zones, name: zone}
        self.lab.up([name])
        self.enrol(name)
        self.start_agent(name)

    def remove_node(self, name: str) -> None:
        """Switch off a node that is not needed any more."""
        self.zones = {other: zone for other, zone in self.zones.items() if other != name}
        self.node(name).power_off()
        self._reap(name)

    def make_project(self, name: str) -> tuple[str, str]:
        """Create an organization and a project of this name.

        Returns the secrets of an owner's and of an operator's token.
        """
        manage, owner, operator = self.stack.manage, f"{name}@example.org", f"operator-{name}@example.org"
        manage("create_organization", name)
        manage("create_project", name, name)
        manage("create_user", owner)
        manage("create_user", operator, "--operator")
        manage("add_member", name, owner, "owner")
        options = ["--name", name, "--role", "owner", "--days", "30"]
        return manage("create_token", owner, "--project", name, *options), manage("create_token", operator, *options)

    def make_ssh_key(self, path: Path) -> str:
        """Make a key pair without a passphrase, once. Returns the public key."""
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", str(path)], check=True)
        return path.with_suffix(".pub").read_text().strip()

    def ssh(
        self,
        instance: dict[str, Any],
        network: dict[str, Any],
        key: Path,
        command: str,
        *,
        user: str = "root",
        at: str = "",
    ) -> str:
        """Run a command in the guest and return its output.

        The connection goes by the network's router on the guest's node, so the guest needs no public address. `at`: the
        node, where the zone has several.
        """
        name = at or next(name for name, zone in self.zones.items() if zone == instance["zone"])
        address = instance["addresses"][0]["ip"]
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=60"]
        words = ["ip", "netns", "exec", namespace_name(UUID(network["id"])), "ssh", "-i", str(key)]
        words += [word for option in options for word in ("-o", option)]
        return self.node(name).exec([*words, f"{user}@{address}", command], timeout_s=120).stdout

    def add_image(self, name: str) -> None:
        """Build one of the project's own guest images, unless it was built before, and make it public."""
        self.log(f"image {name}")
        file = BUILT_IMAGES / f"{name}.qcow2"
        file.parent.mkdir(parents=True, exist_ok=True)
        build(name, file)
        memory = str(IMAGE_MEMORY_MIB[name])
        self.stack.manage("import_image", name, str(file), "--format", "qcow2", "--min-memory-mib", memory, "--replace")

    def agent_folder(self, name: str) -> Path:
        return self.stack.var / "agents" / name if self.is_fake else self.lab.node(name).agent_folder

    def agent_address(self, name: str) -> str:
        if self.is_fake:
            return f"127.0.0.1:{self.fake_port + list(self.zones).index(name)}"
        return f"{self.lab.node(name).address}:{AGENT_PORT}"

    def enrol(self, name: str) -> None:
        """Enrol the node: request and install its certificate and sign its charter; an enrolled node keeps them."""
        folder = self.agent_folder(name)
        if (folder / "pki" / "node.crt").exists():
            return
        request = folder / "node.csr"
        text = enrol.request(folder, name)
        request.write_text(text)
        certificate = self.stack.manage(
            "enrol_node",
            *("--name", name, "--zone", self.zones[name]),
            *("--address", self.agent_address(name), "--csr", str(request)),
        )
        pki = self.stack.var / "pki"
        self.stack.manage(
            "charter_sign",
            *("--node", name, "--classifications", "*", "--serial", f"LAB-{name}"),
            *("--witness", "alice", "--witness", "bruno", "--root-key", str(self.stack.root_key)),
        )
        ca, root = (pki / "ca.crt").read_bytes(), (pki / "root.pub").read_bytes()
        enrol.install(folder, certificate=certificate.encode(), ca=ca, root=root)

    def _make_pools(self) -> None:
        """Make the pools of fake nodes; a lab makes its own."""
        for folder in set(self.pools.values()):
            folder.mkdir(parents=True, exist_ok=True)
            pools.make(folder)

    def spawn_agent(self, name: str) -> None:
        """Start the node's agent, which does not run."""
        address = self.agent_address(name)
        command = [*AGENT, "--listen", address]
        command += ["--clock", "kept-elsewhere", *self.agent_options]  # nodes of a lab have no clock of their own
        if name in self.pools:
            command += ["--pool", f"{POOL}={self.pools[name]}"]
        if self.is_fake:
            command += ["--state-dir", str(self.agent_folder(name)), "--adapter", "fake"]
            self.stack.spawn(f"agent-{name}", command)
        else:
            self._reap(name)
            node, host = self.lab.node(name), address.rpartition(":")[0]
            command += ["--state-dir", str(node.state_dir), "--arrivals", f"{host}:{ARRIVALS_PORT}"]
            command += ["--confinement", "optional"]  # nor AppArmor
            self.agents[name] = node.spawn(command, log=self.agent_log(name))

    def start_agent(self, name: str) -> None:
        """Start the node's agent unless it runs, and return when it listens."""
        host, port = self.agent_address(name).split(":")
        if not _listens(host, int(port)):
            self.spawn_agent(name)
        deadline = time.monotonic() + PATIENCE_S
        while not _listens(host, int(port)):
            if time.monotonic() > deadline:
                raise SystemExit(f"The agent of {name} does not answer; see {self.agent_log(name)}.")
            time.sleep(0.1)

    def agent_pid(self, name: str) -> int:
        """Return the pid on the machine, also when the agent runs in a node of the lab."""
        for pid in self.node(name).pids(containing="agents.node.main"):
            if pid_below(pid) is not None:  # an nsenter of the same command line waits outside
                return pid
        raise SystemExit(f"The agent of {name} does not run; see {self.agent_log(name)}.")

    def _reap(self, name: str) -> None:
        """Reap ended agents, which would stay zombies."""
        if (agent := self.agents.pop(name, None)) is not None:
            agent.wait(STOP_LIMIT_S)

    def agent_log(self, name: str) -> Path:
        return self.stack.var / "log" / f"agent-{name}.log"

    def node(self, name: str) -> LabNode:
        return self.lab.node(name)


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
