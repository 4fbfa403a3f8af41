"""Real Ceph clusters on one machine, for tests and developers: a monitor and OSDs, without systemd."""

from agents.lab.ceph.cluster import CephCluster
from agents.lab.ceph.config import POOL, Store

__all__ = ["POOL", "CephCluster", "Store"]
