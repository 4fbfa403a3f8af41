"""Quarantine: orphans are found, isolated, released, and destroyed only by a call."""

import os
from pathlib import Path
from uuid import UUID

import pytest

from agents.node.adapters.interfaces import DomainFacts, Power, guest_name
from agents.node.adapters.network_specs import tap_name
from agents.node.adapters.qemu_img import FileDisks
from agents.node.errors import AdapterError
from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.test_rpc import build

UNMANAGED_FILE = "volumes/left-behind.raw"
TENANTS = DomainFacts(Power.RUNNING, 256, "<domain/>", bridges=("br0123456789a",))


def quarantine_request(
    kind: pb.StrayKind, name: str, *, generation: int = 1, of: str | None = None
) -> pb.EnsureQuarantineRequest:
    return pb.EnsureQuarantineRequest(subject=specs.subject(of, generation), kind=kind, name=name)


def released(found: pb.EnsureQuarantineRequest) -> pb.EnsureQuarantineRequest:
    back = quarantine_request(found.kind, found.name, generation=found.subject.generation + 1, of=found.subject.id)
    back.is_released = True
    return back


def unmanaged_resources(agent: AgentUnderTest) -> dict[str, pb.Stray]:
    return {resource.name: resource for resource in agent.stub.Describe(pb.DescribeRequest()).strays}


def noted(agent: AgentUnderTest) -> list[tuple[object, object]]:
    payloads = [signed.read(text).payload for _, text in agent.server.node.permits.receipts.after(0, limit=100)]
    return [(each["event"], each["measured"]) for each in payloads if each["kind"] == "quarantine"]


def test_only_unmanaged_resources_are_reported(agent: AgentUnderTest) -> None:
    build(agent)
    assert not unmanaged_resources(agent)
    agent.fake.foreign_domains += ["by-hand", "in-a-tenants-network"]
    agent.fake.unmanaged.facts["in-a-tenants-network"] = TENANTS
    agent.fake.foreign_files.append(UNMANAGED_FILE)
    agent.fake.foreign_taps.append("tap0123456789a")
    names = unmanaged_resources(agent)
    assert set(names) == {"by-hand", "in-a-tenants-network", UNMANAGED_FILE, "tap0123456789a"}
    assert (names["by-hand"].is_harmless, names["in-a-tenants-network"].is_harmless) == (True, False)
    assert (names["by-hand"].power, names[UNMANAGED_FILE].size_bytes) == (pb.POWER_RUNNING, 4096)
    assert names["tap0123456789a"].mac


def test_lost_guests_and_volumes_are_reported(agent: AgentUnderTest) -> None:
    spec = build(agent)
    assert not agent.stub.Describe(pb.DescribeRequest()).lost_domains
    del agent.fake.guests[UUID(spec.subject.id)]
    del agent.fake.volumes[UUID(spec.root_volume_id)]
    described = agent.stub.Describe(pb.DescribeRequest())
    assert list(described.lost_domains) == [spec.subject.id]
    assert [each.size_bytes for each in described.volumes] == [0]


def test_file_is_isolated_and_restored(agent: AgentUnderTest) -> None:
    agent.fake.foreign_files.append(UNMANAGED_FILE)
    found = quarantine_request(pb.STRAY_KIND_FILE, UNMANAGED_FILE)
    state = agent.stub.EnsureQuarantine(found)
    assert (state.is_present, state.size_bytes) == (True, 4096)
    assert agent.stub.EnsureQuarantine(found) == state
    assert not agent.fake.foreign_files
    assert not unmanaged_resources(agent)
    assert agent.stub.EnsureQuarantine(released(found)).is_present
    assert agent.fake.foreign_files == [UNMANAGED_FILE]
    assert [event for event, _ in noted(agent)] == ["quarantined", "released"]
    assert refusal(lambda: agent.stub.EnsureQuarantine(found)).code == "agent.stale_generation"


def test_only_a_quarantined_resource_is_destroyed_with_a_receipt(agent: AgentUnderTest) -> None:
    agent.fake.foreign_files.append(UNMANAGED_FILE)
    found = quarantine_request(pb.STRAY_KIND_FILE, UNMANAGED_FILE)
    never = pb.RemoveRequest(subject=found.subject)
    assert refusal(lambda: agent.stub.RemoveQuarantine(never)).code == "agent.not_quarantined"
    agent.stub.EnsureQuarantine(found)
    agent.restart()
    removal = specs.removal(found.subject, 2)
    assert agent.stub.RemoveQuarantine(removal).is_present
    assert not agent.stub.RemoveQuarantine(removal).is_present
    assert not agent.fake.unmanaged.aside
    assert noted(agent)[-1] == ("discarded", {"kind": "file", "name": UNMANAGED_FILE, "size_bytes": 4096})
    assert len(noted(agent)) == 2, "told once"


def test_released_resource_is_not_destroyed(agent: AgentUnderTest) -> None:
    agent.fake.foreign_files.append(UNMANAGED_FILE)
    found = quarantine_request(pb.STRAY_KIND_FILE, UNMANAGED_FILE)
    agent.stub.EnsureQuarantine(found)
    agent.stub.EnsureQuarantine(released(found))
    late = specs.removal(found.subject, 3)
    assert refusal(lambda: agent.stub.RemoveQuarantine(late)).code == "agent.not_quarantined"
    assert agent.fake.foreign_files == [UNMANAGED_FILE]


def test_domain_with_tenant_resources_is_paused(agent: AgentUnderTest) -> None:
    agent.fake.foreign_domains += ["by-hand", "in-a-tenants-network"]
    agent.fake.unmanaged.facts["in-a-tenants-network"] = TENANTS
    harmless, harmful = (quarantine_request(pb.STRAY_KIND_DOMAIN, name) for name in agent.fake.foreign_domains)
    assert agent.stub.EnsureQuarantine(harmless).is_harmless
    assert not agent.stub.EnsureQuarantine(harmful).is_harmless
    assert agent.fake.unmanaged.paused == {"in-a-tenants-network"}
    assert agent.fake.unmanaged.definitions[UUID(harmful.subject.id)] == "<domain/>"
    agent.stub.EnsureQuarantine(released(harmful))
    assert not agent.fake.unmanaged.paused


def test_domain_with_a_managed_disk_is_not_harmless(agent: AgentUnderTest) -> None:
    agent.fake.foreign_domains.append("thief")
    agent.fake.unmanaged.facts["thief"] = DomainFacts(Power.RUNNING, 256, "<domain/>", disks=("/fake/volumes/x.raw",))
    assert not unmanaged_resources(agent)["thief"].is_harmless


def test_discarded_orphan_guest_is_destroyed_like_a_deleted_one(agent: AgentUnderTest) -> None:
    spec = build(agent)
    found = quarantine_request(pb.STRAY_KIND_DOMAIN, guest_name(UUID(spec.subject.id)))
    assert agent.stub.EnsureQuarantine(found).is_present
    assert agent.fake.guests[UUID(spec.subject.id)].power is Power.PAUSED
    assert agent.stub.RemoveQuarantine(specs.removal(found.subject)).is_present
    assert not agent.fake.guests
    described = agent.stub.Describe(pb.DescribeRequest())
    assert not described.instances
    assert not described.lost_domains


def test_only_an_unused_volume_is_quarantined_with_its_file(
    agent: AgentUnderTest,
) -> None:
    spec, data = build(agent), specs.volume()
    agent.stub.EnsureVolume(data)
    used = quarantine_request(pb.STRAY_KIND_FILE, f"volumes/{spec.root_volume_id}.qcow2")
    assert refusal(lambda: agent.stub.EnsureQuarantine(used)).code == "agent.volume_in_use"
    free = quarantine_request(pb.STRAY_KIND_FILE, f"volumes/{data.subject.id}.qcow2")
    agent.stub.EnsureQuarantine(free)
    assert UUID(data.subject.id) not in agent.fake.volumes
    agent.stub.RemoveQuarantine(specs.removal(free.subject))
    assert data.subject.id not in {each.subject.id for each in agent.stub.Describe(pb.DescribeRequest()).volumes}


def test_file_open_in_a_running_unmanaged_domain_is_kept(agent: AgentUnderTest) -> None:
    agent.fake.foreign_files.append(UNMANAGED_FILE)
    agent.fake.foreign_domains.append("thief")
    agent.fake.unmanaged.facts["thief"] = DomainFacts(
        Power.RUNNING, 256, "<domain/>", disks=(f"/fake/{UNMANAGED_FILE}",)
    )
    found = quarantine_request(pb.STRAY_KIND_FILE, UNMANAGED_FILE)
    assert refusal(lambda: agent.stub.EnsureQuarantine(found)).code == "agent.volume_in_use"
    agent.stub.EnsureQuarantine(quarantine_request(pb.STRAY_KIND_DOMAIN, "thief"))
    assert agent.stub.EnsureQuarantine(found).is_present


def test_image_in_use_by_volumes_is_kept(agent: AgentUnderTest) -> None:
    sha256 = "ab" * 32
    agent.fake.images[sha256] = 512
    data = specs.volume()
    agent.stub.EnsureVolume(data)
    ledger = agent.server.node.state_store
    ledger.execute("INSERT INTO use VALUES ('volume', ?, 'image', ?)", data.subject.id, sha256)
    found = quarantine_request(pb.STRAY_KIND_FILE, f"images/{sha256}")
    assert refusal(lambda: agent.stub.EnsureQuarantine(found)).code == "agent.image_in_use"


def test_tap_is_set_down_and_up(agent: AgentUnderTest) -> None:
    agent.fake.foreign_taps.append("tap0123456789a")
    found = quarantine_request(pb.STRAY_KIND_PORT, "tap0123456789a")
    agent.stub.EnsureQuarantine(found)
    assert agent.fake.unmanaged.silent == {"tap0123456789a"}
    agent.stub.EnsureQuarantine(released(found))
    assert not agent.fake.unmanaged.silent


def test_managed_port_is_forgotten_with_its_tap(agent: AgentUnderTest) -> None:
    port = specs.port()
    agent.stub.EnsurePort(port)
    found = quarantine_request(pb.STRAY_KIND_PORT, tap_name(UUID(port.subject.id)))
    assert agent.stub.EnsureQuarantine(found).is_present
    assert agent.stub.RemoveQuarantine(specs.removal(found.subject)).is_present
    assert not agent.fake.ports


def test_attachment_is_unplugged_only_on_removal(agent: AgentUnderTest) -> None:
    spec, data = build(agent), specs.volume()
    agent.stub.EnsureVolume(data)
    plug = specs.attachment(spec, data)
    agent.stub.EnsureAttachment(plug)
    running = agent.fake.guests[UUID(spec.subject.id)]
    found = quarantine_request(pb.STRAY_KIND_ATTACHMENT, plug.subject.id)
    assert agent.stub.EnsureQuarantine(found).is_present
    assert running.running is not None
    assert len(running.running.disks) == 2
    assert agent.stub.RemoveQuarantine(specs.removal(found.subject)).is_present
    assert running.running is not None
    assert len(running.running.disks) == 1


def test_missing_resource_is_no_error(agent: AgentUnderTest) -> None:
    for kind, name in (
        (pb.STRAY_KIND_DOMAIN, "gone"),
        (pb.STRAY_KIND_FILE, UNMANAGED_FILE),
        (pb.STRAY_KIND_PORT, "tap0123456789a"),
        (pb.STRAY_KIND_ATTACHMENT, specs.new_id()),
    ):
        found = quarantine_request(kind, name)
        assert not agent.stub.EnsureQuarantine(found).is_present
        assert not agent.stub.RemoveQuarantine(specs.removal(found.subject)).is_present
    assert not noted(agent)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pb.STRAY_KIND_FILE, "volumes/../ledger.sqlite"),
        (pb.STRAY_KIND_FILE, "volumes/.."),
        (pb.STRAY_KIND_FILE, "ledger.sqlite"),
        (pb.STRAY_KIND_FILE, "/etc/passwd"),
        (pb.STRAY_KIND_PORT, "eth0"),
        (pb.STRAY_KIND_DOMAIN, ""),
        (pb.STRAY_KIND_UNSPECIFIED, "x"),
    ],
)
def test_name_that_escapes_the_folder_is_refused(agent: AgentUnderTest, kind: pb.StrayKind, name: str) -> None:
    assert refusal(lambda: agent.stub.EnsureQuarantine(quarantine_request(kind, name))).code == "agent.bad_request"


# ---- with real files


def test_file_name_that_is_no_utf_8_is_found_and_quarantined(tmp_path: Path) -> None:
    disks = FileDisks(tmp_path / "state")
    (tmp_path / "state" / "volumes" / os.fsdecode(b"bad-\xff")).write_text("data")
    (name,) = disks.files()
    assert name == "volumes/bad-\\xff"
    assert disks.file_size_bytes(name) == 4
    assert disks.set_aside(name, UUID(specs.new_id()))
    assert not disks.files()


def test_files_folders_and_links_are_isolated_and_restored_unchanged(tmp_path: Path) -> None:
    disks = FileDisks(tmp_path / "state")
    volumes, outside = tmp_path / "state" / "volumes", tmp_path / "outside"
    outside.write_text("not ours")
    (volumes / "unmanaged.raw").write_text("data")
    (volumes / "folder").mkdir()
    (volumes / "folder" / "part").write_text("12345")
    (volumes / "link").symlink_to(outside)
    names = {"volumes/unmanaged.raw": 4, "volumes/folder": 5, "volumes/link": len(str(outside))}
    ids = {name: UUID(specs.new_id()) for name in names}
    for name, size_bytes in names.items():
        assert disks.set_aside(name, ids[name])
        assert not disks.set_aside(name, ids[name]), "there is nothing left to move"
        assert disks.aside_size_bytes(ids[name]) == size_bytes
    assert list(disks.files()) == []
    (volumes / "unmanaged.raw").write_text("another")
    with pytest.raises(AdapterError):
        disks.put_back("volumes/unmanaged.raw", ids["volumes/unmanaged.raw"])
    assert disks.put_back("volumes/folder", ids["volumes/folder"])
    assert (volumes / "folder" / "part").read_text() == "12345"
    for name in ("volumes/unmanaged.raw", "volumes/link"):
        assert disks.remove_aside(ids[name])
        assert not disks.remove_aside(ids[name])
    assert outside.read_text() == "not ours"
    with pytest.raises(AdapterError):
        disks.set_aside("volumes/../outside", ids["volumes/link"])
