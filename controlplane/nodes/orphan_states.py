"""States and kinds of orphans; models.py has their rows."""

from controlplane.kernel.states import machine

ORPHAN = machine(
    "orphan",
    {
        "found": "quarantined released discarded gone",
        "quarantined": "released discarded gone",
        "released": "quarantined discarded gone",
        "discarded": "",
        "gone": "",
    },
)
ORPHAN_LIVE = ("found", "quarantined", "released")
# Kinds on a node; in a pool of a storage cluster; and in the database alone.
ORPHANS_ON_NODES = ("domain", "volume", "image", "file", "port", "attachment")
ORPHANS_IN_POOLS = ("volume", "snapshot")
ORPHANS_IN_ROWS = ("allocation", "address")
ORPHAN_KINDS = (*ORPHANS_ON_NODES, "snapshot", *ORPHANS_IN_ROWS)
REQUESTED_ACTIONS = ("", "release", "discard")
