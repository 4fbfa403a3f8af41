"""Build the adapters of a node that runs guests."""

from dataclasses import dataclass, field
from pathlib import Path

from agents.node import pki
from agents.node.adapters.accelerator import Accelerator
from agents.node.adapters.guest_access import open_access
from agents.node.adapters.interfaces import Adapters, Restarts
from agents.node.adapters.libvirt import LibvirtHypervisor
from agents.node.adapters.libvirt_migrations import LibvirtMigrations
from agents.node.adapters.libvirt_mirrors import LibvirtMirrors
from agents.node.adapters.migration_tunnel.listener import Address
from agents.node.adapters.migration_tunnel.peer_auth import NodeCredentials
from agents.node.adapters.network import LinuxSwitch, UplinkPolicy
from agents.node.adapters.network.metadata import MetadataService
from agents.node.adapters.pools import Pools
from agents.node.adapters.qemu_img import FileDisks
from agents.node.adapters.storage.keys import DEFAULT_RUN_DIR, VolumeKeys
from agents.node.adapters.volume_secrets import VolumeSecrets
from agents.node.adapters.volume_transfers import VolumeTransfers
from agents.node.guest_users import GuestUsers

# A unix socket's path has at most 107 bytes; behind it come the name of a folder and an id.
LONGEST_STATE_DIR = 107 - len("/consoles/") - 36


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the agent's command line.

    `arrivals`: the address for incoming guests; empty: none. `run_dir`: the folder of keys. `guest_users`: also of the
    servers of incoming volumes.
    """

    libvirt_uri: str
    virt_type: str
    outside: UplinkPolicy
    arrivals: str
    pools: Pools = field(default_factory=Pools)
    run_dir: Path = DEFAULT_RUN_DIR
    guest_users: GuestUsers = field(default_factory=GuestUsers)


def real_adapters(state_dir: Path, options: Options, *, boot_id: str) -> Adapters:
    """Build the adapters.

    Raises:
        ValueError: no socket of a console would have a place, or `arrivals` is no address.
        OSError: `arrivals` cannot be listened on, the node has not been enrolled, or guests cannot be let at what
            they need.
    """
    if len(str(state_dir)) > LONGEST_STATE_DIR:
        raise ValueError(f"The path {state_dir} is too long for sockets: at most {LONGEST_STATE_DIR} characters.")
    own = NodeCredentials.load(state_dir)
    keys, owner = VolumeKeys(options.run_dir / "volumes"), str(pki.identity(own.credentials.certificate).node_id)
    disks = FileDisks(state_dir, pools=options.pools, owner=owner, keys=keys)
    accelerator = Accelerator(state_dir, requested=options.virt_type, boot_id=boot_id)
    open_access(needs_kvm=accelerator.virt_type == "kvm")
    restarts, metadata = Restarts(), MetadataService()
    switch = LinuxSwitch(options.outside, metadata=metadata)
    secrets = VolumeSecrets(keys)
    listen_at = Address.parse(options.arrivals) if options.arrivals else None
    transfers = VolumeTransfers(state_dir, own, listen_at, users=options.guest_users)
    hypervisor = LibvirtHypervisor(options.libvirt_uri, accelerator=accelerator, secrets=secrets, restarts=restarts)
    return Adapters(
        hypervisor=hypervisor,
        disks=disks,
        switch=switch,
        migrations=LibvirtMigrations(
            hypervisor,
            folder=state_dir / "moves",
            node=own,
            pools=options.pools,
            connections=switch.guest_connections,
            volumes=transfers,
        ),
        transfers=transfers,
        metadata=metadata,
        mirrors=LibvirtMirrors(hypervisor),
        restarts=restarts,
    )
