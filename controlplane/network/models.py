from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q, Value

from andromede_core.permits.security_group import DIRECTIONS, FAMILIES, PROTOCOLS
from andromede_core.permits.segment import VNI_MAX
from controlplane.catalog.models import Zone
from controlplane.identity.models import Organization, Project, ProjectResource
from controlplane.kernel.db import BaseModel, Versioned
from controlplane.kernel.label_selectors import SELECTOR_MAX_LETTERS
from controlplane.nodes.models import DEFAULT_MTU, Node

DEFAULT_SUBNET = "default"
PURPOSES = FOR_ADDRESSES, FOR_SUBNETS = ("addresses", "subnets")  # of address pools


class Network(ProjectResource):
    """A project's own layer-2 segment in each zone where it is used: no frame goes from zone to zone.

    `mtu`: the largest packet of a guest, in bytes. `vni`: its number between nodes (24 bits), which the database
    assigns.
    """

    mtu = models.PositiveSmallIntegerField(default=DEFAULT_MTU)
    vni = models.PositiveIntegerField(db_default=Func(function="network_next_vni"), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="network_network_name_taken"),
            models.UniqueConstraint(fields=["vni"], name="network_network_vni_taken"),
            models.CheckConstraint(condition=Q(vni__range=(1, VNI_MAX)), name="network_network_vni"),
        ]


class AddressPool(Versioned):
    """Public ranges that the announcers of a zone announce; operators make it.

    `organization`: the only one that may use it; None: all. `purpose`: `addresses`, which projects reserve, or
    `subnets`, from which IPv6 subnets get a /64. `reserved_ranges`: addresses that nobody gets, each `first-last`.
    `community`: of BGP (RFC 1997), `AS:value`; `local_preference`: of BGP (RFC 4271); empty: none. `reverse_serial`: of
    its reverse zones.
    """

    name = models.CharField(max_length=63, unique=True)
    labels = models.JSONField(default=dict)
    zone = models.ForeignKey(Zone, models.PROTECT)
    organization = models.ForeignKey(Organization, models.PROTECT, null=True)
    family = models.CharField(max_length=4)  # ipv4, ipv6
    purpose = models.CharField(max_length=9)
    cidrs = ArrayField(models.CharField(max_length=43))
    reserved_ranges = ArrayField(models.CharField(max_length=79), default=list)
    community = models.CharField(max_length=11, blank=True)
    local_preference = models.PositiveBigIntegerField(null=True)
    reverse_serial = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(family__in=list(FAMILIES)), name="network_addresspool_family"),
            models.CheckConstraint(
                condition=Q(purpose=FOR_ADDRESSES) | Q(purpose=FOR_SUBNETS, family="ipv6"),
                name="network_addresspool_purpose",
            ),
        ]


class Subnet(Versioned):
    """A range of a network, without overlap with its others. The one that came with the network is named `default`.

    `dns_servers` empty: guests ask the resolver at the gateway. `ntp_servers`, `domain_search`, `static_routes`: as in
    andromede_core.permits.dhcp_options. `reserved_ranges`: addresses that no port gets, each `first-last`. `ipv6_cidr`:
    a /64 beside `cidr`, of `ipv6_pool` (public, routed to the pool's zone) or, without a pool, a unique local one
    (RFC 4193).
    """

    network = models.ForeignKey(
        Network, models.CASCADE, related_name="subnets", db_index=False
    )  # the index of names begins with it
    name = models.CharField(max_length=63, default=DEFAULT_SUBNET, db_default=DEFAULT_SUBNET)
    labels = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    generation = models.PositiveBigIntegerField(default=1, db_default=1)
    cidr = models.CharField(max_length=18)
    gateway_ip = models.GenericIPAddressField(protocol="IPv4")
    dns_servers = ArrayField(models.GenericIPAddressField(), default=list)
    ntp_servers = ArrayField(models.GenericIPAddressField(), default=list, db_default=[])
    domain_search = ArrayField(models.CharField(max_length=253), default=list, db_default=[])
    static_routes = models.JSONField(default=list, db_default=Value([], models.JSONField()))
    reserved_ranges = ArrayField(models.CharField(max_length=79), default=list, db_default=[])
    ipv6_cidr = models.CharField(max_length=43, blank=True, default="", db_default="")
    ipv6_pool = models.ForeignKey(AddressPool, models.PROTECT, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "name"], name="network_subnet_name_taken"),
            models.UniqueConstraint(
                fields=["ipv6_cidr"], condition=Q(ipv6_pool__isnull=False), name="network_subnet_ipv6_taken"
            ),
        ]


class Port(ProjectResource):
    """A network card's port on a network, with addresses that stay until they are removed or the port is deleted.

    `instance_id` None: it is free. `is_own`: it was made by itself and outlives the instance; another port is deleted
    with its instance. `position`: the order of the cards of an instance; equal ones are in the order of ids.

    `mac`: locally administered and unicast (IEEE 802, the second digit), and unique over all ports, since guests know
    their cards by it. Older ports have one that begins with 52:54:00, and is unique in its network alone.

    `ip`: a copy of the first IPv4 address, for processes of the previous release. A port that these create gets its
    project, name and address from a trigger (migration 0007).

    `is_filtered`: its security groups decide about its traffic, and without any group nothing passes. Ports that are
    older than security groups are not filtered until they get groups.

    `to_guest_mbit`, `from_guest_mbit`: limits of what its guest receives and sends; None: no limit.
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
    is_filtered = models.BooleanField(default=False, db_default=False)
    to_guest_mbit = models.PositiveIntegerField(null=True)
    from_guest_mbit = models.PositiveIntegerField(null=True)

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


class ReservedAddresses(models.Manager["PublicAddress"]):
    """Public addresses that projects have: without those that were released while they were suspended."""

    def get_queryset(self) -> models.QuerySet["PublicAddress"]:
        return super().get_queryset().filter(released_at=None)


class PublicAddress(ProjectResource):
    """An address of a pool that a project has reserved, until it releases it. The database detaches it with the port.

    `port`: the one that it is attached to. `mode`: `nat`, translated one to one to the port's address `fixed_ip`, or
    `routed`, the guest has it itself; IPv6 is always routed. `ptr`: the name that the operator's reverse zone has for
    it. `suspended_at`: an operator has it withdrawn since then. `released_at`: the project released it while it was
    suspended, and nobody gets it until the suspension ends; only `everything` has such rows.
    """

    pool = models.ForeignKey(AddressPool, models.PROTECT)
    ip = models.GenericIPAddressField(unique=True)
    port = models.ForeignKey(Port, models.DO_NOTHING, null=True, related_name="public_addresses", db_constraint=False)
    mode = models.CharField(max_length=6, default="nat")
    fixed_ip = models.GenericIPAddressField(protocol="IPv4", null=True)
    ptr = models.CharField(max_length=253, blank=True)
    suspended_at = models.DateTimeField(null=True)
    suspended_reason = models.CharField(max_length=200, blank=True)
    released_at = models.DateTimeField(null=True)

    objects = ReservedAddresses()
    everything: ClassVar[models.Manager["PublicAddress"]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="network_publicaddress_name_taken"),
            models.CheckConstraint(condition=Q(mode__in=["nat", "routed"]), name="network_publicaddress_mode"),
            models.UniqueConstraint(fields=["port", "fixed_ip"], name="network_publicaddress_translated_once"),
        ]


class EgressAddress(BaseModel):
    """A public address that is the source of what leaves a network in the address's zone. See egress_gateways.py.

    The database deletes it with the address and with the network, and when the address gets a port. `gateway`: the node
    that translates; None: no node can.
    """

    address = models.OneToOneField(PublicAddress, models.DO_NOTHING, related_name="egress", db_constraint=False)
    network = models.ForeignKey(
        Network, models.DO_NOTHING, related_name="egress_addresses", db_index=False, db_constraint=False
    )
    zone = models.ForeignKey(Zone, models.PROTECT)
    gateway = models.ForeignKey(Node, models.DO_NOTHING, null=True, db_constraint=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["network", "zone"], name="network_egress_taken")]


class PublicAddressUse(BaseModel):
    """A period in which a port or a network had a public address. Triggers write it (migrations 0011 and 0016), so no
    change is missed.

    No process may write it otherwise (migration 0014). It stays when the address is released. `address_id`: the
    reservation. `port_id` None: a network had it, as its egress address. `instance_id` None: the port was free.
    `ended_at` None: it lasts.
    """

    project = models.ForeignKey(Project, models.PROTECT)
    address_id = models.UUIDField()
    ip = models.GenericIPAddressField()
    port_id = models.UUIDField(null=True)
    network_id = models.UUIDField(null=True)
    instance_id = models.UUIDField(null=True)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["ip", "ended_at"], name="network_publicaddressuse_ip"),
            models.Index(fields=["address_id"], name="network_publicaddressuse_of"),
            models.Index(fields=["port_id"], condition=Q(ended_at__isnull=True), name="network_publicaddressuse_open"),
        ]


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


class SecurityGroup(ProjectResource):
    """Rules of traffic that ports in the group may receive and send. Several groups of a port add up.

    `is_default`: ports get it when their request names no groups; it cannot be deleted. `generation` grows with each
    change of its rules. `selector`: of labels, as in lists; the filtered ports that it selects are in the group too
    (selected_groups.py). Empty: none.
    """

    description = models.CharField(max_length=200, blank=True)
    is_default = models.BooleanField(default=False)
    selector = models.CharField(max_length=SELECTOR_MAX_LETTERS, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="network_security_group_name_taken"),
            models.UniqueConstraint(
                fields=["project"], condition=Q(is_default=True), name="network_security_group_one_default"
            ),
        ]


class AddressSet(ProjectResource):
    """Named ranges of addresses, of one or both families, that rules of security groups name as their peer."""

    description = models.CharField(max_length=200, blank=True)
    cidrs = ArrayField(models.CharField(max_length=43), default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="network_address_set_name_taken")]


class SecurityGroupRule(BaseModel):
    """A rule that allows traffic (andromede_core.permits.security_group). It is never changed.

    `first_port`, `last_port`: of tcp or udp; null: all. `icmp_type`, `icmp_code`: null: all. The peer is in `cidrs`, a
    member of `peer_group`, or in the ranges of `address_set` that are of the rule's family; all null: any peer.
    `fingerprint`: digest of all fields that decide about traffic.
    """

    group = models.ForeignKey(SecurityGroup, models.CASCADE, related_name="rules", db_index=False)  # see constraints
    direction = models.CharField(max_length=3)
    family = models.CharField(max_length=4)
    protocol = models.CharField(max_length=6)
    first_port = models.PositiveIntegerField(null=True)
    last_port = models.PositiveIntegerField(null=True)
    icmp_type = models.PositiveSmallIntegerField(null=True)
    icmp_code = models.PositiveSmallIntegerField(null=True)
    cidrs = ArrayField(models.CharField(max_length=43), null=True)
    peer_group = models.ForeignKey(SecurityGroup, models.PROTECT, null=True, related_name="rules_naming_it")
    address_set = models.ForeignKey(AddressSet, models.PROTECT, null=True, related_name="rules")
    is_logged = models.BooleanField(default=False)
    description = models.CharField(max_length=200, blank=True)
    fingerprint = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "fingerprint"], name="network_security_group_rule_once"),
            models.CheckConstraint(
                condition=Q(direction__in=DIRECTIONS, family__in=list(FAMILIES), protocol__in=PROTOCOLS),
                name="network_security_group_rule_known",
            ),
            models.CheckConstraint(
                condition=Q(cidrs__isnull=True) | Q(peer_group__isnull=True), name="network_security_group_rule_peer"
            ),
        ]


class PortSecurityGroup(BaseModel):
    """A security group of a port. The database deletes it with the port.

    `is_selected`: the group's selector selects the port; a port may be in the group for both reasons.
    """

    # The index of its constraint begins with the port.
    port = models.ForeignKey(Port, models.DO_NOTHING, db_index=False, db_constraint=False)
    group = models.ForeignKey(SecurityGroup, models.PROTECT)
    is_selected = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["port", "group", "is_selected"], name="network_port_security_group_reason")
        ]


class PortRulesDocument(BaseModel):
    """The newest signed list of a network's ports in a zone, or the newest signed security group in a zone.

    `digest`: of what the list or the group says, without the version. `group_generation`: that of the group when its
    document was compared with it last. `key_id`: the key that signed the document. The database deletes the list with
    its network, and the copies with their document.
    """

    network = models.ForeignKey(Network, models.DO_NOTHING, null=True, db_index=False, db_constraint=False)
    group = models.ForeignKey(SecurityGroup, models.CASCADE, null=True, db_index=False)
    zone = models.ForeignKey(Zone, models.PROTECT)
    version = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    group_generation = models.PositiveBigIntegerField(default=0)
    key_id = models.CharField(max_length=64, blank=True)
    document = models.BinaryField(default=bytes)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "zone"], name="network_port_rules_document_of_network_once"),
            models.UniqueConstraint(fields=["group", "zone"], name="network_port_rules_document_of_group_once"),
            models.CheckConstraint(
                condition=Q(network__isnull=False, group__isnull=True) | Q(network__isnull=True, group__isnull=False),
                name="network_port_rules_document_of_one",
            ),
        ]


class PortRulesCopy(BaseModel):
    """A node's last report of its version of a document. `problem`: why the node does not apply its rules."""

    document = models.ForeignKey(
        PortRulesDocument, models.CASCADE, related_name="copies", db_index=False, db_constraint=False
    )
    node = models.ForeignKey(Node, models.CASCADE)
    version = models.PositiveBigIntegerField()
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "node"], name="network_port_rules_copy_once")]
