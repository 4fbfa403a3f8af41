"""Evidence gets its place in the log, and the log signs what it has become."""

from controlplane.audit import evidence


def sequence() -> int:
    """How many records got a place."""
    return evidence.sequence()


def checkpoint() -> None:
    evidence.checkpoint()
