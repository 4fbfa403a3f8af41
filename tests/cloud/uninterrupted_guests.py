"""Guests that detect interruptions while their node is drained.

Each counts in a file, and each of a pair has an open TCP connection to the other.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.api import Api
from scripts.cloud import Cloud
from scripts.polling import wait_until
from tests.limits import PATIENCE_S

PORT = 7000
COUNT = "(i=0; while :; do i=$((i+1)); echo $i; sync; sleep 0.05; done) >/count 2>/dev/null </dev/null &"
ECHO = f"nc -l -p {PORT} -e cat >/dev/null 2>&1 </dev/null &"
# What comes back over the connection.
TALK = (
    "((i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done) | nc {address} "
    + str(PORT)
    + " >/talk 2>/dev/null) >/dev/null 2>&1 </dev/null &"
)
# The last number that is whole; the line after it may be half written. Numbers that are missing are said.
LAST = (
    'awk \'NR > 1 && last != NR - 1 {{ print "gap at " NR - 1; gap = 1; exit }} {{ last = $1 }}'
    " END {{ if (!gap) print NR ? NR - 1 : 0 }}' {file}"
)
# How far it has counted. It says so on its console at each boot from now on, thrice, since the kernel speaks there too.
KEPT = re.compile(r"kept (\d+) in all")
REMEMBER = (
    "echo 'for i in 1 2 3; do echo \"kept $(tail -n 1 /count) in all\" >/dev/console; sleep 1; done' >/etc/kept.sh;"
    " echo '::once:/bin/sh /etc/kept.sh' >>/etc/inittab"
)
SYNCED = "n=$(tail -n 1 /count); sync; echo $n"
BOOT = "cat /proc/sys/kernel/random/boot_id"
FILES = ("/count", "/talk")


@dataclass
class UninterruptedGuests:
    """Guests of a project, by name. `key`: of their root. `root_type`: the volume type of their root disks."""

    cloud: Cloud
    api: Api
    operator: Api
    key: Path
    root_type: str = "local"

    def run(self, name: str, command: str, *, at: str) -> str:
        """Return the output of the command in the guest, which has to be on this node."""
        instance, network = self.api.get(f"instances/{name}"), self.api.get("networks/lan")
        return self.cloud.ssh(instance, network, self.key, command, at=at).strip()

    def board(self, names: list[str], *, zone: str, at: str) -> dict[str, str]:
        """Create them and start counters and connections, in pairs. Returns their boot ids."""
        self.make(names, zone=zone)
        for name in names:
            self.wait_for_boot(name)
            self.run(name, f"{COUNT} echo counting", at=at)
        for one, other in zip(names[::2], names[1::2], strict=False):
            address = self.api.get(f"instances/{one}")["addresses"][0]["ip"]
            self.run(one, f"{ECHO} echo listening", at=at)
            self.run(other, f"{TALK.format(address=address)} echo talking", at=at)
        return {name: self.run(name, BOOT, at=at) for name in names}

    def make(self, names: list[str], *, zone: str) -> dict[str, str]:
        """Create and start them. Returns their ids."""
        created = [self.api.post("instances", self._body(name, zone)) for name in names]
        for instance in created:
            ended = self.api.wait(instance["operation"])
            assert ended["state"] == "succeeded", ended["error"]
        return {instance["name"]: instance["id"] for instance in created}

    def wait_for_boot(self, name: str, *, times: int = 1) -> None:
        log = f"instances/{name}/console-log"
        wait_until(lambda: self.api.text(log).count("ssh ready") >= times, limit_s=PATIENCE_S)

    def last_numbers(self, name: str, *, at: str) -> dict[str, int]:
        """Return the last number in each of its files, in which no number is missing."""
        result = {}
        for file in FILES:
            last = self.run(name, f"[ ! -e {file} ] || ({LAST.format(file=file)})", at=at)
            assert not last or last.isdecimal(), f"{name}: {file}: {last}"
            if last:
                result[file] = int(last)
        return result

    def assert_undisturbed(self, boots: dict[str, str], *, at: str) -> None:
        """Check that they run there since their first start, count on without a gap, and are still connected."""
        for name, boot in boots.items():
            assert self.run(name, BOOT, at=at) == boot, f"{name} was started again"
        before = {name: self.last_numbers(name, at=at) for name in boots}
        assert sum("/talk" in files for files in before.values()) == len(boots) // 2

        def have_gone_on() -> bool:
            now = {name: self.last_numbers(name, at=at) for name in boots}
            return all(now[name][file] > count for name, files in before.items() for file, count in files.items())

        wait_until(have_gone_on, limit_s=PATIENCE_S)

    def drain(self, node: str, *, limit_s: float = 600, **more: Any) -> dict[str, Any]:
        """Plan a drain, begin exactly that plan, and return it when it does not proceed by itself any more."""
        fallback = more.pop("fallback", "leave")
        plan = self.operator.post(f"/v1/nodes/{node}/actions/plan-drain", {"fallback": fallback})
        asked = {"plan": plan["digest"], "fallback": fallback, "reason": "its fan is to be replaced", **more}
        self.operator.post(f"/v1/nodes/{node}/actions/drain", asked)

        def is_over() -> bool:
            return bool(self.operator.get(f"/v1/nodes/{node}/drain", wait="30s")["state"] != "running")

        wait_until(is_over, limit_s=limit_s)
        return dict(self.operator.get(f"/v1/nodes/{node}/drain"))

    def _body(self, name: str, zone: str) -> dict[str, Any]:
        return {
            "name": name,
            "flavor": "tiny",
            "image": "tiny",
            "networks": ["lan"],
            "ssh_keys": ["key"],
            "zones": [zone],
            "root_volume_type": self.root_type,
        }
