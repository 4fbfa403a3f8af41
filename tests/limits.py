"""Time limits of waits in tests: the same as the lab's."""

from agents.lab.shell import PATIENCE_S

__all__ = ["PATIENCE_S"]
