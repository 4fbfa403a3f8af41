"""Receipts: signed by the node and stored until the control plane has them."""

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from agents.node.adapters.fake import FakeNode
from agents.node.adapters.interfaces import Power
from agents.node.errors import AdapterError
from agents.node.rpc import stream as streams
from agents.node.trust import receipts
from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from andromede_core.documents.canonical import dumps
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, image_stream, refusal
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

Payload = dict[str, object]


def genuine(agent: AgentUnderTest, kind: str, document: bytes) -> Payload:
    """Return the statement of a signed document, after a check with the key of the node's certificate."""
    certificate = x509.load_pem_x509_certificate((agent.state_dir / "pki" / "node.crt").read_bytes())
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    envelope = signed.read(document)
    key.verify(envelope.signature, signed.message(kind, envelope.payload), ec.ECDSA(hashes.SHA256()))
    assert envelope.key_id == envelope.payload["node"] == str(specs.NODE_ID)
    assert envelope.payload["zone"] == specs.ZONE
    return dict(envelope.payload)


def watch(agent: AgentUnderTest, *, after: int = 0) -> Iterator[pb.NodeEvent]:
    request = pb.WatchRequest(heartbeat_interval_ms=3_600_000, receipts_after=after)
    return agent.stub.Watch(request, timeout=PATIENCE_S)


def next_receipt(agent: AgentUnderTest, stream: Iterator[pb.NodeEvent]) -> Payload:
    receipt = next(event.receipt for event in stream if event.WhichOneof("event") == "receipt")
    payload = genuine(agent, "receipt", receipt.document)
    assert payload["number"] == receipt.number
    return payload


def all_receipts(agent: AgentUnderTest, count: int, *, after: int = 0) -> list[Payload]:
    stream = watch(agent, after=after)
    result = [next_receipt(agent, stream) for _ in range(count)]
    stream.cancel()  # type: ignore[attr-defined]
    return result


def summary_of(payload: Payload) -> tuple[object, ...]:
    return payload["event"], payload["kind"], payload["resource"], payload["generation"]


def jti_of(request: pb.EnsureVolumeRequest) -> str:
    return str(json.loads(request.permit.document)["p"]["jti"])


def running(agent: AgentUnderTest) -> pb.EnsureInstanceRequest:
    """A running guest: receipts 1 (its disk) and 2."""
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    spec = agent.stub.permitted(specs.instance(root, vcpus=2))
    agent.stub.EnsureInstance(spec)
    return spec


# ---- what is told


def test_each_resource_gets_open_and_close_receipts_under_its_permit(agent: AgentUnderTest) -> None:
    content = b"x" * 512
    header = specs.image_header(content)
    agent.stub.EnsureImage(image_stream(header, content))
    root = agent.stub.permitted(specs.volume(size_mib=64, image=header.sha256))
    data, port = specs.volume(generation=3), specs.port()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsureVolume(data)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port, vcpus=2, memory_mib=256)
    agent.stub.EnsureInstance(spec)
    plug = specs.attachment(spec, data)
    agent.stub.EnsureAttachment(plug)
    agent.stub.RemoveAttachment(specs.removal(plug.subject))
    agent.stub.RemoveInstance(specs.removal(spec.subject))
    agent.stub.RemovePort(specs.removal(port.subject))
    agent.stub.RemoveVolume(specs.removal(root.subject))
    agent.stub.RemoveImage(pb.RemoveImageRequest(sha256=header.sha256))

    found = all_receipts(agent, 11)
    expected = [
        ("image", header.sha256, 0),
        ("volume", root.subject.id, 1),
        ("volume", data.subject.id, 3),
        ("port", port.subject.id, 1),
        ("instance", spec.subject.id, 1),
        ("attachment", plug.subject.id, 1),
    ]
    assert [summary_of(each) for each in found[:6]] == [("opened", *each) for each in expected]
    closed = [expected[5], expected[4], expected[3], expected[1], expected[0]]
    assert [summary_of(each) for each in found[6:]] == [("closed", *each) for each in closed]
    assert [each["number"] for each in found] == list(range(1, 12))
    assert found[1]["jti"] == jti_of(root) == found[9]["jti"]
    assert found[1]["measured"] == {"size_bytes": 64 * specs.MIB, "image": header.sha256}
    assert found[4]["measured"] == {
        "domain": spec.subject.id,
        "vcpus": 2,
        "memory_mib": 256,
        "virt_type": agent.fake.adapters().hypervisor.host().virt_type,
        "volumes": [root.subject.id],
        "nics": [port.subject.id],
    }


def test_repetition_gets_no_receipt_and_another_permit_gets_one(agent: AgentUnderTest) -> None:
    request = agent.stub.permitted(specs.volume())
    for _ in range(2):
        agent.stub.EnsureVolume(request)
    grown = agent.stub.permitted(specs.volume(request.subject.id, generation=2, size_mib=128))
    agent.stub.EnsureVolume(grown)
    first, second = all_receipts(agent, 2)
    assert (first["jti"], second["jti"]) == (jti_of(request), jti_of(grown))
    assert agent.server.node.permits.receipts.last_number == 2


def test_image_that_exists_gets_no_second_receipt(agent: AgentUnderTest) -> None:
    content = b"x" * 512
    for _ in range(2):
        agent.stub.EnsureImage(image_stream(specs.image_header(content), content))
    assert agent.server.node.permits.receipts.last_number == 1


def test_a_refusal_leaves_a_receipt(agent: AgentUnderTest) -> None:
    request = agent.stub.permitted(specs.volume())
    request.permit.CopyFrom(agent.stub.permit_for(request, zone="us-va-1"))
    refusal(lambda: agent.stub.bare.EnsureVolume(request))
    refusal(lambda: agent.stub.bare.EnsureVolume(specs.volume()))
    strange, missing = all_receipts(agent, 2)
    assert summary_of(strange) == ("refused", "volume", request.subject.id, 1)
    assert strange["jti"] == jti_of(request)
    assert strange["measured"] == {"call": "EnsureVolume", "code": "WRONG_ZONE"}
    assert (missing["jti"], missing["measured"]) == ("", {"call": "EnsureVolume", "code": "MISSING"})


@pytest.mark.parametrize("jti", [7, "x" * 65, "\u0000", None])
def test_malformed_permit_id_is_not_recorded(agent: AgentUnderTest, jti: object) -> None:
    request = specs.volume()
    request.permit.document = dumps({"p": {"jti": jti}, "kid": "signer-1", "sig": ""})
    assert refusal(lambda: agent.stub.bare.EnsureVolume(request)).code == "agent.permit.malformed"
    (receipt,) = all_receipts(agent, 1)
    assert receipt["jti"] == ""


def test_a_flood_of_bad_permits_does_not_fill_the_disk(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "MAX_REFUSED", 3)
    for _ in range(5):
        refusal(lambda: agent.stub.bare.EnsureVolume(specs.volume()))
    agent.stub.EnsureVolume(specs.volume())
    assert [each["event"] for each in all_receipts(agent, 4)] == ["refused"] * 3 + ["opened"]
    all_receipts(agent, 1, after=3)
    refusal(lambda: agent.stub.bare.EnsureVolume(specs.volume()))
    assert [each["event"] for each in all_receipts(agent, 2, after=3)] == ["opened", "refused"]


# ---- guests that stop


@pytest.mark.parametrize("how", ["crash", "guest_powers_off"])
def test_guest_that_stops_by_itself_gets_a_close_receipt(agent: AgentUnderTest, how: str) -> None:
    stream = watch(agent)
    spec = running(agent)
    assert [next_receipt(agent, stream)["event"] for _ in range(2)] == ["opened", "opened"]
    getattr(agent.fake, how)(UUID(spec.subject.id))
    closed = next_receipt(agent, stream)
    assert summary_of(closed) == ("closed", "instance", spec.subject.id, 1)
    assert closed["jti"] == jti_of(spec)  # type: ignore[arg-type]
    agent.stub.EnsureInstance(spec)
    assert summary_of(next_receipt(agent, stream)) == ("opened", "instance", spec.subject.id, 1)


def test_stopped_guest_gets_its_close_receipt_before_the_answer(agent: AgentUnderTest) -> None:
    spec = running(agent)
    agent.stub.bare.EnsureInstance(without_permit(specs.next_generation(spec, power=pb.POWER_OFF)))
    assert summary_of(all_receipts(agent, 3)[2]) == ("closed", "instance", spec.subject.id, 1)


def test_guest_that_ignores_shutdown_gets_no_close_receipt(agent: AgentUnderTest) -> None:
    agent.fake.ignore_shutdown = True
    spec = running(agent)
    agent.stub.bare.EnsureInstance(without_permit(specs.next_generation(spec, power=pb.POWER_SHUTDOWN)))
    assert agent.server.node.permits.receipts.last_number == 2
    agent.fake.guest_powers_off(UUID(spec.subject.id))
    assert summary_of(all_receipts(agent, 3)[2]) == ("closed", "instance", spec.subject.id, 1)


def test_guest_stopped_without_the_agent_gets_a_close_receipt(agent: AgentUnderTest) -> None:
    spec = running(agent)
    agent.stop()
    guest = agent.fake.guests[UUID(spec.subject.id)]
    guest.power, guest.running = Power.OFF, None  # nobody heard of it
    agent.start()
    assert summary_of(all_receipts(agent, 3)[2]) == ("closed", "instance", spec.subject.id, 1)


def test_running_guest_gets_no_close_receipt_at_a_restart(agent: AgentUnderTest) -> None:
    spec = running(agent)
    agent.restart()
    agent.stub.EnsureInstance(spec)
    assert agent.server.node.permits.receipts.last_number == 2


def without_permit(spec: pb.EnsureInstanceRequest) -> pb.EnsureInstanceRequest:
    spec.ClearField("permit")
    return spec


# ---- on their way


def test_receipts_are_kept_over_a_restart_until_acknowledged(agent: AgentUnderTest) -> None:
    for _ in range(3):
        agent.stub.EnsureVolume(specs.volume())
    before = all_receipts(agent, 3)
    agent.restart()
    assert all_receipts(agent, 3) == before
    agent.stub.EnsureVolume(specs.volume())
    assert [each["number"] for each in all_receipts(agent, 2, after=2)] == [3, 4]


def test_receipts_stored_by_the_control_plane_are_deleted(agent: AgentUnderTest) -> None:
    for _ in range(3):
        agent.stub.EnsureVolume(specs.volume())
    all_receipts(agent, 1, after=2)
    assert [number for number, _ in agent.server.node.permits.receipts.after(0, limit=10)] == [3]


def test_watcher_receives_a_receipt_at_once(agent: AgentUnderTest) -> None:
    stream = watch(agent)
    for number in range(1, 4):
        agent.stub.EnsureVolume(specs.volume())
        assert next_receipt(agent, stream)["number"] == number


def test_stream_ends_after_its_maximum_of_receipts(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_RECEIPTS", 2)
    for _ in range(3):
        agent.stub.EnsureVolume(specs.volume())
    events = list(watch(agent))
    assert sum(event.WhichOneof("event") == "receipt" for event in events) >= 2


def test_node_that_lost_its_state_continues_the_numbering(agent: AgentUnderTest) -> None:
    """No number stands for two receipts, and what was done meanwhile is told."""
    for _ in range(2):
        agent.stub.EnsureVolume(specs.volume())
    found = all_receipts(agent, 2, after=40)
    assert [each["number"] for each in found] == [41, 42]
    agent.stub.EnsureVolume(specs.volume())
    assert [each["number"] for each in all_receipts(agent, 1, after=42)] == [43]


@pytest.mark.parametrize("number", [4, 2**48 + 1, 2**53 - 1, 2**64 - 1])
def test_acknowledgement_of_unissued_receipts_is_refused(agent: AgentUnderTest, number: int) -> None:
    for _ in range(3):
        agent.stub.EnsureVolume(specs.volume())
    before = all_receipts(agent, 2, after=1)
    assert refusal(lambda: next(watch(agent, after=number))).code == "agent.bad_request"
    agent.stub.EnsureVolume(specs.volume())
    assert all_receipts(agent, 3, after=1)[:2] == before


def test_only_the_watcher_acknowledges_receipts(agent: AgentUnderTest) -> None:
    agent.stub.EnsureVolume(specs.volume())
    request = pb.WatchRequest(receipts_after=1)
    assert refusal(lambda: next(agent.stub.bare.Watch(request))).code == "agent.unknown_peer"
    assert len(all_receipts(agent, 1)) == 1


# ---- an agent that dies


def killed(*_: object) -> None:
    """Raise instead of the write, like a crash does as far as the disk is concerned."""
    raise RuntimeError("killed")


def test_action_before_a_crash_gets_its_receipt_at_the_restart(
    agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = agent.stub.permitted(specs.volume())
    with monkeypatch.context() as patch:
        patch.setattr(receipts.Receipts, "opened", killed)
        assert refusal(lambda: agent.stub.EnsureVolume(request)).code == "agent.internal"
    assert UUID(request.subject.id) in agent.fake.volumes
    agent.restart()
    (found,) = all_receipts(agent, 1)
    assert (summary_of(found), found["jti"]) == (("opened", "volume", request.subject.id, 1), jti_of(request))
    assert found["measured"] == {"is_interrupted": True}
    agent.stub.EnsureVolume(request)
    assert agent.server.node.permits.receipts.last_number == 1


def test_failed_action_before_a_restart_gets_no_receipt(agent: AgentUnderTest) -> None:
    agent.fake.fail_next("create_volume", AdapterError("The disk is full.", retryable=False))
    request = agent.stub.permitted(specs.volume())
    refusal(lambda: agent.stub.EnsureVolume(request))
    agent.restart()
    agent.stub.EnsureVolume(request)
    (found,) = all_receipts(agent, 1)
    assert "is_interrupted" not in found["measured"]  # type: ignore[operator]


def test_removal_without_an_open_receipt_records_both(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    request = agent.stub.permitted(specs.volume())
    with monkeypatch.context() as patch:
        patch.setattr(receipts.Receipts, "opened", killed)
        assert refusal(lambda: agent.stub.EnsureVolume(request)).code == "agent.internal"
    agent.stub.RemoveVolume(specs.removal(request.subject))
    assert [each["event"] for each in all_receipts(agent, 2)] == ["opened", "closed"]


# ---- the signed inventory


def inventory(agent: AgentUnderTest) -> Payload:
    stream = watch(agent)
    document = next(event.signed_inventory for event in stream if event.WhichOneof("event") == "signed_inventory")
    stream.cancel()  # type: ignore[attr-defined]
    return genuine(agent, "inventory", document)


def test_inventory_shows_actual_resources(agent: AgentUnderTest) -> None:
    spec = running(agent)
    data = specs.volume()
    agent.stub.EnsureVolume(data)
    plug = specs.attachment(spec, data)
    agent.stub.EnsureAttachment(plug)
    agent.fake.foreign_domains.append("somebody-elses")
    disguised = [f"volumes/{data.subject.id}", f"images/{'0' * 64}.qcow2"]
    agent.fake.foreign_files += ["volumes/smuggled.raw", "images/latest", *disguised]
    resources = inventory(agent)
    disks = sorted([spec.root_volume_id, data.subject.id])
    jti = jti_of(spec)  # type: ignore[arg-type]
    assert resources["domains"] == [{"id": spec.subject.id, "power": "running", "permit": jti, "disks": disks}]
    assert resources["unknown_domains"] == ["somebody-elses"]
    named = [spec.root_volume_id, data.subject.id, "volumes/smuggled.raw", disguised[0]]
    assert sorted(resources["volumes"]) == sorted(named)  # type: ignore[call-overload]
    assert resources["images"] == [disguised[1], "images/latest"]
    assert resources["attachments"] == [{"id": plug.subject.id, "instance": spec.subject.id, "volume": data.subject.id}]
    assert resources["trust"] == {"keyset": 1, "charter": 1, "epoch": 1, "deny": 0}
    assert (resources["last_receipt"], resources["refusals"]) == (4, {})


def test_the_inventory_counts_refusals(agent: AgentUnderTest) -> None:
    for _ in range(2):
        refusal(lambda: agent.stub.bare.EnsureVolume(specs.volume()))
    assert inventory(agent)["refusals"] == {"MISSING": 2}


def test_inventories_are_repeated(tmp_path, ca: TestCA, worker: Issued) -> None:  # type: ignore[no-untyped-def]
    agent = AgentUnderTest(tmp_path, FakeNode(), ca, worker, inventory_interval_s=0.05)
    agent.enrol()
    agent.start()
    stream = agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=100), timeout=PATIENCE_S)
    found = (event for event in stream if event.WhichOneof("event") == "signed_inventory")
    moments = [genuine(agent, "inventory", next(found).signed_inventory)["at"] for _ in range(3)]
    assert len(set(moments)) == 3
    stream.cancel()
    agent.stop()
