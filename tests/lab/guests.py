"""A guest defined by plain libvirt XML, to test nodes and images without any code of the agent."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from agents.lab import LabNode
from agents.lab.shell import run, wait_until
from tests.limits import PATIENCE_S

BRIDGE = "br-guests"
GATEWAY = "10.1.0.1"
CLIENT_NETNS = "client"

DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='scsi' model='virtio-scsi'/>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='{folder}/root.qcow2'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/><source file='{folder}/seed.iso'/><target dev='sda' bus='scsi'/>
      <readonly/>
    </disk>
    <interface type='bridge'>
      <mac address='{mac}'/><source bridge='{bridge}'/><model type='virtio'/>
    </interface>
    <controller type='pci' model='pcie-root'/>
    {ports}
    <serial type='file'><source path='{folder}/serial.log'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
"""

NETWORK = """version: 2
ethernets:
  net0:
    match:
      macaddress: "{mac}"
    set-name: eth0
    addresses:
      - {address}/24
    routes:
      - to: default
        via: 10.1.0.1
"""


@dataclass
class Guest:
    """A guest at 10.1.0.`number` on a node's bridge; its files are in a folder that every node of the lab sees."""

    name: str
    number: int
    node: LabNode
    """Where it runs; whoever moves it changes this."""
    folder: Path
    key: Path
    """The private ssh key that opens it."""
    memory_mib: int = 128

    @property
    def address(self) -> str:
        return f"10.1.0.{self.number}"

    @property
    def mac(self) -> str:
        return f"52:54:00:00:00:{self.number:02x}"

    def create(
        self,
        image: Path,
        *,
        disk: str = "1G",
        user_data: str = "#cloud-config\n{}\n",
        network: str | None = NETWORK,
    ) -> None:
        """Define and start it from a copy-on-write copy of `image`; `network` None leaves the file out of the seed."""
        self.folder.mkdir(parents=True)
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(image)]
            + [str(self.folder / "root.qcow2"), disk])  # fmt: skip
        self._write_seed(user_data, network)
        (self.folder / "domain.xml").write_text(
            DOMAIN.format(
                name=self.name,
                memory_mib=self.memory_mib,
                folder=self.folder,
                mac=self.mac,
                bridge=BRIDGE,
                ports="<controller type='pci' model='pcie-root-port'/>" * 10,
            )
        )
        self.virsh("define", str(self.folder / "domain.xml"))
        self.virsh("start", self.name)

    def virsh(self, *arguments: str) -> str:
        return run(["virsh", "--quiet", "--connect", self.node.libvirt_uri, *arguments]).strip()

    def restart(self) -> None:
        """Start it again after a shutdown, with an empty serial log."""
        (self.folder / "serial.log").unlink()
        self.virsh("start", self.name)

    @property
    def state(self) -> str:
        return self.virsh("domstate", self.name)

    @property
    def serial(self) -> str:
        log = self.folder / "serial.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def wait_for(self, marker: str, *, within_s: float = PATIENCE_S) -> None:
        """Wait until the serial console has shown `marker`."""
        wait_until(lambda: marker in self.serial, what=f"{marker!r} of {self.name}", within_s=within_s)

    def ssh(self, command: str) -> str:
        """Return the output of a command in the guest, run from the client's network namespace of its node."""
        options = ["-i", str(self.key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        options += ["-o", "ConnectTimeout=20", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"]
        remote = ["ip", "netns", "exec", CLIENT_NETNS, "ssh", *options, f"root@{self.address}", command]
        return self.node.exec(remote).stdout.strip()

    def remove(self) -> None:
        destroy = ["virsh", "--connect", self.node.libvirt_uri, "destroy", self.name]
        subprocess.run(destroy, capture_output=True, check=False)
        self.virsh("undefine", self.name)

    def _write_seed(self, user_data: str, network: str | None) -> None:
        public_key = self.key.with_suffix(".pub").read_text().strip()
        files = {
            "meta-data": f"instance-id: i-{self.name}\nlocal-hostname: {self.name}\npublic-keys:\n  - {public_key}\n",
            "user-data": user_data,
        }
        if network is not None:
            files["network-config"] = network.format(mac=self.mac, address=self.address)
        for name, text in files.items():
            (self.folder / name).write_text(text)
        paths = [str(self.folder / name) for name in files]
        image = ["genisoimage", "-quiet", "-output", str(self.folder / "seed.iso"), "-volid", "cidata"]
        run([*image, "-joliet", "-rock", *paths])


def ensure_bridge(node: LabNode) -> None:
    """Make a bridge for guests in the node, and a network namespace connected to it, as their client."""
    commands = f"""
        ip link add {BRIDGE} type bridge forward_delay 0
        ip link set {BRIDGE} up
        ip netns add {CLIENT_NETNS}
        ip link add to-client type veth peer name eth0 netns {CLIENT_NETNS}
        ip link set to-client master {BRIDGE} up
        ip -n {CLIENT_NETNS} address add {GATEWAY}/24 dev eth0
        ip -n {CLIENT_NETNS} link set eth0 up
    """
    if CLIENT_NETNS not in node.exec(["ip", "netns", "list"]).stdout:
        for line in commands.strip().splitlines():
            node.exec(shlex.split(line))
