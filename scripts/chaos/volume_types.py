"""Volume types of the chaos cloud: for the own disk of a node, for the pool of a zone, and for the storage cluster."""

from typing import Any

from agents.lab.ceph import POOL
from scripts import ceph_storage, cloud

ZONE = "fr-idf-1"  # the only one with a storage cluster
# On one node alone, in the pool of its zone, or in the storage cluster.
KEPT = LOCAL, SHARED, CLUSTER = ("local", cloud.POOL, ceph_storage.TYPE)
LIMITED = {LOCAL: "local-limited", CLUSTER: "ceph-limited"}  # types of the same places
LATE = {LOCAL: "local-late", CLUSTER: "ceph-late"}  # the same, but their volumes get their place at their first use
IN_CLUSTER = (CLUSTER, LIMITED[CLUSTER], LATE[CLUSTER])
# Volumes move between these two places, in both directions.
PLACES = ((LOCAL, LIMITED[LOCAL], LATE[LOCAL]), IN_CLUSTER)
OFFERS: dict[str, Any] = {
    "schema": "andromede.offers/1",
    "flavors": [],
    "volume_types": [
        {"id": SHARED, "description": "In a pool that nodes of the zone share.", "pool": cloud.POOL},
    ],
}
MADE: list[dict[str, Any]] = [
    {"id": LIMITED[LOCAL], "description": "On the disk of a node, with limits.", "iops": 500},
    {"id": LIMITED[CLUSTER], "description": "In the Ceph cluster, with limits.", "pool": POOL, "mb_per_s": 50},
    {"id": LATE[LOCAL], "description": "On the disk of a node, from the first use on.", "binding": "first_use"},
    {
        "id": LATE[CLUSTER],
        "description": "In the Ceph cluster, from the first use on.",
        "pool": POOL,
        "binding": "first_use",
    },
]
