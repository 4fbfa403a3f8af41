"""Schemas of instances, their consoles and attachments."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from controlplane.api.v1.classifications.schemas import CLASSIFICATIONS_MAX
from controlplane.api.v1.policies.schemas import clauses_field
from controlplane.api.v1.security_groups.schemas import security_groups_field
from controlplane.api.v1.volume_types.schemas import IoLimitsOut
from controlplane.api.v1.zones.schemas import ZONES_MAX
from controlplane.catalog.models import LOCAL
from controlplane.compute import representations
from controlplane.compute.actions import STATES
from controlplane.compute.guest_sessions import CONSOLES
from controlplane.compute.models import GUEST_AGENTS, INSTANCE, METADATA_ACCESS, RESTART_POLICIES, Instance
from controlplane.kernel.fields import (
    Base64,
    Choice,
    ConditionOut,
    ErrorOut,
    Flag,
    In,
    Labels,
    LabelsPatch,
    Name,
    NamedOut,
    Out,
    Reference,
    ResourceOut,
    Text,
    Whole,
    classified,
    references,
)

NETWORKS_MAX = 8
SSH_KEYS_MAX = 32
VOLUMES_MAX = 24
TCP_PORT_MAX = 65535
SSH_PORT = 22
POWER_STATES = ("unknown", "running", "off", "paused", "crashed")


class ConsoleIn(In):
    example = {"kind": "serial"}

    kind = Choice([kind.value for kind in CONSOLES])


class ConsoleOut(Out):
    """A console ticket.

    `url`: the address of the websocket, valid once and before `expires_at`; a path of this server, or a full URL.
    """

    id = serializers.UUIDField(source="session.id")
    kind = serializers.ChoiceField([kind.value for kind in CONSOLES], source="session.kind")
    is_read_only = serializers.BooleanField(source="session.is_read_only")
    url = serializers.CharField()
    expires_at = serializers.DateTimeField()


class TunnelIn(In):
    """A tunnel to one TCP port of the guest. `network`: of the network card to use; the first one by default."""

    example = {"tcp_port": 22}

    tcp_port = Whole(min_value=1, max_value=TCP_PORT_MAX, default=SSH_PORT)
    network = Reference(required=False)


class TunnelOut(Out):
    """A tunnel ticket.

    `address`: of the guest in its network. `url`: the address of the websocket, valid once and before `expires_at`; a
    path of this server, or a full URL.
    """

    id = serializers.UUIDField(source="session.id")
    address = serializers.IPAddressField(source="session.address", protocol="IPv4")
    tcp_port = serializers.IntegerField(source="session.tcp_port")
    url = serializers.CharField()
    expires_at = serializers.DateTimeField()


TWICE = _("Give user_data or user_data_base64, not both.")


def _read_user_data(body: In, attrs: dict[str, Any]) -> dict[str, Any]:
    """Convert `user_data`, if it is given, to bytes, from text or base64."""
    if "user_data" in attrs and "user_data_base64" in attrs:
        body.fail("user_data_twice")
    if "user_data" in attrs:
        attrs["user_data"] = attrs["user_data"].encode()
    elif "user_data_base64" in attrs:
        attrs["user_data"] = attrs.pop("user_data_base64")
    return attrs


NO_ROOT = _("Give image, or boot_volume.")


class InstanceIn(In):
    """A new instance.

    Its network cards are on `networks`, with ports of its own, and then `ports`, free ones of the project; 8 in all.
    `user_data` is for the guest's first boot, at most 64 KiB, as text or in base64; no response contains it. The
    clauses of `classifications` and `policy_atoms` apply to the instance's data as long as it exists. `host`: the only
    allowed node, for operators. `exemption`: allows the creation once, although a policy refuses it. `restart_policy`:
    whether the guest is started again after it crashed or its node restarted. `root_volume_type`: the storage of the
    root disk; a root disk in a pool lets another node run the instance after its own has failed. `boot_volume` in place
    of `image`: an available volume that was made from an image is the root disk, as it is; the instance is placed with
    it, and the disk of the flavor is not used. Volumes without a place, also to boot from, get one with the instance,
    where all fit. `keep_root_volume`: true makes the root disk a volume, as a root disk of
    a type with snapshots always is, and keeps this volume when the instance is deleted; false deletes it with the
    instance; by default only a `boot_volume` is kept. `security_groups`: the groups of all ports that are created with
    it; without them the project's default group. `metadata`: which programs in the guest may read its metadata at
    169.254.169.254: those that get a token first, all (`open`), or none (`off`). `start` false: the instance is created
    stopped, with its disk, addresses and volumes; its first boot follows at its first start.
    """

    default_error_messages = {
        "user_data_twice": TWICE,
        "root_twice": _("Give image or boot_volume, not both."),
        "type_of_volume": _("The boot volume has a type already. Leave root_volume_type out."),
    }
    example = {
        "name": "web-1",
        "flavor": "small",
        "image": "debian-13",
        "networks": ["lan"],
        "ssh_keys": ["laptop"],
        "zones": ["fr-idf-1", "fr-idf-2"],
        "user_data": "#cloud-config\npackages: [nginx]\n",
        "labels": {"env": "prod"},
    }

    name = Name()
    flavor = Reference()
    image = Reference(required=False)
    boot_volume = Reference(required=False)
    networks = references(max_length=NETWORKS_MAX, default=list)
    ports = references(max_length=NETWORKS_MAX, default=list)
    security_groups = security_groups_field(required=False)
    ssh_keys = references(max_length=SSH_KEYS_MAX, default=list)
    volumes = references(max_length=VOLUMES_MAX, default=list)
    root_volume_type = Reference(default=LOCAL)
    keep_root_volume = Flag(required=False)
    user_data = Text(max_length=None, is_multiline=True, allow_blank=True, required=False)
    user_data_base64 = Base64(max_length=None, allow_blank=True, required=False)
    zones = references(max_length=ZONES_MAX, default=list)
    affinity_group = Reference(required=False)
    host = Reference(required=False)
    exemption = Reference(required=False)
    restart_policy = Choice(list(RESTART_POLICIES), default=RESTART_POLICIES[0])
    metadata = Choice(list(METADATA_ACCESS), default=METADATA_ACCESS[0])
    start = Flag(default=True)
    classifications = references(max_length=CLASSIFICATIONS_MAX, default=list)
    policy_atoms = clauses_field(default=list)
    labels = Labels(default=dict)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "image" not in attrs and "boot_volume" not in attrs:
            raise ValidationError({"image": [ErrorDetail(str(NO_ROOT), code="required")]})
        if "image" in attrs and "boot_volume" in attrs:
            self.fail("root_twice")
        if "boot_volume" in attrs and attrs["root_volume_type"] != LOCAL:
            self.fail("type_of_volume")
        return _read_user_data(self, attrs)


class InstancePatch(In):
    """`keep_root_volume`: whether the volume that is the root disk is kept when the instance is deleted."""

    example = {"name": "web-2", "labels": {"env": "test", "tier": None}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)
    restart_policy = Choice(list(RESTART_POLICIES), required=False)
    keep_root_volume = Flag(required=False)


class ResizeIn(In):
    example = {"flavor": "medium"}

    flavor = Reference()


class RebuildIn(In):
    """A request for a rebuild.

    The root disk is created again from `image`, and all data on it is erased. Name, addresses, attachments and size
    stay, and also `ssh_keys` and user data if none are given. The first boot follows: at once if the instance is
    active, else at its next start.
    """

    default_error_messages = {"user_data_twice": TWICE}
    example = {"image": "debian-13"}

    image = Reference()
    ssh_keys = references(max_length=SSH_KEYS_MAX, required=False)
    user_data = Text(max_length=None, is_multiline=True, allow_blank=True, required=False)
    user_data_base64 = Base64(max_length=None, allow_blank=True, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return _read_user_data(self, attrs)


class AddressPortOut(NamedOut):
    """A port. `is_own`: it was created by itself."""

    is_own = serializers.BooleanField()


class AddressOut(Out):
    network = NamedOut()
    port = AddressPortOut()
    ip = serializers.IPAddressField()
    mac = serializers.CharField()


class AttachmentIn(In):
    """A volume to attach. `share`: other instances can have it attached, too, and write to it at once, so the guest has
    a file system that is made for that; required for a volume with `is_multi_attach`, and refused for others.
    """

    example = {"volume": "data", "is_read_only": False}

    volume = Reference()
    is_read_only = Flag(default=False)
    share = Flag(default=False)


class AttachmentOut(Out):
    """An attachment. `is_plugged`: the guest has the volume. `is_boot`: the instance boots from it. `share`: other
    instances can have the volume attached, too.
    """

    id = serializers.UUIDField()
    volume = NamedOut()
    size_gib = serializers.IntegerField(source="volume.size_gib")
    limits = IoLimitsOut(source="volume.limits")
    is_read_only = serializers.BooleanField()
    is_plugged = serializers.BooleanField()
    is_boot = serializers.BooleanField()
    share = serializers.BooleanField(source="is_shared")
    generation = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class InstanceOut(ResourceOut):
    """An instance.

    `state` is the desired state, `power_state` the observed one, reported by the node at `power_state_at`.
    `guest_agent`: if qemu-guest-agent in the running guest is connected. `keep_root_volume`: the root disk is a volume,
    which is kept when the instance is deleted.
    """

    # Context: the result of compute.representations.instance_details().
    state = serializers.ChoiceField(list(INSTANCE.moves))
    power_state = serializers.ChoiceField(POWER_STATES)
    power_state_at = serializers.DateTimeField(allow_null=True)
    guest_agent = serializers.ChoiceField(GUEST_AGENTS, source="present_guest_agent")
    zone = serializers.CharField(source="node.zone_id", default=None, allow_null=True)
    flavor = serializers.CharField()
    vcpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    disk_gib = serializers.IntegerField()
    image = NamedOut()
    max_volumes = serializers.IntegerField()
    root_volume_type = serializers.CharField(source="root_type")
    root_limits = IoLimitsOut()
    keep_root_volume = serializers.BooleanField(source="keeps_root_volume")
    affinity_group = NamedOut(allow_null=True)
    restart_policy = serializers.ChoiceField(RESTART_POLICIES)
    metadata = serializers.ChoiceField(METADATA_ACCESS)
    classifications = classified()
    addresses = serializers.SerializerMethodField()
    attachments = serializers.SerializerMethodField()

    @extend_schema_field(ConditionOut(many=True))
    def get_conditions(self, row: Instance) -> list[dict[str, Any]]:
        return representations.instance_conditions(row, self.context["language"])

    @extend_schema_field(AddressOut(many=True))
    def get_addresses(self, row: Instance) -> Any:
        return self.context["addresses"].get(row.pk, [])

    @extend_schema_field(AttachmentOut(many=True))
    def get_attachments(self, row: Instance) -> Any:
        return self.context["attachments"].get(row.pk, [])


class ActionOut(Out):
    """An action. `problem`: the error that the action would give now.

    `snapshot` is allowed if any disk can have snapshots; a request without `volumes` is refused if one of them cannot.
    """

    name = serializers.ChoiceField(list(STATES))
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)


class InstanceWithActionsOut(InstanceOut):
    """An instance.

    `state` is the desired state, `power_state` the observed one, reported by the node at `power_state_at`.
    `guest_agent`: if qemu-guest-agent in the running guest is connected. `keep_root_volume`: the root disk is a volume,
    which is kept when the instance is deleted.
    `allowed_actions`: the actions possible in its state; the caller also needs permission.
    """

    allowed_actions = ActionOut(many=True)
