"""How long a test waits for what has to come: as long as the lab does."""

from agents.lab.shell import PATIENCE_S

__all__ = ["PATIENCE_S"]
