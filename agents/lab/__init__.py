"""Several libvirt nodes on one machine, for the demo and the tests, and the guest images that run on them."""

from agents.lab.lab import Lab
from agents.lab.node import LabNode
from agents.lab.process import NodeProcess
from agents.lab.shell import LabError

__all__ = ["Lab", "LabError", "LabNode", "NodeProcess"]
