from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q, Value

from andromede_core.permits.segment import VNI_MAX
from controlplane.catalog.models import Zone
from controlplane.identity.models import Project, ProjectResource
from controlplane.kernel.db import BaseModel, Versioned
from controlplane.nodes.models import Node

DEFAULT_SUBNET = "default"


class Network(ProjectResource):
    """A project's own layer-2 segment in each zone where it is used: no frame goes from zone to zone.

    `vni`: its number between nodes (24 bits), which the database assigns.
    """

    mtu = models.PositiveSmallIntegerField(default=1500)
    vni = models.PositiveIntegerField(db_default=Func(function="network_next_vni"), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="network_network_name_taken"),
            models.UniqueConstraint(fields=["vni"], name="network_network_vni_taken"),
            models.CheckConstraint(condition=Q(vni__range=(1, VNI_MAX)), name="network_network_vni"),
        ]


class Subnet(Versioned):
    """A range of a network, without overlap with its others. The one that came with the network is named `default`.

    `dns_servers` empty: guests have no name resolution. `reserved_ranges`: addresses that no port gets, each
    `first-last`.
    """

    network = models.ForeignKey(
        Network, models.CASCADE, related_name="subnets", db_index=False
    )  # the index of names begins with it
    name = models.CharField(max_length=63, default=DEFAULT_SUBNET, db_default=DEFAULT_SUBNET)
    labels = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    generation = models.PositiveBigIntegerField(default=1, db_default=1)
    cidr = models.CharField(max_length=18)
    gateway_ip = models.GenericIPAddressField(protocol="IPv4")
    dns_servers = ArrayField(models.GenericIPAddressField(protocol="IPv4"), default=list)
    reserved_ranges = ArrayField(models.CharField(max_length=79), default=list, db_default=[])

    class Meta:
        constraints = [models.UniqueConstraint(fields=["network", "name"], name="network_subnet_name_taken")]


class Port(ProjectResource):
    """A network card's port on a network, with addresses that stay until they are removed or the port is deleted.

    `instance_id` None: it is free. `is_own`: it was made by itself and outlives the instance; another port is deleted
    with its instance. `position`: the order of the cards of an instance; equal ones are in the order of ids.

    `mac`: locally administered and unicast (IEEE 802, the second digit), and unique over all ports, since guests know
    their cards by it. Older ports have one that begins with 52:54:00, and is unique in its network alone.

    `ip`: a copy of the first IPv4 address, for processes of the previous release. A port that these create gets its
    project, name and address from a trigger (migration 0007).
    """

    project = models.ForeignKey(Project, models.PROTECT, db_index=False)  # the index of names begins with it
    name = models.CharField(max_length=63, db_default="")
    labels = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    network = models.ForeignKey(Network, models.PROTECT, db_index=False)  # the index of addresses begins with it
    instance_id = models.UUIDField(null=True)
    is_own = models.BooleanField(default=False, db_default=False)
    position = models.PositiveSmallIntegerField(default=0, db_default=0)
    mac = models.CharField(max_length=17)
    ip = models.GenericIPAddressField(protocol="IPv4", null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="network_port_name_taken"),
            models.UniqueConstraint(fields=["network", "ip"], name="network_port_ip_taken"),
            models.UniqueConstraint(fields=["network", "mac"], name="network_port_mac_taken"),
            models.UniqueConstraint(fields=["mac"], condition=Q(mac__startswith="56:"), name="network_port_mac_once"),
            models.CheckConstraint(
                condition=Q(mac__startswith="52:54:00:") | Q(mac__startswith="56:"), name="network_port_mac_is_local"
            ),
        ]
        indexes = [models.Index(fields=["instance_id"])]


class PortAddress(BaseModel):
    """An address of a port. The database deletes it with the port."""

    port = models.ForeignKey(Port, models.DO_NOTHING, related_name="addresses", db_constraint=False)
    network = models.ForeignKey(Network, models.CASCADE, db_index=False)  # its constraint's index begins with it
    subnet = models.ForeignKey(Subnet, models.PROTECT)
    ip = models.GenericIPAddressField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["network", "ip"], name="network_portaddress_taken")]


class AllowedAddress(BaseModel):
    """Addresses that a port may use beside its own, as for VRRP (RFC 9568). The database deletes it with the port.

    `mac`: with that MAC address; empty: with the port's.
    """

    port = models.ForeignKey(Port, models.DO_NOTHING, related_name="allowed_addresses", db_constraint=False)
    cidr = models.CharField(max_length=43)
    mac = models.CharField(max_length=17, blank=True)


class PortBinding(BaseModel):
    """A node that carries the port, or is about to. During a migration there are two."""

    port = models.ForeignKey(Port, models.CASCADE)
    node = models.ForeignKey(Node, models.CASCADE)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["port", "node"], name="network_portbinding_once")]


class Segment(BaseModel):
    """The nodes of a zone that carry a network, in the newest version (andromede_core.permits.segment).

    `members`: underlay addresses by the nodes' ids. `key_id`: the key that signed the document."""

    network = models.ForeignKey(Network, models.CASCADE, db_index=False)  # its constraint's index begins with it
    zone = models.ForeignKey(Zone, models.PROTECT)
    version = models.PositiveBigIntegerField(default=0)
    members = models.JSONField(default=dict)
    key_id = models.CharField(max_length=64, blank=True)
    document = models.BinaryField(default=bytes)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["network", "zone"], name="network_segment_once")]


class SegmentCopy(BaseModel):
    """A node's last report of its version of a segment. `problem`: with its underlay."""

    segment = models.ForeignKey(Segment, models.CASCADE, db_index=False)  # its constraint's index begins with it
    node = models.ForeignKey(Node, models.CASCADE)
    version = models.PositiveBigIntegerField()
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "node"], name="network_segmentcopy_once")]
