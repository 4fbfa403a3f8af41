"""Convert messages to specs. Decoded values may be used in file names, device names and definitions."""

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Network, ip_address, ip_network
from itertools import combinations
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from agents.node.adapters.interfaces import ConsoleKind, Firmware, ImageFormat, IoLimits, Power
from agents.node.adapters.migrations import Convergence
from agents.node.adapters.network_specs import Address, Network, NetworkSpec, PortSpec, SubnetSpec
from agents.node.adapters.pools import NAME as POOL
from agents.node.adapters.storage import keys
from agents.node.adapters.storage.places import RbdSource
from agents.node.errors import BadRequest
from agents.node.specs import (
    MAX_FREEZE_MS,
    MIN_FREEZE_MS,
    AttachmentSpec,
    ConsoleSpec,
    FreezeLevel,
    GuestData,
    ImageSpec,
    IncomingAttachment,
    IncomingSpec,
    InstanceSpec,
    MetadataAccess,
    OutgoingSpec,
    Peer,
    QuarantineSpec,
    Restart,
    RestartKind,
    Subject,
    TunnelSpec,
    UnmanagedKind,
    VolumeSpec,
)
from agents.protocol import agent_pb2 as pb
from andromede_core.permits.network_ports import MAX_ADDRESSES, MAX_SUBNETS
from andromede_core.permits.network_values import IPV6_PREFIX, MAC

if TYPE_CHECKING:
    from agents.protocol import storage_pb2

K = TypeVar("K")
V = TypeVar("V")

SHA256 = re.compile(r"[0-9a-f]{64}")
HOSTNAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
URI = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[A-Za-z0-9\[\]:./_?=&%-]{1,400}")
SSH_KEY = re.compile(r"[\x20-\x7e]{1,16384}")

RBD_POOL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
MONITOR = re.compile(r"([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-f:.]{2,45}\]):[0-9]{1,5}")

MAX_MONITORS = 16
MAX_KEY_BYTES = 256
MAX_PART_BYTES = 2**20
MAX_TYPED_BYTES = 64 * 2**10
MAX_USER_DATA_BYTES = 64 * 2**10
MAX_SIZE_BYTES = 64 * 2**40
MAX_IOPS = 10**9
MAX_BYTES_PER_S = 10**15
MAX_VCPUS = 512
MAX_MEMORY_MIB = 16 * 2**20
MAX_PORTS = 8
MIN_IPV6_MTU = 1280  # RFC 8200
UNICAST = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"))
MAX_PLUGGED = 32
MAX_TCP_PORT = 65535
MAX_PAUSE_MS = 60_000
MAX_DEADLINE_S = 7 * 24 * 3600
MAX_SSH_KEYS = 64

UNMANAGED_KINDS = {
    pb.STRAY_KIND_DOMAIN: UnmanagedKind.DOMAIN,
    pb.STRAY_KIND_FILE: UnmanagedKind.FILE,
    pb.STRAY_KIND_PORT: UnmanagedKind.PORT,
    pb.STRAY_KIND_ATTACHMENT: UnmanagedKind.ATTACHMENT,
}
UNMANAGED_NAMES = {
    UnmanagedKind.DOMAIN: re.compile(r"[^\0/\n]{1,250}"),
    UnmanagedKind.FILE: re.compile(r"(volumes|images)/(?!\.{1,2}\Z)[^\0/]{1,255}"),
    UnmanagedKind.PORT: re.compile(r"tap[0-9a-f]{11}"),
    UnmanagedKind.ATTACHMENT: re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}
FORMATS: Mapping[int, ImageFormat] = {pb.IMAGE_FORMAT_QCOW2: ImageFormat.QCOW2, pb.IMAGE_FORMAT_RAW: ImageFormat.RAW}
CONSOLES = {pb.CONSOLE_KIND_SERIAL: ConsoleKind.SERIAL, pb.CONSOLE_KIND_VNC: ConsoleKind.VNC}
FIRMWARES = {pb.FIRMWARE_BIOS: Firmware.BIOS, pb.FIRMWARE_UEFI: Firmware.UEFI}
CONVERGENCES = {
    pb.CONVERGENCE_UNSPECIFIED: Convergence.AUTO_CONVERGE,
    pb.CONVERGENCE_AUTO_CONVERGE: Convergence.AUTO_CONVERGE,
    pb.CONVERGENCE_NONE: Convergence.NONE,
}
FREEZE_LEVELS = {
    pb.FREEZE_LEVEL_UNSPECIFIED: FreezeLevel.FILE_SYSTEMS,
    pb.FREEZE_LEVEL_FILE_SYSTEMS: FreezeLevel.FILE_SYSTEMS,
    pb.FREEZE_LEVEL_EXECUTION: FreezeLevel.EXECUTION,
}
POWERS = {pb.POWER_RUNNING: Power.RUNNING, pb.POWER_SHUTDOWN: Power.SHUTDOWN, pb.POWER_OFF: Power.OFF}
METADATA_ACCESS = {
    pb.METADATA_ACCESS_UNSPECIFIED: MetadataAccess.TOKEN,
    pb.METADATA_ACCESS_TOKEN: MetadataAccess.TOKEN,
    pb.METADATA_ACCESS_OPEN: MetadataAccess.OPEN,
    pb.METADATA_ACCESS_OFF: MetadataAccess.OFF,
}
RESTARTS = {
    pb.RESTART_KIND_UNSPECIFIED: RestartKind.REBOOT,
    pb.RESTART_KIND_REBOOT: RestartKind.REBOOT,
    pb.RESTART_KIND_RESET: RestartKind.RESET,
}


def subject(message: pb.Subject) -> Subject:
    if message.generation < 1:
        raise BadRequest("subject.generation", "must be at least 1")
    if message.generation >= 2**63:
        raise BadRequest("subject.generation", "is too high")
    return Subject(identifier("subject.id", message.id), message.generation)


def image(message: "pb.ImageHeader | storage_pb2.ImageHeader") -> ImageSpec:
    return ImageSpec(
        sha256=digest("header.sha256", message.sha256),
        size_bytes=within("header.size_bytes", message.size_bytes, 1, MAX_SIZE_BYTES),
        format=_choice("header.format", int(message.format), FORMATS),
    )


def image_parts(parts: "Iterator[pb.ImagePart] | Iterator[storage_pb2.ImagePart]") -> Iterator[bytes]:
    """Return the bytes that follow the header."""
    for part in parts:
        if part.WhichOneof("part") != "data":
            raise BadRequest("data", "each message after the first one carries bytes")
        if len(part.data) > MAX_PART_BYTES:
            raise BadRequest("data", f"at most {MAX_PART_BYTES} bytes in one message")
        yield part.data


def volume_size(size_bytes: int) -> int:
    return _multiple("size_bytes", within("size_bytes", size_bytes, 512, MAX_SIZE_BYTES), 512)


def volume(message: pb.EnsureVolumeRequest) -> VolumeSpec:
    sha256 = message.image_sha256
    if message.is_taken_over and (sha256 or not message.pool):
        raise BadRequest("is_taken_over", "is only for a volume in a pool, without an image")
    if message.HasField("rbd") and (sha256 or not message.pool):
        raise BadRequest("rbd", "is only for a volume in a pool, without an image: the storage agent has made it")
    return VolumeSpec(
        size_bytes=volume_size(message.size_bytes),
        image_sha256=digest("image_sha256", sha256) if sha256 else "",
        pool=pool(message.pool),
        is_taken_over=message.is_taken_over,
        rbd=rbd_source(message.subject.id, message.rbd) if message.HasField("rbd") else None,
        limits=IoLimits(
            within("limits.iops", message.limits.iops, 0, MAX_IOPS),
            within("limits.bytes_per_s", message.limits.bytes_per_s, 0, MAX_BYTES_PER_S),
        ),
    )


def rbd_source(volume_id: str, message: pb.RbdSource) -> RbdSource:
    """Return the source. Its image and client are the volume's own, so that the permit for the volume covers them."""
    monitors = tuple(_matching("rbd.monitors", each, MONITOR, "is no HOST:PORT") for each in message.monitors)
    if not 1 <= len(set(monitors)) == len(monitors) <= MAX_MONITORS:
        raise BadRequest("rbd.monitors", f"1 to {MAX_MONITORS}, each one once")
    if message.image != volume_id:
        raise BadRequest("rbd.image", "is not the volume's id")
    own_client = re.compile(rf"v-{re.escape(volume_id)}\.[0-9a-f]{{12}}")
    return RbdSource(
        pool=_matching("rbd.pool", message.pool, RBD_POOL, "is no name of a pool in a Ceph cluster"),
        image=message.image,
        monitors=monitors,
        client=_matching("rbd.client", message.client, own_client, "is no client for this volume"),
    )


def volume_key(message: pb.EnsureVolumeRequest) -> bytes:
    """Return the key that opens the volume, which is no part of its spec; empty: it needs none."""
    return rbd_key(message.rbd) if message.HasField("rbd") else b""


def rbd_key(message: pb.RbdSource) -> bytes:
    try:
        if len(message.key) > MAX_KEY_BYTES:
            raise ValueError("too long")
        return keys.decoded(message.key)
    except ValueError:
        raise BadRequest("rbd.key", "is no key in base64") from None


def pool(name: str) -> str:
    return _matching("pool", name, POOL, "is no name of a pool") if name else ""


def port(message: pb.EnsurePortRequest) -> PortSpec:
    network = _network(message.network)
    return PortSpec(
        id=identifier("subject.id", message.subject.id),
        network=network,
        mac=_matching("mac", message.mac, MAC, "is not a unicast address in lower-case hex with colons"),
        addresses=_addresses(message, network),
        hostname=_hostname("hostname", message.hostname),
    )


def _addresses(message: pb.EnsurePortRequest, network: NetworkSpec) -> tuple[Address, ...]:
    """Return the addresses of the port: an older control plane sends only `ip`."""
    first = _ipv4("ip", message.ip) if message.ip else None
    if not message.addresses:
        addresses: tuple[Address, ...] = () if first is None else (first,)
    else:
        addresses = tuple(_address("addresses", text) for text in message.addresses)
        if len(set(addresses)) != len(addresses) or len(addresses) > MAX_ADDRESSES:
            raise BadRequest("addresses", f"at most {MAX_ADDRESSES}, each one once")
        if first is not None and first not in addresses:
            raise BadRequest("ip", "is not one of the addresses")
    for address in addresses:
        subnet = network.subnet_of(address)
        if subnet is None or address in (subnet.gateway_ip, *_anycast(subnet)):
            ranges = ", ".join(str(each.cidr) for each in network.subnets)
            raise BadRequest("addresses" if message.addresses else "ip", f"is not a guest address in {ranges}")
    return addresses


def _anycast(subnet: SubnetSpec) -> tuple[Address, ...]:
    """Return the first address of an IPv6 subnet, which is each router's (RFC 4291, 2.6.1)."""
    return (subnet.cidr.network_address,) if subnet.cidr.version == 6 else ()


def instance(message: pb.EnsureInstanceRequest) -> InstanceSpec:
    port_ids = tuple(identifier("port_ids", port_id) for port_id in message.port_ids)
    if len(set(port_ids)) != len(port_ids) or len(port_ids) > MAX_PORTS:
        raise BadRequest("port_ids", f"at most {MAX_PORTS}, each one once")
    return InstanceSpec(
        vcpus=within("vcpus", message.vcpus, 1, MAX_VCPUS),
        memory_mib=within("memory_mib", message.memory_mib, 32, MAX_MEMORY_MIB),
        firmware=_choice("firmware", message.firmware, FIRMWARES),
        root_volume_id=identifier("root_volume_id", message.root_volume_id),
        port_ids=port_ids,
        guest_data=_guest_data(message.guest_data),
        power=_choice("power", message.power, POWERS),
        restart=Restart(
            count=within("restart.count", message.restart.count, 0, 2**63 - 1),
            kind=_choice("restart.kind", message.restart.kind, RESTARTS),
        ),
        project_id=identifier("project_id", message.project_id),
    )


def attachment(message: pb.EnsureAttachmentRequest) -> AttachmentSpec:
    return AttachmentSpec(
        instance_id=identifier("instance_id", message.instance_id),
        volume_id=identifier("volume_id", message.volume_id),
        is_read_only=message.is_read_only,
        is_shared=message.is_shared,
    )


def arrival(message: pb.EnsureArrivalRequest) -> IncomingSpec:
    spec = instance(message.instance)
    if spec.power is Power.SHUTDOWN:
        raise BadRequest("instance.power", "must be running or off for an incoming migration")
    plugged = tuple(_plugged(each) for each in message.plugged)
    volumes = {spec.root_volume_id, *(each.volume_id for each in plugged)}
    if (
        len(plugged) > MAX_PLUGGED
        or len(volumes) != len(plugged) + 1
        or len({each.id for each in plugged}) != len(plugged)
    ):
        raise BadRequest("plugged", f"at most {MAX_PLUGGED}, each volume and each attachment once")
    return IncomingSpec(spec, peer("source", message.source), plugged)


def departure(message: pb.EnsureDepartureRequest) -> OutgoingSpec:
    return OutgoingSpec(
        destination=peer("destination", message.destination),
        uri=uri(message.uri),
        max_pause_ms=within("max_pause_ms", message.max_pause_ms, 0, MAX_PAUSE_MS),
        convergence=_choice("convergence", message.convergence, CONVERGENCES),
        is_off=message.is_off,
    )


def uri(text: str) -> str:
    return _matching("uri", text, URI, "is no place where a node is found")


def deadline_s(message: pb.EnsureDepartureRequest) -> int:
    return within("deadline_s", message.deadline_s, 1, MAX_DEADLINE_S)


def freeze_limit_ms(message: pb.FreezeInstanceRequest) -> int:
    return within("limit_ms", message.limit_ms or MAX_FREEZE_MS, MIN_FREEZE_MS, MAX_FREEZE_MS)


def freeze_level(message: pb.FreezeInstanceRequest) -> FreezeLevel:
    return _choice("level", message.level, FREEZE_LEVELS)


def peer(field: str, message: pb.Peer) -> Peer:
    return Peer(
        identifier(f"{field}.node_id", message.node_id),
        digest(f"{field}.certificate_sha256", message.certificate_sha256),
    )


def _plugged(message: pb.Plugged) -> IncomingAttachment:
    attachment = subject(message.subject)
    return IncomingAttachment(
        attachment.id,
        attachment.generation,
        identifier("plugged.volume_id", message.volume_id),
        is_read_only=message.is_read_only,
        is_shared=message.is_shared,
    )


def quarantine(message: pb.EnsureQuarantineRequest) -> QuarantineSpec:
    kind = _choice("kind", message.kind, UNMANAGED_KINDS)
    name = _matching("name", message.name, UNMANAGED_NAMES[kind], f"is no name of a {kind.value}")
    return QuarantineSpec(kind, name, message.is_released)


def console(first: pb.ConsoleInput | None) -> ConsoleSpec:
    if first is None or first.WhichOneof("part") != "header":
        raise BadRequest("header", "the first message carries the header")
    header = first.header
    return ConsoleSpec(
        instance_id=identifier("header.instance_id", header.instance_id),
        kind=_choice("header.kind", header.kind, CONSOLES),
        scrollback_bytes=header.scrollback_bytes,
    )


def tunnel(first: pb.TcpInput | None) -> TunnelSpec:
    if first is None or first.WhichOneof("part") != "header":
        raise BadRequest("header", "the first message carries the header")
    header = first.header
    try:
        address = IPv4Address(header.address)
    except AddressValueError:
        raise BadRequest("header.address", "is not an IPv4 address") from None
    if not 1 <= header.tcp_port <= MAX_TCP_PORT:
        raise BadRequest("header.tcp_port", f"is not between 1 and {MAX_TCP_PORT}")
    return TunnelSpec(
        instance_id=identifier("header.instance_id", header.instance_id),
        port_id=identifier("header.port_id", header.port_id),
        address=address,
        tcp_port=header.tcp_port,
    )


def guest_input(messages: Iterator[pb.ConsoleInput] | Iterator[pb.TcpInput]) -> Iterator[bytes]:
    """Return the input that follows the header."""
    for message in messages:
        if message.WhichOneof("part") != "data":
            raise BadRequest("data", "each message after the first one carries bytes")
        if len(message.data) > MAX_TYPED_BYTES:
            raise BadRequest("data", f"at most {MAX_TYPED_BYTES} bytes in one message")
        yield message.data


def identifier(field: str, text: str) -> UUID:
    try:
        value = UUID(text)
    except ValueError:
        raise BadRequest(field, "is not a UUID") from None
    if str(value) != text or value.int == 0:
        raise BadRequest(field, "is not a UUID in canonical form")
    return value


def digest(field: str, text: str) -> str:
    return _matching(field, text, SHA256, "is no SHA-256 digest in lower-case hex")


def _network(message: pb.Network) -> NetworkSpec:
    """Decode the network: an older control plane sends one subnet, in fields of the network itself."""
    if message.subnets:
        subnets = tuple(_subnet("network.subnets.", subnet) for subnet in message.subnets)
    else:
        subnets = (_subnet("network.", message),) if message.cidr else ()
    if len(subnets) > MAX_SUBNETS:
        raise BadRequest("network.subnets", f"at most {MAX_SUBNETS}")
    for one, other in combinations(subnets, 2):
        if one.cidr.version == other.cidr.version and one.cidr.overlaps(other.cidr):
            raise BadRequest("network.subnets", f"{one.cidr} and {other.cidr} overlap")
    return NetworkSpec(
        id=identifier("network.id", message.id),
        subnets=subnets,
        mtu=within("network.mtu", message.mtu, MIN_IPV6_MTU if _has_ipv6(subnets) else 576, 9000),
    )


def _has_ipv6(subnets: Iterable[SubnetSpec]) -> bool:
    return any(subnet.cidr.version == 6 for subnet in subnets)


def _subnet(at: str, message: pb.Network | pb.Subnet) -> SubnetSpec:
    cidr = _cidr(f"{at}cidr", message.cidr)
    gateway_ip = _address(f"{at}gateway_ip", message.gateway_ip)
    if gateway_ip not in cidr:
        raise BadRequest(f"{at}gateway_ip", f"is not in {cidr}")
    servers = tuple(_address(f"{at}dns_servers", server) for server in message.dns_servers)
    return SubnetSpec(cidr, gateway_ip, servers)


def _cidr(field: str, text: str) -> Network:
    try:
        cidr = ip_network(text)
    except ValueError:
        raise BadRequest(field, "is not an IP network") from None
    if isinstance(cidr, IPv6Network) and not (
        cidr.prefixlen == IPV6_PREFIX and any(cidr.subnet_of(each) for each in UNICAST)
    ):
        raise BadRequest(field, f"is no /{IPV6_PREFIX} of 2000::/3 or fc00::/7")
    return cidr


def _guest_data(message: pb.GuestData) -> GuestData:
    if len(message.ssh_public_keys) > MAX_SSH_KEYS:
        raise BadRequest("guest_data.ssh_public_keys", f"at most {MAX_SSH_KEYS}")
    if len(message.user_data) > MAX_USER_DATA_BYTES:
        raise BadRequest("guest_data.user_data", f"at most {MAX_USER_DATA_BYTES} bytes")
    return GuestData(
        hostname=_hostname("guest_data.hostname", message.hostname),
        ssh_public_keys=tuple(
            _matching("guest_data.ssh_public_keys", key, SSH_KEY, "is no single line of ASCII")
            for key in message.ssh_public_keys
        ),
        user_data=message.user_data,
        metadata=_choice("guest_data.metadata", message.metadata, METADATA_ACCESS),
    )


def _ipv4(field: str, text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise BadRequest(field, "is not an IPv4 address") from None


def _address(field: str, text: str) -> Address:
    """Decode an address without a scope, which could be any text."""
    try:
        address = ip_address(text)
    except ValueError:
        raise BadRequest(field, "is not an IP address") from None
    if "%" in text:
        raise BadRequest(field, "is an address with a scope")
    return address


def _hostname(field: str, text: str) -> str:
    return _matching(field, text, HOSTNAME, "is no host name in lower case")


def _matching(field: str, text: str, pattern: re.Pattern[str], problem: str) -> str:
    if not pattern.fullmatch(text):
        raise BadRequest(field, problem)
    return text


def within(field: str, value: int, low: int, high: int) -> int:
    """Return the value; raises BadRequest if it is outside."""
    if not low <= value <= high:
        raise BadRequest(field, f"must be between {low} and {high}")
    return value


def _multiple(field: str, value: int, unit: int) -> int:
    if value % unit:
        raise BadRequest(field, f"must be a multiple of {unit}")
    return value


def _choice(field: str, value: K, choices: Mapping[K, V]) -> V:
    if value not in choices:
        raise BadRequest(field, "has an unknown value")
    return choices[value]
