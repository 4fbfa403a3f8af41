"""Reasons for holding data (roles) by operation: they decide which clauses apply.

Standard library only. An operation of the control plane that ROLES_OF does not list gives no place data or work:
stopping, deleting, erasing and exporting are always allowed. A reboot may have to start a guest that crashed, so it has
the roles of a start.

Ports are attached to an instance and detached by sending the guest again, which may start one that crashed: both have
the roles of a start.

The detachment of a volume is always allowed, and yet it is in the table: when it is cancelled, the volume is given to
the guest again, which has the roles of an attachment.

The replicas of a pool are in its zone, which has the role of replicas too. A snapshot is in the pool of its volume, and
its zone has the role of snapshots besides. A volume that is made from a snapshot, or reverted to one, gets data that
the zone has already: it has the roles of any volume. An image that is made of a volume leaves the zone for the image
store, by way of a snapshot: it has the roles of both where the volume is. The store has no zone. No other operation
makes copies elsewhere yet: no clause about backups or the distance of a copy applies.

A public address brings the edge of the network to the zone, and no data.

A live migration takes all data of the guest to its destination, which has the roles of a creation there. Its source
gets nothing: it only gets a permit to send, so data can always move away. An evacuation of a fenced node has the same
roles at any destination: no rule is weaker because of a failure. A relocation is a cold migration to another zone. A
volume that is relocated alone has the roles of any volume there, and its source gets a permit to send, too.
"""

from collections.abc import Mapping

from andromede_core.policy.clauses import Role

_WHOLE: tuple[Role, ...] = (
    "compute",
    "storage",
    "replica",
    "image",
    "key",
    "log",
    "metadata",
    "admin",
    "netedge",
)
_DISK: tuple[Role, ...] = ("storage", "replica", "image", "key", "log", "metadata", "admin")
_SNAPSHOT: tuple[Role, ...] = ("snapshot", "replica", "key", "log", "metadata", "admin")
_IMAGE: tuple[Role, ...] = ("image", *_SNAPSHOT)

ROLES_OF: Mapping[str, tuple[Role, ...]] = {
    "instance.create": _WHOLE,
    "instance.start": _WHOLE,
    "instance.resize": _WHOLE,
    "instance.rebuild": _WHOLE,
    "instance.migrate": _WHOLE,
    "instance.migrate-out": (),
    "instance.evacuate": _WHOLE,
    "instance.relocate": _WHOLE,
    "instance.reboot": _WHOLE,
    "instance.reset": _WHOLE,
    "port.attach": _WHOLE,
    "port.detach": _WHOLE,
    "volume.create": _DISK,
    "volume.grow": _DISK,
    "volume.retype": _DISK,
    "volume.move": _DISK,
    "volume.relocate": _DISK,
    "volume.relocate-out": (),
    "volume.revert": _DISK,
    "volume.attach": _WHOLE,
    "volume.detach": _WHOLE,
    "snapshot.create": _SNAPSHOT,
    "instance.snapshot": _SNAPSHOT,
    "image.create": _IMAGE,
    "public-address.attach": ("netedge",),
    "console.read": ("console", "admin"),
}
GIVEN_ROLES: frozenset[Role] = frozenset(role for roles in ROLES_OF.values() for role in roles)
# The operation that a permit for another action is a part of.
PART_OF: Mapping[str, str] = {
    "instance.migrate-out": "instance.migrate",
    "volume.relocate-out": "volume.relocate",
}
# Operations by themselves that may be a part of another one, too: a volume that binds at first use is made then.
# A relocation is permitted as the migration that it is on both nodes.
ALSO_PART_OF: Mapping[str, tuple[str, ...]] = {
    "volume.create": ("volume.attach", "instance.create"),
    "instance.migrate": ("instance.relocate",),
    "instance.migrate-out": ("instance.relocate",),
}
# These operations themselves are always allowed: clauses only apply to what their undo gives back.
CHECKED_WHEN_UNDONE = frozenset({"volume.detach"})

# Operations that give no place data or work, as named by the evaluate command and by the control plane. No clause
# applies to them, so data can always be stopped, moved away and deleted.
TAKING_NOTHING = (
    "stop",
    "delete",
    "erase",
    "export",
    "detach",
    "instance.stop",
    "instance.shutdown",
    "instance.power-off",
    "instance.delete",
    "instance.migrate-out",
    "volume.relocate-out",
    "volume.detach",
    "volume.delete",
    "snapshot.delete",
    "image.delete",
    "network.delete",
)

# The other operations of the evaluate command.
OPERATIONS = (
    *("create", "start", "unshelve", "resume", "restart", "reboot", "reset", "resize", "rebuild"),
    *("migrate", "migrate_in", "evacuate", "rebalance"),
    *("snapshot", "dump", "clone", "restore", "backup", "copy", "replicate"),
    *("upload", "import", "cache", "attach", "grow", "rotate", "escrow"),
    *("console", "admin", "log", "metrics", "billing"),
    *(operation for operation, roles in ROLES_OF.items() if roles and operation not in CHECKED_WHEN_UNDONE),
    *("image.upload", "image.import", "image.verify", "network.create"),
)
