"""Start the agent: python -m agents.node.main --state-dir DIR --listen ADDRESS:PORT."""

import argparse
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Protocol, TextIO
from uuid import UUID

import grpc

from agents.node import VERSION, logs, node_metrics, pki
from agents.node.adapters.fake import FakeCapacity, FakeNode
from agents.node.adapters.interfaces import Adapters
from agents.node.adapters.pools import NAME, Pools
from agents.node.adapters.storage.keys import DEFAULT_RUN_DIR
from agents.node.adapters.watchdog import Watchdog
from agents.node.context import Node, Verdict, boot_id
from agents.node.guest_users import GuestUsers
from agents.node.hook import script
from agents.node.hook.server import HookServer
from agents.node.hook.state import InstalledHook
from agents.node.lease import EXPIRY_LIMIT_S, Lease, LeasePolicy
from agents.node.rpc.servicer import Servicer
from agents.node.services import crash_recovery, incoming, instances, metadata, ports, unreadable_documents
from agents.node.services.consoles import MAX_CONSOLES
from agents.node.services.events import MAX_WATCHES, Hub
from agents.node.services.freezes import Freezes
from agents.node.services.hook import PermitGate
from agents.node.services.outgoing import OutgoingMigrations
from agents.node.services.public_addresses import PublicAddressKeeper
from agents.node.services.self_fencing import SelfFencing
from agents.node.services.selftest import SelfTest
from agents.node.services.stop_receipts import StopReceipts
from agents.node.services.tunnels import MAX_TUNNELS
from agents.node.services.volume_copies import VolumeCopies
from agents.node.serving import listen, lock_alone, open_signal_pipe
from agents.node.specs import VolumeCopySpec
from agents.node.state_store import Entry, Phase, StateStore
from agents.node.trust.clock import Clock, kept_elsewhere
from agents.node.trust.keys import NodeKey, root_verifier
from agents.node.trust.permits import Permits
from agents.protocol import agent_pb2_grpc
from telemetry import traces
from telemetry.kernel_clock import is_synchronised

log = logging.getLogger(__name__)

# Threads for calls and image uploads; each watch, console and tunnel occupies one more for as long as it lasts. Some
# are for nothing but calls that are always served (Guard).
CALL_THREADS = 64
SPARE_THREADS = 4
THREADS = CALL_THREADS + MAX_WATCHES + MAX_CONSOLES + MAX_TUNNELS + SPARE_THREADS
MAX_MESSAGE_BYTES = 4 * 2**20
STOP_GRACE_S = 5
INVENTORY_INTERVAL_S = 300.0
HANGS = "hanging-calls"  # of a fake node: the file in its state folder that names them
WATCHDOG_TIMEOUT_S = 60
CLOCKS = {"synchronised": is_synchronised, "kept-elsewhere": kept_elsewhere}
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 10_000),  # finds out about vanished watchers
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 4_000),  # lets callers do the same
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),  # a second agent on the port must fail, not share it
)


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of the agent.

    `listen` is ADDRESS:PORT; port 0 takes a free one. `hook`: the socket of libvirt's hook; None on a node without
    libvirt, which needs no self-test either.
    """

    state_dir: Path
    listen: str
    hook: InstalledHook | None = None
    clock: Clock = field(default_factory=Clock)
    inventory_interval_s: float = INVENTORY_INTERVAL_S
    lease: LeasePolicy = field(default_factory=LeasePolicy)
    watchdog: Path | None = None
    watchdog_timeout_s: int = WATCHDOG_TIMEOUT_S
    needs_confinement: bool = False
    guest_users: GuestUsers = field(default_factory=GuestUsers)


class BackgroundTask(Protocol):
    def stop(self) -> None: ...


class Server:
    """A running agent and its background threads.

    `stop` gives calls in progress some seconds to end, and may be repeated.
    """

    def __init__(
        self,
        node: Node,
        servicer: Servicer,
        *,
        server: grpc.Server,
        port: int,
        lock: TextIO,
        background: Sequence[BackgroundTask],
    ) -> None:
        self.port = port
        self.node = node
        self._servicer = servicer
        self._server = server
        self._lock = lock
        self._background = background

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        stopped = self._server.stop(grace_s)
        self._servicer.close()
        stopped.wait()
        for work in self._background:
            work.stop()
        self.node.adapters.metadata.close()
        self.node.adapters.hypervisor.close()
        self.node.state_store.close()
        self._lock.close()


def serve(config: Config, adapters: Adapters) -> Server:
    """Start the agent and return. The content of the state store is restored first.

    Raises:
        RuntimeError: another agent uses the same state folder, or the address cannot be listened on.
        ValueError, OSError: the node has not been enrolled.
    """
    credentials = pki.load(config.state_dir)
    lock = lock_alone(config.state_dir, "agent")
    node = _node(config, credentials, adapters)
    try:
        return _serve(config, credentials, node, lock)
    except BaseException:
        if node.lease.watchdog is not None:
            node.lease.watchdog.close(disarm=not node.lease.is_relied_on)
        node.state_store.close()
        lock.close()
        raise


def _serve(config: Config, credentials: pki.Credentials, node: Node, lock: TextIO) -> Server:
    adapters, hub = node.adapters, Hub()
    adapters.restarts.guard = partial(instances.hold_if_expected, node)
    adapters.hypervisor.subscribe(hub.publish)
    node.permits.receipts.listener = hub.nudge
    adapters.disks.restore()
    unreadable_documents.find(node)
    ports.restore(node)
    crash_recovery.write_missing_receipts(node)
    incoming.restore(node)
    metadata.restore(node)
    server, port = listen(config.listen, credentials, threads=THREADS, calls_at_once=CALL_THREADS, options=OPTIONS)
    hook = HookServer(config.hook.socket, PermitGate(node.state_store, node.permits.starts)) if config.hook else None
    departures = OutgoingMigrations(node)
    departures.restore()
    freezes = Freezes(node)
    adapters.hypervisor.subscribe(freezes.schedule_check)
    copies = VolumeCopies(node)
    copies.restore()
    servicer = Servicer(node, hub, departures, freezes, copies)
    agent_pb2_grpc.add_AgentServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    server.start()
    facts = {"node_id": node.identity.node_id, "zone": node.identity.zone, "port": port, "version": VERSION}
    log.info("serving", extra={"facts": facts})
    self_test, stop_receipts = SelfTest(node, config.state_dir / "self-test.json"), StopReceipts(node)
    public_addresses = PublicAddressKeeper(node)
    self_test.start()
    adapters.hypervisor.subscribe(stop_receipts.schedule_check)
    adapters.hypervisor.subscribe(public_addresses.schedule_check)
    background: list[BackgroundTask] = [
        adapters.switch.guard(),
        self_test,
        stop_receipts,
        public_addresses,
        freezes,
        SelfFencing(node),
        *([hook] if hook else []),
    ]
    return Server(node, servicer, server=server, port=port, lock=lock, background=background)


def _node(config: Config, credentials: pki.Credentials, adapters: Adapters) -> Node:
    identity = pki.identity(credentials.certificate)
    key = NodeKey.load(str(identity.node_id), credentials.key)
    root = root_verifier(credentials.root)
    state_store = StateStore(config.state_dir / "ledger.sqlite")
    boot = boot_id()
    lease = Lease(state_store, config.lease, boot_id=boot, watchdog=_watchdog(config))
    return Node(
        identity=identity,
        boot_id=boot,
        state_store=state_store,
        adapters=adapters,
        permits=Permits.open(state_store, key=key, zone=identity.zone, root=root, clock=config.clock),
        lease=lease,
        hook=config.hook,
        needs_confinement=config.needs_confinement,
        guest_users=config.guest_users,
        self_test=Verdict(has_passed=config.hook is None),
        inventory_interval_s=config.inventory_interval_s,
    )


def _watchdog(config: Config) -> Watchdog | None:
    """Return the watchdog. Without it the agent works, and cannot promise self-fencing."""
    if config.watchdog is None:
        return None
    try:
        return Watchdog(config.watchdog, config.watchdog_timeout_s)
    except OSError as exc:
        log.error("watchdog unavailable", extra={"facts": {"path": str(config.watchdog), "problem": str(exc)}})
        return None


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    logs.configure(options.log_level)
    if options.traces_url:
        traces.begin("agent", options.traces_url)
    reads = open_signal_pipe(signal.SIGTERM, signal.SIGINT)
    state_dir = options.state_dir.resolve()
    config = Config(
        state_dir,
        options.listen,
        _hook(state_dir, options) if options.adapter == "libvirt" else None,
        clock=Clock(is_kept=CLOCKS[options.clock]),
        inventory_interval_s=options.inventory_interval_s,
        lease=LeasePolicy(stops=options.on_lapse == "stop", limit_s=options.lapse_limit_s),
        watchdog=options.watchdog,
        watchdog_timeout_s=options.watchdog_timeout_s,
        needs_confinement=options.confinement == "required",
        guest_users=options.guest_users,
    )
    server = serve(config, _fake(config, options) if options.adapter == "fake" else _libvirt(config, options))
    if options.observe:
        node_metrics.start(options.observe, server.node)
    os.read(reads, 1)
    log.info("stopping")
    server.stop()


def _hook(state_dir: Path, options: argparse.Namespace) -> InstalledHook:
    return InstalledHook(options.hook_path, (options.hook_socket or state_dir / "hook.sock").absolute())


def _fake(config: Config, options: argparse.Namespace) -> Adapters:
    capacity = FakeCapacity(options.fake_cores, options.fake_memory_mib, options.fake_disk_gib)
    pools, definitions = Pools(dict(options.pool)), config.state_dir / "definitions"
    fake = FakeNode(capacity, pools, definitions=definitions, hangs=config.state_dir / HANGS)
    state_store = StateStore(config.state_dir / "ledger.sqlite")
    local = {UUID(each.id): each.spec.size_bytes for each in state_store.volumes.held() if not each.spec.pool}
    copies = [each for each in state_store.copies.held() if _is_kept_copy(each)]
    fake.keep_disks(
        volumes={UUID(each.id): each.spec.size_bytes for each in copies} | local,
        images={entry.id: entry.spec.size_bytes for entry in state_store.images.held()},
    )
    state_store.close()
    fake.foreign_files += options.fake_unmanaged
    fake.more_traits = (*fake.more_traits, *options.fake_trait)
    return fake.adapters()


def _is_kept_copy(entry: Entry[VolumeCopySpec]) -> bool:
    """Tell if a fake node has a file of the volume in its folder: of one that is received, once it is complete."""
    is_incomplete = entry.spec.received_from is not None and entry.phase is Phase.MAKING
    return not (entry.spec.is_between_clusters or is_incomplete)


def _libvirt(config: Config, options: argparse.Namespace) -> Adapters:
    # Imported here, since a fleet of fake nodes needs neither libvirt's library nor its memory.
    from agents.node.adapters.libvirt_node import Options, real_adapters
    from agents.node.adapters.network import UplinkPolicy

    own = [options.ssh_port, *map(_port_of, filter(None, (options.listen, options.arrivals, options.observe)))]
    outside = UplinkPolicy(
        uplink=options.uplink,
        denied=tuple(options.deny),
        allowed=tuple(options.allow),
        connections=options.connections,
        own_tcp_ports=tuple(port for port in own if port),
        resolvers=tuple(options.resolver),
    )
    pools = Pools(dict(options.pool))
    chosen = Options(
        options.libvirt_uri, options.virt_type, outside, options.arrivals, pools, options.run_dir, options.guest_users
    )
    return real_adapters(config.state_dir, chosen, boot_id=boot_id())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agents.node.main", description="The agent of one hypervisor node.")
    parser.add_argument("--state-dir", type=Path, required=True, help="state folder of the agent")
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT")
    parser.add_argument(
        "--observe",
        default="",
        metavar="ADDRESS:PORT",
        help="address of GET /metrics, /healthz and /readyz; reachable by the monitoring system only",
    )
    parser.add_argument("--traces-url", default="", metavar="URL", help="OTLP/HTTP endpoint; default: no traces")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--adapter", default="libvirt", choices=("libvirt", "fake"))
    parser.add_argument("--libvirt-uri", default="qemu:///system")
    parser.add_argument(
        "--virt-type",
        default="auto",
        choices=("auto", "kvm", "qemu"),
        help="auto: KVM if a probe guest runs under it, else QEMU",
    )
    parser.add_argument(
        "--arrivals",
        default="",
        metavar="ADDRESS:PORT",
        help="address for incoming migrations from other nodes' agents; default: none are accepted",
    )
    parser.add_argument(
        "--clock",
        default="synchronised",
        choices=sorted(CLOCKS),
        help="kept-elsewhere: the clock is synchronised outside this kernel (containers); the kernel is not checked",
    )
    parser.add_argument(
        "--inventory-interval-s", type=float, default=INVENTORY_INTERVAL_S, help="seconds between signed inventories"
    )
    _add_storage(parser)
    _add_network(parser)
    _add_protection(parser)
    _add_lease(parser)
    _add_fake(parser)
    return parser


def _add_storage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pool",
        type=_pool,
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="shared storage, mounted at the same path on other nodes of the zone; may be repeated",
    )
    parser.add_argument(
        "--run-dir",
        type=Path,
        default=DEFAULT_RUN_DIR,
        metavar="PATH",
        help="folder on a tmpfs for the keys of volumes in Ceph clusters; one for each agent",
    )


def _pool(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not NAME.fullmatch(name) or not Path(path).is_absolute():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH with a name in lower case and an absolute path")
    return name, Path(path)


def _port_of(address: str) -> int:
    """Return the port; 0 where the kernel is to choose one."""
    return int(address.rpartition(":")[2])


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--uplink", default="", help="network device of external traffic; default: the device of the default route"
    )
    for name, meaning in (
        ("--deny", "network closed to tenants, in addition to private networks and networks of the node"),
        ("--allow", "network open to tenants in spite of --deny, such as a resolver in a private network"),
    ):
        more = f"{meaning}; may be repeated"
        parser.add_argument(name, type=ip_network, action="append", default=[], metavar="CIDR", help=more)
    parser.add_argument(
        "--resolver",
        type=_resolver,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="DNS server to which the resolvers of tenants' networks forward questions, not on this node; may be"
        " repeated; default: they answer for their own instances alone",
    )
    parser.add_argument(
        "--connections",
        type=_positive,
        default=8192,
        help="maximum of external connections that one tenant network has open on this node",
    )
    parser.add_argument(
        "--ssh-port",
        type=_positive,
        default=22,
        help="SSH port of this node; exempt from connection tracking, so that a full table does not block it",
    )


def _resolver(text: str) -> IPv4Address:
    address = IPv4Address(text)
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address that a router can reach")
    return address


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _add_protection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hook-path", type=Path, default=script.DEFAULT_PATH, help="path of libvirt's hook for QEMU guests"
    )
    parser.add_argument(
        "--hook-socket", type=Path, help="socket of the agent for the hook; default: STATE_DIR/hook.sock"
    )
    parser.add_argument(
        "--confinement",
        default="required",
        choices=("required", "optional"),
        help="optional: run guests even if libvirt cannot confine QEMU by AppArmor or SELinux (labs)",
    )
    parser.add_argument(
        "--guest-users",
        type=_users,
        default=GuestUsers(),
        metavar="FIRST-LAST",
        help="unused user and group ids, one for each guest; the same on all nodes",
    )


def _users(text: str) -> GuestUsers:
    try:
        return GuestUsers.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _add_lease(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--on-lapse",
        default="keep",
        choices=("keep", "stop"),
        help="action on guests when the node's lease has expired; default: guests keep running",
    )
    parser.add_argument(
        "--lapse-limit-s",
        type=int,
        default=EXPIRY_LIMIT_S,
        help="seconds between the end of the node's lease and the stop of its guests",
    )
    parser.add_argument(
        "--watchdog",
        type=Path,
        metavar="PATH",
        help="watchdog device, such as /dev/watchdog; resets the node when the agent stops feeding it",
    )
    parser.add_argument(
        "--watchdog-timeout-s", type=int, default=WATCHDOG_TIMEOUT_S, help="seconds until the watchdog resets the node"
    )


def _add_fake(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fake-cores", type=int, default=FakeCapacity.cores)
    parser.add_argument("--fake-memory-mib", type=int, default=FakeCapacity.memory_mib)
    parser.add_argument("--fake-disk-gib", type=int, default=FakeCapacity.disk_gib)
    parser.add_argument(
        "--fake-unmanaged",
        action="append",
        default=[],
        help="path of an orphaned file to create: volumes/NAME; may be repeated",
    )
    parser.add_argument(
        "--fake-trait", action="append", default=[], metavar="NAME", help="further trait of the node; may be repeated"
    )


if __name__ == "__main__":
    main()
