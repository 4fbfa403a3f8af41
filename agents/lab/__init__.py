"""The lab: several libvirt nodes on one machine, for the demo and the tests, and their guest images."""

from agents.lab.lab import Lab
from agents.lab.node import LabNode
from agents.lab.process import NodeProcess
from agents.lab.shell import LabError

__all__ = ["Lab", "LabError", "LabNode", "NodeProcess"]
