"""Several libvirt nodes on one machine, each with its own kernel namespaces, around one switch.

A lab lives in a folder. Its id, and from it every name outside the folder (namespaces, cables, control
groups), derives from the folder's path, so that two labs never meet and `down` finds all after a crash.
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from agents.lab import config, network, pki
from agents.lab.cgroups import Cgroups, root_controllers, withdraw_root_controllers
from agents.lab.node import LabNode, end_all
from agents.lab.plan import Plan
from agents.lab.shell import LabError, wait_until
from agents.node.adapters import pools

# With "p-" before it, a node's name must fit in the 15 characters of a network device.
NODE_NAME = re.compile(r"[a-z][a-z0-9-]{0,12}")
RESERVED_NAMES = frozenset({"pki", "shared"})


class Lab:
    """The lab in `folder`. Making the object changes nothing; `up()` does."""

    def __init__(self, folder: Path | str, *, subnet: str | None = None, is_guarded: bool = True) -> None:
        """Create the lab.

        Both options matter to the first `up` only. `subnet` is a /24; by default it is a free one of 10.200.0.0/16. The
        nodes of a guarded lab run only guests that their agent allows, those of another lab any guest.
        """
        self.folder = Path(folder).resolve()
        self.id = hashlib.sha256(str(self.folder).encode()).hexdigest()[:6]
        self._wanted_subnet = subnet
        self._wants_guard = is_guarded
        self._cgroups = Cgroups(f"lab-{self.id}")

    @property
    def nodes(self) -> list[LabNode]:
        """Return the nodes that `up` has made, powered on or off."""
        plan = Plan.load(self.folder)
        return [self.node(name) for name in plan.hosts] if plan else []

    @property
    def shared_folder(self) -> Path:
        """Return the folder that every node sees at this same path; guests that migrate may use it."""
        return self.folder / "shared"

    @property
    def pool_folder(self) -> Path:
        """Return the pool in the shared folder; the nodes' libvirt holds locks for every disk that a guest has open."""
        return self.shared_folder / config.POOL

    @property
    def machine_address(self) -> str:
        """Return the machine's own address on the underlay."""
        return self._cabling(self._known_plan()).address(network.MACHINE_HOST)

    @property
    def switch_netns(self) -> str:
        """Return the network namespace of the underlay's switch, for tests that watch or disturb it."""
        return network.switch_name(self.id)

    def node(self, name: str) -> LabNode:
        """Return the node of this name.

        Raises:
            LabError: no `up` ever asked for a node of this name.
        """
        plan = self._known_plan()
        if name not in plan.hosts:
            raise LabError(f"The lab in {self.folder} has no node {name!r}.", node=name)
        return LabNode(
            name,
            folder=self.folder / name,
            host=plan.hosts[name],
            cabling=self._cabling(plan),
            is_guarded=plan.is_guarded,
        )

    def up(self, names: Iterable[str]) -> list[LabNode]:
        """Start the switch and these nodes; other nodes stay as they are."""
        if os.geteuid() != 0:
            raise LabError("The lab makes namespaces and mounts: run it as root.")
        node_names = list(names)
        with self._locked():
            plan = self._planned(node_names)
            plan.save(self.folder)
            pki.ensure_authority(self.folder / "pki")
            self.pool_folder.mkdir(parents=True, exist_ok=True)
            pools.make(self.pool_folder)
            self._cabling(plan).plug_machine()
            nodes = [self.node(name) for name in node_names]
            for node in nodes:
                node.start()
        return nodes

    def down(self) -> None:
        """Remove everything that the lab made outside its folder: processes, namespaces, cables, control groups.

        The folder keeps disks and logs: a later `up` powers the same nodes on again. `down` may be repeated, and works
        without the folder.
        """
        end_all(self._cgroups)
        wait_until(self._cgroups.remove, what="the lab's control groups to go")
        network.remove(self.id)
        plan = Plan.load(self.folder)
        if plan is not None:
            withdraw_root_controllers(except_for=plan.root_controllers)

    def remove(self) -> None:
        """Run `down` and delete the folder."""
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def traces(self) -> list[str]:
        """List the remains of the lab outside its folder; empty after `down`."""
        return self._cgroups.existing() + network.existing(self.id)

    def _planned(self, node_names: list[str]) -> Plan:
        plan = Plan.load(self.folder) or Plan(
            subnet=str(self._wanted_subnet or network.free_subnet(self.id)),
            hosts={},
            root_controllers=root_controllers(),
            is_guarded=self._wants_guard,
        )
        hosts = dict(plan.hosts)
        for name in node_names:
            if not NODE_NAME.fullmatch(name) or name in RESERVED_NAMES:
                raise LabError(f"{name!r} is no name for a node.", node=name)
            hosts.setdefault(name, network.FIRST_NODE_HOST + len(hosts))
        return replace(plan, hosts=hosts)

    def _known_plan(self) -> Plan:
        plan = Plan.load(self.folder)
        if plan is None:
            raise LabError(f"There is no lab in {self.folder}.")
        return plan

    def _cabling(self, plan: Plan) -> network.Cabling:
        return network.Cabling(self.id, ipaddress.IPv4Network(plan.subnet))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
