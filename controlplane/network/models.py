from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from controlplane.identity.models import ProjectResource
from controlplane.kernel.db import BaseModel


class Network(ProjectResource):
    """A project's own layer-2 segment. In this stage each node that carries it has a segment of its own."""

    mtu = models.PositiveSmallIntegerField(default=1500)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="network_network_name_taken")]


class Subnet(BaseModel):
    """The range of a network. `dns_servers` empty: guests have no name resolution."""

    network = models.OneToOneField(Network, models.CASCADE)
    cidr = models.CharField(max_length=18)
    gateway_ip = models.GenericIPAddressField(protocol="IPv4")
    dns_servers = ArrayField(models.GenericIPAddressField(protocol="IPv4"), default=list)


class Port(BaseModel):
    """A network card's place on a network, with the address that is its own as long as it lives."""

    network = models.ForeignKey(Network, models.PROTECT, db_index=False)  # the index of addresses begins with it
    instance_id = models.UUIDField()
    mac = models.CharField(max_length=17)
    ip = models.GenericIPAddressField(protocol="IPv4")
    generation = models.PositiveBigIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "ip"], name="network_port_ip_taken"),
            models.UniqueConstraint(fields=["network", "mac"], name="network_port_mac_taken"),
            models.CheckConstraint(condition=Q(mac__startswith="52:54:00:"), name="network_port_mac_is_local"),
        ]
        indexes = [models.Index(fields=["instance_id"])]
