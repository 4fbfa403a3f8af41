"""Two announcers' BIRDs and a router, in network namespaces of their own on one link."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agents.announcer.bird_control import Bird, BirdSilent
from tests import processes
from tests.agents.announcer.frr import Frr
from tests.agents.announcer.how_to import router_configuration
from tests.agents.announcer.waiting import wait_until

ROLE = Path(__file__).parents[3] / "ansible/roles/announcer/templates"
ROUTER, AS, ROUTER_AS = "10.0.7.1", 65001, 65000
ROUTER_CONFIG = """
router id 10.0.7.1;
protocol device {}
protocol kernel { ipv4 { export all; }; }
protocol kernel { ipv6 { export all; }; }
"""
# What the tests add to the how-to's configuration of a session.
SOON = "{\n  connect delay time 1; connect retry time 1; error wait time 1, 1;\n  allow bgp_local_pref on;\n"


def entering_namespace(netns: int) -> list[str]:
    """Return the words before a command line that run it in the network namespace of a process."""
    return ["nsenter", f"--net=/proc/{netns}/ns/net"]


def announcer_config(address: str, routes: Path) -> str:
    """Return BIRD's configuration as the Ansible role writes it."""
    jinja = Environment(loader=FileSystemLoader(ROLE), undefined=StrictUndefined, trim_blocks=True)
    peer = {
        "name": "router",
        "local": address,
        "address": ROUTER,
        "as": ROUTER_AS,
        "families": [4, 6],
        "takes_local_preference": True,
    }
    text: str = jinja.get_template("bird.conf.j2").render(
        announcer_router_id=address, announcer_routes=routes, announcer_as=AS, announcer_peers=[peer]
    )
    return text


class BgpLab:
    """The router and its link; it ends with the block of `running`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.router = self.namespace()
        self.run(self.router, "ip", "link", "add", "cable", "type", "bridge")
        for address in (f"{ROUTER}/24", "fd77::1/64"):
            self.run(self.router, "ip", "addr", "add", address, "dev", "cable", "nodad")
        self.run(self.router, "ip", "link", "set", "cable", "up")
        self.announcers: dict[str, int] = {}

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator["BgpLab"]:
        with ExitStack() as stack:
            yield cls(folder, stack)

    def plug(self, address: str) -> None:
        """Make the namespace of an announcer."""
        netns = self.announcers[address] = self.namespace()
        far = f"to{len(self.announcers)}"
        ends = ["ip", "link", "add", far, "type", "veth", "peer", "name", "cable", "netns", str(netns)]
        self.run(self.router, *ends)
        self.run(self.router, "ip", "link", "set", far, "master", "cable", "up")
        number = address.rpartition(".")[2]
        for each in (f"{address}/24", f"fd77::{number}/64"):
            self.run(netns, "ip", "addr", "add", each, "dev", "cable", "nodad")
        self.run(netns, "ip", "link", "set", "cable", "up")

    def start_router(self) -> None:
        first, session = "10.0.7.11", router_configuration("BIRD").replace("{\n", SOON, 1)
        assert first in session and "announcer1" in session
        neighbours = [
            session.replace("announcer1", f"announcer{number}").replace(first, address)
            for number, address in enumerate(self.announcers, 1)
        ]
        config = self.folder / "router.conf"
        config.write_text(ROUTER_CONFIG + "".join(neighbours))
        self._stack.enter_context(self._bird(self.router, config, self.folder / "router.ctl"))

    @contextmanager
    def bird(self, address: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
        """Run the BIRD of an announcer, with its files in the folder."""
        config = folder / "bird.conf"
        config.write_text(announcer_config(address, folder / "routes.conf"))
        with self._bird(self.announcers[address], config, folder / "bird.ctl") as process:
            yield process

    def start_frr(self) -> Frr:
        """Start FRR in place of BIRD as the router."""
        return self._stack.enter_context(Frr.running(self.router))

    def learned(self, address: str) -> dict[str, tuple[str, str, str]]:
        """Return next hop, community and local preference of the address by the announcer's name, on the router."""
        lines = Bird(self.folder / "router.ctl").command(f"show route all for {address}")
        result: dict[str, tuple[str, str, str]] = {}
        name = ""
        for _, text in lines:
            if match := re.search(r"\[(announcer\d+) ", text):
                name = match[1]
                result[name] = ("", "", "")
            attribute, _, value = text.strip().partition(": ")
            place = {"BGP.next_hop": 0, "BGP.community": 1, "BGP.local_pref": 2}.get(attribute)
            if name and place is not None:
                values = list(result[name])
                values[place] = value.split()[0]
                result[name] = (values[0], values[1], values[2])
        return result

    def forwards(self, address: str) -> str:
        """Return the next hop in the router's kernel; empty: none."""
        family = "-6" if ":" in address else "-4"
        text = self.run(self.router, "ip", family, "route", "show", address)
        match = re.search(r" via (\S+)", text)
        return match[1] if match else ""

    def namespace(self) -> int:
        """Make a network namespace for as long as the lab; returns a process in it."""
        command = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec sleep infinity"]
        process = self._stack.enter_context(processes.running(command, stdout=subprocess.PIPE))
        processes.line_with("ready", process.stdout)
        return process.pid

    def run(self, netns: int, *command: str) -> str:
        """Run a command in a namespace and return its output."""
        line = [*entering_namespace(netns), *command]
        return subprocess.run(line, check=True, text=True, capture_output=True).stdout

    @contextmanager
    def _bird(self, netns: int, config: Path, control: Path) -> Iterator["subprocess.Popen[str]"]:
        command = [*entering_namespace(netns), "bird", "-f", "-c", config, "-s", control]
        with processes.running([*command, "-P", control.with_suffix(".pid")]) as process:
            wait_until(lambda: answers(control), "BIRD's answer")
            yield process


def answers(control: Path) -> bool:
    try:
        Bird(control).state()
    except BirdSilent:
        return False
    return True
