"""Real Ceph clusters on one machine, for the demo, tests and developers: a monitor and OSDs, without systemd."""

from agents.lab.ceph.cluster import CephCluster
from agents.lab.ceph.config import POOL, Store
from agents.lab.ceph.users import ensure_user

__all__ = ["POOL", "CephCluster", "Store", "ensure_user"]
