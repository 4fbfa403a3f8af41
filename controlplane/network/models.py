from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q

from andromede_core.permits.segment import VNI_MAX
from controlplane.catalog.models import Zone
from controlplane.identity.models import ProjectResource
from controlplane.kernel.db import BaseModel
from controlplane.nodes.models import Node


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


class Subnet(BaseModel):
    """The range of a network. `dns_servers` empty: guests have no name resolution."""

    network = models.OneToOneField(Network, models.CASCADE)
    cidr = models.CharField(max_length=18)
    gateway_ip = models.GenericIPAddressField(protocol="IPv4")
    dns_servers = ArrayField(models.GenericIPAddressField(protocol="IPv4"), default=list)


class Port(BaseModel):
    """A network card's port on a network, with an address that stays until the port is deleted.

    `mac`: locally administered and unicast (IEEE 802, the second digit), and unique over all ports, since guests know
    their cards by it. Older ports have one that begins with 52:54:00, and is unique in its network alone.
    """

    network = models.ForeignKey(Network, models.PROTECT, db_index=False)  # the index of addresses begins with it
    instance_id = models.UUIDField()
    mac = models.CharField(max_length=17)
    ip = models.GenericIPAddressField(protocol="IPv4")
    generation = models.PositiveBigIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "ip"], name="network_port_ip_taken"),
            models.UniqueConstraint(fields=["network", "mac"], name="network_port_mac_taken"),
            models.UniqueConstraint(fields=["mac"], condition=Q(mac__startswith="56:"), name="network_port_mac_once"),
            models.CheckConstraint(
                condition=Q(mac__startswith="52:54:00:") | Q(mac__startswith="56:"), name="network_port_mac_is_local"
            ),
        ]
        indexes = [models.Index(fields=["instance_id"])]


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
