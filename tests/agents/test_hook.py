"""libvirt's hook as libvirtd runs it, and the agent's end of it."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from agents.lab.process import command_of
from agents.lab.shell import wait_until
from agents.node import domain_xml
from agents.node.adapters.interfaces import Firmware, GuestDisk, GuestSpec, Power
from agents.node.hook import script
from agents.node.hook.server import HookServer
from agents.node.hook.state import InstalledHook
from agents.node.services.hook import PermitGate
from agents.node.specs import GuestData, IncomingSpec, InstanceSpec, Peer, Restart, RestartKind, Subject
from agents.node.state_store import StateStore
from agents.node.trust.clock import Clock
from agents.node.trust.start_authorizations import KVM_AFTERMATH, StartAuthorizations
from tests.limits import PATIENCE_S
from tests.processes import running

GUEST = UUID("0198c000-0000-7000-8000-0000000000aa")
XML = f"<domain type='kvm'><metadata><x><uuid>no</uuid></x></metadata><name>g</name><uuid>{GUEST}</uuid></domain>"
QUESTIONS = ("prepare", "start", "restore", "migrate")
NEWS = ("reconnect", "started", "stopped", "release", "attach")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a hook belongs to root")


@dataclass
class RecordingGate:
    reason: str | None = None
    asked: list[tuple[UUID, str]] = field(default_factory=list)
    reported: list[tuple[UUID, str, str]] = field(default_factory=list)
    domains: list[ET.Element] = field(default_factory=list)

    def may_start(self, instance_id: UUID, operation: str, domain: ET.Element) -> str | None:
        self.asked.append((instance_id, operation))
        self.domains.append(domain)
        if self.reason == "a fault":
            raise RuntimeError("of the agent")
        return self.reason

    def report(self, instance_id: UUID, operation: str, sub_operation: str) -> None:
        self.reported.append((instance_id, operation, sub_operation))


@pytest.fixture
def gate() -> RecordingGate:
    return RecordingGate()


@pytest.fixture
def hook(tmp_path: Path) -> InstalledHook:
    """Installed, with nobody at its socket, on a node where libvirtd does not run."""
    hook = InstalledHook(tmp_path / "hooks/qemu", tmp_path / "hook.sock", tmp_path)
    assert script.install(hook.path, hook.socket)
    return hook


@pytest.fixture
def server(hook: InstalledHook, gate: RecordingGate) -> Iterator[HookServer]:
    server = HookServer(hook.socket, gate)
    yield server
    server.stop()


def call(hook: InstalledHook, operation: str, xml: str = XML) -> subprocess.CompletedProcess[str]:
    arguments = [str(hook.path), "guest", operation, "begin", "-"]
    return subprocess.run(arguments, input=xml, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@pytest.mark.parametrize("operation", QUESTIONS)
def test_admitted_guest_continues(hook: InstalledHook, server: HookServer, gate: RecordingGate, operation: str) -> None:
    done = call(hook, operation)
    assert (done.returncode, done.stderr) == (0, "")
    assert (done.stdout == "") == (operation != "migrate")
    assert gate.asked == [(GUEST, operation)]


def test_libvirt_receives_the_definition_of_an_arriving_guest(
    hook: InstalledHook, server: HookServer, gate: RecordingGate
) -> None:
    """The answer has what the agent has read and no more: comments and other unread parts are left out."""
    answer = call(hook, "migrate", XML.replace("<name>", "<!-- hidden --><name>é")).stdout
    assert "hidden" not in answer
    root = ET.fromstring(answer)
    assert (root.findtext("uuid"), root.findtext("name"), root.get("type")) == (str(GUEST), "ég", "kvm")


@pytest.mark.parametrize("operation", QUESTIONS)
def test_refusal_is_one_line_with_the_reason(
    hook: InstalledHook, server: HookServer, gate: RecordingGate, operation: str
) -> None:
    gate.reason = 'It has "no"\npermit: é.'
    done = call(hook, operation)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'andromede: It has "no" permit: é.\n'


@pytest.mark.parametrize("operation", QUESTIONS)
def test_no_answer_is_a_refusal(hook: InstalledHook, operation: str) -> None:
    done = call(hook, operation)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"andromede: the agent does not answer at {hook.socket}: No such file or directory\n"


def test_agent_error_is_a_refusal(hook: InstalledHook, server: HookServer, gate: RecordingGate) -> None:
    gate.reason = "a fault"
    done = call(hook, "prepare")
    assert (done.returncode, done.stderr) == (1, "andromede: the agent gave no answer that can be understood\n")


@pytest.mark.parametrize(("operation", "code"), [("prepare", 1), ("reconnect", 0), ("started", 0)])
def test_hanging_agent_blocks_the_hook_for_a_limited_time(hook: InstalledHook, operation: str, code: int) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(hook.socket))
        silent.listen(1)
        assert call(hook, operation).returncode == code


@pytest.mark.parametrize("operation", NEWS)
def test_notifications_reach_the_agent_and_never_fail(
    hook: InstalledHook, server: HookServer, gate: RecordingGate, operation: str
) -> None:
    gate.reason = "no guest may start"
    assert call(hook, operation).returncode == 0
    wait_until(lambda: gate.reported == [(GUEST, operation, "begin")], what="the news")
    server.stop()
    assert call(hook, operation).returncode == 0
    assert call(hook, operation, xml="no XML").returncode == 0
    assert gate.asked == []


def test_notification_succeeds_without_python(hook: InstalledHook) -> None:
    """During an upgrade of the node, Python may be missing: a failing "reconnect" would end a running guest."""
    hook.path.write_bytes(hook.path.read_bytes().replace(b"/usr/bin/python3", b"/usr/bin/no-python3"))
    assert call(hook, "reconnect").returncode == 0
    assert call(hook, "prepare").returncode == 1


def test_notification_succeeds_without_input(hook: InstalledHook) -> None:
    arguments = ["sh", "-c", 'exec "$0" guest reconnect begin - <&-', str(hook.path)]
    assert subprocess.run(arguments, capture_output=True, timeout=PATIENCE_S, check=False).returncode == 0


@pytest.mark.parametrize(
    ("xml", "problem"),
    [
        ("", "cannot be read"),
        ("<domain><uuid>", "cannot be read"),
        ("<domain/>", "has no UUID"),
        ("<domain><uuid>../../../etc/passwd-and-more-of-that</uuid></domain>", "has no UUID"),
        (f"<domain><uuid>{GUEST}</uuid><uuid>{GUEST}</uuid></domain>", "has no UUID"),
        (f"<other><uuid>{GUEST}</uuid></other>", "has no UUID"),
        ("<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><domain><uuid>&b;</uuid></domain>", "document type"),
        (f"<domain><uuid>{GUEST}</uuid>{' ' * 2**22}</domain>", "too long"),
    ],
)
def test_malformed_guest_xml_is_refused(
    hook: InstalledHook, server: HookServer, gate: RecordingGate, xml: str, problem: str
) -> None:
    done = call(hook, "start", xml)
    assert done.returncode == 1
    assert problem in done.stderr and done.stderr.count("\n") == 1
    assert gate.asked == []


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}\n",
        b"[" * 5000,
        b'{"operation": "prepare", "sub_operation": []}\n',
        b'{"operation": "prepare", "sub_operation": "begin", "xml_bytes": -1}\n',
        b'{"operation": "prepare", "sub_operation": "begin", "xml_bytes": 99999999}\n',
        b'{"operation": "prepare", "sub_operation": "begin", "xml_bytes": 2}\n\xff\xff',
        b"\xff\n",
    ],
)
def test_malformed_request_gets_no_answer_and_blocks_no_other(
    hook: InstalledHook, server: HookServer, gate: RecordingGate, line: bytes
) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(hook.socket))
        client.sendall(line)
        assert call(hook, "prepare").returncode == 0
        if line:
            assert client.recv(100) == b""


def test_socket_is_private_and_replaced_after_a_killed_agent(hook: InstalledHook, gate: RecordingGate) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(hook.socket))
    server = HookServer(hook.socket, gate)
    try:
        assert hook.socket.stat().st_mode & 0o777 == 0o600
        assert call(hook, "prepare").returncode == 0
    finally:
        server.stop()
    assert not hook.socket.exists()


@needs_root
def test_another_user_is_refused_even_if_the_socket_admits_it(
    hook: InstalledHook, server: HookServer, gate: RecordingGate
) -> None:
    temporary = Path(tempfile.gettempdir())
    for folder in (each for each in hook.socket.parents if temporary in each.parents):
        folder.chmod(0o755)
    hook.socket.chmod(0o666)
    arguments = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        str(hook.path),
        "guest",
        "prepare",
        "begin",
    ]
    done = subprocess.run(arguments, input=XML, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert re.search("gave no answer|reset by peer|Broken pipe", done.stderr), "it got as far as the agent"
    assert gate.asked == []


def test_parallel_starts_are_all_answered(hook: InstalledHook, server: HookServer, gate: RecordingGate) -> None:
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(call(hook, "start").returncode)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 16
    assert len(gate.asked) == 16


def test_second_installation_writes_nothing_and_a_new_socket_replaces(hook: InstalledHook, tmp_path: Path) -> None:
    def written() -> tuple[int, int, int]:
        found = hook.path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns  # each reader changes st_atime

    before = written()
    assert not script.install(hook.path, hook.socket)
    assert written() == before
    assert script.install(hook.path, tmp_path / "other.sock")
    assert b"other.sock" in hook.path.read_bytes()
    assert [path.name for path in hook.path.parent.iterdir()] == ["qemu"]


def test_foreign_hook_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "qemu"
    path.write_text("#!/bin/sh\n")
    with pytest.raises(FileExistsError, match=r"qemu\.d"):
        script.install(path, tmp_path / "hook.sock")
    assert path.read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize("path", ["hook.sock", "/run/a\nb", '/run/"', "/run/" + "a" * 103])
def test_a_socket_that_a_hook_cannot_use_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        script.render(Path(path))


@needs_root
def test_an_untouched_hook_is_active(hook: InstalledHook) -> None:
    state = hook.state()
    assert (state.is_active, state.problem) == (True, "")
    assert len(state.sha256) == 64


@needs_root
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda path: path.unlink(), "cannot be read: No such file"),
        (lambda path: path.write_text("#!/bin/sh\nexit 0\n"), "is not the hook of this agent"),
        (lambda path: path.chmod(0o644), "is not executable"),
        (lambda path: path.chmod(0o757), "can be changed by others"),
        (lambda path: os.chown(path, 65534, -1), "can be changed by others"),
        (lambda path: path.rename(path.with_name("q")).parent.joinpath("qemu").symlink_to("q"), "not a regular file"),
    ],
    ids=["removed", "altered", "not executable", "writable", "not root's", "a link"],
)
def test_a_changed_hook_is_reported(hook: InstalledHook, change: object, problem: str) -> None:
    sound = hook.state()
    assert callable(change)
    change(hook.path)
    state = hook.state()
    assert not state.is_active
    assert problem in state.problem
    assert (state.sha256 == sound.sha256) == (
        problem not in ("cannot be read: No such file", "is not the hook of this agent")
    )


@needs_root
def test_hook_installed_after_the_daemon_start_is_reported(hook: InstalledHook) -> None:
    """A process with libvirtd's name stands for it: what counts is which of the two was there first."""
    fake = hook.run_dir / "libvirtd"
    shutil.copy("/usr/bin/sleep", fake)
    with running([fake, "infinity"]) as daemon:
        wait_until(lambda: command_of(daemon.pid) == "libvirtd", what="the process")
        (hook.run_dir / "libvirtd.pid").write_text(f"{daemon.pid}\n")
        assert hook.state().is_active
        script.install(hook.path, hook.socket)
        assert hook.state().is_active
        content = hook.path.read_bytes()
        hook.path.unlink()
        hook.path.write_bytes(content)
        hook.path.chmod(0o755)
        late = hook.state()
    assert not late.is_active
    assert "libvirtd has run since before" in late.problem
    assert hook.state().is_active, "a daemon that starts now finds it"


def an_instance(power: Power) -> InstanceSpec:
    return InstanceSpec(
        vcpus=1,
        memory_mib=128,
        firmware=Firmware.BIOS,
        root_volume_id=UUID(int=1),
        port_ids=(),
        guest_data=GuestData("web-1", (), b""),
        power=power,
        restart=Restart(0, RestartKind.REBOOT),
        project_id=UUID(int=2),
    )


SPEC = GuestSpec(
    id=GUEST,
    project_id=UUID(int=2),
    vcpus=1,
    memory_mib=128,
    firmware=Firmware.BIOS,
    disks=(GuestDisk(UUID(int=1), Path("/v/root.qcow2")),),
    nics=(),
    seed=Path("/i/seed.iso"),
    console_log=Path("/i/console.log"),
    serial_socket=Path("/c/serial"),
)
DOMAIN = ET.fromstring(domain_xml.domain(SPEC, virt_type="qemu"))
OTHER = ET.fromstring(domain_xml.domain(replace(SPEC, vcpus=2), virt_type="qemu"))


def test_agent_receives_the_domain_that_would_start(
    hook: InstalledHook, server: HookServer, gate: RecordingGate
) -> None:
    text = domain_xml.domain(SPEC, virt_type="qemu")
    assert call(hook, "prepare", text).returncode == 0
    assert ET.tostring(gate.domains[0]) == ET.tostring(ET.fromstring(text))


def test_guest_starts_only_while_the_agent_starts_it(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    starts = StartAuthorizations(Clock(now=lambda: moment))
    ledger = StateStore(tmp_path / "ledger.sqlite")
    gate = PermitGate(ledger, starts)
    permitted = moment + timedelta(minutes=5)
    with starts.allow(SPEC, permitted, aftermath=KVM_AFTERMATH):
        assert "never told" in str(gate.may_start(GUEST, "prepare", DOMAIN))
        ledger.instances.accept(Subject(GUEST, 1), an_instance(Power.RUNNING), uses=())
        assert gate.may_start(GUEST, "prepare", DOMAIN) is None
        assert gate.may_start(GUEST, "start", DOMAIN) is None
    ledger.instances.confirm(GUEST)
    assert gate.may_start(GUEST, "prepare", DOMAIN) is None  # KVM may give it up in its first seconds
    moment += KVM_AFTERMATH
    assert "not starting" in str(gate.may_start(GUEST, "start", DOMAIN))
    with starts.allow(SPEC, permitted):
        assert gate.may_start(GUEST, "prepare", DOMAIN) is None
    assert "not starting" in str(gate.may_start(GUEST, "start", DOMAIN))
    with starts.allow(SPEC, permitted):
        moment = permitted
        assert "no permit is in force" in str(gate.may_start(GUEST, "prepare", DOMAIN))
    ledger.instances.accept(Subject(GUEST, 2), an_instance(Power.OFF), uses=())
    assert "not wanted running" in str(gate.may_start(GUEST, "prepare", DOMAIN))
    ledger.instances.begin_removal(Subject(GUEST, 3))
    assert "removed" in str(gate.may_start(GUEST, "prepare", DOMAIN))
    ledger.instances.finish_removal(GUEST)
    assert "removed" in str(gate.may_start(GUEST, "prepare", DOMAIN))
    ledger.close()


FAR = datetime.max.replace(tzinfo=UTC)


def test_start_authorization_is_for_one_start_of_the_definition() -> None:
    starts = StartAuthorizations(Clock())
    with starts.allow(SPEC, FAR):
        assert "not as the agent defined it" in str(starts.use(GUEST, "prepare", OTHER))
        for operation in ("start", "restore", "migrate"):
            assert "not begun" in str(starts.use(GUEST, operation, DOMAIN))
        assert starts.use(GUEST, "prepare", DOMAIN) is None
        assert "not as the agent defined it" in str(starts.use(GUEST, "start", OTHER))
        assert starts.use(GUEST, "start", DOMAIN) is None
        for operation in ("prepare", "start"):
            assert "not begun" in str(starts.use(GUEST, operation, DOMAIN))


def test_guest_that_kvm_fails_is_restarted_once() -> None:
    starts = StartAuthorizations(Clock())
    with starts.allow(SPEC, FAR, aftermath=KVM_AFTERMATH):
        assert [starts.use(GUEST, each, DOMAIN) for each in ("prepare", "start")] == [None, None]
    assert [starts.use(GUEST, each, DOMAIN) for each in ("prepare", "start")] == [None, None]
    assert "not begun" in str(starts.use(GUEST, "prepare", DOMAIN))


def test_failed_or_unpermitted_start_leaves_no_authorization() -> None:
    starts = StartAuthorizations(Clock())
    with pytest.raises(RuntimeError), starts.allow(SPEC, FAR):
        raise RuntimeError
    assert starts.use(GUEST, "prepare", DOMAIN) is not None
    with starts.allow(SPEC, None):
        assert starts.use(GUEST, "prepare", DOMAIN) is not None
    assert starts.use(GUEST, "prepare", DOMAIN) is not None


def test_expected_guest_may_arrive_once_and_not_start_here(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    starts = StartAuthorizations(Clock(now=lambda: moment))
    ledger = StateStore(tmp_path / "ledger.sqlite")
    gate = PermitGate(ledger, starts)
    assert "never told" in str(gate.may_start(GUEST, "migrate", DOMAIN))
    arrival = IncomingSpec(an_instance(Power.RUNNING), Peer(GUEST, "ab" * 32), ())
    ledger.arrivals.accept(Subject(GUEST, 2), arrival, uses=())
    starts.expect(SPEC, moment + timedelta(minutes=5))
    assert gate.may_start(GUEST, "prepare", DOMAIN) is not None, "it comes, or not at all"
    assert "not as the agent defined it" in str(gate.may_start(GUEST, "migrate", OTHER))
    assert [gate.may_start(GUEST, each, DOMAIN) for each in ("migrate", "prepare", "start")] == [None] * 3
    assert all(gate.may_start(GUEST, each, DOMAIN) is not None for each in ("migrate", "prepare", "start"))
    starts.expect(SPEC, moment - timedelta(seconds=1))
    assert "no permit is in force" in str(gate.may_start(GUEST, "migrate", DOMAIN))
    ledger.arrivals.begin_removal(Subject(GUEST, 2))
    starts.expect(SPEC, moment + timedelta(minutes=5))
    assert gate.may_start(GUEST, "migrate", DOMAIN) is not None
    ledger.close()
