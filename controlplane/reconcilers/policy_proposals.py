"""Approved policies come into force when their delay is over."""

from controlplane.placement import proposals


def reconcile() -> int:
    """Return how many came into force."""
    return proposals.apply_due()
