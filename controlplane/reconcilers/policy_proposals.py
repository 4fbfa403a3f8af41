"""Policies that two people agreed on come into force when their delay is over."""

from controlplane.placement import proposals


def reconcile() -> int:
    """How many came into force."""
    return proposals.apply_due()
