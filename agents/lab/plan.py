"""Stored plan of a lab, read by later commands."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    subnet: str
    """The underlay, a /24."""
    hosts: dict[str, int]
    """Node name -> last byte of its address."""
    root_controllers: list[str]
    """With cgroup version 2: the controllers that the machine's root handed down before the lab came."""
    is_guarded: bool = True
    """The nodes' libvirtd asks the node's agent before it starts a guest."""

    @classmethod
    def load(cls, folder: Path) -> Plan | None:
        path = folder / "lab.json"
        return cls(**json.loads(path.read_text())) if path.exists() else None

    def save(self, folder: Path) -> None:
        draft = folder / "lab.json.new"
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        os.replace(draft, folder / "lab.json")
