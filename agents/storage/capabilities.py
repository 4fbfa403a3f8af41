"""Capabilities of the storage agent's own user of Ceph, as docs/how-to/operate-ceph.md has them."""

from collections.abc import Sequence

# It reads the cluster's state, makes and removes keys of volumes that may only read on the monitors, and fences.
MON = (
    'allow r, allow command "auth get-or-create" with entity prefix client.v- caps_mon="allow r", '
    'allow command "auth rm" with entity prefix client.v-, allow command "osd blocklist"'
)


def of_agent(pools: Sequence[str]) -> list[str]:
    """Return the capabilities as commands of the monitors take them: kind, capabilities, kind, …"""
    return ["mon", MON, "osd", ", ".join(f"allow rwx pool={pool}" for pool in pools)]
