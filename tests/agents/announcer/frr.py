"""FRR as the router of the BGP lab, with the configuration of the how-to as it stands there."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import processes
from tests.agents.announcer.how_to import router_configuration
from tests.agents.announcer.waiting import wait_until

DAEMONS = Path("/usr/lib/frr")


@dataclass(frozen=True)
class Frr:
    """A running FRR. `netns`: a process in its network namespace; `folder`: of its sockets."""

    netns: int
    folder: Path

    @classmethod
    @contextmanager
    def running(cls, netns: int) -> Iterator["Frr"]:
        """Run FRR as its own user, who has to reach the folder. mgmtd is the first: the others report to it."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="frr-")))
            shutil.chown(folder, "frr", "frr")
            folder.chmod(0o755)
            for name, text in (("zebra", ""), ("bgpd", router_configuration("FRR"))):
                (folder / f"{name}.conf").write_text(text)
            frr = cls(netns, folder)
            for name in ("mgmtd", "zebra", "bgpd"):
                stack.enter_context(frr._daemon(name))
            yield frr

    @contextmanager
    def _daemon(self, name: str) -> Iterator[None]:
        files = ["-i", self.folder / f"{name}.pid", "-z", self.folder / "zserv.api", "--vty_socket", self.folder]
        config = ["-f", self.folder / f"{name}.conf"] if name != "mgmtd" else []
        options = ["-u", "frr", "-g", "frr", "-P", "0", "--log", "stdout", "--log-level", "errors"]
        command = ["nsenter", f"--net=/proc/{self.netns}/ns/net", DAEMONS / name, *options, *files, *config]
        with processes.running(command, stdout=subprocess.DEVNULL):
            wait_until((self.folder / f"{name}.vty").exists, name)
            yield

    def sessions(self) -> dict[str, str]:
        """Return the state of the session with each neighbour."""
        summary = self._shown("show bgp ipv4 unicast summary")
        return {address: peer["state"] for address, peer in summary["peers"].items()}

    def learned(self, address: str) -> dict[str, tuple[str, str]]:
        """Return next hop and community of the address, by the announcer that the route is from."""
        family = "ipv6" if ":" in address else "ipv4"
        paths = self._shown(f"show bgp {family} unicast {address}").get("paths", ())
        return {
            path["peer"]["peerId"]: (_next_hop(path), path.get("community", {}).get("string", "")) for path in paths
        }

    def advertised(self) -> set[str]:
        """Return what the router announces to the first announcer."""
        return set(self._shown("show bgp ipv4 unicast neighbors 10.0.7.11 advertised-routes")["advertisedRoutes"])

    def _shown(self, command: str) -> dict[str, Any]:
        run = ["vtysh", "--vty_socket", self.folder, "-c", f"{command} json"]
        shown: dict[str, Any] = json.loads(subprocess.run(run, check=True, text=True, capture_output=True).stdout)
        return shown


def _next_hop(path: dict[str, Any]) -> str:
    return next(str(hop["ip"]) for hop in path["nexthops"] if hop.get("scope", "global") == "global")
