"""A whole cloud on this machine: a control plane (stack.py) and nodes, real ones of a lab or ones with the fake
adapter."""

import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agents.lab import Lab, LabNode
from agents.lab.images import build
from agents.node import enrol
from scripts.stack import Stack

AGENT_PORT = 7443
FAKE_PORT = 17443
LISTEN_LIMIT_S = 60
AGENT = [sys.executable, "-m", "agents.node.main"]

Say = Callable[[str], None]


@dataclass
class Cloud:
    """`zones` maps the names of the nodes to their zones. `say` is told what takes long."""

    stack: Stack
    zones: Mapping[str, str]
    is_fake: bool = False
    say: Say = field(default=lambda line: None)

    @property
    def lab(self) -> Lab:
        return Lab(self.stack.var / "lab")

    def up(self, *images: str) -> None:
        """Everything runs when this returns, and the images can be used; what runs already is left alone."""
        self.say("database, queue and certificates")
        self.stack.prepare()
        for image in images:
            self.add_image(image)
        if not self.is_fake:
            self.say("lab: switching the nodes on")
            self.lab.up(self.zones)
        for name in self.zones:
            self.say(f"{name}: agent in {self.zones[name]}")
            self.enrol(name)
            self.start_agent(name)
        self.say("API, workers, beat and watcher")
        self.stack.start()

    def down(self) -> None:
        """Nothing runs when this returns; the folder stays."""
        self.stack.stop()
        self.lab.down()

    def add_image(self, name: str) -> None:
        """Build one of the project's own guest images, unless it was built before, and make it public."""
        self.say(f"image {name}")
        file = self.stack.var / "built-images" / f"{name}.qcow2"
        file.parent.mkdir(parents=True, exist_ok=True)
        build(name, file)
        self.stack.manage("import_image", name, str(file), "--format", "qcow2")

    def agent_folder(self, name: str) -> Path:
        return self.stack.var / "agents" / name if self.is_fake else self.lab.node(name).agent_folder

    def agent_address(self, name: str) -> str:
        if self.is_fake:
            return f"127.0.0.1:{FAKE_PORT + list(self.zones).index(name)}"
        return f"{self.lab.node(name).address}:{AGENT_PORT}"

    def enrol(self, name: str) -> None:
        """Ask for a certificate, have it signed and install it; a node that has one keeps it."""
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
        authority = (self.stack.var / "pki" / "ca.crt").read_bytes()
        enrol.install(folder, certificate=certificate.encode(), ca=authority)

    def start_agent(self, name: str) -> None:
        """Start the node's agent unless it runs, and return when it listens."""
        host, port = self.agent_address(name).split(":")
        if not _listens(host, int(port)):
            command = [*AGENT, "--state-dir", str(self.agent_folder(name)), "--listen", f"{host}:{port}"]
            if self.is_fake:
                self.stack.spawn(f"agent-{name}", [*command, "--adapter", "fake"])
            else:
                self.lab.node(name).spawn(command, log=self.agent_log(name))
        deadline = time.monotonic() + LISTEN_LIMIT_S
        while not _listens(host, int(port)):
            if time.monotonic() > deadline:
                raise SystemExit(f"The agent of {name} does not answer; see {self.agent_log(name)}.")
            time.sleep(0.1)

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
