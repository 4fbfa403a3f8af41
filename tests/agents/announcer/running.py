"""A running announcer and its callers."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

import grpc

from agents.announcer.server import Config, serve
from agents.protocol import announcer_pb2 as pb
from agents.protocol.announcer_pb2_grpc import AnnouncerStub
from andromede_core.permits import announcements as core
from andromede_core.permits.announcements import Announcements, Route
from tests import processes
from tests.agents.specs import ZONE
from tests.permits import Authority
from tests.pki import Issued, TestCA, announcer_dns_name, issue_announcer, issue_controlplane

ANNOUNCER_ID = UUID("01980000-0000-7000-8000-0000000000aa")


def announcements(
    authority: Authority, routes: Mapping[str, Route], *, version: int = 1, zone: str = ZONE, **key: str
) -> bytes:
    """Sign announcements. `key`: the name of the authority's key."""
    document = Announcements(zone, version, {ip_address(address): route for address, route in routes.items()})
    signer = getattr(authority, key.get("key", "signer"))
    signed: bytes = signer.document(core.KIND, document.payload())
    return signed


@dataclass
class Announcer:
    """The files of an announcer, and calls to it while it runs."""

    folder: Path
    ca: TestCA
    authority: Authority
    port: int = 0
    _channels: list[grpc.Channel] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        issue_announcer(self.ca, self.folder, announcer_id=ANNOUNCER_ID, zone=ZONE, root=self.authority.root.public_pem)

    @property
    def routes(self) -> Path:
        return self.folder / "routes.conf"

    @property
    def control(self) -> Path:
        return self.folder / "bird.ctl"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve in this process."""
        server = serve(Config(self.folder, "127.0.0.1:0", self.routes, self.control))
        self.port = server.port
        try:
            yield
        finally:
            self.close()
            server.stop(0)

    @contextmanager
    def process(self) -> Iterator["processes.subprocess.Popen[str]"]:
        """Serve in a process that can be killed."""
        options = ["--state-dir", self.folder, "--listen", "127.0.0.1:0", "--routes", self.routes]
        command = [sys.executable, "-m", "agents.announcer", *options, "--bird-control", self.control]
        with processes.running(command, stderr=processes.subprocess.PIPE) as process:
            line = processes.line_with('"serving"', process.stderr)
            self.port = int(line.partition('"port": ')[2].partition(",")[0].rstrip("}\n"))
            try:
                yield process
            finally:
                self.close()

    def stub(self, caller: Issued | None = None) -> AnnouncerStub:
        caller = caller or issue_controlplane(self.ca, self.ca.folder)
        channel = grpc.secure_channel(
            f"127.0.0.1:{self.port}",
            grpc.ssl_channel_credentials(caller.ca, caller.key, caller.certificate),
            options=[("grpc.ssl_target_name_override", announcer_dns_name(ANNOUNCER_ID))],
        )
        self._channels.append(channel)
        return AnnouncerStub(channel)  # type: ignore[no-untyped-call]

    def send(self, document: bytes = b"", **trust: bytes) -> pb.AnnouncerState:
        """Send the document, and the keyset unless `trust` has another one."""
        trust.setdefault("keyset", self.authority.keyset())
        request = pb.EnsureAnnouncementsRequest(announcements=document, **trust)
        state: pb.AnnouncerState = self.stub().EnsureAnnouncements(request)
        return state

    def announce(self, routes: Mapping[str, Route], **of: object) -> pb.AnnouncerState:
        return self.send(announcements(self.authority, routes, **of))  # type: ignore[arg-type]

    def status(self) -> pb.AnnouncerState:
        state: pb.AnnouncerState = self.stub().GetStatus(pb.GetStatusRequest())
        return state

    def close(self) -> None:
        for channel in self._channels:
            channel.close()
        self._channels.clear()
