"""The attributes of andromede_instance."""

from clients.terraform.resources.common import (
    CLASSIFICATIONS,
    CREATED_AT,
    ID,
    LABELS,
    POLICY_CLAUSES,
    PROJECT,
    ZONES,
    name_attribute,
    one_of,
)
from clients.terraform.runtime.schema import BOOL, NUMBER, STRING, Attribute, Nested, Schema, list_of, set_of

ANEW = "A change makes a new instance, or rebuilds it with `rebuild_on_image_change`; either erases its disk."
ADDRESS = {
    "network_id": Attribute(type=STRING, description="The id of the network.", computed=True),
    "network": Attribute(type=STRING, description="Its name.", computed=True),
    "ip": Attribute(type=STRING, description="The address there.", computed=True),
    "mac": Attribute(type=STRING, description="The hardware address there.", computed=True),
}
CHOSEN = {
    "id": ID,
    "project": PROJECT,
    "name": name_attribute(),
    "flavor": Attribute(
        type=STRING,
        description="The id of the flavor. A change stops the instance, gives it the other flavor and starts it again, "
        "if `allow_stop_for_update` lets it. Its disk never shrinks.",
        required=True,
    ),
    "allow_stop_for_update": Attribute(
        type=BOOL, description="Changes may stop the instance for a while.", default=False
    ),
    "image": Attribute(
        type=STRING,
        description=f"The id or name of the image that its root disk is made from; or `boot_volume`. {ANEW}",
        optional=True,
        replace=True,
    ),
    "boot_volume": Attribute(
        type=STRING,
        description="The id or name of the volume that is its root disk, in place of one made from an image: a volume "
        "that was made from an image. It stays when the instance is deleted, unless `keep_root_volume` is false. A "
        "change makes a new instance.",
        optional=True,
        replace=True,
    ),
    "rebuild_on_image_change": Attribute(
        type=BOOL,
        description="Another image, other keys or other user data rebuild the instance: its disk is made anew, its id, "
        "addresses and volumes stay. Otherwise they make a new instance.",
        default=False,
    ),
    "networks": Attribute(
        type=list_of(STRING),
        description="The ids or names of the networks that it is on. A change makes a new instance.",
        optional=True,
        replace=True,
    ),
    "security_groups": Attribute(
        type=set_of(STRING),
        description="The ids or names of the security groups of all its ports; the project's default group when not "
        "given. Cannot be read back.",
        optional=True,
    ),
    "ports": Attribute(
        type=list_of(STRING),
        description="The ids or names of its `andromede_port`s, after the cards on `networks`; they are attached and "
        "detached as this changes. If it is not given, they are left alone.",
        optional=True,
        computed=True,
    ),
    "ssh_keys": Attribute(
        type=set_of(STRING),
        description=f"The ids or names of the ssh keys that its first boot installs. Cannot be read back. {ANEW}",
        optional=True,
        replace=True,
    ),
    "user_data": Attribute(
        type=STRING,
        description="What cloud-init reads at the first boot, at most 64 KiB. Stands in the state; `user_data_wo` does "
        f"not. Cannot be read back. {ANEW}",
        optional=True,
        sensitive=True,
        replace=True,
    ),
    "user_data_wo": Attribute(
        type=STRING,
        description="The same, never in plans and states. A new `user_data_wo_version` marks a change.",
        optional=True,
        sensitive=True,
        write_only=True,
    ),
    "user_data_wo_version": Attribute(
        type=NUMBER, description=f"Raise it when `user_data_wo` has changed. {ANEW}", optional=True, replace=True
    ),
    "volumes": Attribute(
        type=set_of(STRING),
        description="The ids or names of the volumes that it has: all of them, attached before its first boot, and "
        "attached and detached as this changes. They decide its node, so that a new instance finds them again. If it "
        "is not given, attachments are left alone, and `andromede_volume_attachment` can make them.",
        optional=True,
        computed=True,
    ),
    "zones": ZONES,
    "affinity_group": Attribute(
        type=STRING,
        description="The id or name of its affinity group. A change makes a new instance.",
        optional=True,
        replace=True,
    ),
    "root_volume_type": Attribute(
        type=STRING,
        description="The volume type of its root disk. A change makes a new instance. Leave it out with `boot_volume`, "
        "which has a type of its own.",
        default="local",
        replace=True,
    ),
    "keep_root_volume": Attribute(
        type=BOOL,
        description="The volume that is its root disk is kept when it is destroyed. True also makes the root disk a "
        "volume where it would be none. If it is not given, a `boot_volume` is kept, and a root volume that was made "
        "with the instance is destroyed with it.",
        optional=True,
        computed=True,
    ),
    "restart_policy": Attribute(
        type=STRING,
        description="`on-failure`: its guest is started again when it crashed or went down with its node; `never`.",
        default="on-failure",
        checks=(one_of("on-failure", "never"),),
    ),
    "is_running": Attribute(
        type=BOOL,
        description="It runs: false makes it stopped, and a change shuts it down or starts it. If it is not given, a "
        "new one is started, and later starts and stops are left alone.",
        optional=True,
        computed=True,
    ),
    "metadata": Attribute(
        type=STRING,
        description="Who in the guest may read its metadata: programs that get a `token` first, all (`open`), or none"
        " (`off`). A change makes a new instance.",
        default="token",
        checks=(one_of("token", "open", "off"),),
        replace=True,
    ),
    "classifications": CLASSIFICATIONS,
    "policy_atoms": POLICY_CLAUSES,
    "labels": LABELS,
}
COMPUTED = {
    "state": Attribute(type=STRING, description="The desired state: `active`, `stopped` …", computed=True),
    "power_state": Attribute(
        type=STRING, description="The power state that its node reported last.", computed=True, volatile=True
    ),
    "zone": Attribute(type=STRING, description="The zone that it is in.", computed=True),
    "image_id": Attribute(type=STRING, description="The id of its image.", computed=True),
    "root_volume_id": Attribute(
        type=STRING, description="The id of the volume that is its root disk, if it is a volume.", computed=True
    ),
    "vcpus": Attribute(type=NUMBER, description="The vCPUs of its flavor.", computed=True),
    "memory_mib": Attribute(type=NUMBER, description="The memory of its flavor, in MiB.", computed=True),
    "disk_gib": Attribute(type=NUMBER, description="The size of its disk.", computed=True),
    "addresses": Attribute(
        type=Nested("list", ADDRESS), description="Its addresses, in the order of `networks`.", computed=True
    ),
    "created_at": CREATED_AT,
}
SCHEMA = Schema(
    CHOSEN | COMPUTED,
    "A virtual machine. Names, labels, the flavor and volumes change in place; what makes a new one is said at each "
    "attribute, and in the plan.",
)
