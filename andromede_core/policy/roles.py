"""Which reasons of holding data an operation gives a place, and therefore which clauses it is asked for.

Standard library only. An operation of the control plane that ROLES_OF does not list gives no place data or work:
stopping, deleting, erasing and exporting are always allowed. A reboot may have to start a guest that crashed, so it is
asked what a start is.

A detachment is always allowed, and yet it is in the table: when it is cancelled, the volume is given to the guest
again, which is asked what an attachment is.

The copies that a pool keeps of its data are in its zone, which is asked for replicas too. No operation makes copies
elsewhere yet: no clause about snapshots, backups or the distance of a copy is asked.

A guest on the move takes all its data to its destination, which is asked what a creation there would be. Its source
gets nothing: it is only given leave to send, and nobody's data is held hostage there. A guest of a node that is dead is
asked the same wherever it is made again: no rule is weaker because something broke.
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

ROLES_OF: Mapping[str, tuple[Role, ...]] = {
    "instance.create": _WHOLE,
    "instance.start": _WHOLE,
    "instance.resize": _WHOLE,
    "instance.rebuild": _WHOLE,
    "instance.migrate": _WHOLE,
    "instance.migrate-out": (),
    "instance.evacuate": _WHOLE,
    "instance.reboot": _WHOLE,
    "instance.reset": _WHOLE,
    "volume.create": _DISK,
    "volume.grow": _DISK,
    "volume.attach": _WHOLE,
    "volume.detach": _WHOLE,
    "console.read": ("console", "admin"),
}
ASKED: frozenset[Role] = frozenset(role for roles in ROLES_OF.values() for role in roles)
# Of what operation a permit for something else is a part.
PART_OF: Mapping[str, str] = {"instance.migrate-out": "instance.migrate"}
# What they do themselves is always allowed: only what their undo gives back is asked.
ASKED_WHEN_UNDONE = frozenset({"volume.detach"})

# What takes nothing from anybody and gives nothing to a place, in the words of the evaluate command and of the control
# plane. No clause is asked for them, so that nobody's data is held hostage.
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
    "volume.detach",
    "volume.delete",
    "image.delete",
    "network.delete",
)

# All others that the command knows.
OPERATIONS = (
    *("create", "start", "unshelve", "resume", "restart", "reboot", "reset", "resize", "rebuild"),
    *("migrate", "migrate_in", "evacuate", "rebalance"),
    *("snapshot", "dump", "clone", "restore", "backup", "copy", "replicate"),
    *("upload", "import", "cache", "attach", "grow", "rotate", "escrow"),
    *("console", "admin", "log", "metrics", "billing"),
    *(operation for operation, roles in ROLES_OF.items() if roles and operation not in ASKED_WHEN_UNDONE),
    *("image.upload", "image.import", "image.verify", "network.create"),
)
